/* .safetensors files: the length of the header (8 bytes, little-endian), the header (JSON, through json-glib), then the data. */
#pragma once

#include "format.h"

G_BEGIN_DECLS

#define RVM_SAFETENSORS_MAX_HEADER (100 * 1000 * 1000) /* bytes; the format's own limit */

typedef struct _RvmSafetensors RvmSafetensors;

RvmSafetensors *rvm_safetensors_open (const char *path, GError **error);
void rvm_safetensors_free (RvmSafetensors *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmSafetensors, rvm_safetensors_free)

guint rvm_safetensors_get_n_arrays (const RvmSafetensors *file);
const RvmArray *rvm_safetensors_get_array (const RvmSafetensors *file, guint index);
GHashTable *rvm_safetensors_get_metadata (const RvmSafetensors *file); /* "__metadata__", string -> string; maybe empty */
gboolean rvm_safetensors_read (RvmSafetensors *file, const RvmArray *array, gpointer data, gsize size, GError **error);

/* See RvmFormat. */
gboolean rvm_safetensors_write (const char *path, const RvmFormatContent *content, GError **error);

/* (transfer full): the JSON header of a file that holds @arrays one after the other; @metadata (nullable): string -> string. It is always UTF-8: other
 * bytes are escaped (kernels/text.h). The caller checks and writes its length, and pads it. */
char *rvm_safetensors_format_header (const RvmArray *arrays, guint n_arrays, GHashTable *metadata);

G_END_DECLS
