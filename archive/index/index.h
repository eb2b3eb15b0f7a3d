/* The work of `rvm-archive index`: looks at the files of a plan in several threads, and records each. */
#pragma once

#include "archive/look/look.h"
#include "folder.h"
#include "plan.h"

G_BEGIN_DECLS

typedef struct {
  guint files, of_files;          /* looked at, to look at */
  guint done, partial, failed, same; /* of those looked at; same: only their time was another */
  guint64 bytes, of_bytes;        /* of these files */
  double video;                   /* seconds of video, of files at hand too */
  guint64 moments;
  double elapsed;                 /* seconds */
} RvmIndexState;

/* Called in the calling thread, a few times a second and at the end. @news (nullable): a line about a file that is not done. */
typedef void (*RvmIndexShow) (const RvmIndexState *state, const char *news, gpointer user_data);

typedef struct {
  const RvmLook *look; /* its stop is set by whoever wants the run to end */
  guint threads;
  RvmIndexShow show;
  gpointer user_data;
} RvmIndex;

/* FALSE with @error: something was wrong that is no file's fault. TRUE: all was looked at, or the run was stopped; @state says how far it came. What was
 * recorded stays, whatever happens. */
gboolean rvm_index_run (const RvmIndex *index, RvmFolder *folder, const RvmPlan *plan, RvmIndexState *state, GError **error);

G_END_DECLS
