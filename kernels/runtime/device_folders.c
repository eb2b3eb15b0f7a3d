/* Each process shows at most one notice: the one about PoCL's folder, otherwise the first about one of ours. */
#include "device_folders.h"

#include "cache_folders.h"
#include "kernels/error.h"

#define NOWHERE "nowhere to keep compiled kernels: neither the usual folder (%s) nor one for temporary files can be used; name one with cache-dir or the" \
  " environment variable POCL_CACHE_DIR"

static GMutex lock;
static char *notice; /* waiting to be shown */
static gboolean noticed;

void
rvm_device_folders_choose (const char *cache_dir, gboolean is_pocl, char **folder, char **spare)
{
  g_auto (RvmCacheFolder) ours = { 0 };

  rvm_cache_folder_choose (cache_dir, &ours);
  *folder = g_strdup (ours.wanted ? ours.wanted : ours.folder);
  *spare = ours.wanted ? g_strdup (ours.folder) : NULL;
  g_mutex_lock (&lock);
  if (!noticed && notice == NULL && is_pocl)
    notice = rvm_cache_folder_explain (rvm_cache_pocl_get ());
  if (!noticed && notice == NULL)
    notice = rvm_cache_folder_explain (&ours);
  g_mutex_unlock (&lock);
}

char *
rvm_device_folders_find_problem (gboolean is_pocl)
{
  if (!is_pocl || rvm_cache_pocl_get ()->folder)
    return NULL;
  return g_strdup_printf ("it has " NOWHERE, rvm_cache_pocl_get ()->problem);
}

void
rvm_device_folders_explain_none (const char *problem, GError **error)
{
  const RvmCacheFolder *folder = rvm_cache_pocl_get ();
  g_autofree char *found = problem ? g_strdup_printf (" (%s)", problem) : g_strdup ("");

  if (folder->folder)
    rvm_error_set (error, RVM_ERROR_DEVICE, "no OpenCL device%s: install an OpenCL driver (for a CPU: the package pocl-opencl-icd)", found);
  else
    rvm_error_set (error, RVM_ERROR_DEVICE, "no OpenCL device%s: PoCL, the driver for CPUs (package pocl-opencl-icd), has " NOWHERE, found,
        folder->problem);
}

char *
rvm_device_folders_take_notice (void)
{
  char *text;

  g_mutex_lock (&lock);
  text = g_steal_pointer (&notice);
  noticed |= text != NULL;
  g_mutex_unlock (&lock);
  return text;
}
