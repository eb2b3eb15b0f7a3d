/* Finding OpenCL devices, and the process's table of open ones. */
#include "device.h"

#include <string.h>
#include <unistd.h>

#include "device_private.h"
#include "kernels/ops/linear_private.h"

#include <CL/cl_ext.h> /* CL_PLATFORM_NOT_FOUND_KHR */

/* Streams whose frames are on the device at once: one that runs, and one whose launches are there when it has finished, so that the device
 * does not wait for a thread to wake up. Without a bound, one stream of eight small ones got a fifteenth of the frames of another. */
#define FRAMES_AT_ONCE 2

/* Open devices by key, not owned: the last unref takes a device out, and frees it.
 *
 * CLBlast keeps the programs it built, and with them their context, until it is told to forget those of all contexts. Told while another
 * device works with it, that one's stream would stop for seconds to compile them anew. So it is told when it has no user left; a device that
 * loses its last user before that stays here without any, and is used again when it is opened. What is kept is one context for each device and
 * cache folder, however often they come and go. */
static GMutex table_lock;
static GHashTable *table;

const char *
rvm_cl_strerror (cl_int status)
{
  static const struct {
    cl_int status;
    const char *name;
  } names[] = {
#define NAME(x) { x, #x }
    NAME (CL_DEVICE_NOT_FOUND), NAME (CL_DEVICE_NOT_AVAILABLE), NAME (CL_COMPILER_NOT_AVAILABLE),
    NAME (CL_MEM_OBJECT_ALLOCATION_FAILURE), NAME (CL_OUT_OF_RESOURCES), NAME (CL_OUT_OF_HOST_MEMORY),
    NAME (CL_PROFILING_INFO_NOT_AVAILABLE), NAME (CL_MEM_COPY_OVERLAP), NAME (CL_BUILD_PROGRAM_FAILURE), NAME (CL_MAP_FAILURE),
    NAME (CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST), NAME (CL_INVALID_VALUE), NAME (CL_INVALID_DEVICE_TYPE),
    NAME (CL_INVALID_PLATFORM), NAME (CL_INVALID_DEVICE), NAME (CL_INVALID_CONTEXT), NAME (CL_INVALID_QUEUE_PROPERTIES),
    NAME (CL_INVALID_COMMAND_QUEUE), NAME (CL_INVALID_HOST_PTR), NAME (CL_INVALID_MEM_OBJECT), NAME (CL_INVALID_BINARY),
    NAME (CL_INVALID_BUILD_OPTIONS), NAME (CL_INVALID_PROGRAM), NAME (CL_INVALID_PROGRAM_EXECUTABLE),
    NAME (CL_INVALID_KERNEL_NAME), NAME (CL_INVALID_KERNEL_DEFINITION), NAME (CL_INVALID_KERNEL), NAME (CL_INVALID_ARG_INDEX),
    NAME (CL_INVALID_ARG_VALUE), NAME (CL_INVALID_ARG_SIZE), NAME (CL_INVALID_KERNEL_ARGS), NAME (CL_INVALID_WORK_DIMENSION),
    NAME (CL_INVALID_WORK_GROUP_SIZE), NAME (CL_INVALID_WORK_ITEM_SIZE), NAME (CL_INVALID_GLOBAL_OFFSET),
    NAME (CL_INVALID_EVENT_WAIT_LIST), NAME (CL_INVALID_EVENT), NAME (CL_INVALID_OPERATION), NAME (CL_INVALID_BUFFER_SIZE),
    NAME (CL_INVALID_GLOBAL_WORK_SIZE),
#undef NAME
  };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (names[i].status == status)
      return names[i].name;
  return "unknown OpenCL error";
}

/* Whether a call failed; @problem keeps the first that did. */
static gboolean
has_failed (cl_int status, const char *call, char **problem)
{
  if (status != CL_SUCCESS && *problem == NULL)
    *problem = g_strdup_printf ("%s: %s", call, rvm_cl_strerror (status));
  return status != CL_SUCCESS;
}

static char *
device_string (cl_device_id id, cl_device_info what, char **problem)
{
  gsize size = 0;
  char *text;

  if (has_failed (clGetDeviceInfo (id, what, 0, NULL, &size), "clGetDeviceInfo", problem))
    return g_strdup ("?");
  text = g_malloc0 (size + 1);
  has_failed (clGetDeviceInfo (id, what, size, text, NULL), "clGetDeviceInfo", problem);
  return g_strstrip (text);
}

static char *
platform_string (cl_platform_id id, cl_platform_info what, char **problem)
{
  gsize size = 0;
  char *text;

  if (has_failed (clGetPlatformInfo (id, what, 0, NULL, &size), "clGetPlatformInfo", problem))
    return g_strdup ("?");
  text = g_malloc0 (size + 1);
  has_failed (clGetPlatformInfo (id, what, size, text, NULL), "clGetPlatformInfo", problem);
  return g_strstrip (text);
}

typedef struct {
  cl_platform_id platform;
  cl_device_id id;
  cl_device_type type;
  char *name;
  char *problem; /* why it cannot be used, or NULL */
} Found;

static void
found_clear (gpointer data)
{
  g_free (((Found *) data)->name);
  g_free (((Found *) data)->problem);
}

/* Every device of every platform, in the order of the loader. No platform at all is an empty list. @problem: the first thing that kept a whole
 * platform out of the list, or NULL. */
static GArray *
ask_for_devices (char **problem)
{
  GArray *found = g_array_new (FALSE, TRUE, sizeof (Found));
  cl_platform_id platforms[32];
  cl_uint n_platforms = 0;
  cl_int status;

  g_array_set_clear_func (found, found_clear);
  *problem = NULL;
  status = clGetPlatformIDs (G_N_ELEMENTS (platforms), platforms, &n_platforms);
  if (status == CL_PLATFORM_NOT_FOUND_KHR || has_failed (status, "clGetPlatformIDs", problem))
    return found;
  for (guint p = 0; p < MIN (n_platforms, G_N_ELEMENTS (platforms)); p++) {
    g_autofree char *unnamed = NULL, *platform = platform_string (platforms[p], CL_PLATFORM_NAME, &unnamed);
    cl_device_id ids[64];
    cl_uint n_ids = 0;

    status = clGetDeviceIDs (platforms[p], CL_DEVICE_TYPE_ALL, G_N_ELEMENTS (ids), ids, &n_ids);
    if (status == CL_DEVICE_NOT_FOUND || has_failed (status, "clGetDeviceIDs", problem))
      continue;
    for (guint d = 0; d < MIN (n_ids, G_N_ELEMENTS (ids)); d++) {
      Found entry = { .platform = platforms[p], .id = ids[d], .problem = g_strdup (unnamed) };
      g_autofree char *device = device_string (ids[d], CL_DEVICE_NAME, &entry.problem);

      entry.name = g_strdup_printf ("%s (%s)", device, platform);
      has_failed (clGetDeviceInfo (ids[d], CL_DEVICE_TYPE, sizeof entry.type, &entry.type, NULL), "clGetDeviceInfo", &entry.problem);
      g_array_append_val (found, entry);
    }
  }
  return found;
}

/* One thread at a time: drivers are loaded by the first question, and a second one that comes meanwhile (eight elements that start at once)
 * has been answered that there is no device. */
static GArray *
find_devices (char **problem)
{
  static GMutex lock;
  GArray *found;

  g_mutex_lock (&lock);
  found = ask_for_devices (problem);
  g_mutex_unlock (&lock);
  return found;
}

static const char *
type_name (cl_device_type type)
{
  return type & CL_DEVICE_TYPE_GPU ? "GPU" : type & CL_DEVICE_TYPE_ACCELERATOR ? "accelerator" : type & CL_DEVICE_TYPE_CPU ? "CPU" : "other";
}

static char **
describe (const GArray *found)
{
  GPtrArray *lines = g_ptr_array_new ();

  for (guint i = 0; i < found->len; i++) {
    const Found *entry = &g_array_index (found, Found, i);
    g_ptr_array_add (lines, g_strdup_printf ("%u: %s, %s", i, entry->name, type_name (entry->type)));
  }
  g_ptr_array_add (lines, NULL);
  return (char **) g_ptr_array_free (lines, FALSE);
}

char **
rvm_device_list (void)
{
  g_autofree char *problem = NULL;
  g_autoptr (GArray) found = find_devices (&problem);

  return describe (found);
}

static const Found *
select_device (const GArray *found, const char *problem, const char *selector, GError **error)
{
  static const cl_device_type preference[] = { CL_DEVICE_TYPE_GPU, CL_DEVICE_TYPE_ACCELERATOR, CL_DEVICE_TYPE_CPU, CL_DEVICE_TYPE_ALL };
  g_auto (GStrv) lines = NULL;
  g_autofree char *list = NULL, *wanted = NULL;
  guint64 index;

  if (found->len == 0) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_DEVICE,
        "no OpenCL device%s%s%s: install an OpenCL driver (for a CPU: the package pocl-opencl-icd)", problem ? " (" : "",
        problem ? problem : "", problem ? ")" : "");
    return NULL;
  }
  if (selector == NULL || *selector == '\0') {
    for (guint p = 0; p < G_N_ELEMENTS (preference); p++)
      for (guint i = 0; i < found->len; i++)
        if (g_array_index (found, Found, i).type & preference[p])
          return &g_array_index (found, Found, i);
    return &g_array_index (found, Found, 0);
  }
  if (g_ascii_string_to_unsigned (selector, 10, 0, G_MAXUINT, &index, NULL)) {
    if (index < found->len)
      return &g_array_index (found, Found, index);
  } else {
    wanted = g_utf8_casefold (selector, -1);
    for (guint i = 0; i < found->len; i++) {
      g_autofree char *name = g_utf8_casefold (g_array_index (found, Found, i).name, -1);
      if (strstr (name, wanted))
        return &g_array_index (found, Found, i);
    }
  }
  lines = describe (found);
  list = g_strjoinv ("\n  ", lines);
  g_set_error (error, RVM_ERROR, RVM_ERROR_DEVICE, "no OpenCL device '%s'; there are:\n  %s%s%s", selector, list,
      problem ? "\nand not to be seen: " : "", problem ? problem : "");
  return NULL;
}

static void
device_free (RvmDevice *device)
{
  g_clear_pointer (&device->programs, g_hash_table_unref);
  g_clear_pointer (&device->turns, rvm_turns_free);
  if (device->transfers)
    clReleaseCommandQueue (device->transfers);
  if (device->context)
    clReleaseContext (device->context);
  g_mutex_clear (&device->programs_lock);
  g_free (device->cache_dir);
  g_free (device->fingerprint);
  g_free (device->name);
  g_free (device->key);
  g_free (device);
}

/* What a kernel binary depends on besides source and options. */
static char *
make_fingerprint (const Found *found, char **problem)
{
  static const cl_device_info device_keys[] = { CL_DEVICE_NAME, CL_DEVICE_VENDOR, CL_DEVICE_VERSION, CL_DRIVER_VERSION };
  static const cl_platform_info platform_keys[] = { CL_PLATFORM_NAME, CL_PLATFORM_VERSION };
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (device_keys); i++) {
    g_autofree char *value = device_string (found->id, device_keys[i], problem);
    g_string_append_printf (text, "%s\n", value);
  }
  for (guint i = 0; i < G_N_ELEMENTS (platform_keys); i++) {
    g_autofree char *value = platform_string (found->platform, platform_keys[i], problem);
    g_string_append_printf (text, "%s\n", value);
  }
  return g_string_free (text, FALSE);
}

/* OpenCL has one number for all caches, which is the last level's on one driver and the first's on another. */
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
    has_failed (clGetDeviceInfo (device->id, limits[i].what, limits[i].size, limits[i].value, NULL), "clGetDeviceInfo", problem);
  if (!compiler && *problem == NULL)
    *problem = g_strdup ("it has no compiler");
  device->vector_width = MAX (width, 1);
  device->compute_units = units;
  device->max_allocation = allocation;
  device->core_cache = read_core_cache ();
  /* Intel's runtime for CPUs does not mention the instruction that it uses. */
  device->has_fma = rvm_device_is_cpu (device) || (floats & CL_FP_FMA) != 0;
}

static RvmDevice *
device_new (const Found *found, const char *cache_dir, GError **error)
{
  RvmDevice *device = g_new0 (RvmDevice, 1);
  g_autofree char *problem = g_strdup (found->problem);
  cl_int status;

  device->refs = 1;
  device->platform = found->platform;
  device->id = found->id;
  device->type = found->type;
  device->name = g_strdup (found->name);
  device->fingerprint = make_fingerprint (found, &problem);
  device->cache_dir = cache_dir && *cache_dir ? g_strdup (cache_dir) : NULL;
  device->programs = rvm_programs_new ();
  device->turns = rvm_turns_new (FRAMES_AT_ONCE);
  g_mutex_init (&device->programs_lock);
  read_limits (device, &problem);
  if (problem == NULL) {
    device->context = clCreateContext ((const cl_context_properties[]){ CL_CONTEXT_PLATFORM, (cl_context_properties) found->platform, 0 }, 1,
        &found->id, NULL, NULL, &status);
    has_failed (status, "clCreateContext", &problem);
  }
  if (problem == NULL) {
    device->transfers = clCreateCommandQueue (device->context, device->id, 0, &status);
    has_failed (status, "clCreateCommandQueue", &problem);
  }
  if (problem) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_DEVICE, "OpenCL device '%s' cannot be used: %s", device->name, problem);
    device_free (device);
    return NULL;
  }
  return device;
}

RvmDevice *
rvm_device_open (const char *selector, const char *cache_dir, GError **error)
{
  g_autofree char *problem = NULL, *default_dir = NULL, *key = NULL;
  g_autoptr (GArray) found = find_devices (&problem);
  const Found *entry = select_device (found, problem, selector, error);
  RvmDevice *device;

  if (entry == NULL)
    return NULL;
  if (cache_dir == NULL)
    cache_dir = default_dir = g_build_filename (g_get_user_cache_dir (), "gst-rvm", NULL);
  key = g_strdup_printf ("%p|%s", (void *) entry->id, cache_dir);

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

RvmDevice *
rvm_device_ref (RvmDevice *device)
{
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

/* With the lock: takes what can be freed out of the table, and has CLBlast forget if it has no user left. Under the lock no device can be opened,
 * so none starts to use it meanwhile. */
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

  if (device == NULL)
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
  /* Mesa's llvmpipe calls itself a CPU, but is a GPU driver: it spreads the work-items of a group over its vector lanes, and one work-item
   * groups with large private arrays leave outputs unwritten there (Mesa 22.3). */
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
