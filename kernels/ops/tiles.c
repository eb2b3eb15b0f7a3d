/* The tables of tiles, which were measured. On CPUs a tile's sums, its vectors of weights and one broadcast value fill the registers (16 of 8 floats
 * with AVX2, 32 of 16 floats with AVX-512) without spilling; among those, the products of small16 with 257 rows decided. tuned.inc has tiles that the
 * tuner (checkcl --tune) found to be faster than these defaults with a certain driver. */
#include "tiles.h"

#include <string.h>

#include "kernels/cl/flags.h"

static const struct {
  const char *platform; /* part of the device's name; NULL: any */
  RvmTiles tiles;       /* for devices of this vector width and above */
} cpu_tiles[] = {
#include "tuned.inc"
  { NULL, { .vector = 16, .group = 1, .gemm_vector = 16, .gemm_rows = 6, .gemm_vectors = 4, .gemm_side = 1, .attention_queries = 4, .attention_lanes = 1, .key_tile = 4, .dim_tile = 4, .key_block = 64, .backward_tile = 4, .backward_block = 64 } },
  { NULL, { .vector = 8, .group = 1, .gemm_vector = 8, .gemm_rows = 6, .gemm_vectors = 2, .gemm_side = 1, .attention_queries = 3, .attention_lanes = 1, .key_tile = 4, .dim_tile = 4, .key_block = 32, .backward_tile = 4, .backward_block = 64 } },
  { NULL, { .vector = 4, .group = 1, .gemm_vector = 4, .gemm_rows = 4, .gemm_vectors = 2, .gemm_side = 1, .attention_queries = 2, .attention_lanes = 1, .key_tile = 4, .dim_tile = 4, .key_block = 64, .backward_tile = 4, .backward_block = 64 } },
};

/* A work-item has one query; a group shares the rows and blocks of a product. 64 work-items are one wavefront, or several, on every GPU. The tile of
 * products is the fastest with llvmpipe, which loads for each work-item by itself, so that the number of sums for each load decides. */
static const RvmTiles gpu_tiles = {
  .vector = 1, .group = 64, .gemm_vector = 4, .gemm_rows = 8, .gemm_vectors = 2, .gemm_side = 8, .attention_queries = 1, .attention_lanes = 1, .key_tile = 4, .dim_tile = 4, .key_block = 32,
  .backward_tile = 4, .backward_block = 32,
};

static const RvmTiles *override;

void
rvm_tiles_set_override (const RvmTiles *tiles)
{
  override = tiles;
}

/* Floats in a vector, as RVM_TILES or @device says; 0 for the tiles for GPUs. */
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
  g_warning_once ("RVM_TILES=%s is neither gpu nor the width of a vector, 4, 8 or 16: using gpu", forced); /* every launch comes here */
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

static gboolean
has_avx512_units (const RvmDevice *device)
{
  return rvm_matrix_units_get_kind (rvm_device_get_matrix_units (device)) == RVM_UNITS_AVX512;
}

guint
rvm_units_get_rows (const RvmDevice *device)
{
  return has_avx512_units (device) ? RVM_UNITS_AVX512_ROWS : RVM_UNITS_AMX_ROWS;
}

const char *
rvm_units_get_options (const RvmDevice *device)
{
  return has_avx512_units (device) ? "-DRVM_VECTOR=16 -DRVM_UNITS_AVX512=1" : "-DRVM_VECTOR=16";
}
