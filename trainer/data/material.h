/* RvmMaterial: the list of files that samples are made of, how each is recognised, and which files are not used and why. It is made once, when a run
 * begins, and kept in the run's folder (material.jsonl), so that later changes of the folders do not change the run. */
#pragma once

#include <glib/gstdio.h>

G_BEGIN_DECLS

typedef enum { RVM_MATERIAL_CLIPS, RVM_MATERIAL_PHOTOS, RVM_MATERIAL_SPRITES, RVM_MATERIAL_KINDS } RvmMaterialKind;

const char *rvm_material_kind_get_name (RvmMaterialKind kind);   /* "clips", "photos", "sprites" */
const char *rvm_material_kind_get_option (RvmMaterialKind kind); /* "--data", "--photos", "--sprites" */

typedef struct {
  char *path;       /* absolute; any bytes */
  guint64 size;     /* bytes */
  gint64 modified;  /* nanoseconds since 1970 */
  char *hash;       /* of its content, NULL: not yet computed */
  guint frames;     /* of a clip; 0: not yet read */
  guint argument;   /* number of the first name in RvmMaterial.given that leads to it */
  gboolean settled; /* the run has used it before, so it is an error if it can no longer be used */
  char *reason;     /* why it is not used; NULL for files that are */
} RvmMaterialFile;

/* Material that was used until some step, when it was replaced. */
typedef struct {
  guint64 until;
  char *names[RVM_MATERIAL_KINDS]; /* as rvm_material_describe() has them */
} RvmMaterialPast;

/* A listed file that changed while the list stayed the same. */
typedef struct {
  guint64 step;
  char *text;
} RvmMaterialChange;

typedef struct {
  GPtrArray *given[RVM_MATERIAL_KINDS];   /* char *: absolute paths given on the command line */
  GPtrArray *files[RVM_MATERIAL_KINDS];   /* RvmMaterialFile: in the order that samples refer to */
  GPtrArray *skipped[RVM_MATERIAL_KINDS]; /* RvmMaterialFile, with a reason */
  guint64 since;    /* the first step that used these files */
  GArray *past;     /* RvmMaterialPast, in order */
  GArray *changes;  /* RvmMaterialChange, in order */
} RvmMaterial;

RvmMaterial *rvm_material_new (void);
void rvm_material_free (RvmMaterial *material);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmMaterial, rvm_material_free)

/* Replaces the files of @kind by those that @names lead to (rvm_files_expand()), none of them settled. What is not a regular file is skipped. */
gboolean rvm_material_give (RvmMaterial *material, RvmMaterialKind kind, const char *const *names, GError **error);
/* Moves file number @number from the used ones to the skipped ones. */
void rvm_material_skip (RvmMaterial *material, RvmMaterialKind kind, guint number, const char *reason);

void rvm_material_file_stat (RvmMaterialFile *file, const GStatBuf *status); /* size and time */
/* Compares the file on the disk with the list. RVM_ERROR_FILE if it is missing or cannot be read, RVM_ERROR_FORMAT if its content has changed. If
 * only its time has changed, the new time is stored. */
gboolean rvm_material_file_check (RvmMaterialFile *file, GError **error);
/* Called after @file was read, with whether that went well, and @error if it did not. A file that was changed or replaced after it had been checked is
 * reported as such, instead of by what its decoder thought of the new content. Returns TRUE if what was read is what is listed. */
gboolean rvm_material_file_confirm (RvmMaterialFile *file, gboolean was_read, GError **error);
/* Lists the file as it is now. Its frames have to be counted again. */
gboolean rvm_material_file_update (RvmMaterialFile *file, GError **error);
/* Computes the hashes that are missing. */
gboolean rvm_material_hash (RvmMaterial *material, GError **error);

/* Replaces the files of @kind by those of @other. */
void rvm_material_copy (RvmMaterial *material, const RvmMaterial *other, RvmMaterialKind kind);
/* Removes the files in @folder, an absolute path. */
void rvm_material_leave_out (RvmMaterial *material, RvmMaterialKind kind, const char *folder);

/* Whether both give the same samples: files of the same content in the same order. Both must have hashes. */
gboolean rvm_material_equals (const RvmMaterial *material, const RvmMaterial *other);
/* Whether the files of @kind have the same contents in both, wherever they are. If so, those of @material get the order and the arguments of
 * @other's. Both must have hashes. */
gboolean rvm_material_match (RvmMaterial *material, const RvmMaterial *other, RvmMaterialKind kind);

/* @material replaces @old from step @since on and takes over its history. If @old was used for any step, its names are added to the history. */
void rvm_material_succeed (RvmMaterial *material, const RvmMaterial *old, guint64 since);
/* The run continues from @step: what was noted for later steps is valid from @step on. */
void rvm_material_rewind (RvmMaterial *material, guint64 step);
/* Notes that a file has changed from step @step on; @text says which. */
void rvm_material_note (RvmMaterial *material, guint64 step, const char *text);

/* (transfer full): the names of the files of @kind as a value of a key file. */
char *rvm_material_list_names (const RvmMaterial *material, RvmMaterialKind kind);
/* (transfer full): a key file for the metadata of weights: the names of all files that were used, without their folders, which are private. It is
 * UTF-8: names are escaped by rvm_name_escape(). If the names are too long, it has their number instead. */
char *rvm_material_describe (const RvmMaterial *material);

/* Writes material.jsonl (see material_file.c for its format) if anything has changed: to a temporary file, which is renamed. */
gboolean rvm_material_save (const RvmMaterial *material, const char *path, GError **error);
RvmMaterial *rvm_material_load (const char *path, GError **error);

G_END_DECLS
