/* Gradients of linear layers. */
#include "linear_backward.h"

#include <string.h>

#include "linear_private.h"
#include "attention_backward.h"

#define MOST_TILES 8 /* of a work-item, which share a copied panel of D */

struct _RvmGemmGradient {
  const RvmGemmWeights *weights;
  RvmGemmWeights *transposed;
  RvmBuffer *kernel, *bias;
  gboolean empty;
};

/* What fills up the last panel is never written by the clblast provider, but belongs to the flat array that an optimiser sees. */
static gboolean
clear (RvmBuffer *buffer, GError **error)
{
  gpointer map = rvm_buffer_map_write (buffer, error);

  if (map == NULL)
    return FALSE;
  memset (map, 0, rvm_buffer_get_size (buffer));
  return rvm_buffer_unmap (buffer, map, error);
}

RvmGemmGradient *
rvm_gemm_gradient_new (RvmDevice *device, RvmGemmWeights *weights, GError **error)
{
  g_autoptr (RvmGemmGradient) gradient = g_new0 (RvmGemmGradient, 1);

  g_return_val_if_fail (weights->precision == RVM_PRECISION_F32, NULL);

  gradient->weights = weights;
  gradient->empty = TRUE;
  gradient->transposed = rvm_gemm_weights_new_transposed (device, weights, error);
  if (gradient->transposed == NULL)
    return NULL;
  gradient->kernel = rvm_buffer_new (device, rvm_buffer_get_size (weights->kernel), "gradient of weights", error);
  if (gradient->kernel == NULL)
    return NULL;
  if (weights->bias) {
    gradient->bias = rvm_buffer_new (device, rvm_buffer_get_size (weights->bias), "gradient of bias", error);
    if (gradient->bias == NULL || !clear (gradient->bias, error))
      return NULL;
  }
  return g_steal_pointer (&gradient);
}

void
rvm_gemm_gradient_free (RvmGemmGradient *gradient)
{
  if (gradient == NULL)
    return;
  rvm_gemm_weights_free (gradient->transposed);
  g_clear_pointer (&gradient->kernel, rvm_buffer_unref);
  g_clear_pointer (&gradient->bias, rvm_buffer_unref);
  g_free (gradient);
}

static void
make_options (const RvmTiles *tiles, char options[96])
{
  g_snprintf (options, 96, "-DRVM_VECTOR=%u -DRVM_ROWS=%u -DRVM_VECTORS=%u", tiles->gemm_vector, tiles->gemm_rows, tiles->gemm_vectors);
}

void
rvm_gemm_gradient_refresh (RvmQueue *queue, RvmGemmGradient *gradient)
{
  const RvmGemmWeights *weights = gradient->weights;
  const RvmArg args[] = {
    RVM_ARG_BUFFER (weights->kernel), RVM_ARG_BUFFER (gradient->transposed->kernel), RVM_ARG_UINT (weights->k), RVM_ARG_UINT (weights->n),
  };
  char options[96];

  if (weights->provider == RVM_GEMM_CLBLAST)
    return; /* it reads the weights themselves */
  make_options (&weights->tiles, options);
  rvm_queue_launch (queue, rvm_queue_get_kernel (queue, "linear_backward", "transpose_panels", options), "transpose_panels", 2,
      (const gsize[]){ weights->n, (weights->k + weights->panel - 1) / weights->panel }, NULL, G_N_ELEMENTS (args), args);
}

const RvmGemmWeights *
rvm_gemm_gradient_get_transposed (const RvmGemmGradient *gradient)
{
  return gradient->transposed;
}

void
rvm_gemm_gradient_reset (RvmGemmGradient *gradient)
{
  gradient->empty = TRUE;
}

/* As many tiles a work-item as leave each of the device's units a few work-items. */
static guint
choose_span (RvmQueue *queue, const RvmGemmWeights *weights)
{
  const gsize tiles = (gsize) ((weights->k + weights->tiles.gemm_rows - 1) / weights->tiles.gemm_rows) * (weights->padded_n / weights->panel);
  guint span = MOST_TILES;

  while (span > 1 && tiles / span < 2 * (gsize) rvm_device_get_compute_units (rvm_queue_get_device (queue)))
    span /= 2;
  return span;
}

static void
add_native (RvmQueue *queue, RvmGemmGradient *gradient, const RvmBuffer *a, guint a_offset, guint a_stride, const RvmBuffer *d,
    guint d_offset, guint d_stride, guint m, gboolean accumulate)
{
  const RvmGemmWeights *weights = gradient->weights;
  const RvmTiles *tiles = &weights->tiles;
  const guint span = choose_span (queue, weights), inputs = span * tiles->gemm_rows;
  const gsize global[2] = { (weights->k + inputs - 1) / inputs, weights->padded_n / weights->panel };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (a), RVM_ARG_UINT (a_offset), RVM_ARG_UINT (a_stride), RVM_ARG_BUFFER (d), RVM_ARG_UINT (d_offset),
    RVM_ARG_UINT (d_stride), RVM_ARG_BUFFER (gradient->kernel), RVM_ARG_BUFFER (gradient->bias ? gradient->bias : gradient->kernel),
    RVM_ARG_UINT (m), RVM_ARG_UINT (weights->n), RVM_ARG_UINT (weights->k), RVM_ARG_UINT (weights->bias != NULL), RVM_ARG_UINT (accumulate),
  };
  char shape[96], options[128];

  make_options (tiles, shape);
  g_snprintf (options, sizeof options, "%s -DRVM_SPAN=%u", shape, span);
  rvm_queue_launch (queue, rvm_queue_get_kernel (queue, "linear_backward", "gemm_gradient", options), "gemm_gradient", 2, global,
      (const gsize[]){ 1, 1 }, G_N_ELEMENTS (args), args);
}

void
rvm_gemm_gradient_add (RvmQueue *queue, RvmGemmGradient *gradient, const RvmBuffer *a, guint a_offset, guint a_stride, const RvmBuffer *d,
    guint d_offset, guint d_stride, guint m)
{
  const RvmGemmWeights *weights = gradient->weights;
  const gboolean accumulate = !gradient->empty;

  gradient->empty = FALSE;
  if (weights->provider == RVM_GEMM_CLBLAST) {
    rvm_gemm_clblast_gradient (queue, weights, gradient->kernel, a, a_offset, a_stride, d, d_offset, d_stride, m, accumulate);
    if (gradient->bias)
      rvm_sum_rows (queue,
          &(RvmRowSum){
              .x = d, .offset = d_offset, .stride = d_stride, .pictures = 1, .picture_rows = m, .rows = m,
              .out = gradient->bias, .dim = weights->n, .accumulate = accumulate,
          });
    return;
  }
  add_native (queue, gradient, a, a_offset, a_stride, d, d_offset, d_stride, m, accumulate);
}

RvmBuffer *
rvm_gemm_gradient_get_kernel (const RvmGemmGradient *gradient)
{
  return gradient->kernel;
}

RvmBuffer *
rvm_gemm_gradient_get_bias (const RvmGemmGradient *gradient)
{
  return gradient->bias;
}
