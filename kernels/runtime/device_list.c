/* Asks the OpenCL loader for platforms and devices. */
#include "device_list.h"

#include <string.h>

#include "cache_folders.h"
#include "device_folders.h"
#include "kernels/error.h"
#include "process.h"

static void
found_clear (gpointer data)
{
  g_free (((RvmFoundDevice *) data)->name);
  g_free (((RvmFoundDevice *) data)->problem);
}

static void
add_devices (GArray *found, cl_platform_id platform, char **problem)
{
  g_autofree char *unnamed = NULL, *platform_name = rvm_cl_get_platform_string (platform, CL_PLATFORM_NAME, &unnamed);
  cl_device_id ids[64];
  cl_uint n_ids = 0;
  const cl_int status = clGetDeviceIDs (platform, CL_DEVICE_TYPE_ALL, G_N_ELEMENTS (ids), ids, &n_ids);

  if (status == CL_DEVICE_NOT_FOUND && *problem == NULL)
    *problem = g_strdup_printf ("%s has none", platform_name);
  if (status == CL_DEVICE_NOT_FOUND || rvm_cl_has_failed (status, "clGetDeviceIDs", problem))
    return;
  for (guint d = 0; d < MIN (n_ids, G_N_ELEMENTS (ids)); d++) {
    RvmFoundDevice entry = { .platform = platform, .id = ids[d], .problem = g_strdup (unnamed) };
    g_autofree char *device = rvm_cl_get_device_string (ids[d], CL_DEVICE_NAME, &entry.problem);

    entry.name = g_strdup_printf ("%s (%s)", device, platform_name);
    rvm_cl_has_failed (clGetDeviceInfo (ids[d], CL_DEVICE_TYPE, sizeof entry.type, &entry.type, NULL), "clGetDeviceInfo", &entry.problem);
    g_array_append_val (found, entry);
  }
}

static GArray *
ask_for_devices (char **problem)
{
  GArray *found = g_array_new (FALSE, TRUE, sizeof (RvmFoundDevice));
  cl_platform_id platforms[32];
  cl_uint n_platforms = 0;
  cl_int status;

  g_array_set_clear_func (found, found_clear);
  *problem = NULL;
  status = clGetPlatformIDs (G_N_ELEMENTS (platforms), platforms, &n_platforms);
  if (status == CL_PLATFORM_NOT_FOUND_KHR || rvm_cl_has_failed (status, "clGetPlatformIDs", problem))
    return found;
  for (guint p = 0; p < MIN (n_platforms, G_N_ELEMENTS (platforms)); p++)
    add_devices (found, platforms[p], problem);
  return found;
}

/* One thread at a time: the first call loads the drivers. When eight elements started at once, a second call that came meanwhile was told that
 * there is no device. */
GArray *
rvm_device_list_find (const char *cache_dir, char **problem)
{
  static GMutex lock;
  GArray *found;

  g_mutex_lock (&lock);
  rvm_process_begin ();
  rvm_cache_pocl_prepare (cache_dir);
  found = ask_for_devices (problem);
  g_mutex_unlock (&lock);
  return found;
}

static const char *
type_name (cl_device_type type)
{
  return type & CL_DEVICE_TYPE_GPU ? "GPU" : type & CL_DEVICE_TYPE_ACCELERATOR ? "accelerator" : type & CL_DEVICE_TYPE_CPU ? "CPU" : "other";
}

char **
rvm_device_list_describe (const GArray *found)
{
  GPtrArray *lines = g_ptr_array_new ();

  for (guint i = 0; i < found->len; i++) {
    const RvmFoundDevice *entry = &g_array_index (found, RvmFoundDevice, i);
    g_ptr_array_add (lines, g_strdup_printf ("%u: %s, %s", i, entry->name, type_name (entry->type)));
  }
  g_ptr_array_add (lines, NULL);
  return (char **) g_ptr_array_free (lines, FALSE);
}

static const RvmFoundDevice *
select_default (const GArray *found)
{
  static const cl_device_type preference[] = { CL_DEVICE_TYPE_GPU, CL_DEVICE_TYPE_ACCELERATOR, CL_DEVICE_TYPE_CPU, CL_DEVICE_TYPE_ALL };

  for (guint p = 0; p < G_N_ELEMENTS (preference); p++)
    for (guint i = 0; i < found->len; i++)
      if (g_array_index (found, RvmFoundDevice, i).type & preference[p])
        return &g_array_index (found, RvmFoundDevice, i);
  return &g_array_index (found, RvmFoundDevice, 0);
}

const RvmFoundDevice *
rvm_device_list_select (const GArray *found, const char *problem, const char *selector, GError **error)
{
  g_auto (GStrv) lines = NULL;
  g_autofree char *list = NULL, *wanted = NULL;
  guint64 index;

  if (found->len == 0) {
    rvm_device_folders_explain_none (problem, error);
    return NULL;
  }
  if (selector == NULL || *selector == '\0')
    return select_default (found);
  if (g_ascii_string_to_unsigned (selector, 10, 0, G_MAXUINT, &index, NULL)) {
    if (index < found->len)
      return &g_array_index (found, RvmFoundDevice, index);
  } else {
    wanted = g_utf8_casefold (selector, -1);
    for (guint i = 0; i < found->len; i++) {
      g_autofree char *name = g_utf8_casefold (g_array_index (found, RvmFoundDevice, i).name, -1);
      if (strstr (name, wanted))
        return &g_array_index (found, RvmFoundDevice, i);
    }
  }
  lines = rvm_device_list_describe (found);
  list = g_strjoinv ("\n  ", lines);
  g_set_error (error, RVM_ERROR, RVM_ERROR_DEVICE, "no OpenCL device '%s'; there are:\n  %s%s%s", selector, list,
      problem ? "\nsome could not be listed: " : "", problem ? problem : "");
  return NULL;
}
