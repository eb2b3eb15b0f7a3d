/* The OpenCL devices of this machine, and the choice of one of them. Private to kernels/runtime. */
#pragma once

#include "cl.h"

G_BEGIN_DECLS

typedef struct {
  cl_platform_id platform;
  cl_device_id id;
  cl_device_type type;
  char *name;    /* "DEVICE (PLATFORM)" */
  char *problem; /* why it cannot be used, or NULL */
} RvmFoundDevice;

/* @cache_dir: as for rvm_cache_pocl_prepare().
 * (transfer full) (element-type RvmFoundDevice): every device of every platform, in the order of the OpenCL loader; empty if there is no
 * platform. @problem: (out) (nullable) (transfer full): the first failure that kept a whole platform out of the list. Thread-safe. */
GArray *rvm_device_list_find (const char *cache_dir, char **problem);

/* (transfer full) (array zero-terminated=1): "INDEX: DEVICE (PLATFORM), TYPE" of each. */
char **rvm_device_list_describe (const GArray *found);

/* The device that @selector names, see rvm_device_open(); it stays in @found. @problem: from rvm_device_list_find(), for the message.
 * RVM_ERROR_DEVICE. */
const RvmFoundDevice *rvm_device_list_select (const GArray *found, const char *problem, const char *selector, GError **error);

G_END_DECLS
