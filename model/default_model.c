#include "default_model.h"

const char *
rvm_default_model_get_path (void)
{
  const char *named = g_getenv ("RVM_DEFAULT_MODEL");

  return named ? named : RVM_DEFAULT_MODEL;
}
