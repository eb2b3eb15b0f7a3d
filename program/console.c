/* GLib's own handlers would print question marks where no locale is set. */
#include "console.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "kernels/text.h"

static void
print_to (FILE *file, const char *message)
{
  g_autofree char *text = rvm_text_from_bytes (message), *converted = NULL;
  const char *charset;

  if (!g_get_console_charset (&charset) && strcmp (charset, "ANSI_X3.4-1968") != 0 && strcmp (charset, "US-ASCII") != 0)
    converted = g_convert_with_fallback (text, -1, charset, "UTF-8", NULL, NULL, NULL, NULL);
  fputs (converted ? converted : text, file);
  fflush (file);
}

static void
print_out (const char *message)
{
  print_to (stdout, message);
}

static void
print_error (const char *message)
{
  print_to (stderr, message);
}

void
rvm_console_prepare (void)
{
  setlocale (LC_CTYPE, "");
  g_set_print_handler (print_out);
  g_set_printerr_handler (print_error);
}
