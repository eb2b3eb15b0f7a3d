/* RvmFeaturesFile: the .npy file of the patches of one video while it is written: float16 (moments, rows, columns, dim). It has its name only when it is
 * whole and on the disk. */
#pragma once

#include <glib.h>

#include "archive/database/hash.h"

G_BEGIN_DECLS

typedef struct _RvmFeaturesFile RvmFeaturesFile;

/* (transfer full): where the features of the video @path are, relative to the archive. */
char *rvm_features_file_get_name (const char *path);

/* RVM_ERROR_FILE. */
RvmFeaturesFile *rvm_features_file_new (const char *folder, const char *path, guint rows, guint columns, guint dim, GError **error);
/* Without rvm_features_file_finish(), nothing is left of it. */
void rvm_features_file_free (RvmFeaturesFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmFeaturesFile, rvm_features_file_free)

/* @values: rows * columns * dim halves. */
gboolean rvm_features_file_append (RvmFeaturesFile *file, const guint16 *values, GError **error);
gboolean rvm_features_file_finish (RvmFeaturesFile *file, char hash[RVM_HASH_SIZE], gint64 *size, GError **error);

/* Maps the features at @path, checked to have that shape. RVM_ERROR_FILE, RVM_ERROR_FORMAT. (transfer full): halves of all moments. */
GBytes *rvm_features_file_map (const char *path, guint64 moments, guint rows, guint columns, guint dim, GError **error);

G_END_DECLS
