/* Makes the folder of a run, and reads it again when the run is continued. */
#include "run_files.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "checkpoint.h"
#include "initialise.h"
#include "kernels/error.h"
#include "kernels/text.h"
#include "run_material.h"

#define START_FILE "start.txt"

/* Removes files that a killed process left half written. */
static void
remove_parts (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    if (g_str_has_suffix (name, ".part")) {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_unlink (path);
    }
}

int
rvm_run_lock (const char *folder, GError **error)
{
  g_autofree char *path = g_build_filename (folder, "lock", NULL);
  const int lock = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

  if (lock < 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: %s", path, g_strerror (errno));
    return -1;
  }
  if (flock (lock, LOCK_EX | LOCK_NB) != 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: another process trains in this folder", folder);
    close (lock);
    return -1;
  }
  remove_parts (folder);
  return lock;
}

gboolean
rvm_run_load_recipe (const char *folder, RvmRecipe *recipe, GError **error)
{
  g_autofree char *path = g_build_filename (folder, "recipe.ini", NULL), *text = NULL;

  if (!g_file_test (path, G_FILE_TEST_EXISTS)) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: not the folder of a run: there is no recipe.ini", folder);
    return FALSE;
  }
  rvm_recipe_init (recipe);
  return g_file_get_contents (path, &text, NULL, error) && rvm_recipe_parse (recipe, text, path, error)
      && rvm_recipe_validate (recipe, error);
}

/* The error if only the checkpoint of step 0 can be read: it says what can be done. */
static void
fail_unreadable (const char *folder, const char *reasons, GError **error)
{
  g_autofree char *model = g_build_filename (folder, "model.safetensors", NULL), *weights = NULL;
  guint64 step;

  if (rvm_checkpoint_verify (model, &step, NULL, NULL))
    weights = g_strdup_printf (" The weights of step %" G_GUINT64_FORMAT ", without the optimiser's moments, are in %s: "
                               "'rvm-cl-train pretrain --init %s' starts another run from them.", step, model, model);
  rvm_error_set (error, RVM_ERROR_FORMAT, "%s: of its checkpoints only that of step 0 can be read:%s\n"
      "'rvm-cl-train resume %s --from 0' begins again there.%s", folder, reasons, folder, weights ? weights : "");
}

static char *
find_step (const char *folder, const GArray *steps, guint64 wanted, guint64 *step, GError **error)
{
  g_autofree char *path = rvm_checkpoint_get_path (folder, wanted);
  g_autoptr (GString) there = g_string_new (NULL);

  for (guint i = 0; i < steps->len; i++) {
    if (g_array_index (steps, guint64, i) == wanted)
      return rvm_checkpoint_verify (path, step, NULL, error) ? g_steal_pointer (&path) : NULL;
    g_string_append_printf (there, " %" G_GUINT64_FORMAT, g_array_index (steps, guint64, i));
  }
  rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: there is no checkpoint of step %" G_GUINT64_FORMAT ", expected one of%s", folder, wanted,
      there->str);
  return NULL;
}

char *
rvm_run_find_checkpoint (const char *folder, gint64 from, guint64 *step, GError **error)
{
  g_autoptr (GArray) steps = rvm_checkpoint_list (folder, error);
  g_autoptr (GString) reasons = g_string_new (NULL);

  if (steps == NULL)
    return NULL;
  if (from != RVM_RUN_LATEST)
    return find_step (folder, steps, from, step, error);
  for (guint i = steps->len; i-- > 0;) {
    g_autofree char *path = rvm_checkpoint_get_path (folder, g_array_index (steps, guint64, i));
    g_autoptr (GError) damage = NULL;

    if (rvm_checkpoint_verify (path, step, NULL, &damage)) {
      if (*step == 0 && reasons->len) {
        fail_unreadable (folder, reasons->str, error);
        return NULL;
      }
      if (reasons->len)
        g_printerr ("rvm-cl-train: %s: passed over:%s\n", folder, reasons->str);
      return g_steal_pointer (&path);
    }
    /* The file may be good: an error of the disk or of permissions may be temporary. */
    if (!g_error_matches (damage, RVM_ERROR, RVM_ERROR_FORMAT) && !g_error_matches (damage, RVM_ERROR, RVM_ERROR_MODEL)) {
      g_propagate_error (error, g_steal_pointer (&damage));
      g_prefix_error (error, "%s: its latest checkpoint cannot be read now, and nothing was changed "
          "('rvm-cl-train resume --from STEP' takes another): ", folder);
      return NULL;
    }
    g_string_append_printf (reasons, "\n  %s", damage->message);
  }
  rvm_error_set (error, RVM_ERROR_FILE, "%s: no checkpoint that can be read%s", folder, reasons->str);
  return NULL;
}

void
rvm_run_set_aside (const char *folder, guint64 step)
{
  g_autoptr (GArray) steps = rvm_checkpoint_list (folder, NULL);

  for (guint i = 0; steps && i < steps->len; i++) {
    g_autofree char *path = rvm_checkpoint_get_path (folder, g_array_index (steps, guint64, i)), *aside = g_strconcat (path, ".aside", NULL);

    if (g_array_index (steps, guint64, i) > step && g_rename (path, aside) == 0)
      g_printerr ("rvm-cl-train: set aside: %s\n", aside);
  }
}

gboolean
rvm_run_has_model (const char *folder, guint64 step)
{
  g_autofree char *path = g_build_filename (folder, "model.safetensors", NULL);
  g_autoptr (RvmWeights) weights = rvm_weights_open (path, NULL);
  const char *found = weights ? g_hash_table_lookup (rvm_weights_get_metadata (weights), "step") : NULL;
  guint64 number;

  return found && g_ascii_string_to_unsigned (found, 10, 0, G_MAXUINT64, &number, NULL) && number == step;
}

/* Where given weights come from: the name of their file, its step and recipe (without comments), and the same of the weights that those began with.
 * */
static char *
describe_start (RvmWeights *weights)
{
  GHashTable *metadata = rvm_weights_get_metadata (weights);
  const char *step = g_hash_table_lookup (metadata, "step"), *recipe = g_hash_table_lookup (metadata, "recipe");
  const char *start = g_hash_table_lookup (metadata, "start");
  g_autofree char *base = g_path_get_basename (rvm_weights_get_path (weights)), *name = rvm_name_escape (base);
  g_auto (GStrv) lines = g_strsplit (recipe ? recipe : "", "\n", 0);
  GString *text = g_string_new (name);

  if (step)
    g_string_append_printf (text, ", step %s", step);
  g_string_append_c (text, '\n');
  for (guint i = 0; lines[i]; i++)
    if (*lines[i] && *lines[i] != '#')
      g_string_append_printf (text, "%s\n", lines[i]);
  if (start)
    g_string_append_printf (text, "\nwhich began with %s", start);
  return g_string_free (text, FALSE);
}

GHashTable *
rvm_run_make_metadata (const char *folder, const RvmRecipe *recipe, const RvmMaterial *material, GError **error)
{
  g_autoptr (GHashTable) metadata = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  g_autofree char *start = g_build_filename (folder, START_FILE, NULL);
  char *text;

  if (g_file_test (start, G_FILE_TEST_EXISTS)) {
    if (!g_file_get_contents (start, &text, NULL, error))
      return NULL;
    g_hash_table_insert (metadata, "start", text);
  }
  g_hash_table_insert (metadata, "data", rvm_material_describe (material));
  g_hash_table_insert (metadata, "recipe", rvm_recipe_to_text (recipe));
  g_hash_table_insert (metadata, "trainer", g_strdup ("rvm-cl-train " RVM_VERSION));
  return g_steal_pointer (&metadata);
}

/* Writes start.txt for @weights (nullable). The folder may have the file of a run that did not reach its first checkpoint. */
static gboolean
write_start (const char *folder, RvmWeights *weights, GError **error)
{
  g_autofree char *path = g_build_filename (folder, START_FILE, NULL), *text = NULL;

  if (weights == NULL) {
    g_unlink (path);
    return TRUE;
  }
  text = describe_start (weights);
  return g_file_set_contents (path, text, -1, error);
}

typedef struct {
  const RvmRecipe *recipe;
  RvmWeights *init; /* NULL: nothing to start from */
  GHashTable *given; /* names of the arrays of its model: others are not needed, whatever they are called */
} Start;

/* Renews or shifts the update gate of given weights, if the recipe says so. */
static gboolean
change_gate (const Start *start, const RvmArray *array, float *values, GError **error)
{
  const RvmRecipe *recipe = start->recipe;
  const guint dim = recipe->model.encoder.dim;
  const double shift = recipe->gate_shift + (recipe->gate_renew ? recipe->update_gate : 0);
  g_autofree char *gate = rvm_schema_format_name (rvm_initialise_update_gate, RVM_ROLE_KERNEL);
  g_autofree char *state_gate = rvm_schema_format_name (rvm_initialise_update_gate_state, RVM_ROLE_KERNEL);

  if (recipe->gate_renew && (strcmp (array->name, gate) == 0 || strcmp (array->name, state_gate) == 0))
    memset (values, 0, (gsize) dim * dim * sizeof (float));
  if (shift == 0 || strcmp (array->name, gate) != 0 || rvm_initialise_shift_gate_of (start->init, dim, shift, values, error))
    return TRUE;
  g_prefix_error (error, "training.%s: ", recipe->gate_renew ? "gate-renew" : "gate-shift");
  return FALSE;
}

static gboolean
start_values (const RvmArray *array, float *values, gpointer user_data, GError **error)
{
  const Start *start = user_data;
  const RvmArray *given;

  if (strncmp (array->name, "adamw/", strlen ("adamw/")) == 0) {
    guint64 elements = 0, bytes;
    rvm_array_get_size (array, &elements, &bytes);
    memset (values, 0, elements * sizeof (float));
    return TRUE;
  }
  given = g_hash_table_contains (start->given, array->name) ? rvm_weights_find (start->init, array->name) : NULL;
  if (given && !rvm_weights_read (start->init, given, values, error))
    return FALSE;
  if (given == NULL) {
    rvm_initialise_array (array, start->recipe, values);
    return TRUE;
  }
  rvm_initialise_weigh_position (array, start->recipe->position_scale, values);
  return change_gate (start, array, values, error);
}

/* The sizes in the given file replace the recipe's. If the file has no decoder, the decoder's sizes are the recipe's. */
static RvmWeights *
open_init (const char *init, RvmRecipe *recipe, GError **error)
{
  g_autoptr (RvmWeights) weights = rvm_weights_open (init, error);
  RvmConfig config;

  if (weights == NULL || !rvm_config_from_weights (&config, weights, TRUE, error))
    return NULL;
  if (config.decoder.layers == 0) {
    config.decoder = recipe->model.decoder;
    config.deltas = recipe->model.deltas;
  }
  recipe->model = config;
  return g_steal_pointer (&weights);
}

/* (transfer full) (element-type utf8): the names of the arrays of the model in @init (nullable). */
static GHashTable *
list_given (RvmWeights *init, GError **error)
{
  g_autoptr (GHashTable) names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GArray) arrays = NULL;
  RvmConfig config;

  if (init == NULL)
    return g_steal_pointer (&names);
  if (!rvm_config_from_weights (&config, init, TRUE, error))
    return NULL;
  arrays = rvm_config_list_arrays (&config, TRUE);
  for (guint i = 0; i < arrays->len; i++)
    g_hash_table_add (names, g_strdup (g_array_index (arrays, RvmArray, i).name));
  return g_steal_pointer (&names);
}

/* Writes the checkpoint of step 0, so that starting a run is the same as continuing one. The model is loaded from plain weights for it. */
static gboolean
write_first_checkpoint (const RvmRunOptions *options, const RvmRecipe *recipe, const RvmMaterial *material, RvmWeights *init, GError **error)
{
  const RvmModelOptions model_options = { .device = options->device, .cache_dir = options->cache_dir };
  g_autofree char *plain = g_build_filename (options->folder, "model.safetensors", NULL);
  g_autofree char *path = rvm_checkpoint_get_path (options->folder, 0);
  g_autoptr (GArray) arrays = rvm_config_list_arrays (&recipe->model, TRUE);
  g_autoptr (GHashTable) metadata = rvm_run_make_metadata (options->folder, recipe, material, error);
  g_autoptr (RvmModel) model = NULL;
  g_autoptr (RvmGradients) gradients = NULL;
  g_autoptr (RvmOptimiser) optimiser = NULL;
  g_autoptr (RvmQueue) queue = NULL;
  g_autoptr (GHashTable) given = list_given (init, error);
  Start start = { recipe, init, given };

  if (given == NULL || metadata == NULL
      || !rvm_weights_save (plain, (const RvmArray *) arrays->data, arrays->len, start_values, &start, metadata, error))
    return FALSE;
  model = rvm_model_load_trainable (plain, &model_options, error);
  queue = model ? rvm_queue_new (model->device, FALSE, error) : NULL;
  gradients = queue ? rvm_gradients_new (model->device, model->parameters, error) : NULL;
  if (gradients == NULL || !rvm_gradients_freeze (gradients, model->parameters, recipe->only, NULL, error))
    return FALSE;
  optimiser = rvm_optimiser_new (gradients, &(RvmOptimiserOptions){ 0 }, queue, error);
  return optimiser && rvm_checkpoint_save (path, model, optimiser, queue, 0, metadata, error);
}

RvmSampler *
rvm_run_create (const RvmRunOptions *options, const RvmRecipe *recipe, const char *init, GError **error)
{
  g_autofree char *path = g_build_filename (options->folder, "recipe.ini", NULL), *text = NULL;
  g_autoptr (RvmWeights) weights = NULL;
  g_autoptr (RvmSampler) sampler = NULL;
  g_autoptr (GArray) steps = NULL;
  RvmRecipe used = *recipe;
  gboolean ok;
  int lock;

  weights = init ? open_init (init, &used, error) : NULL;
  if ((init && weights == NULL) || !rvm_recipe_validate (&used, error))
    return NULL;
  if (g_mkdir_with_parents (options->folder, 0777) != 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: %s", options->folder, g_strerror (errno));
    return NULL;
  }
  steps = rvm_checkpoint_list (options->folder, error);
  if (steps == NULL)
    return NULL;
  if (steps->len) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: holds a run already; 'rvm-cl-train resume %s' continues it", options->folder,
        options->folder);
    return NULL;
  }
  lock = rvm_run_lock (options->folder, error);
  if (lock < 0)
    return NULL;
  text = rvm_recipe_to_text (&used);
  sampler = rvm_run_list_material (options, &used, error);
  ok = sampler && g_file_set_contents (path, text, -1, error) && write_start (options->folder, weights, error)
      && write_first_checkpoint (options, &used, rvm_sampler_get_material (sampler), weights, error);
  close (lock);
  return ok ? g_steal_pointer (&sampler) : NULL;
}
