/* The weights that are used when none are named. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The file that the environment variable RVM_DEFAULT_MODEL names, otherwise the bundled weights, where `meson install` puts them. It is not checked
 * whether the file exists. */
const char *rvm_default_model_get_path (void);

/* @error comes from loading that file. Puts in front of its message why that file was loaded. */
void rvm_default_model_explain (GError **error);

G_END_DECLS
