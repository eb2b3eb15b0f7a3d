/* Built programs: from the device's table, from the cache directory, or from the compiler.
 *
 * A cache entry is a file named by the SHA-256 of everything the binary depends on: magic, that key again, the binary's size and
 * checksum, the binary. One that does not check out, for whatever reason, is ignored and written anew. */
#include <string.h>

#include "device_private.h"
#include "embedded.h"

#define MAGIC "gst-rvm program 1\n"
#define KEY_LENGTH 64 /* SHA-256 in hexadecimal */
#define MAX_LOG 8192

/* Relaxed arithmetic is worth a factor of two in PoCL's attention, and its division stays exact enough there (the golden tests run with it). On
 * Intel's runtime the same option leaves 12 bits of a division, 1e-4 of the features; what others make of it is not known. PoCL's compiler also
 * takes prefetches (8 % of the joined layers); on Intel's they change nothing. */
#define RELAXED_OPTIONS "-DRVM_BUILTIN_PREFETCH=1 -cl-std=CL1.2 -cl-mad-enable -cl-fast-relaxed-math"
#define PRECISE_OPTIONS "-cl-std=CL1.2 -cl-mad-enable -cl-no-signed-zeros -cl-finite-math-only"

typedef struct {
  cl_program program;
  char *path;     /* of its cache entry, or NULL */
  char *key;
  gboolean fresh; /* compiled by this process */
} Program;

static gboolean
is_pocl (const RvmDevice *device)
{
  return strstr (device->name, "(Portable Computing Language)") != NULL;
}

static char *
checksum_of (gconstpointer data, gsize size)
{
  return g_compute_checksum_for_data (G_CHECKSUM_SHA256, data, size);
}

static char *
make_key (const RvmDevice *device, const char *source, const char *options)
{
  g_autofree char *text = g_strjoin ("\n", RVM_VERSION, device->fingerprint, options, rvm_embedded_source ("common"), source, NULL);

  return checksum_of (text, strlen (text));
}

/* The binary in entry @path, or NULL if there is none that is whole and has @key. */
static GBytes *
read_entry (const char *path, const char *key)
{
  const gsize header = strlen (MAGIC) + 2 * KEY_LENGTH;
  g_autofree char *content = NULL, *sum = NULL;
  gsize size;

  if (!g_file_get_contents (path, &content, &size, NULL) || size <= header)
    return NULL;
  if (memcmp (content, MAGIC, strlen (MAGIC)) != 0 || memcmp (content + strlen (MAGIC), key, KEY_LENGTH) != 0)
    return NULL;
  sum = checksum_of (content + header, size - header);
  if (memcmp (content + strlen (MAGIC) + KEY_LENGTH, sum, KEY_LENGTH) != 0)
    return NULL;
  return g_bytes_new (content + header, size - header);
}

/* Writes an entry as a temporary file that is renamed. A cache that cannot be written costs time, not correctness: a debug line. */
static void
write_entry (const char *path, const char *key, const guint8 *binary, gsize size)
{
  g_autofree char *directory = g_path_get_dirname (path), *sum = checksum_of (binary, size);
  g_autoptr (GByteArray) content = g_byte_array_new ();
  g_autoptr (GError) error = NULL;

  g_byte_array_append (content, (const guint8 *) MAGIC, strlen (MAGIC));
  g_byte_array_append (content, (const guint8 *) key, KEY_LENGTH);
  g_byte_array_append (content, (const guint8 *) sum, KEY_LENGTH);
  g_byte_array_append (content, binary, size);
  g_mkdir_with_parents (directory, 0700);
  if (!g_file_set_contents_full (path, (const char *) content->data, content->len, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
    g_debug ("program cache: %s", error->message);
}

static void
save_binary (const Program *entry)
{
  g_autofree guint8 *binary = NULL;
  unsigned char *pointers[1];
  gsize size = 0;

  if (entry->path == NULL || clGetProgramInfo (entry->program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) != CL_SUCCESS || size == 0)
    return;
  binary = g_malloc (size);
  pointers[0] = binary;
  if (clGetProgramInfo (entry->program, CL_PROGRAM_BINARIES, sizeof pointers, pointers, NULL) == CL_SUCCESS)
    write_entry (entry->path, entry->key, binary, size);
}

static void
entry_free (gpointer data)
{
  Program *entry = data;

  /* Some drivers (PoCL) compile a kernel when it is first launched, so the binary is worth more than right after the build. */
  if (entry->fresh)
    save_binary (entry);
  clReleaseProgram (entry->program);
  g_free (entry->path);
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
  g_autoptr (GBytes) binary = entry->path ? read_entry (entry->path, entry->key) : NULL;
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

  all_options = g_strconcat (is_pocl (device) ? RELAXED_OPTIONS : PRECISE_OPTIONS, " ", options, NULL);
  /* Held while building: two streams that start together build once. */
  g_mutex_lock (&device->programs_lock);
  entry = g_hash_table_lookup (device->programs, name);
  if (entry == NULL) {
    entry = g_new0 (Program, 1);
    if (device->cache_dir) {
      g_autofree char *base = NULL;
      entry->key = make_key (device, source, all_options);
      base = g_strconcat (entry->key, ".bin", NULL);
      entry->path = g_build_filename (device->cache_dir, base, NULL);
    }
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
      g_free (entry->path);
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
