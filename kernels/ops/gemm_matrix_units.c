/* Products in bfloat16 by matrix units: the layout of their weights, their backward pass (cl/matrix_backward.cl), and the product that is tried before they
 * are used. */
#include "gemm_matrix_units.h"

#include <string.h>

#include "chain.h"
#include "kernels/error.h"
#include "kernels/half.h"
#include "kernels/runtime/launch.h"
#include "row_sum.h"

#define PANEL 32  /* columns: a tile of even ones and a tile of odd ones */
#define TILE 512  /* elements */
#define MAX_BFLOAT 0x1.fep127f /* larger weights are stored as this, see gemm_provider.c */

/* Of the test product: more than a tile of rows, and rows, columns and k that are no multiples of a tile's. */
#define TEST_M 37
#define TEST_K 70
#define TEST_HIDDEN 45
#define TEST_N 33

static void
lay_out (RvmDevice *device, RvmLinear *linear)
{
  linear->panel = PANEL;
  linear->stored_k = (linear->k + RVM_UNITS_STEP - 1) / RVM_UNITS_STEP * RVM_UNITS_STEP;
  linear->stored_n = linear->bias_n = (linear->n + PANEL - 1) / PANEL * PANEL;
}

/* See the head of cl/matrix_chain.cl. */
static void
store_row (RvmLinear *linear, guint row, guint column, guint count, const float *values)
{
  guint16 *kernel = linear->kernel_map;

  for (guint i = 0; i < count; i++) {
    const guint panel = (column + i) / PANEL, within = (column + i) % PANEL, step = row / RVM_UNITS_STEP, pair = row % RVM_UNITS_STEP / 2;
    const gsize tile = ((gsize) panel * (linear->stored_k / RVM_UNITS_STEP) + step) * 2 + within % 2;

    kernel[tile * TILE + pair * PANEL + within / 2 * 2 + row % 2] = rvm_float_to_bfloat (CLAMP (values[i], -MAX_BFLOAT, MAX_BFLOAT));
  }
}

static void
multiply (RvmQueue *queue, const RvmLinear *linear, RvmTensor a, RvmTensor out, const RvmEpilogue *epilogue, guint flags)
{
  rvm_chain_run (queue, &linear->tiles,
      &(RvmChainStep){
          .on_units = TRUE, .a = a, .out = out, .weights = linear->kernel, .type = linear->type, .bias = linear->bias,
          .pre_gelu = epilogue->pre_gelu, .residual = epilogue->residual, .flags = flags,
      });
}

static guint
count_steps (guint rows)
{
  return (rows + RVM_UNITS_STEP - 1) / RVM_UNITS_STEP;
}

/* @to: the weights of @linear, or their transpose. */
static void
pack_weights (RvmQueue *queue, const RvmLinear *linear, const RvmLinear *to, gboolean is_transposed)
{
  const RvmArg args[] = {
    RVM_ARG_BUFFER (linear->kernel), RVM_ARG_BUFFER (to->kernel), RVM_ARG_UINT (linear->k), RVM_ARG_UINT (linear->n), RVM_ARG_UINT (linear->panel),
    RVM_ARG_UINT (is_transposed),
  };

  rvm_queue_launch (queue, &(RvmKernel){ "matrix_backward", "pack_weights", rvm_units_get_options (rvm_queue_get_device (queue)), NULL }, 2,
      (const gsize[]){ to->stored_k / RVM_UNITS_STEP, to->stored_n / PANEL }, NULL, G_N_ELEMENTS (args), args);
}

static void
round_weights (RvmQueue *queue, const RvmLinear *linear, const RvmLinear *operand, const RvmLinear *transposed)
{
  pack_weights (queue, linear, operand, FALSE);
  pack_weights (queue, linear, transposed, TRUE);
}

/* The most panels for each work-item that leave every compute unit at least two work-items. */
static guint
choose_span (RvmQueue *queue, guint blocks, guint panels)
{
  const guint64 units = MAX (1, rvm_device_get_compute_units (rvm_queue_get_device (queue)));

  return CLAMP ((guint64) blocks * panels / (2 * units), 1, panels);
}

/* Three launches share scratch memory: D packed as weights are, then the rows of A^T. */
static void
add_gradient (RvmQueue *queue, const RvmLinear *linear, RvmTensor x, RvmTensor d, RvmBuffer *kernel, RvmBuffer *bias, gboolean accumulate)
{
  const guint m = x.rows, k = linear->k, n = linear->n, steps = count_steps (m), blocks = count_steps (k), panels = (n + PANEL - 1) / PANEL;
  const guint span = choose_span (queue, blocks, panels);
  const char *options = rvm_units_get_options (rvm_queue_get_device (queue));
  const gsize packed = (gsize) panels * steps * 2 * TILE * sizeof (guint16), rows = (gsize) blocks * 2 * steps * TILE * sizeof (guint16);
  const RvmBuffer *scratch = rvm_queue_get_scratch (queue, packed + rows);
  const RvmArg of_rows[] = { RVM_ARGS_TENSOR (d), RVM_ARG_BUFFER (scratch), RVM_ARG_UINT (m), RVM_ARG_UINT (n) };
  const RvmArg of_inputs[] = { RVM_ARGS_TENSOR (x), RVM_ARG_BUFFER (scratch), RVM_ARG_UINT (packed / 64), RVM_ARG_UINT (m), RVM_ARG_UINT (k) };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (scratch), RVM_ARG_UINT (packed / 64), RVM_ARG_BUFFER (kernel), RVM_ARG_UINT (steps), RVM_ARG_UINT (k), RVM_ARG_UINT (n),
    RVM_ARG_UINT (linear->panel), RVM_ARG_UINT (span), RVM_ARG_UINT (accumulate),
  };

  if (scratch == NULL)
    return;
  rvm_queue_launch (queue, &(RvmKernel){ "matrix_backward", "pack_rows", options, NULL }, 2, (const gsize[]){ steps, panels }, NULL,
      G_N_ELEMENTS (of_rows), of_rows);
  rvm_queue_launch (queue, &(RvmKernel){ "matrix_backward", "pack_inputs", options, NULL }, 2, (const gsize[]){ steps, 2 * blocks }, NULL,
      G_N_ELEMENTS (of_inputs), of_inputs);
  rvm_queue_launch (queue, &(RvmKernel){ "matrix_backward", "units_gradient", options, NULL }, 2,
      (const gsize[]){ blocks, (panels + span - 1) / span }, (const gsize[]){ 1, 1 }, G_N_ELEMENTS (args), args);
  if (bias)
    rvm_sum_rows (queue, &(RvmRowSum){ .x = d, .pictures = 1, .rows = m, .out = bias, .accumulate = accumulate });
}

/* Small whole numbers, so that products, sums and bfloat16s are exact. */
static float
test_value (guint i, guint seed)
{
  return (float) ((i * 7 + i / 5 * 3 + seed) % 5 % 3) - 1;
}

/* Weights of a test product, of which only the kernel is freed. */
static gboolean
make_test_weights (RvmDevice *device, RvmLinear *linear, guint k, guint n, guint seed, float *values, GError **error)
{
  *linear = (RvmLinear){ .functions = &rvm_gemm_matrix_units, .type = RVM_ELEMENT_BF16, .tiles = rvm_tiles_for_device (device), .k = k, .n = n };
  lay_out (device, linear);
  for (guint i = 0; i < k * n; i++)
    values[i] = test_value (i, seed);
  linear->kernel = rvm_buffer_new (device, (gsize) linear->stored_k * linear->stored_n * sizeof (guint16), "test product", error);
  linear->kernel_map = linear->kernel ? rvm_buffer_map_write (linear->kernel, error) : NULL;
  if (linear->kernel_map == NULL)
    return FALSE;
  memset (linear->kernel_map, 0, rvm_buffer_get_size (linear->kernel));
  for (guint row = 0; row < k; row++)
    store_row (linear, row, 0, n, values + row * n);
  return rvm_buffer_unmap (linear->kernel, linear->kernel_map, error);
}

/* out (m, n) = a b */
static void
multiply_on_host (const float *a, const float *b, float *out, guint m, guint n, guint k)
{
  for (guint i = 0; i < m; i++)
    for (guint j = 0; j < n; j++) {
      float sum = 0;

      for (guint p = 0; p < k; p++)
        sum += a[i * k + p] * b[p * n + j];
      out[i * n + j] = sum;
    }
}

/* out = (a W1) W2 with bfloat16 between the two, on device and host. FALSE and no error: they differ. */
static gboolean
multiply_twice (RvmQueue *queue, const RvmLinear *first, const RvmLinear *second, const float *w1, const float *w2, GError **error)
{
  static const RvmEpilogue plain = { 0 };
  float a[TEST_M * TEST_K], hidden[TEST_M * TEST_HIDDEN], expected[TEST_M * TEST_N], got[TEST_M * TEST_N];
  RvmDevice *device = rvm_queue_get_device (queue);
  g_autoptr (RvmBuffer) in = rvm_buffer_new (device, sizeof a, "test product", error);
  g_autoptr (RvmBuffer) between = in ? rvm_buffer_new (device, sizeof hidden, "test product", error) : NULL;
  g_autoptr (RvmBuffer) out = between ? rvm_buffer_new (device, sizeof got, "test product", error) : NULL;
  RvmTensor middle = rvm_tensor (between, TEST_M, TEST_HIDDEN);

  if (out == NULL)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (a); i++)
    a[i] = test_value (i, 0);
  multiply_on_host (a, w1, hidden, TEST_M, TEST_HIDDEN, TEST_K);
  multiply_on_host (hidden, w2, expected, TEST_M, TEST_N, TEST_HIDDEN);
  middle.type = RVM_ELEMENT_BF16;
  rvm_queue_write (queue, in, 0, a, sizeof a);
  rvm_queue_zero (queue, out, 0, sizeof got);
  multiply (queue, first, rvm_tensor (in, TEST_M, TEST_K), middle, &plain, 0);
  multiply (queue, second, middle, rvm_tensor (out, TEST_M, TEST_N), &plain, 0);
  rvm_queue_read (queue, out, 0, got, sizeof got);
  if (!rvm_queue_finish (queue, error))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (got); i++)
    if (got[i] != expected[i])
      return FALSE;
  return TRUE;
}

static gboolean
try_products (RvmDevice *device, GError **error)
{
  float w1[TEST_K * TEST_HIDDEN], w2[TEST_HIDDEN * TEST_N];
  g_autoptr (RvmQueue) queue = rvm_queue_new (device, FALSE, error);
  RvmLinear first = { 0 }, second = { 0 };
  const gboolean right = queue && make_test_weights (device, &first, TEST_K, TEST_HIDDEN, 1, w1, error)
      && make_test_weights (device, &second, TEST_HIDDEN, TEST_N, 2, w2, error) && multiply_twice (queue, &first, &second, w1, w2, error);

  g_clear_pointer (&first.kernel, rvm_buffer_unref);
  g_clear_pointer (&second.kernel, rvm_buffer_unref);
  return right;
}

static char *
test_device (gpointer data)
{
  g_autoptr (GError) error = NULL;

  if (try_products (data, &error))
    return NULL;
  return error ? g_strdup_printf ("a test product of the matrix units failed: %s", error->message)
               : g_strdup ("a test product of the matrix units came out wrong");
}

static const char *
find_problem (RvmDevice *device)
{
  return rvm_matrix_units_find_problem (rvm_device_get_matrix_units (device), test_device, device);
}

static gboolean
is_default (RvmDevice *device, RvmElement type)
{
  return type == RVM_ELEMENT_BF16 && find_problem (device) == NULL;
}

static gboolean
prepare (RvmDevice *device, RvmElement type, GError **error)
{
  const char *problem;

  if (type != RVM_ELEMENT_BF16) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "matrix units need precision bf16, and it is %s", rvm_element_get_name (type));
    return FALSE;
  }
  problem = find_problem (device);
  if (problem)
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "matrix units cannot be used on '%s': %s", rvm_device_get_name (device), problem);
  return problem == NULL;
}

const RvmGemmFunctions rvm_gemm_matrix_units = {
  .name = "matrix-units",
  .activations = RVM_ELEMENT_BF16,
  .is_default = is_default,
  .prepare = prepare,
  .lay_out = lay_out,
  .store_row = store_row,
  .multiply = multiply,
  .add_gradient = add_gradient,
  .round_weights = round_weights,
};
