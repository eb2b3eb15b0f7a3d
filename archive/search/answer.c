/* Moments are taken best first: each joins the answers that it is near to, or begins another. Only so many are looked at that an answer's length says
 * something, and the rest of the archive is not sorted. */
#include "answer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CANDIDATES_FOR_EACH = 64, LEAST_CANDIDATES = 1024 };

typedef struct {
  float score;
  gsize row;
} Candidate;

/* Best first; rows decide between equal ones, so that the order is always the same. */
static int
compare (gconstpointer a, gconstpointer b)
{
  const Candidate *x = a, *y = b;

  return x->score != y->score ? (x->score < y->score ? 1 : -1) : (x->row > y->row) - (x->row < y->row);
}

/* The worst of the best lies at the top of a heap. */
static void
sink (Candidate *heap, gsize n, gsize at)
{
  for (;;) {
    const gsize left = 2 * at + 1, right = left + 1;
    gsize worst = at;
    Candidate swapped;

    if (left < n && compare (&heap[left], &heap[worst]) > 0)
      worst = left;
    if (right < n && compare (&heap[right], &heap[worst]) > 0)
      worst = right;
    if (worst == at)
      return;
    swapped = heap[at];
    heap[at] = heap[worst];
    heap[worst] = swapped;
    at = worst;
  }
}

static gboolean
is_left_out (const RvmTable *table, gsize row, const RvmAnswerOptions *options)
{
  if (options->own == NULL || strcmp (rvm_table_find (table, row)->record->path, options->own) != 0)
    return FALSE;
  return options->others_only || ABS (table->times[row] - options->own_time) <= options->gap;
}

/* The best candidates, best first. */
static Candidate *
choose (const RvmTable *table, const float *scores, const RvmAnswerOptions *options, gsize wanted, gsize *n)
{
  Candidate *heap = g_new (Candidate, wanted);

  *n = 0;
  for (gsize row = 0; row < table->n; row++) {
    const Candidate candidate = { scores[row], row };

    if (isnan (scores[row]) || (*n == wanted && compare (&candidate, &heap[0]) >= 0) || is_left_out (table, row, options))
      continue;
    if (*n < wanted) {
      heap[(*n)++] = candidate;
      if (*n == wanted)
        for (gsize i = wanted / 2 + 1; i-- > 0;)
          sink (heap, wanted, i);
    } else {
      heap[0] = candidate;
      sink (heap, wanted, 0);
    }
  }
  qsort (heap, *n, sizeof *heap, compare);
  return heap;
}

/* The best of each of the best videos: a long video whose moments are all alike must not be the only one that is found. */
static Candidate *
add_best_of_each (const RvmTable *table, const float *scores, const RvmAnswerOptions *options, Candidate *candidates, gsize *n)
{
  g_autofree Candidate *best = g_new (Candidate, MAX (table->spans->len, 1));
  gsize found = 0;

  for (guint s = 0; s < table->spans->len; s++) {
    const RvmTableSpan *span = &g_array_index (table->spans, RvmTableSpan, s);
    gboolean any = FALSE;

    for (gsize row = span->first; row < span->first + span->count; row++) {
      const Candidate candidate = { scores[row], row };

      if (isnan (scores[row]) || (any && compare (&candidate, &best[found]) >= 0) || is_left_out (table, row, options))
        continue;
      best[found] = candidate;
      any = TRUE;
    }
    found += any;
  }
  qsort (best, found, sizeof *best, compare);
  found = MIN (found, options->top);
  candidates = g_renew (Candidate, candidates, *n + found + 1);
  memcpy (candidates + *n, best, found * sizeof *best);
  *n += found;
  qsort (candidates, *n, sizeof *candidates, compare);
  return candidates;
}

static gboolean
is_near (const RvmAnswer *a, const RvmAnswer *b, gint64 gap)
{
  return a->record == b->record && a->start <= b->end + gap && b->start <= a->end + gap;
}

/* Adds @found, and joins it with all answers that it touches, which may then touch each other. */
static void
add (GArray *answers, RvmAnswer found, gint64 gap)
{
  guint at = answers->len;

  for (guint i = answers->len; i-- > 0;) {
    const RvmAnswer *answer = &g_array_index (answers, RvmAnswer, i);

    if (!is_near (answer, &found, gap))
      continue;
    found.start = MIN (found.start, answer->start);
    found.end = MAX (found.end, answer->end);
    /* Answers come best first, and keep that order. */
    found.best = answer->best;
    found.row = answer->row;
    found.score = answer->score;
    at = i;
    g_array_remove_index (answers, i);
  }
  g_array_insert_val (answers, at, found);
}

GArray *
rvm_answers_find (const RvmTable *table, const float *scores, const RvmAnswerOptions *options)
{
  GArray *answers = g_array_new (FALSE, FALSE, sizeof (RvmAnswer));
  const gsize wanted = MIN (table->n, (gsize) MAX (options->top * CANDIDATES_FOR_EACH, LEAST_CANDIDATES));
  gsize n;
  g_autofree Candidate *candidates = add_best_of_each (table, scores, options, choose (table, scores, options, wanted, &n), &n);

  for (gsize i = 0; i < n; i++) {
    const gint64 time = table->times[candidates[i].row];
    const RvmAnswer found = { rvm_table_find (table, candidates[i].row)->record, time, time, time, candidates[i].row, candidates[i].score };

    add (answers, found, options->gap);
  }
  g_array_set_size (answers, MIN (answers->len, options->top));
  return answers;
}
