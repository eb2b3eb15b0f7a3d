/* The measured shapes. CPU rows: GFLOP/s of small16's products at 257 rows decide; a tile's sums, its vectors of weights and one
 * broadcast fill the register file (16 registers of 8 floats with AVX2, 32 of 16 floats with AVX-512) without spilling. */
#include "tiles.h"

static const RvmTiles cpu_tiles[] = {
  { .vector = 16, .group = 1, .gemm_vector = 16, .gemm_rows = 6, .gemm_vectors = 4, .attention_queries = 2, .attention_lanes = 1, .key_tile = 4, .key_block = 64 },
  { .vector = 8, .group = 1, .gemm_vector = 8, .gemm_rows = 6, .gemm_vectors = 2, .attention_queries = 2, .attention_lanes = 1, .key_tile = 4, .key_block = 64 },
  { .vector = 4, .group = 1, .gemm_vector = 4, .gemm_rows = 4, .gemm_vectors = 2, .attention_queries = 2, .attention_lanes = 1, .key_tile = 4, .key_block = 64 },
};

/* One query a work-item, rows shared by a group; 64 is a multiple of every GPU's wavefront or a whole one. */
static const RvmTiles gpu_tiles = {
  .vector = 1, .group = 64, .gemm_vector = 4, .gemm_rows = 4, .gemm_vectors = 1, .attention_queries = 1, .attention_lanes = 1, .key_tile = 4, .key_block = 32,
};

RvmTiles
rvm_tiles_for_device (const RvmDevice *device)
{
  if (!rvm_device_is_cpu (device) || g_strcmp0 (g_getenv ("RVM_TILES"), "gpu") == 0)
    return gpu_tiles;
  for (guint i = 0; i + 1 < G_N_ELEMENTS (cpu_tiles); i++)
    if (rvm_device_get_vector_width (device) >= cpu_tiles[i].vector)
      return cpu_tiles[i];
  return cpu_tiles[G_N_ELEMENTS (cpu_tiles) - 1];
}
