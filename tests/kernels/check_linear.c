/* Linear layers of both providers, and their backward pass. */
#include <math.h>

#include "checkcl.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/linear_backward.h"
#include "reference.h"

static const char *
provider_name (RvmGemmProvider provider)
{
  return rvm_gemm_get_name (provider);
}

/* Columns @first to @first + @columns - 1 of @w (k, n). */
static float *
copy_columns (const float *w, guint k, guint n, guint first, guint columns)
{
  float *part = g_new (float, (gsize) k * columns);

  for (guint p = 0; p < k; p++)
    for (guint j = 0; j < columns; j++)
      part[(gsize) p * columns + j] = w[(gsize) p * n + first + j];
  return part;
}

/* In two pieces, as query, key and value are written. */
static RvmLinear *
make_linear (RvmGemmProvider provider, RvmElement type, guint k, guint n, const float *kernel, const float *bias)
{
  const guint split = n / 3;
  g_autofree float *left = copy_columns (kernel, k, n, 0, split), *right = copy_columns (kernel, k, n, split, n - split);
  g_autoptr (GError) error = NULL;
  RvmLinear *linear = rvm_linear_new (check_device, provider, type, k, n, bias != NULL, &error);

  if (linear == NULL || !rvm_linear_begin (linear, &error))
    g_error ("%s", error->message);
  if (split)
    rvm_linear_set_kernel (linear, 0, 0, k, split, left);
  rvm_linear_set_kernel (linear, 0, split, k, n - split, right);
  if (bias)
    rvm_linear_set_bias (linear, 0, n, bias);
  if (!rvm_linear_end (linear, &error))
    g_error ("%s", error->message);
  return linear;
}

static void
check_product (RvmGemmProvider provider, RvmElement type, guint m, guint n, guint k, gboolean with_bias, gboolean gelu, guint residual_rows)
{
  check_case ("%s %s, %u x %u x %u, bias %d, gelu %d, %u rows of residual", provider_name (provider), rvm_element_get_name (type), m, n, k,
      with_bias, gelu, residual_rows);

  const guint stride = k + 3, most_residual = MAX (residual_rows, 1);
  g_autofree float *a = check_random ((gsize) m * stride, 1), *w = check_random ((gsize) k * n, 1), *bias = check_random (n, 1);
  g_autofree float *residual = check_random ((gsize) most_residual * n, 1);
  g_autofree float *kept = check_round (type, w, (gsize) k * n);
  g_autofree double *expected = g_new (double, (gsize) m * n);
  g_autoptr (RvmLinear) linear = make_linear (provider, type, k, n, w, with_bias ? bias : NULL);
  g_autoptr (RvmBuffer) in = check_upload (a, (gsize) m * stride), out = check_output ((gsize) m * n);
  g_autoptr (RvmBuffer) added = check_upload (residual, (gsize) most_residual * n);

  reference_gemm (a, stride, kept, with_bias ? bias : NULL, residual_rows ? residual : NULL, most_residual, gelu, expected, m, n, k);
  rvm_linear_forward (check_queue, linear, rvm_tensor_columns (rvm_tensor (in, m, stride), 0, k), rvm_tensor (out, m, n),
      &(RvmEpilogue){ .gelu = gelu, .residual = rvm_tensor (residual_rows ? added : NULL, residual_rows, n) });
  check_compare ("output", out, expected, (gsize) m * n, type == RVM_ELEMENT_F16 ? 1e-4 : 1e-5); /* a weight may be a subnormal half */
}

/* Columns in the middle of wider matrices, for input and output; the columns beside the output stay. */
static void
check_views (RvmGemmProvider provider, guint m, guint n, guint k)
{
  check_case ("%s, %u x %u x %u, views", provider_name (provider), m, n, k);

  const guint a_stride = k + 5, out_stride = n + 7;
  g_autofree float *a = check_random ((gsize) m * a_stride, 1), *w = check_random ((gsize) k * n, 1), *before = check_random ((gsize) m * out_stride, 1);
  g_autofree double *product = g_new (double, (gsize) m * n), *expected = g_new (double, (gsize) m * out_stride);
  g_autoptr (RvmLinear) linear = make_linear (provider, RVM_ELEMENT_F32, k, n, w, NULL);
  g_autoptr (RvmBuffer) in = check_upload (a, (gsize) m * a_stride), out = check_output ((gsize) m * out_stride);

  reference_gemm (a + 2, a_stride, w, NULL, NULL, 1, FALSE, product, m, n, k);
  for (gsize i = 0; i < (gsize) m * out_stride; i++) {
    const guint column = i % out_stride;
    expected[i] = column >= 3 && column < 3 + n ? product[i / out_stride * n + column - 3] : (double) before[i];
  }
  rvm_queue_write (check_queue, out, 0, before, (gsize) m * out_stride * sizeof (float));
  rvm_linear_forward (check_queue, linear, rvm_tensor_columns (rvm_tensor (in, m, a_stride), 2, k),
      rvm_tensor_columns (rvm_tensor (out, m, out_stride), 3, n), NULL);
  check_compare ("output", out, expected, (gsize) m * out_stride, 1e-5);
}

/* out = a W + bias, or out = GELU (a) W. */
typedef struct {
  guint m, n, k;
  float *a, *w, *bias, *r;
} Linear;

static double
linear_loss (gconstpointer data)
{
  const Linear *l = data;
  const gsize count = (gsize) l->m * l->n;
  g_autofree double *out = g_new (double, count);

  reference_gemm (l->a, l->k, l->w, l->bias, NULL, 1, FALSE, out, l->m, l->n, l->k);
  return check_weigh (l->r, out, count);
}

static double
gelu_loss (gconstpointer data)
{
  const Linear *l = data;
  double sum = 0;

  for (guint i = 0; i < l->m; i++)
    for (guint p = 0; p < l->k; p++) {
      const double x = l->a[(gsize) i * l->k + p], y = 0.5 * x * (1 + tanh (sqrt (2 / G_PI) * (x + 0.044715 * x * x * x)));

      for (guint j = 0; j < l->n; j++)
        sum += y * l->w[(gsize) p * l->n + j] * l->r[(gsize) i * l->n + j];
    }
  return sum;
}

/* The gradient of the kernel, divided by @times, in the order of the weight file. */
static float *
read_kernel_gradient (const RvmLinear *linear, const RvmLinearGradient *gradient, guint times)
{
  RvmBuffer *buffer = rvm_linear_gradient_get_kernel (gradient);
  const guint k = rvm_linear_get_k (linear), n = rvm_linear_get_n (linear);
  g_autofree float *stored = check_read (buffer, rvm_buffer_get_size (buffer) / sizeof (float));
  float *values = g_new (float, (gsize) k * n);

  rvm_linear_unpack (linear, stored, 0, n, values);
  for (gsize i = 0; i < (gsize) k * n; i++)
    values[i] /= times;
  return values;
}

static void
check_gradients (RvmGemmProvider provider, guint m, guint n, guint k)
{
  check_case ("backward, %s, %u x %u x %u", provider_name (provider), m, n, k);

  const gsize mk = (gsize) m * k, mn = (gsize) m * n, kn = (gsize) k * n;
  Linear l = { m, n, k, check_random (mk, 1), check_random (kn, 1), check_random (n, 1), check_random (mn, 1) };
  g_autoptr (RvmLinear) linear = make_linear (provider, RVM_ELEMENT_F32, k, n, l.w, l.bias);
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmLinearGradient) gradient = rvm_linear_gradient_new (check_device, linear, &error);
  g_autoptr (RvmBuffer) a = check_upload (l.a, mk), d = check_upload (l.r, mn), da = check_upload (NULL, mk);
  const RvmTensor x = rvm_tensor (a, m, k), dout = rvm_tensor (d, m, n), dx = rvm_tensor (da, m, k);
  g_autofree float *once = NULL, *twice = NULL;

  if (gradient == NULL)
    g_error ("%s", error->message);
  rvm_linear_gradient_refresh (check_queue, gradient);
  rvm_linear_gradient_add (check_queue, gradient, x, dout);
  rvm_linear_forward (check_queue, rvm_linear_gradient_get_transposed (gradient), dout, dx, NULL);
  check_gradient_buffer ("input", l.a, da, mk, linear_loss, &l);
  check_gradient_buffer ("bias", l.bias, rvm_linear_gradient_get_bias (gradient), n, linear_loss, &l);
  once = read_kernel_gradient (linear, gradient, 1);
  check_gradient ("kernel", l.w, once, kn, linear_loss, &l);

  rvm_linear_gradient_add (check_queue, gradient, x, dout); /* adds to the first */
  twice = read_kernel_gradient (linear, gradient, 2);
  check_gradient ("kernel, accumulated", l.w, twice, kn, linear_loss, &l);

  rvm_linear_forward (check_queue, rvm_linear_gradient_get_transposed (gradient), dout, dx, &(RvmEpilogue){ .gelu_slope = TRUE, .pre_gelu = x });
  check_gradient_buffer ("GELU", l.a, da, mk, gelu_loss, &l);
  g_free (l.a);
  g_free (l.w);
  g_free (l.bias);
  g_free (l.r);
}

static void
check (gboolean quick)
{
  static const guint shapes[][3] = { { 1, 1, 1 }, { 1, 48, 7 }, { 5, 33, 17 }, { 7, 65, 48 }, { 13, 144, 48 }, { 61, 130, 112 }, { 257, 100, 96 } };

  for (guint i = 0; i < (quick ? 3 : G_N_ELEMENTS (shapes)); i++)
    for (guint p = 0; p < (quick ? 1 : 2); p++) {
      const RvmGemmProvider provider = p ? RVM_GEMM_CLBLAST : RVM_GEMM_NATIVE;
      const guint m = shapes[i][0], n = shapes[i][1], k = shapes[i][2];

      check_product (provider, RVM_ELEMENT_F32, m, n, k, FALSE, FALSE, 0);
      check_product (provider, RVM_ELEMENT_F32, m, n, k, TRUE, TRUE, 0);
      check_product (provider, RVM_ELEMENT_F32, m, n, k, TRUE, FALSE, (m + 1) / 2);
      check_views (provider, m, n, k);
      if (!p) {
        check_product (provider, RVM_ELEMENT_F16, m, n, k, TRUE, TRUE, m);
        check_product (provider, RVM_ELEMENT_BF16, m, n, k, TRUE, TRUE, m);
        check_product (provider, RVM_ELEMENT_BF16, m, n, k, FALSE, FALSE, 0);
      }
    }
}

static void
check_backward (gboolean quick)
{
  static const guint sizes[][3] = { { 1, 1, 1 }, { 7, 5, 3 }, { 67, 65, 49 }, { 13, 131, 17 }, { 131, 24, 103 } };

  for (guint i = 0; i < (quick ? 2 : G_N_ELEMENTS (sizes)); i++)
    check_gradients (RVM_GEMM_NATIVE, sizes[i][0], sizes[i][1], sizes[i][2]);
  if (!quick)
    check_gradients (RVM_GEMM_CLBLAST, sizes[2][0], sizes[2][1], sizes[2][2]);
}

typedef struct {
  const RvmLinear *linear;
  RvmTensor a, out;
} BenchJob;

static void
run_product (gpointer data)
{
  const BenchJob *job = data;

  rvm_linear_forward (check_queue, job->linear, job->a, job->out, NULL);
}

static void
bench (void)
{
  static const guint shapes[][3] = { { 257, 1152, 384 }, { 257, 384, 384 }, { 257, 1536, 384 }, { 257, 384, 1536 }, { 1651, 1536, 384 } };

  for (guint i = 0; i < G_N_ELEMENTS (shapes); i++) {
    const guint m = shapes[i][0], n = shapes[i][1], k = shapes[i][2];
    g_autofree float *values = check_random ((gsize) MAX (m, n) * k, 1);
    g_autoptr (RvmLinear) linear = make_linear (RVM_GEMM_NATIVE, RVM_ELEMENT_F32, k, n, values, NULL);
    g_autoptr (RvmBuffer) a = check_upload (values, (gsize) m * k), out = check_output ((gsize) m * n);
    BenchJob job = { linear, rvm_tensor (a, m, k), rvm_tensor (out, m, n) };

    g_print ("linear %u x %u x %u: %.1f GFLOP/s\n", m, n, k, 2e-6 * m * n * k / check_time (run_product, &job));
  }
}

const CheckOp check_linear = { "linear", check, check_backward, bench };
