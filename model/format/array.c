/* Shapes come from untrusted files, so every product of sizes is checked. */
#include "array.h"

#include <string.h>

/* Names are those of safetensors. */
static const struct {
  const char *name;
  gsize size;
} dtypes[] = {
  [RVM_DTYPE_F32] = { "F32", 4 },
  [RVM_DTYPE_F16] = { "F16", 2 },
  [RVM_DTYPE_BF16] = { "BF16", 2 },
  [RVM_DTYPE_F64] = { "F64", 8 },
  [RVM_DTYPE_U8] = { "U8", 1 },
  [RVM_DTYPE_BOOL] = { "BOOL", 1 },
  [RVM_DTYPE_I32] = { "I32", 4 },
  [RVM_DTYPE_I64] = { "I64", 8 },
  [RVM_DTYPE_OTHER] = { "other", 0 },
};

gsize
rvm_dtype_get_size (RvmDType dtype)
{
  return dtypes[dtype].size;
}

const char *
rvm_dtype_get_name (RvmDType dtype)
{
  return dtypes[dtype].name;
}

const char *
rvm_array_get_dtype_name (const RvmArray *array)
{
  return array->dtype == RVM_DTYPE_OTHER ? array->other : rvm_dtype_get_name (array->dtype);
}

void
rvm_array_set_other_dtype (RvmArray *array, const char *name, gsize length)
{
  const gsize room = sizeof array->other - 1;

  array->dtype = RVM_DTYPE_OTHER;
  memset (array->other, 0, sizeof array->other);
  for (gsize i = 0; i < MIN (length, room); i++)
    array->other[i] = g_ascii_isprint (name[i]) ? name[i] : '?';
  if (length > room)
    memcpy (array->other + room - 3, "...", 3);
}

gboolean
rvm_array_get_size (const RvmArray *array, guint64 *elements, guint64 *bytes)
{
  guint64 count = 1;

  for (guint i = 0; i < array->n_dims; i++)
    if (!g_uint64_checked_mul (&count, count, array->dims[i]))
      return FALSE;
  *elements = count;
  return g_uint64_checked_mul (bytes, count, rvm_dtype_get_size (array->dtype)) && *bytes <= G_MAXSSIZE;
}

char *
rvm_array_format_shape (const RvmArray *array)
{
  GString *text = g_string_new ("(");

  for (guint i = 0; i < array->n_dims; i++)
    g_string_append_printf (text, "%s%" G_GUINT64_FORMAT, i ? ", " : "", array->dims[i]);
  g_string_append (text, array->n_dims == 1 ? ",)" : ")");
  return g_string_free (text, FALSE);
}

void
rvm_array_clear (RvmArray *array)
{
  g_clear_pointer (&array->name, g_free);
}
