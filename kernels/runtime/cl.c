/* Errors and strings of OpenCL. */
#include "cl.h"

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

gboolean
rvm_cl_has_failed (cl_int status, const char *call, char **problem)
{
  if (status != CL_SUCCESS && *problem == NULL)
    *problem = g_strdup_printf ("%s: %s", call, rvm_cl_strerror (status));
  return status != CL_SUCCESS;
}

char *
rvm_cl_get_device_string (cl_device_id id, cl_device_info what, char **problem)
{
  gsize size = 0;
  char *text;

  if (rvm_cl_has_failed (clGetDeviceInfo (id, what, 0, NULL, &size), "clGetDeviceInfo", problem))
    return g_strdup ("?");
  text = g_malloc0 (size + 1);
  rvm_cl_has_failed (clGetDeviceInfo (id, what, size, text, NULL), "clGetDeviceInfo", problem);
  return g_strstrip (text);
}

char *
rvm_cl_get_platform_string (cl_platform_id id, cl_platform_info what, char **problem)
{
  gsize size = 0;
  char *text;

  if (rvm_cl_has_failed (clGetPlatformInfo (id, what, 0, NULL, &size), "clGetPlatformInfo", problem))
    return g_strdup ("?");
  text = g_malloc0 (size + 1);
  rvm_cl_has_failed (clGetPlatformInfo (id, what, size, text, NULL), "clGetPlatformInfo", problem);
  return g_strstrip (text);
}
