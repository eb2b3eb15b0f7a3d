/* Gradients of linear layers, whatever their provider. */
#include "linear_backward.h"

#include <string.h>

#include "gemm_provider.h"
#include "kernels/error.h"

struct _RvmLinearGradient {
  const RvmLinear *linear;
  RvmLinear *transposed;
  RvmBuffer *kernel, *bias;
  gboolean empty;
};

/* Some providers never write the padding, but it is part of the flat array that an optimiser sees. */
static gboolean
clear (RvmBuffer *buffer, GError **error)
{
  gpointer map = rvm_buffer_map_write (buffer, error);

  if (map == NULL)
    return FALSE;
  memset (map, 0, rvm_buffer_get_size (buffer));
  return rvm_buffer_unmap (buffer, map, error);
}

/* The weights as products take them. */
static const RvmLinear *
get_operand (const RvmLinear *linear)
{
  return linear->operand ? linear->operand : linear;
}

static RvmLinear *
make_transposed (RvmDevice *device, const RvmLinear *linear, GError **error)
{
  const RvmLinear *operand = get_operand (linear);
  RvmLinear *transposed = g_new0 (RvmLinear, 1);

  transposed->functions = operand->functions;
  transposed->type = operand->type;
  transposed->tiles = operand->tiles;
  transposed->rounds_input = operand->rounds_input;
  transposed->k = linear->n;
  transposed->n = linear->k;
  transposed->functions->lay_out (device, transposed);
  if (linear->operand == NULL && linear->functions->transpose == NULL) {
    transposed->transposed = TRUE;
    transposed->kernel = rvm_buffer_ref (linear->kernel);
    return transposed;
  }
  transposed->kernel = rvm_buffer_new (device, (gsize) transposed->stored_n * transposed->stored_k * rvm_element_get_size (transposed->type),
      "transposed weights", error);
  if (transposed->kernel == NULL)
    g_clear_pointer (&transposed, rvm_linear_free);
  return transposed;
}

RvmLinearGradient *
rvm_linear_gradient_new (RvmDevice *device, RvmLinear *linear, GError **error)
{
  g_autoptr (RvmLinearGradient) gradient = g_new0 (RvmLinearGradient, 1);

  g_return_val_if_fail (linear->type == RVM_ELEMENT_F32, NULL);

  if (get_operand (linear)->functions->add_gradient == NULL) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "the GEMM provider %s cannot train", get_operand (linear)->functions->name);
    return NULL;
  }
  gradient->linear = linear;
  gradient->empty = TRUE;
  gradient->transposed = make_transposed (device, linear, error);
  if (gradient->transposed == NULL)
    return NULL;
  gradient->kernel = rvm_buffer_new (device, rvm_buffer_get_size (linear->kernel), "gradient of weights", error);
  if (gradient->kernel == NULL || !clear (gradient->kernel, error))
    return NULL;
  if (linear->bias) {
    gradient->bias = rvm_buffer_new (device, rvm_buffer_get_size (linear->bias), "gradient of bias", error);
    if (gradient->bias == NULL || !clear (gradient->bias, error))
      return NULL;
  }
  return g_steal_pointer (&gradient);
}

void
rvm_linear_gradient_free (RvmLinearGradient *gradient)
{
  if (gradient == NULL)
    return;
  rvm_linear_free (gradient->transposed);
  g_clear_pointer (&gradient->kernel, rvm_buffer_unref);
  g_clear_pointer (&gradient->bias, rvm_buffer_unref);
  g_free (gradient);
}

void
rvm_linear_gradient_refresh (RvmQueue *queue, RvmLinearGradient *gradient)
{
  const RvmLinear *linear = gradient->linear;

  if (linear->operand)
    linear->operand->functions->round_weights (queue, linear, linear->operand, gradient->transposed);
  else if (linear->functions->transpose)
    linear->functions->transpose (queue, linear, gradient->transposed);
}

const RvmLinear *
rvm_linear_gradient_get_transposed (const RvmLinearGradient *gradient)
{
  return gradient->transposed;
}

void
rvm_linear_gradient_reset (RvmLinearGradient *gradient)
{
  gradient->empty = TRUE;
}

void
rvm_linear_gradient_add (RvmQueue *queue, RvmLinearGradient *gradient, RvmTensor a, RvmTensor d)
{
  const RvmLinear *linear = gradient->linear;
  const gboolean accumulate = !gradient->empty;
  const RvmTensorCheck checks[] = {
    RVM_CHECK_VIEW ("input", a, a.rows, linear->k),
    RVM_CHECK_VIEW ("gradient of the output", d, a.rows, linear->n),
  };

  gradient->empty = FALSE;
  if (rvm_tensors_check (queue, "gradient of a linear layer", checks, G_N_ELEMENTS (checks)))
    get_operand (linear)->functions->add_gradient (queue, linear, a, d, gradient->kernel, gradient->bias, accumulate);
}

RvmBuffer *
rvm_linear_gradient_get_kernel (const RvmLinearGradient *gradient)
{
  return gradient->kernel;
}

RvmBuffer *
rvm_linear_gradient_get_bias (const RvmLinearGradient *gradient)
{
  return gradient->bias;
}
