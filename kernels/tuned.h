/* Rows that `checkcl --tune` measured, one for each driver and vector width; tiles.c takes the first that fits and otherwise its defaults.
 * checkcl --tune --table kernels/tuned.h puts a row here, or replaces the one of the same driver and width. */
  { "Portable Computing Language", { .vector = 16, .group = 1, .gemm_vector = 16, .gemm_rows = 6, .gemm_vectors = 4, .attention_queries = 4, .attention_lanes = 1, .key_tile = 2, .dim_tile = 4, .key_block = 32, .back_tile = 4, .back_block = 64 } },
