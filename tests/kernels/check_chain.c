/* Row-wise layers that follow each other, which CPUs join into one launch. */
#include "checkcl.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/norm.h"
#include "reference.h"

static void
to_floats (const double *from, float *to, gsize count)
{
  for (gsize i = 0; i < count; i++)
    to[i] = from[i];
}

/* What lies between two attentions: x += a W0 + b; h = GELU (LN (x) W1); x += h W2 + b; y = LN (x) W0. Then a layer that must not be joined:
 * z = y W3 with y read as (m, dim / 2), so that most of its rows come from other rows. */
typedef struct {
  RvmElement type; /* of the weights */
  guint m, dim, hidden;
  float *a, *x, *b, *scale, *w0, *w1, *w2, *w3;
} Layers;

static void
run_reference (Layers *l, double *expected_x, double *expected_y, double *expected_z)
{
  const guint m = l->m, dim = l->dim, hidden = l->hidden;
  const gsize count = (gsize) m * dim, wide = (gsize) m * hidden;
  g_autofree float *norm = g_new (float, count), *h = g_new (float, wide), *y = g_new (float, count);
  g_autofree double *result = g_new (double, MAX (count, wide));

  reference_gemm (l->a, dim, l->w0, l->b, l->x, m, FALSE, result, m, dim, dim);
  to_floats (result, l->x, count);
  reference_layernorm (l->x, l->scale, NULL, result, m, dim, 1e-6);
  to_floats (result, norm, count);
  reference_gemm (norm, dim, l->w1, NULL, NULL, 1, TRUE, result, m, hidden, dim);
  to_floats (result, h, wide);
  reference_gemm (h, hidden, l->w2, l->b, l->x, m, FALSE, expected_x, m, dim, hidden);
  to_floats (expected_x, l->x, count);
  reference_layernorm (l->x, l->scale, NULL, result, m, dim, 1e-6);
  to_floats (result, norm, count);
  reference_gemm (norm, dim, l->w0, l->b, NULL, 1, FALSE, expected_y, m, dim, dim);
  to_floats (expected_y, y, count);
  reference_gemm (y, dim / 2, l->w3, NULL, NULL, 1, FALSE, expected_z, m, dim, dim / 2);
}

static void
run_kernels (const Layers *l, RvmBuffer *x, RvmBuffer *y, RvmBuffer *z)
{
  const guint m = l->m, dim = l->dim, hidden = l->hidden;
  const gsize count = (gsize) m * dim;
  g_autoptr (RvmLinear) g0 = check_make_linear (RVM_GEMM_NATIVE, l->type, dim, dim, l->w0, l->b), g1 = check_make_linear (RVM_GEMM_NATIVE, l->type, dim, hidden, l->w1, NULL);
  g_autoptr (RvmLinear) g2 = check_make_linear (RVM_GEMM_NATIVE, l->type, hidden, dim, l->w2, l->b), g3 = check_make_linear (RVM_GEMM_NATIVE, l->type, dim / 2, dim, l->w3, NULL);
  g_autoptr (RvmBuffer) a = check_upload (l->a, count), norm_buffer = check_output (count), h = check_output ((gsize) m * hidden);
  g_autoptr (RvmBuffer) scale = check_upload (l->scale, dim);
  const RvmTensor tx = rvm_tensor (x, m, dim), norm = rvm_tensor (norm_buffer, m, dim), th = rvm_tensor (h, m, hidden);

  rvm_queue_write (check_queue, x, 0, l->x, count * sizeof (float));
  check_finish (); /* the reference overwrites it */
  rvm_linear_forward (check_queue, g0, rvm_tensor (a, m, dim), tx, &(RvmEpilogue){ .residual = tx });
  rvm_layernorm (check_queue, tx, scale, NULL, norm, 1e-6f);
  rvm_linear_forward (check_queue, g1, norm, th, &(RvmEpilogue){ .gelu = TRUE });
  rvm_linear_forward (check_queue, g2, th, tx, &(RvmEpilogue){ .residual = tx });
  rvm_layernorm (check_queue, tx, scale, NULL, norm, 1e-6f);
  rvm_linear_forward (check_queue, g0, norm, rvm_tensor (y, m, dim), NULL);
  rvm_linear_forward (check_queue, g3, rvm_tensor (y, m, dim / 2), rvm_tensor (z, m, dim), NULL);
  check_finish ();
}

/* That lose nothing when they are stored. */
static float *
random_weights (RvmElement type, gsize count)
{
  g_autofree float *values = check_random (count, 0.2);

  return check_round (type, values, count);
}

static void
check_layers (RvmElement type, guint m, guint dim, guint hidden)
{
  check_case ("%s, rows %u, dim %u, hidden %u", rvm_element_get_name (type), m, dim, hidden);

  const gsize count = (gsize) m * dim;
  Layers l = {
    type, m, dim, hidden, check_random (count, 1), check_random (count, 1), check_random (dim, 1), check_random (dim, 1),
    random_weights (type, (gsize) dim * dim), random_weights (type, (gsize) dim * hidden), random_weights (type, (gsize) dim * hidden),
    random_weights (type, (gsize) dim / 2 * dim),
  };
  g_autofree double *expected_x = g_new (double, count), *expected_y = g_new (double, count), *expected_z = g_new (double, count);
  g_autoptr (RvmBuffer) x = check_output (count), y = check_output (count), z = check_output (count);

  run_kernels (&l, x, y, z);
  run_reference (&l, expected_x, expected_y, expected_z);
  check_compare ("x", x, expected_x, count, 1e-5);
  check_compare ("y", y, expected_y, count, 1e-5);
  check_compare ("z", z, expected_z, count, 1e-5);
  g_free (l.a);
  g_free (l.x);
  g_free (l.b);
  g_free (l.scale);
  g_free (l.w0);
  g_free (l.w1);
  g_free (l.w2);
  g_free (l.w3);
}

static void
check (gboolean quick)
{
  static const RvmElement types[] = { RVM_ELEMENT_F32, RVM_ELEMENT_F16, RVM_ELEMENT_BF16 };

  for (guint t = 0; t < G_N_ELEMENTS (types); t++) {
    check_layers (types[t], 1, 16, 48);
    check_layers (types[t], 7, 34, 70);
    if (quick)
      continue;
    check_layers (types[t], 61, 96, 192);
    check_layers (types[t], 257, 64, 100);
  }
}

const CheckOp check_chain = { "chain", check, NULL, NULL };
