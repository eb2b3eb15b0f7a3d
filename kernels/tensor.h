/* RvmTensor: a view of a matrix in device memory. Plain data, passed by value; owns nothing.
 *
 *   element (row, column) is at  offset + row * stride + column,  counted in elements of `type`
 *
 *              width
 *         +-----------+
 *   rows  |           |        stride >= width: a view may be some columns of a wider matrix,
 *         +-----------+        such as the keys among queries, keys and values
 *
 * What layers hand to each other is a tensor: rows are tokens (of all pictures of a batch, one picture after the other), columns are channels.
 * Parameter vectors, pictures and tables of indices, which are always contiguous, are RvmBuffers. */
#pragma once

#include "kernels/cl/flags.h"
#include "kernels/runtime/queue.h"

G_BEGIN_DECLS

/* The type of an element in device memory. */
typedef enum { RVM_ELEMENT_F32 = RVM_WEIGHTS_F32, RVM_ELEMENT_F16 = RVM_WEIGHTS_F16, RVM_ELEMENT_BF16 = RVM_WEIGHTS_BF16 } RvmElement;

#define RVM_ELEMENT_NAMES "f32, f16 or bf16" /* for messages */

static inline const char *
rvm_element_get_name (RvmElement type)
{
  switch (type) {
    case RVM_ELEMENT_F32:
      return "f32";
    case RVM_ELEMENT_F16:
      return "f16";
    case RVM_ELEMENT_BF16:
      return "bf16";
  }
  return NULL;
}

/* In bytes. */
static inline gsize
rvm_element_get_size (RvmElement type)
{
  switch (type) {
    case RVM_ELEMENT_F32:
      return 4;
    case RVM_ELEMENT_F16:
    case RVM_ELEMENT_BF16:
      return 2;
  }
  return 0;
}

/* FALSE if @name (nullable) is not one of RVM_ELEMENT_NAMES. */
gboolean rvm_element_from_name (const char *name, RvmElement *type);

typedef struct {
  const RvmBuffer *buffer; /* borrowed; NULL: there is no tensor. An operation writes to its outputs all the same */
  guint offset, stride;    /* elements */
  guint rows, width;
  RvmElement type;
} RvmTensor;

#define RVM_TENSOR_NONE ((RvmTensor){ .buffer = NULL })

/* A whole buffer of float32, (rows, width). */
static inline RvmTensor
rvm_tensor (const RvmBuffer *buffer, guint rows, guint width)
{
  return (RvmTensor){ .buffer = buffer, .stride = width, .rows = rows, .width = width, .type = RVM_ELEMENT_F32 };
}

/* @width columns of @x from column @first on. */
static inline RvmTensor
rvm_tensor_columns (RvmTensor x, guint first, guint width)
{
  x.offset += first;
  x.width = width;
  return x;
}

/* @rows rows of @x from row @first on. */
static inline RvmTensor
rvm_tensor_rows (RvmTensor x, guint first, guint rows)
{
  x.offset += first * x.stride;
  x.rows = rows;
  return x;
}

/* The same view of another buffer: of a gradient that has the layout of @x. */
static inline RvmTensor
rvm_tensor_on (RvmTensor x, const RvmBuffer *buffer)
{
  x.buffer = buffer;
  return x;
}

/* What an operation expects of one of its tensors. */
typedef struct {
  const char *name; /* for the message */
  RvmTensor tensor;
  guint rows, width;
  enum {
    RVM_TENSOR_CONTIGUOUS, /* offset 0, stride equal to the width */
    RVM_TENSOR_STRIDED,    /* any offset and stride */
  } layout;
  RvmElement type;
} RvmTensorCheck;

/* Initialisers of a check, all of float32: a contiguous matrix, a view with any offset and stride, a buffer that holds a vector. */
#define RVM_CHECK_MATRIX(name, tensor, rows, width) { name, tensor, rows, width, RVM_TENSOR_CONTIGUOUS, RVM_ELEMENT_F32 }
#define RVM_CHECK_VIEW(name, tensor, rows, width) { name, tensor, rows, width, RVM_TENSOR_STRIDED, RVM_ELEMENT_F32 }
#define RVM_CHECK_VECTOR(name, buffer, width) RVM_CHECK_MATRIX (name, rvm_tensor (buffer, 1, width), 1, width)

/* Whether all @n tensors have the expected shape, layout and type, and lie within their buffers. If not, the queue gets a sticky error
 * (RVM_ERROR_ARGUMENT) that names @operation and the tensor. Also FALSE if the queue has failed before. */
gboolean rvm_tensors_check (RvmQueue *queue, const char *operation, const RvmTensorCheck *checks, guint n);

G_END_DECLS
