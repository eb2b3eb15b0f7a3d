/* Moments that a search has found, put together where they follow each other in one video. */
#pragma once

#include "table.h"

G_BEGIN_DECLS

typedef struct {
  const RvmRecord *record;
  gint64 start, end, best; /* times, nanoseconds */
  gsize row;               /* of the best */
  float score;             /* of the best */
} RvmAnswer;

typedef struct {
  guint top;             /* answers, at most */
  gint64 gap;            /* nanoseconds: moments nearer than that to an answer's belong to it */
  const char *own;       /* (nullable): the video that was asked with, ... */
  gint64 own_time;       /* ... of which moments nearer than the gap to this time are left out, ... */
  gboolean others_only;  /* ... or all */
} RvmAnswerOptions;

/* (element-type RvmAnswer): best first. @scores: of each row of @table. */
GArray *rvm_answers_find (const RvmTable *table, const float *scores, const RvmAnswerOptions *options);

G_END_DECLS
