/* Built programs: from the device's table, from the cache (program_cache.h), or from the compiler. */
#include <string.h>

#include "device_private.h"
#include "embedded.h"
#include "program_cache.h"

#define MAX_LOG 8192

/* Relaxed arithmetic is worth a factor of two in PoCL's attention, and its division stays exact enough there (the golden tests run with it). On
 * Intel's runtime the same option leaves 12 bits of a division, 1e-4 of the features; what others make of it is not known. PoCL's compiler also
 * takes prefetches (8 % of the joined layers); on Intel's they change nothing. */
#define RELAXED_OPTIONS "-DRVM_BUILTIN_PREFETCH=1 -cl-std=CL1.2 -cl-mad-enable -cl-fast-relaxed-math"
#define PRECISE_OPTIONS "-cl-std=CL1.2 -cl-mad-enable -cl-no-signed-zeros -cl-finite-math-only"

typedef struct {
  cl_program program;
  const char *cache_dir; /* the device's, which may be NULL */
  char *key;      /* in the cache, or NULL */
  gboolean fresh; /* compiled by this process */
} Program;

static gboolean
is_pocl (const RvmDevice *device)
{
  return strstr (device->name, "(Portable Computing Language)") != NULL;
}

static char *
make_key (const RvmDevice *device, const char *source, const char *options)
{
  g_autofree char *text = g_strjoin ("\n", RVM_VERSION, device->fingerprint, options, rvm_embedded_source ("common"), source, NULL);

  return g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1);
}

static void
save_binary (const Program *entry)
{
  g_autofree guint8 *binary = NULL;
  unsigned char *pointers[1];
  gsize size = 0;

  if (entry->key == NULL || clGetProgramInfo (entry->program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) != CL_SUCCESS || size == 0)
    return;
  binary = g_malloc (size);
  pointers[0] = binary;
  if (clGetProgramInfo (entry->program, CL_PROGRAM_BINARIES, sizeof pointers, pointers, NULL) == CL_SUCCESS)
    rvm_program_cache_write (entry->cache_dir, entry->key, binary, size);
}

static void
entry_free (gpointer data)
{
  Program *entry = data;

  /* Some drivers (PoCL) compile a kernel when it is first launched, so the binary is worth more than right after the build. */
  if (entry->fresh)
    save_binary (entry);
  clReleaseProgram (entry->program);
  g_free (entry->key);
  g_free (entry);
}

GHashTable *
rvm_programs_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, entry_free);
}

static cl_program
load_binary (RvmDevice *device, const Program *entry, const char *options)
{
  g_autoptr (GBytes) binary = entry->key ? rvm_program_cache_read (entry->cache_dir, entry->key) : NULL;
  cl_int status, loaded = CL_SUCCESS;
  const unsigned char *data;
  cl_program program;
  gsize size;

  if (binary == NULL)
    return NULL;
  data = g_bytes_get_data (binary, &size);
  program = clCreateProgramWithBinary (device->context, 1, &device->id, &size, &data, &loaded, &status);
  if (status != CL_SUCCESS)
    return NULL;
  if (loaded != CL_SUCCESS || clBuildProgram (program, 1, &device->id, options, NULL, NULL) != CL_SUCCESS) {
    clReleaseProgram (program);
    return NULL;
  }
  return program;
}

static void
set_build_error (RvmDevice *device, cl_program program, const char *file, const char *options, cl_int status, GError **error)
{
  g_autofree char *log = NULL;
  gsize size = 0;

  clGetProgramBuildInfo (program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
  log = g_malloc0 (size + 1);
  clGetProgramBuildInfo (program, device->id, CL_PROGRAM_BUILD_LOG, size, log, NULL);
  if (size > MAX_LOG)
    log[MAX_LOG] = '\0';
  g_set_error (error, RVM_ERROR, RVM_ERROR_BUILD, "kernel file %s.cl (%s) does not build on %s: clBuildProgram: %s\n%s", file, options, device->name,
      rvm_cl_strerror (status), g_strstrip (log));
}

static cl_program
compile (RvmDevice *device, const char *file, const char *source, const char *options, GError **error)
{
  const char *sources[] = { rvm_embedded_source ("common"), source };
  cl_int status;
  cl_program program = clCreateProgramWithSource (device->context, G_N_ELEMENTS (sources), sources, NULL, &status);

  if (status == CL_SUCCESS)
    status = clBuildProgram (program, 1, &device->id, options, NULL, NULL);
  if (status != CL_SUCCESS) {
    if (program) {
      set_build_error (device, program, file, options, status, error);
      clReleaseProgram (program);
    } else {
      g_set_error (error, RVM_ERROR, RVM_ERROR_BUILD, "clCreateProgramWithSource (%s.cl): %s", file, rvm_cl_strerror (status));
    }
    return NULL;
  }
  return program;
}

cl_program
rvm_device_build_program (RvmDevice *device, const char *file, const char *source, const char *options, GError **error)
{
  g_autofree char *name = g_strdup_printf ("%s %s", file, options), *all_options = NULL;
  Program *entry;
  cl_program program;

  /* -w: PoCL's compiler counts its warnings on the stderr of whoever loads us ("6 warnings generated."). */
  all_options = g_strconcat ("-w ", is_pocl (device) ? RELAXED_OPTIONS : PRECISE_OPTIONS, device->has_fma ? " " : " -DRVM_NO_FMA=1 ", options, NULL);
  /* Held while building: two streams that start together build once. */
  g_mutex_lock (&device->programs_lock);
  entry = g_hash_table_lookup (device->programs, name);
  if (entry == NULL) {
    entry = g_new0 (Program, 1);
    entry->cache_dir = device->cache_dir;
    entry->key = device->cache_dir ? make_key (device, source, all_options) : NULL;
    entry->program = load_binary (device, entry, all_options);
    if (entry->program == NULL) {
      entry->program = compile (device, file, source, all_options, error);
      entry->fresh = TRUE;
      /* A process that is killed shall have built for the next one. PoCL has a cache of its own for that, and when asked for a binary compiles
       * every kernel once more, in a form for any size: half of a cold start. */
      if (entry->program && !is_pocl (device))
        save_binary (entry);
    }
    if (entry->program == NULL) {
      g_free (entry->key);
      g_clear_pointer (&entry, g_free);
    } else {
      g_hash_table_insert (device->programs, g_steal_pointer (&name), entry);
    }
  }
  program = entry ? entry->program : NULL;
  g_mutex_unlock (&device->programs_lock);
  return program;
}

cl_program
rvm_device_get_program (RvmDevice *device, const char *file, const char *options, GError **error)
{
  const char *source = rvm_embedded_source (file);

  if (source == NULL) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_BUILD, "there is no kernel file %s.cl", file);
    return NULL;
  }
  return rvm_device_build_program (device, file, source, options, error);
}
