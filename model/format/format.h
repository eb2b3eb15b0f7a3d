/* RvmFormat: how weight files of one format are told from others and read. Each format fills in one of these in its own file, and the table in
 * weights.c lists them; nothing else knows which formats there are. */
#pragma once

#include "array.h"

G_BEGIN_DECLS

#define RVM_FORMAT_HEAD 9 /* bytes at the start of a file that a format may look at */

typedef struct {
  const char *name; /* "npz" */

  /* Whether a file that begins with the @size bytes of @head (fewer than RVM_FORMAT_HEAD only if it is shorter) is meant to be of this format. */
  gboolean (*probe) (const guint8 *head, gsize size);

  /* Reads headers, judges no array. What it returns is the `file` of the other functions. Errors name @path. */
  gpointer (*open) (const char *path, GError **error);
  void (*free) (gpointer file); /* NULL is allowed */

  guint (*get_n_arrays) (gconstpointer file);
  const RvmArray *(*get_array) (gconstpointer file, guint index); /* (transfer none) */
  GHashTable *(*get_metadata) (gconstpointer file);               /* (transfer none) string -> string; NULL here: the format has none */

  /* FALSE, with an error that names file and array, if the values cannot be read for another reason than their dtype; NULL here: they always can. */
  gboolean (*check) (gconstpointer file, const RvmArray *array, GError **error);
  /* The array's bytes as the file stores them, little-endian, into @data of exactly @size bytes. */
  gboolean (*read) (gpointer file, const RvmArray *array, gpointer data, gsize size, GError **error);
} RvmFormat;

G_END_DECLS
