/* Videos found by their contents: the second half of each asks for its first half among those of all. Halves are described by the mean of a model's
 * features over 16 frames, standardised over all halves, and as a baseline by a histogram of colours over the same frames. */
#include <math.h>

#include "kernels/error.h"
#include "suite_clips.h"
#include "suite_retrieval.h"
#include "vectors.h"
#include "video/files.h"

enum { FRAMES = 16, MOST_FRAMES = 512, LEVELS = 8, BINS = LEVELS * LEVELS * LEVELS };

guint
rvm_retrieval_count (float *halves, guint n, guint dim, gboolean standardised)
{
  guint found = 0;

  if (standardised)
    rvm_vectors_standardise (halves, 2 * n, dim);
  for (guint i = 0; i < n; i++) {
    const float *asked = halves + (gsize) (2 * i + 1) * dim;
    double own = -G_MAXDOUBLE, other = -G_MAXDOUBLE;

    for (guint j = 0; j < n; j++) {
      const double cosine = rvm_vectors_cosine (asked, halves + (gsize) 2 * j * dim, dim);

      if (j == i)
        own = cosine;
      else
        other = MAX (other, cosine);
    }
    found += own > other;
  }
  return found;
}

/* @vectors: (n, dim). */
static void
add_mean (RvmVectorKind *kind, const float *vectors, guint n)
{
  for (guint c = 0; c < kind->dim; c++) {
    float mean = 0;

    for (guint i = 0; i < n; i++)
      mean += vectors[(gsize) i * kind->dim + c] / n;
    g_array_append_val (kind->values, mean);
  }
}

static void
add_histogram (RvmVectorKind *kind, const guint8 *const *frames, guint n)
{
  g_autofree float *bins = g_new0 (float, BINS);

  for (guint i = 0; i < n; i++)
    for (gsize p = 0; p < (gsize) RVM_SUITE_WIDTH * RVM_SUITE_HEIGHT; p++) {
      const guint8 *pixel = frames[i] + p * 3;
      bins[(pixel[0] * LEVELS / 256 * LEVELS + pixel[1] * LEVELS / 256) * LEVELS + pixel[2] * LEVELS / 256]++;
    }
  for (guint b = 0; b < BINS; b++) {
    const float root = sqrtf (bins[b] / n); /* the cosine of roots is the similarity of Bhattacharyya */
    g_array_append_val (kind->values, root);
  }
}

static gboolean
add_half (RvmStream *const *streams, guint n_models, const guint8 *frames, guint n, GArray *kinds, GError **error)
{
  const guint used = MIN (n, FRAMES);
  const guint8 *each[FRAMES];

  for (guint i = 0; i < used; i++)
    each[i] = frames + (gsize) (i * n / used) * RVM_SUITE_WIDTH * RVM_SUITE_HEIGHT * 3;
  add_histogram (&g_array_index (kinds, RvmVectorKind, 0), each, used);
  for (guint m = 0; m < n_models; m++) {
    const gsize values = (gsize) used * rvm_stream_get_dim (streams[m]);
    g_autofree float *core = g_new (float, values), *encoder = g_new (float, values);

    if (!rvm_suite_pool (streams[m], each, used, 1, core, encoder, error))
      return FALSE;
    add_mean (&g_array_index (kinds, RvmVectorKind, 1 + 2 * m), core, used);
    add_mean (&g_array_index (kinds, RvmVectorKind, 2 + 2 * m), encoder, used);
  }
  return TRUE;
}

/* @n_clips: how many could be read. Others are in the results, with the reason. */
static gboolean
add_clips (const RvmSuite *suite, RvmStream *const *streams, const GPtrArray *paths, GArray *kinds, guint *n_clips, RvmResults *results, GError **error)
{
  const gsize size = (gsize) RVM_SUITE_WIDTH * RVM_SUITE_HEIGHT * 3;

  for (guint i = 0; i < paths->len; i++) {
    const char *path = g_ptr_array_index (paths, i);
    g_autoptr (GError) reason = NULL;
    guint n;
    g_autoptr (GByteArray) frames = rvm_suite_read_clip (path, RVM_SUITE_WIDTH, RVM_SUITE_HEIGHT, 2, MOST_FRAMES, &n, &reason);

    rvm_suite_tell (suite, "retrieval: %u of %u", i + 1, paths->len);
    if (frames == NULL) {
      rvm_results_leave_out (results, "retrieval", reason->message);
      continue;
    }
    if (!add_half (streams, suite->n_models, frames->data, n / 2, kinds, error)
        || !add_half (streams, suite->n_models, frames->data + n / 2 * size, n - n / 2, kinds, error))
      return FALSE;
    ++*n_clips;
  }
  if (*n_clips < 2)
    rvm_error_set (error, RVM_ERROR_FILE, "%s: has %u videos that can be read, expected at least 2", suite->clips, *n_clips);
  return *n_clips >= 2;
}

gboolean
rvm_suite_retrieve (const RvmSuite *suite, RvmResults *results, GError **error)
{
  g_autoptr (GArray) kinds = rvm_vector_kinds_new ();
  g_autoptr (GPtrArray) streams = g_ptr_array_new_with_free_func ((GDestroyNotify) rvm_stream_free), paths = NULL;
  guint n_clips = 0;

  paths = rvm_files_expand ((const char *const[]){ suite->clips, NULL }, error);
  if (paths == NULL || !rvm_suite_check_size (suite, RVM_SUITE_WIDTH, RVM_SUITE_HEIGHT, error))
    return FALSE;
  rvm_vector_kinds_add (kinds, g_strdup_printf ("histogram of %u colours", BINS), BINS);
  for (guint m = 0; m < suite->n_models; m++) {
    RvmStream *stream = rvm_stream_new (suite->models[m].model, RVM_SUITE_WIDTH, RVM_SUITE_HEIGHT, RVM_STREAM_DEFAULT, error);

    if (stream == NULL)
      return FALSE;
    g_ptr_array_add (streams, stream);
    rvm_vector_kinds_add (kinds, rvm_suite_name (&suite->models[m], "core"), rvm_stream_get_dim (stream));
    rvm_vector_kinds_add (kinds, rvm_suite_name (&suite->models[m], "encoder"), rvm_stream_get_dim (stream));
  }
  if (!add_clips (suite, (RvmStream *const *) streams->pdata, paths, kinds, &n_clips, results, error))
    return FALSE;
  for (guint k = 0; k < kinds->len; k++) {
    const RvmVectorKind *kind = &g_array_index (kinds, RvmVectorKind, k);
    const guint found = rvm_retrieval_count ((float *) (void *) kind->values->data, n_clips, kind->dim, k > 0);

    rvm_results_add_share (results, "retrieval", "share of videos whose halves find each other", kind->name, found, n_clips);
  }
  return TRUE;
}
