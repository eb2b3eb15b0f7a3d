/* Products and attention in bfloat16 by matrix units: everything on devices that have them, and where the emulator (matrix_units_emulator.c) is part of
 * the program. Inputs of the references are rounded to bfloat16 as those of the kernels are; sums are not, so that a float32 output is as exact as any. */
#include <math.h>
#include <string.h>

#include "checkcl.h"
#include "kernels/half.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/tiles.h"
#include "reference.h"

#define CANARY_BYTES 256
#define CANARY 0xa5
#define HALF_STEP 3.95e-3 /* the rounding of an output to bfloat16, 2^-8 just above a power of two */

/* Whether linear layers and norms are launched together: with the tiles for CPUs. */
static gboolean
joins_steps (void)
{
  return rvm_tiles_for_device (check_device).group == 1;
}

/* @count elements of @type, and more after them that must not change. @values NULL: all are CANARY. */
static RvmBuffer *
upload (RvmElement type, const float *values, gsize count)
{
  const gsize size = count * rvm_element_get_size (type);
  g_autofree guint8 *bytes = g_malloc (size + CANARY_BYTES);

  memset (bytes, CANARY, size + CANARY_BYTES);
  if (values && type == RVM_ELEMENT_F32)
    memcpy (bytes, values, size);
  for (gsize i = 0; values && type == RVM_ELEMENT_BF16 && i < count; i++)
    ((guint16 *) bytes)[i] = rvm_float_to_bfloat (values[i]);
  return check_upload_bytes (bytes, size + CANARY_BYTES);
}

/* Compares @x with @expected, (rows, width); what lies around the view must still be CANARY. */
static void
compare (const char *name, RvmTensor x, const double *expected, double tolerance)
{
  const gsize size = rvm_buffer_get_size (x.buffer), element = rvm_element_get_size (x.type);
  g_autofree guint8 *bytes = g_malloc (size);
  gboolean kept = TRUE;
  double worst = 0, largest = 1e-30;

  rvm_queue_read (check_queue, (RvmBuffer *) x.buffer, 0, bytes, size);
  check_finish ();
  for (gsize i = 0; i < size; i++) {
    const gsize at = i / element, from = at - x.offset, row = from / x.stride, column = from % x.stride;

    if (at < x.offset || row >= x.rows || column >= x.width)
      kept &= bytes[i] == CANARY;
  }
  for (guint i = 0; i < x.rows; i++)
    for (guint j = 0; j < x.width; j++, expected++) {
      const gsize at = x.offset + (gsize) i * x.stride + j;
      const float got = x.type == RVM_ELEMENT_BF16 ? rvm_bfloat_to_float (((guint16 *) bytes)[at]) : ((float *) bytes)[at];
      const double difference = fabs (got - *expected);

      worst = difference <= G_MAXFLOAT ? MAX (worst, difference) : INFINITY;
      largest = MAX (largest, fabs (*expected));
    }
  check_report (name, worst / largest, tolerance);
  check_report (kept ? name : "memory around the output", kept ? 0 : INFINITY, 0);
}

static RvmLinear *
make_linear (guint k, guint n, const float *kernel, const float *bias)
{
  return check_make_linear (RVM_GEMM_MATRIX_UNITS, RVM_ELEMENT_BF16, k, n, kernel, bias);
}

typedef struct {
  RvmElement in, out;
  gboolean bias, gelu;
  enum { NO_RESIDUAL, RESIDUAL, HALF_RESIDUAL, IN_PLACE } residual;
  guint beside; /* columns of input and output that are not part of them */
} Layer;

static void
check_product (const Layer *layer, guint m, guint n, guint k)
{
  check_case ("%s to %s, %u x %u x %u, bias %d, gelu %d, residual %d, %u columns beside", rvm_element_get_name (layer->in),
      rvm_element_get_name (layer->out), m, n, k, layer->bias, layer->gelu, layer->residual, layer->beside);

  const guint a_stride = k + layer->beside, residual_rows = layer->residual == HALF_RESIDUAL ? (m + 1) / 2 : m;
  g_autofree float *a = check_random ((gsize) m * a_stride, 1), *kept_a = check_round (RVM_ELEMENT_BF16, a, (gsize) m * a_stride);
  g_autofree float *w = check_random ((gsize) k * n, 1), *kept_w = check_round (RVM_ELEMENT_BF16, w, (gsize) k * n);
  g_autofree float *bias = check_random (n, 1), *added = check_random ((gsize) m * n, 1);
  g_autofree double *expected = g_new (double, (gsize) m * n);
  g_autoptr (RvmLinear) linear = make_linear (k, n, w, layer->bias ? bias : NULL);
  g_autoptr (RvmBuffer) in = upload (layer->in, a, (gsize) m * a_stride);
  g_autoptr (RvmBuffer) out = upload (layer->out, layer->residual == IN_PLACE ? added : NULL, (gsize) m * (n + layer->beside));
  g_autoptr (RvmBuffer) residual = upload (RVM_ELEMENT_F32, added, (gsize) m * n);
  RvmTensor x = rvm_tensor (in, m, a_stride), y = rvm_tensor (out, m, n + layer->beside);
  RvmEpilogue epilogue = { .gelu = layer->gelu };

  x.type = layer->in;
  y.type = layer->out;
  x = rvm_tensor_columns (x, layer->beside / 2, k);
  y = rvm_tensor_columns (y, layer->beside / 2, n);
  if (layer->residual != NO_RESIDUAL)
    epilogue.residual = rvm_tensor (layer->residual == IN_PLACE ? out : residual, residual_rows, n);
  reference_gemm (kept_a + layer->beside / 2, a_stride, kept_w, layer->bias ? bias : NULL, layer->residual != NO_RESIDUAL ? added : NULL, residual_rows,
      layer->gelu, expected, m, n, k);
  rvm_linear_forward (check_queue, linear, x, y, &epilogue);
  compare ("output", y, expected, (layer->out == RVM_ELEMENT_BF16 ? HALF_STEP : 1e-5) + (layer->gelu ? 1e-4 : 0));
}

/* What training needs: the input of GELU is stored, and a product is multiplied by GELU's slope. */
static void
check_gelu (guint m, guint n, guint k)
{
  check_case ("GELU and its slope, %u x %u x %u", m, n, k);

  g_autofree float *a = check_random ((gsize) m * k, 1), *kept_a = check_round (RVM_ELEMENT_BF16, a, (gsize) m * k);
  g_autofree float *w = check_random ((gsize) k * n, 1), *kept_w = check_round (RVM_ELEMENT_BF16, w, (gsize) k * n);
  g_autofree float *slopes = check_random ((gsize) m * n, 3);
  g_autofree double *product = g_new (double, (gsize) m * n), *expected = g_new (double, (gsize) m * n);
  g_autoptr (RvmLinear) linear = make_linear (k, n, w, NULL);
  g_autoptr (RvmBuffer) in = upload (RVM_ELEMENT_F32, a, (gsize) m * k), out = upload (RVM_ELEMENT_F32, NULL, (gsize) m * n);
  g_autoptr (RvmBuffer) pre = upload (RVM_ELEMENT_F32, NULL, (gsize) m * n), at = upload (RVM_ELEMENT_F32, slopes, (gsize) m * n);
  const RvmTensor x = rvm_tensor (in, m, k), y = rvm_tensor (out, m, n);

  reference_gemm (kept_a, k, kept_w, NULL, NULL, 1, FALSE, product, m, n, k);
  reference_gemm (kept_a, k, kept_w, NULL, NULL, 1, TRUE, expected, m, n, k);
  rvm_linear_forward (check_queue, linear, x, y, &(RvmEpilogue){ .gelu = TRUE, .pre_gelu = rvm_tensor (pre, m, n) });
  compare ("output", y, expected, 1e-4);
  compare ("input of GELU", rvm_tensor (pre, m, n), product, 1e-5);

  for (gsize i = 0; i < (gsize) m * n; i++) {
    const double s = slopes[i], t = tanh (sqrt (2 / G_PI) * (s + 0.044715 * s * s * s));

    expected[i] = product[i] * (0.5 * (1 + t) + 0.5 * s * (1 - t * t) * sqrt (2 / G_PI) * (1 + 3 * 0.044715 * s * s));
  }
  rvm_linear_forward (check_queue, linear, x, y, &(RvmEpilogue){ .gelu_slope = TRUE, .pre_gelu = rvm_tensor (at, m, n) });
  compare ("slope", y, expected, 1e-5);
}

static void
check_norms (guint rows, guint dim, gboolean with_bias)
{
  check_case ("layer norm to bf16, %u x %u, bias %d", rows, dim, with_bias);

  const gsize count = (gsize) rows * dim;
  g_autofree float *x = check_random (count, 3), *scale = check_random (dim, 1), *bias = check_random (dim, 1);
  g_autofree double *expected = g_new (double, count);
  g_autoptr (RvmBuffer) in = upload (RVM_ELEMENT_F32, x, count), out = upload (RVM_ELEMENT_BF16, NULL, count);
  g_autoptr (RvmBuffer) scales = check_upload (scale, dim), biases = check_upload (bias, dim);
  RvmTensor y = rvm_tensor (out, rows, dim);

  y.type = RVM_ELEMENT_BF16;
  reference_layernorm (x, scale, with_bias ? bias : NULL, expected, rows, dim, 1e-6);
  rvm_layernorm (check_queue, rvm_tensor (in, rows, dim), scales, with_bias ? biases : NULL, y, 1e-6f);
  compare ("output", y, expected, HALF_STEP);
}

static void
round_floats (const double *from, float *to, gsize count, RvmElement type)
{
  for (gsize i = 0; i < count; i++)
    to[i] = type == RVM_ELEMENT_BF16 ? rvm_bfloat_to_float (rvm_float_to_bfloat (from[i])) : (float) from[i];
}

/* What lies between two attentions, in one launch: x += a W0; h = GELU (LN (x) W1); x += h W2; y = LN (x) W0. @m rows that go through all steps in
 * blocks, which must not touch each other's rows. */
static void
check_joined (guint m, guint dim, guint hidden)
{
  check_case ("joined, %u rows of %u, hidden %u", m, dim, hidden);

  const gsize count = (gsize) m * dim, wide = (gsize) m * hidden;
  g_autofree float *a = check_random (count, 1), *x = check_random (count, 1), *scale = check_random (dim, 1);
  g_autofree float *w0 = check_random ((gsize) dim * dim, 0.2), *w1 = check_random ((gsize) dim * hidden, 0.2), *w2 = check_random ((gsize) dim * hidden, 0.2);
  g_autofree float *k0 = check_round (RVM_ELEMENT_BF16, w0, (gsize) dim * dim), *k1 = check_round (RVM_ELEMENT_BF16, w1, (gsize) dim * hidden);
  g_autofree float *k2 = check_round (RVM_ELEMENT_BF16, w2, (gsize) dim * hidden), *ka = check_round (RVM_ELEMENT_BF16, a, count);
  g_autofree float *norm = g_new (float, count), *h = g_new (float, wide);
  g_autofree double *result = g_new (double, MAX (count, wide)), *expected_x = g_new (double, count);
  g_autoptr (RvmLinear) g0 = make_linear (dim, dim, w0, NULL), g1 = make_linear (dim, hidden, w1, NULL), g2 = make_linear (hidden, dim, w2, NULL);
  g_autoptr (RvmBuffer) a_buffer = upload (RVM_ELEMENT_F32, a, count), x_buffer = upload (RVM_ELEMENT_F32, x, count);
  g_autoptr (RvmBuffer) norm_buffer = upload (RVM_ELEMENT_BF16, NULL, count), h_buffer = upload (RVM_ELEMENT_BF16, NULL, wide);
  g_autoptr (RvmBuffer) y_buffer = upload (RVM_ELEMENT_F32, NULL, count), scales = check_upload (scale, dim);
  const RvmTensor tx = rvm_tensor (x_buffer, m, dim), ty = rvm_tensor (y_buffer, m, dim);
  RvmTensor tn = rvm_tensor (norm_buffer, m, dim), th = rvm_tensor (h_buffer, m, hidden);
  const guint64 before = rvm_queue_get_launches (check_queue);

  tn.type = th.type = RVM_ELEMENT_BF16;
  rvm_linear_forward (check_queue, g0, rvm_tensor (a_buffer, m, dim), tx, &(RvmEpilogue){ .residual = tx });
  rvm_layernorm (check_queue, tx, scales, NULL, tn, 1e-6f);
  rvm_linear_forward (check_queue, g1, tn, th, &(RvmEpilogue){ .gelu = TRUE });
  rvm_linear_forward (check_queue, g2, th, tx, &(RvmEpilogue){ .residual = tx });
  rvm_layernorm (check_queue, tx, scales, NULL, tn, 1e-6f);
  rvm_linear_forward (check_queue, g0, tn, ty, NULL);
  check_finish ();
  check_report ("launches", rvm_queue_get_launches (check_queue) - before, joins_steps () ? 1 : 6);

  reference_gemm (ka, dim, k0, NULL, x, m, FALSE, result, m, dim, dim);
  round_floats (result, x, count, RVM_ELEMENT_F32);
  reference_layernorm (x, scale, NULL, result, m, dim, 1e-6);
  round_floats (result, norm, count, RVM_ELEMENT_BF16);
  reference_gemm (norm, dim, k1, NULL, NULL, 1, TRUE, result, m, hidden, dim);
  round_floats (result, h, wide, RVM_ELEMENT_BF16);
  reference_gemm (h, hidden, k2, NULL, x, m, FALSE, expected_x, m, dim, hidden);
  round_floats (expected_x, x, count, RVM_ELEMENT_F32);
  reference_layernorm (x, scale, NULL, result, m, dim, 1e-6);
  round_floats (result, norm, count, RVM_ELEMENT_BF16);
  reference_gemm (norm, dim, k0, NULL, NULL, 1, FALSE, result, m, dim, dim);
  /* A value on the edge between two bfloat16s may go to the other one. */
  compare ("x", tx, expected_x, 2e-3);
  compare ("y", ty, result, 4e-3);
}

/* The same memory with rows of two bytes an element and then of four, whose rows are not the same rows: it must not be one launch. */
static void
check_reused_memory (guint m, guint dim)
{
  check_case ("memory of both types, %u rows of %u", m, dim);

  const gsize count = (gsize) m * dim;
  g_autofree float *x = check_random (count, 1), *scale = check_random (dim, 1), *w = check_random ((gsize) dim * dim, 0.2);
  g_autofree float *kept_w = check_round (RVM_ELEMENT_BF16, w, (gsize) dim * dim), *rounded = g_new (float, count);
  g_autofree double *norm = g_new (double, count), *product = g_new (double, count);
  g_autoptr (RvmLinear) linear = make_linear (dim, dim, w, NULL);
  g_autoptr (RvmBuffer) in = upload (RVM_ELEMENT_F32, x, count), shared = upload (RVM_ELEMENT_F32, NULL, count), out = upload (RVM_ELEMENT_F32, NULL, count);
  g_autoptr (RvmBuffer) scales = check_upload (scale, dim);
  const RvmTensor tx = rvm_tensor (in, m, dim), wide = rvm_tensor (shared, m, dim), ty = rvm_tensor (out, m, dim);
  RvmTensor narrow = wide;
  const guint64 before = rvm_queue_get_launches (check_queue);

  narrow.type = RVM_ELEMENT_BF16;
  rvm_layernorm (check_queue, tx, scales, NULL, narrow, 1e-6f);
  rvm_linear_forward (check_queue, linear, narrow, ty, NULL);
  rvm_layernorm (check_queue, tx, scales, NULL, wide, 1e-6f);
  check_finish ();
  check_report ("launches are two", rvm_queue_get_launches (check_queue) - before == 2 || !joins_steps () ? 0 : 1, 0);
  reference_layernorm (x, scale, NULL, norm, m, dim, 1e-6);
  round_floats (norm, rounded, count, RVM_ELEMENT_BF16);
  reference_gemm (rounded, dim, kept_w, NULL, NULL, 1, FALSE, product, m, dim, dim);
  compare ("norm", wide, norm, 1e-5);
  compare ("product", ty, product, 4e-3);
}

static void
reference_log_sum_exp (const float *query, guint q_stride, const float *key, guint k_stride, double *out, guint batch, guint heads, guint head_dim,
    guint queries, guint keys)
{
  for (guint b = 0; b < batch; b++)
    for (guint h = 0; h < heads; h++)
      for (guint i = 0; i < queries; i++) {
        double total = 0;

        for (guint j = 0; j < keys; j++) {
          double dot = 0;

          for (guint d = 0; d < head_dim; d++)
            dot += (double) query[((gsize) b * queries + i) * q_stride + h * head_dim + d] * key[((gsize) b * keys + j) * k_stride + h * head_dim + d];
          total += exp (dot / sqrt (head_dim));
        }
        *out++ = log2 (total);
      }
}

static void
check_heads (guint batch, guint heads, guint head_dim, guint queries, guint keys, double scale)
{
  check_case ("batch %u, %u heads of %u, %u queries, %u keys, scale %g", batch, heads, head_dim, queries, keys, scale);

  const guint dim = heads * head_dim, q_stride = dim + 5, kv_stride = 2 * dim + 2;
  const gsize q_count = (gsize) batch * queries * q_stride, kv_count = (gsize) batch * keys * kv_stride, count = (gsize) batch * queries * dim;
  g_autofree float *wide_q = check_random (q_count, scale), *wide_kv = check_random (kv_count, scale);
  g_autofree float *q = check_round (RVM_ELEMENT_BF16, wide_q, q_count), *kv = check_round (RVM_ELEMENT_BF16, wide_kv, kv_count);
  g_autofree double *expected = g_new (double, count), *sums = g_new (double, (gsize) batch * heads * queries);
  g_autoptr (RvmBuffer) a = upload (RVM_ELEMENT_BF16, q, q_count), b = upload (RVM_ELEMENT_BF16, kv, kv_count);
  g_autoptr (RvmBuffer) out = upload (RVM_ELEMENT_BF16, NULL, count), log_sum_exp = upload (RVM_ELEMENT_F32, NULL, (gsize) batch * heads * queries);
  RvmTensor query = rvm_tensor (a, batch * queries, q_stride), context = rvm_tensor (b, batch * keys, kv_stride), y = rvm_tensor (out, batch * queries, dim);
  double largest = 1e-30;
  const RvmTensor lse = rvm_tensor (log_sum_exp, batch * heads, queries);

  query.type = context.type = y.type = RVM_ELEMENT_BF16;
  rvm_attention (check_queue, &(RvmAttention){
                                  .query = rvm_tensor_columns (query, 2, dim), .key = rvm_tensor_columns (context, 0, dim),
                                  .value = rvm_tensor_columns (context, dim + 1, dim), .out = y, .log_sum_exp = lse, .batch = batch, .heads = heads,
                              });
  reference_attention (q + 2, q_stride, kv, kv_stride, kv + dim + 1, kv_stride, expected, batch, heads, head_dim, queries, keys);
  reference_log_sum_exp (q + 2, q_stride, kv, kv_stride, sums, batch, heads, head_dim, queries, keys);
  compare ("output", y, expected, 2 * HALF_STEP); /* of probabilities and of the output */
  for (gsize i = 0; i < (gsize) batch * heads * queries; i++)
    largest = MAX (largest, fabs (sums[i]));
  compare ("logarithm of the sum of exponentials", lse, sums, 1.5e-4 / largest + 1e-5); /* exp2_fast() errs by 8e-5, of which a logarithm makes 1.2e-4 */
}

/* Products are held back until attention asks for scratch memory; theirs is larger then, and takes the place of what the queue has. */
static void
check_scratch (void)
{
  check_case ("held products with more scratch memory than attention");

  enum { M = 70, K = 200, DIM = 16 };
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmQueue) queue = rvm_queue_new (check_device, FALSE, &error); /* without memory of others */
  g_autofree float *a = check_random (M * K, 1), *w = check_random (K * DIM, 1), *kept_a = check_round (RVM_ELEMENT_BF16, a, M * K);
  g_autofree float *kept_w = check_round (RVM_ELEMENT_BF16, w, K * DIM), *q = check_random (2 * DIM, 1), *kept_q = check_round (RVM_ELEMENT_BF16, q, 2 * DIM);
  g_autofree double *product = g_new (double, M * DIM), *attended = g_new (double, 2 * DIM);
  g_autoptr (RvmLinear) linear = make_linear (K, DIM, w, NULL);
  g_autoptr (RvmBuffer) in = upload (RVM_ELEMENT_F32, a, M * K), out = upload (RVM_ELEMENT_F32, NULL, M * DIM);
  g_autoptr (RvmBuffer) query = upload (RVM_ELEMENT_BF16, q, 2 * DIM), answer = upload (RVM_ELEMENT_BF16, NULL, 2 * DIM), sums = check_output (2);
  RvmTensor x = rvm_tensor (query, 2, DIM), y = rvm_tensor (answer, 2, DIM);

  if (queue == NULL)
    g_error ("%s", error->message);
  x.type = y.type = RVM_ELEMENT_BF16;
  rvm_linear_forward (queue, linear, rvm_tensor (in, M, K), rvm_tensor (out, M, DIM), NULL);
  rvm_attention (queue, &(RvmAttention){ .query = x, .key = x, .value = x, .out = y, .log_sum_exp = rvm_tensor (sums, 1, 2), .batch = 1, .heads = 1 });
  if (!rvm_queue_finish (queue, &error))
    g_error ("%s", error->message);
  reference_gemm (kept_a, K, kept_w, NULL, NULL, 1, FALSE, product, M, DIM, K);
  reference_attention (kept_q, DIM, kept_q, DIM, kept_q, DIM, attended, 1, 1, DIM, 2, 2);
  compare ("product", rvm_tensor (out, M, DIM), product, 1e-5);
  compare ("attention", y, attended, 2 * HALF_STEP);
}

static void
check (gboolean quick)
{
  static const guint shapes[][3] = {
    { 1, 1, 1 }, { 1, 48, 7 }, { 2, 32, 32 }, { 5, 33, 17 }, { 7, 65, 48 }, { 13, 144, 48 }, { 31, 31, 33 }, { 33, 64, 96 }, { 61, 130, 112 }, { 257, 96, 64 },
  };
  static const Layer layers[] = {
    { RVM_ELEMENT_F32, RVM_ELEMENT_F32, FALSE, FALSE, NO_RESIDUAL, 0 }, { RVM_ELEMENT_BF16, RVM_ELEMENT_F32, TRUE, FALSE, IN_PLACE, 0 },
    { RVM_ELEMENT_BF16, RVM_ELEMENT_BF16, TRUE, TRUE, NO_RESIDUAL, 0 }, { RVM_ELEMENT_F32, RVM_ELEMENT_BF16, FALSE, FALSE, NO_RESIDUAL, 0 },
    { RVM_ELEMENT_BF16, RVM_ELEMENT_BF16, TRUE, FALSE, HALF_RESIDUAL, 6 }, { RVM_ELEMENT_BF16, RVM_ELEMENT_F32, TRUE, TRUE, RESIDUAL, 7 },
    { RVM_ELEMENT_F32, RVM_ELEMENT_BF16, TRUE, TRUE, NO_RESIDUAL, 5 },
  };
  static const guint head_dims[] = { 1, 5, 16, 24, 32, 48, 64, 80 };
  RvmGemmProvider provider = RVM_GEMM_MATRIX_UNITS;
  g_autoptr (GError) error = NULL;

  if (!rvm_gemm_resolve (check_device, &provider, RVM_ELEMENT_BF16, &error)) {
    g_print ("skipped: %s\n", error->message);
    return;
  }
  for (guint i = 0; i < (quick ? 3 : G_N_ELEMENTS (shapes)); i++)
    for (guint l = 0; l < G_N_ELEMENTS (layers); l++)
      check_product (&layers[l], shapes[i][0], shapes[i][1], shapes[i][2]);
  check_gelu (7, 65, 33);
  check_gelu (37, 40, 64);
  check_norms (1, 1, FALSE);
  check_norms (5, 33, TRUE);
  check_norms (37, 384, TRUE);
  check_joined (1, 32, 64);
  check_joined (67, 48, 96);
  check_joined (259, 64, 100);
  check_reused_memory (259, 64);
  check_scratch ();
  for (guint i = 0; i < (quick ? 2 : G_N_ELEMENTS (head_dims)); i++) {
    check_heads (1, 1, head_dims[i], 1, 1, 1);
    check_heads (2, 3, head_dims[i], 5, 9, 1);
    if (quick)
      continue;
    check_heads (1, 2, head_dims[i], 33, 65, 1);
    check_heads (3, 1, head_dims[i], 70, 129, 3);
    check_heads (1, 1, head_dims[i], 257, 64, 3);
  }
}

const CheckOp check_matrix_units = { "matrix-units", check, NULL, NULL };
