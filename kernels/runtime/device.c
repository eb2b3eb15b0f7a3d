/* The process's table of open devices, and what the kernels want to know of each. */
#include "device.h"

#include <string.h>
#include <unistd.h>

#include "cl.h"
#include "cache_folders.h"
#include "clblast.h"
#include "device_folders.h"
#include "device_list.h"
#include "matrix_units.h"
#include "process.h"
#include "processor.h"
#include "program.h"

/* How many streams may have a frame on the device at once: one whose frame runs, and one whose launches are already enqueued when that frame is
 * finished, so that the device does not wait for a thread to wake up. Without a limit, one stream beside eight streams of smaller pictures got a
 * fifteenth of the frames that one of those got. */
#define FRAMES_AT_ONCE 2

struct _RvmDevice {
  guint refs; /* under table_lock */
  char *key;  /* in the table */
  cl_device_id id;
  cl_context context;
  cl_command_queue transfers;
  char *name;         /* "DEVICE (PLATFORM)" */
  char *fingerprint;  /* everything about device and driver that a built program depends on */
  char *cache_dir;    /* NULL: none */
  char *spare_dir;    /* used instead if cache_dir cannot be written; or NULL */
  cl_device_type type;
  guint vector_width, compute_units;
  guint64 max_allocation;
  gsize core_cache;     /* bytes */
  gboolean has_fma;     /* as an instruction */
  gboolean has_clblast; /* CLBlast has been used with the context; under table_lock */
  RvmTurns *turns;
  RvmPrograms *programs;
  RvmMatrixUnits *units;
};

/* Open devices by key. The table holds no references: the last unref takes a device out and frees it.
 *
 * CLBlast keeps the programs it has built, and through them their context, until it is told to forget the programs of all contexts. If that
 * happened while another device works with CLBlast, that device's streams would stop for seconds to build them again. So CLBlast is told only
 * when no device that has users has used it. A device that loses its last user before that stays in this table without users, and is used again
 * when it is opened again. So at most one context is kept for each device and cache folder, however often they are opened and closed. */
static GMutex table_lock;
static GHashTable *table;

static void
device_free (RvmDevice *device)
{
  g_clear_pointer (&device->units, rvm_matrix_units_free);
  g_clear_pointer (&device->programs, rvm_programs_free);
  g_clear_pointer (&device->turns, rvm_turns_free);
  if (device->transfers)
    clReleaseCommandQueue (device->transfers);
  if (device->context)
    clReleaseContext (device->context);
  g_free (device->cache_dir);
  g_free (device->spare_dir);
  g_free (device->fingerprint);
  g_free (device->name);
  g_free (device->key);
  g_free (device);
}

/* What a built program depends on besides its source and options. */
static char *
make_fingerprint (const RvmFoundDevice *found, char **problem)
{
  static const cl_device_info device_keys[] = { CL_DEVICE_NAME, CL_DEVICE_VENDOR, CL_DEVICE_VERSION, CL_DRIVER_VERSION };
  static const cl_platform_info platform_keys[] = { CL_PLATFORM_NAME, CL_PLATFORM_VERSION };
  g_autofree char *processor = rvm_processor_describe ();
  GString *text = g_string_new (processor);

  for (guint i = 0; i < G_N_ELEMENTS (device_keys); i++) {
    g_autofree char *value = rvm_cl_get_device_string (found->id, device_keys[i], problem);
    g_string_append_printf (text, "%s\n", value);
  }
  for (guint i = 0; i < G_N_ELEMENTS (platform_keys); i++) {
    g_autofree char *value = rvm_cl_get_platform_string (found->platform, platform_keys[i], problem);
    g_string_append_printf (text, "%s\n", value);
  }
  return g_string_free (text, FALSE);
}

/* OpenCL reports the size of one cache only, which is the last level's with one driver and the first level's with another. */
static gsize
read_core_cache (void)
{
#ifdef _SC_LEVEL2_CACHE_SIZE
  const long size = sysconf (_SC_LEVEL2_CACHE_SIZE);

  if (size > 0)
    return size;
#endif
  return 1024 * 1024;
}

/* What the kernels want to know of a device. */
static void
read_limits (RvmDevice *device, char **problem)
{
  cl_uint width = 1, units = 1;
  cl_ulong allocation = 0;
  cl_bool compiler = CL_FALSE;
  cl_device_fp_config floats = 0;
  const struct {
    cl_device_info what;
    gsize size;
    gpointer value;
  } limits[] = {
    { CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof width, &width },
    { CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units },
    { CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof allocation, &allocation },
    { CL_DEVICE_COMPILER_AVAILABLE, sizeof compiler, &compiler },
    { CL_DEVICE_SINGLE_FP_CONFIG, sizeof floats, &floats },
  };

  for (guint i = 0; i < G_N_ELEMENTS (limits); i++)
    rvm_cl_has_failed (clGetDeviceInfo (device->id, limits[i].what, limits[i].size, limits[i].value, NULL), "clGetDeviceInfo", problem);
  if (!compiler && *problem == NULL)
    *problem = g_strdup ("it has no compiler");
  device->vector_width = MAX (width, 1);
  device->compute_units = units;
  device->max_allocation = allocation;
  device->core_cache = read_core_cache ();
  /* Intel's runtime for CPUs does not report the instruction, although it uses it. */
  device->has_fma = rvm_device_is_cpu (device) || (floats & CL_FP_FMA) != 0;
}

static RvmDevice *
device_new (const RvmFoundDevice *found, const char *cache_dir, GError **error)
{
  RvmDevice *device = g_new0 (RvmDevice, 1);
  g_autofree char *problem = g_strdup (found->problem);
  const gboolean is_pocl = strstr (found->name, "(Portable Computing Language)") != NULL;
  cl_int status;

  device->refs = 1;
  device->id = found->id;
  device->type = found->type;
  device->name = g_strdup (found->name);
  device->fingerprint = make_fingerprint (found, &problem);
  rvm_device_folders_choose (cache_dir, is_pocl, &device->cache_dir, &device->spare_dir);
  device->turns = rvm_turns_new (FRAMES_AT_ONCE);
  device->units = rvm_matrix_units_new (device->name, (device->type & CL_DEVICE_TYPE_CPU) != 0);
  read_limits (device, &problem);
  if (problem == NULL)
    problem = rvm_device_folders_find_problem (is_pocl);
  if (problem == NULL) {
    device->context = clCreateContext ((const cl_context_properties[]){ CL_CONTEXT_PLATFORM, (cl_context_properties) found->platform, 0 }, 1,
        &found->id, NULL, NULL, &status);
    rvm_cl_has_failed (status, "clCreateContext", &problem);
  }
  if (problem == NULL) {
    device->transfers = clCreateCommandQueue (device->context, device->id, 0, &status);
    rvm_cl_has_failed (status, "clCreateCommandQueue", &problem);
  }
  if (problem) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_DEVICE, "OpenCL device '%s' cannot be used: %s", device->name, problem);
    device_free (device);
    return NULL;
  }
  device->programs = rvm_programs_new (
      &(RvmProgramTarget){
          .context = device->context, .device = device->id, .name = device->name, .fingerprint = device->fingerprint,
          .cache_dir = device->cache_dir, .spare_dir = device->spare_dir, .is_pocl = is_pocl, .has_fma = device->has_fma,
      });
  return device;
}

char **
rvm_device_list (void)
{
  g_autofree char *problem = NULL;
  g_autoptr (GArray) found = NULL;

  if (rvm_process_is_forked ())
    return g_new0 (char *, 1);
  found = rvm_device_list_find (NULL, &problem);
  return rvm_device_list_describe (found);
}

RvmDevice *
rvm_device_open (const char *selector, const char *cache_dir, GError **error)
{
  g_autofree char *problem = NULL, *suggested = NULL, *key = NULL;
  g_autoptr (GArray) found = NULL;
  const RvmFoundDevice *entry;
  RvmDevice *device;

  if (!rvm_process_check (error))
    return NULL;
  if (cache_dir == NULL)
    cache_dir = suggested = rvm_cache_folder_get_suggested ();
  found = rvm_device_list_find (cache_dir, &problem);
  entry = rvm_device_list_select (found, problem, selector, error);
  if (entry == NULL)
    return NULL;
  key = g_strdup_printf ("%p|%s", (void *) entry->id, cache_dir ? cache_dir : "?");

  g_mutex_lock (&table_lock);
  device = table ? g_hash_table_lookup (table, key) : NULL;
  if (device) {
    device->refs++;
  } else {
    device = device_new (entry, cache_dir, error);
    if (device) {
      if (table == NULL)
        table = g_hash_table_new (g_str_hash, g_str_equal);
      device->key = g_steal_pointer (&key);
      g_hash_table_insert (table, device->key, device);
    }
  }
  g_mutex_unlock (&table_lock);
  return device;
}

void
rvm_device_suggest_cache_dir (const char *cache_dir)
{
  rvm_cache_folder_suggest (cache_dir);
}

char *
rvm_device_take_notice (RvmDevice *device)
{
  return rvm_device_folders_take_notice ();
}

/* In a child made by fork(), this function and those below do nothing: no thread may be left to release the lock, and OpenCL's objects belong to the
 * parent. */
RvmDevice *
rvm_device_ref (RvmDevice *device)
{
  if (rvm_process_is_forked ())
    return device;
  g_mutex_lock (&table_lock);
  device->refs++;
  g_mutex_unlock (&table_lock);
  return device;
}

void
rvm_device_set_clblast (RvmDevice *device)
{
  g_mutex_lock (&table_lock);
  device->has_clblast = TRUE;
  g_mutex_unlock (&table_lock);
}

/* Called with table_lock: takes the devices that can be freed out of the table, and tells CLBlast to forget its programs if it has no user left.
 * While the lock is held no device can be opened, so none starts to use CLBlast meanwhile. */
static GPtrArray *
take_unused (void)
{
  GPtrArray *unused = g_ptr_array_new_with_free_func ((GDestroyNotify) device_free);
  gboolean clblast_in_use = FALSE, forget = FALSE;
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, table);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    const RvmDevice *device = value;
    clblast_in_use |= device->has_clblast && device->refs > 0;
  }
  g_hash_table_iter_init (&iter, table);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    const RvmDevice *device = value;
    if (device->refs > 0 || (device->has_clblast && clblast_in_use))
      continue;
    forget |= device->has_clblast;
    g_hash_table_iter_remove (&iter);
    g_ptr_array_add (unused, value);
  }
  if (g_hash_table_size (table) == 0)
    g_clear_pointer (&table, g_hash_table_unref);
  if (forget)
    rvm_clblast_forget ();
  return unused;
}

void
rvm_device_unref (RvmDevice *device)
{
  g_autoptr (GPtrArray) unused = NULL;

  if (device == NULL || rvm_process_is_forked ())
    return;
  g_mutex_lock (&table_lock);
  if (--device->refs == 0)
    unused = take_unused ();
  g_mutex_unlock (&table_lock);
}

const char *
rvm_device_get_name (const RvmDevice *device)
{
  return device->name;
}

gboolean
rvm_device_runs_on_cpu (const RvmDevice *device)
{
  return (device->type & CL_DEVICE_TYPE_CPU) != 0;
}

gboolean
rvm_device_is_cpu (const RvmDevice *device)
{
  /* Mesa's llvmpipe reports itself as a CPU but is a GPU driver: it spreads the work-items of a group over its vector lanes. With Mesa 22.3, groups
   * of one work-item with large private arrays leave outputs unwritten there. */
  return rvm_device_runs_on_cpu (device) && strstr (device->name, "(rusticl)") == NULL;
}

guint
rvm_device_get_vector_width (const RvmDevice *device)
{
  return device->vector_width;
}

guint
rvm_device_get_compute_units (const RvmDevice *device)
{
  return device->compute_units;
}

gsize
rvm_device_get_core_cache (const RvmDevice *device)
{
  return device->core_cache;
}

RvmTurns *
rvm_device_get_turns (RvmDevice *device)
{
  return device->turns;
}

guint64
rvm_device_get_max_allocation (const RvmDevice *device)
{
  return device->max_allocation;
}

cl_context
rvm_device_get_context (const RvmDevice *device)
{
  return device->context;
}

cl_command_queue
rvm_device_get_transfers (const RvmDevice *device)
{
  return device->transfers;
}

cl_device_id
rvm_device_get_id (const RvmDevice *device)
{
  return device->id;
}

RvmPrograms *
rvm_device_get_programs (const RvmDevice *device)
{
  return device->programs;
}

RvmMatrixUnits *
rvm_device_get_matrix_units (const RvmDevice *device)
{
  return device->units;
}
