/* checkcl --tune: finds the fastest tiles for a device. */
#pragma once

#include "kernels/runtime/queue.h"
#include "kernels/ops/tiles.h"

/* Times shapes of tiles on @device and prints what it finds. @table: (nullable) a file of rows (kernels/ops/tuned.inc), in which the row of this
 * driver and vector width is put or replaced. */
gboolean tune_device (RvmDevice *device, const char *table, GError **error);
