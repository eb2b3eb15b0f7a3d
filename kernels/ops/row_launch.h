/* Launches of kernels that work on rows, in the two shapes that most kernels have. Private to kernels/. */
#pragma once

#include "kernels/runtime/launch.h"

G_BEGIN_DECLS

/* Kernel @name of the source @file, with a work-group for each of @groups rows, or blocks of rows. The build options are RVM_VECTOR and RVM_GROUP of the
 * device (tiles.h). */
void rvm_launch_rows (RvmQueue *queue, const char *file, const char *name, gsize groups, guint n_args, const RvmArg *args);

/* The same with a work-item for each vector of @columns columns, in each of @rows rows; RVM_VECTOR only. */
void rvm_launch_columns (RvmQueue *queue, const char *file, const char *name, guint columns, gsize rows, guint n_args, const RvmArg *args);

G_END_DECLS
