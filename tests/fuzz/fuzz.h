/* What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput(); libFuzzer gives it a main() (tests/fuzz/run), or replay.c
 * does, which goes through the files of tests/fuzz/corpus in `meson test`, whatever the compiler. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);
/* In fuzz.c: warnings of GLib and its like count as faults. */
int LLVMFuzzerInitialize (int *argc, char ***argv);

/* libFuzzer's mutation, in mutate_safetensors.c and mutate_png.c: what guards the content is put right again, else nearly all inputs would end
 * there. */
gsize LLVMFuzzerMutate (guint8 *data, gsize size, gsize max_size);
gsize LLVMFuzzerCustomMutator (guint8 *data, gsize size, gsize max_size, unsigned int seed);

/* A file in memory that holds @data, under a path that stays until the next call. */
const char *fuzz_file (const guint8 *data, gsize size);

/* After a call that returned @good: an error exactly if it failed, and its message is UTF-8 text that is not empty. Clears it. */
void fuzz_check_error (gboolean good, GError **error);

/* g_assert() that stays in release builds, and aborts (g_error() traps, which libFuzzer does not catch). */
#define fuzz_assert(condition) \
  do { \
    if (!(condition)) \
      fuzz_fail (__FILE__, __LINE__, #condition); \
  } while (0)
G_NORETURN void fuzz_fail (const char *file, int line, const char *condition);

G_END_DECLS
