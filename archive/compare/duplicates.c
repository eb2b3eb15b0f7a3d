/* Copies keep their time: what is at time t in one video is at t + offset in the other, for one offset. So each offset of each pair of videos is gone through,
 * and runs of moments that are alike are noted. That two pictures have the same colours says little where a camera stands still; that the colours change in
 * the same way says more, and is asked for where they change at all. Of runs that overlap in both videos, the best is kept. */
#include "duplicates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/half.h"
#include "likeness.h"

enum { LEAST_MOMENTS = 3, SHIFTS = 2 /* each way, within half a step */, MOST_THREADS = 64 };

/* Below this variance of its vectors (which have length 1), nothing changes in a piece but noise. */
#define STILL 5e-4
#define MOST_MOTION 0.9999

/* Chosen on other videos than those that docs/archive.md reports on. */
const RvmDuplicateOptions rvm_duplicate_defaults = { .alike = 0.9, .motion = 0.3, .evidence = 1.6, .still = 0.99, .least = 2000000000 };

typedef struct {
  gsize a, a_end, b, b_end; /* rows; the ends are the last ones */
  gint64 offset;
  guint moments;
  float score, motion; /* motion: NaN: still */
} Run;

typedef struct {
  const RvmTable *table;
  const gboolean *marked;
  const RvmDuplicateOptions *options;
  RvmLikeness *likeness;
  GArray **found; /* of each span as a: RvmDuplicate; each is written by one thread */
  gint next;      /* atomic: the next span */
} Work;

typedef struct {
  Work *work;
  const RvmTableSpan *a, *b;
  gint64 tolerance; /* between the times of two moments that are compared */
  GArray *runs;     /* Run: of the pair at hand */
  double *sums;     /* (2, dim) */
} Pair;

/* Adds up what a correlation of @n vectors needs. */
typedef struct {
  double dot, aa, bb;
  double *sum_a, *sum_b; /* (dim) */
} Sums;

static double
multiply (const double *a, const double *b, guint dim)
{
  double product = 0;

  for (guint c = 0; c < dim; c++)
    product += a[c] * b[c];
  return product;
}

/* Of the vectors of @run in a, and of those of b at the same times @shift later, between moments by interpolation. */
static void
add_up (const Pair *pair, const Run *run, const gsize *partners, gint64 shift, Sums *sums)
{
  const RvmTable *table = pair->work->table;
  const guint dim = table->dim;
  const gsize b_first = pair->b->first, b_last = b_first + pair->b->count - 1;

  memset (sums->sum_a, 0, 2 * dim * sizeof *sums->sum_a);
  sums->dot = sums->aa = sums->bb = 0;
  for (guint m = 0; m < run->moments; m++) {
    const gint64 wanted = table->times[run->a + m] + run->offset + shift;
    gsize low = partners[m], high;
    float weight;

    while (low > b_first && table->times[low] > wanted)
      low--;
    while (low < b_last && table->times[low + 1] <= wanted)
      low++;
    high = MIN (low + 1, b_last);
    weight = high > low ? CLAMP ((double) (wanted - table->times[low]) / (table->times[high] - table->times[low]), 0, 1) : 0;
    for (guint c = 0; c < dim; c++) {
      const float x = rvm_half_to_float (table->halves[(run->a + m) * dim + c]);
      const float y = (1 - weight) * rvm_half_to_float (table->halves[low * dim + c]) + weight * rvm_half_to_float (table->halves[high * dim + c]);

      sums->sum_a[c] += x;
      sums->sum_b[c] += y;
      sums->dot += x * y;
      sums->aa += x * x;
      sums->bb += y * y;
    }
  }
}

/* The run's score and motion, which is that of the best shift: moments of a copy lie between those of the original. */
static void
measure (const Pair *pair, Run *run, const gsize *partners)
{
  const guint dim = pair->work->table->dim, n = run->moments;
  const double nn = (double) n * n;
  Sums sums = { .sum_a = pair->sums, .sum_b = pair->sums + dim };

  run->score = -1;
  run->motion = NAN;
  for (gint s = -SHIFTS; s <= SHIFTS; s++) {
    double variance_a, variance_b, motion;

    add_up (pair, run, partners, pair->tolerance * s / SHIFTS, &sums);
    variance_a = sums.aa / n - multiply (sums.sum_a, sums.sum_a, dim) / nn;
    variance_b = sums.bb / n - multiply (sums.sum_b, sums.sum_b, dim) / nn;
    run->score = MIN (MAX (run->score, sums.dot / sqrt (sums.aa * sums.bb)), 1);
    if (MIN (variance_a, variance_b) < STILL)
      continue;
    motion = (sums.dot / n - multiply (sums.sum_a, sums.sum_b, dim) / nn) / sqrt (variance_a * variance_b);
    if (isnan (run->motion) || motion > run->motion)
      run->motion = motion;
  }
}

/* Notes @n rows from @a at @offset, whose @partners in b are known, if they are a copy. */
static void
note (Pair *pair, gsize a, guint n, gint64 offset, const gsize *partners)
{
  const RvmDuplicateOptions *options = pair->work->options;
  const gint64 *times = pair->work->table->times;
  Run run = { .a = a, .a_end = a + n - 1, .b = partners[0], .b_end = partners[n - 1], .offset = offset, .moments = n };
  double evidence;

  if (n < LEAST_MOMENTS || times[run.a_end] - times[run.a] < options->least || times[run.b_end] - times[run.b] < options->least)
    return;
  measure (pair, &run, partners);
  /* As the test of a correlation, but by time: moments that follow each other closely are no evidence of their own. */
  evidence = atanh (CLAMP (run.motion, -MOST_MOTION, MOST_MOTION)) * sqrt ((times[run.a_end] - times[run.a]) / 1e9);
  if (isnan (run.motion) ? run.score >= options->still : run.motion >= options->motion && evidence >= options->evidence)
    g_array_append_val (pair->runs, run);
}

/* One offset: what is at t in a is at t + @offset in b. @partners: room for the rows of a. */
static void
go_through (Pair *pair, gint64 offset, gsize *partners)
{
  const RvmTable *table = pair->work->table;
  const gsize a_end = pair->a->first + pair->a->count, b_last = pair->b->first + pair->b->count - 1;
  gsize b = pair->b->first, begin = 0;
  guint n = 0;

  for (gsize a = pair->a->first; a < a_end; a++) {
    const gint64 wanted = table->times[a] + offset;

    while (b < b_last && ABS (table->times[b + 1] - wanted) <= ABS (table->times[b] - wanted))
      b++;
    if (ABS (table->times[b] - wanted) <= pair->tolerance && rvm_likeness_compare (pair->work->likeness, a, b, pair->work->options->alike) > 0) {
      begin = n ? begin : a;
      partners[n++] = b;
      continue;
    }
    if (n)
      note (pair, begin, n, offset, partners);
    n = 0;
    if (b == b_last && table->times[b] < wanted - pair->tolerance)
      break;
  }
  if (n)
    note (pair, begin, n, offset, partners);
}

static float
get_weight (const Run *run)
{
  return run->moments * (isnan (run->motion) ? run->score : run->motion);
}

/* Best first: long ones that agree. The order is always the same. */
static int
compare_runs (gconstpointer x, gconstpointer y)
{
  const Run *a = x, *b = y;
  const float weight_a = get_weight (a), weight_b = get_weight (b);

  if (weight_a != weight_b)
    return weight_a < weight_b ? 1 : -1;
  if (a->score != b->score)
    return a->score < b->score ? 1 : -1;
  return a->a != b->a ? (a->a < b->a ? -1 : 1) : (a->b > b->b) - (a->b < b->b);
}

static int
compare_starts (gconstpointer x, gconstpointer y)
{
  const RvmDuplicate *a = x, *b = y;

  return a->a.start != b->a.start ? (a->a.start < b->a.start ? -1 : 1) : (a->b.start > b->b.start) - (a->b.start < b->b.start);
}

static gboolean
overlap (const Run *x, const Run *y)
{
  return x->a <= y->a_end && y->a <= x->a_end && x->b <= y->b_end && y->b <= x->b_end;
}

/* Moves the best of the runs to @found. */
static void
choose (Pair *pair, GArray *found)
{
  const gint64 *times = pair->work->table->times;
  const guint before = found->len;
  guint kept = 0;

  g_array_sort (pair->runs, compare_runs);
  for (guint i = 0; i < pair->runs->len; i++) {
    const Run run = g_array_index (pair->runs, Run, i);
    gboolean is_new = TRUE;

    for (guint k = 0; is_new && k < kept; k++)
      is_new = !overlap (&run, &g_array_index (pair->runs, Run, k));
    if (is_new)
      g_array_index (pair->runs, Run, kept++) = run;
  }
  for (guint k = 0; k < kept; k++) {
    const Run *run = &g_array_index (pair->runs, Run, k);
    const RvmDuplicate duplicate = { { pair->a->record, times[run->a], times[run->a_end] }, { pair->b->record, times[run->b], times[run->b_end] },
      run->moments, run->score, run->motion };

    g_array_append_val (found, duplicate);
  }
  if (kept > 1)
    qsort (&g_array_index (found, RvmDuplicate, before), kept, sizeof (RvmDuplicate), compare_starts);
  g_array_set_size (pair->runs, 0);
}

/* The mean time between two moments; 0 if there is none. */
static gint64
get_step (const RvmTable *table, const RvmTableSpan *span)
{
  return span->count > 1 ? (table->times[span->first + span->count - 1] - table->times[span->first]) / (gint64) (span->count - 1) : 0;
}

static gint64
get_length (const RvmTable *table, const RvmTableSpan *span)
{
  return table->times[span->first + span->count - 1] - table->times[span->first];
}

static void
compare_pair (Pair *pair, gsize *partners, GArray *found)
{
  const RvmTable *table = pair->work->table;
  const gint64 step_a = get_step (table, pair->a), step_b = get_step (table, pair->b), step = MIN (step_a, step_b);
  const gint64 *a = table->times + pair->a->first, *b = table->times + pair->b->first;

  if (step <= 0)
    return;
  pair->tolerance = MAX (step_a, step_b) / 2;
  for (gint64 offset = b[0] - a[pair->a->count - 1]; offset <= b[pair->b->count - 1] - a[0]; offset += step)
    go_through (pair, offset, partners);
  if (pair->runs->len)
    choose (pair, found);
}

static gpointer
compare_some (gpointer data)
{
  Work *work = data;
  const GArray *spans = work->table->spans;
  g_autoptr (GArray) runs = g_array_new (FALSE, FALSE, sizeof (Run));
  g_autofree double *sums = g_new (double, 2 * (gsize) work->table->dim);
  Pair pair = { .work = work, .runs = runs, .sums = sums };

  for (guint a; (a = g_atomic_int_add (&work->next, 1)) < spans->len;) {
    g_autofree gsize *partners = NULL;

    pair.a = &g_array_index (spans, RvmTableSpan, a);
    if (pair.a->count < LEAST_MOMENTS || get_length (work->table, pair.a) < work->options->least)
      continue;
    partners = g_new (gsize, pair.a->count);
    for (guint b = a + 1; b < spans->len; b++) {
      pair.b = &g_array_index (spans, RvmTableSpan, b);
      if (pair.b->count >= LEAST_MOMENTS && (work->marked == NULL || work->marked[a] || work->marked[b]))
        compare_pair (&pair, partners, work->found[a]);
    }
  }
  return NULL;
}

GArray *
rvm_duplicates_find (const RvmTable *table, const gboolean *marked, const RvmDuplicateOptions *options)
{
  GArray *all = g_array_new (FALSE, FALSE, sizeof (RvmDuplicate));
  const guint wanted = options->threads ? options->threads : g_get_num_processors (), threads = CLAMP (wanted, 1, MOST_THREADS);
  g_autoptr (RvmLikeness) likeness = rvm_likeness_new (table);
  Work work = { table, marked, options, likeness, g_new (GArray *, table->spans->len + 1), 0 };
  GThread *running[MOST_THREADS];

  for (guint s = 0; s < table->spans->len; s++)
    work.found[s] = g_array_new (FALSE, FALSE, sizeof (RvmDuplicate));
  for (guint t = 1; t < threads; t++)
    running[t] = g_thread_new ("compare", compare_some, &work);
  compare_some (&work);
  for (guint t = 1; t < threads; t++)
    g_thread_join (running[t]);
  for (guint s = 0; s < table->spans->len; s++) {
    g_array_append_vals (all, work.found[s]->data, work.found[s]->len);
    g_array_unref (work.found[s]);
  }
  g_free (work.found);
  return all;
}
