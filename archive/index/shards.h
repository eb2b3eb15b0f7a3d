/* What several processes have written to an archive and nobody has merged yet. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  char *path, *name; /* of its file; name: below the archive, such as "shards/0-of-2.sqlite" */
  gint rank, size;   /* of the process that writes it; -1 if the name does not say */
  gint64 done, partial, failed, moments; /* files and moments; RVM_UNKNOWN with a reason */
  double video;      /* seconds */
  char *reason;      /* why it cannot be read; NULL: it was */
} RvmShard;

/* (element-type RvmShard): in the order of their ranks. */
GPtrArray *rvm_shards_list (const char *folder);

/* (transfer full): what to do about @shards, of which there is at least one: "2 shards (0 of 2: 5 files; 1 of 2: 4 files) are not merged: ...". */
char *rvm_shards_explain (const char *folder, const GPtrArray *shards);
/* (transfer full): the same without the numbers of files: who merges them, or how. */
char *rvm_shards_advise (const char *folder);

G_END_DECLS
