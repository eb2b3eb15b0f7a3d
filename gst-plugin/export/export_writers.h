/* RvmNpyWriter: a NumPy file that is valid at any moment: a process that is
 * killed leaves what it had written. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* A .npy file whose first dimension grows with each append. */
typedef struct _RvmNpyWriter RvmNpyWriter;

RvmNpyWriter *rvm_npy_writer_new (const gchar * path, GError ** error);
/* @dims: n_dims dimensions after the first. All appends must have the same. */
gboolean rvm_npy_writer_append (RvmNpyWriter * writer, const guint * dims,
    guint n_dims, GBytes * values, GError ** error);
/* Flushes and closes; an empty file becomes a valid array of no frames. */
gboolean rvm_npy_writer_close (RvmNpyWriter * writer, GError ** error);
void rvm_npy_writer_free (RvmNpyWriter * writer);

G_END_DECLS
