/* The contrastive losses over places and objects: their values, what was found, and their gradient. */
#include <math.h>

#include "checkcl.h"
#include "kernels/cl/flags.h"
#include "kernels/ops/correspondence.h"

typedef struct {
  guint samples, tokens, dim;
  double temperature, scale, object_scale;
  guint32 *match, *object; /* object: NULL without that loss */
  float *query, *key;
} Places;

/* (patches, dim): the features of a sample, standardised, each of length 1. */
static double *
make_comparable (const float *x, guint tokens, guint dim)
{
  const guint patches = tokens - 1;
  double *z = g_new (double, (gsize) patches * dim);

  for (guint c = 0; c < dim; c++) {
    double mean = 0, variance = 0;

    for (guint i = 0; i < patches; i++)
      mean += x[(i + 1) * dim + c] / (double) patches;
    for (guint i = 0; i < patches; i++)
      variance += pow (x[(i + 1) * dim + c] - mean, 2) / patches;
    for (guint i = 0; i < patches; i++)
      z[i * dim + c] = (x[(i + 1) * dim + c] - mean) / sqrt (variance + 1e-6);
  }
  for (guint i = 0; i < patches; i++) {
    double squares = 0;

    for (guint c = 0; c < dim; c++)
      squares += z[i * dim + c] * z[i * dim + c];
    for (guint c = 0; c < dim; c++)
      z[i * dim + c] /= sqrt (squares);
  }
  return z;
}

/* Losses of all queries, and whether each found its match (nullable). */
static double
compute (const Places *p, double *row_loss, double *object_loss, double *found)
{
  const guint patches = p->tokens - 1;
  double loss = 0;

  for (guint s = 0; s < p->samples; s++) {
    const gsize first = (gsize) s * p->tokens * p->dim;
    g_autofree double *query = make_comparable (p->query + first, p->tokens, p->dim);
    g_autofree double *key = make_comparable (p->key + first, p->tokens, p->dim);

    for (guint i = 0; i < patches; i++) {
      const guint32 match = p->match[s * patches + i];
      const guint32 *objects = p->object ? p->object + (gsize) s * 2 * patches : NULL;
      double sum = 0, right = 0, most = -INFINITY, known = 0, same = 0;

      for (guint j = 0; j < patches; j++) {
        double product = 0;

        for (guint c = 0; c < p->dim; c++)
          product += query[i * p->dim + c] * key[j * p->dim + c];
        sum += exp (product / p->temperature);
        if (objects && objects[j] != RVM_MATCH_NONE)
          known += exp (product / p->temperature);
        if (objects && objects[j] != RVM_MATCH_NONE && objects[j] == objects[patches + i])
          same += exp (product / p->temperature);
        most = MAX (most, product);
        if (j == match)
          right = product;
      }
      const double value = match == RVM_MATCH_NONE ? 0 : log (sum) - right / p->temperature;
      loss += p->scale * value + (same > 0 ? p->object_scale * log (known / same) : 0);
      if (object_loss)
        object_loss[s * patches + i] = same > 0 ? log (known / same) : -1;
      if (row_loss)
        row_loss[s * patches + i] = value;
      if (found)
        found[s * patches + i] = match != RVM_MATCH_NONE && right >= most;
    }
  }
  return loss;
}

static double
places_loss (gconstpointer data)
{
  return compute (data, NULL, NULL, NULL);
}

static void
compare_found (RvmBuffer *buffer, const double *expected, guint n)
{
  g_autofree float *bits = check_read (buffer, n);
  guint wrong = 0;

  for (guint i = 0; i < n; i++)
    wrong += ((const guint32 *) (gconstpointer) bits)[i] != expected[i];
  check_report ("found", wrong, 0.5);
}

static void
check_places (guint samples, guint tokens, guint dim, double temperature, gboolean has_objects)
{
  check_case ("%u samples of %u tokens, dim %u, temperature %g%s", samples, tokens, dim, temperature, has_objects ? ", objects" : "");

  const guint queries = samples * (tokens - 1), rows = samples * tokens;
  const gsize count = (gsize) rows * dim;
  Places p = {
    samples, tokens, dim, temperature, 0.3, 0.2, g_new (guint32, queries), has_objects ? g_new (guint32, 2 * queries) : NULL, check_random (count, 1),
    check_random (count, 1),
  };
  g_autofree double *expected = g_new (double, queries), *expected_objects = g_new (double, queries), *found = g_new (double, queries);
  g_autoptr (RvmBuffer) query = check_upload (p.query, count), key = check_upload (p.key, count), match = NULL;
  g_autoptr (RvmBuffer) dquery = check_output (count), dkey = check_output (count), row_loss = check_output (queries), hits = check_output (queries);
  g_autoptr (RvmBuffer) object = NULL, object_loss = check_output (queries);
  g_autoptr (RvmBuffer) scratch = check_upload (NULL, rvm_correspondence_scratch (samples, tokens, dim));

  for (guint i = 0; i < queries; i++)
    p.match[i] = i % 4 == 1 ? RVM_MATCH_NONE : (guint32) g_rand_int_range (check_rng, 0, tokens - 1);
  match = check_upload_bytes (p.match, queries * sizeof (guint32));
  /* Object 4 is seen among the queries only, object 5 among the keys only. */
  for (guint i = 0; has_objects && i < 2 * queries; i++) {
    const gboolean is_query = i / (tokens - 1) % 2;

    p.object[i] = i % 5 == 2 ? RVM_MATCH_NONE : (guint32) g_rand_int_range (check_rng, 0, 5);
    if (p.object[i] == 4)
      p.object[i] = is_query ? 4 : 5;
  }
  if (has_objects)
    object = check_upload_bytes (p.object, 2 * queries * sizeof (guint32));
  rvm_correspondence_loss (check_queue, &(RvmCorrespondence){
                                            .query = rvm_tensor (query, rows, dim), .key = rvm_tensor (key, rows, dim), .match = match,
                                            .temperature = temperature, .scale = p.scale, .dquery = rvm_tensor (dquery, rows, dim),
                                            .dkey = rvm_tensor (dkey, rows, dim), .row_loss = row_loss, .found = hits, .scratch = scratch,
                                            .samples = samples, .tokens = tokens, .object = object, .object_scale = p.object_scale,
                                            .object_loss = has_objects ? object_loss : NULL,
                                        });
  compute (&p, expected, expected_objects, found);
  if (has_objects)
    check_compare ("losses of objects", object_loss, expected_objects, queries, 1e-5);
  check_compare ("losses of rows", row_loss, expected, queries, 1e-5);
  compare_found (hits, found, queries);
  check_gradient_buffer ("query", p.query, dquery, count, places_loss, &p);
  check_gradient_buffer ("key", p.key, dkey, count, places_loss, &p);
  g_free (p.match);
  g_free (p.object);
  g_free (p.query);
  g_free (p.key);
}

static void
check (gboolean quick)
{
  check_places (1, 4, 3, 0.5, FALSE);
  check_places (2, 7, 5, 0.1, FALSE);
  check_places (2, 13, 5, 0.2, TRUE);
  if (quick)
    return;
  check_places (3, 10, 17, 0.07, FALSE);
  check_places (1, 36, 64, 0.2, FALSE);
  check_places (3, 28, 17, 0.1, TRUE);
}

const CheckOp check_correspondence = { "correspondence", check, NULL, NULL };
