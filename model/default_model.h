/* Weights for who names none. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What the environment variable RVM_DEFAULT_MODEL names, else the bundled weights where meson install puts them. Whether there is such a
 * file shows when it is loaded. */
const char *rvm_default_model_get_path (void);

/* @error is of loading that file: says in front of it why that file. */
void rvm_default_model_explain (GError **error);

G_END_DECLS
