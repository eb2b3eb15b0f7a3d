/* Names and texts from outside, which may be any bytes, as UTF-8: for messages, JSON, and the metadata of weight files. A byte that is
 * not part of UTF-8 is written as a backslash and three octal digits, as C and the shell's $'...' read it: caf\351.avi. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* (transfer full): @bytes, with only what is not UTF-8 escaped. For people: it cannot be undone where @bytes held backslashes. */
char *rvm_text_from_bytes (const char *bytes);

/* (transfer full): a file name that rvm_name_unescape() gives back exactly. Names of plain UTF-8 stay as they are; backslashes, control
 * characters and, in a name that is not UTF-8, all bytes above 126 are escaped. */
char *rvm_name_escape (const char *name);
/* (transfer full) (nullable): NULL if @text is not what rvm_name_escape() gives. */
char *rvm_name_unescape (const char *text);

G_END_DECLS
