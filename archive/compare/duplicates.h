/* Pieces of two videos of an archive that show the same: copies, whole or in part, re-encoded, scaled or mirrored. */
#pragma once

#include "archive/search/table.h"

G_BEGIN_DECLS

typedef struct {
  const RvmRecord *record;
  gint64 start, end; /* nanoseconds: of the first and the last moment */
} RvmPiece;

typedef struct {
  RvmPiece a, b;
  guint moments; /* that were compared */
  float score;   /* likeness of colours, 0 to 1: the mean over the moments */
  float motion;  /* how far changes of colours over time agree, -1 to 1; NaN: nothing changes in them */
} RvmDuplicate;

typedef struct {
  double alike;  /* least likeness of colours of each pair of moments, 0 to 1 */
  double motion; /* least agreement of changes, ... */
  double evidence; /* ... and least of atanh (motion) * sqrt (seconds): that two takes agree for long is less likely than for a moment */
  double still;  /* least score of pieces in which nothing changes */
  gint64 least;  /* nanoseconds: shorter pieces are left out */
  guint threads; /* 0: one for each processor */
} RvmDuplicateOptions;

extern const RvmDuplicateOptions rvm_duplicate_defaults;

/* (element-type RvmDuplicate): by the paths of a and b, and their times; each pair of videos is compared once. @table has colours. @marked (nullable): of
 * each span: pairs of which at least one is marked; NULL: all. The result does not depend on the number of threads. */
GArray *rvm_duplicates_find (const RvmTable *table, const gboolean *marked, const RvmDuplicateOptions *options);

G_END_DECLS
