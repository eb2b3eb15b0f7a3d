/* OpenCL calls that fail on demand. */
#include <dlfcn.h>
#include <execinfo.h>

#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#pragma GCC visibility push(default)
#include <CL/cl.h>

#include "cl_faults.h"

typedef enum { CONTEXT, QUEUE, BUFFER, PROGRAM, KERNEL, EVENT, N_KINDS } Kind;

static const char *const kinds[N_KINDS] = { "contexts", "queues", "buffers", "programs", "kernels", "events" };
static gint alive[N_KINDS];
static GMutex lock;
static guint calls, armed;
static const char *armed_name, *failed;
static gboolean closing, failed_closing; /* the result is there; what comes is tearing down */

typedef struct {
  guint first, last;
} Place;

static gboolean recording;
static GHashTable *places; /* hash of a stack -> Place */

void
cl_faults_arm (guint fail, const char *only)
{
  g_mutex_lock (&lock);
  calls = 0;
  armed = fail;
  armed_name = only;
  failed = NULL;
  closing = failed_closing = FALSE;
  g_clear_pointer (&places, g_hash_table_unref);
  if (recording)
    places = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  g_mutex_unlock (&lock);
}

void
cl_faults_record_places (gboolean record)
{
  recording = record;
}

static gint
compare_numbers (gconstpointer a, gconstpointer b)
{
  return *(const guint *) a < *(const guint *) b ? -1 : *(const guint *) a > *(const guint *) b;
}

GArray *
cl_faults_list_places (void)
{
  GArray *numbers = g_array_new (FALSE, FALSE, sizeof (guint));
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, places);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    const Place *place = value;

    g_array_append_val (numbers, place->first);
    if (place->last != place->first)
      g_array_append_val (numbers, place->last);
  }
  g_array_sort (numbers, compare_numbers);
  return numbers;
}

static void
note_place (guint number)
{
  void *frames[48];
  const int n = backtrace (frames, G_N_ELEMENTS (frames));
  guint64 hash = 0;
  Place *place;

  for (int i = 0; i < n; i++)
    hash = (hash ^ (guintptr) frames[i]) * 1099511628211u; /* FNV-1a */
  place = g_hash_table_lookup (places, &hash);
  if (place == NULL) {
    place = g_new (Place, 1);
    place->first = number;
    g_hash_table_insert (places, g_memdup2 (&hash, sizeof hash), place);
  }
  place->last = number;
}

guint
cl_faults_get_calls (void)
{
  return calls;
}

const char *
cl_faults_get_failed (void)
{
  return failed;
}

char *
cl_faults_list_alive (void)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < N_KINDS; i++)
    if (g_atomic_int_get (&alive[i]) != 0)
      g_string_append_printf (text, "%s%d %s", text->len ? ", " : "", g_atomic_int_get (&alive[i]), kinds[i]);
  return g_string_free (text, text->len == 0);
}

const char *const *
cl_faults_list_calls (void)
{
  static const char *const names[] = {
    "clBuildProgram", "clCreateBuffer", "clCreateCommandQueue", "clCreateContext", "clCreateKernel", "clCreateProgramWithBinary",
    "clCreateProgramWithSource", "clEnqueueCopyBuffer", "clEnqueueFillBuffer", "clEnqueueMapBuffer", "clEnqueueNDRangeKernel",
    "clEnqueueReadBuffer", "clEnqueueUnmapMemObject", "clEnqueueWriteBuffer", "clFinish", "clFlush", "clGetCommandQueueInfo",
    "clGetDeviceIDs", "clGetDeviceInfo", "clGetEventProfilingInfo", "clGetKernelWorkGroupInfo", "clGetMemObjectInfo", "clGetPlatformIDs",
    "clGetPlatformInfo", "clGetProgramBuildInfo", "clGetProgramInfo", "clSetKernelArg", "clWaitForEvents", NULL
  };

  return names;
}

gboolean
cl_faults_may_pass (void)
{
  static const char *const optional[] = {
    "clCreateProgramWithBinary", "clBuildProgram", "clGetProgramInfo", "clGetProgramBuildInfo", "clGetEventProfilingInfo",
    "clGetDeviceIDs", "clGetPlatformInfo", NULL
  };

  return g_strv_contains (optional, failed) || (failed_closing && g_str_equal (failed, "clFinish"));
}

void
cl_faults_close (void)
{
  g_mutex_lock (&lock);
  closing = TRUE;
  g_mutex_unlock (&lock);
}

/* Whether this call is the one. */
static gboolean
hit (const char *name)
{
  gboolean now = FALSE;

  g_mutex_lock (&lock);
  if (armed_name == NULL || g_str_equal (armed_name, name)) {
    now = ++calls == armed;
    if (places)
      note_place (calls);
    if (now) {
      failed = name;
      failed_closing = closing;
    }
  }
  g_mutex_unlock (&lock);
  return now;
}

/* The loader's function. The library is named, as a plugin may have brought it, out of RTLD_NEXT's sight. */
static guintptr
find (const char *name)
{
  static gpointer library;
  gpointer found;

  if (g_once_init_enter (&library))
    g_once_init_leave (&library, dlopen ("libOpenCL.so.1", RTLD_NOW));
  found = dlsym (library, name);
  if (found == NULL)
    g_error ("OpenCL loader has no %s", name);
  return (guintptr) found; /* to a function by way of a number: ISO C has no other */
}

#define REAL(name) ((__typeof__ (&name)) find (#name))

/* A function that returns a status. */
#define STATUS(name, parameters, arguments) \
  cl_int name parameters \
  { \
    return hit (#name) ? CL_OUT_OF_RESOURCES : REAL (name) arguments; \
  }

/* One that makes an object, or maps one, and tells the status in its last parameter. */
#define MAKE(type, name, kind, parameters, arguments) \
  type name parameters \
  { \
    type made = NULL; \
    if (!hit (#name)) \
      made = REAL (name) arguments; \
    else if (status) \
      *status = CL_OUT_OF_RESOURCES; \
    if (made && (kind) < N_KINDS) \
      g_atomic_int_inc (&alive[(kind) % N_KINDS]); \
    return made; \
  }

/* One that may make an event, in its last parameter. */
#define ENQUEUE(name, parameters, arguments) \
  cl_int name parameters \
  { \
    cl_int status = CL_OUT_OF_RESOURCES; \
    if (!hit (#name)) \
      status = REAL (name) arguments; \
    if (event && status == CL_SUCCESS) \
      g_atomic_int_inc (&alive[EVENT]); \
    return status; \
  }

#define RELEASE(name, type, kind) \
  cl_int name (type object) \
  { \
    (void) g_atomic_int_dec_and_test (&alive[kind]); \
    return REAL (name) (object); \
  }

STATUS (clGetPlatformIDs, (cl_uint n, cl_platform_id *ids, cl_uint *found), (n, ids, found))
STATUS (clGetPlatformInfo, (cl_platform_id id, cl_platform_info what, size_t size, void *value, size_t *got), (id, what, size, value, got))
STATUS (clGetDeviceIDs, (cl_platform_id id, cl_device_type type, cl_uint n, cl_device_id *ids, cl_uint *found), (id, type, n, ids, found))
STATUS (clGetDeviceInfo, (cl_device_id id, cl_device_info what, size_t size, void *value, size_t *got), (id, what, size, value, got))
MAKE (cl_context, clCreateContext, CONTEXT,
    (const cl_context_properties *properties, cl_uint n, const cl_device_id *ids,
        void (CL_CALLBACK *notify) (const char *, const void *, size_t, void *), void *data, cl_int *status),
    (properties, n, ids, notify, data, status))
RELEASE (clReleaseContext, cl_context, CONTEXT)
MAKE (cl_command_queue, clCreateCommandQueue, QUEUE,
    (cl_context context, cl_device_id id, cl_command_queue_properties properties, cl_int *status), (context, id, properties, status))
RELEASE (clReleaseCommandQueue, cl_command_queue, QUEUE)
STATUS (clGetCommandQueueInfo, (cl_command_queue queue, cl_command_queue_info what, size_t size, void *value, size_t *got),
    (queue, what, size, value, got))
MAKE (cl_mem, clCreateBuffer, BUFFER, (cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *status),
    (context, flags, size, host, status))
RELEASE (clReleaseMemObject, cl_mem, BUFFER)
STATUS (clGetMemObjectInfo, (cl_mem mem, cl_mem_info what, size_t size, void *value, size_t *got), (mem, what, size, value, got))
MAKE (cl_program, clCreateProgramWithSource, PROGRAM,
    (cl_context context, cl_uint n, const char **sources, const size_t *lengths, cl_int *status), (context, n, sources, lengths, status))
MAKE (cl_program, clCreateProgramWithBinary, PROGRAM,
    (cl_context context, cl_uint n, const cl_device_id *ids, const size_t *lengths, const unsigned char **binaries, cl_int *loaded,
        cl_int *status),
    (context, n, ids, lengths, binaries, loaded, status))
RELEASE (clReleaseProgram, cl_program, PROGRAM)
STATUS (clBuildProgram,
    (cl_program program, cl_uint n, const cl_device_id *ids, const char *options, void (CL_CALLBACK *notify) (cl_program, void *), void *data),
    (program, n, ids, options, notify, data))
STATUS (clGetProgramInfo, (cl_program program, cl_program_info what, size_t size, void *value, size_t *got), (program, what, size, value, got))
STATUS (clGetProgramBuildInfo, (cl_program program, cl_device_id id, cl_program_build_info what, size_t size, void *value, size_t *got),
    (program, id, what, size, value, got))
MAKE (cl_kernel, clCreateKernel, KERNEL, (cl_program program, const char *name, cl_int *status), (program, name, status))
RELEASE (clReleaseKernel, cl_kernel, KERNEL)
STATUS (clSetKernelArg, (cl_kernel kernel, cl_uint index, size_t size, const void *value), (kernel, index, size, value))
STATUS (clGetKernelWorkGroupInfo,
    (cl_kernel kernel, cl_device_id id, cl_kernel_work_group_info what, size_t size, void *value, size_t *got),
    (kernel, id, what, size, value, got))
ENQUEUE (clEnqueueNDRangeKernel,
    (cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset, const size_t *global, const size_t *local, cl_uint n,
        const cl_event *wait, cl_event *event),
    (queue, kernel, dims, offset, global, local, n, wait, event))
ENQUEUE (clEnqueueReadBuffer,
    (cl_command_queue queue, cl_mem mem, cl_bool block, size_t offset, size_t size, void *data, cl_uint n, const cl_event *wait,
        cl_event *event),
    (queue, mem, block, offset, size, data, n, wait, event))
ENQUEUE (clEnqueueWriteBuffer,
    (cl_command_queue queue, cl_mem mem, cl_bool block, size_t offset, size_t size, const void *data, cl_uint n, const cl_event *wait,
        cl_event *event),
    (queue, mem, block, offset, size, data, n, wait, event))
ENQUEUE (clEnqueueCopyBuffer,
    (cl_command_queue queue, cl_mem from, cl_mem to, size_t from_offset, size_t to_offset, size_t size, cl_uint n, const cl_event *wait,
        cl_event *event),
    (queue, from, to, from_offset, to_offset, size, n, wait, event))
ENQUEUE (clEnqueueFillBuffer,
    (cl_command_queue queue, cl_mem mem, const void *pattern, size_t pattern_size, size_t offset, size_t size, cl_uint n, const cl_event *wait,
        cl_event *event),
    (queue, mem, pattern, pattern_size, offset, size, n, wait, event))
MAKE (void *, clEnqueueMapBuffer, N_KINDS,
    (cl_command_queue queue, cl_mem mem, cl_bool block, cl_map_flags flags, size_t offset, size_t size, cl_uint n, const cl_event *wait,
        cl_event *event, cl_int *status),
    (queue, mem, block, flags, offset, size, n, wait, event, status))
ENQUEUE (clEnqueueUnmapMemObject,
    (cl_command_queue queue, cl_mem mem, void *data, cl_uint n, const cl_event *wait, cl_event *event), (queue, mem, data, n, wait, event))
STATUS (clWaitForEvents, (cl_uint n, const cl_event *events), (n, events))
STATUS (clGetEventProfilingInfo, (cl_event event, cl_profiling_info what, size_t size, void *value, size_t *got),
    (event, what, size, value, got))
RELEASE (clReleaseEvent, cl_event, EVENT)
STATUS (clFlush, (cl_command_queue queue), (queue))
STATUS (clFinish, (cl_command_queue queue), (queue))
