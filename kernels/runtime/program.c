/* Builds programs, and keeps them in a table and in the cache folder. */
#include "program.h"

#include <string.h>

#include "cache_folders.h"
#include "embedded.h"
#include "kernels/error.h"
#include "process.h"
#include "program_cache.h"

#define MAX_LOG 8192

/* With PoCL, relaxed arithmetic makes attention twice as fast, and division stays exact enough (the golden tests run with it). With Intel's runtime
 * the same option leaves 12 correct bits of a division, which costs 1e-4 of the features; its effect with other runtimes is not known. Prefetches
 * take 8 % off the joined layers with PoCL, and change nothing with Intel's runtime. */
#define RELAXED_OPTIONS "-DRVM_BUILTIN_PREFETCH=1 -cl-std=CL1.2 -cl-mad-enable -cl-fast-relaxed-math"
#define PRECISE_OPTIONS "-cl-std=CL1.2 -cl-mad-enable -cl-no-signed-zeros -cl-finite-math-only"

struct _RvmPrograms {
  RvmProgramTarget target;
  GMutex lock;
  GHashTable *table; /* "FILE OPTIONS" -> Program */
};

typedef struct {
  cl_program program;
  const char *cache_dir, *spare_dir; /* of the target */
  char *key;             /* in the cache, or NULL */
  gboolean fresh;        /* compiled by this process */
} Program;

static char *
make_key (const RvmProgramTarget *target, const char *source, const char *options)
{
  g_autofree char *text = g_strjoin ("\n", RVM_VERSION, target->fingerprint, options, rvm_embedded_source ("flags"),
      rvm_embedded_source ("common"), source, NULL);

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
    rvm_program_cache_write (entry->spare_dir ? entry->spare_dir : entry->cache_dir, entry->key, binary, size);
}

static void
entry_free (gpointer data)
{
  Program *entry = data;

  /* Some drivers (PoCL) compile a kernel when it is first launched, so the binary holds more now than right after the build. */
  if (entry->fresh)
    save_binary (entry);
  clReleaseProgram (entry->program);
  g_free (entry->key);
  g_free (entry);
}

RvmPrograms *
rvm_programs_new (const RvmProgramTarget *target)
{
  RvmPrograms *programs = g_new0 (RvmPrograms, 1);

  programs->target = *target;
  g_mutex_init (&programs->lock);
  programs->table = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, entry_free);
  return programs;
}

void
rvm_programs_free (RvmPrograms *programs)
{
  if (programs == NULL)
    return;
  g_hash_table_unref (programs->table);
  g_mutex_clear (&programs->lock);
  g_free (programs);
}

static cl_program
load_binary (const RvmProgramTarget *target, const Program *entry, const char *options)
{
  g_autoptr (GBytes) binary = entry->key ? rvm_program_cache_read (entry->cache_dir, entry->key) : NULL;
  cl_int status, loaded = CL_SUCCESS;
  const unsigned char *data;
  cl_program program;
  gsize size;

  if (binary == NULL && entry->key && entry->spare_dir)
    binary = rvm_program_cache_read (entry->spare_dir, entry->key);
  if (binary == NULL)
    return NULL;
  data = g_bytes_get_data (binary, &size);
  program = clCreateProgramWithBinary (target->context, 1, &target->device, &size, &data, &loaded, &status);
  if (status != CL_SUCCESS)
    return NULL;
  if (loaded != CL_SUCCESS || clBuildProgram (program, 1, &target->device, options, NULL, NULL) != CL_SUCCESS) {
    clReleaseProgram (program);
    return NULL;
  }
  return program;
}

static void
set_build_error (const RvmProgramTarget *target, cl_program program, const char *file, const char *options, cl_int status, GError **error)
{
  g_autofree char *log = NULL;
  gsize size = 0;

  clGetProgramBuildInfo (program, target->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
  log = g_malloc0 (size + 1);
  clGetProgramBuildInfo (program, target->device, CL_PROGRAM_BUILD_LOG, size, log, NULL);
  if (size > MAX_LOG)
    log[MAX_LOG] = '\0';
  g_set_error (error, RVM_ERROR, RVM_ERROR_BUILD, "kernel file %s.cl (%s) does not build on %s: clBuildProgram: %s\n%s", file, options, target->name,
      rvm_cl_strerror (status), g_strstrip (log));
}

static cl_program
compile (const RvmProgramTarget *target, const char *file, const char *source, const char *options, GError **error)
{
  const char *sources[] = { rvm_embedded_source ("flags"), rvm_embedded_source ("common"), source };
  cl_int status;
  cl_program program = clCreateProgramWithSource (target->context, G_N_ELEMENTS (sources), sources, NULL, &status);

  if (status == CL_SUCCESS)
    status = clBuildProgram (program, 1, &target->device, options, NULL, NULL);
  if (status != CL_SUCCESS) {
    if (program) {
      set_build_error (target, program, file, options, status, error);
      clReleaseProgram (program);
    } else {
      g_set_error (error, RVM_ERROR, RVM_ERROR_BUILD, "clCreateProgramWithSource (%s.cl): %s", file, rvm_cl_strerror (status));
    }
    return NULL;
  }
  return program;
}

/* Called with the lock: a new entry, from the cache or the compiler. */
static Program *
build (const RvmProgramTarget *target, const char *file, const char *source, const char *options, GError **error)
{
  /* -w: PoCL's compiler writes the number of its warnings to the stderr of the application ("6 warnings generated."). */
  g_autofree char *all_options = g_strconcat ("-w ", target->is_pocl ? RELAXED_OPTIONS : PRECISE_OPTIONS,
      target->has_fma ? " " : " -DRVM_NO_FMA=1 ", options, NULL);
  Program *entry = g_new0 (Program, 1);

  entry->cache_dir = target->cache_dir;
  entry->spare_dir = target->spare_dir;
  entry->key = target->cache_dir ? make_key (target, source, all_options) : NULL;
  entry->program = load_binary (target, entry, all_options);
  if (entry->program)
    return entry;
  entry->program = compile (target, file, source, all_options, error);
  if (entry->program == NULL) {
    g_free (entry->key);
    g_free (entry);
    return NULL;
  }
  entry->fresh = TRUE;
  /* Saved at once, so that a process that is killed later has built for the next one. Not with PoCL, which has a cache of its own for that: when it
   * is asked for a binary, it compiles every kernel once more, in a form for any size, which takes half of the time of a first start. */
  if (!target->is_pocl)
    save_binary (entry);
  return entry;
}

cl_program
rvm_programs_get (RvmPrograms *programs, const char *file, const char *source, const char *options, GError **error)
{
  g_autofree char *name = g_strdup_printf ("%s %s", file, options);
  Program *entry;

  if (source == NULL)
    source = rvm_embedded_source (file);
  if (source == NULL) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_BUILD, "there is no kernel file %s.cl", file);
    return NULL;
  }
  if (!rvm_process_check (error))
    return NULL;
  /* Held while building, so that two streams that start together build once. */
  g_mutex_lock (&programs->lock);
  entry = g_hash_table_lookup (programs->table, name);
  /* PoCL needs room later, too: it compiles a new program further when it is launched, and unpacks a binary. */
  if ((entry == NULL || entry->fresh) && programs->target.is_pocl && !rvm_cache_pocl_check_room (error)) {
    g_mutex_unlock (&programs->lock);
    return NULL;
  }
  if (entry == NULL) {
    entry = build (&programs->target, file, source, options, error);
    if (entry)
      g_hash_table_insert (programs->table, g_steal_pointer (&name), entry);
  }
  g_mutex_unlock (&programs->lock);
  return entry ? entry->program : NULL;
}
