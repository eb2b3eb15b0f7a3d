/* Cells that are covered, found again. A still picture is shown, and then its middle is covered with grey. The features of the covered cells are
 * compared with those of a second view of the picture, which is shifted by some cells, so that the place in the frame is no answer: a cell is found if
 * the nearest of all features of the second view is that of the same part of the picture, or of one beside it. The encoder has only the frame with the
 * grey middle; the core can remember. */
#include <string.h>

#include "model/stream.h"
#include "suite_occlusion.h"
#include "suite_private.h"
#include "trainer/data/hiding.h"
#include "vectors.h"

enum { SHIFT_X = 3, SHIFT_Y = 2, CLEAR = 4, SCENES = 2, ANSWERS = 4 };

static const guint covered_frames[] = { 4, 16 };

/* By cosine. */
static guint
find_nearest (const float *wanted, const float *features, guint cells, guint dim)
{
  double most = -G_MAXDOUBLE;
  guint best = 0;

  for (guint i = 0; i < cells; i++) {
    const double cosine = rvm_vectors_cosine (wanted, features + (gsize) i * dim, dim);

    if (cosine > most) {
      most = cosine;
      best = i;
    }
  }
  return best;
}

double
rvm_occlusion_measure (const RvmOcclusionGrid *grid, float *covered, float *view)
{
  const guint cells = grid->rows * grid->columns;
  guint found = 0, n = 0;

  rvm_vectors_standardise (covered, cells, grid->dim);
  rvm_vectors_standardise (view, cells, grid->dim);
  for (guint row = grid->top; row < grid->bottom; row++)
    for (guint column = grid->left; column < grid->right; column++) {
      const guint best = find_nearest (covered + ((gsize) row * grid->columns + column) * grid->dim, view, cells, grid->dim);
      const int down = (int) (best / grid->columns) - ((int) row - grid->shift_y), right = (int) (best % grid->columns) - ((int) column - grid->shift_x);

      found += ABS (down) <= 1 && ABS (right) <= 1;
      n++;
    }
  return (double) found / n;
}

double
rvm_occlusion_get_chance (const RvmOcclusionGrid *grid)
{
  guint right = 0;

  for (guint row = grid->top; row < grid->bottom; row++)
    for (guint column = grid->left; column < grid->right; column++)
      for (int y = (int) row - grid->shift_y - 1; y <= (int) row - grid->shift_y + 1; y++)
        for (int x = (int) column - grid->shift_x - 1; x <= (int) column - grid->shift_x + 1; x++)
          right += y >= 0 && x >= 0 && y < (int) grid->rows && x < (int) grid->columns;
  return (double) right / ((grid->bottom - grid->top) * (grid->right - grid->left)) / (grid->rows * grid->columns);
}

/* Copies the window at (@x, @y) of @picture, whose rows have @stride bytes. */
static void
cut (const guint8 *picture, gsize stride, guint x, guint y, guint8 *frame)
{
  for (guint row = 0; row < RVM_SUITE_HEIGHT; row++)
    memcpy (frame + (gsize) row * RVM_SUITE_WIDTH * 3, picture + (y + row) * stride + x * 3, RVM_SUITE_WIDTH * 3);
}

static void
cover (const RvmOcclusionGrid *grid, guint patch, guint8 *frame)
{
  for (guint row = grid->top * patch; row < grid->bottom * patch; row++)
    memset (frame + ((gsize) row * RVM_SUITE_WIDTH + grid->left * patch) * 3, RVM_HIDING_GREY, (gsize) (grid->right - grid->left) * patch * 3);
}

/* The mean colour of each cell. */
static void
average_cells (const RvmOcclusionGrid *grid, guint patch, const guint8 *frame, float *colours)
{
  memset (colours, 0, (gsize) grid->rows * grid->columns * 3 * sizeof *colours);
  for (guint y = 0; y < grid->rows * patch; y++)
    for (guint x = 0; x < grid->columns * patch; x++)
      for (guint c = 0; c < 3; c++)
        colours[((gsize) (y / patch) * grid->columns + x / patch) * 3 + c] += frame[((gsize) y * RVM_SUITE_WIDTH + x) * 3 + c];
}

static gboolean
push (RvmStream *stream, const guint8 *frame, guint times, float *state, GError **error)
{
  for (guint i = 0; i < times; i++)
    if (!rvm_stream_push (stream, frame, RVM_SUITE_WIDTH * 3, 1, state, NULL, error))
      return FALSE;
  return TRUE;
}

/* The shares found by core, encoder, colours and chance after @times covered frames. @picture is larger than a frame by the shift. */
static gboolean
measure_scene (RvmStream *stream, const RvmOcclusionGrid *grid, guint patch, const guint8 *picture, guint times, double *found, GError **error)
{
  const gsize size = (gsize) RVM_SUITE_WIDTH * RVM_SUITE_HEIGHT * 3, stride = (RVM_SUITE_WIDTH + SHIFT_X * (gsize) patch) * 3;
  const gsize values = (gsize) rvm_stream_get_tokens (stream) * grid->dim, skipped = grid->dim; /* the class token */
  RvmOcclusionGrid colours = *grid;
  g_autofree guint8 *frame = g_malloc (size);
  g_autofree float *memory = g_new (float, 4 * values + 2 * (gsize) grid->rows * grid->columns * 3);
  float *const core[] = { memory, memory + values }, *const encoder[] = { memory + 2 * values, memory + 3 * values };
  float *const colour[] = { memory + 4 * values, memory + 4 * values + (gsize) grid->rows * grid->columns * 3 };
  gboolean ok;

  colours.dim = 3;
  rvm_stream_reset (stream);
  cut (picture, stride, SHIFT_X * patch, SHIFT_Y * patch, frame);
  average_cells (grid, patch, frame, colour[1]);
  ok = push (stream, frame, CLEAR, core[1], error) && rvm_stream_read_encoded (stream, encoder[1], error);
  rvm_stream_reset (stream);
  cut (picture, stride, 0, 0, frame);
  ok = ok && push (stream, frame, CLEAR, core[0], error);
  cover (grid, patch, frame);
  average_cells (grid, patch, frame, colour[0]);
  ok = ok && push (stream, frame, times, core[0], error) && rvm_stream_read_encoded (stream, encoder[0], error);
  if (ok) {
    found[0] = rvm_occlusion_measure (grid, core[0] + skipped, core[1] + skipped);
    found[1] = rvm_occlusion_measure (grid, encoder[0] + skipped, encoder[1] + skipped);
    found[2] = rvm_occlusion_measure (&colours, colour[0], colour[1]);
    found[3] = rvm_occlusion_get_chance (grid);
  }
  return ok;
}

static RvmOcclusionGrid
make_grid (guint patch, guint dim)
{
  const guint rows = RVM_SUITE_HEIGHT / patch, columns = RVM_SUITE_WIDTH / patch;

  return (RvmOcclusionGrid){
    .rows = rows, .columns = columns, .dim = dim, .top = MAX (rows / 4, SHIFT_Y), .bottom = MAX (rows / 4, SHIFT_Y) + rows / 2,
    .left = MAX (columns / 4, SHIFT_X), .right = MAX (columns / 4, SHIFT_X) + columns / 2, .shift_x = SHIFT_X, .shift_y = SHIFT_Y,
  };
}

/* @values: (lengths, answers, sequences). */
static gboolean
measure_model (const RvmSuite *suite, const RvmSuiteModel *model, GPtrArray *sequences, double *values, GError **error)
{
  const RvmConfig *config = rvm_model_get_config (model->model);
  const guint width = RVM_SUITE_WIDTH + SHIFT_X * config->patch, height = RVM_SUITE_HEIGHT + SHIFT_Y * config->patch;
  const RvmOcclusionGrid grid = make_grid (config->patch, config->encoder.dim);
  g_autoptr (RvmStream) stream = rvm_stream_new (model->model, RVM_SUITE_WIDTH, RVM_SUITE_HEIGHT, RVM_STREAM_DEFAULT, error);

  for (guint s = 0; stream && s < sequences->len; s++) {
    const RvmDavisSequence *sequence = g_ptr_array_index (sequences, s);
    guint n;
    g_autoptr (GByteArray) frames = rvm_suite_read_sequence (sequence, width, height, 1, &n, error);

    rvm_suite_tell (suite, "occlusion: %s, %s, %u of %u", model->name, sequence->name, s + 1, sequences->len);
    if (frames == NULL)
      return FALSE;
    for (guint l = 0; l < G_N_ELEMENTS (covered_frames); l++)
      for (guint i = 0; i < SCENES; i++) {
        const guint8 *picture = frames->data + (gsize) (i * (n - 1) / (SCENES - 1)) * width * height * 3;
        double found[ANSWERS];

        if (!measure_scene (stream, &grid, config->patch, picture, covered_frames[l], found, error))
          return FALSE;
        for (guint a = 0; a < ANSWERS; a++)
          values[((gsize) l * ANSWERS + a) * sequences->len + s] += found[a] / SCENES;
      }
  }
  return stream != NULL;
}

gboolean
rvm_suite_cover (const RvmSuite *suite, RvmResults *results, GError **error)
{
  static const char *const answers[ANSWERS] = { "core", "encoder", "colours of its cells", "a cell at random" };
  g_autoptr (GPtrArray) sequences = rvm_suite_list_sequences (suite, error);
  const gsize values_of_model = sequences ? G_N_ELEMENTS (covered_frames) * ANSWERS * (gsize) sequences->len : 0;
  g_autofree double *values = g_new0 (double, values_of_model * suite->n_models);

  if (sequences == NULL || !rvm_suite_check_size (suite, RVM_SUITE_WIDTH, RVM_SUITE_HEIGHT, error))
    return FALSE;
  for (guint m = 0; m < suite->n_models; m++)
    if (!measure_model (suite, &suite->models[m], sequences, values + m * values_of_model, error))
      return FALSE;
  for (guint l = 0; l < G_N_ELEMENTS (covered_frames); l++) {
    g_autofree char *measure = g_strdup_printf ("share of covered cells found after %u frames", covered_frames[l]);

    for (guint m = 0; m < suite->n_models; m++)
      for (guint a = 0; a < ANSWERS; a++) {
        g_autofree char *name = rvm_suite_name (&suite->models[m], answers[a]);

        rvm_results_add_mean (results, "occlusion", measure, name, values + m * values_of_model + ((gsize) l * ANSWERS + a) * sequences->len, sequences->len);
      }
  }
  return TRUE;
}
