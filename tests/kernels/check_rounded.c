/* Linear layers that are trained with operands of bfloat16, by the native provider, and by matrix units where there are some or the emulator
 * (matrix_units_emulator.c) is part of the program. Operands of the references are rounded to bfloat16 and their sums are not, so that results are as
 * exact as those of float32. */
#include "checkcl.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/linear_backward.h"
#include "kernels/ops/norm.h"
#include "reference.h"

static float *
round_values (const float *values, gsize count)
{
  return check_round (RVM_ELEMENT_BF16, values, count);
}

/* @values (rows, columns) as (columns, rows). */
static float *
transpose (const float *values, guint rows, guint columns)
{
  float *out = g_new (float, (gsize) rows * columns);

  for (guint i = 0; i < rows; i++)
    for (guint j = 0; j < columns; j++)
      out[(gsize) j * rows + i] = values[(gsize) i * columns + j];
  return out;
}

/* The part of @values, rows of @stride, that a layer sees. */
static float *
take_columns (const float *values, guint rows, guint stride, guint first, guint columns)
{
  float *out = g_new (float, (gsize) rows * columns);

  for (guint i = 0; i < rows; i++)
    for (guint j = 0; j < columns; j++)
      out[(gsize) i * columns + j] = values[(gsize) i * stride + first + j];
  return out;
}

static void
fill (RvmLinear *linear, const float *kernel, const float *bias)
{
  const guint k = rvm_linear_get_k (linear), n = rvm_linear_get_n (linear);
  g_autoptr (GError) error = NULL;

  if (!rvm_linear_begin (linear, &error))
    g_error ("%s", error->message);
  rvm_linear_set_kernel (linear, 0, 0, k, n, kernel);
  if (bias)
    rvm_linear_set_bias (linear, 0, n, bias);
  if (!rvm_linear_end (linear, &error))
    g_error ("%s", error->message);
}

static RvmLinear *
make_linear (RvmGemmProvider provider, guint k, guint n, const float *kernel, const float *bias)
{
  g_autoptr (GError) error = NULL;
  RvmLinear *linear = rvm_linear_new_trainable (check_device, provider, RVM_ELEMENT_BF16, k, n, bias != NULL, &error);

  if (linear == NULL)
    g_error ("%s", error->message);
  fill (linear, kernel, bias);
  return linear;
}

static RvmLinearGradient *
make_gradient (RvmLinear *linear)
{
  g_autoptr (GError) error = NULL;
  RvmLinearGradient *gradient = rvm_linear_gradient_new (check_device, linear, &error);

  if (gradient == NULL)
    g_error ("%s", error->message);
  rvm_linear_gradient_refresh (check_queue, gradient);
  return gradient;
}

static double
compare (const float *got, const double *expected, double factor, gsize count)
{
  double worst = 0, largest = 1e-30;

  for (gsize i = 0; i < count; i++) {
    worst = MAX (worst, ABS (got[i] - factor * expected[i]));
    largest = MAX (largest, ABS (factor * expected[i]));
  }
  return worst / largest;
}

/* The gradients of the weights are @times the sums of @a and @d. */
static void
check_weights (RvmLinear *linear, RvmLinearGradient *gradient, const float *a, const float *d, guint m, guint times)
{
  const guint k = rvm_linear_get_k (linear), n = rvm_linear_get_n (linear);
  g_autofree float *kept_a = round_values (a, (gsize) m * k), *kept_d = round_values (d, (gsize) m * n), *turned = transpose (kept_a, m, k);
  g_autofree double *expected = g_new (double, (gsize) k * n), *sums = g_new0 (double, n);
  RvmBuffer *kernel = rvm_linear_gradient_get_kernel (gradient);
  const gsize stored = rvm_buffer_get_size (kernel) / sizeof (float);
  g_autofree float *values = check_read (kernel, stored), *unpacked = g_new (float, (gsize) k * n);
  g_autofree float *bias = check_read (rvm_linear_gradient_get_bias (gradient), n);
  double all = 0, ours = 0;

  reference_gemm (turned, m, kept_d, NULL, NULL, 1, FALSE, expected, k, n, m);
  for (guint i = 0; i < m; i++)
    for (guint j = 0; j < n; j++)
      sums[j] += d[(gsize) i * n + j]; /* with all its bits */
  rvm_linear_unpack (linear, values, 0, n, unpacked);
  check_report (times > 1 ? "kernel, accumulated" : "kernel", compare (unpacked, expected, times, (gsize) k * n), 1e-5);
  check_report (times > 1 ? "bias, accumulated" : "bias", compare (bias, sums, times, n), 1e-5);
  /* The optimiser sees padding too. */
  for (gsize i = 0; i < stored; i++)
    all += ABS (values[i]);
  for (gsize i = 0; i < (gsize) k * n; i++)
    ours += ABS (unpacked[i]);
  check_report ("padding of the kernel's gradient", ABS (all - ours) / MAX (ours, 1e-30), 1e-9);
}

static void
check_layer (RvmGemmProvider provider, guint m, guint n, guint k)
{
  check_case ("%s, %u x %u x %u", rvm_gemm_get_name (provider), m, n, k);

  const guint a_stride = k + 3, d_stride = n + 5;
  g_autofree float *wide_a = check_random ((gsize) m * a_stride, 1), *wide_d = check_random ((gsize) m * d_stride, 1);
  g_autofree float *w = check_random ((gsize) k * n, 1), *bias = check_random (n, 1), *other = check_random ((gsize) k * n, 1);
  g_autofree float *a = take_columns (wide_a, m, a_stride, 2, k), *d = take_columns (wide_d, m, d_stride, 1, n);
  g_autofree float *kept_a = round_values (a, (gsize) m * k), *kept_d = round_values (d, (gsize) m * n), *kept_w = round_values (w, (gsize) k * n);
  g_autofree float *turned = transpose (kept_w, k, n), *kept_other = round_values (other, (gsize) k * n);
  g_autofree double *expected = g_new (double, (gsize) m * MAX (n, k));
  g_autoptr (RvmLinear) linear = make_linear (provider, k, n, w, bias);
  g_autoptr (RvmLinearGradient) gradient = make_gradient (linear);
  g_autoptr (RvmBuffer) in = check_upload (wide_a, (gsize) m * a_stride), dout = check_upload (wide_d, (gsize) m * d_stride);
  g_autoptr (RvmBuffer) out = check_output ((gsize) m * n), din = check_output ((gsize) m * k);
  const RvmTensor x = rvm_tensor_columns (rvm_tensor (in, m, a_stride), 2, k), dy = rvm_tensor_columns (rvm_tensor (dout, m, d_stride), 1, n);

  rvm_linear_forward (check_queue, linear, x, rvm_tensor (out, m, n), NULL);
  reference_gemm (kept_a, k, kept_w, bias, NULL, 1, FALSE, expected, m, n, k);
  check_compare ("output", out, expected, (gsize) m * n, 1e-5);

  rvm_linear_forward (check_queue, rvm_linear_gradient_get_transposed (gradient), dy, rvm_tensor (din, m, k), NULL);
  reference_gemm (kept_d, n, turned, NULL, NULL, 1, FALSE, expected, m, k, n);
  check_compare ("gradient of the input", din, expected, (gsize) m * k, 1e-5);

  rvm_linear_gradient_add (check_queue, gradient, x, dy);
  check_weights (linear, gradient, a, d, m, 1);
  rvm_linear_gradient_add (check_queue, gradient, x, dy);
  check_weights (linear, gradient, a, d, m, 2);

  /* Other weights are used from the next refresh on. */
  fill (linear, other, bias);
  rvm_linear_gradient_refresh (check_queue, gradient);
  rvm_linear_forward (check_queue, linear, x, rvm_tensor (out, m, n), NULL);
  reference_gemm (kept_a, k, kept_other, bias, NULL, 1, FALSE, expected, m, n, k);
  check_compare ("output with other weights", out, expected, (gsize) m * n, 1e-5);
}

static float *
to_floats (const double *from, gsize count)
{
  float *out = g_new (float, count);

  for (gsize i = 0; i < count; i++)
    out[i] = from[i];
  return out;
}

/* h = GELU (LN (x) W1); y = x + h W2, in one launch on CPUs: inputs of several widths are rounded in the same scratch memory. The norm's output and h stay
 * as they are. */
static void
check_joined (RvmGemmProvider provider, guint m, guint dim, guint hidden)
{
  check_case ("joined, %s, %u rows of %u, hidden %u", rvm_gemm_get_name (provider), m, dim, hidden);

  const gsize count = (gsize) m * dim, wide = (gsize) m * hidden;
  g_autofree float *x = check_random (count, 1), *scale = check_random (dim, 1);
  g_autofree float *w1 = check_random ((gsize) dim * hidden, 0.2), *w2 = check_random ((gsize) dim * hidden, 0.2);
  g_autofree float *k1 = round_values (w1, (gsize) dim * hidden), *k2 = round_values (w2, (gsize) dim * hidden);
  g_autofree double *norm = g_new (double, count), *h = g_new (double, wide), *y = g_new (double, count);
  g_autoptr (RvmLinear) in = make_linear (provider, dim, hidden, w1, NULL), out = make_linear (provider, hidden, dim, w2, NULL);
  RvmLinearGradient *of_in = make_gradient (in), *of_out = make_gradient (out);
  g_autoptr (RvmBuffer) x_buffer = check_upload (x, count), scales = check_upload (scale, dim), norm_buffer = check_output (count);
  g_autoptr (RvmBuffer) h_buffer = check_output (wide), y_buffer = check_output (count);
  const RvmTensor tx = rvm_tensor (x_buffer, m, dim), tn = rvm_tensor (norm_buffer, m, dim), th = rvm_tensor (h_buffer, m, hidden);
  guint64 before;

  check_finish ();
  before = rvm_queue_get_launches (check_queue);
  rvm_layernorm (check_queue, tx, scales, NULL, tn, 1e-6f);
  rvm_linear_forward (check_queue, in, tn, th, &(RvmEpilogue){ .gelu = TRUE });
  rvm_linear_forward (check_queue, out, th, rvm_tensor (y_buffer, m, dim), &(RvmEpilogue){ .residual = tx });
  check_finish ();
  check_report ("launches", rvm_queue_get_launches (check_queue) - before, rvm_device_is_cpu (check_device) && g_strcmp0 (g_getenv ("RVM_TILES"), "gpu") != 0 ? 1 : 3);

  reference_layernorm (x, scale, NULL, norm, m, dim, 1e-6);
  check_compare ("norm", norm_buffer, norm, count, 1e-5);
  {
    g_autofree float *wide_norm = to_floats (norm, count), *kept = round_values (wide_norm, count);
    reference_gemm (kept, dim, k1, NULL, NULL, 1, TRUE, h, m, hidden, dim);
  }
  {
    g_autofree float *wide_h = to_floats (h, wide), *kept = round_values (wide_h, wide);
    reference_gemm (kept, hidden, k2, NULL, x, m, FALSE, y, m, dim, hidden);
  }
  /* A value on the edge between two bfloat16s may go to the other one. */
  check_compare ("h", h_buffer, h, wide, 2e-3);
  check_compare ("y", y_buffer, y, count, 2e-3);
  rvm_linear_gradient_free (of_in);
  rvm_linear_gradient_free (of_out);
}

/* Layers that are trained with operands of different precisions are not one launch. */
static void
check_mixed (void)
{
  check_case ("rounded and not");

  enum { M = 9, DIM = 24 };
  g_autofree float *x = check_random (M * DIM, 1), *w = check_random (DIM * DIM, 1), *kept_x = round_values (x, M * DIM), *kept_w = round_values (w, DIM * DIM);
  g_autofree double *expected = g_new (double, M * DIM);
  g_autoptr (RvmLinear) rounded = make_linear (RVM_GEMM_NATIVE, DIM, DIM, w, NULL);
  g_autoptr (RvmLinear) stored = check_make_linear (RVM_GEMM_NATIVE, RVM_ELEMENT_BF16, DIM, DIM, w, NULL);
  RvmLinearGradient *gradient = make_gradient (rounded);
  g_autoptr (RvmBuffer) in = check_upload (x, M * DIM), a = check_output (M * DIM), b = check_output (M * DIM);

  rvm_linear_forward (check_queue, rounded, rvm_tensor (in, M, DIM), rvm_tensor (a, M, DIM), NULL);
  rvm_linear_forward (check_queue, stored, rvm_tensor (in, M, DIM), rvm_tensor (b, M, DIM), NULL);
  reference_gemm (kept_x, DIM, kept_w, NULL, NULL, 1, FALSE, expected, M, DIM, DIM);
  check_compare ("rounded", a, expected, M * DIM, 1e-5);
  reference_gemm (x, DIM, kept_w, NULL, NULL, 1, FALSE, expected, M, DIM, DIM);
  check_compare ("weights of bfloat16 alone", b, expected, M * DIM, 1e-5);
  rvm_linear_gradient_free (gradient);
}

static void
check (gboolean quick)
{
  static const RvmGemmProvider providers[] = { RVM_GEMM_NATIVE, RVM_GEMM_MATRIX_UNITS };
  static const guint sizes[][3] = { { 1, 1, 1 }, { 7, 5, 3 }, { 33, 32, 64 }, { 67, 65, 49 }, { 13, 131, 17 }, { 131, 24, 103 }, { 200, 96, 96 } };

  for (guint p = 0; p < G_N_ELEMENTS (providers); p++) {
    RvmGemmProvider provider = providers[p];

    if (!rvm_gemm_resolve (check_device, &provider, RVM_ELEMENT_BF16, NULL))
      continue; /* no matrix units */
    for (guint i = 0; i < (quick ? 2 : G_N_ELEMENTS (sizes)); i++)
      check_layer (provider, sizes[i][0], sizes[i][1], sizes[i][2]);
    check_joined (provider, 1, 16, 48);
    check_joined (provider, 7, 34, 70);
    if (!quick)
      check_joined (provider, 259, 64, 100);
  }
  check_mixed ();
}

const CheckOp check_rounded = { "rounded-operands", check, NULL, NULL };
