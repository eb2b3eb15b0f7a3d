/* RvmMaterial: the files that samples are made of: which they are, what they are recognised by, and which of those that lie about are
 * not used and why. It is made once, when a run begins, and kept in the run's folder (material.jsonl), so that what happens to folders
 * later changes nothing. */
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
  gboolean settled; /* whether it is of use was found out before: that one which was is of none now is an error */
  char *reason;     /* why it is not used; NULL for files that are */
} RvmMaterialFile;

/* What was used until some step, when other material was given. */
typedef struct {
  guint64 until;
  char *names[RVM_MATERIAL_KINDS]; /* as rvm_material_describe() has them */
} RvmMaterialPast;

/* A change of the files under the same list. */
typedef struct {
  guint64 step;
  char *text;
} RvmMaterialChange;

typedef struct {
  GPtrArray *given[RVM_MATERIAL_KINDS];   /* char *: absolute paths that were named on the command line */
  GPtrArray *files[RVM_MATERIAL_KINDS];   /* RvmMaterialFile: in the order that samples refer to */
  GPtrArray *skipped[RVM_MATERIAL_KINDS]; /* RvmMaterialFile, with a reason */
  guint64 since;    /* the first step that used these files */
  GArray *past;     /* RvmMaterialPast, in order */
  GArray *changes;  /* RvmMaterialChange, in order */
} RvmMaterial;

RvmMaterial *rvm_material_new (void);
void rvm_material_free (RvmMaterial *material);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmMaterial, rvm_material_free)

/* Replaces what there is of @kind by the files that @names lead to (rvm_files_expand()), none of them settled. What is no regular file
 * is skipped. */
gboolean rvm_material_give (RvmMaterial *material, RvmMaterialKind kind, const char *const *names, GError **error);
/* Moves file number @number from the used ones to the skipped ones. */
void rvm_material_skip (RvmMaterial *material, RvmMaterialKind kind, guint number, const char *reason);

void rvm_material_file_stat (RvmMaterialFile *file, const GStatBuf *status); /* size and time */
/* The file as it is on the disk now: RVM_ERROR_FILE if it is not there or cannot be read, RVM_ERROR_FORMAT if its content is another
 * one than when it was listed. A file whose time alone has changed is as it was; its new time is noted. */
gboolean rvm_material_file_check (RvmMaterialFile *file, GError **error);
/* Takes the file as it is now; its frames have to be counted again. */
gboolean rvm_material_file_update (RvmMaterialFile *file, GError **error);
/* Computes what is missing of all hashes. */
gboolean rvm_material_hash (RvmMaterial *material, GError **error);

/* What there is of @kind becomes as it is in @other. */
void rvm_material_copy (RvmMaterial *material, const RvmMaterial *other, RvmMaterialKind kind);
/* Leaves out what lies in @folder (an absolute path). */
void rvm_material_leave_out (RvmMaterial *material, RvmMaterialKind kind, const char *folder);

/* Whether samples of both are the same: files of the same content in the same order. Both have hashes. */
gboolean rvm_material_equals (const RvmMaterial *material, const RvmMaterial *other);
/* Whether both have files of the same content of @kind, wherever these are. If so the files of @material are put into the order of
 * @other's, and have their arguments. Both have hashes. */
gboolean rvm_material_match (RvmMaterial *material, const RvmMaterial *other, RvmMaterialKind kind);

/* @material is used instead of @old from step @since on, and takes over its history. If that is later than when @old came into use,
 * its names go there, too. */
void rvm_material_succeed (RvmMaterial *material, const RvmMaterial *old, guint64 since);
/* The run has gone back to @step: what was noted for later steps is true from there on. */
void rvm_material_rewind (RvmMaterial *material, guint64 step);
/* From step @step on a file is another one: @text. */
void rvm_material_note (RvmMaterial *material, guint64 step, const char *text);

/* (transfer full): the names of the files of @kind as a value of a key file. */
char *rvm_material_list_names (const RvmMaterial *material, RvmMaterialKind kind);
/* (transfer full): a key file for the metadata of weights: the names of all files used, without the folders that they lie in, which
 * are nobody's business who gets the weights. UTF-8: names are as rvm_name_escape() has them. Where they are too many, their number
 * stands for them. */
char *rvm_material_describe (const RvmMaterial *material);

/* material.jsonl, a line for everything; see material_file.c. Written, if anything is different, to a temporary file that is renamed. */
gboolean rvm_material_save (const RvmMaterial *material, const char *path, GError **error);
RvmMaterial *rvm_material_load (const char *path, GError **error);

G_END_DECLS
