/* RvmSettings: what all files of an archive are analysed with. RvmRecord: what is known of one file. Both are rows of the database (archive/schema.sql
 * says what each field is), and plain structures here, which their user owns. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  RVM_PART_CLASS = 1 << 0,
  RVM_PART_MEAN = 1 << 1,
  RVM_PART_SUMMARY = 1 << 2,
  RVM_PART_PATCHES = 1 << 3,
} RvmParts;

/* (transfer full): "class,summary". */
char *rvm_parts_format (RvmParts parts);
/* RVM_ERROR_ARGUMENT for what is not a list of them, or empty. */
gboolean rvm_parts_parse (const char *text, RvmParts *parts, GError **error);

typedef struct {
  char *model_id, *precision;
  gint64 dim, size, interval, rate_n, rate_d, colours;
  RvmParts parts;
} RvmSettings;

void rvm_settings_clear_fields (RvmSettings *settings);
void rvm_settings_copy_fields (const RvmSettings *from, RvmSettings *to); /* @to is uninitialised */
/* RVM_ERROR_ARGUMENT with the first field that differs; @where begins the message. */
gboolean rvm_settings_check_equal (const RvmSettings *have, const RvmSettings *want, const char *where, GError **error);

typedef enum { RVM_VECTOR_TIMES, RVM_VECTOR_CLASS, RVM_VECTOR_MEAN, RVM_VECTOR_SUMMARY, RVM_VECTOR_COLOURS, RVM_VECTOR_KINDS } RvmVectorOf;

extern const char *const rvm_vector_names[RVM_VECTOR_KINDS];
/* Bytes of the vector of one moment. */
gsize rvm_vector_get_size (const RvmSettings *settings, RvmVectorOf kind);

#define RVM_UNKNOWN (-1) /* NULL in the database */

typedef struct {
  gint64 id; /* in the database it was read from */
  char *path;
  gint64 size, modified;
  char *hash, *state, *reason; /* state: done, partial or failed */
  gint64 width, height, pixel_n, pixel_d, analysis_width, analysis_height, rows, columns, duration, frames, moments;
  char *features;
  gint64 features_size;
  char *features_hash;
  double features_error; /* negative: unknown */
  char *seal;
  GBytes *vectors[RVM_VECTOR_KINDS]; /* of all moments; NULL: not kept, or not read */
} RvmRecord;

/* Whether a user means an address (http://...) and no file. */
gboolean rvm_record_is_address (const char *name);
/* (transfer full): the path that a record has of what a user names @name: absolute, also of "file://..."; addresses as they are. RVM_ERROR_ARGUMENT. */
char *rvm_record_get_path_of (const char *name, GError **error);

/* Without a picture, in state "failed". */
RvmRecord *rvm_record_new (const char *path);
void rvm_record_free (RvmRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmRecord, rvm_record_free)

/* The fields as columns of the table "files", in its order, without id. */
typedef enum { RVM_COLUMN_BYTES, RVM_COLUMN_TEXT, RVM_COLUMN_INTEGER, RVM_COLUMN_REAL } RvmColumnType;

typedef struct {
  const char *name;
  RvmColumnType type;
  gsize offset;
  gboolean sealed; /* part of the seal, and of what is compared */
} RvmColumn;

extern const RvmColumn rvm_record_columns[];
extern const guint rvm_record_n_columns;

enum { RVM_PIECE = 65536 }; /* moments of a row of the table "vectors" */

/* (transfer full): the seal that the record must have with vectors of those @hashes, a line for each piece: "kind first count hash". */
char *rvm_record_make_seal (const RvmRecord *record, const char *hashes);

G_END_DECLS
