/* rvm-cl-train evaluate: the table of J, F and their mean for each kind of features on the sequences of DAVIS; or, with --suite, the fixed suite. */
#include <gst/gst.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "kernels/error.h"
#include "model/default_model.h"
#include "trainer/evaluate/evaluate.h"
#include "trainer/run/initialise.h"

/* Parses "WIDTHxHEIGHT"; both must be multiples of the models' patch sizes. */
static gboolean
parse_size (const char *text, RvmModel *const *models, guint n_models, RvmEvaluation *evaluation, GError **error)
{
  char rest;

  if (sscanf (text, "%ux%u%c", &evaluation->width, &evaluation->height, &rest) != 2 || evaluation->width > 16384 || evaluation->height > 16384) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "--size '%s': expected WIDTHxHEIGHT in pixels", text);
    return FALSE;
  }
  for (guint i = 0; i < n_models; i++) {
    const guint patch = rvm_model_get_config (models[i])->patch;
    if (evaluation->width < patch || evaluation->height < patch || evaluation->width % patch || evaluation->height % patch) {
      g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "--size '%s': expected multiples of the patch size, %u", text, patch);
      return FALSE;
    }
  }
  return TRUE;
}

static char **
name_kinds (char *const *files, guint n_models)
{
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();

  g_strv_builder_add_many (names, "first mask copied", "raw colours", NULL);
  for (guint i = 0; i < n_models; i++) {
    g_autofree char *base = g_path_get_basename (files[i]);
    g_autofree char *core = g_strconcat (base, ", core", NULL), *encoder = g_strconcat (base, ", encoder", NULL);
    g_strv_builder_add_many (names, core, encoder, NULL);
  }
  return g_strv_builder_end (names);
}

static void
print_row (const char *name, const RvmScore *scores, guint kinds, gboolean points)
{
  g_print ("| %s ", name);
  for (guint i = 0; i < kinds; i++)
    if (points)
      g_print ("| %.3f ", scores[i].pck);
    else
      g_print ("| %.3f %.3f **%.3f** ", scores[i].j, scores[i].f, scores[i].jf);
  g_print ("|\n");
}

/* Means over the sequences, and their standard errors if there is more than one. @scores: (sequences, kinds). */
static void
print_means (const RvmScore *scores, guint count, guint kinds, gboolean points)
{
  g_autofree RvmScore *means = g_new0 (RvmScore, kinds), *errors = g_new0 (RvmScore, kinds);

  for (guint kind = 0; kind < kinds; kind++)
    rvm_score_mean (scores + kind, count, kinds, &means[kind], &errors[kind]);
  print_row ("mean", means, kinds, points);
  if (count > 1)
    print_row ("standard error", errors, kinds, points);
}

static gboolean
evaluate (const RvmEvaluation *evaluation, RvmModel *const *models, char *const *files, guint n_models, GPtrArray *sequences, guint every,
    const char *only, const char *points, GError **error)
{
  const guint kinds = RVM_EVALUATE_KINDS (n_models);
  g_auto (GStrv) names = name_kinds (files, n_models);
  g_autoptr (GArray) scores = g_array_new (FALSE, TRUE, sizeof (RvmScore)); /* @kinds of each sequence */
  guint count = 0;

  g_print ("%s; %u x %u pixels, %u context frames, radius %u, %u matches, warm-up %u\n\n| sequence ",
      points ? "PCK at 0.2 of the root of the object's area" : "J, F and their mean, without the first and the last frame of a sequence", evaluation->width,
      evaluation->height, evaluation->propagation.context, evaluation->propagation.radius, evaluation->propagation.top, evaluation->warm_up);
  for (guint i = 0; i < kinds; i++)
    g_print ("| %s ", names[i]);
  g_print ("|\n| --- ");
  for (guint i = 0; i < kinds; i++)
    g_print ("| --- ");
  g_print ("|\n");
  for (guint s = 0; s < sequences->len; s += every) {
    const RvmDavisSequence *sequence = g_ptr_array_index (sequences, s);
    g_autoptr (RvmMarkedPoints) marked = NULL;
    RvmScore *row;

    if (only && strcmp (only, sequence->name) != 0)
      continue;
    if (points) {
      g_autofree char *file = g_strconcat (sequence->name, ".json", NULL), *path = g_build_filename (points, file, NULL);

      if (!g_file_test (path, G_FILE_TEST_EXISTS))
        continue;
      marked = rvm_marked_points_load (path, error);
      if (marked == NULL)
        return FALSE;
    }
    g_array_set_size (scores, (count + 1) * kinds);
    row = &g_array_index (scores, RvmScore, count++ * kinds);
    if (!rvm_evaluate_sequence (evaluation, models, n_models, sequence, marked, row, error))
      return FALSE;
    print_row (sequence->name, row, kinds, points != NULL);
  }
  if (count == 0) {
    if (points)
      g_set_error (error, RVM_ERROR, RVM_ERROR_FILE, "%s: no points (SEQUENCE.json) of any sequence asked for", points);
    else
      g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "there is no sequence '%s'", only);
    return FALSE;
  }
  print_means ((const RvmScore *) scores->data, count, kinds, points != NULL);
  return TRUE;
}

/* Adds, for each model, one of the same sizes with random weights, and its name to @files. */
static gboolean
add_untrained (GPtrArray *models, char ***files, const RvmModelOptions *options, GError **error)
{
  const guint n = models->len;
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();

  g_strv_builder_addv (names, (const char **) *files);
  for (guint i = 0; i < n; i++) {
    RvmConfig config = *rvm_model_get_config (g_ptr_array_index (models, i));
    g_autofree char *base = g_path_get_basename ((*files)[i]), *name = g_strconcat ("untrained ", base, NULL);
    RvmModel *model;

    config.decoder.layers = 0;
    model = rvm_initialise_model (&config, options, FALSE, error);
    if (model == NULL)
      return FALSE;
    g_ptr_array_add (models, model);
    g_strv_builder_add (names, name);
  }
  g_strfreev (*files);
  *files = g_strv_builder_end (names);
  return TRUE;
}

/* What the command line says. */
typedef struct {
  GStrv files;
  char *davis, *actions, *clips, *points, *size, *only, *precision, *device, *cache_dir;
  gboolean untrained, standardise, suite, json;
  int frames, warm_up, every, context, radius, top;
  double temperature, colours, place, refine;
} Arguments;

static void
arguments_clear (Arguments *arguments)
{
  char *const texts[] = { arguments->davis, arguments->actions, arguments->clips, arguments->points, arguments->size, arguments->only,
    arguments->precision, arguments->device, arguments->cache_dir };

  g_strfreev (arguments->files);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    g_free (texts[i]);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Arguments, arguments_clear)

static gboolean
parse (Arguments *a, int *argc, char ***argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "model", 'm', 0, G_OPTION_ARG_FILENAME_ARRAY, &a->files, "weights (default: the bundled ones); may be repeated, to compare several", "FILE" },
    { "untrained", 'u', 0, G_OPTION_ARG_NONE, &a->untrained, "also evaluate each network with random weights", NULL },
    { "davis", 0, 0, G_OPTION_ARG_FILENAME, &a->davis, "DAVIS: JPEGImages/480p and Annotations/480p, or video/ and masks/", "FOLDER" },
    { "suite", 0, 0, G_OPTION_ARG_NONE, &a->suite, "the fixed suite that models are chosen by, of the parts whose folders are given", NULL },
    { "actions", 0, 0, G_OPTION_ARG_FILENAME, &a->actions, "of the suite: clips of actions, VERB/sceneN_NN.mp4", "FOLDER" },
    { "clips", 0, 0, G_OPTION_ARG_FILENAME, &a->clips, "of the suite: videos whose halves are to find each other", "FOLDER" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &a->json, "of the suite: print one line of JSON", NULL },
    { "points", 0, 0, G_OPTION_ARG_FILENAME, &a->points, "follow marked points (FOLDER/SEQUENCE.json) instead of masks", "FOLDER" },
    { "size", 's', 0, G_OPTION_ARG_STRING, &a->size, "analysed pixels (default 880x480, as published)", "WIDTHxHEIGHT" },
    { "frames", 'n', 0, G_OPTION_ARG_INT, &a->frames, "use the first N frames of each sequence (default: all)", "N" },
    { "warm-up", 'w', 0, G_OPTION_ARG_INT, &a->warm_up, "extra passes over the first frame (default 0, as published)", "N" },
    { "every", 0, 0, G_OPTION_ARG_INT, &a->every, "use every Nth sequence (default 1)", "N" },
    { "sequence", 0, 0, G_OPTION_ARG_FILENAME, &a->only, "use this sequence alone", "NAME" },
    { "context", 0, 0, G_OPTION_ARG_INT, &a->context, "context frames (default 20)", "N" },
    { "radius", 0, 0, G_OPTION_ARG_INT, &a->radius, "matches are less than N cells away; 0: anywhere (default 20)", "N" },
    { "top", 0, 0, G_OPTION_ARG_INT, &a->top, "matches used for each cell (default 7)", "N" },
    { "temperature", 0, 0, G_OPTION_ARG_DOUBLE, &a->temperature, "temperature of the softmax over matches (default 0.7)", "T" },
    { "standardise", 0, 0, G_OPTION_ARG_NONE, &a->standardise, "standardise each channel of a frame to mean 0, deviation 1 (not as published)", NULL },
    { "colours", 0, 0, G_OPTION_ARG_DOUBLE, &a->colours, "weight of mean colours of patches beside features (default 0, as published)", "W" },
    { "place", 0, 0, G_OPTION_ARG_DOUBLE, &a->place, "weight of positions of patches beside features (default 0, as published)", "W" },
    { "refine", 0, 0, G_OPTION_ARG_DOUBLE, &a->refine, "how far, in patches, edges of masks follow the picture (default 0, as published)", "R" },
    { "precision", 'p', 0, G_OPTION_ARG_STRING, &a->precision, "of the model, as rvmencode has it: f32, f16 or bf16 (default f32)", "PRECISION" },
    { "device", 'd', 0, G_OPTION_ARG_STRING, &a->device, "index or part of a device's name", "DEVICE" },
    { "cache-dir", 0, 0, G_OPTION_ARG_FILENAME, &a->cache_dir, RVM_CACHE_DIR_HELP, "FOLDER" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- measure how well features follow the masks of DAVIS, beside baselines");

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (*argc != 1 || (a->davis == NULL && !a->suite) || a->frames < 0 || a->warm_up < 0 || a->warm_up > 1000 || a->every < 1 || a->context < 0
      || a->radius < 0 || a->top < 0 || !(a->colours >= 0) || !(a->place >= 0)
      || !(a->refine >= 0 && a->refine <= RVM_REFINE_MOST))
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "evaluate: expected --davis FOLDER or --suite; numbers must not be negative, --every at least 1");
  else if (!a->suite && (a->actions || a->clips || a->json))
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "evaluate: --actions, --clips and --json are of the suite: expected --suite");
  else if (a->suite && (a->points || a->size || a->frames || a->warm_up || a->every != 1 || a->only || a->standardise || a->colours > 0 || a->place > 0 || a->refine > 0))
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "evaluate: the suite is fixed: expected no settings of sequences and pictures beside --suite");
  else
    return TRUE;
  return FALSE;
}

/* Loads the models of @arguments, or the bundled one, into @models. */
static gboolean
load_models (Arguments *arguments, const RvmModelOptions *options, GPtrArray *models, GError **error)
{
  const gboolean is_default = arguments->files == NULL;

  if (is_default)
    arguments->files = g_strdupv ((char *[]){ (char *) rvm_default_model_get_path (), NULL });
  for (guint i = 0; arguments->files[i]; i++) {
    RvmModel *model = rvm_model_load (arguments->files[i], options, error);
    if (model == NULL) {
      if (is_default)
        rvm_default_model_explain (error);
      return FALSE;
    }
    g_ptr_array_add (models, model);
    rvm_command_show_notice (rvm_model_get_device (model));
    rvm_command_show_arithmetic (model);
  }
  return !arguments->untrained || add_untrained (models, &arguments->files, options, error);
}

static int
run_suite (const Arguments *arguments, const RvmModelOptions *options, const GPtrArray *models)
{
  const guint trained = models->len / (arguments->untrained ? 2 : 1);
  g_autofree RvmSuiteModel *described = g_new0 (RvmSuiteModel, models->len);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const RvmSuite suite = {
    .models = described, .n_models = models->len, .options = *options, .davis = arguments->davis, .actions = arguments->actions,
    .clips = arguments->clips,
  };

  for (guint i = 0; i < models->len; i++) {
    g_ptr_array_add (names, g_path_get_basename (arguments->files[i]));
    described[i] = (RvmSuiteModel){ g_ptr_array_index (models, i), g_ptr_array_index (names, i), i < trained ? arguments->files[i] : NULL };
  }
  return rvm_command_run_suite (&suite, arguments->json);
}

int
rvm_command_evaluate (int argc, char **argv)
{
  g_auto (Arguments) arguments = { .every = 1, .context = 20, .radius = 20, .top = 7, .temperature = 0.7 };
  g_autoptr (GPtrArray) models = g_ptr_array_new_with_free_func ((GDestroyNotify) rvm_model_unref), sequences = NULL;
  g_autoptr (GError) error = NULL;
  RvmModelOptions options = { 0 };
  RvmEvaluation evaluation;

  if (!parse (&arguments, &argc, &argv, &error))
    return rvm_command_fail (error, 2);
  evaluation = (RvmEvaluation){
    .frames = arguments.frames, .warm_up = arguments.warm_up,
    .propagation = { .context = arguments.context, .radius = arguments.radius, .top = arguments.top, .temperature = arguments.temperature,
        .standardise = arguments.standardise },
    .refine = arguments.refine,
    .appearance = { .colours = arguments.colours, .place = arguments.place },
  };
  evaluation.propagation.extra = rvm_appearance_get_floats (&evaluation.appearance);
  gst_init (NULL, NULL);
  options.device = arguments.device;
  options.cache_dir = arguments.cache_dir;
  if (arguments.precision && !rvm_element_from_name (arguments.precision, &options.precision)) {
    g_set_error (&error, RVM_ERROR, RVM_ERROR_ARGUMENT, "--precision '%s': expected %s", arguments.precision, RVM_ELEMENT_NAMES);
    return rvm_command_fail (error, 2);
  }
  if (!load_models (&arguments, &options, models, &error))
    return rvm_command_fail (error, 1);
  if (arguments.suite)
    return run_suite (&arguments, &options, models);
  if (!parse_size (arguments.size ? arguments.size : "880x480", (RvmModel *const *) models->pdata, models->len, &evaluation, &error))
    return rvm_command_fail (error, 2);
  sequences = rvm_davis_list (arguments.davis, &error);
  if (sequences == NULL
      || !evaluate (&evaluation, (RvmModel *const *) models->pdata, arguments.files, models->len, sequences, arguments.every, arguments.only,
          arguments.points, &error))
    return rvm_command_fail (error, 1);
  return 0;
}
