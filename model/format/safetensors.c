/* Reading .safetensors. The header is untrusted: its length, nesting, names, shapes and offsets are checked before anything is
 * allocated for them. The format: https://github.com/huggingface/safetensors */
#include "safetensors.h"

#include <errno.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

#include "kernels/error.h"

#define MAX_DEPTH 8                    /* a valid header nests 3 deep; json-glib recurses */

typedef struct {
  guint64 begin, end; /* in the data, bytes */
} Range;

struct _RvmSafetensors {
  char *path;
  FILE *file;
  guint64 data_start, data_size;
  GArray *arrays; /* of RvmArray */
  GArray *ranges; /* of Range, in the same order */
  GHashTable *by_name;
  GHashTable *metadata;
};

void
rvm_safetensors_free (RvmSafetensors *file)
{
  if (file == NULL)
    return;
  if (file->file)
    fclose (file->file);
  g_hash_table_unref (file->by_name);
  g_hash_table_unref (file->metadata);
  g_array_unref (file->arrays);
  g_array_unref (file->ranges);
  g_free (file->path);
  g_free (file);
}

static gboolean
bad (const RvmSafetensors *file, GError **error, const char *format, ...) G_GNUC_PRINTF (3, 4);

static gboolean
bad (const RvmSafetensors *file, GError **error, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  rvm_error_set (error, RVM_ERROR_FORMAT, "%s: %s", file->path, text);
  return FALSE;
}

/* Whether the text is one JSON object that nests at most MAX_DEPTH deep, followed by nothing but spaces. json-glib would read a second value, and leak
 * the first. It also accepts comments, whose brackets this count would get wrong. */
static gboolean
is_one_object (const char *text, gsize length)
{
  guint depth = 0;
  gboolean quoted = FALSE;

  for (gsize i = 0; i < length; i++) {
    if (quoted) {
      if (text[i] == '\\')
        i++;
      else if (text[i] == '"')
        quoted = FALSE;
    } else if (i > 0 && depth == 0) {
      if (!g_ascii_isspace (text[i]))
        return FALSE;
    } else if (text[i] == '"') {
      quoted = TRUE;
    } else if (text[i] == '/' || text[i] == '#') {
      return FALSE;
    } else if (text[i] == '{' || text[i] == '[') {
      if (++depth > MAX_DEPTH)
        return FALSE;
    } else if (text[i] == '}' || text[i] == ']') {
      depth--;
    }
  }
  return TRUE;
}

/* json-glib keeps the last of two members of the same name; here that is an error. */
typedef struct {
  GHashTable *seen; /* "OBJECT NAME" */
  char *repeated;
} Members;

static void
note_member (JsonParser *parser, JsonObject *object, const char *name, gpointer user_data)
{
  Members *members = user_data;

  if (!g_hash_table_add (members->seen, g_strdup_printf ("%p %s", (void *) object, name)) && members->repeated == NULL)
    members->repeated = g_strdup (name);
}

/* A member that is a non-negative integer. */
static gboolean
get_unsigned (JsonNode *node, guint64 *value)
{
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_INT64 || json_node_get_int (node) < 0)
    return FALSE;
  *value = json_node_get_int (node);
  return TRUE;
}

static gboolean
parse_dtype (const RvmSafetensors *file, const char *name, JsonObject *entry, RvmArray *array, GError **error)
{
  JsonNode *node = json_object_get_member (entry, "dtype");
  const char *dtype = node && JSON_NODE_HOLDS_VALUE (node) ? json_node_get_string (node) : NULL;

  if (dtype == NULL)
    return bad (file, error, "array '%s': 'dtype' is missing or not a string", name);
  for (guint i = 0; i < RVM_DTYPE_OTHER; i++)
    if (strcmp (rvm_dtype_get_name (i), dtype) == 0) {
      array->dtype = i;
      return TRUE;
    }
  /* New types are added to the format from time to time (F8_E4M3, F4). This reader does not need to know the size of their elements. */
  rvm_array_set_other_dtype (array, dtype, strlen (dtype));
  return TRUE;
}

static gboolean
parse_shape (const RvmSafetensors *file, const char *name, JsonObject *entry, RvmArray *array, GError **error)
{
  JsonNode *node = json_object_get_member (entry, "shape");
  JsonArray *shape;

  if (node == NULL || !JSON_NODE_HOLDS_ARRAY (node))
    return bad (file, error, "array '%s': 'shape' is missing or not a list", name);
  shape = json_node_get_array (node);
  if (json_array_get_length (shape) > RVM_MAX_DIMS)
    return bad (file, error, "array '%s': 'shape' has more than %d dimensions", name, RVM_MAX_DIMS);
  array->n_dims = json_array_get_length (shape);
  for (guint i = 0; i < array->n_dims; i++)
    if (!get_unsigned (json_array_get_element (shape, i), &array->dims[i]))
      return bad (file, error, "array '%s': 'shape' has an entry that is not a non-negative integer", name);
  return TRUE;
}

static gboolean
parse_range (const RvmSafetensors *file, const char *name, JsonObject *entry, const RvmArray *array, Range *range, GError **error)
{
  JsonNode *node = json_object_get_member (entry, "data_offsets");
  JsonArray *offsets = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  guint64 elements, bytes;

  if (offsets == NULL || json_array_get_length (offsets) != 2 || !get_unsigned (json_array_get_element (offsets, 0), &range->begin)
      || !get_unsigned (json_array_get_element (offsets, 1), &range->end))
    return bad (file, error, "array '%s': 'data_offsets' is not a pair of non-negative integers", name);
  if (range->begin > range->end || range->end > file->data_size)
    return bad (file, error,
        "array '%s': 'data_offsets' %" G_GUINT64_FORMAT "..%" G_GUINT64_FORMAT " lie outside the file's %" G_GUINT64_FORMAT
        " bytes of data",
        name, range->begin, range->end, file->data_size);
  if (array->dtype == RVM_DTYPE_OTHER)
    return TRUE;
  if (!rvm_array_get_size (array, &elements, &bytes) || bytes != range->end - range->begin) {
    g_autofree char *shape = rvm_array_format_shape (array);
    return bad (file, error, "array '%s': shape %s of %s does not fit the %" G_GUINT64_FORMAT " bytes of its 'data_offsets'", name, shape,
        rvm_dtype_get_name (array->dtype), range->end - range->begin);
  }
  return TRUE;
}

static gboolean
parse_metadata (RvmSafetensors *file, JsonNode *node, GError **error)
{
  JsonObjectIter iter;
  const char *key;
  JsonNode *value;

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return bad (file, error, "'__metadata__' is not an object");
  json_object_iter_init_ordered (&iter, json_node_get_object (node));
  while (json_object_iter_next_ordered (&iter, &key, &value)) {
    if (!JSON_NODE_HOLDS_VALUE (value) || json_node_get_value_type (value) != G_TYPE_STRING)
      return bad (file, error, "'__metadata__': the value of '%s' is not a string", key);
    g_hash_table_insert (file->metadata, g_strdup (key), g_strdup (json_node_get_string (value)));
  }
  return TRUE;
}

static int
compare_begin (gconstpointer a, gconstpointer b, gpointer ranges)
{
  const Range *x = &g_array_index ((GArray *) ranges, Range, *(const guint *) a);
  const Range *y = &g_array_index ((GArray *) ranges, Range, *(const guint *) b);

  return x->begin < y->begin ? -1 : x->begin > y->begin ? 1 : x->end < y->end ? -1 : x->end > y->end;
}

/* The ranges must cover the data exactly: no overlap, no hole. */
static gboolean
check_cover (const RvmSafetensors *file, GError **error)
{
  g_autoptr (GArray) order = g_array_new (FALSE, FALSE, sizeof (guint));
  guint64 at = 0;

  for (guint i = 0; i < file->ranges->len; i++)
    g_array_append_val (order, i);
  g_array_sort_with_data (order, compare_begin, file->ranges);
  for (guint i = 0; i < order->len; i++) {
    const guint index = g_array_index (order, guint, i);
    const Range *range = &g_array_index (file->ranges, Range, index);

    if (range->begin != at)
      return bad (file, error, "array '%s': its data begin at %" G_GUINT64_FORMAT ", expected %" G_GUINT64_FORMAT " (arrays %s)",
          g_array_index (file->arrays, RvmArray, index).name, range->begin, at, range->begin < at ? "overlap" : "leave a hole");
    at = range->end;
  }
  if (at != file->data_size)
    return bad (file, error, "the arrays take %" G_GUINT64_FORMAT " bytes, the file has %" G_GUINT64_FORMAT, at, file->data_size);
  return TRUE;
}

static gboolean
parse_entries (RvmSafetensors *file, JsonObject *root, GError **error)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;

  json_object_iter_init_ordered (&iter, root);
  while (json_object_iter_next_ordered (&iter, &name, &node)) {
    RvmArray array = { 0 };
    Range range;
    JsonObject *entry;

    if (strcmp (name, "__metadata__") == 0) {
      if (!parse_metadata (file, node, error))
        return FALSE;
      continue;
    }
    if (!JSON_NODE_HOLDS_OBJECT (node))
      return bad (file, error, "array '%s': its entry is not an object", name);
    entry = json_node_get_object (node);
    if (!parse_dtype (file, name, entry, &array, error) || !parse_shape (file, name, entry, &array, error)
        || !parse_range (file, name, entry, &array, &range, error))
      return FALSE;
    array.name = g_strdup (name);
    g_array_append_val (file->arrays, array);
    g_array_append_val (file->ranges, range);
    g_hash_table_insert (file->by_name, array.name, GUINT_TO_POINTER (file->arrays->len));
  }
  return check_cover (file, error);
}

static gboolean
parse_header (RvmSafetensors *file, const char *text, gsize length, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GError) reason = NULL;
  Members members = { .seen = seen };
  g_autofree char *repeated = NULL;
  gboolean parsed;

  if (length == 0 || text[0] != '{')
    return bad (file, error, "the header is not a JSON object");
  if (!g_utf8_validate_len (text, length, NULL) || !is_one_object (text, length))
    return bad (file, error, "the header is not UTF-8 text, not a single JSON object or nests more than %d deep", MAX_DEPTH);
  g_signal_connect (parser, "object-member", G_CALLBACK (note_member), &members);
  parsed = json_parser_load_from_data (parser, text, length, &reason);
  repeated = members.repeated;
  if (!parsed)
    return bad (file, error, "the header is not valid JSON: %s", reason->message);
  if (repeated)
    return bad (file, error, "the header has two members named '%s'", repeated);
  if (!JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser)))
    return bad (file, error, "the header is not a JSON object");
  return parse_entries (file, json_node_get_object (json_parser_get_root (parser)), error);
}

RvmSafetensors *
rvm_safetensors_open (const char *path, GError **error)
{
  g_autoptr (RvmSafetensors) file = g_new0 (RvmSafetensors, 1);
  g_autofree char *text = NULL;
  guint8 prefix[8];
  guint64 length = 0;
  goffset size;

  file->path = g_strdup (path);
  file->arrays = g_array_new (FALSE, TRUE, sizeof (RvmArray));
  g_array_set_clear_func (file->arrays, (GDestroyNotify) rvm_array_clear);
  file->ranges = g_array_new (FALSE, FALSE, sizeof (Range));
  file->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  file->metadata = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  file->file = fopen (path, "rbe");
  if (file->file == NULL || fseeko (file->file, 0, SEEK_END) != 0 || (size = ftello (file->file)) < 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be opened: %s", path, g_strerror (errno));
    return NULL;
  }
  rewind (file->file);
  if (fread (prefix, 1, sizeof prefix, file->file) != sizeof prefix) {
    bad (file, error, "too short for a safetensors file: %" G_GINT64_FORMAT " bytes", (gint64) size);
    return NULL;
  }
  for (guint i = 0; i < sizeof prefix; i++)
    length |= (guint64) prefix[i] << 8 * i;
  if (length > RVM_SAFETENSORS_MAX_HEADER || length > (guint64) size - sizeof prefix) {
    bad (file, error, "its header is said to be %" G_GUINT64_FORMAT " bytes long, more than %s", length,
        length > RVM_SAFETENSORS_MAX_HEADER ? "the format's limit" : "the file");
    return NULL;
  }
  file->data_start = sizeof prefix + length;
  file->data_size = size - file->data_start;
  text = g_try_malloc (length + 1); /* up to 100 MB, if the file is as long */
  if (text == NULL) {
    rvm_error_set (error, RVM_ERROR_MEMORY, "%s: no memory for its header of %" G_GUINT64_FORMAT " bytes", path, length);
    return NULL;
  }
  if (fread (text, 1, length, file->file) != length) {
    bad (file, error, "the header cannot be read: %s", g_strerror (errno));
    return NULL;
  }
  text[length] = '\0';
  return parse_header (file, text, length, error) ? g_steal_pointer (&file) : NULL;
}

guint
rvm_safetensors_get_n_arrays (const RvmSafetensors *file)
{
  return file->arrays->len;
}

const RvmArray *
rvm_safetensors_get_array (const RvmSafetensors *file, guint index)
{
  return &g_array_index (file->arrays, RvmArray, index);
}

GHashTable *
rvm_safetensors_get_metadata (const RvmSafetensors *file)
{
  return file->metadata;
}

gboolean
rvm_safetensors_read (RvmSafetensors *file, const RvmArray *array, gpointer data, gsize size, GError **error)
{
  const Range *range = &g_array_index (file->ranges, Range, array - (const RvmArray *) file->arrays->data);

  if (array->dtype == RVM_DTYPE_OTHER) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: array '%s': values of dtype %s cannot be read", file->path, array->name, array->other);
    return FALSE;
  }
  g_return_val_if_fail (size == range->end - range->begin, FALSE);
  if (fseeko (file->file, file->data_start + range->begin, SEEK_SET) != 0 || fread (data, 1, size, file->file) != size) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: array '%s' cannot be read: %s", file->path, array->name, g_strerror (errno));
    return FALSE;
  }
  return TRUE;
}

/* The length of the header, then the header, which is a JSON object. */
static gboolean
probe (const guint8 *head, gsize size)
{
  return size == RVM_FORMAT_HEAD && head[8] == '{';
}

static gpointer
format_open (const char *path, GError **error)
{
  return rvm_safetensors_open (path, error);
}

static void
format_free (gpointer file)
{
  rvm_safetensors_free (file);
}

static guint
format_get_n_arrays (gconstpointer file)
{
  return rvm_safetensors_get_n_arrays (file);
}

static const RvmArray *
format_get_array (gconstpointer file, guint index)
{
  return rvm_safetensors_get_array (file, index);
}

static GHashTable *
format_get_metadata (gconstpointer file)
{
  return rvm_safetensors_get_metadata (file);
}

static gboolean
format_read (gpointer file, const RvmArray *array, gpointer data, gsize size, GError **error)
{
  return rvm_safetensors_read (file, array, data, size, error);
}

const RvmFormat rvm_format_safetensors = {
  .name = "safetensors",
  .probe = probe,
  .open = format_open,
  .free = format_free,
  .get_n_arrays = format_get_n_arrays,
  .get_array = format_get_array,
  .get_metadata = format_get_metadata,
  .read = format_read,
  .dtypes = 1 << RVM_DTYPE_F32 | 1 << RVM_DTYPE_F16 | 1 << RVM_DTYPE_BF16,
  .write = rvm_safetensors_write,
};
