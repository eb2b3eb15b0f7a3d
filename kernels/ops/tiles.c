/* The measured shapes. CPU rows: a tile's sums, its vectors of weights and one broadcast fill the register file (16 registers of 8 floats
 * with AVX2, 32 of 16 floats with AVX-512) without spilling; GFLOP/s of small16's products at 257 rows decide. tuned.inc is what the tuner
 * found better than these defaults for a driver. */
#include "tiles.h"

#include <string.h>

static const struct {
  const char *platform; /* part of the device's name; NULL: any */
  RvmTiles tiles;       /* for devices of this vector width and above */
} cpu_tiles[] = {
#include "tuned.inc"
  { NULL, { .vector = 16, .group = 1, .gemm_vector = 16, .gemm_rows = 6, .gemm_vectors = 4, .gemm_side = 1, .attention_queries = 4, .attention_lanes = 1, .key_tile = 4, .dim_tile = 4, .key_block = 64, .back_tile = 4, .back_block = 64 } },
  { NULL, { .vector = 8, .group = 1, .gemm_vector = 8, .gemm_rows = 6, .gemm_vectors = 2, .gemm_side = 1, .attention_queries = 3, .attention_lanes = 1, .key_tile = 4, .dim_tile = 4, .key_block = 32, .back_tile = 4, .back_block = 64 } },
  { NULL, { .vector = 4, .group = 1, .gemm_vector = 4, .gemm_rows = 4, .gemm_vectors = 2, .gemm_side = 1, .attention_queries = 2, .attention_lanes = 1, .key_tile = 4, .dim_tile = 4, .key_block = 64, .back_tile = 4, .back_block = 64 } },
};

/* One query a work-item, rows and blocks of the GEMM shared by a group; 64 is a multiple of every GPU's wavefront or a whole one. The tile of
 * the GEMM is llvmpipe's best: it loads for each work-item by itself, so that sums for each load are what counts. */
static const RvmTiles gpu_tiles = {
  .vector = 1, .group = 64, .gemm_vector = 4, .gemm_rows = 8, .gemm_vectors = 2, .gemm_side = 8, .attention_queries = 1, .attention_lanes = 1, .key_tile = 4, .dim_tile = 4, .key_block = 32,
  .back_tile = 4, .back_block = 32,
};

static const RvmTiles *override;

void
rvm_tiles_set_override (const RvmTiles *tiles)
{
  override = tiles;
}

/* Floats in a vector, by RVM_TILES or as @device says; 0 for the shape meant for GPUs. */
static guint
choose_width (const RvmDevice *device)
{
  static const struct {
    const char *name;
    guint width;
  } names[] = { { "gpu", 0 }, { "4", 4 }, { "8", 8 }, { "16", 16 } };
  const char *forced = g_getenv ("RVM_TILES");

  if (forced == NULL || *forced == '\0')
    return rvm_device_is_cpu (device) ? rvm_device_get_vector_width (device) : 0;
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (forced, names[i].name) == 0)
      return names[i].width;
  g_warning_once ("RVM_TILES=%s is neither gpu nor the width of a vector, 4, 8 or 16: taken for gpu", forced); /* every launch comes here */
  return 0;
}

RvmTiles
rvm_tiles_for_device (const RvmDevice *device)
{
  guint width;

  if (override)
    return *override;
  width = choose_width (device);
  if (width == 0)
    return gpu_tiles;
  for (guint i = 0; i + 1 < G_N_ELEMENTS (cpu_tiles); i++)
    if (width >= cpu_tiles[i].tiles.vector
        && (cpu_tiles[i].platform == NULL
            || (width == cpu_tiles[i].tiles.vector && strstr (rvm_device_get_name (device), cpu_tiles[i].platform))))
      return cpu_tiles[i].tiles;
  return cpu_tiles[G_N_ELEMENTS (cpu_tiles) - 1].tiles;
}
