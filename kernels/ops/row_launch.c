/* Build options and global sizes of kernels that work on rows. */
#include "row_launch.h"

#include "tiles.h"

void
rvm_launch_rows (RvmQueue *queue, const char *file, const char *name, gsize groups, guint n_args, const RvmArg *args)
{
  const RvmTiles tiles = rvm_tiles_for_device (rvm_queue_get_device (queue));
  char options[64];

  g_snprintf (options, sizeof options, "-DRVM_VECTOR=%u -DRVM_GROUP=%u", tiles.vector, tiles.group);
  rvm_queue_launch (queue, &(RvmKernel){ file, name, options, NULL }, 1, (const gsize[]){ groups * tiles.group },
      (const gsize[]){ tiles.group }, n_args, args);
}

void
rvm_launch_columns (RvmQueue *queue, const char *file, const char *name, guint columns, gsize rows, guint n_args, const RvmArg *args)
{
  const RvmTiles tiles = rvm_tiles_for_device (rvm_queue_get_device (queue));
  char options[64];

  g_snprintf (options, sizeof options, "-DRVM_VECTOR=%u", tiles.vector);
  rvm_queue_launch (queue, &(RvmKernel){ file, name, options, NULL }, 2,
      (const gsize[]){ (columns + tiles.vector - 1) / tiles.vector, rows }, NULL, n_args, args);
}
