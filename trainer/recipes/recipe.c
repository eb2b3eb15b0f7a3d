/* One table of fields, which parsing, writing and the help go through. */
#include "recipe.h"

#include <math.h>
#include <string.h>

#include "kernels/error.h"
#include "recipes.h"

typedef enum { FIELD_UINT, FIELD_UINT64, FIELD_DOUBLE, FIELD_BOOLEAN, FIELD_WEIGHTS, FIELD_TEXT, FIELD_PRECISION } FieldType;

typedef struct {
  const char *group, *key;
  FieldType type;
  gsize offset;
  double min, max, value; /* the default; weights and texts have none */
  const char *help;
} Field;

#define UINT(group, key, member, min, max, value, help) { group, key, FIELD_UINT, offsetof (RvmRecipe, member), min, max, value, help }
#define LONG(group, key, member, min, max, value, help) { group, key, FIELD_UINT64, offsetof (RvmRecipe, member), min, max, value, help }
#define REAL(group, key, member, min, max, value, help) { group, key, FIELD_DOUBLE, offsetof (RvmRecipe, member), min, max, value, help }
#define BOOL(group, key, member, value, help) { group, key, FIELD_BOOLEAN, offsetof (RvmRecipe, member), 0, 1, value, help }
#define PRECISION(group, key, member, help) { group, key, FIELD_PRECISION, offsetof (RvmRecipe, member), RVM_ELEMENT_F32, RVM_ELEMENT_BF16, RVM_ELEMENT_F32, help }
#define WEIGHTS(group, key, member, min, max, help) { group, key, FIELD_WEIGHTS, offsetof (RvmRecipe, member), min, max, 0, help }
#define TEXT(group, key, member, help) { group, key, FIELD_TEXT, offsetof (RvmRecipe, member), 0, 0, 0, help }

static const Field fields[] = {
  UINT ("model", "patch", model.patch, 1, 256, 8, "side of a patch, pixels"),
  UINT ("model", "dim", model.encoder.dim, 1, 16384, 192, "width of a token"),
  UINT ("model", "layers", model.encoder.layers, 1, 512, 6, "encoder layers"),
  UINT ("model", "heads", model.encoder.heads, 1, 1024, 6, "encoder heads"),
  UINT ("model", "mlp", model.encoder.mlp, 1, 65536, 768, "encoder MLP width"),
  UINT ("model", "core-layers", model.core.layers, 1, 512, 2, "core layers"),
  UINT ("model", "core-heads", model.core.heads, 1, 1024, 6, "core heads"),
  UINT ("model", "core-mlp", model.core.mlp, 1, 65536, 768, "core MLP width"),
  UINT ("model", "decoder-dim", model.decoder.dim, 1, 16384, 192, "decoder width"),
  UINT ("model", "decoder-layers", model.decoder.layers, 1, 512, 2, "decoder layers"),
  UINT ("model", "decoder-heads", model.decoder.heads, 1, 1024, 6, "decoder heads"),
  UINT ("model", "decoder-mlp", model.decoder.mlp, 1, 65536, 768, "decoder MLP width"),
  UINT ("data", "width", width, 1, 16384, 64, "pixels of a training frame"),
  UINT ("data", "height", height, 1, 16384, 64, "pixels of a training frame"),
  UINT ("data", "side-max", side_max, 0, 16384, 0,
      "if not 0, every batch draws its sides from width and height to this, with fewer samples of as many pixels in all"),
  UINT ("data", "sources-min", sources_min, 1, 64, 4, "fewest source frames of a sample"),
  UINT ("data", "sources-max", sources_max, 1, 64, 4, "most source frames of a sample"),
  UINT ("data", "targets", targets, 1, 64, 4, "target frames of a sample"),
  UINT ("data", "gap-min", gap_min, 1, 63, 4, "fewest frames from the last source frame to a target"),
  UINT ("data", "gap-max", gap_max, 1, 63, 48, "most frames from the last source frame to a target"),
  UINT ("data", "stride-max", stride_max, 1, 64, 1, "frames from one source frame to the next: drawn from 1 to this"),
  REAL ("data", "synthetic", synthetic, 0, 1, 0.5, "share of samples rendered from pictures and sprites"),
  UINT ("data", "sprites-max", sprites_max, 1, 64, 5, "most sprites of a rendered sample"),
  REAL ("data", "cut-outs", cut_outs, 0, 1, 0, "of the sprites of rendered samples: share that are pieces of --photos, of random shape"),
  REAL ("data", "motion", motion, 0, 100, 1, "factor of all movement in rendered video; at 1 the camera moves up to two widths of the frame"),
  REAL ("data", "crop-min", crop_min, 0.05, 1, 0.4, "smallest crop, as a share of the picture's shorter side"),
  BOOL ("data", "flip", flip, 1, "mirror half of the samples"),
  BOOL ("data", "cross-cuts", cross_cuts, 0, "samples may cross shot cuts"),
  REAL ("data", "still-share", still_share, 0, 1, 0.25, "share of the samples without motion that are used"),
  UINT ("data", "clip-memory", clip_memory, 16, 1048576, 1024, "MiB of decoded frames kept in memory"),
  WEIGHTS ("data", "weights", weights, 0, 1e6,
      "a weight for each --data, in their order, with ';' between them: its share of the samples of videos; none: videos are drawn by frame"),
  REAL ("hidden", "samples", hidden_samples, 0, 1, 0, "share of samples whose source frames are partly hidden; 0: as published"),
  REAL ("hidden", "cells", hidden_cells, 0, 1, 0.6, "of those: share of a source frame's patches that are made grey, drawn for each frame"),
  REAL ("hidden", "frames", hidden_frames, 0, 1, 0, "of those: probability that a source frame is dropped, which leaves it grey"),
  REAL ("hidden", "black-frames", hidden_black, 0, 1, 0, "of those: probability that a source frame that is not dropped is black"),
  REAL ("hidden", "occluders", hidden_occluders, 0, 1, 0, "of those: probability that one or two shapes move over the source frames"),
  UINT ("hidden", "clear-frames", hidden_clear, 0, 64, 0, "of those: first source frames in which nothing is hidden"),
  LONG ("training", "steps", steps, 1, 1e12, 10000, "updates of the weights"),
  UINT ("training", "batch", batch, 1, 65536, 16, "samples of a pass"),
  UINT ("training", "accumulate", accumulate, 1, 65536, 1, "passes of a step"),
  REAL ("training", "mask-ratio", mask_ratio, 0, 0.9999, 0.95, "share of a target's patches that is hidden; at least one is visible"),
  UINT ("training", "context", context, 0, 64, 0, "how many of a sample's last states the decoder sees; 0: all"),
  BOOL ("training", "context-position", context_position, 0,
      "the decoder adds positional encodings to the states, which then need not store positions; false: as published"),
  REAL ("training", "position-scale", position_scale, 0.001, 1000, 1, "factor of the positional encoding in the initial weights"),
  REAL ("training", "core-residual", core_residual, 0, 1000, 1, "factor of what the core's layers add, in random initial weights"),
  REAL ("training", "update-gate", update_gate, -20, 20, 0, "added to the input of the sigmoid of the core's update gate, in random initial weights"),
  REAL ("training", "gate-shift", gate_shift, -20, 20, 0, "the same, in given initial weights (--init)"),
  BOOL ("training", "gate-renew", gate_renew, 0,
      "the update gate of given initial weights begins again: training.update-gate for all channels, whatever the patch and the state"),
  TEXT ("training", "only", only,
      "names of the arrays that are trained, with * and ? as in a shell and ';' between them ('rnn_core/*'); the others stay as they are; none: all are trained"),
  BOOL ("training", "loss-all", loss_all, 0, "the loss is the mean over all patches instead of the hidden ones"),
  REAL ("training", "places", places, 0, 1e6, 0,
      "weight of a second loss, on rendered samples: patches of the last source frame find their places in the first by the states; 0: as published"),
  REAL ("training", "objects", objects, 0, 1e6, 0,
      "weight of a third loss, on rendered samples: patches of the last source frame find their objects in the first by the states; 0: as published"),
  REAL ("training", "places-temperature", places_temperature, 0.001, 10, 0.1, "of these two losses: by what cosines are divided"),
  PRECISION ("training", "precision", precision,
      "operands of products: with bf16 they are rounded to bfloat16, for processors with matrix units; weights, sums and all else are float32"),
  LONG ("training", "seed", seed, 0, 9007199254740991.0, 0, "seed of weights, samples and masks"),
  REAL ("optimiser", "rate", rate, 0, 1, 1e-3, "learning rate after the warm-up"),
  REAL ("optimiser", "rate-end", rate_end, 0, 1, 0, "learning rate at the end of the cosine"),
  REAL ("optimiser", "hold", hold, 0, 1, 0, "share of the steps after the warm-up with the full rate, before the cosine"),
  LONG ("optimiser", "warmup", warmup, 0, 1e12, 200, "steps of linear warm-up"),
  REAL ("optimiser", "b1", b1, 0, 0.999999, 0.9, "decay of the first moment"),
  REAL ("optimiser", "b2", b2, 0, 0.999999, 0.95, "decay of the second moment"),
  REAL ("optimiser", "epsilon", epsilon, 1e-30, 1, 1e-8, "added to the root of the second moment"),
  REAL ("optimiser", "decay", decay, 0, 10, 0.05, "decoupled weight decay, of kernels"),
  REAL ("optimiser", "clip-norm", clip_norm, 0, 1e9, 1, "gradients of a larger global norm are scaled down to this; 0: never"),
  UINT ("run", "checkpoint-every", checkpoint_every, 1, 1e9, 500, "steps between checkpoints"),
  UINT ("run", "keep", keep, 1, 1e6, 3, "how many of the latest checkpoints are kept"),
  UINT ("run", "keep-every", keep_every, 0, 1e9, 0, "checkpoints of steps that are multiples of this are kept for good; 0: none"),
  UINT ("run", "picture-every", picture_every, 0, 1e9, 500, "steps between pictures of reconstructions; 0: never"),
};

static gpointer
place (RvmRecipe *recipe, const Field *field)
{
  return (guint8 *) recipe + field->offset;
}

static void
store (RvmRecipe *recipe, const Field *field, double value)
{
  switch (field->type) {
    case FIELD_UINT:
      *(guint *) place (recipe, field) = value;
      break;
    case FIELD_UINT64:
      *(guint64 *) place (recipe, field) = value;
      break;
    case FIELD_DOUBLE:
      *(double *) place (recipe, field) = value;
      break;
    case FIELD_BOOLEAN:
      *(gboolean *) place (recipe, field) = value != 0;
      break;
    case FIELD_WEIGHTS:
      ((RvmRecipeWeights *) place (recipe, field))->n = 0;
      break;
    case FIELD_TEXT:
      *(char *) place (recipe, field) = '\0';
      break;
    case FIELD_PRECISION:
      *(RvmElement *) place (recipe, field) = value;
      break;
  }
}

static char *
format_value (const Field *field, double value)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  if (field->type == FIELD_BOOLEAN)
    return g_strdup (value != 0 ? "true" : "false");
  if (field->type == FIELD_PRECISION)
    return g_strdup (rvm_element_get_name (value));
  return g_strdup (g_ascii_formatd (text, sizeof text, field->type == FIELD_DOUBLE ? "%.9g" : "%.0f", value));
}

static char *
format_weights (const RvmRecipeWeights *weights)
{
  GString *text = g_string_new (NULL);
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  for (guint i = 0; i < weights->n; i++)
    g_string_append_printf (text, "%s%s", i ? ";" : "", g_ascii_formatd (number, sizeof number, "%.9g", weights->values[i]));
  return g_string_free (text, FALSE);
}

static char *
format_field (const RvmRecipe *recipe, const Field *field)
{
  gconstpointer at = place ((RvmRecipe *) recipe, field);

  switch (field->type) {
    case FIELD_UINT:
      return g_strdup_printf ("%u", *(const guint *) at);
    case FIELD_UINT64:
      return g_strdup_printf ("%" G_GUINT64_FORMAT, *(const guint64 *) at);
    case FIELD_BOOLEAN:
      return g_strdup (*(const gboolean *) at ? "true" : "false");
    case FIELD_WEIGHTS:
      return format_weights (at);
    case FIELD_TEXT:
      return g_strdup (at);
    case FIELD_PRECISION:
      return g_strdup (rvm_element_get_name (*(const RvmElement *) at));
    case FIELD_DOUBLE:
      break;
  }
  return format_value (field, *(const double *) at);
}

void
rvm_recipe_init (RvmRecipe *recipe)
{
  memset (recipe, 0, sizeof *recipe);
  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    store (recipe, &fields[i], fields[i].value);
  recipe->model.deltas = 64;
  recipe->model.core.dim = recipe->model.encoder.dim;
}

/* Insertions, deletions and replacements that turn @a into @b. */
static guint
edit_distance (const char *a, const char *b)
{
  const gsize width = strlen (b) + 1;
  g_autofree guint *row = g_new (guint, width);

  for (gsize j = 0; j < width; j++)
    row[j] = j;
  for (gsize i = 1; a[i - 1]; i++) {
    guint diagonal = row[0];

    row[0] = i;
    for (gsize j = 1; j < width; j++) {
      const guint replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = MIN (replaced, 1 + MIN (row[j], row[j - 1]));
    }
  }
  return row[width - 1];
}

static const Field *
find_field (const char *group, const char *key, const char *origin, GError **error)
{
  const guint length = strlen (key);
  const Field *closest = &fields[0];
  guint distance = G_MAXUINT;

  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    if (strcmp (key, fields[i].key) == 0 && (group == NULL || strcmp (group, fields[i].group) == 0))
      return &fields[i];
  for (guint i = 0; i < G_N_ELEMENTS (fields); i++) {
    const guint other = strlen (fields[i].key);
    const guint least = MAX (length, other) - MIN (length, other); /* a lower bound, which saves most of the work */
    const guint d = least < distance ? edit_distance (key, fields[i].key) : distance;

    if (d < distance) {
      distance = d;
      closest = &fields[i];
    }
  }
  rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: there is no value '%s%s%s'; did you mean '%s' in [%s]?", origin,
      group ? group : "", group ? "." : "", key, closest->key, closest->group);
  return NULL;
}

/* Whether @text is a number within the bounds of @field, and nothing else. */
static gboolean
is_number (const char *text, const Field *field)
{
  char *end = NULL;
  const double value = g_ascii_strtod (text, &end);
  const gboolean whole = field->type == FIELD_UINT || field->type == FIELD_UINT64;

  return end != text && *end == '\0' && value >= field->min && value <= field->max && (!whole || value == floor (value));
}

/* Numbers with ';' between them; an empty text has none. */
static gboolean
parse_weights (RvmRecipe *recipe, const Field *field, const char *text, const char *origin, GError **error)
{
  RvmRecipeWeights *weights = place (recipe, field);
  g_auto (GStrv) parts = g_strsplit (text, ";", -1);
  double sum = 0;

  weights->n = 0;
  for (guint i = 0; parts[i]; i++) {
    const char *part = g_strstrip (parts[i]);
    const double value = g_ascii_strtod (part, NULL);

    if (*part == '\0' && parts[i + 1] == NULL) /* a key file's lists may end with the separator */
      break;
    if (weights->n == RVM_RECIPE_WEIGHTS_MOST || !is_number (part, field)) {
      rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: %s.%s is '%s', expected at most %u numbers from %g to %g with ';' between them", origin,
          field->group, field->key, text, RVM_RECIPE_WEIGHTS_MOST, field->min, field->max);
      return FALSE;
    }
    weights->values[weights->n++] = value;
    sum += value;
  }
  if (weights->n && sum <= 0) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: %s.%s is '%s', expected at least one weight above 0", origin, field->group, field->key, text);
    return FALSE;
  }
  return TRUE;
}

static gboolean
parse_value (RvmRecipe *recipe, const Field *field, const char *text, const char *origin, GError **error)
{
  g_autofree char *low = format_value (field, field->min), *high = format_value (field, field->max);
  g_autofree char *trimmed = g_strstrip (g_strdup (text));

  if (field->type == FIELD_WEIGHTS)
    return parse_weights (recipe, field, trimmed, origin, error);
  if (field->type == FIELD_TEXT) {
    if (g_strlcpy (place (recipe, field), trimmed, RVM_RECIPE_TEXT_MOST) < RVM_RECIPE_TEXT_MOST && strpbrk (trimmed, "\n\r\\") == NULL)
      return TRUE;
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: %s.%s is '%s', expected one line of at most %d characters without a backslash", origin, field->group,
        field->key, trimmed, RVM_RECIPE_TEXT_MOST - 1);
    return FALSE;
  }
  if (field->type == FIELD_BOOLEAN) {
    if (strcmp (trimmed, "true") != 0 && strcmp (trimmed, "false") != 0) {
      rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: %s.%s is '%s', expected true or false", origin, field->group, field->key,
          trimmed);
      return FALSE;
    }
    store (recipe, field, strcmp (trimmed, "true") == 0);
    return TRUE;
  }
  if (field->type == FIELD_PRECISION) {
    RvmElement type;

    if (!rvm_element_from_name (trimmed, &type) || type == RVM_ELEMENT_F16) {
      rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: %s.%s is '%s', expected f32 or bf16", origin, field->group, field->key, trimmed);
      return FALSE;
    }
    store (recipe, field, type);
    return TRUE;
  }
  if (!is_number (trimmed, field)) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: %s.%s is '%s', expected %s from %s to %s", origin, field->group, field->key,
        trimmed, field->type == FIELD_DOUBLE ? "a number" : "a whole number", low, high);
    return FALSE;
  }
  store (recipe, field, g_ascii_strtod (trimmed, NULL));
  recipe->model.core.dim = recipe->model.encoder.dim;
  return TRUE;
}

gboolean
rvm_recipe_parse (RvmRecipe *recipe, const char *text, const char *origin, GError **error)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GError) broken = NULL;
  g_auto (GStrv) groups = NULL;

  if (!g_key_file_load_from_data (file, text, strlen (text), G_KEY_FILE_NONE, &broken)) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: not a recipe: %s", origin, broken->message);
    return FALSE;
  }
  groups = g_key_file_get_groups (file, NULL);
  for (guint g = 0; groups[g]; g++) {
    g_auto (GStrv) keys = g_key_file_get_keys (file, groups[g], NULL, NULL);

    for (guint k = 0; keys && keys[k]; k++) {
      const Field *field = find_field (groups[g], keys[k], origin, error);
      g_autofree char *value = field ? g_key_file_get_value (file, groups[g], keys[k], NULL) : NULL;

      if (field == NULL || !parse_value (recipe, field, value, origin, error))
        return FALSE;
    }
  }
  return TRUE;
}

gboolean
rvm_recipe_load (RvmRecipe *recipe, const char *name, GError **error)
{
  g_autofree char *path = g_strdup_printf ("/gst-rvm/recipes/%s.ini", name), *text = NULL;
  g_autoptr (GBytes) built_in = NULL;
  gsize size;

  rvm_recipe_init (recipe);
  if (g_file_test (name, G_FILE_TEST_IS_REGULAR)) {
    if (!g_file_get_contents (name, &text, &size, error))
      return FALSE;
    if (strlen (text) != size) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: not a recipe: byte %" G_GSIZE_FORMAT " is zero, expected text", name, strlen (text));
      return FALSE;
    }
    return rvm_recipe_parse (recipe, text, name, error);
  }
  built_in = g_resource_lookup_data (rvm_recipes_get_resource (), path, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
  if (built_in) {
    text = g_strndup (g_bytes_get_data (built_in, NULL), g_bytes_get_size (built_in));
    return rvm_recipe_parse (recipe, text, name, error);
  }
  rvm_error_set (error, RVM_ERROR_FILE, "recipe %s: neither a file nor one that comes with the program (cpu, tiny, small16)", name);
  return FALSE;
}

gboolean
rvm_recipe_set (RvmRecipe *recipe, const char *assignment, GError **error)
{
  const char *equals = strchr (assignment, '=');
  g_autofree char *name = equals ? g_strstrip (g_strndup (assignment, equals - assignment)) : NULL;
  char *dot = name ? strchr (name, '.') : NULL;
  const Field *field;

  if (equals == NULL) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "--set %s: expected KEY=VALUE", assignment);
    return FALSE;
  }
  if (dot)
    *dot++ = '\0';
  field = find_field (dot ? name : NULL, dot ? dot : name, "--set", error);
  return field && parse_value (recipe, field, equals + 1, "--set", error);
}

gboolean
rvm_recipe_validate (const RvmRecipe *recipe, GError **error)
{
  const char *wrong = NULL;

  if (!rvm_config_validate (&recipe->model, error))
    return FALSE;
  if (recipe->width % recipe->model.patch || recipe->height % recipe->model.patch)
    wrong = "data.width and data.height must be multiples of model.patch";
  else if (recipe->side_max && (recipe->side_max < MAX (recipe->width, recipe->height) || recipe->side_max % recipe->model.patch))
    wrong = "data.side-max must be 0, or a multiple of model.patch and at least data.width and data.height";
  else if (recipe->side_max && (guint64) recipe->side_max * recipe->side_max > (guint64) recipe->batch * recipe->width * recipe->height)
    wrong = "a frame of data.side-max x data.side-max has more pixels than training.batch frames of data.width x data.height";
  else if (recipe->sources_min > recipe->sources_max)
    wrong = "data.sources-min is larger than data.sources-max";
  else if (recipe->gap_min > recipe->gap_max)
    wrong = "data.gap-min is larger than data.gap-max";
  else if (recipe->gap_max >= recipe->model.deltas)
    wrong = "data.gap-max must be less than 64";
  else if (rvm_recipe_get_kept (recipe) >= (recipe->width / recipe->model.patch) * (recipe->height / recipe->model.patch))
    wrong = "training.mask-ratio hides no patch: use a higher ratio or larger frames";
  if (wrong == NULL)
    return TRUE;
  rvm_error_set (error, RVM_ERROR_ARGUMENT, "recipe: %s", wrong);
  return FALSE;
}

char *
rvm_recipe_to_text (const RvmRecipe *recipe)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (fields); i++) {
    g_autofree char *value = format_field (recipe, &fields[i]);

    if (i == 0 || strcmp (fields[i].group, fields[i - 1].group) != 0)
      g_string_append_printf (text, "%s[%s]\n", i ? "\n" : "", fields[i].group);
    g_string_append_printf (text, "# %s\n%s=%s\n", fields[i].help, fields[i].key, value);
  }
  return g_string_free (text, FALSE);
}

char *
rvm_recipe_describe (void)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (fields); i++) {
    g_autofree char *name = g_strdup_printf ("%s.%s", fields[i].group, fields[i].key);
    g_autofree char *low = format_value (&fields[i], fields[i].min), *high = format_value (&fields[i], fields[i].max);
    g_autofree char *value = fields[i].type == FIELD_WEIGHTS ? g_strdup ("none") : format_value (&fields[i], fields[i].value);

    g_string_append_printf (text, "  %-26s %s (%s %s %s, default %s)\n", name, fields[i].help, low, fields[i].type == FIELD_PRECISION ? "or" : "to", high,
        value);
  }
  return g_string_free (text, FALSE);
}

gboolean
rvm_recipe_has_matches (const RvmRecipe *recipe)
{
  return recipe->places > 0 || recipe->objects > 0;
}

guint
rvm_recipe_get_kept (const RvmRecipe *recipe)
{
  return rvm_recipe_count_kept (recipe, (recipe->width / recipe->model.patch) * (recipe->height / recipe->model.patch));
}

guint
rvm_recipe_count_kept (const RvmRecipe *recipe, guint patches)
{
  return MAX ((guint) (patches * (1.0 - recipe->mask_ratio)), 1); /* in double arithmetic, as the authors do */
}

double
rvm_recipe_get_rate (const RvmRecipe *recipe, guint64 step)
{
  const double held = recipe->warmup + recipe->hold * (recipe->steps - MIN (recipe->steps, recipe->warmup));
  double progress;

  if (step < recipe->warmup)
    return recipe->rate * (step + 1) / recipe->warmup;
  if (step <= held || recipe->steps <= held)
    return recipe->rate;
  progress = MIN ((step - held) / (recipe->steps - held), 1.0);
  return recipe->rate_end + (recipe->rate - recipe->rate_end) * 0.5 * (1 + cos (G_PI * progress));
}
