/* The tuner. Each candidate is a build of its own; what is compared is the time of a set of shapes, the smallest of several runs, added up
 * after division by the time of the tiles in use, so that every shape counts alike. GEMM first, then attention one number at a time. */
#include "tune.h"

#include <math.h>
#include <string.h>

#include "kernels/gemm.h"
#include "kernels/ops.h"

#define RUNS 7
#define REGISTERS(vector) ((vector) >= 16 ? 32u : 16u) /* vectors that the processor names: AVX-512 32, AVX2 and NEON 16 or more */

/* small16's products of a frame and of 480 x 880 pixels, and those of a training step at D 128. */
static const guint products[][3] = {
  { 257, 1152, 384 }, { 257, 384, 384 }, { 257, 1536, 384 }, { 257, 384, 1536 }, { 1651, 1536, 384 }, { 1040, 512, 128 }, { 1040, 128, 512 },
};
/* Tokens, heads, size of a head, pictures. */
static const guint attentions[][4] = { { 257, 6, 64, 1 }, { 1651, 6, 64, 1 }, { 65, 4, 32, 16 } };

typedef struct {
  RvmDevice *device;
  RvmQueue *queue;
  RvmBuffer *in, *out, *normaliser;
  double reference[16]; /* seconds of the tiles in use */
} Tuner;

static double
seconds_of_product (Tuner *tuner, RvmGemmWeights *weights, const guint *shape)
{
  double best = INFINITY;

  for (guint run = 0; run <= RUNS; run++) {
    const gint64 start = g_get_monotonic_time ();

    for (guint i = 0; i < 4; i++)
      rvm_gemm (tuner->queue, weights,
          &(RvmGemm){ .a = tuner->in, .a_stride = shape[2], .out = tuner->out, .out_stride = shape[1], .m = shape[0] });
    if (!rvm_queue_finish (tuner->queue, NULL))
      return INFINITY;
    if (run)
      best = MIN (best, (g_get_monotonic_time () - start) / 4e6);
  }
  return best;
}

static double
product_cost (Tuner *tuner, const RvmTiles *tiles, gboolean is_reference)
{
  double cost = 0;

  rvm_tiles_set_override (tiles);
  for (guint i = 0; i < G_N_ELEMENTS (products); i++) {
    const guint n = products[i][1], k = products[i][2];
    g_autofree float *values = g_new (float, (gsize) n * k);
    g_autoptr (RvmGemmWeights) weights = rvm_gemm_weights_new (tuner->device, RVM_GEMM_NATIVE, RVM_PRECISION_F32, k, n, FALSE, NULL);
    double seconds;

    if (weights == NULL || !rvm_gemm_weights_begin (weights, NULL))
      return INFINITY;
    for (gsize j = 0; j < (gsize) n * k; j++)
      values[j] = (float) (j % 251) / 251 - 0.5f;
    rvm_gemm_weights_set_kernel (weights, 0, 0, k, n, values);
    rvm_gemm_weights_end (weights, NULL);
    seconds = seconds_of_product (tuner, weights, products[i]);
    if (is_reference)
      tuner->reference[i] = seconds;
    cost += seconds / tuner->reference[i] / G_N_ELEMENTS (products);
  }
  rvm_tiles_set_override (NULL);
  return cost;
}

static double
attention_cost (Tuner *tuner, const RvmTiles *tiles, gboolean is_reference)
{
  double cost = 0;

  rvm_tiles_set_override (tiles);
  for (guint i = 0; i < G_N_ELEMENTS (attentions); i++) {
    const guint *shape = attentions[i], dim = shape[1] * shape[2];
    double best = INFINITY;

    for (guint run = 0; run <= RUNS; run++) {
      const gint64 start = g_get_monotonic_time ();

      rvm_attention (tuner->queue, &(RvmAttention){
                                       .query = tuner->in, .query_stride = 3 * dim, .key = tuner->in, .key_offset = dim, .key_stride = 3 * dim,
                                       .value = tuner->in, .value_offset = 2 * dim, .value_stride = 3 * dim, .out = tuner->out,
                                       .normaliser = tuner->normaliser, .batch = shape[3], .heads = shape[1], .head_dim = shape[2],
                                       .queries = shape[0], .keys = shape[0],
                                   });
      if (!rvm_queue_finish (tuner->queue, NULL))
        return INFINITY;
      if (run)
        best = MIN (best, (g_get_monotonic_time () - start) / 1e6);
    }
    if (is_reference)
      tuner->reference[i] = best;
    cost += best / tuner->reference[i] / G_N_ELEMENTS (attentions);
  }
  rvm_tiles_set_override (NULL);
  return cost;
}

static void
tune_products (Tuner *tuner, RvmTiles *tiles)
{
  static const guint rows[] = { 4, 6, 8, 10, 12, 14 };
  double best = product_cost (tuner, tiles, TRUE);
  RvmTiles candidate = *tiles;

  for (guint vectors = 1; vectors <= 4; vectors++)
    for (guint r = 0; r < G_N_ELEMENTS (rows); r++) {
      double cost;

      /* Sums, the vectors of weights and a broadcast in registers; at least 8 sums, or the multiply-adds wait for each other. */
      if (rows[r] * vectors + vectors + 1 > REGISTERS (tiles->gemm_vector) || rows[r] * vectors < 8)
        continue;
      candidate.gemm_rows = rows[r];
      candidate.gemm_vectors = vectors;
      cost = product_cost (tuner, &candidate, FALSE);
      g_print ("  %2u rows x %u vectors: %.3f of the time\n", rows[r], vectors, cost);
      if (cost < best * 0.99) { /* less is noise */
        best = cost;
        tiles->gemm_rows = rows[r];
        tiles->gemm_vectors = vectors;
      }
    }
}

static void
tune_attention (Tuner *tuner, RvmTiles *tiles)
{
  RvmTiles candidate = *tiles;
  const struct {
    const char *name;
    guint *value, *best;
    guint values[5];
  } numbers[] = {
    { "vectors of queries", &candidate.attention_queries, &tiles->attention_queries, { 1, 2, 3, 4 } },
    { "keys at once", &candidate.key_tile, &tiles->key_tile, { 2, 4, 8 } },
    { "dimensions at once", &candidate.dim_tile, &tiles->dim_tile, { 2, 4, 8 } },
    { "keys a block", &candidate.key_block, &tiles->key_block, { 32, 64, 96, 128 } },
  };
  double best = attention_cost (tuner, tiles, TRUE);

  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++) {
    for (guint v = 0; numbers[i].values[v]; v++) {
      double cost;

      candidate = *tiles;
      *numbers[i].value = numbers[i].values[v];
      cost = attention_cost (tuner, &candidate, FALSE);
      g_print ("  %u %s: %.3f of the time\n", numbers[i].values[v], numbers[i].name, cost);
      if (cost < best * 0.99) {
        best = cost;
        *numbers[i].best = numbers[i].values[v];
      }
    }
  }
}

/* The part of "DEVICE (PLATFORM)" that names the driver. */
static char *
driver_of (RvmDevice *device)
{
  const char *name = rvm_device_get_name (device);

  for (const char *at = name; (at = strchr (at, '(')); at++)
    if (strchr (at, ')') && g_str_has_suffix (at, ")")) {
      char *driver = g_strdup (at + 1);
      driver[strlen (driver) - 1] = '\0';
      return driver;
    }
  return g_strdup (name);
}

static gboolean
write_row (const char *table, const char *start, const char *row, GError **error)
{
  g_autofree char *content = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (table, &content, NULL, error))
    return FALSE;
  lines = g_strsplit (content, "\n", 0);
  for (guint i = 0; lines[i]; i++)
    if (*lines[i] && !g_str_has_prefix (lines[i], start))
      g_string_append_printf (text, "%s\n", lines[i]);
  g_string_append_printf (text, "%s\n", row);
  return g_file_set_contents (table, text->str, -1, error);
}

gboolean
tune_device (RvmDevice *device, const char *table, GError **error)
{
  RvmTiles tiles = rvm_tiles_for_device (device);
  g_autofree char *driver = driver_of (device), *start = NULL, *row = NULL;
  g_autofree float *values = NULL;
  g_autoptr (RvmBuffer) in = NULL, out = NULL, normaliser = NULL;
  const gsize count = 1651 * 1536;
  Tuner tuner = { .device = device };
  gboolean ok = TRUE;

  if (tiles.group != 1) {
    g_print ("%s: its products are CLBlast's; tune those with CLBlast's own tuners (README)\n", rvm_device_get_name (device));
    return TRUE;
  }
  tuner.queue = rvm_queue_new (device, FALSE, error);
  tuner.in = in = tuner.queue ? rvm_buffer_new (device, count * sizeof (float), "input", error) : NULL;
  tuner.out = out = in ? rvm_buffer_new (device, count * sizeof (float), "output", error) : NULL;
  tuner.normaliser = normaliser = out ? rvm_buffer_new (device, count, "normaliser", error) : NULL;
  if (normaliser) {
    values = g_new (float, count);
    for (gsize i = 0; i < count; i++)
      values[i] = (float) (i % 509) / 509 - 0.5f;
    rvm_queue_write (tuner.queue, in, 0, values, count * sizeof (float));
    ok = rvm_queue_finish (tuner.queue, error);
  }
  if (normaliser == NULL || !ok) {
    g_clear_pointer (&tuner.queue, rvm_queue_free);
    return FALSE;
  }
  tune_products (&tuner, &tiles);
  tune_attention (&tuner, &tiles);
  rvm_queue_free (tuner.queue);

  start = g_strdup_printf ("  { \"%s\", { .vector = %u,", driver, tiles.vector);
  row = g_strdup_printf ("%s .group = 1, .gemm_vector = %u, .gemm_rows = %u, .gemm_vectors = %u, .gemm_side = 1, .attention_queries = %u, .attention_lanes = %u, "
                         ".key_tile = %u, .dim_tile = %u, .key_block = %u, .back_tile = %u, .back_block = %u } },",
      start, tiles.gemm_vector, tiles.gemm_rows, tiles.gemm_vectors, tiles.attention_queries, tiles.attention_lanes, tiles.key_tile,
      tiles.dim_tile, tiles.key_block, tiles.back_tile, tiles.back_block);
  g_print ("%s\n", row);
  return table == NULL || *table == '\0' || write_row (table, start, row, error);
}
