/* Arrays of a weight file and their places on the device. */
#include "parameters.h"

#include <string.h>

void
rvm_parameter_free (RvmParameter *parameter)
{
  g_free (parameter->array.name);
  g_free (parameter);
}

RvmBuffer *
rvm_parameter_get_buffer (const RvmParameter *parameter)
{
  if (parameter->linear == NULL)
    return parameter->vector;
  return parameter->is_bias ? rvm_linear_get_bias (parameter->linear) : rvm_linear_get_kernel (parameter->linear);
}

guint64
rvm_parameter_get_size (const RvmParameter *parameter)
{
  guint64 elements = 0, bytes;

  rvm_array_get_size (&parameter->array, &elements, &bytes); /* cannot fail: the array was read from a file */
  return elements;
}

void
rvm_parameter_pack (const RvmParameter *parameter, float *stored, const float *values)
{
  if (parameter->linear && !parameter->is_bias)
    rvm_linear_pack (parameter->linear, stored, parameter->column, parameter->columns, values);
  else
    memcpy (stored + parameter->column, values, rvm_parameter_get_size (parameter) * sizeof (float));
}

void
rvm_parameter_unpack (const RvmParameter *parameter, const float *stored, float *values)
{
  if (parameter->linear && !parameter->is_bias)
    rvm_linear_unpack (parameter->linear, stored, parameter->column, parameter->columns, values);
  else
    memcpy (values, stored + parameter->column, rvm_parameter_get_size (parameter) * sizeof (float));
}
