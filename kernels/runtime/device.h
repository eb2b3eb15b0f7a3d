/* RvmDevice: an OpenCL device with its context and its built programs.
 *
 * Devices are shared in the process: opening the same device with the same cache folder twice gives the same object. All functions here are
 * thread-safe. Commands are given through an RvmQueue (queue.h), which is not. */
#pragma once

#include <glib.h>

#include "kernels/error.h"
#include "matrix_units.h"
#include "turns.h"

G_BEGIN_DECLS

typedef struct _RvmDevice RvmDevice;

/**
 * rvm_device_list:
 *
 * Returns: (transfer full) (array zero-terminated=1): "INDEX: DEVICE (PLATFORM), TYPE" for every OpenCL device,
 * in the order in which an index selects them; empty if there is none.
 */
char **rvm_device_list (void);

/**
 * rvm_device_open:
 * @selector: (nullable): index in rvm_device_list(), or part of a device's or platform's name, upper or lower case;
 *   %NULL or "" selects the first GPU, else the first accelerator, else the first CPU
 * @cache_dir: (nullable): folder in which built programs are kept; %NULL is the folder of rvm_device_suggest_cache_dir(), else
 *   `gst-rvm` in the user's cache folder; "" keeps none. See below for PoCL's folder.
 *
 * A folder that cannot be written, or has no room, is replaced by the user's cache folder or by one among the temporary files,
 * see rvm_device_take_notice().
 *
 * PoCL, the driver for CPUs, has a cache of its own. The first @cache_dir that is given in a process is also PoCL's, unless the
 * environment variable POCL_CACHE_DIR is set or the process has used OpenCL before; a folder from which programs may not run is
 * replaced, too. For this, POCL_CACHE_DIR may be set before the first call of OpenCL. So if a folder is given or may have to be
 * replaced, the first device should be opened before other threads read the environment.
 *
 * A process that was forked from one that had used OpenCL cannot open a device, and cannot use one that it inherited.
 *
 * Returns: (transfer full): the device, or %NULL with %RVM_ERROR_DEVICE, whose message lists the devices.
 */
RvmDevice *rvm_device_open (const char *selector, const char *cache_dir, GError **error);
/* Names a @cache_dir that will be given later in this process, for devices that are opened before that and have none: the elements of a pipeline open
 * their devices from its end to its beginning. The first call counts; NULL and "" are ignored. */
void rvm_device_suggest_cache_dir (const char *cache_dir);
/* (transfer full) (nullable): a sentence for the user, if compiled kernels are kept in another folder than the one that was asked for. Only once in a
 * process. */
char *rvm_device_take_notice (RvmDevice *device);
RvmDevice *rvm_device_ref (RvmDevice *device);
void rvm_device_unref (RvmDevice *device);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmDevice, rvm_device_unref)

const char *rvm_device_get_name (const RvmDevice *device);   /* "DEVICE (PLATFORM)" */
/* Whether work-groups of one work-item and wide vectors are fast. */
gboolean rvm_device_is_cpu (const RvmDevice *device);
/* The same, or a GPU driver that runs on a CPU (llvmpipe). */
gboolean rvm_device_runs_on_cpu (const RvmDevice *device);
guint rvm_device_get_vector_width (const RvmDevice *device); /* floats in a native vector: 4, 8 or 16 on CPUs, 1 on GPUs */
guint rvm_device_get_compute_units (const RvmDevice *device);
/* Bytes of the second-level cache of a CPU core; 1 MiB if it is not known. */
gsize rvm_device_get_core_cache (const RvmDevice *device);
guint64 rvm_device_get_max_allocation (const RvmDevice *device); /* bytes of the largest buffer */
RvmTurns *rvm_device_get_turns (RvmDevice *device); /* (transfer none): for the frames of all streams */
RvmMatrixUnits *rvm_device_get_matrix_units (const RvmDevice *device); /* (transfer none) */

/* To be called before CLBlast is first used with a device: the programs that CLBlast keeps are then freed with the device. */
void rvm_device_set_clblast (RvmDevice *device);

G_END_DECLS
