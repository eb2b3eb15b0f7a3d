/* The tuner. Each candidate is built, and its time over a set of shapes is compared with that of the best tiles so far: as a ratio for each shape, so
 * that all shapes count alike. First the tiles of products are searched, then those of attention, one number at a time. */
#include "tune.h"

#include <math.h>
#include <string.h>

#include "kernels/ops/attention.h"
#include "kernels/ops/linear.h"
#include "tests/bench/quantile.h"

#define RUNS 15
#define RUN_SECONDS 0.004 /* a run takes at least this, so that the wait at its end is a small part of it */
#define REGISTERS(vector) ((vector) >= 16 ? 32u : 16u) /* vector registers: AVX-512 has 32, AVX2 16, NEON 16 or more */

/* Rows, columns and inputs of products: those of small16 at 256 x 256 and at 880 x 480 pixels, and those of a training step with tokens of 128. */
static const guint products[][3] = {
  { 257, 1152, 384 }, { 257, 384, 384 }, { 257, 1536, 384 }, { 257, 384, 1536 }, { 1651, 1536, 384 }, { 1040, 512, 128 }, { 1040, 128, 512 },
};
/* Tokens, heads, size of a head, pictures. */
static const guint attentions[][4] = { { 257, 6, 64, 1 }, { 1651, 6, 64, 1 }, { 65, 4, 32, 16 } };

typedef struct {
  RvmDevice *device;
  RvmQueue *queue;
  RvmBuffer *in, *out, *log_sum_exp;
} Tuner;

static RvmLinear *
make_weights (Tuner *tuner, const RvmTiles *tiles, guint k, guint n)
{
  g_autofree float *values = g_new (float, (gsize) n * k);
  RvmLinear *weights;

  rvm_tiles_set_override (tiles); /* weights keep their tiles */
  weights = rvm_linear_new (tuner->device, RVM_GEMM_NATIVE, RVM_ELEMENT_F32, k, n, FALSE, NULL);
  rvm_tiles_set_override (NULL);
  if (weights == NULL || !rvm_linear_begin (weights, NULL)) {
    g_clear_pointer (&weights, rvm_linear_free);
    return NULL;
  }
  for (gsize j = 0; j < (gsize) n * k; j++)
    values[j] = (float) (j % 251) / 251 - 0.5f;
  rvm_linear_set_kernel (weights, 0, 0, k, n, values);
  rvm_linear_end (weights, NULL);
  return weights;
}

/* Seconds that @repeats products with @weights take with @tiles, or attentions if @weights is NULL, of shape @i. */
static double
time_shape (Tuner *tuner, const RvmTiles *tiles, RvmLinear *weights, guint i, guint repeats)
{
  const guint *shape = weights ? products[i] : attentions[i], dim = shape[1] * shape[2];
  const gint64 start = g_get_monotonic_time ();
  gboolean ok;

  rvm_tiles_set_override (tiles);
  for (guint repeat = 0; repeat < repeats; repeat++)
    if (weights) {
      rvm_linear_forward (tuner->queue, weights, rvm_tensor (tuner->in, shape[0], shape[2]), rvm_tensor (tuner->out, shape[0], shape[1]), NULL);
    } else {
      const guint rows = shape[3] * shape[0];
      const RvmTensor qkv = rvm_tensor (tuner->in, rows, 3 * dim);

      rvm_attention (tuner->queue, &(RvmAttention){
                                       .query = rvm_tensor_columns (qkv, 0, dim), .key = rvm_tensor_columns (qkv, dim, dim),
                                       .value = rvm_tensor_columns (qkv, 2 * dim, dim), .out = rvm_tensor (tuner->out, rows, dim),
                                       .log_sum_exp = rvm_tensor (tuner->log_sum_exp, shape[3] * shape[1], shape[0]),
                                       .batch = shape[3], .heads = shape[1],
                                   });
    }
  ok = rvm_queue_finish (tuner->queue, NULL);
  rvm_tiles_set_override (NULL);
  return ok ? (g_get_monotonic_time () - start) / 1e6 : INFINITY;
}

/* The time of @candidate divided by that of @tiles, mean over the shapes. Runs of the two alternate, and the median of the ratios of neighbours counts,
 * because a shared machine may be twice as fast in one second as in the next. */
static double
compare (Tuner *tuner, gboolean attention, const RvmTiles *tiles, const RvmTiles *candidate)
{
  const RvmTiles *both[2] = { tiles, candidate };
  const guint shapes = attention ? G_N_ELEMENTS (attentions) : G_N_ELEMENTS (products);
  double mean = 0;

  for (guint i = 0; i < shapes; i++) {
    RvmLinear *weights[2] = { NULL, NULL };
    g_autoptr (GArray) shares = g_array_new (FALSE, FALSE, sizeof (double));
    gboolean ok = TRUE;
    guint repeats = 1;

    for (guint side = 0; side < 2 && !attention; side++) {
      weights[side] = make_weights (tuner, both[side], products[i][2], products[i][1]);
      ok = ok && weights[side];
    }
    /* The first run builds kernels, the second shows how many products make a run long enough. */
    for (int run = -2; run < RUNS && ok; run++) {
      double seconds[2], share;

      for (guint side = 0; side < 2; side++)
        seconds[side] = time_shape (tuner, both[side], weights[side], i, repeats);
      ok = !isinf (seconds[0]) && !isinf (seconds[1]);
      share = seconds[1] / seconds[0];
      if (run == -1 && ok)
        repeats = CLAMP (ceil (RUN_SECONDS / seconds[0]), 1, 64);
      else if (run >= 0)
        g_array_append_val (shares, share);
    }
    rvm_linear_free (weights[0]);
    rvm_linear_free (weights[1]);
    mean += (ok ? quantile (shares, 0.5) : INFINITY) / shapes;
  }
  return mean;
}

/* Replaces @tiles by @candidate if that is faster. */
static void
try_tiles (Tuner *tuner, gboolean attention, RvmTiles *tiles, const RvmTiles *candidate, const char *what)
{
  const double share = compare (tuner, attention, tiles, candidate);

  g_print ("  %s: %.3f of the time%s\n", what, share, share < 0.97 ? ", taken" : ""); /* smaller differences are noise */
  if (share < 0.97)
    *tiles = *candidate;
}

static void
tune_products (Tuner *tuner, RvmTiles *tiles)
{
  static const guint rows[] = { 4, 6, 8, 10, 12, 14 };

  for (guint vectors = 1; vectors <= 4; vectors++)
    for (guint r = 0; r < G_N_ELEMENTS (rows); r++) {
      RvmTiles candidate = *tiles;
      g_autofree char *what = g_strdup_printf ("%2u rows x %u vectors", rows[r], vectors);

      /* Sums, vectors of weights and a broadcast value fit in registers. At least 8 sums, so that multiply-adds do not wait for each other. */
      if (rows[r] * vectors + vectors + 1 > REGISTERS (tiles->gemm_vector) || rows[r] * vectors < 8
          || (rows[r] == tiles->gemm_rows && vectors == tiles->gemm_vectors))
        continue;
      candidate.gemm_rows = rows[r];
      candidate.gemm_vectors = vectors;
      try_tiles (tuner, FALSE, tiles, &candidate, what);
    }
}

static void
tune_attention (Tuner *tuner, RvmTiles *tiles)
{
  const struct {
    const char *name;
    gsize offset; /* in RvmTiles */
    guint values[5];
  } numbers[] = {
    { "vectors of queries", G_STRUCT_OFFSET (RvmTiles, attention_queries), { 1, 2, 3, 4 } },
    { "keys at once", G_STRUCT_OFFSET (RvmTiles, key_tile), { 2, 4, 8 } },
    { "dimensions at once", G_STRUCT_OFFSET (RvmTiles, dim_tile), { 2, 4, 8 } },
    { "keys a block", G_STRUCT_OFFSET (RvmTiles, key_block), { 32, 64, 96, 128 } },
  };

  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    for (guint v = 0; numbers[i].values[v]; v++) {
      RvmTiles candidate = *tiles;
      guint *number = &G_STRUCT_MEMBER (guint, &candidate, numbers[i].offset);
      g_autofree char *what = g_strdup_printf ("%u %s", numbers[i].values[v], numbers[i].name);

      if (*number == numbers[i].values[v])
        continue;
      *number = numbers[i].values[v];
      try_tiles (tuner, TRUE, tiles, &candidate, what);
    }
}

/* The part of "DEVICE (PLATFORM)" that names the driver. */
static char *
driver_of (RvmDevice *device)
{
  const char *name = rvm_device_get_name (device), *end = name + strlen (name);
  int depth = 0;

  /* Device and platform may contain brackets themselves. */
  for (const char *at = end; at > name;) {
    at--;
    depth += (*at == ')') - (*at == '(');
    if (depth == 0)
      return *at == '(' ? g_strndup (at + 1, end - at - 2) : g_strdup (name);
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
  g_autoptr (RvmBuffer) in = NULL, out = NULL, log_sum_exp = NULL;
  const gsize count = 1651 * 1536;
  Tuner tuner = { .device = device };
  gboolean ok = TRUE;

  if (tiles.group != 1) {
    g_print ("%s: its products are CLBlast's; tune those with CLBlast's own tuners (docs/performance.md)\n", rvm_device_get_name (device));
    return TRUE;
  }
  tuner.queue = rvm_queue_new (device, FALSE, error);
  tuner.in = in = tuner.queue ? rvm_buffer_new (device, count * sizeof (float), "input", error) : NULL;
  tuner.out = out = in ? rvm_buffer_new (device, count * sizeof (float), "output", error) : NULL;
  tuner.log_sum_exp = log_sum_exp = out ? rvm_buffer_new (device, count, "log-sum-exp", error) : NULL;
  if (log_sum_exp) {
    values = g_new (float, count);
    for (gsize i = 0; i < count; i++)
      values[i] = (float) (i % 509) / 509 - 0.5f;
    rvm_queue_write (tuner.queue, in, 0, values, count * sizeof (float));
    ok = rvm_queue_finish (tuner.queue, error);
  }
  if (log_sum_exp == NULL || !ok) {
    g_clear_pointer (&tuner.queue, rvm_queue_free);
    return FALSE;
  }
  tune_products (&tuner, &tiles);
  tune_attention (&tuner, &tiles);
  rvm_queue_free (tuner.queue);

  start = g_strdup_printf ("  { \"%s\", { .vector = %u,", driver, tiles.vector);
  row = g_strdup_printf ("%s .group = 1, .gemm_vector = %u, .gemm_rows = %u, .gemm_vectors = %u, .gemm_side = 1, .attention_queries = %u, .attention_lanes = %u, "
                         ".key_tile = %u, .dim_tile = %u, .key_block = %u, .backward_tile = %u, .backward_block = %u } },",
      start, tiles.gemm_vector, tiles.gemm_rows, tiles.gemm_vectors, tiles.attention_queries, tiles.attention_lanes, tiles.key_tile,
      tiles.dim_tile, tiles.key_block, tiles.backward_tile, tiles.backward_block);
  g_print ("%s\n", row);
  return table == NULL || *table == '\0' || write_row (table, start, row, error);
}
