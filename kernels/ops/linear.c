/* The table of providers, and what all of them have in common. */
#include "linear.h"

#include <string.h>

#include "gemm_clblast.h"
#include "gemm_matrix_units.h"
#include "gemm_native.h"
#include "gemm_provider.h"
#include "kernels/cl/flags.h"
#include "kernels/error.h"

/* In the order in which RVM_GEMM_AUTO asks them. */
static const struct {
  RvmGemmProvider provider;
  const RvmGemmFunctions *functions;
} providers[] = {
  { RVM_GEMM_MATRIX_UNITS, &rvm_gemm_matrix_units },
  { RVM_GEMM_NATIVE, &rvm_gemm_native },
  { RVM_GEMM_CLBLAST, &rvm_gemm_clblast },
};

static const RvmGemmFunctions *
find_functions (RvmGemmProvider provider)
{
  for (guint i = 0; i < G_N_ELEMENTS (providers); i++)
    if (providers[i].provider == provider)
      return providers[i].functions;
  return NULL;
}

const char *
rvm_gemm_get_name (RvmGemmProvider provider)
{
  const RvmGemmFunctions *functions = find_functions (provider);

  return functions ? functions->name : "auto";
}

gboolean
rvm_gemm_from_name (const char *name, RvmGemmProvider *provider)
{
  for (guint i = 0; i < G_N_ELEMENTS (providers); i++)
    if (g_strcmp0 (name, providers[i].functions->name) == 0) {
      *provider = providers[i].provider;
      return TRUE;
    }
  *provider = RVM_GEMM_AUTO;
  return g_strcmp0 (name, "auto") == 0;
}

gboolean
rvm_gemm_is_slow_at_first (RvmGemmProvider provider)
{
  const RvmGemmFunctions *functions = find_functions (provider);

  return functions && functions->slow_at_first;
}

gboolean
rvm_gemm_resolve (RvmDevice *device, RvmGemmProvider *provider, RvmElement type, GError **error)
{
  for (guint i = 0; *provider == RVM_GEMM_AUTO && i < G_N_ELEMENTS (providers); i++)
    if (providers[i].functions->is_default (device, type))
      *provider = providers[i].provider;
  return find_functions (*provider)->prepare (device, type, error);
}

static const char *
describe_units (RvmDevice *device)
{
  return rvm_units_kind_describe (rvm_matrix_units_get_kind (rvm_device_get_matrix_units (device)));
}

char *
rvm_gemm_take_notice (RvmDevice *device, RvmGemmProvider provider, RvmElement type)
{
  static gint taken;
  const char *problem;

  if (type != RVM_ELEMENT_BF16 || !g_atomic_int_compare_and_exchange (&taken, FALSE, TRUE))
    return NULL;
  if (provider == RVM_GEMM_MATRIX_UNITS)
    return g_strdup_printf ("precision bf16: %s multiply weights and activations of bfloat16; sums and the state are float32", describe_units (device));
  problem = rvm_matrix_units_get_problem (rvm_device_get_matrix_units (device));
  return g_strdup_printf ("precision bf16: weights are stored as bfloat16, in half the memory; products are computed in float32, as fast as with f32, because %s",
      problem ? problem : "the native GEMM was chosen");
}

char *
rvm_gemm_describe_training (RvmDevice *device, RvmGemmProvider provider, RvmElement operands)
{
  const char *problem;

  if (operands != RVM_ELEMENT_BF16)
    return NULL;
  if (provider == RVM_GEMM_MATRIX_UNITS)
    return g_strdup_printf ("precision bf16: %s multiply operands of bfloat16; all else is float32", describe_units (device));
  problem = rvm_matrix_units_get_problem (rvm_device_get_matrix_units (device));
  return g_strdup_printf ("precision bf16: operands are rounded to bfloat16 and multiplied in float32, which gives the losses that matrix units give"
                          " and is not faster than f32, because %s", problem ? problem : "the native GEMM was chosen");
}

/* Weights with a layout and no memory. */
static RvmLinear *
describe (RvmDevice *device, RvmGemmProvider provider, RvmElement type, guint k, guint n)
{
  RvmLinear *linear = g_new0 (RvmLinear, 1);

  linear->functions = find_functions (provider);
  linear->type = type;
  linear->tiles = rvm_tiles_for_device (device);
  linear->k = k;
  linear->n = n;
  linear->functions->lay_out (device, linear);
  return linear;
}

static gboolean
allocate (RvmDevice *device, RvmLinear *linear, gboolean has_bias, GError **error)
{
  linear->kernel = rvm_buffer_new (device, (gsize) linear->stored_n * linear->stored_k * rvm_element_get_size (linear->type), "weights", error);
  if (linear->kernel && has_bias)
    linear->bias = rvm_buffer_new (device, linear->bias_n * sizeof (float), "bias", error);
  return linear->kernel && (!has_bias || linear->bias);
}

RvmLinear *
rvm_linear_new (RvmDevice *device, RvmGemmProvider provider, RvmElement type, guint k, guint n, gboolean has_bias, GError **error)
{
  g_autoptr (RvmLinear) linear = NULL;

  g_return_val_if_fail (find_functions (provider) != NULL, NULL); /* not resolved */

  linear = describe (device, provider, type, k, n);
  return allocate (device, linear, has_bias, error) ? g_steal_pointer (&linear) : NULL;
}

RvmLinear *
rvm_linear_new_trainable (RvmDevice *device, RvmGemmProvider provider, RvmElement operands, guint k, guint n, gboolean has_bias, GError **error)
{
  g_autoptr (RvmLinear) linear = NULL;
  RvmLinear *operand;

  if (operands == RVM_ELEMENT_F32)
    return rvm_linear_new (device, provider, operands, k, n, has_bias, error);
  g_return_val_if_fail (operands == RVM_ELEMENT_BF16 && find_functions (provider) && find_functions (provider)->round_weights, NULL);

  linear = describe (device, RVM_GEMM_NATIVE, RVM_ELEMENT_F32, k, n);
  linear->operand = operand = describe (device, provider, operands, k, n);
  operand->rounds_input = TRUE;
  linear->bias_n = MAX (linear->bias_n, operand->bias_n); /* products read it as the layout of their weights has it */
  if (!allocate (device, linear, has_bias, error) || !allocate (device, operand, FALSE, error))
    return NULL;
  if (has_bias)
    operand->bias = rvm_buffer_ref (linear->bias);
  return g_steal_pointer (&linear);
}

void
rvm_linear_free (RvmLinear *linear)
{
  if (linear == NULL)
    return;
  rvm_linear_end (linear, NULL);
  g_clear_pointer (&linear->operand, rvm_linear_free);
  g_clear_pointer (&linear->kernel, rvm_buffer_unref);
  g_clear_pointer (&linear->bias, rvm_buffer_unref);
  g_free (linear);
}

gboolean
rvm_linear_begin (RvmLinear *linear, GError **error)
{
  linear->kernel_map = rvm_buffer_map_write (linear->kernel, error);
  if (linear->kernel_map == NULL)
    return FALSE;
  /* Products with the padding are never stored, but a NaN in it could trap or slow down. */
  if (linear->stored_n != linear->n || linear->stored_k != linear->k)
    memset (linear->kernel_map, 0, rvm_buffer_get_size (linear->kernel));
  if (linear->bias) {
    linear->bias_map = rvm_buffer_map_write (linear->bias, error);
    if (linear->bias_map == NULL)
      return FALSE;
    memset (linear->bias_map, 0, rvm_buffer_get_size (linear->bias));
  }
  return TRUE;
}

void
rvm_linear_set_kernel (RvmLinear *linear, guint row, guint column, guint rows, guint columns, const float *kernel)
{
  g_return_if_fail (linear->kernel_map != NULL);
  g_return_if_fail (row + rows <= linear->k && column + columns <= linear->n);

  for (guint i = 0; i < rows; i++)
    linear->functions->store_row (linear, row + i, column, columns, kernel + (gsize) i * columns);
}

void
rvm_linear_set_bias (RvmLinear *linear, guint column, guint columns, const float *bias)
{
  g_return_if_fail (linear->bias_map != NULL && column + columns <= linear->n);

  memcpy (linear->bias_map + column, bias, columns * sizeof (float));
}

gboolean
rvm_linear_end (RvmLinear *linear, GError **error)
{
  gpointer kernel = g_steal_pointer (&linear->kernel_map), bias = g_steal_pointer (&linear->bias_map);
  gboolean ok = TRUE;

  if (kernel)
    ok = rvm_buffer_unmap (linear->kernel, kernel, error);
  if (bias)
    ok = rvm_buffer_unmap (linear->bias, bias, ok ? error : NULL) && ok;
  return ok;
}

guint
rvm_linear_get_k (const RvmLinear *linear)
{
  return linear->k;
}

guint
rvm_linear_get_n (const RvmLinear *linear)
{
  return linear->n;
}

RvmElement
rvm_linear_get_activations (const RvmLinear *linear)
{
  return linear->functions->activations;
}

RvmBuffer *
rvm_linear_get_kernel (const RvmLinear *linear)
{
  return linear->kernel;
}

RvmBuffer *
rvm_linear_get_bias (const RvmLinear *linear)
{
  return linear->bias;
}

/* The index of element (row, column) of a stored kernel. */
static gsize
stored_index (const RvmLinear *linear, guint row, guint column)
{
  return ((gsize) (column / linear->panel) * linear->k + row) * linear->panel + column % linear->panel;
}

void
rvm_linear_pack (const RvmLinear *linear, float *stored, guint column, guint columns, const float *kernel)
{
  g_return_if_fail (linear->type == RVM_ELEMENT_F32 && columns <= linear->n && column <= linear->n - columns);

  for (guint row = 0; row < linear->k; row++)
    for (guint j = 0; j < columns; j++)
      stored[stored_index (linear, row, column + j)] = *kernel++;
}

void
rvm_linear_unpack (const RvmLinear *linear, const float *stored, guint column, guint columns, float *kernel)
{
  g_return_if_fail (linear->type == RVM_ELEMENT_F32 && columns <= linear->n && column <= linear->n - columns);

  for (guint row = 0; row < linear->k; row++)
    for (guint j = 0; j < columns; j++)
      *kernel++ = stored[stored_index (linear, row, column + j)];
}

static guint
get_flags (const RvmLinear *linear, const RvmEpilogue *epilogue)
{
  return (linear->bias ? RVM_EPILOGUE_BIAS : 0) | (epilogue->gelu_slope ? RVM_EPILOGUE_GELU_SLOPE : 0)
      | (epilogue->gelu ? RVM_EPILOGUE_GELU : 0) | (epilogue->gelu && epilogue->pre_gelu.buffer ? RVM_EPILOGUE_PRE_GELU : 0)
      | (epilogue->residual.buffer ? RVM_EPILOGUE_RESIDUAL : 0);
}

/* @type, if @linear can have it; otherwise what it expects. */
static RvmElement
choose_type (const RvmLinear *linear, RvmElement type)
{
  return type == linear->functions->activations ? type : RVM_ELEMENT_F32;
}

void
rvm_linear_forward (RvmQueue *queue, const RvmLinear *linear, RvmTensor a, RvmTensor out, const RvmEpilogue *epilogue)
{
  static const RvmEpilogue plain = { 0 };
  const RvmEpilogue *e = epilogue ? epilogue : &plain;
  const gboolean in_place = e->residual.buffer == out.buffer;
  RvmTensorCheck checks[4] = {
    { "input", a, a.rows, linear->k, RVM_TENSOR_STRIDED, choose_type (linear, a.type) },
    { "output", out, a.rows, linear->n, in_place ? RVM_TENSOR_CONTIGUOUS : RVM_TENSOR_STRIDED, in_place ? RVM_ELEMENT_F32 : choose_type (linear, out.type) },
  };
  guint n = 2;

  if (a.rows == 0)
    return;
  if (e->pre_gelu.buffer || e->gelu_slope)
    checks[n++] = (RvmTensorCheck) RVM_CHECK_MATRIX ("input of GELU", e->pre_gelu, a.rows, linear->n);
  if (e->residual.buffer)
    checks[n++] = (RvmTensorCheck){
      "residual", e->residual, in_place ? a.rows : MAX (e->residual.rows, 1), linear->n, RVM_TENSOR_CONTIGUOUS, RVM_ELEMENT_F32,
    };
  if (rvm_tensors_check (queue, "linear layer", checks, n)) {
    const RvmLinear *operand = linear->operand ? linear->operand : linear;

    operand->functions->multiply (queue, operand, a, out, e, get_flags (linear, e));
  }
}
