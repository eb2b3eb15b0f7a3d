/* checkcl: every kernel against its plain C reference, on random values and edge sizes, on every OpenCL device present (or --device).
 * Outputs lie between canaries, which must not change. --bench times the kernels at small16's sizes instead, --tune finds the fastest tiles (tune.c). */
#include <glib.h>
#include <math.h>
#include <string.h>

#include "kernels/ops/linear.h"
#include "kernels/ops/tokens.h"
#include "functions.h"
#include "on_device.h"
#include "reference.h"
#include "tune.h"

#define CANARY 64 /* floats after each output */

static char *only_device, *table;
static gboolean bench, quick, tune;
static guint passed, failed;

static RvmBuffer *
new_output (gsize count)
{
  g_autofree float *content = g_new (float, count + CANARY);

  for (gsize i = 0; i < count + CANARY; i++)
    content[i] = 12345.0f;
  return upload (content, (count + CANARY) * sizeof (float));
}

/* Compares relative to the largest magnitude, and looks at the canary. */
static void
compare (const char *what, RvmBuffer *output, const double *expected, gsize count, double tolerance)
{
  g_autofree float *got = g_new (float, count + CANARY);
  g_autoptr (GError) error = NULL;
  double worst = 0, largest = 1e-30;
  gboolean good;

  rvm_queue_read (queue, output, 0, got, (count + CANARY) * sizeof (float));
  good = rvm_queue_finish (queue, &error);
  for (gsize i = 0; good && i < count; i++) {
    const double difference = fabs (got[i] - expected[i]);
    worst = difference <= G_MAXFLOAT ? MAX (worst, difference) : INFINITY;
    largest = MAX (largest, fabs (expected[i]));
  }
  for (gsize i = count; good && i < count + CANARY; i++)
    if (got[i] != 12345.0f) {
      g_print ("FAILED %s: wrote past its output\n", what);
      good = FALSE;
    }
  if (error)
    g_print ("FAILED %s: %s\n", what, error->message);
  else if (good && !(worst / largest <= tolerance)) {
    g_print ("FAILED %s: error %.2e, allowed %.1e\n", what, worst / largest, tolerance);
    good = FALSE;
  }
  *(good ? &passed : &failed) += 1;
}

static void
check_patches (guint batch, guint rows, guint columns, guint patch)
{
  const gsize pixels = (gsize) batch * rows * columns * patch * patch * 3;
  const gsize count = (gsize) batch * (1 + rows * columns) * patch * patch * 3;
  g_autofree guint8 *picture = g_new (guint8, pixels);
  g_autofree double *expected = g_new (double, count);
  g_autoptr (RvmBuffer) in = NULL, out = new_output (count);
  g_autofree char *what = g_strdup_printf ("patches %u x (%u x %u) of %u", batch, rows, columns, patch);

  for (gsize i = 0; i < pixels; i++)
    picture[i] = g_rand_int (dice);
  in = upload (picture, pixels);
  reference_patches (picture, expected, batch, rows, columns, patch);
  rvm_patches (queue, in, out, batch, rows, columns, patch);
  compare (what, out, expected, count, 1e-6);
}

static void
check_layernorm (guint rows, guint dim, gboolean with_bias, double offset)
{
  const gsize count = (gsize) rows * dim;
  g_autofree float *x = random_values (count, 2), *scale = random_values (dim, 2), *bias = random_values (dim, 2);
  g_autofree double *expected = g_new (double, count);
  g_autoptr (RvmBuffer) in = NULL, s = upload (scale, dim * sizeof (float)), b = upload (bias, dim * sizeof (float)), out = new_output (count);
  g_autofree char *what = g_strdup_printf ("layernorm %u x %u%s, offset %g", rows, dim, with_bias ? " bias" : "", offset);

  for (gsize i = 0; i < count; i++)
    x[i] += offset;
  in = upload (x, count * sizeof (float));
  reference_layernorm (x, scale, with_bias ? bias : NULL, expected, rows, dim, 1e-6);
  rvm_layernorm (queue, in, s, with_bias ? b : NULL, out, rows, dim, 1e-6f);
  /* The mean itself has the rounding of its magnitude. */
  compare (what, out, expected, count, 2e-6 * (1 + fabs (offset)));
}

static void
check_gemm (RvmGemmProvider provider, RvmPrecision precision, guint m, guint n, guint k, gboolean with_bias, gboolean gelu,
    guint residual_rows)
{
  const guint stride = k + 3;
  g_autofree float *a = random_values ((gsize) m * stride, 1), *w = random_values ((gsize) k * n, 1), *bias = random_values (n, 1);
  g_autofree float *left = NULL, *right = NULL, *residual = random_values ((gsize) MAX (residual_rows, 1) * n, 1);
  g_autofree double *expected = g_new (double, (gsize) m * n);
  const guint split = n / 3;
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmGemmWeights) weights = rvm_gemm_weights_new (device, provider, precision, k, n, with_bias, &error);
  g_autoptr (RvmBuffer) in = upload (a, (gsize) m * stride * sizeof (float)), out = new_output ((gsize) m * n);
  g_autoptr (RvmBuffer) added = upload (residual, (gsize) MAX (residual_rows, 1) * n * sizeof (float));
  g_autofree char *what = g_strdup_printf ("gemm %s %s %u x %u x %u%s%s residual %u", provider == RVM_GEMM_NATIVE ? "native" : "clblast",
      precision == RVM_PRECISION_F16 ? "f16" : "f32", m, n, k, with_bias ? " bias" : "", gelu ? " gelu" : "", residual_rows);

  if (weights == NULL || !rvm_gemm_weights_begin (weights, &error))
    g_error ("%s", error->message);
  /* In two pieces, as Q, K and V are. */
  left = g_new (float, (gsize) k * n);
  right = g_new (float, (gsize) k * n);
  for (guint p = 0; p < k; p++)
    for (guint j = 0; j < n; j++)
      *(j < split ? &left[(gsize) p * split + j] : &right[(gsize) p * (n - split) + j - split]) = w[(gsize) p * n + j];
  if (split)
    rvm_gemm_weights_set_kernel (weights, 0, 0, k, split, left);
  rvm_gemm_weights_set_kernel (weights, 0, split, k, n - split, right);
  if (with_bias)
    rvm_gemm_weights_set_bias (weights, 0, n, bias);
  if (!rvm_gemm_weights_end (weights, &error))
    g_error ("%s", error->message);
  reference_gemm (a, stride, w, with_bias ? bias : NULL, residual_rows ? residual : NULL, MAX (residual_rows, 1), gelu, expected, m, n, k);
  rvm_gemm (queue, weights,
      &(RvmGemm){
          .a = in, .a_stride = stride, .out = out, .out_stride = n, .m = m, .gelu = gelu,
          .residual = residual_rows ? added : NULL, .residual_rows = residual_rows,
      });
  compare (what, out, expected, (gsize) m * n, precision == RVM_PRECISION_F16 ? 2e-3 : 1e-5);
}

static RvmGemmWeights *
upload_weights (const float *kernel, guint k, guint n, const float *bias)
{
  g_autoptr (GError) error = NULL;
  RvmGemmWeights *weights = rvm_gemm_weights_new (device, RVM_GEMM_NATIVE, RVM_PRECISION_F32, k, n, bias != NULL, &error);

  if (weights == NULL || !rvm_gemm_weights_begin (weights, &error))
    g_error ("%s", error->message);
  rvm_gemm_weights_set_kernel (weights, 0, 0, k, n, kernel);
  if (bias)
    rvm_gemm_weights_set_bias (weights, 0, n, bias);
  if (!rvm_gemm_weights_end (weights, &error))
    g_error ("%s", error->message);
  return weights;
}

static void
to_floats (const double *from, float *to, gsize count)
{
  for (gsize i = 0; i < count; i++)
    to[i] = from[i];
}

/* A run of row-wise layers as between two attentions, which CPUs join into one launch: x += a W0 + b; h = GELU (LN (x) W1); x += h W2 + b;
 * y = LN (x) W0. Then one that must not be joined: z = y W3, where y is read as (m, dim / 2), so that most rows come from other rows. */
static void
check_chain (guint m, guint dim, guint hidden)
{
  const gsize count = (gsize) m * dim, wide = (gsize) m * hidden;
  g_autofree float *a = random_values (count, 1), *x = random_values (count, 1), *b = random_values (dim, 1), *scale = random_values (dim, 1);
  g_autofree float *w0 = random_values ((gsize) dim * dim, 0.2), *w1 = random_values ((gsize) dim * hidden, 0.2);
  g_autofree float *w2 = random_values ((gsize) dim * hidden, 0.2), *w3 = random_values ((gsize) dim / 2 * dim, 0.2);
  g_autofree float *norm = g_new (float, count), *h = g_new (float, wide), *y = g_new (float, count);
  g_autofree double *result = g_new (double, MAX (count, wide)), *expected_x = g_new (double, count), *expected_y = g_new (double, count);
  g_autoptr (RvmGemmWeights) g0 = upload_weights (w0, dim, dim, b), g1 = upload_weights (w1, dim, hidden, NULL);
  g_autoptr (RvmGemmWeights) g2 = upload_weights (w2, hidden, dim, b), g3 = upload_weights (w3, dim / 2, dim, NULL);
  g_autoptr (RvmBuffer) ba = upload (a, count * sizeof (float)), bx = new_output (count), bnorm = new_output (count), bh = new_output (wide);
  g_autoptr (RvmBuffer) by = new_output (count), bz = new_output (count), bscale = upload (scale, dim * sizeof (float));
  g_autofree char *what = g_strdup_printf ("chain %u x %u x %u", m, dim, hidden);
  g_autoptr (GError) error = NULL;

  rvm_queue_write (queue, bx, 0, x, count * sizeof (float));
  if (!rvm_queue_finish (queue, &error)) /* x is overwritten below, and is read when the device gets to it */
    g_error ("%s", error->message);
  rvm_gemm (queue, g0, &(RvmGemm){ .a = ba, .a_stride = dim, .out = bx, .out_stride = dim, .m = m, .residual = bx });
  rvm_layernorm (queue, bx, bscale, NULL, bnorm, m, dim, 1e-6f);
  rvm_gemm (queue, g1, &(RvmGemm){ .a = bnorm, .a_stride = dim, .out = bh, .out_stride = hidden, .m = m, .gelu = TRUE });
  rvm_gemm (queue, g2, &(RvmGemm){ .a = bh, .a_stride = hidden, .out = bx, .out_stride = dim, .m = m, .residual = bx });
  rvm_layernorm (queue, bx, bscale, NULL, bnorm, m, dim, 1e-6f);
  rvm_gemm (queue, g0, &(RvmGemm){ .a = bnorm, .a_stride = dim, .out = by, .out_stride = dim, .m = m });
  rvm_gemm (queue, g3, &(RvmGemm){ .a = by, .a_stride = dim / 2, .out = bz, .out_stride = dim, .m = m });

  reference_gemm (a, dim, w0, b, x, m, FALSE, result, m, dim, dim);
  to_floats (result, x, count);
  reference_layernorm (x, scale, NULL, result, m, dim, 1e-6);
  to_floats (result, norm, count);
  reference_gemm (norm, dim, w1, NULL, NULL, 1, TRUE, result, m, hidden, dim);
  to_floats (result, h, wide);
  reference_gemm (h, hidden, w2, b, x, m, FALSE, expected_x, m, dim, hidden);
  to_floats (expected_x, x, count);
  reference_layernorm (x, scale, NULL, result, m, dim, 1e-6);
  to_floats (result, norm, count);
  reference_gemm (norm, dim, w0, b, NULL, 1, FALSE, expected_y, m, dim, dim);
  to_floats (expected_y, y, count);
  reference_gemm (y, dim / 2, w3, NULL, NULL, 1, FALSE, result, m, dim, dim / 2);
  compare (what, bx, expected_x, count, 1e-5);
  compare (what, by, expected_y, count, 1e-5);
  compare (what, bz, result, count, 1e-5);
}

static void
check_attention (guint batch, guint heads, guint head_dim, guint queries, guint keys, double scale)
{
  const guint dim = heads * head_dim, q_stride = dim + 5, kv_stride = 2 * dim + 1;
  const gsize q_count = (gsize) batch * queries * q_stride, kv_count = (gsize) batch * keys * kv_stride + dim;
  g_autofree float *q = random_values (q_count, scale), *kv = random_values (kv_count, scale);
  const gsize count = (gsize) batch * queries * dim;
  g_autofree double *expected = g_new (double, count);
  g_autoptr (RvmBuffer) a = upload (q, q_count * sizeof (float)), b = upload (kv, kv_count * sizeof (float)), out = new_output (count);
  g_autoptr (RvmBuffer) normaliser = new_output ((gsize) batch * heads * queries);
  g_autofree char *what = g_strdup_printf ("attention %u x %u heads of %u, %u queries, %u keys, scale %g", batch, heads, head_dim, queries, keys,
      scale);

  reference_attention (q, q_stride, kv, kv_stride, kv + dim, kv_stride, expected, batch, heads, head_dim, queries, keys);
  rvm_attention (queue, &(RvmAttention){
                            .query = a, .query_stride = q_stride, .key = b, .key_stride = kv_stride,
                            .value = b, .value_offset = dim, .value_stride = kv_stride, .out = out, .normaliser = normaliser,
                            .batch = batch, .heads = heads, .head_dim = head_dim, .queries = queries, .keys = keys,
                        });
  /* Logits of scale^2 sqrt (head_dim) carry their rounding into the exponent. */
  compare (what, out, expected, count, 2e-6 + 2e-7 * scale * scale * sqrt (head_dim));
}

static void
check_position (guint pictures, guint tokens, guint dim)
{
  const gsize count = (gsize) pictures * tokens * dim;
  g_autofree float *x = random_values (count, 2), *position = random_values ((gsize) (tokens - 1) * dim, 2);
  g_autofree double *expected = g_new (double, count);
  g_autoptr (RvmBuffer) out = new_output (count), code = upload (position, (gsize) (tokens - 1) * dim * sizeof (float));
  g_autofree char *what = g_strdup_printf ("places added, %u pictures of %u tokens x %u", pictures, tokens, dim);

  for (gsize i = 0; i < count; i++) {
    const gsize token = i / dim % tokens;
    expected[i] = x[i] + (token ? (double) position[(token - 1) * dim + i % dim] : 0);
  }
  rvm_queue_write (queue, out, 0, x, count * sizeof (float));
  rvm_add_position (queue, out, code, pictures, tokens, dim);
  compare (what, out, expected, count, 1e-6);
}

static void
check_gates (guint rows, guint dim)
{
  const gsize count = (gsize) rows * dim;
  g_autofree float *gates = random_values (2 * count, 20), *state = random_values (count, 1), *scale = random_values (dim, 1);
  g_autofree float *candidate = random_values (count, 1);
  g_autofree double *context = g_new (double, count), *mean = g_new (double, rows), *next = g_new (double, count);
  g_autoptr (RvmBuffer) g = upload (gates, 2 * count * sizeof (float)), s = upload (state, count * sizeof (float));
  g_autoptr (RvmBuffer) sc = upload (scale, dim * sizeof (float)), c = upload (candidate, count * sizeof (float));
  g_autoptr (RvmBuffer) out = new_output (count), means = new_output (rows), updated = new_output (count);
  g_autofree char *what = g_strdup_printf ("gates %u x %u", rows, dim);

  reference_gates (gates, state, scale, candidate, context, mean, next, rows, dim, 1e-4);
  rvm_gate_context (queue, g, s, sc, out, means, rows, dim, 1e-4f);
  rvm_state_update (queue, g, s, c, updated, rows, dim);
  compare (what, out, context, count, 2e-6);
  compare (what, means, mean, rows, 2e-6);
  compare (what, updated, next, count, 2e-6);
}

static void
report_function (const char *what, double worst, double allowed)
{
  if (worst <= allowed) {
    passed++;
    return;
  }
  g_print ("FAILED %s: error %.2e, allowed %.2e\n", what, worst, allowed);
  failed++;
}

static void
check_all (void)
{
  static const guint dims[] = { 1, 3, 17, 48, 65, 384 };
  static const guint head_dims[] = { 1, 5, 16, 24, 48, 64, 80 };
  static const guint shapes[][3] = { { 1, 1, 1 }, { 1, 48, 7 }, { 5, 33, 17 }, { 7, 65, 48 }, { 13, 144, 48 }, { 61, 130, 112 }, { 257, 100, 96 } };
  const guint sizes = quick ? 3 : G_N_ELEMENTS (dims);
  g_autoptr (GError) error = NULL;

  if (!quick && !check_functions (queue, report_function, &error))
    g_error ("%s", error ? error->message : "the functions of common.cl cannot be called");

  check_patches (1, 1, 1, 16);
  check_patches (2, 2, 3, 8);
  check_patches (3, 3, 1, 5);
  for (guint i = 0; i < sizes; i++) {
    check_layernorm (1, dims[i], TRUE, 0);
    check_layernorm (5, dims[i], FALSE, 0);
    check_layernorm (3, dims[i], TRUE, dims[i] > 1 ? 30 : 0);
    check_position (3, 5, dims[i]);
    check_gates (1, dims[i]);
    check_gates (4, dims[i]);
  }
  for (guint i = 0; i < (quick ? 2 : G_N_ELEMENTS (head_dims)); i++) {
    check_attention (1, 1, head_dims[i], 1, 1, 1);
    check_attention (2, 3, head_dims[i], 5, 9, 1);
    if (!quick) {
      check_attention (1, 2, head_dims[i], 33, 65, 1);
      check_attention (3, 1, head_dims[i], 70, 129, 3);
      check_attention (1, 1, head_dims[i], 17, 64, 12);
      check_attention (2, 2, head_dims[i], 66, 200, 3);
    }
  }
  check_chain (1, 16, 48);
  check_chain (7, 34, 70);
  if (!quick) {
    check_chain (61, 96, 192);
    check_chain (257, 64, 100);
  }
  for (guint i = 0; i < (quick ? 3 : G_N_ELEMENTS (shapes)); i++)
    for (guint p = 0; p < (quick ? 1 : 2); p++) {
      const RvmGemmProvider provider = p ? RVM_GEMM_CLBLAST : RVM_GEMM_NATIVE;
      const guint m = shapes[i][0], n = shapes[i][1], k = shapes[i][2];

      check_gemm (provider, RVM_PRECISION_F32, m, n, k, FALSE, FALSE, 0);
      check_gemm (provider, RVM_PRECISION_F32, m, n, k, TRUE, TRUE, 0);
      check_gemm (provider, RVM_PRECISION_F32, m, n, k, TRUE, FALSE, (m + 1) / 2);
      if (!p)
        check_gemm (provider, RVM_PRECISION_F16, m, n, k, TRUE, TRUE, m);
    }
}

/* Median milliseconds of @runs runs of @run. */
static double
median_ms (void (*run) (gpointer data), gpointer data)
{
  double times[15];

  for (gint i = -2; i < (gint) G_N_ELEMENTS (times); i++) {
    const gint64 start = g_get_monotonic_time ();
    run (data);
    rvm_queue_finish (queue, NULL);
    if (i >= 0)
      times[i] = (g_get_monotonic_time () - start) / 1e3;
  }
  for (guint i = 1; i < G_N_ELEMENTS (times); i++)
    for (guint j = i; j > 0 && times[j] < times[j - 1]; j--) {
      const double swap = times[j];
      times[j] = times[j - 1];
      times[j - 1] = swap;
    }
  return times[G_N_ELEMENTS (times) / 2];
}

typedef struct {
  RvmGemmWeights *weights;
  RvmBuffer *a, *out, *normaliser;
  guint m, n, k, heads;
} BenchJob;

static void
run_gemm (gpointer data)
{
  const BenchJob *job = data;

  rvm_gemm (queue, job->weights, &(RvmGemm){ .a = job->a, .a_stride = job->k, .out = job->out, .out_stride = job->n, .m = job->m });
}

static void
run_attention (gpointer data)
{
  const BenchJob *job = data;
  const guint dim = job->k;

  rvm_attention (queue, &(RvmAttention){
                            .query = job->a, .query_stride = 3 * dim, .key = job->a, .key_offset = dim, .key_stride = 3 * dim,
                            .value = job->a, .value_offset = 2 * dim, .value_stride = 3 * dim, .out = job->out, .normaliser = job->normaliser,
                            .batch = 1, .heads = job->heads, .head_dim = dim / job->heads, .queries = job->m, .keys = job->m,
                        });
}

static void
bench_all (void)
{
  static const guint shapes[][3] = { { 257, 1152, 384 }, { 257, 384, 384 }, { 257, 1536, 384 }, { 257, 384, 1536 }, { 1651, 1536, 384 } };
  static const guint attention[][2] = { { 257, 6 }, { 257, 8 }, { 1651, 6 } };

  for (guint i = 0; i < G_N_ELEMENTS (shapes); i++) {
    const guint m = shapes[i][0], n = shapes[i][1], k = shapes[i][2];
    g_autofree float *values = random_values ((gsize) MAX (m, n) * k, 1);
    g_autoptr (RvmGemmWeights) weights = rvm_gemm_weights_new (device, RVM_GEMM_NATIVE, RVM_PRECISION_F32, k, n, FALSE, NULL);
    g_autoptr (RvmBuffer) a = upload (values, (gsize) m * k * sizeof (float)), out = new_output ((gsize) m * n);
    BenchJob job = { weights, a, out, NULL, m, n, k, 0 };

    rvm_gemm_weights_begin (weights, NULL);
    rvm_gemm_weights_set_kernel (weights, 0, 0, k, n, values);
    rvm_gemm_weights_end (weights, NULL);
    g_print ("gemm %u x %u x %u: %.1f GFLOP/s\n", m, n, k, 2e-6 * m * n * k / median_ms (run_gemm, &job));
  }
  for (guint i = 0; i < G_N_ELEMENTS (attention); i++) {
    const guint m = attention[i][0], dim = 384;
    g_autofree float *values = random_values ((gsize) m * 3 * dim, 1);
    g_autoptr (RvmBuffer) a = upload (values, (gsize) m * 3 * dim * sizeof (float)), out = new_output ((gsize) m * dim);
    g_autoptr (RvmBuffer) normaliser = new_output ((gsize) m * attention[i][1]);
    BenchJob job = { NULL, a, out, normaliser, m, 0, dim, attention[i][1] };

    g_print ("attention %u tokens, %u heads: %.1f GFLOP/s\n", m, job.heads, 4e-6 * m * m * dim / median_ms (run_attention, &job));
  }
}

static void
run_device (const char *selector)
{
  g_autoptr (GError) error = NULL;

  device = rvm_device_open (selector, NULL, &error);
  queue = device ? rvm_queue_new (device, FALSE, &error) : NULL;
  if (queue == NULL) {
    g_print ("FAILED %s\n", error->message);
    failed++;
  } else {
    g_print ("%s\n", rvm_device_get_name (device));
    if (tune) {
      if (!tune_device (device, table, &error)) {
        g_print ("FAILED %s\n", error->message);
        failed++;
      }
    } else if (bench)
      bench_all ();
    else
      check_all ();
  }
  g_clear_pointer (&queue, rvm_queue_free);
  g_clear_pointer (&device, rvm_device_unref);
}

int
main (int argc, char **argv)
{
  const GOptionEntry entries[] = {
    { "device", 'd', 0, G_OPTION_ARG_STRING, &only_device, "only this device: index or part of its name", "DEVICE" },
    { "bench", 'b', 0, G_OPTION_ARG_NONE, &bench, "time the kernels instead", NULL },
    { "tune", 't', 0, G_OPTION_ARG_NONE, &tune, "find the fastest tiles and print them as a row of kernels/ops/tuned.inc", NULL },
    { "table", 0, 0, G_OPTION_ARG_FILENAME, &table, "with --tune: put the row into this file", "FILE" },
    { "quick", 'q', 0, G_OPTION_ARG_NONE, &quick, "tiny sizes and the native GEMM only, for simulators", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- check every kernel on every OpenCL device");
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) devices = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    g_printerr ("checkcl: %s\n", error->message);
    return 2;
  }
  dice = g_rand_new_with_seed (1);
  devices = rvm_device_list ();
  if (only_device)
    run_device (only_device);
  for (guint i = 0; !only_device && devices[i]; i++) {
    g_autofree char *index = g_strdup_printf ("%u", i);
    run_device (index);
  }
  g_rand_free (dice);
  if (bench || tune)
    return failed != 0;
  g_print ("%u passed, %u failed\n", passed, failed);
  return failed || !passed;
}
