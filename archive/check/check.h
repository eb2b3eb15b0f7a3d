/* Whether an archive is whole: its database, its records and its files of features. */
#pragma once

#include "archive/database/database.h"

G_BEGIN_DECLS

typedef struct {
  char *name;  /* of the file or the video */
  char *what;  /* is wrong with it */
  gboolean mended;
} RvmFault;

typedef struct {
  GPtrArray *faults; /* RvmFault */
  guint files, moments_files; /* records; of these, with features beside the database */
  char *unmerged;    /* (nullable): what several processes have left, and is not checked */
  char digest[33];   /* of all that is there, by path: equal digests, equal archives. Empty if there are faults */
} RvmCheck;

void rvm_check_free (RvmCheck *check);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmCheck, rvm_check_free)

/* Reads everything. With @mend, the archive is locked, and what is damaged is taken out of it, so that the next indexing makes it again. An error is
 * what keeps it from being checked at all. */
RvmCheck *rvm_check_run (const char *folder, gboolean mend, GError **error);

G_END_DECLS
