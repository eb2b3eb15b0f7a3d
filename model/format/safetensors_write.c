/* Writing .safetensors files. Names and metadata that are not UTF-8 are escaped, because a header must be UTF-8 to be read. */
#include "safetensors.h"

#include <errno.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

#include "kernels/error.h"
#include "kernels/text.h"

static void
set_member_name (JsonBuilder *builder, const char *name)
{
  g_autofree char *text = rvm_text_from_bytes (name);

  json_builder_set_member_name (builder, text);
}

char *
rvm_safetensors_format_header (const RvmArray *arrays, guint n_arrays, GHashTable *metadata)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autoptr (JsonNode) root = NULL;
  guint64 at = 0;

  json_builder_begin_object (builder);
  if (metadata && g_hash_table_size (metadata) > 0) {
    g_autoptr (GList) keys = g_list_sort (g_hash_table_get_keys (metadata), (GCompareFunc) strcmp);

    json_builder_set_member_name (builder, "__metadata__");
    json_builder_begin_object (builder);
    for (GList *key = keys; key; key = key->next) {
      g_autofree char *text = rvm_text_from_bytes (g_hash_table_lookup (metadata, key->data));

      set_member_name (builder, key->data);
      json_builder_add_string_value (builder, text);
    }
    json_builder_end_object (builder);
  }
  for (guint i = 0; i < n_arrays; i++) {
    const RvmArray *array = &arrays[i];
    guint64 elements, bytes = 0;

    rvm_array_get_size (array, &elements, &bytes);
    set_member_name (builder, array->name);
    json_builder_begin_object (builder);
    json_builder_set_member_name (builder, "dtype");
    json_builder_add_string_value (builder, rvm_dtype_get_name (array->dtype));
    json_builder_set_member_name (builder, "shape");
    json_builder_begin_array (builder);
    for (guint d = 0; d < array->n_dims; d++)
      json_builder_add_int_value (builder, array->dims[d]);
    json_builder_end_array (builder);
    json_builder_set_member_name (builder, "data_offsets");
    json_builder_begin_array (builder);
    json_builder_add_int_value (builder, at);
    json_builder_add_int_value (builder, at += bytes);
    json_builder_end_array (builder);
    json_builder_end_object (builder);
  }
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  json_generator_set_root (generator, root);
  return json_generator_to_data (generator, NULL);
}

static gboolean
write_all (FILE *file, gconstpointer data, gsize size, const char *path, GError **error)
{
  if (size == 0 || fwrite (data, 1, size, file) == size)
    return TRUE;
  rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", path, g_strerror (errno));
  return FALSE;
}

gboolean
rvm_safetensors_write (const char *path, const RvmFormatContent *content, GError **error)
{
  g_autofree char *header = rvm_safetensors_format_header (content->arrays, content->n_arrays, content->metadata), *padded = NULL;
  const gsize length = (strlen (header) + 7) / 8 * 8; /* the data begin at a multiple of 8 */
  guint8 prefix[8];
  FILE *file;
  gboolean ok;

  if (length > RVM_SAFETENSORS_MAX_HEADER) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: its header, names and metadata, would have %" G_GSIZE_FORMAT " bytes, expected at most %d",
        path, length, RVM_SAFETENSORS_MAX_HEADER);
    return FALSE;
  }
  file = fopen (path, "wbe");
  if (file == NULL) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", path, g_strerror (errno));
    return FALSE;
  }
  for (guint i = 0; i < sizeof prefix; i++)
    prefix[i] = (guint64) length >> 8 * i;
  padded = g_strdup_printf ("%-*s", (int) length, header);
  ok = write_all (file, prefix, sizeof prefix, path, error) && write_all (file, padded, length, path, error);
  for (guint i = 0; ok && i < content->n_arrays; i++) {
    gsize size;
    g_autofree guint8 *bytes = content->get_bytes (&content->arrays[i], &size, content->user_data, error);
    ok = bytes && write_all (file, bytes, size, path, error);
  }
  if (fclose (file) != 0 && ok) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", path, g_strerror (errno));
    ok = FALSE;
  }
  return ok;
}
