/* RvmLabelled: video clips with a class each, and groups of clips that belong together (a scene, a person, a day), which are never divided
 * between training and measuring.
 *
 * From a folder whose folders are the classes, or from a CSV file with the columns `file`, `class` and, if only a part of a file is meant,
 * `start` and `end` in seconds. Its files are relative to it. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  char *path;        /* absolute */
  char *name;        /* how messages call the clip: its file, and the seconds if it is a part of it */
  guint label;       /* index of its class; of footage without classes 0 */
  guint group;       /* index of its group */
  double start, end; /* seconds; end 0: that of the file */
  GPtrArray *pictures; /* (nullable) (element-type filename): the clip is these picture files, a frame each; `path` is their folder */
} RvmLabelledClip;

typedef struct {
  GPtrArray *clips;   /* (element-type RvmLabelledClip), by class, then in the order of the file or by name */
  GPtrArray *classes; /* (element-type utf8) by name, or in the order of those expected */
  GPtrArray *groups;  /* (element-type utf8) by name */
} RvmLabelled;

/* @data: the folder or CSV file. @groups: how a clip's group is found:
 *
 *   "name"     NULL, too: its file's name up to the first '_'
 *   "column"   the column `group` of the CSV file
 *   "clip"     each clip is a group by itself
 *   a file     CSV with the columns `file` and `group`
 *
 * @expected: (nullable): the classes that there may be; without it, those that are found. RVM_ERROR_FILE, _FORMAT; they name the file and
 * what was expected: a class with fewer than two clips is an error if no classes are expected. */
RvmLabelled *rvm_labelled_read (const char *data, const char *groups, const char *const *expected, GError **error);
/* All videos of @data, which is a video or a folder, without classes. */
RvmLabelled *rvm_labelled_read_footage (const char *data, const char *groups, GError **error);
/* Without any clip, to which rvm_labelled_add() adds. Clips are in the order in which they are added. */
RvmLabelled *rvm_labelled_new (void);
/* @pictures: (transfer full) (nullable): as in RvmLabelledClip. @group: its name. */
void rvm_labelled_add (RvmLabelled *labelled, const char *path, GPtrArray *pictures, const char *group);
void rvm_labelled_free (RvmLabelled *labelled);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmLabelled, rvm_labelled_free)

G_END_DECLS
