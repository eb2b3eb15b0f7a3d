/* Making a run's folder and reading it again. */
#include "run_files.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "checkpoint.h"
#include "data/files.h"
#include "initialise.h"
#include "kernels/error.h"
#include "parallel.h"

#define DATA_GROUP "data"
#define START_FILE "start.txt"

/* What a process that was killed left half written. */
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
    g_set_error (error, RVM_ERROR, RVM_ERROR_FILE, "%s: %s", path, g_strerror (errno));
    return -1;
  }
  if (flock (lock, LOCK_EX | LOCK_NB) != 0) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_FILE, "%s: another process trains in this folder", folder);
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
    g_set_error (error, RVM_ERROR, RVM_ERROR_FILE, "%s: not the folder of a run: there is no recipe.ini", folder);
    return FALSE;
  }
  rvm_recipe_init (recipe);
  return g_file_get_contents (path, &text, NULL, error) && rvm_recipe_parse (recipe, text, path, error)
      && rvm_recipe_validate (recipe, error);
}

char *
rvm_run_find_checkpoint (const char *folder, guint64 *step, GError **error)
{
  g_autoptr (GArray) steps = rvm_checkpoint_list (folder);

  for (guint i = steps->len; i-- > 0;) {
    g_autofree char *path = rvm_checkpoint_get_path (folder, g_array_index (steps, guint64, i));
    g_autoptr (GError) damage = NULL;

    if (rvm_checkpoint_verify (path, step, NULL, &damage))
      return g_steal_pointer (&path);
    g_printerr ("rvm-cl-train: passed over: %s\n", damage->message);
  }
  g_set_error (error, RVM_ERROR, RVM_ERROR_FILE, "%s: no checkpoint that can be read", folder);
  return NULL;
}

static const char *const data_keys[] = { "clips", "photos", "sprites" };

/* The files that data.ini means, without the folders that they lie in, which are nobody's business who gets the weights. */
static char *
describe_data (const char *folder, GError **error)
{
  g_autofree char *path = g_build_filename (folder, "data.ini", NULL);
  g_autoptr (GKeyFile) file = g_key_file_new ();

  if (!g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, error))
    return NULL;
  for (guint i = 0; i < G_N_ELEMENTS (data_keys); i++) {
    g_auto (GStrv) names = g_key_file_get_string_list (file, DATA_GROUP, data_keys[i], NULL, NULL);
    g_autoptr (GPtrArray) files = rvm_files_expand ((const char *const *) names, error);

    if (files == NULL)
      return NULL;
    for (guint j = 0; j < files->len; j++) {
      char *name = g_path_get_basename (g_ptr_array_index (files, j));
      g_free (g_ptr_array_index (files, j));
      g_ptr_array_index (files, j) = name;
    }
    g_key_file_set_string_list (file, DATA_GROUP, data_keys[i], (const char *const *) files->pdata, files->len);
  }
  return g_key_file_to_data (file, NULL, NULL);
}

/* Where the given weights come from: their file's name, step and recipe (without comments), and what those in turn began with. */
static char *
describe_start (RvmWeights *weights)
{
  GHashTable *metadata = rvm_weights_get_metadata (weights);
  const char *step = g_hash_table_lookup (metadata, "step"), *recipe = g_hash_table_lookup (metadata, "recipe");
  const char *start = g_hash_table_lookup (metadata, "start");
  g_autofree char *name = g_path_get_basename (rvm_weights_get_path (weights));
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
rvm_run_make_metadata (const char *folder, const RvmRecipe *recipe, GError **error)
{
  g_autoptr (GHashTable) metadata = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  g_autofree char *start = g_build_filename (folder, START_FILE, NULL);
  char *data = describe_data (folder, error), *text;

  if (data == NULL)
    return NULL;
  g_hash_table_insert (metadata, "data", data);
  if (g_file_test (start, G_FILE_TEST_EXISTS)) {
    if (!g_file_get_contents (start, &text, NULL, error))
      return NULL;
    g_hash_table_insert (metadata, "start", text);
  }
  g_hash_table_insert (metadata, "recipe", rvm_recipe_to_text (recipe));
  g_hash_table_insert (metadata, "trainer", g_strdup ("rvm-cl-train " RVM_VERSION));
  return g_steal_pointer (&metadata);
}

/* Describes @weights (nullable) for metadata. A folder may have the file of a run that never came to its first checkpoint. */
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

/* Paths as given, absolute, so that the folder can be resumed from anywhere. */
static gboolean
write_data (const RvmRunOptions *options, GError **error)
{
  const GStrv lists[] = { options->data, options->photos, options->sprites };
  g_autofree char *path = g_build_filename (options->folder, "data.ini", NULL);
  g_autoptr (GKeyFile) file = g_key_file_new ();

  for (guint i = 0; i < G_N_ELEMENTS (lists); i++) {
    g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);

    for (guint j = 0; lists[i] && lists[i][j]; j++)
      g_ptr_array_add (paths, g_canonicalize_filename (lists[i][j], NULL));
    g_key_file_set_string_list (file, DATA_GROUP, data_keys[i], (const char *const *) paths->pdata, paths->len);
  }
  return g_key_file_save_to_file (file, path, error);
}

RvmSource *
rvm_run_open_source (const RvmRunOptions *options, const RvmRecipe *recipe, guint64 first, GError **error)
{
  g_autofree char *path = g_build_filename (options->folder, "data.ini", NULL);
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_auto (GStrv) clips = NULL;
  g_auto (GStrv) photos = NULL;
  g_auto (GStrv) sprites = NULL;

  if (!g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, error))
    return NULL;
  clips = g_key_file_get_string_list (file, DATA_GROUP, data_keys[0], NULL, NULL);
  photos = g_key_file_get_string_list (file, DATA_GROUP, data_keys[1], NULL, NULL);
  sprites = g_key_file_get_string_list (file, DATA_GROUP, data_keys[2], NULL, NULL);
  return rvm_source_new (recipe, (const char *const *) clips, (const char *const *) photos, (const char *const *) sprites,
      options->cache_dir, &(RvmShard){ rvm_parallel_get_rank (), rvm_parallel_get_size () }, first, error);
}

typedef struct {
  const RvmRecipe *recipe;
  RvmWeights *init; /* NULL: nothing to start from */
  GHashTable *given; /* names of the arrays of its model: others are not needed, whatever they are called */
} Start;

/* Opens or shuts the update gate of given weights, if the recipe says so. */
static gboolean
shift_gate (const Start *start, const RvmArray *array, float *values, GError **error)
{
  const RvmArray *found = rvm_weights_find (start->init, RVM_ENCODER_BIAS);
  const guint dim = start->recipe->model.encoder.dim;
  g_autofree float *bias = g_new (float, dim);
  gboolean zero = TRUE;

  if (start->recipe->gate_shift == 0 || strcmp (array->name, RVM_UPDATE_GATE) != 0)
    return TRUE;
  if (!rvm_weights_read (start->init, found, bias, error))
    return FALSE;
  for (guint i = 0; i < dim; i++)
    zero = zero && bias[i] == 0;
  if (zero) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "training.gate-shift: all values of %s are 0 in the given weights: expected some that are not, "
        "as in weights that were trained", RVM_ENCODER_BIAS);
    return FALSE;
  }
  rvm_initialise_shift_gate (bias, dim, start->recipe->gate_shift, values);
  return TRUE;
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
  return shift_gate (start, array, values, error);
}

/* The sizes of the file to start from replace the recipe's; without decoder in the file, the decoder's stay. */
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

/* A checkpoint of step 0: the one way to start is to resume. The model is loaded from plain weights first. */
static gboolean
write_first_checkpoint (const RvmRunOptions *options, const RvmRecipe *recipe, RvmWeights *init, GError **error)
{
  const RvmModelOptions model_options = { .device = options->device, .cache_dir = options->cache_dir };
  g_autofree char *plain = g_build_filename (options->folder, "model.safetensors", NULL);
  g_autofree char *path = rvm_checkpoint_get_path (options->folder, 0);
  g_autoptr (GArray) arrays = rvm_config_list_arrays (&recipe->model, TRUE);
  g_autoptr (GHashTable) metadata = rvm_run_make_metadata (options->folder, recipe, error);
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
  gradients = queue ? rvm_gradients_new (model, error) : NULL;
  optimiser = gradients ? rvm_optimiser_new (model, gradients, &(RvmOptimiserOptions){ 0 }, queue, error) : NULL;
  return optimiser && rvm_checkpoint_save (path, model, optimiser, queue, 0, metadata, error);
}

gboolean
rvm_run_create (const RvmRunOptions *options, const RvmRecipe *recipe, const char *init, GError **error)
{
  g_autofree char *path = g_build_filename (options->folder, "recipe.ini", NULL), *text = NULL;
  g_autoptr (RvmWeights) weights = NULL;
  g_autoptr (GArray) steps = NULL;
  RvmRecipe used = *recipe;
  gboolean ok;
  int lock;

  weights = init ? open_init (init, &used, error) : NULL;
  if ((init && weights == NULL) || !rvm_recipe_validate (&used, error))
    return FALSE;
  if (g_mkdir_with_parents (options->folder, 0777) != 0) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_FILE, "%s: %s", options->folder, g_strerror (errno));
    return FALSE;
  }
  steps = rvm_checkpoint_list (options->folder);
  if (steps->len) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT,
        "%s: holds a run already; 'rvm-cl-train resume %s' goes on with it", options->folder, options->folder);
    return FALSE;
  }
  lock = rvm_run_lock (options->folder, error);
  if (lock < 0)
    return FALSE;
  text = rvm_recipe_to_text (&used);
  ok = g_file_set_contents (path, text, -1, error) && write_data (options, error) && write_start (options->folder, weights, error)
      && write_first_checkpoint (options, &used, weights, error);
  close (lock);
  return ok;
}
