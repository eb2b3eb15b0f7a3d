/* What a provider of matrix products implements, and the weights it does it with. Private to kernels/ops.
 *
 * To add a provider: an entry in RvmGemmProvider (gemm.h), an RvmGemmFunctions in a file of its own, and a row in the table of linear.c. */
#pragma once

#include "gemm.h"
#include "tiles.h"

G_BEGIN_DECLS

typedef struct {
  const char *name;
  gboolean slow_at_first; /* builds its kernels at the first product, which then takes seconds */
  RvmElement activations; /* what the input and output of a product may be, besides float32; and what they should be where only products read them */

  /* Whether RVM_GEMM_AUTO selects this provider for weights of @type; asked in the order of the table. */
  gboolean (*is_default) (RvmDevice *device, RvmElement type);
  /* Makes ready for weights of @type. RVM_ERROR_ARGUMENT if the provider cannot work with them. */
  gboolean (*prepare) (RvmDevice *device, RvmElement type, GError **error);

  /* Sets the layout of new weights whose device, type, k and n are known: panel, stored_k, stored_n and bias_n. */
  void (*lay_out) (RvmDevice *device, RvmLinear *linear);
  /* Writes @count values from @column of row @row on to the mapped kernel. */
  void (*store_row) (RvmLinear *linear, guint row, guint column, guint count, const float *values);

  /* out = epilogue (a W). @a: (m, k), @out: (m, n), checked by the caller. @flags: RVM_EPILOGUE_... (cl/flags.h) of the bias and @epilogue. */
  void (*multiply) (RvmQueue *queue, const RvmLinear *linear, RvmTensor a, RvmTensor out, const RvmEpilogue *epilogue, guint flags);

  /* For training; NULL if the provider cannot train. Adds x^T d, (k, n), to @kernel and the column sums of @d to @bias (nullable), or replaces them
   * unless @accumulate. */
  void (*add_gradient) (RvmQueue *queue, const RvmLinear *linear, RvmTensor x, RvmTensor d, RvmBuffer *kernel, RvmBuffer *bias,
      gboolean accumulate);
  /* Writes the transpose of @linear to @transposed. NULL: transposed weights share the kernel, and multiply() reads it transposed. */
  void (*transpose) (RvmQueue *queue, const RvmLinear *linear, const RvmLinear *transposed);
  /* For training with operands of bfloat16; NULL if the provider cannot. Writes the weights of @linear, float32 in the native layout, rounded to the
   * layout of this provider: as they are to @operand, and their transpose to @transposed. add_gradient() then gets @linear. */
  void (*round_weights) (RvmQueue *queue, const RvmLinear *linear, const RvmLinear *operand, const RvmLinear *transposed);
} RvmGemmFunctions;

/* W (k, n) is stored in panels of columns, each contiguous:
 *
 *          panel    panel
 *        +--------+--------+----+          element (row, column) is at
 *     k  |  0     |  1     | 2  |            (column / panel * k + row) * panel + column % panel
 *        +--------+--------+----+
 *          stored_n columns, n and the padding of the last panel
 *
 * With one panel of n columns this is plain row-major order. The bias has bias_n >= n elements. Matrix units have an order of their own, with padding in
 * rows too (cl/matrix_chain.cl): stored_k is k elsewhere. */
struct _RvmLinear {
  const RvmGemmFunctions *functions;
  RvmElement type; /* of the kernel; the bias is float32 */
  RvmTiles tiles;
  guint k, n;
  guint panel, stored_k, stored_n, bias_n;
  gboolean transposed; /* the kernel is shared, and stored as (n, k) */
  gboolean rounds_input; /* products take their input rounded to bfloat16, as matrix units always do */
  RvmLinear *operand;  /* the weights as products take them, if they are trained with operands of bfloat16; NULL: these */
  RvmBuffer *kernel;
  RvmBuffer *bias;     /* or NULL */
  gpointer kernel_map; /* between rvm_linear_begin() and rvm_linear_end() */
  float *bias_map;
};

/* A store_row() for kernels in panels of any RvmElement. */
void rvm_gemm_store_row (RvmLinear *linear, guint row, guint column, guint count, const float *values);

G_END_DECLS
