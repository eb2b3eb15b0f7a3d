/* The .npy format: "\x93NUMPY", version, header length, then a Python dict literal in ASCII, padded with spaces to a newline. */
#include "npy.h"

#include <string.h>

/* NumPy's name of each type. */
static const char *const descrs[] = {
  [RVM_DTYPE_F32] = "<f4",
  [RVM_DTYPE_F16] = "<f2",
  [RVM_DTYPE_BF16] = "<V2", /* how NumPy writes the bfloat16 of ml_dtypes (JAX) */
  [RVM_DTYPE_F64] = "<f8",
  [RVM_DTYPE_U8] = "|u1",
  [RVM_DTYPE_BOOL] = "|b1",
  [RVM_DTYPE_I32] = "<i4",
  [RVM_DTYPE_I64] = "<i8",
  [RVM_DTYPE_OTHER] = NULL,
};

/* A cursor over the dict. It understands what numpy writes: keys and strings without escapes, True, False, and tuples of non-negative integers. */
typedef struct {
  const char *at, *end;
  const char *where;
  GError **error;
} Parser;

static gboolean
fail (Parser *parser, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
fail (Parser *parser, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  rvm_error_set (parser->error, RVM_ERROR_FORMAT, "%s: %s", parser->where, text);
  return FALSE;
}

static gboolean
take (Parser *parser, const char *text)
{
  while (parser->at < parser->end && *parser->at == ' ')
    parser->at++;
  if ((gsize) (parser->end - parser->at) < strlen (text) || strncmp (parser->at, text, strlen (text)) != 0)
    return FALSE;
  parser->at += strlen (text);
  return TRUE;
}

/* A quoted string of at most @size - 1 characters. */
static gboolean
take_string (Parser *parser, char *out, gsize size)
{
  const char *quote = take (parser, "'") ? "'" : take (parser, "\"") ? "\"" : NULL;
  const char *close = quote ? memchr (parser->at, *quote, parser->end - parser->at) : NULL;

  if (close == NULL || (gsize) (close - parser->at) >= size)
    return FALSE;
  memcpy (out, parser->at, close - parser->at);
  out[close - parser->at] = '\0';
  parser->at = close + 1;
  return TRUE;
}

/* Moves past any Python literal of strings, numbers and nested brackets, up to the comma or brace that ends it. */
static gboolean
skip_value (Parser *parser)
{
  const char *start = parser->at;
  guint depth = 0;
  char quote = 0;

  for (gboolean escaped = FALSE; parser->at < parser->end; parser->at++) {
    const char c = *parser->at;

    if (quote) {
      if (!escaped && c == quote)
        quote = 0;
      escaped = !escaped && c == '\\';
    } else if (depth == 0 && (c == ',' || c == '}')) {
      break;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '(' || c == '[' || c == '{') {
      depth++;
    } else if ((c == ')' || c == ']' || c == '}') && depth-- == 0) {
      return FALSE;
    }
  }
  return parser->at < parser->end && parser->at > start;
}

/* A plain type is a string. A structured one is a list of fields, which is kept as its text. */
static gboolean
parse_descr (Parser *parser, RvmArray *array)
{
  char descr[RVM_MAX_DTYPE_NAME];
  const char *start;

  if (take_string (parser, descr, sizeof descr)) {
    for (guint i = 0; i < RVM_DTYPE_OTHER; i++)
      /* NumPy writes only the size of a type that it does not know. Once loaded and saved again, such a type has the order '|'. */
      if (strcmp (descrs[i], descr) == 0 || (i == RVM_DTYPE_BF16 && strcmp (descr, "|V2") == 0)) {
        array->dtype = i;
        return TRUE;
      }
    rvm_array_set_other_dtype (array, descr, strlen (descr));
    return TRUE;
  }
  start = parser->at;
  if (!skip_value (parser))
    return fail (parser, "npy header: 'descr' is not a type");
  rvm_array_set_other_dtype (array, start, parser->at - start);
  return TRUE;
}

static gboolean
parse_shape (Parser *parser, RvmArray *array)
{
  array->n_dims = 0;
  if (!take (parser, "("))
    return fail (parser, "npy header: 'shape' is not a tuple");
  while (!take (parser, ")")) {
    guint64 dim = 0;
    gboolean any = FALSE;

    if (array->n_dims == RVM_MAX_DIMS)
      return fail (parser, "npy header: 'shape' has more than %d dimensions", RVM_MAX_DIMS);
    if (take (parser, "-"))
      return fail (parser, "npy header: 'shape' has a negative dimension");
    take (parser, ""); /* spaces */
    for (; parser->at < parser->end && g_ascii_isdigit (*parser->at); parser->at++, any = TRUE)
      if (!g_uint64_checked_mul (&dim, dim, 10) || !g_uint64_checked_add (&dim, dim, *parser->at - '0'))
        return fail (parser, "npy header: 'shape' has a dimension that is too large");
    if (!any)
      return fail (parser, "npy header: 'shape' is not a tuple of integers");
    array->dims[array->n_dims++] = dim;
    if (!take (parser, ",") && !(parser->at < parser->end && *parser->at == ')'))
      return fail (parser, "npy header: 'shape' is not a tuple of integers");
  }
  return TRUE;
}

static gboolean
parse_dict (Parser *parser, RvmArray *array)
{
  gboolean descr = FALSE, order = FALSE, shape = FALSE;
  char key[32];

  if (!take (parser, "{"))
    return fail (parser, "npy header is not a dictionary");
  while (!take (parser, "}")) {
    if (!take_string (parser, key, sizeof key) || !take (parser, ":"))
      return fail (parser, "npy header is not a dictionary of strings");
    if (strcmp (key, "descr") == 0 && !descr) {
      descr = TRUE;
      if (!parse_descr (parser, array))
        return FALSE;
    } else if (strcmp (key, "fortran_order") == 0 && !order) {
      order = TRUE;
      array->fortran = take (parser, "True");
      if (!array->fortran && !take (parser, "False"))
        return fail (parser, "npy header: 'fortran_order' is neither True nor False");
    } else if (strcmp (key, "shape") == 0 && !shape) {
      shape = TRUE;
      if (!parse_shape (parser, array))
        return FALSE;
    } else {
      return fail (parser, "npy header: unexpected or repeated key '%s'", key);
    }
    if (!take (parser, ",") && !(parser->at < parser->end && *parser->at == '}'))
      return fail (parser, "npy header is not a dictionary");
  }
  if (!descr || !order || !shape)
    return fail (parser, "npy header: '%s' is missing", !descr ? "descr" : !order ? "fortran_order" : "shape");
  array->fortran = array->fortran && array->n_dims > 1;
  return TRUE;
}

gboolean
rvm_npy_parse_header (const guint8 *data, gsize size, const char *where, RvmArray *array, gsize *header_size, GError **error)
{
  Parser parser = { .where = where, .error = error };
  gsize length, start;

  if (size < 10 || memcmp (data, "\x93NUMPY", 6) != 0)
    return fail (&parser, "not an npy array (no NUMPY magic)");
  if (data[6] == 1) {
    start = 10;
    length = data[8] | data[9] << 8;
  } else if ((data[6] == 2 || data[6] == 3) && size >= 12) {
    start = 12;
    length = data[8] | data[9] << 8 | data[10] << 16 | (gsize) data[11] << 24;
  } else {
    return fail (&parser, "npy version %u is not supported", data[6]);
  }
  if (length > size - start)
    return fail (&parser, "npy header of %" G_GSIZE_FORMAT " bytes is cut off", length);
  parser.at = (const char *) data + start;
  parser.end = parser.at + length;
  if (!parse_dict (&parser, array))
    return FALSE;
  *header_size = start + length;
  return TRUE;
}

GBytes *
rvm_npy_format_header (const RvmArray *array, gsize pad_to)
{
  g_autofree char *shape = rvm_array_format_shape (array);
  GString *text = g_string_new_len ("\x93NUMPY\x01\x00\x00\x00", 10);
  gsize total, length;

  g_return_val_if_fail (descrs[array->dtype] != NULL, NULL);
  g_string_append_printf (text, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descrs[array->dtype], shape);
  total = pad_to ? pad_to : (text->len + 1 + 63) / 64 * 64;
  g_return_val_if_fail (text->len + 1 <= total && total <= 10 + G_MAXUINT16, NULL);
  while (text->len + 1 < total)
    g_string_append_c (text, ' ');
  g_string_append_c (text, '\n');
  length = total - 10;
  text->str[8] = length & 0xff;
  text->str[9] = length >> 8;
  return g_string_free_to_bytes (text);
}
