/* GLib's own escapes; what is added is that UTF-8 stays readable. */
#include "text.h"

#include <string.h>

char *
rvm_text_from_bytes (const char *bytes)
{
  GString *text = g_string_new (NULL);
  const char *end;

  while (!g_utf8_validate (bytes, -1, &end)) {
    g_string_append_len (text, bytes, end - bytes);
    g_string_append_printf (text, "\\%03o", (guchar) *end);
    bytes = end + 1;
  }
  g_string_append (text, bytes);
  return g_string_free (text, FALSE);
}

char *
rvm_name_escape (const char *name)
{
  char kept[130] = "\"";

  /* These may stay in a name that is UTF-8. */
  for (guint i = 0; i < 128; i++)
    kept[1 + i] = (char) (128 + i);
  return g_strescape (name, g_utf8_validate (name, -1, NULL) ? kept : "\"");
}

char *
rvm_name_unescape (const char *text)
{
  g_autofree char *again = NULL, *name = NULL;
  gsize backslashes = 0;

  /* g_strcompress() warns of a text that ends within an escape. */
  for (gsize i = strlen (text); i > 0 && text[i - 1] == '\\'; i--)
    backslashes++;
  if (backslashes % 2 == 1)
    return NULL;
  name = g_strcompress (text);
  again = rvm_name_escape (name);
  return strcmp (again, text) == 0 ? g_steal_pointer (&name) : NULL;
}
