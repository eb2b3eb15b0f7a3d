/* The error domain. */
#include "error.h"

#include "text.h"

G_DEFINE_QUARK (rvm-error-quark, rvm_error)

void
rvm_error_set (GError **error, RvmError code, const char *format, ...)
{
  g_autofree char *text = NULL, *valid = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  valid = rvm_text_from_bytes (text);
  g_set_error_literal (error, RVM_ERROR, code, valid);
}
