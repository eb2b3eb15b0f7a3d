/* RvmPlan: which files a run looks at: those that are new, that have changed, or that it is asked to try again. */
#pragma once

#include "archive/database/database.h"
#include "ranks.h"

G_BEGIN_DECLS

typedef struct {
  char *path;
  RvmRecord *known; /* the file had that size before and has another time; else NULL */
  guint64 size;     /* bytes, 0: unknown */
} RvmPlanItem;

typedef struct {
  GPtrArray *items; /* RvmPlanItem, by path */
  guint listed;     /* files of this process's share */
  guint failed;     /* of these, that failed before and are not tried again */
  guint64 size;     /* bytes of the items */
} RvmPlan;

/* @names: files, folders, lists and addresses, as on the command line. @archive: its folder, whose own files are left out. @databases: what is known, the
 * later ones more recent; NULL ends them. RVM_ERROR_FILE if a name leads nowhere. */
RvmPlan *rvm_plan_new (const char *const *names, const char *archive, RvmDatabase *const *databases, RvmRank rank, gboolean retry, GError **error);
void rvm_plan_free (RvmPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmPlan, rvm_plan_free)

G_END_DECLS
