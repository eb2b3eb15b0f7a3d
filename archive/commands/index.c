/* rvm-archive index: opens the model and the archive, plans, runs, and says what came of it. Options that are not given are those that the archive was
 * made with. */
#include <gst/gst.h>
#include <unistd.h>

#include "archive/index/progress.h"
#include "archive/look/colours.h"
#include "commands.h"
#include "kernels/error.h"
#include "model/default_model.h"
#include "program/interrupts.h"

enum { DEFAULT_SIZE = 128, MOST_SIZE = 16384, LEAVE_AFTER = 10 /* seconds after a signal */ };

static char *archive, *model_file, *device, *cache_dir, *parts, *precision, *rate;
static int size, interval, threads, rank, ranks;
static gboolean retry, merge_only, json;
static gint stop;

static void
reset_options (void)
{
  size = interval = rank = ranks = -1;
  threads = 0;
}

static const GOptionEntry entries[] = {
  { "archive", 'a', 0, G_OPTION_ARG_FILENAME, &archive, "folder of the archive, made if it is not there", "FOLDER" },
  { "model", 0, 0, G_OPTION_ARG_FILENAME, &model_file, "weights (default: the bundled ones)", "FILE" },
  { "size", 0, 0, G_OPTION_ARG_INT, &size, "shorter side of the analysed picture (default: 128; 0: that of the video)", "PIXELS" },
  { "rate", 0, 0, G_OPTION_ARG_STRING, &rate, "analysed frames a second, such as 2 or 30000/1001 (default: 5)", "R" },
  { "interval", 0, 0, G_OPTION_ARG_INT, &interval, "instead of a rate: frames skipped between analysed ones (0: every frame is analysed)", "N" },
  { "parts", 0, 0, G_OPTION_ARG_STRING, &parts, "what is kept: class, mean, summary, patches (default: class,summary)", "LIST" },
  { "precision", 0, 0, G_OPTION_ARG_STRING, &precision, "number format of the weights: f32, f16 or bf16 (default: f32)", "TYPE" },
  { "retry", 0, 0, G_OPTION_ARG_NONE, &retry, "try files again that failed or broke off", NULL },
  { "jobs", 'j', 0, G_OPTION_ARG_INT, &threads, "files that are looked at at a time (default: the number of processors, at most 8)", "N" },
  { "rank", 0, 0, G_OPTION_ARG_INT, &rank, "which one of several processes this is, from 0 (default: from mpirun, Slurm or Kubernetes)", "R" },
  { "ranks", 0, 0, G_OPTION_ARG_INT, &ranks, "how many processes there are", "N" },
  { "merge", 0, 0, G_OPTION_ARG_NONE, &merge_only, "only merge what processes that are gone have left", NULL },
  { "device", 0, 0, G_OPTION_ARG_STRING, &device, "OpenCL device: its index or a part of its name", "D" },
  { "cache-dir", 0, 0, G_OPTION_ARG_FILENAME, &cache_dir, "folder for compiled kernels", "FOLDER" },
  { "json", 0, 0, G_OPTION_ARG_NONE, &json, "print the result as JSON", NULL },
  G_OPTION_ENTRY_NULL,
};

static gboolean
parse_rate (RvmSettings *settings, GError **error)
{
  g_auto (GStrv) halves = g_strsplit (rate, "/", 2);
  guint64 n = 0, d = 1;
  char *end = NULL;
  double value;
  gint known_n, known_d;

  if (halves[0] && halves[1] && g_ascii_string_to_unsigned (halves[0], 10, 1, 1000000, &n, NULL)
      && g_ascii_string_to_unsigned (halves[1], 10, 1, 1000000, &d, NULL)) {
    settings->rate_n = n;
    settings->rate_d = d;
    return TRUE;
  }
  value = g_ascii_strtod (rate, &end);
  if (halves[0] == NULL || halves[1] || *end || !(value >= 0.0001 && value <= 1000000)) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "--rate '%s': expected analysed frames a second, such as 5, 0.5 or 30000/1001", rate);
    return FALSE;
  }
  gst_util_double_to_fraction (value, &known_n, &known_d);
  settings->rate_n = known_n;
  settings->rate_d = known_d;
  return TRUE;
}

/* What the options ask for, over what the archive has or, in a new one, the defaults. */
static gboolean
choose_settings (const RvmSettings *known, RvmModel *model, RvmSettings *settings, GError **error)
{
  if (interval >= 0 && rate) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "--interval and --rate are two ways to say which frames are analysed: expected one of them");
    return FALSE;
  }
  if (size > MOST_SIZE || interval > 1000000) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "--size is at most %d, --interval at most 1000000", MOST_SIZE);
    return FALSE;
  }
  *settings = (RvmSettings){ .size = DEFAULT_SIZE, .rate_n = 5, .rate_d = 1, .parts = RVM_PART_CLASS | RVM_PART_SUMMARY };
  if (known)
    *settings = *known;
  settings->model_id = g_strdup (rvm_model_get_id (model));
  settings->precision = g_strdup (rvm_element_get_name (rvm_model_get_precision (model)));
  settings->dim = rvm_model_get_config (model)->encoder.dim;
  settings->colours = RVM_COLOURS;
  if (size >= 0)
    settings->size = size;
  if (interval >= 0) {
    settings->interval = interval;
    settings->rate_n = 0;
    settings->rate_d = 1;
  }
  if (rate)
    settings->interval = 0;
  return (rate == NULL || parse_rate (settings, error)) && (parts == NULL || rvm_parts_parse (parts, &settings->parts, error));
}

static void
tell (const char *text, gpointer user_data)
{
  g_printerr ("rvm-archive: %s\n", text);
}

/* What the user should know of the device, and of the arithmetic of bf16. */
static void
tell_notices (const RvmModel *model)
{
  RvmDevice *used = rvm_model_get_device (model);
  g_autofree char *of_device = rvm_device_take_notice (used);
  g_autofree char *of_precision = rvm_gemm_take_notice (used, rvm_model_get_gemm (model), rvm_model_get_precision (model));

  if (of_device)
    tell (of_device, NULL);
  if (of_precision)
    tell (of_precision, NULL);
}

static RvmModel *
load_model (const RvmSettings *known, GError **error)
{
  RvmModelOptions options = { .device = device, .cache_dir = cache_dir };
  const char *type = precision ? precision : known ? known->precision : "f32";
  RvmModel *model;

  if (!rvm_element_from_name (type, &options.precision)) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "--precision '%s': expected %s", type, RVM_ELEMENT_NAMES);
    return NULL;
  }
  model = rvm_model_load (model_file ? model_file : rvm_default_model_get_path (), &options, error);
  if (model == NULL && model_file == NULL)
    rvm_default_model_explain (error);
  if (model)
    tell_notices (model);
  return model;
}

static gboolean
settle_settings (RvmFolder *folder, const RvmSettings *settings, GError **error)
{
  RvmDatabase *main = rvm_folder_get_main (folder), *target = rvm_folder_get_target (folder);
  RvmDatabase *const each[] = { main, target };

  for (guint i = 0; i < G_N_ELEMENTS (each); i++)
    if (rvm_database_get_settings (each[i]) && !rvm_settings_check_equal (rvm_database_get_settings (each[i]), settings, archive, error))
      return FALSE;
  return rvm_database_get_settings (target) || rvm_database_set_settings (target, settings, error);
}

typedef struct {
  RvmIndexProgress *progress;
  gint64 stopped;
} Show;

/* Looks for signals. A second one, or a file that does not stop, ends the process at once: nothing is lost but the files at hand. */
static void
show (const RvmIndexState *state, const char *news, gpointer user_data)
{
  Show *shown = user_data;
  const gint64 now = g_get_monotonic_time ();

  if (rvm_interrupts_count () && !shown->stopped) {
    g_atomic_int_set (&stop, 1);
    shown->stopped = now;
  }
  if (rvm_interrupts_count () > 1 || (shown->stopped && now - shown->stopped > LEAVE_AFTER * G_USEC_PER_SEC))
    _exit (rvm_interrupts_get_status ());
  rvm_index_progress_show (state, news, shown->progress);
}

static void
print_result (const RvmIndexState *state, const RvmPlan *plan)
{
  const guint before = plan->listed - plan->items->len;

  if (json) {
    g_autoptr (JsonBuilder) builder = json_builder_new ();

    json_builder_begin_object (builder);
    rvm_archive_add_number (builder, "listed", plan->listed);
    rvm_archive_add_number (builder, "known", before + state->same);
    rvm_archive_add_number (builder, "known_failed", plan->failed);
    rvm_archive_add_number (builder, "done", state->done);
    rvm_archive_add_number (builder, "partial", state->partial);
    rvm_archive_add_number (builder, "failed", state->failed);
    rvm_archive_add_number (builder, "left", state->of_files - state->files);
    rvm_archive_add_number (builder, "moments", state->moments);
    rvm_archive_add_real (builder, "video_seconds", state->video);
    rvm_archive_add_real (builder, "seconds", state->elapsed);
    json_builder_end_object (builder);
    rvm_archive_print_json (builder);
    return;
  }
  g_print ("%u of %u files were known, %u are new: %u done, %u broken off, %u failed; %.2f h of video, %" G_GUINT64_FORMAT " moments in %.1f s\n",
      before + state->same, plan->listed, state->done + state->partial + state->failed, state->done, state->partial, state->failed, state->video / 3600,
      state->moments, state->elapsed);
  if (plan->failed)
    g_print ("%u of the known files had failed: --retry tries them again\n", plan->failed);
}

static gboolean
run (RvmFolder *folder, RvmModel *model, const char *const *names, RvmRank this_rank, GError **error)
{
  g_autoptr (RvmIndexProgress) progress = rvm_index_progress_new ();
  RvmDatabase *main = rvm_folder_get_main (folder), *target = rvm_folder_get_target (folder);
  RvmDatabase *const databases[] = { main, target == main ? NULL : target, NULL };
  Show shown = { .progress = progress };
  RvmLook look = { .model = model, .folder = archive, .stop = &stop };
  RvmIndex index = { .look = &look, .threads = threads > 0 ? (guint) threads : MIN (g_get_num_processors (), 8), .show = show, .user_data = &shown };
  g_autoptr (RvmPlan) plan = NULL;
  RvmIndexState state;
  gboolean ok;

  look.settings = *rvm_database_get_settings (target);
  plan = rvm_plan_new (names, archive, databases, this_rank, retry, error);
  if (plan == NULL)
    return FALSE;
  ok = rvm_index_run (&index, folder, plan, &state, error);
  g_clear_pointer (&progress, rvm_index_progress_free);
  print_result (&state, plan);
  return ok;
}

static gboolean
open_and_run (const char *const *names, GError **error)
{
  g_autoptr (RvmFolder) folder = NULL;
  g_autoptr (RvmModel) model = NULL;
  const RvmSettings *known;
  RvmSettings settings = { 0 };
  RvmRank this_rank;
  gboolean ok;

  if (!rvm_rank_find (rank, ranks, &this_rank, error))
    return FALSE;
  if (merge_only)
    this_rank = (RvmRank){ 0, 1 };
  folder = rvm_folder_open (archive, this_rank, tell, NULL, error);
  if (folder == NULL || merge_only)
    return folder != NULL;
  known = rvm_database_get_settings (rvm_folder_get_main (folder));
  model = load_model (known, error);
  if (model == NULL)
    return FALSE;
  ok = choose_settings (known, model, &settings, error) && settle_settings (folder, &settings, error);
  rvm_settings_clear_fields (&settings);
  return ok && run (folder, model, names, this_rank, error) && rvm_folder_close (folder, error);
}

int
rvm_archive_index (int argc, char **argv)
{
  g_auto (GStrv) names = NULL;
  g_autoptr (GError) error = NULL;
  int status;

  reset_options ();
  status = rvm_archive_parse (&argc, &argv, entries, "VIDEO|FOLDER|LIST|URL... --archive FOLDER",
      "Looks at videos and records what the model sees in them. Run again, it looks only at what is new or has changed.", &names);
  if (status >= 0)
    return status;
  if (archive == NULL || (names[0] == NULL) == !merge_only) {
    g_printerr ("rvm-archive: %s\n", archive == NULL ? "which archive? --archive FOLDER names it"
                                                     : merge_only ? "--merge takes no videos" : "which videos? A file, a folder, a list (.txt) or an address");
    return 2;
  }
  gst_init (NULL, NULL);
  rvm_interrupts_catch ();
  if (!open_and_run ((const char *const *) names, &error))
    return rvm_archive_fail (error, rvm_interrupts_count () ? rvm_interrupts_get_status () : g_error_matches (error, RVM_ERROR, RVM_ERROR_ARGUMENT) ? 2 : 1);
  return rvm_interrupts_count () ? rvm_interrupts_get_status () : 0;
}
