/* The search for the fastest tiles of a device: checkcl --tune. */
#pragma once

#include "kernels/runtime/queue.h"
#include "kernels/ops/tiles.h"

/* Times tiles on @device and prints what it finds. @table: (nullable): a file of rows, such as kernels/ops/tuned.inc, in which the row of this driver and
 * vector width is added or replaced. */
gboolean tune_device (RvmDevice *device, const char *table, GError **error);
