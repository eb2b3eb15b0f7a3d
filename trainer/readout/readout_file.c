#include "readout_file.h"

#include <string.h>

#include "model/format/weights.h"

static void
array_free (gpointer data)
{
  RvmReadoutArray *array = data;

  g_free (array->name);
  g_free (array->values);
  g_free (array);
}

GPtrArray *
rvm_readout_arrays_new (void)
{
  return g_ptr_array_new_with_free_func (array_free);
}

void
rvm_readout_arrays_add (GPtrArray *arrays, const char *name, float *values, guint n_dims, const guint64 *dims)
{
  RvmReadoutArray *array = g_new0 (RvmReadoutArray, 1);

  array->name = g_strdup (name);
  array->values = values;
  array->n_dims = n_dims;
  memcpy (array->dims, dims, n_dims * sizeof *dims);
  g_ptr_array_add (arrays, array);
}

static gboolean
copy_values (const RvmArray *array, float *values, gpointer user_data, GError **error)
{
  const GPtrArray *arrays = user_data;

  for (guint i = 0; i < arrays->len; i++) {
    const RvmReadoutArray *from = g_ptr_array_index (arrays, i);
    guint64 elements = 0, bytes;

    rvm_array_get_size (array, &elements, &bytes);
    if (strcmp (from->name, array->name) == 0)
      memcpy (values, from->values, elements * sizeof (float));
  }
  return TRUE;
}

gboolean
rvm_readout_arrays_save (GPtrArray *arrays, const RvmReadoutInfo *info, const char *path, GError **error)
{
  g_autoptr (GHashTable) metadata = rvm_readout_info_to_metadata (info);
  g_autofree RvmArray *listed = g_new0 (RvmArray, arrays->len);

  for (guint i = 0; i < arrays->len; i++) {
    const RvmReadoutArray *from = g_ptr_array_index (arrays, i);

    listed[i].name = from->name;
    listed[i].dtype = RVM_DTYPE_F32;
    listed[i].n_dims = from->n_dims;
    memcpy (listed[i].dims, from->dims, from->n_dims * sizeof *from->dims);
  }
  return rvm_weights_save (path, listed, arrays->len, copy_values, arrays, metadata, error);
}
