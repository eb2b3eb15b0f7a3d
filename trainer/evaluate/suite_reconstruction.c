/* Reconstruction of later frames when the last source frame is covered: from that frame alone, and with three clear frames before it. What a memory is
 * worth is the difference between the two, on the same targets and visible patches. */
#include <string.h>

#include "kernels/error.h"
#include "model/model_private.h"
#include "suite_private.h"
#include "trainer/data/hiding.h"
#include "trainer/recipes/trained.h"
#include "trainer/step/baseline.h"
#include "trainer/step/step.h"

enum { SOURCES = 4, STRIDE = 2, TARGETS = 4, LAST = (SOURCES - 1) * STRIDE, LEAST = LAST + 4 * TARGETS + 1, SAMPLES = 2, COVERS = 3, ANSWERS = 4 };

static const guint32 gaps[TARGETS] = { 4, 8, 12, 16 };
static const double covers[COVERS] = { 0, 0.6, 1 };

/* Losses. */
enum { ALONE, REMEMBERED, MEAN_COLOUR, COPY };

typedef struct {
  RvmModel *model;
  RvmStep *step;
  RvmStepShape shape;
  guint patch;
} Decoder;

static void
decoder_clear (Decoder *decoder)
{
  g_clear_pointer (&decoder->step, rvm_step_free);
  g_clear_pointer (&decoder->model, rvm_model_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Decoder, decoder_clear)

static gboolean
decoder_open (Decoder *decoder, const RvmSuite *suite, const RvmSuiteModel *model, RvmRecipe *recipe, GError **error)
{
  const gboolean grid_code = recipe->side_max != 0;

  recipe->side_max = 0;
  recipe->places = recipe->objects = 0;
  recipe->width = RVM_SUITE_WIDTH;
  recipe->height = RVM_SUITE_HEIGHT;
  recipe->sources_max = SOURCES;
  recipe->targets = TARGETS;
  recipe->mask_ratio = 0.95;
  decoder->patch = recipe->model.patch;
  decoder->shape = rvm_step_shape_of_recipe (recipe, 1);
  decoder->shape.grid_code = grid_code;
  decoder->model = rvm_model_load_trainable (model->path, &suite->options, error);
  decoder->step = decoder->model ? rvm_step_new (decoder->model, &decoder->shape, FALSE, FALSE, error) : NULL;
  if (decoder->step)
    rvm_step_refresh (decoder->step);
  return decoder->step != NULL;
}

/* Patches of each target that are visible: the first of a random permutation. */
static void
draw_visible (GRand *rng, const RvmStepShape *shape, guint32 *visible)
{
  const guint patches = shape->rows * shape->columns;
  g_autofree guint32 *order = g_new (guint32, patches);

  for (guint t = 0; t < TARGETS; t++) {
    for (guint i = 0; i < patches; i++)
      order[i] = i;
    for (guint i = 0; i < shape->kept; i++) {
      const guint j = g_rand_int_range (rng, i, patches);
      const guint32 chosen = order[j];

      order[j] = order[i];
      visible[t * shape->kept + i] = chosen;
    }
  }
}

/* Adds the losses of the sample that begins at @frames. @losses: (answers). */
static gboolean
measure_sample (Decoder *decoder, GRand *rng, double cover, const guint8 *frames, double *losses, GError **error)
{
  const gsize size = (gsize) RVM_SUITE_WIDTH * RVM_SUITE_HEIGHT * 3;
  g_autofree guint8 *source = g_malloc (SOURCES * size), *target = g_malloc (TARGETS * size);
  g_autofree guint32 *visible = g_new (guint32, (gsize) TARGETS * decoder->shape.kept);
  RvmBatch batch = { .sources = SOURCES, .source = source, .target = target, .gaps = gaps, .visible = visible };
  RvmLoss alone, remembered;
  RvmBaseline baseline;

  for (guint i = 0; i < SOURCES; i++)
    memcpy (source + i * size, frames + (gsize) i * STRIDE * size, size);
  for (guint i = 0; i < TARGETS; i++)
    memcpy (target + i * size, frames + (LAST + gaps[i]) * size, size);
  draw_visible (rng, &decoder->shape, visible);
  batch.sources = SOURCES - 1; /* the copy is of the last frame that is clear */
  baseline = rvm_baseline_measure (&decoder->shape, decoder->patch, &batch);
  rvm_hiding_cover (rng, cover, decoder->patch, RVM_SUITE_WIDTH, RVM_SUITE_HEIGHT, source + (SOURCES - 1) * size);
  batch.sources = SOURCES;
  if (!rvm_step_forward (decoder->step, &batch, &remembered, error))
    return FALSE;
  batch.sources = 1;
  batch.source = source + (SOURCES - 1) * size;
  if (!rvm_step_forward (decoder->step, &batch, &alone, error))
    return FALSE;
  losses[ALONE] += alone.masked / SAMPLES;
  losses[REMEMBERED] += remembered.masked / SAMPLES;
  losses[MEAN_COLOUR] += baseline.mean_colour / SAMPLES;
  losses[COPY] += baseline.copy / SAMPLES;
  return TRUE;
}

/* @losses: (covers, answers, sequences). */
static gboolean
measure_model (const RvmSuite *suite, const RvmSuiteModel *model, Decoder *decoder, GPtrArray *sequences, double *losses, GError **error)
{
  const gsize size = (gsize) RVM_SUITE_WIDTH * RVM_SUITE_HEIGHT * 3;

  for (guint s = 0; s < sequences->len; s++) {
    const RvmDavisSequence *sequence = g_ptr_array_index (sequences, s);
    guint n;
    g_autoptr (GByteArray) frames = rvm_suite_read_sequence (sequence, RVM_SUITE_WIDTH, RVM_SUITE_HEIGHT, LEAST, &n, error);

    rvm_suite_tell (suite, "reconstruction: %s, %s, %u of %u", model->name, sequence->name, s + 1, sequences->len);
    if (frames == NULL)
      return FALSE;
    for (guint c = 0; c < COVERS; c++) {
      double sums[ANSWERS] = { 0 };

      for (guint i = 0; i < SAMPLES; i++) {
        g_autoptr (GRand) rng = g_rand_new_with_seed (s * SAMPLES + i); /* the same visible patches for every cover */

        if (!measure_sample (decoder, rng, covers[c], frames->data + i * (n - LEAST) / (SAMPLES - 1) * size, sums, error))
          return FALSE;
      }
      for (guint a = 0; a < ANSWERS; a++)
        losses[((gsize) c * ANSWERS + a) * sequences->len + s] = sums[a];
    }
  }
  return TRUE;
}

static void
add_model (const RvmSuiteModel *model, const double *losses, guint n, RvmResults *results)
{
  static const char *const names[COVERS] = { "last frame clear", "60 % of the last frame grey", "last frame grey" };
  g_autofree double *gains = g_new (double, n);

  for (guint c = 0; c < COVERS; c++) {
    const double *of_cover = losses + (gsize) c * ANSWERS * n;
    g_autofree char *measure = g_strdup_printf ("loss, %s", names[c]), *gain = g_strdup_printf ("share of the loss that memory saves, %s", names[c]);
    g_autofree char *alone = rvm_suite_name (model, "that frame alone"), *remembered = rvm_suite_name (model, "after 3 clear frames");

    rvm_results_add_mean (results, "reconstruction", measure, "mean colour of the visible patches", of_cover + MEAN_COLOUR * n, n);
    rvm_results_add_mean (results, "reconstruction", measure, "copy of the last clear frame", of_cover + COPY * n, n);
    rvm_results_add_mean (results, "reconstruction", measure, alone, of_cover + ALONE * n, n);
    rvm_results_add_mean (results, "reconstruction", measure, remembered, of_cover + REMEMBERED * n, n);
    for (guint s = 0; s < n; s++)
      gains[s] = 1 - of_cover[REMEMBERED * n + s] / of_cover[ALONE * n + s];
    rvm_results_add_mean (results, "reconstruction", gain, model->name, gains, n);
  }
}

/* Reads the recipe of a model that has a decoder. Others are left out. */
static gboolean
has_decoder (const RvmSuiteModel *model, RvmRecipe *recipe, RvmResults *results)
{
  g_autoptr (GError) reason = NULL;
  g_autofree char *text = NULL;

  if (model->path == NULL)
    text = g_strdup_printf ("%s has no decoder", model->name);
  else if (!rvm_recipe_load_trained (recipe, model->path, &reason))
    text = g_strdup (reason->message);
  else if (recipe->model.decoder.layers == 0)
    text = g_strdup_printf ("%s has no decoder", model->path);
  if (text)
    rvm_results_leave_out (results, "reconstruction", text);
  return text == NULL;
}

gboolean
rvm_suite_reconstruct (const RvmSuite *suite, RvmResults *results, GError **error)
{
  g_autoptr (GPtrArray) sequences = rvm_suite_list_sequences (suite, error);
  g_autofree double *losses = NULL;

  if (sequences == NULL || !rvm_suite_check_size (suite, RVM_SUITE_WIDTH, RVM_SUITE_HEIGHT, error))
    return FALSE;
  losses = g_new (double, (gsize) COVERS * ANSWERS * sequences->len);
  for (guint i = 0; i < suite->n_models; i++) {
    g_auto (Decoder) decoder = { 0 };
    RvmRecipe recipe;

    if (!has_decoder (&suite->models[i], &recipe, results))
      continue;
    if (!decoder_open (&decoder, suite, &suite->models[i], &recipe, error)
        || !measure_model (suite, &suite->models[i], &decoder, sequences, losses, error))
      return FALSE;
    add_model (&suite->models[i], losses, sequences->len, results);
  }
  return TRUE;
}
