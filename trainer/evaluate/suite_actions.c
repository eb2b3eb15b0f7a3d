/* Actions from a window of states. Of a clip, 17 frames at even distances in time are run through a model. Every second of its states, pooled to 4 x 4
 * regions, less the first, describes the clip; as a baseline, small grey pictures of the same frames do. One ridge regression with one penalty classifies
 * all kinds, with one scene left out at a time. */
#include <stdlib.h>
#include <string.h>

#include "kernels/error.h"
#include "ridge.h"
#include "suite_clips.h"
#include "vectors.h"

enum { WIDTH = 160, HEIGHT = 128, FRAMES = 17, WINDOW = 9, REGIONS = 4, MOST_FRAMES = 1024, SCENES = 3, GREY_WIDTH = 16, GREY_HEIGHT = 12 };

#define PENALTY 0.1

/* Reads "sceneN_" at the beginning of a file's name; 0: it is none. */
static guint
parse_scene (const char *name)
{
  char *end = NULL;
  guint64 number;

  if (!g_str_has_prefix (name, "scene") || !g_ascii_isdigit (name[5]))
    return 0;
  number = g_ascii_strtoull (name + 5, &end, 10);
  return *end == '_' && number < G_MAXUINT ? number : 0;
}

static gint
compare_clips (gconstpointer a, gconstpointer b)
{
  return strcmp (((const RvmSuiteClip *) a)->path, ((const RvmSuiteClip *) b)->path);
}

static gboolean
list_class (const char *folder, const char *label, GArray *clips, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, error);
  const char *name;

  if (dir == NULL)
    return FALSE;
  while ((name = g_dir_read_name (dir))) {
    const guint scene = parse_scene (name);

    if (name[0] == '.' || scene > SCENES)
      continue;
    if (scene == 0) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s/%s: expected a name that begins with its scene, such as scene1_01.mp4", folder, name);
      return FALSE;
    }
    g_array_append_val (clips, ((RvmSuiteClip){ g_build_filename (folder, name, NULL), g_strdup (label), scene }));
  }
  return TRUE;
}

/* (transfer full) (element-type RvmSuiteClip): by name. */
static GArray *
list_clips (const char *folder, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, error);
  g_autoptr (GArray) clips = g_array_new (FALSE, FALSE, sizeof (RvmSuiteClip));
  gboolean same_class = TRUE, same_scene = TRUE;
  const char *name;

  g_array_set_clear_func (clips, rvm_suite_clip_clear);
  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *path = g_build_filename (folder, name, NULL);

    if (g_file_test (path, G_FILE_TEST_IS_DIR) && !list_class (path, name, clips, error))
      return NULL;
  }
  if (dir == NULL)
    return NULL;
  g_array_sort (clips, compare_clips);
  for (guint i = 1; i < clips->len; i++) {
    const RvmSuiteClip *a = &g_array_index (clips, RvmSuiteClip, i - 1), *b = &g_array_index (clips, RvmSuiteClip, i);

    same_class = same_class && strcmp (a->label, b->label) == 0;
    same_scene = same_scene && a->group == b->group;
  }
  if (same_class || same_scene) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: expected folders of at least two actions, with clips sceneN_NN.mp4 of at least two of the scenes 1 to %u",
        folder, SCENES);
    return NULL;
  }
  return g_steal_pointer (&clips);
}

/* @vectors: (FRAMES, dim) of a clip. */
static void
add_window (RvmVectorKind *kind, const float *vectors)
{
  for (guint w = 1; w < WINDOW; w++) {
    const float *vector = vectors + (gsize) (w * (FRAMES - 1) / (WINDOW - 1)) * kind->dim;

    for (guint c = 0; c < kind->dim; c++) {
      const float difference = vector[c] - vectors[c];
      g_array_append_val (kind->values, difference);
    }
  }
}

static void
average_grey (const guint8 *frame, float *grey)
{
  for (guint row = 0; row < GREY_HEIGHT; row++)
    for (guint column = 0; column < GREY_WIDTH; column++) {
      const guint top = row * HEIGHT / GREY_HEIGHT, bottom = (row + 1) * HEIGHT / GREY_HEIGHT;
      const guint left = column * WIDTH / GREY_WIDTH, right = (column + 1) * WIDTH / GREY_WIDTH;
      guint64 sum = 0;

      for (guint y = top; y < bottom; y++)
        for (guint x = left * 3; x < right * 3; x++)
          sum += frame[(gsize) y * WIDTH * 3 + x];
      grey[row * GREY_WIDTH + column] = sum / (255.0f * 3 * (bottom - top) * (right - left));
    }
}

/* Adds the windows of a clip: grey pictures, then core and encoder of each model. */
static gboolean
add_clip (RvmStream *const *streams, guint n_models, const char *path, GArray *kinds, GError **error)
{
  guint n;
  g_autoptr (GByteArray) frames = rvm_suite_read_clip (path, WIDTH, HEIGHT, 2, MOST_FRAMES, &n, error);
  g_autofree float *grey = g_new (float, FRAMES * GREY_WIDTH * GREY_HEIGHT);
  const guint8 *each[FRAMES];

  if (frames == NULL)
    return FALSE;
  for (guint i = 0; i < FRAMES; i++) { /* a short clip has some frames twice */
    each[i] = frames->data + (gsize) (i * (n - 1) / (FRAMES - 1)) * WIDTH * HEIGHT * 3;
    average_grey (each[i], grey + (gsize) i * GREY_WIDTH * GREY_HEIGHT);
  }
  add_window (&g_array_index (kinds, RvmVectorKind, 0), grey);
  for (guint m = 0; m < n_models; m++) {
    const gsize values = (gsize) FRAMES * REGIONS * REGIONS * rvm_stream_get_dim (streams[m]);
    g_autofree float *core = g_new (float, values), *encoder = g_new (float, values);

    if (!rvm_suite_pool (streams[m], each, FRAMES, REGIONS, core, encoder, error))
      return FALSE;
    add_window (&g_array_index (kinds, RvmVectorKind, 1 + 2 * m), core);
    add_window (&g_array_index (kinds, RvmVectorKind, 2 + 2 * m), encoder);
  }
  return TRUE;
}

static void
add_accuracies (GArray *clips, GArray *kinds, RvmResults *results)
{
  g_autofree guint *label = g_new (guint, clips->len), *group = g_new (guint, clips->len);
  g_autofree gboolean *right = g_new0 (gboolean, clips->len);
  guint classes = 0;

  for (guint i = 0; i < clips->len; i++) { /* sorted by class */
    const RvmSuiteClip *clip = &g_array_index (clips, RvmSuiteClip, i);

    classes += i == 0 || strcmp (clip->label, g_array_index (clips, RvmSuiteClip, i - 1).label) != 0;
    label[i] = classes - 1;
    group[i] = clip->group;
  }
  for (guint k = 0; k < kinds->len; k++) {
    const RvmVectorKind *kind = &g_array_index (kinds, RvmVectorKind, k);
    const RvmRidgeData data = { clips->len, (WINDOW - 1) * kind->dim, classes, (const float *) (const void *) kind->values->data, label, group };
    guint sum = 0;

    rvm_ridge_cross_validate (&data, PENALTY, right);
    for (guint i = 0; i < clips->len; i++)
      sum += right[i];
    rvm_results_add_share (results, "actions", "accuracy, one scene left out at a time", kind->name, sum, clips->len);
  }
}

static gboolean
add_clips (const RvmSuite *suite, RvmStream *const *streams, GArray *clips, GArray *kinds, GError **error)
{
  for (guint i = 0; i < clips->len; i++) {
    const RvmSuiteClip *clip = &g_array_index (clips, RvmSuiteClip, i);

    rvm_suite_tell (suite, "actions: %s, %u of %u", clip->label, i + 1, clips->len);
    if (!add_clip (streams, suite->n_models, clip->path, kinds, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
rvm_suite_classify (const RvmSuite *suite, RvmResults *results, GError **error)
{
  g_autoptr (GArray) clips = NULL, kinds = rvm_vector_kinds_new ();
  g_autoptr (GPtrArray) streams = g_ptr_array_new_with_free_func ((GDestroyNotify) rvm_stream_free);

  if (!rvm_suite_check_size (suite, WIDTH, HEIGHT, error) || (clips = list_clips (suite->actions, error)) == NULL)
    return FALSE;
  rvm_vector_kinds_add (kinds, g_strdup_printf ("%u x %u grey pixels", GREY_WIDTH, GREY_HEIGHT), GREY_WIDTH * GREY_HEIGHT);
  for (guint m = 0; m < suite->n_models; m++) {
    RvmStream *stream = rvm_stream_new (suite->models[m].model, WIDTH, HEIGHT, RVM_STREAM_DEFAULT, error);

    if (stream == NULL)
      return FALSE;
    g_ptr_array_add (streams, stream);
    rvm_vector_kinds_add (kinds, rvm_suite_name (&suite->models[m], "core"), REGIONS * REGIONS * rvm_stream_get_dim (stream));
    rvm_vector_kinds_add (kinds, rvm_suite_name (&suite->models[m], "encoder"), REGIONS * REGIONS * rvm_stream_get_dim (stream));
  }
  if (!add_clips (suite, (RvmStream *const *) streams->pdata, clips, kinds, error))
    return FALSE;
  add_accuracies (clips, kinds, results);
  return TRUE;
}
