/* Reads the file, and overrides CLBlast's own parameters. */
#include "clblast_parameters.h"

#include "cl.h"
#include "clblast.h"

#include <clblast_c.h>

static gboolean
override_kernel (RvmDevice *device, const char *path, GKeyFile *file, const char *kernel, GError **error)
{
  gsize n = 0;
  g_auto (GStrv) names = g_key_file_get_keys (file, kernel, &n, error);
  g_autofree size_t *values = g_new0 (size_t, n + 1);
  CLBlastStatusCode status;
  gboolean alone;

  if (names == NULL)
    return FALSE;
  for (gsize i = 0; i < n; i++) {
    g_autoptr (GError) reason = NULL;

    values[i] = g_key_file_get_uint64 (file, kernel, names[i], &reason);
    if (reason) {
      rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: [%s] %s: a whole number was expected: %s", path, kernel, names[i], reason->message);
      return FALSE;
    }
  }
  alone = rvm_clblast_begin ();
  status = CLBlastOverrideParameters (rvm_device_get_id (device), kernel, CLBlastPrecisionSingle, n, (const char **) names, values);
  rvm_clblast_end (alone, status == CLBlastSuccess);
  if (status == CLBlastSuccess)
    return TRUE;
  rvm_error_set (error, RVM_ERROR_ARGUMENT,
      "%s: [%s]: CLBlast refuses it (status %d): the name of one of its kernels, and all of that one's parameters and no others, were expected",
      path, kernel, (int) status);
  return FALSE;
}

gboolean
rvm_clblast_set_parameters (RvmDevice *device, GError **error)
{
  const char *path = g_getenv ("RVM_CLBLAST_PARAMETERS");
  g_autoptr (GKeyFile) file = NULL;
  g_autoptr (GError) reason = NULL;
  g_auto (GStrv) kernels = NULL;

  if (path == NULL || *path == '\0')
    return TRUE;
  file = g_key_file_new ();
  if (!g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, &reason)) {
    rvm_error_set (error, RVM_ERROR_FILE, "RVM_CLBLAST_PARAMETERS: %s: %s", path, reason->message);
    return FALSE;
  }
  kernels = g_key_file_get_groups (file, NULL);
  for (guint i = 0; kernels[i]; i++)
    if (!override_kernel (device, path, file, kernels[i], error))
      return FALSE;
  return TRUE;
}
