/* All encoded frames are kept in memory, as one row for each patch and for the class token. */
#include "fit_gate.h"

#include <math.h>
#include <string.h>

#include "initialise.h"
#include "kernels/error.h"
#include "model/cholesky.h"
#include "model/stream.h"
#include "trainer/data/hiding.h"

enum {
  LEAST_FRAMES = 40,
  KINDS = 10,        /* of frames, in turn: see choose_covered() */
  CLEAR_KINDS = 5,
  HELD_OUT = 4,      /* one of so many rounds of all kinds is only measured */
  CLASS_WEIGHT = 16, /* of a class token, of which a frame has one; it is covered if all of the frame is */
};

#define SHARPNESS 3.0
#define THRESHOLD 0.3
/* A clear patch that is taken for a covered one keeps a state that no longer fits, for as long as it is; a covered one that is missed loses its state. Most
 * frames are clear. */
#define CLEAR_BALANCE 10.0
/* Of the squared slope, for each row. Less would close the gate at more of the covered patches, and with steeper slopes let rounding decide at others. */
#define LEAST_PENALTY 1e-5
#define FIRST_PENALTY 1e-3 /* it falls by a factor of ten at a time, each fit beginning with the one before */

typedef struct {
  guint dim;
  GArray *values;  /* float, (rows, dim) */
  GArray *covered; /* guint8, (rows) */
  GArray *weights; /* float, (rows): 0 for those that are only measured */
} Rows;

static void
rows_clear (Rows *rows)
{
  g_clear_pointer (&rows->values, g_array_unref);
  g_clear_pointer (&rows->covered, g_array_unref);
  g_clear_pointer (&rows->weights, g_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Rows, rows_clear)

void
rvm_gate_fit_clear (RvmGateFit *fit)
{
  g_clear_pointer (&fit->slope, g_free);
  g_clear_pointer (&fit->mean, g_free);
  g_clear_pointer (&fit->description, g_free);
}

/* @covered: (rows, columns). Returns whether all of the frame is. */
static gboolean
choose_covered (guint number, GRand *rng, guint rows, guint columns, guint8 *covered)
{
  const guint kind = number % KINDS;
  guint top = 0, height = rows, left = 0, width = columns;

  memset (covered, 0, (gsize) rows * columns);
  if (kind < CLEAR_KINDS)
    return FALSE;
  if (kind == CLEAR_KINDS) {
    const double share = g_rand_double_range (rng, 0.1, 0.9);

    for (guint i = 0; i < rows * columns; i++)
      covered[i] = g_rand_double (rng) < share;
    return FALSE;
  }
  if (kind < KINDS - 1) {
    height = g_rand_int_range (rng, 1, rows + 1);
    width = g_rand_int_range (rng, 1, columns + 1);
    top = g_rand_int_range (rng, 0, rows - height + 1);
    left = g_rand_int_range (rng, 0, columns - width + 1);
  }
  for (guint y = top; y < top + height; y++)
    memset (covered + (gsize) y * columns + left, 1, width);
  return height == rows && width == columns;
}

static void
cover (const guint8 *covered, guint rows, guint columns, guint patch, guint8 value, guint8 *frame)
{
  for (guint y = 0; y < rows * patch; y++)
    for (guint x = 0; x < columns; x++)
      if (covered[(gsize) (y / patch) * columns + x])
        memset (frame + ((gsize) y * columns + x) * patch * 3, value, (gsize) patch * 3);
}

/* Adds the rows of one frame. */
static gboolean
add_frame (Rows *all, RvmModel *model, const guint8 *frame, const guint8 *covered, gboolean whole, guint rows, guint columns, gboolean measured, GError **error)
{
  const guint patch = rvm_model_get_config (model)->patch, width = columns * patch;
  g_autoptr (RvmStream) stream = rvm_stream_new (model, width, rows * patch, RVM_STREAM_DEFAULT, error);
  const guint tokens = stream ? rvm_stream_get_tokens (stream) : 0, before = all->covered->len;
  g_autofree float *state = g_new (float, (gsize) tokens * all->dim);
  const guint8 class_token = whole;
  const float class_weight = CLASS_WEIGHT, weight = 1;

  g_array_set_size (all->values, (before + tokens) * all->dim);
  if (stream == NULL || !rvm_stream_push (stream, frame, (gsize) width * 3, 1, state, NULL, error)
      || !rvm_stream_read_encoded (stream, &g_array_index (all->values, float, (gsize) before * all->dim), error))
    return FALSE;
  g_array_append_val (all->covered, class_token);
  g_array_append_vals (all->covered, covered, rows * columns);
  g_array_append_val (all->weights, class_weight);
  for (guint i = 1; i < tokens; i++)
    g_array_append_val (all->weights, weight);
  if (measured)
    memset (&g_array_index (all->weights, float, before), 0, tokens * sizeof (float));
  return TRUE;
}

static gboolean
encode (Rows *all, RvmModel *model, const RvmRecipe *recipe, RvmSampler *sampler, guint frames, GError **error)
{
  const RvmBatchShape largest = rvm_sampler_get_largest_shape (sampler, recipe->batch);
  const guint patch = recipe->model.patch;
  const gsize pixels = MAX ((gsize) largest.width * largest.height, (gsize) MAX (recipe->side_max, recipe->width) * MAX (recipe->side_max, recipe->height));
  g_autofree guint8 *source = g_malloc (pixels * 3), *target = g_malloc (pixels * 3 * recipe->targets), *covered = g_malloc (pixels);
  g_autofree guint32 *gaps = g_new (guint32, recipe->targets), *visible = g_new (guint32, pixels * recipe->targets);

  for (guint i = 0; i < frames; i++) {
    const RvmBatchShape shape = rvm_sampler_draw_shape (sampler, i, recipe->batch);
    const RvmSample sample = { .source = source, .target = target, .gaps = gaps, .visible = visible };
    const guint32 seeds[] = { recipe->seed, recipe->seed >> 32, i };
    g_autoptr (GRand) rng = g_rand_new_with_seed_array (seeds, G_N_ELEMENTS (seeds));
    const guint rows = shape.height / patch, columns = shape.width / patch;
    gboolean whole;

    whole = choose_covered (i, rng, rows, columns, covered);
    if (!rvm_sampler_draw (sampler, i, &shape, &sample, error))
      return FALSE;
    cover (covered, rows, columns, patch, i / KINDS % 3 == 2 ? 0 : RVM_HIDING_GREY, source);
    if (!add_frame (all, model, source, covered, whole, rows, columns, i / KINDS % HELD_OUT == 1, error))
      return FALSE;
  }
  return TRUE;
}

static double
sigmoid (double x)
{
  return 1 / (1 + exp (-x));
}

/* z of a row. */
static double
get_odds (const RvmGateFit *fit, const float *row)
{
  double z = fit->constant;

  for (guint i = 0; i < fit->dim; i++)
    z += fit->slope[i] * (row[i] - fit->mean[i]);
  return z;
}

/* Gradient and lower half of the Hessian of the loss, without the penalty. @x: (dim + 1), memory. */
static void
differentiate (const RvmGateFit *fit, const Rows *rows, const double balance[2], double *gradient, double *hessian, double *x)
{
  const guint n = fit->dim + 1;

  memset (gradient, 0, n * sizeof *gradient);
  memset (hessian, 0, (gsize) n * n * sizeof *hessian);
  x[fit->dim] = 1;
  for (guint r = 0; r < rows->covered->len; r++) {
    const float *row = &g_array_index (rows->values, float, (gsize) r * fit->dim);
    const guint8 covered = g_array_index (rows->covered, guint8, r);
    const double weight = balance[covered] * g_array_index (rows->weights, float, r);
    double p, curvature;

    if (weight == 0)
      continue;
    p = sigmoid (get_odds (fit, row));
    curvature = weight * p * (1 - p);
    for (guint i = 0; i < fit->dim; i++)
      x[i] = row[i] - fit->mean[i];
    for (guint i = 0; i < n; i++)
      gradient[i] += weight * (p - covered) * x[i];
    if (curvature < 1e-12) /* far on its side */
      continue;
    for (guint i = 0; i < n; i++) {
      const double factor = curvature * x[i];
      double *line = hessian + (gsize) i * n;

      for (guint j = 0; j <= i; j++)
        line[j] += factor * x[j];
    }
  }
}

/* The loss with its penalty. */
static double
get_loss (const RvmGateFit *fit, const Rows *rows, const double balance[2], double penalty)
{
  double loss = 0;

  for (guint r = 0; r < rows->covered->len; r++) {
    const float weight = g_array_index (rows->weights, float, r);
    const guint8 covered = g_array_index (rows->covered, guint8, r);
    const double z = weight ? get_odds (fit, &g_array_index (rows->values, float, (gsize) r * fit->dim)) : 0, wrong = covered ? -z : z;

    loss += balance[covered] * weight * (wrong > 30 ? wrong : log1p (exp (wrong)));
  }
  for (guint i = 0; i < fit->dim; i++)
    loss += penalty / 2 * fit->slope[i] * fit->slope[i];
  return loss;
}

/* One step of Newton's method, halved until the loss falls. Returns how large it was beside the slope. */
static double
step (RvmGateFit *fit, const Rows *rows, const double balance[2], double penalty, double *gradient, double *hessian, double *x)
{
  const guint n = fit->dim + 1;
  const double before = get_loss (fit, rows, balance, penalty);
  double largest = 0, slope = 1e-6, length = 1;

  differentiate (fit, rows, balance, gradient, hessian, x);
  for (guint i = 0; i < n; i++) {
    hessian[(gsize) i * n + i] += i < fit->dim ? penalty : 1e-9;
    gradient[i] += i < fit->dim ? penalty * fit->slope[i] : 0;
    for (guint j = 0; j < i; j++)
      hessian[(gsize) j * n + i] = hessian[(gsize) i * n + j];
  }
  rvm_cholesky_factorise (hessian, n);
  rvm_cholesky_solve (hessian, n, gradient, 1);
  memcpy (x, fit->slope, fit->dim * sizeof *x);
  x[fit->dim] = fit->constant;
  do {
    for (guint i = 0; i < fit->dim; i++)
      fit->slope[i] = x[i] - length * gradient[i];
    fit->constant = x[fit->dim] - length * gradient[fit->dim];
    length /= 2;
  } while (length > 1e-6 && !(get_loss (fit, rows, balance, penalty) <= before));
  for (guint i = 0; i < fit->dim; i++) {
    largest = MAX (largest, fabs (fit->slope[i] - x[i]));
    slope = MAX (slope, fabs (fit->slope[i]));
  }
  return largest / slope;
}

static gboolean
solve (RvmGateFit *fit, const Rows *rows, GError **error)
{
  const guint n = fit->dim + 1;
  g_autofree double *memory = g_new (double, 2 * n + (gsize) n * n);
  double sums[2] = { 0 }, balance[2], weights = 0;

  for (guint r = 0; r < rows->covered->len; r++) {
    const float weight = g_array_index (rows->weights, float, r);

    sums[g_array_index (rows->covered, guint8, r)] += weight;
    weights += weight;
    for (guint i = 0; i < fit->dim; i++)
      fit->mean[i] += weight * g_array_index (rows->values, float, (gsize) r * fit->dim + i);
  }
  for (guint i = 0; i < fit->dim; i++)
    fit->mean[i] /= weights;
  for (guint i = 0; i < 2; i++)
    balance[i] = weights / 2 / sums[i];
  balance[0] *= CLEAR_BALANCE;
  for (double penalty = FIRST_PENALTY; penalty > LEAST_PENALTY / 2; penalty /= 10) {
    const gboolean last = penalty < 2 * LEAST_PENALTY;
    double change = 1;

    for (guint i = 0; change > (last ? 1e-4 : 0.05); i++) {
      if (i == 50) {
        rvm_error_set (error, RVM_ERROR_MODEL, "the gate could not be fitted: 50 steps did not settle, the last one changed %.2g of the slope", change);
        return FALSE;
      }
      change = step (fit, rows, balance, penalty * weights, memory, memory + 2 * n, memory + n);
    }
  }
  return TRUE;
}

static void
measure (RvmGateFit *fit, const Rows *rows)
{
  for (guint r = 0; r < rows->covered->len; r++) {
    const double gate = sigmoid (-SHARPNESS * (get_odds (fit, &g_array_index (rows->values, float, (gsize) r * fit->dim)) - THRESHOLD));

    if (g_array_index (rows->weights, float, r) != 0)
      continue;
    if (g_array_index (rows->covered, guint8, r)) {
      fit->covered++;
      fit->kept += gate < 0.1;
    } else {
      fit->clear++;
      fit->replaced += gate > 0.9;
    }
  }
}

gboolean
rvm_gate_fit (RvmGateFit *fit, RvmModel *model, const RvmRecipe *recipe, RvmSampler *sampler, guint frames, GError **error)
{
  const guint dim = rvm_model_get_config (model)->encoder.dim;
  g_auto (Rows) rows = { dim, g_array_new (FALSE, FALSE, sizeof (float)), g_array_new (FALSE, FALSE, 1), g_array_new (FALSE, FALSE, sizeof (float)) };
  g_autofree char *material = NULL;

  *fit = (RvmGateFit){ .dim = dim, .slope = g_new0 (double, dim), .mean = g_new0 (double, dim) };
  if (frames < LEAST_FRAMES) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%u frames: expected at least %u", frames, LEAST_FRAMES);
    return FALSE;
  }
  if (!encode (&rows, model, recipe, sampler, frames, error) || !solve (fit, &rows, error))
    return FALSE;
  measure (fit, &rows);
  material = rvm_sampler_describe (sampler);
  fit->description = g_strdup_printf ("fitted by rvm-cl-train gate " RVM_VERSION " to %u frames, seed %" G_GUINT64_FORMAT ": %s", frames, recipe->seed, material);
  return TRUE;
}

typedef struct {
  const RvmGateFit *fit;
  RvmWeights *weights;
} Save;

/* The kernel of the gate: -SHARPNESS slope, and what makes the constant. */
static gboolean
write_gate (const Save *save, float *values, GError **error)
{
  const RvmGateFit *fit = save->fit;
  const guint dim = fit->dim;
  double shift = SHARPNESS * (THRESHOLD - fit->constant);

  for (guint i = 0; i < dim; i++) {
    shift += SHARPNESS * fit->slope[i] * fit->mean[i];
    for (guint j = 0; j < dim; j++)
      values[(gsize) i * dim + j] = -SHARPNESS * fit->slope[i];
  }
  return rvm_initialise_shift_gate_of (save->weights, dim, shift, values, error);
}

static gboolean
write_values (const RvmArray *array, float *values, gpointer user_data, GError **error)
{
  const Save *save = user_data;
  g_autofree char *gate = rvm_schema_format_name (rvm_initialise_update_gate, RVM_ROLE_KERNEL);
  g_autofree char *state_gate = rvm_schema_format_name (rvm_initialise_update_gate_state, RVM_ROLE_KERNEL);

  if (strcmp (array->name, gate) == 0)
    return write_gate (save, values, error);
  if (strcmp (array->name, state_gate) != 0)
    return rvm_weights_read (save->weights, rvm_weights_find (save->weights, array->name), values, error);
  memset (values, 0, (gsize) save->fit->dim * save->fit->dim * sizeof *values);
  return TRUE;
}

static GHashTable *
make_metadata (const RvmGateFit *fit, RvmWeights *weights)
{
  GHashTable *metadata = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, NULL), *given = rvm_weights_get_metadata (weights);
  gpointer key, value;
  GHashTableIter iter;

  if (given) {
    g_hash_table_iter_init (&iter, given);
    while (g_hash_table_iter_next (&iter, &key, &value))
      g_hash_table_insert (metadata, key, value);
  }
  g_hash_table_insert (metadata, "gate", fit->description);
  return metadata;
}

gboolean
rvm_gate_fit_save (const RvmGateFit *fit, RvmWeights *weights, const char *path, GError **error)
{
  g_autoptr (GHashTable) metadata = make_metadata (fit, weights);
  g_autoptr (GArray) arrays = NULL;
  Save save = { fit, weights };
  RvmConfig config;

  if (!rvm_config_from_weights (&config, weights, TRUE, error))
    return FALSE;
  arrays = rvm_config_list_arrays (&config, TRUE);
  return rvm_weights_save (path, (const RvmArray *) arrays->data, arrays->len, write_values, &save, metadata, error);
}
