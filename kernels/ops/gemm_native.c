/* Products in register tiles (cl/linear.cl), which can be part of a chain, and their backward pass (cl/linear_backward.cl). */
#include "gemm_native.h"

#include "chain.h"
#include "kernels/runtime/launch.h"

#define MOST_TILES 8 /* of a work-item of the backward pass, which share a copied panel of D */

static gboolean
is_default (RvmDevice *device, RvmElement type)
{
  /* Also on llvmpipe, where CLBlast's products take eight times as much processor time, measured over a frame of small16. */
  return rvm_device_runs_on_cpu (device) || type != RVM_ELEMENT_F32;
}

static gboolean
prepare (RvmDevice *device, RvmElement type, GError **error)
{
  return TRUE;
}

static void
lay_out (RvmDevice *device, RvmLinear *linear)
{
  linear->panel = linear->tiles.gemm_vector * linear->tiles.gemm_vectors;
  linear->stored_k = linear->k;
  linear->stored_n = linear->bias_n = (linear->n + linear->panel - 1) / linear->panel * linear->panel;
}

static void
multiply (RvmQueue *queue, const RvmLinear *linear, RvmTensor a, RvmTensor out, const RvmEpilogue *epilogue, guint flags)
{
  rvm_chain_run (queue, &linear->tiles,
      &(RvmChainStep){
          .round = linear->rounds_input, .a = a, .out = out, .weights = linear->kernel, .type = linear->type, .bias = linear->bias,
          .pre_gelu = epilogue->pre_gelu, .residual = epilogue->residual, .flags = flags,
      });
}

static void
make_options (const RvmTiles *tiles, char options[96])
{
  g_snprintf (options, 96, "-DRVM_VECTOR=%u -DRVM_ROWS=%u -DRVM_VECTORS=%u", tiles->gemm_vector, tiles->gemm_rows, tiles->gemm_vectors);
}

/* The most tiles for each work-item that leave every compute unit at least two work-items. */
static guint
choose_span (RvmQueue *queue, const RvmLinear *linear)
{
  const gsize tiles = (gsize) ((linear->k + linear->tiles.gemm_rows - 1) / linear->tiles.gemm_rows) * (linear->stored_n / linear->panel);
  guint span = MOST_TILES;

  while (span > 1 && tiles / span < 2 * (gsize) rvm_device_get_compute_units (rvm_queue_get_device (queue)))
    span /= 2;
  return span;
}

static void
add_gradient (RvmQueue *queue, const RvmLinear *linear, RvmTensor x, RvmTensor d, RvmBuffer *kernel, RvmBuffer *bias, gboolean accumulate)
{
  const guint span = choose_span (queue, linear), inputs = span * linear->tiles.gemm_rows;
  const gsize global[2] = { (linear->k + inputs - 1) / inputs, linear->stored_n / linear->panel };
  const RvmArg args[] = {
    RVM_ARGS_TENSOR (x), RVM_ARGS_TENSOR (d), RVM_ARG_BUFFER (kernel), RVM_ARG_BUFFER (bias ? bias : kernel), RVM_ARG_UINT (x.rows),
    RVM_ARG_UINT (linear->n), RVM_ARG_UINT (linear->k), RVM_ARG_UINT (bias != NULL), RVM_ARG_UINT (accumulate),
  };
  char shape[96], options[160];

  make_options (&linear->tiles, shape);
  g_snprintf (options, sizeof options, "%s -DRVM_SPAN=%u%s", shape, span, linear->operand ? " -DRVM_ROUND=1" : "");
  rvm_queue_launch (queue, &(RvmKernel){ "linear_backward", "gemm_gradient", options, NULL }, 2, global, (const gsize[]){ 1, 1 },
      G_N_ELEMENTS (args), args);
}

static void
launch_transpose (RvmQueue *queue, const RvmLinear *linear, const RvmLinear *transposed, gboolean round)
{
  const RvmArg args[] = {
    RVM_ARG_BUFFER (linear->kernel), RVM_ARG_BUFFER (transposed->kernel), RVM_ARG_UINT (linear->k), RVM_ARG_UINT (linear->n),
  };
  char shape[96], options[128];

  make_options (&linear->tiles, shape);
  g_snprintf (options, sizeof options, "%s%s", shape, round ? " -DRVM_ROUND=1" : "");
  rvm_queue_launch (queue, &(RvmKernel){ "linear_backward", "transpose_panels", options, NULL }, 2,
      (const gsize[]){ linear->n, (linear->k + linear->panel - 1) / linear->panel }, NULL, G_N_ELEMENTS (args), args);
}

static void
transpose (RvmQueue *queue, const RvmLinear *linear, const RvmLinear *transposed)
{
  launch_transpose (queue, linear, transposed, FALSE);
}

static void
round_weights (RvmQueue *queue, const RvmLinear *linear, const RvmLinear *operand, const RvmLinear *transposed)
{
  const RvmArg args[] = { RVM_ARG_BUFFER (linear->kernel), RVM_ARG_BUFFER (operand->kernel) };
  char options[96];

  make_options (&linear->tiles, options);
  rvm_queue_launch (queue, &(RvmKernel){ "linear_backward", "round_panels", options, NULL }, 1, (const gsize[]){ (gsize) linear->stored_n * linear->stored_k },
      NULL, G_N_ELEMENTS (args), args);
  launch_transpose (queue, linear, transposed, TRUE);
}

const RvmGemmFunctions rvm_gemm_native = {
  .name = "native",
  .is_default = is_default,
  .prepare = prepare,
  .lay_out = lay_out,
  .store_row = rvm_gemm_store_row,
  .multiply = multiply,
  .add_gradient = add_gradient,
  .transpose = transpose,
  .round_weights = round_weights,
};
