/* Layer norm and its backward pass. */
#include "checkcl.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/norm_backward.h"
#include "reference.h"

static void
check_rows (guint rows, guint dim, gboolean with_bias, double offset)
{
  check_case ("rows %u, dim %u, bias %d, offset %g", rows, dim, with_bias, offset);

  const gsize count = (gsize) rows * dim;
  g_autofree float *x = check_random (count, 2), *scale = check_random (dim, 2), *bias = check_random (dim, 2);
  g_autofree double *expected = g_new (double, count);
  g_autoptr (RvmBuffer) in = NULL, s = check_upload (scale, dim), b = check_upload (bias, dim), out = check_output (count);

  for (gsize i = 0; i < count; i++)
    x[i] += offset;
  in = check_upload (x, count);
  reference_layernorm (x, scale, with_bias ? bias : NULL, expected, rows, dim, 1e-6);
  rvm_layernorm (check_queue, rvm_tensor (in, rows, dim), s, with_bias ? b : NULL, rvm_tensor (out, rows, dim), 1e-6f);
  /* The mean itself is rounded according to its magnitude. */
  check_compare ("output", out, expected, count, 2e-6 * (1 + (offset < 0 ? -offset : offset)));
}

typedef struct {
  guint rows, dim;
  float *x, *scale, *bias, *r;
} Norm;

static double
norm_loss (gconstpointer data)
{
  const Norm *n = data;
  const gsize count = (gsize) n->rows * n->dim;
  g_autofree double *out = g_new (double, count);

  reference_layernorm (n->x, n->scale, n->bias, out, n->rows, n->dim, 1e-6);
  return check_weigh (n->r, out, count);
}

static void
check_gradients (guint rows, guint dim)
{
  check_case ("backward, rows %u, dim %u", rows, dim);

  const gsize count = (gsize) rows * dim;
  Norm n = { rows, dim, check_random (count, 2), check_random (dim, 2), check_random (dim, 2), check_random (count, 1) };
  g_autoptr (RvmBuffer) x = check_upload (n.x, count), scale = check_upload (n.scale, dim), dout = check_upload (n.r, count);
  g_autoptr (RvmBuffer) dx = check_upload (NULL, count), dscale = check_upload (NULL, dim), dbias = check_upload (NULL, dim);
  g_autoptr (RvmBuffer) scratch = check_upload (NULL, rvm_norm_backward_scratch (rows, dim));

  rvm_layernorm_backward (check_queue, &(RvmLayerNormBackward){
                                           .x = rvm_tensor (x, rows, dim), .dout = rvm_tensor (dout, rows, dim), .scale = scale,
                                           .dx = rvm_tensor (dx, rows, dim), .accumulate_dx = TRUE, .dscale = dscale, .dbias = dbias,
                                           .accumulate = TRUE, .scratch = scratch, .epsilon = 1e-6f,
                                       });
  check_gradient_buffer ("input", n.x, dx, count, norm_loss, &n);
  check_gradient_buffer ("scale", n.scale, dscale, dim, norm_loss, &n);
  check_gradient_buffer ("bias", n.bias, dbias, dim, norm_loss, &n);
  g_free (n.x);
  g_free (n.scale);
  g_free (n.bias);
  g_free (n.r);
}

static void
check (gboolean quick)
{
  static const guint dims[] = { 1, 3, 17, 48, 65, 384 };

  for (guint i = 0; i < (quick ? 3 : G_N_ELEMENTS (dims)); i++) {
    check_rows (1, dims[i], TRUE, 0);
    check_rows (5, dims[i], FALSE, 0);
    check_rows (3, dims[i], TRUE, dims[i] > 1 ? 30 : 0);
  }
}

static void
check_backward (gboolean quick)
{
  static const guint sizes[][2] = { { 1, 3 }, { 7, 7 }, { 67, 67 }, { 13, 133 }, { 131, 26 } };

  for (guint i = 0; i < (quick ? 2 : G_N_ELEMENTS (sizes)); i++)
    check_gradients (sizes[i][0], sizes[i][1]);
}

const CheckOp check_norm = { "norm", check, check_backward, NULL };
