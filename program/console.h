/* What a program prints: messages are UTF-8, but the names of files in them may be any bytes, and are printed as they are. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Takes the locale of the environment, and lets g_print() and g_printerr() of this process print file names as they are. */
void rvm_console_prepare (void);

G_END_DECLS
