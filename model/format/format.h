/* RvmFormat: how weight files of one format are recognised, read and written.
 *
 * To add a format: a file that defines its `const RvmFormat rvm_format_NAME`, its name in RVM_FORMATS below, and its file in meson.build. Nothing
 * else knows which formats there are. */
#pragma once

#include "array.h"

G_BEGIN_DECLS

/* All formats, in the order in which they are asked whether a file is theirs. */
#define RVM_FORMATS(FORMAT) FORMAT (npz) FORMAT (safetensors)

#define RVM_FORMAT_HEAD 9 /* bytes at the start of a file that a format may look at */

/* What is to be written. */
typedef struct {
  const RvmArray *arrays;
  guint n_arrays;
  GHashTable *metadata; /* (nullable) string -> string */
  /* (transfer full): the bytes of @array as they are stored, little-endian, and how many they are. */
  gpointer (*get_bytes) (const RvmArray *array, gsize *size, gpointer user_data, GError **error);
  gpointer user_data;
} RvmFormatContent;

typedef struct {
  const char *name; /* "npz": also how file names end, after the dot */

  /* Whether a file that begins with the @size bytes of @head (fewer than RVM_FORMAT_HEAD only if it is shorter) is meant to be of this format. */
  gboolean (*probe) (const guint8 *head, gsize size);

  /* Reads the headers, and accepts arrays of every type. What it returns is the `file` of the other functions. Errors name @path. */
  gpointer (*open) (const char *path, GError **error);
  void (*free) (gpointer file); /* NULL is allowed */

  guint (*get_n_arrays) (gconstpointer file);
  const RvmArray *(*get_array) (gconstpointer file, guint index); /* (transfer none) */
  GHashTable *(*get_metadata) (gconstpointer file);               /* (transfer none) string -> string; NULL here: the format has none */

  /* FALSE, with an error that names file and array, if the values cannot be read for another reason than their dtype; NULL here: they always can. */
  gboolean (*check) (gconstpointer file, const RvmArray *array, GError **error);
  /* The array's bytes as the file stores them, little-endian, into @data of exactly @size bytes. */
  gboolean (*read) (gpointer file, const RvmArray *array, gpointer data, gsize size, GError **error);

  guint dtypes; /* types that can be written: a bit, 1 << RvmDType, for each */
  /* Writes a new file, array by array. Metadata are dropped if the format has none. Errors name @path; what was written of a file is left there. */
  gboolean (*write) (const char *path, const RvmFormatContent *content, GError **error);
} RvmFormat;

#define RVM_FORMAT_DECLARE(name) extern const RvmFormat rvm_format_##name;
RVM_FORMATS (RVM_FORMAT_DECLARE)
#undef RVM_FORMAT_DECLARE

G_END_DECLS
