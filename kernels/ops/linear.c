/* The weights of linear layers, packed for their provider, and the native product. */
#include "linear.h"

#include <string.h>

#include "chain.h"
#include "linear_private.h"
#include "kernels/half.h"

/* Weights beyond the largest half are stored as it: they do not occur, and an infinity would turn into NaN downstream. */
#define MAX_HALF 65504.0f

gboolean
rvm_gemm_resolve (RvmDevice *device, RvmGemmProvider *provider, RvmPrecision precision, GError **error)
{
  /* On llvmpipe, too, CLBlast's products take eight times as long as ours (of processor time, over a frame of small16). */
  if (*provider == RVM_GEMM_AUTO)
    *provider = rvm_device_runs_on_cpu (device) || precision == RVM_PRECISION_F16 ? RVM_GEMM_NATIVE : RVM_GEMM_CLBLAST;
  if (*provider == RVM_GEMM_CLBLAST && precision == RVM_PRECISION_F16) {
    g_set_error_literal (error, RVM_ERROR, RVM_ERROR_ARGUMENT,
        "precision f16 needs the native GEMM: CLBlast takes weights and activations of one type only");
    return FALSE;
  }
  return *provider != RVM_GEMM_CLBLAST || rvm_clblast_set_parameters (device, error);
}

RvmGemmWeights *
rvm_gemm_weights_new (RvmDevice *device, RvmGemmProvider provider, RvmPrecision precision, guint k, guint n, gboolean has_bias,
    GError **error)
{
  g_autoptr (RvmGemmWeights) weights = g_new0 (RvmGemmWeights, 1);
  const gsize element = precision == RVM_PRECISION_F16 ? sizeof (guint16) : sizeof (float);
  gsize columns;

  if (provider == RVM_GEMM_CLBLAST)
    rvm_device_set_clblast (device);
  weights->provider = provider;
  weights->precision = precision;
  weights->tiles = rvm_tiles_for_device (device);
  weights->k = k;
  weights->n = n;
  weights->panel = provider == RVM_GEMM_NATIVE ? weights->tiles.gemm_vector * weights->tiles.gemm_vectors : weights->tiles.vector;
  weights->padded_n = (n + weights->panel - 1) / weights->panel * weights->panel;
  columns = provider == RVM_GEMM_NATIVE ? weights->padded_n : n;
  weights->kernel = rvm_buffer_new (device, columns * k * element, "weights", error);
  if (weights->kernel == NULL)
    return NULL;
  if (has_bias) {
    weights->bias = rvm_buffer_new (device, weights->padded_n * sizeof (float), "bias", error);
    if (weights->bias == NULL)
      return NULL;
  }
  return g_steal_pointer (&weights);
}

void
rvm_gemm_weights_free (RvmGemmWeights *weights)
{
  if (weights == NULL)
    return;
  rvm_gemm_weights_end (weights, NULL);
  g_clear_pointer (&weights->kernel, rvm_buffer_unref);
  g_clear_pointer (&weights->bias, rvm_buffer_unref);
  g_free (weights);
}

gboolean
rvm_gemm_weights_begin (RvmGemmWeights *weights, GError **error)
{
  weights->kernel_map = rvm_buffer_map_write (weights->kernel, error);
  if (weights->kernel_map == NULL)
    return FALSE;
  /* The columns that fill up the last panel are never stored, but a NaN there could trap or slow down. */
  if (weights->padded_n != weights->n)
    memset (weights->kernel_map, 0, rvm_buffer_get_size (weights->kernel));
  if (weights->bias) {
    weights->bias_map = rvm_buffer_map_write (weights->bias, error);
    if (weights->bias_map == NULL)
      return FALSE;
    memset (weights->bias_map, 0, rvm_buffer_get_size (weights->bias));
  }
  return TRUE;
}

/* @count values of row @row from column @column, which may cross panels. */
static void
pack_row (RvmGemmWeights *weights, guint row, guint column, guint count, const float *values)
{
  while (count > 0) {
    const guint in_panel = column % weights->panel;
    const guint run = MIN (count, weights->panel - in_panel);
    const gsize at = ((gsize) (column / weights->panel) * weights->k + row) * weights->panel + in_panel;

    if (weights->precision == RVM_PRECISION_F16)
      for (guint i = 0; i < run; i++)
        ((guint16 *) weights->kernel_map)[at + i] = rvm_float_to_half (CLAMP (values[i], -MAX_HALF, MAX_HALF));
    else
      memcpy ((float *) weights->kernel_map + at, values, run * sizeof (float));
    column += run;
    values += run;
    count -= run;
  }
}

void
rvm_gemm_weights_set_kernel (RvmGemmWeights *weights, guint row, guint column, guint rows, guint columns, const float *kernel)
{
  g_return_if_fail (weights->kernel_map != NULL);
  g_return_if_fail (row + rows <= weights->k && column + columns <= weights->n);

  for (guint i = 0; i < rows; i++) {
    const float *values = kernel + (gsize) i * columns;
    if (weights->provider == RVM_GEMM_NATIVE)
      pack_row (weights, row + i, column, columns, values);
    else
      memcpy ((float *) weights->kernel_map + (gsize) (row + i) * weights->n + column, values, columns * sizeof (float));
  }
}

void
rvm_gemm_weights_set_bias (RvmGemmWeights *weights, guint column, guint columns, const float *bias)
{
  g_return_if_fail (weights->bias_map != NULL && column + columns <= weights->n);

  memcpy (weights->bias_map + column, bias, columns * sizeof (float));
}

gboolean
rvm_gemm_weights_end (RvmGemmWeights *weights, GError **error)
{
  gpointer kernel = g_steal_pointer (&weights->kernel_map), bias = g_steal_pointer (&weights->bias_map);
  gboolean ok = TRUE;

  if (kernel)
    ok = rvm_buffer_unmap (weights->kernel, kernel, error);
  if (bias)
    ok = rvm_buffer_unmap (weights->bias, bias, ok ? error : NULL) && ok;
  return ok;
}

guint
rvm_gemm_get_flags (const RvmGemmWeights *weights, const RvmGemm *gemm)
{
  return (weights->bias ? RVM_EPILOGUE_BIAS : 0) | (gemm->gelu ? RVM_EPILOGUE_GELU : 0) | (gemm->residual ? RVM_EPILOGUE_RESIDUAL : 0)
      | (gemm->inner ? (gemm->gelu ? RVM_EPILOGUE_INNER : RVM_EPILOGUE_GELU_SLOPE) : 0);
}

guint
rvm_gemm_weights_get_k (const RvmGemmWeights *weights)
{
  return weights->k;
}

guint
rvm_gemm_weights_get_n (const RvmGemmWeights *weights)
{
  return weights->n;
}

RvmBuffer *
rvm_gemm_weights_get_kernel (const RvmGemmWeights *weights)
{
  return weights->kernel;
}

RvmBuffer *
rvm_gemm_weights_get_bias (const RvmGemmWeights *weights)
{
  return weights->bias;
}

/* Where element (row, column) is stored. */
static gsize
place (const RvmGemmWeights *weights, guint row, guint column)
{
  if (weights->provider == RVM_GEMM_CLBLAST)
    return (gsize) row * weights->n + column;
  return ((gsize) (column / weights->panel) * weights->k + row) * weights->panel + column % weights->panel;
}

void
rvm_gemm_weights_pack (const RvmGemmWeights *weights, float *stored, guint column, guint columns, const float *kernel)
{
  g_return_if_fail (weights->precision == RVM_PRECISION_F32 && columns <= weights->n && column <= weights->n - columns);

  for (guint row = 0; row < weights->k; row++)
    for (guint j = 0; j < columns; j++)
      stored[place (weights, row, column + j)] = *kernel++;
}

void
rvm_gemm_weights_unpack (const RvmGemmWeights *weights, const float *stored, guint column, guint columns, float *kernel)
{
  g_return_if_fail (weights->precision == RVM_PRECISION_F32 && columns <= weights->n && column <= weights->n - columns);

  for (guint row = 0; row < weights->k; row++)
    for (guint j = 0; j < columns; j++)
      *kernel++ = stored[place (weights, row, column + j)];
}

RvmGemmWeights *
rvm_gemm_weights_new_transposed (RvmDevice *device, const RvmGemmWeights *weights, GError **error)
{
  RvmGemmWeights *transposed;

  if (weights->provider == RVM_GEMM_NATIVE)
    return rvm_gemm_weights_new (device, weights->provider, weights->precision, weights->n, weights->k, FALSE, error);
  transposed = g_new0 (RvmGemmWeights, 1);
  *transposed = *weights;
  transposed->k = weights->n;
  transposed->n = weights->k;
  transposed->padded_n = (weights->k + weights->panel - 1) / weights->panel * weights->panel;
  transposed->transposed = TRUE;
  transposed->kernel = rvm_buffer_ref (weights->kernel);
  transposed->bias = NULL;
  transposed->kernel_map = NULL;
  transposed->bias_map = NULL;
  return transposed;
}

void
rvm_gemm_launch_step (RvmQueue *queue, const RvmTiles *tiles, const RvmChainStep *step)
{
  const guint panel = tiles->gemm_vector * tiles->gemm_vectors;
  const guint rows = tiles->gemm_side * tiles->gemm_rows, columns = tiles->gemm_side * panel; /* of a work-group */
  const gsize global[2] = {
    (gsize) (step->m + rows - 1) / rows * tiles->gemm_side, (gsize) (step->n + columns - 1) / columns * tiles->gemm_side
  };
  /* Buffers that the flags exclude are still arguments: some drivers do not take NULL. */
  const RvmArg args[] = {
    RVM_ARG_BUFFER (step->a), RVM_ARG_UINT (step->a_offset), RVM_ARG_UINT (step->a_stride), RVM_ARG_BUFFER (step->w),
    RVM_ARG_BUFFER (step->bias ? step->bias : step->w), RVM_ARG_BUFFER (step->residual ? step->residual : step->out),
    RVM_ARG_UINT (step->residual_rows), RVM_ARG_BUFFER (step->inner ? step->inner : step->out), RVM_ARG_BUFFER (step->out),
    RVM_ARG_UINT (step->out_offset), RVM_ARG_UINT (step->out_stride), RVM_ARG_UINT (step->m), RVM_ARG_UINT (step->n), RVM_ARG_UINT (step->k),
    RVM_ARG_UINT (step->flags),
  };
  char options[128];

  g_snprintf (options, sizeof options, "-DRVM_VECTOR=%u -DRVM_ROWS=%u -DRVM_VECTORS=%u -DRVM_SIDE=%u -DRVM_HALF=%d", tiles->gemm_vector,
      tiles->gemm_rows, tiles->gemm_vectors, tiles->gemm_side, step->half);
  rvm_queue_launch (queue, rvm_queue_get_kernel (queue, "linear", "gemm", options), "gemm", 2, global,
      (const gsize[]){ tiles->gemm_side, tiles->gemm_side }, G_N_ELEMENTS (args), args);
}

static void
gemm_native (RvmQueue *queue, const RvmGemmWeights *weights, const RvmGemm *gemm)
{
  const RvmChainStep step = {
    .a = gemm->a, .a_offset = gemm->a_offset, .a_stride = gemm->a_stride, .w = weights->kernel, .bias = weights->bias,
    .residual = gemm->residual, .residual_rows = gemm->residual_rows ? gemm->residual_rows : gemm->m, .inner = gemm->inner,
    .out = gemm->out, .out_offset = gemm->out_offset, .out_stride = gemm->out_stride, .m = gemm->m, .n = weights->n, .k = weights->k,
    .flags = rvm_gemm_get_flags (weights, gemm), .half = weights->precision == RVM_PRECISION_F16,
  };

  if (!rvm_chain_add (queue, &weights->tiles, &step))
    rvm_gemm_launch_step (queue, &weights->tiles, &step);
}

void
rvm_gemm (RvmQueue *queue, const RvmGemmWeights *weights, const RvmGemm *gemm)
{
  if (rvm_queue_has_failed (queue) || gemm->m == 0)
    return;
  if (weights->provider == RVM_GEMM_CLBLAST)
    rvm_gemm_clblast (queue, weights, gemm);
  else
    gemm_native (queue, weights, gemm);
}
