/* replay FOLDER...: gives every file of the folders to the fuzz target it is linked with, then each cut off at every length up to 512 and
 * with every byte of its first 512 changed. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static guint64 inputs;

/* Of exactly @size bytes, so that memory checkers see a read beyond them. */
static void
give (const guint8 *data, gsize size)
{
  g_autofree guint8 *copy = g_malloc (MAX (size, 1));

  memcpy (copy, data, size);
  LLVMFuzzerTestOneInput (copy, size);
  inputs++;
}

static void
replay (const char *path)
{
  g_autofree char *content = NULL;
  g_autoptr (GError) error = NULL;
  gsize size;

  if (!g_file_get_contents (path, &content, &size, &error))
    g_error ("%s", error->message);
  give ((const guint8 *) content, size);
  for (gsize i = 0; i < MIN (size, 512); i++) {
    static const char odd[] = { 0, -1, '"', '9' };
    const char kept = content[i];

    give ((const guint8 *) content, i);
    for (guint k = 0; k < G_N_ELEMENTS (odd); k++) {
      content[i] = odd[k];
      give ((const guint8 *) content, size);
    }
    content[i] = kept;
  }
}

int
main (int argc, char **argv)
{
  guint files = 0;

  LLVMFuzzerInitialize (&argc, &argv);
  for (int i = 1; i < argc; i++) {
    g_autoptr (GDir) folder = NULL;
    g_autoptr (GError) error = NULL;
    const char *name;

    folder = g_dir_open (argv[i], 0, &error);
    if (folder == NULL)
      g_error ("%s", error->message);
    for (; (name = g_dir_read_name (folder)) != NULL; files++) {
      g_autofree char *path = g_build_filename (argv[i], name, NULL);
      replay (path);
    }
  }
  g_print ("%u files, %" G_GUINT64_FORMAT " inputs\n", files, inputs);
  return files ? EXIT_SUCCESS : EXIT_FAILURE;
}
