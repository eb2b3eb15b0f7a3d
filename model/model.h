/* RvmModel: one weight file on one device, packed for its provider of matrix products. Immutable once loaded, refcounted, thread-safe, shared by
 * streams. */
#pragma once

#include <glib.h>

#include "config.h"
#include "kernels/runtime/device.h"
#include "kernels/ops/linear.h"

G_BEGIN_DECLS

typedef struct _RvmModel RvmModel;

/* How a file is loaded; zero-initialise and set what differs. */
typedef struct {
  const char *device;    /* selector of rvm_device_open(); NULL: the default */
  const char *cache_dir; /* for compiled programs; NULL: the user's cache directory */
  RvmGemmProvider gemm;
  RvmElement precision;
} RvmModelOptions;

/* Loads @path, or returns the model that this process already has for the same file (path, size and modification time), device
 * and options. Only encoder and core are loaded. Blocks while it reads the file, packs it and builds kernels.
 * Returns: (transfer full): the model or NULL. */
RvmModel *rvm_model_load (const char *path, const RvmModelOptions *options, GError **error);
RvmModel *rvm_model_ref (RvmModel *model);
void rvm_model_unref (RvmModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmModel, rvm_model_unref)

const RvmConfig *rvm_model_get_config (const RvmModel *model);
RvmDevice *rvm_model_get_device (const RvmModel *model); /* (transfer none) */
RvmGemmProvider rvm_model_get_gemm (const RvmModel *model); /* never AUTO */
RvmElement rvm_model_get_precision (const RvmModel *model);
/* A hash of the names and values of encoder and core, as 32 hexadecimal digits. It is the same for files of any format and name that have the same
 * float32 values. */
const char *rvm_model_get_id (const RvmModel *model);
guint64 rvm_model_count_flops (const RvmModel *model, guint rows, guint columns); /* of one frame */

G_END_DECLS
