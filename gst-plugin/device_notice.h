/* What the user should know about an OpenCL device that was opened, as a message on the bus. */
#pragma once

#include <gst/gst.h>

#include "kernels/runtime/device.h"

G_BEGIN_DECLS

/* Of the property cache-dir. */
#define RVM_CACHE_DIR_BLURB "Where compiled kernels are kept, also those of PoCL, the driver for CPUs (unset: what the first element of the process" \
  " names that names one, else gst-rvm and pocl in the user's cache directory; empty: nowhere). PoCL's are in one folder for the whole process; the" \
  " environment variable POCL_CACHE_DIR goes before this"

/* A warning of @element if there is anything, and no element of this process has said it. Call without a lock. */
void rvm_device_notice_post (GstElement * element, RvmDevice * device);

G_END_DECLS
