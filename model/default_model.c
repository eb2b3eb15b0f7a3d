#include "default_model.h"

const char *
rvm_default_model_get_path (void)
{
  const char *named = g_getenv ("RVM_DEFAULT_MODEL");

  return named ? named : RVM_DEFAULT_MODEL;
}

void
rvm_default_model_explain (GError **error)
{
  g_prefix_error (error, "no weights were named, and the bundled ones, or what RVM_DEFAULT_MODEL names instead, cannot be used: ");
}
