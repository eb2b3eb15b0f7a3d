/* Checks of shapes, so that a wrong one is an error and no access outside of a buffer. */
#include "tensor.h"

gboolean
rvm_element_from_name (const char *name, RvmElement *type)
{
  for (guint i = 0; rvm_element_get_name (i); i++)
    if (g_strcmp0 (name, rvm_element_get_name (i)) == 0) {
      *type = i;
      return TRUE;
    }
  return FALSE;
}

static gboolean
is_within_buffer (const RvmTensor *x)
{
  const guint64 end = x->rows ? (guint64) x->offset + (guint64) (x->rows - 1) * x->stride + x->width : 0;

  return end <= rvm_buffer_get_size (x->buffer) / rvm_element_get_size (x->type);
}

static gboolean
matches (const RvmTensorCheck *check)
{
  const RvmTensor *x = &check->tensor;

  if (x->buffer == NULL || x->type != check->type || x->rows != check->rows || x->width != check->width || x->stride < x->width)
    return FALSE;
  if (check->layout == RVM_TENSOR_CONTIGUOUS && (x->offset != 0 || x->stride != x->width))
    return FALSE;
  return is_within_buffer (x);
}

gboolean
rvm_tensors_check (RvmQueue *queue, const char *operation, const RvmTensorCheck *checks, guint n)
{
  if (rvm_queue_has_failed (queue))
    return FALSE;
  for (guint i = 0; i < n; i++) {
    const RvmTensor *x = &checks[i].tensor;

    if (matches (&checks[i]))
      continue;
    rvm_queue_fail (queue, g_error_new (RVM_ERROR, RVM_ERROR_ARGUMENT,
                               "%s: '%s' is %u x %u %s with stride %u at %u of a buffer of %" G_GSIZE_FORMAT " bytes, expected %u x %u %s%s",
                               operation, checks[i].name, x->rows, x->width, rvm_element_get_name (x->type), x->stride, x->offset,
                               x->buffer ? rvm_buffer_get_size (x->buffer) : 0, checks[i].rows, checks[i].width, rvm_element_get_name (checks[i].type),
                               checks[i].layout == RVM_TENSOR_CONTIGUOUS ? ", contiguous" : ""));
    return FALSE;
  }
  return TRUE;
}
