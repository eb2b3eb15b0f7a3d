/* rvm-cl-train readout evaluate: what a readout in a file is worth on other clips. */
#include <gst/gst.h>
#include <math.h>
#include <string.h>

#include "kernels/error.h"
#include "program/interrupts.h"
#include "readout.h"
#include "trainer/readout/answers.h"

/* The names of classes for readouts of kind `distance`. */
static const char *const normal_or_not[] = { "normal", "anomaly", NULL };

typedef struct {
  RvmReadout *readout;
  RvmModel *model;
  RvmLabelled *labelled;
  RvmFeatureSettings settings;
  GPtrArray *answers; /* (element-type GArray) of each clip */
  GPtrArray *changes; /* (element-type GArray) of each clip: mean absolute change of grey pixels, where there is an answer */
  guint channels;
} Job;

static void
job_clear (Job *job)
{
  g_clear_pointer (&job->answers, g_ptr_array_unref);
  g_clear_pointer (&job->changes, g_ptr_array_unref);
  g_clear_pointer (&job->labelled, rvm_labelled_free);
  g_clear_pointer (&job->readout, rvm_readout_unref);
  g_clear_pointer (&job->model, rvm_model_unref);
}

static GArray *
get_changes (const RvmClipFeatures *features, guint stride)
{
  GArray *changes = g_array_new (FALSE, FALSE, sizeof (float));
  const float *before = NULL;

  for (guint i = 0; i < features->n; i++) {
    const float *grey = features->grey + (gsize) i * RVM_GREY;
    float change = 0;

    if (features->frame[i] % stride != 0)
      continue;
    for (guint p = 0; before && p < RVM_GREY; p++)
      change += fabsf (grey[p] - before[p]) / RVM_GREY;
    g_array_append_val (changes, change);
    before = grey;
  }
  return changes;
}

static gboolean
open_readout (Job *job, const char *file, const RvmReadoutArguments *arguments, GError **error)
{
  const RvmReadoutInfo *info;
  guint patch;

  job->model = rvm_readout_load_model (arguments, error);
  job->readout = job->model ? rvm_readout_new_from_file (file, rvm_model_get_device (job->model), NULL, error) : NULL;
  if (job->readout == NULL)
    return FALSE;
  info = rvm_readout_get_info (job->readout);
  if (!rvm_readout_info_check_model (info, rvm_model_get_id (job->model), file, error))
    return FALSE;
  patch = rvm_model_get_config (job->model)->patch;
  if (info->width % patch || info->height % patch) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: metadata 'width', 'height': %u x %u, expected multiples of the model's patch size, %u",
                   file, info->width, info->height, patch);
    return FALSE;
  }
  return TRUE;
}

static gboolean
answer_clips (Job *job, const char *file, GError **error)
{
  const RvmReadoutInfo *info = rvm_readout_get_info (job->readout);
  const guint patch = rvm_model_get_config (job->model)->patch;
  g_autofree RvmClipFrames *frames = rvm_features_count_frames (job->labelled, job->settings.cache_dir, error);
  g_autoptr (RvmReadoutStream) stream = NULL;

  if (frames == NULL || !rvm_features_compute (&job->settings, job->labelled, frames, "clips through the model", error))
    return FALSE;
  stream = rvm_readout_stream_new (job->readout, info->height / patch, info->width / patch, error);
  if (stream == NULL)
    return FALSE;
  if (info->frame_rate > 0 && frames[0].rate > 0 && fabs (log2 (frames[0].rate / info->frame_rate)) > log2 (1.5))
    g_printerr (
        "rvm-cl-train: the clips have %.3g frames a second, and %s was made from clips with %.3g: to it, all happens faster or slower\n",
        frames[0].rate, file, info->frame_rate);
  for (guint i = 0; i < job->labelled->clips->len; i++) {
    g_autoptr (RvmClipFeatures) features = rvm_features_load (&job->settings, g_ptr_array_index (job->labelled->clips, i), error);
    GArray *answers = features ? rvm_answers_of_clip (job->readout, stream, features, &job->channels, error) : NULL;

    if (answers == NULL)
      return FALSE;
    g_ptr_array_add (job->answers, answers);
    g_ptr_array_add (job->changes, get_changes (features, info->stride));
  }
  return TRUE;
}

static guint
get_label (const Job *job, guint clip)
{
  return ((RvmLabelledClip *) g_ptr_array_index (job->labelled->clips, clip))->label;
}

static void
print_classes (const Job *job, gboolean json)
{
  const RvmReadoutInfo *info = rvm_readout_get_info (job->readout);
  const guint clips = job->labelled->clips->len, classes = job->channels;
  g_autofree double *scores = g_new (double, (gsize) clips *classes);
  g_autofree guint *label = g_new (guint, clips);
  g_autofree char *confusion = NULL;
  g_autoptr (RvmMeasures) measures = NULL;

  for (guint i = 0; i < clips; i++) {
    const GArray *answers = g_ptr_array_index (job->answers, i);

    for (guint c = 0; c < classes; c++)
      scores[(gsize) i * classes + c] = g_array_index (answers, float, answers->len - classes + c); /* at the clip's end */
    label[i] = get_label (job, i);
  }
  measures = rvm_measures_new (scores, label, clips, classes);
  confusion = rvm_measures_format_confusion (measures, (const char *const *) info->classes);
  g_print ("accuracy %.3f +- %.3f, mean over classes %.3f +- %.3f, of %u clips\n\nanswers (columns) for clips of each class (rows):\n%s",
           measures->accuracy, measures->accuracy_error, measures->mean_class, measures->mean_class_error, clips, confusion);
  if (json)
    rvm_readout_print_measures (measures, NULL);
}

/* @whole: the largest value of each clip, instead of all of them. */
static double
get_auroc (const Job *job, const GPtrArray *of_clips, gboolean whole)
{
  g_autoptr (GArray) normal = g_array_new (FALSE, FALSE, sizeof (float)), other = g_array_new (FALSE, FALSE, sizeof (float));

  for (guint i = 0; i < of_clips->len; i++) {
    const GArray *clip = g_ptr_array_index (of_clips, i);
    float most = -INFINITY;

    for (guint f = 0; whole && f < clip->len; f++)
      most = MAX (most, g_array_index (clip, float, f));
    g_array_append_vals (get_label (job, i) == 0 ? normal : other, whole ? &most : (const float *) clip->data, whole ? 1 : clip->len);
  }
  return rvm_answers_get_auroc (normal, other);
}

static void
print_distances (const Job *job, gboolean json)
{
  const double frames = get_auroc (job, job->answers, FALSE), clips = get_auroc (job, job->answers, TRUE);
  const double change_frames = get_auroc (job, job->changes, FALSE), change_clips = get_auroc (job, job->changes, TRUE);

  g_print ("area under the curve of anomalies found over false alarms, %u clips\n\n%-28s %-8s %s\n%-28s %.3f    %.3f\n%-28s %.3f    %.3f\n",
           job->labelled->clips->len, "", "frames", "clips", "change of grey value", change_frames, change_clips, "distance", frames,
           clips);
  if (json) {
    char a[G_ASCII_DTOSTR_BUF_SIZE], b[G_ASCII_DTOSTR_BUF_SIZE];

    g_print ("{\"auroc_frames\": %s, \"auroc_clips\": %s, \"n\": %u}\n", g_ascii_formatd (a, sizeof a, "%.6f", frames),
             g_ascii_formatd (b, sizeof b, "%.6f", clips), job->labelled->clips->len);
  }
}

static void
print_dense (RvmDenseMeasures *measures, const RvmTargetKind *kind, char **classes, gboolean json)
{
  for (guint which = 0; which < 2; which++)
    g_print ("%s %.3f +- %.3f, ", rvm_dense_measure_name (kind, which), rvm_dense_measure_get (measures, kind, which),
             rvm_dense_measure_get_error (measures, NULL, kind, which));
  g_print ("of %u pictures\n", measures->n);
  for (guint c = 0; !kind->depth && c < kind->classes; c++) {
    const double iou = rvm_dense_measures_get_class_iou (measures, c);

    if (!isnan (iou))
      g_print ("%-20s %.3f\n", classes[c], iou);
  }
  if (json)
    rvm_readout_print_dense_measures (measures, kind);
}

static gboolean
evaluate_dense (Job *job, const RvmReadoutArguments *arguments, GError **error)
{
  const RvmReadoutInfo *info = rvm_readout_get_info (job->readout);
  const guint patch = rvm_model_get_config (job->model)->patch;
  const RvmFeatureSettings settings = { job->model, info->width, info->height, 1, 1, FALSE, arguments->cache_dir, 0 };
  RvmTargetKind kind = { g_strcmp0 (info->target, "depth") == 0, rvm_readout_info_count_classes (info), arguments->none, arguments->unit };
  g_autoptr (RvmTargets) targets = rvm_targets_read (arguments->data, &kind, arguments->groups, error);
  g_autoptr (RvmReadoutStream) stream = targets ? rvm_readout_stream_new (job->readout, info->height / patch, info->width / patch, error) : NULL;
  g_autoptr (RvmDenseMeasures) measures = rvm_dense_measures_new (&kind);
  g_autoptr (RvmClipFeatures) features = NULL;
  g_autofree RvmClipFrames *frames = NULL;
  guint clip = G_MAXUINT;

  if (stream == NULL)
    return FALSE;
  rvm_interrupts_catch ();
  frames = rvm_features_count_frames (targets->labelled, arguments->cache_dir, error);
  if (frames == NULL || !rvm_targets_check (targets, frames, &kind, error)
      || !rvm_features_compute (&settings, targets->labelled, frames, "pictures through the model", error))
    return FALSE;
  for (guint i = 0; i < targets->targets->len; i++) {
    const RvmTarget *target = g_ptr_array_index (targets->targets, i);

    if (target->clip != clip) {
      g_clear_pointer (&features, rvm_clip_features_free);
      features = rvm_features_load (&settings, g_ptr_array_index (targets->labelled->clips, target->clip), error);
      clip = target->clip;
    }
    if (features == NULL || !rvm_answers_measure_dense (job->readout, stream, features, target, &kind, measures, error))
      return FALSE;
  }
  rvm_interrupts_deliver ();
  print_dense (measures, &kind, info->classes, arguments->json);
  return TRUE;
}

static gboolean
evaluate (Job *job, const char *file, const RvmReadoutArguments *arguments, GError **error)
{
  gboolean distance;

  if (!open_readout (job, file, arguments, error))
    return FALSE;
  if (strcmp (rvm_readout_get_info (job->readout)->kind, "dense") == 0)
    return evaluate_dense (job, arguments, error);
  distance = strcmp (rvm_readout_get_info (job->readout)->kind, "distance") == 0;
  job->labelled = rvm_labelled_read (arguments->data, "clip",
                                     distance ? normal_or_not : (const char *const *) rvm_readout_get_info (job->readout)->classes, error);
  if (job->labelled == NULL)
    return FALSE;
  job->settings = rvm_answers_get_settings (job->readout, job->model, arguments->reversed, arguments->cache_dir);
  rvm_interrupts_catch ();
  if (!answer_clips (job, file, error))
    return FALSE;
  rvm_interrupts_deliver ();
  if (distance)
    print_distances (job, arguments->json);
  else
    print_classes (job, arguments->json);
  return TRUE;
}

int
rvm_readout_command_evaluate (int argc, char **argv)
{
  RvmReadoutArguments arguments = { .none = -1, .unit = 0.001 };
  const GOptionEntry entries[] = {
    { "data", 0, 0, G_OPTION_ARG_FILENAME, &arguments.data,
      "clips: a folder with a folder for each class, or a CSV file: file, start, end (seconds), class; for a readout of kind distance, the "
      "classes are normal and anomaly; for labels and depth, a folder as `readout labels` and `readout depth` read it",
      "FOLDER|CSV" },
    { "groups", 0, 0, G_OPTION_ARG_STRING, &arguments.groups, "labels and depth: which pictures follow each other: name (default) or clip", "HOW" },
    { "void", 0, 0, G_OPTION_ARG_INT, &arguments.none, "labels: the label of what does not count", "N" },
    { "unit", 0, 0, G_OPTION_ARG_DOUBLE, &arguments.unit, "depth: of the pictures, in metres (default 0.001)", "METRES" },
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &arguments.model, "weights (default: the bundled ones)", "FILE" },
    { "reversed", 0, 0, G_OPTION_ARG_NONE, &arguments.reversed, "run the clips backwards", NULL },
    { "json", 0, 0, G_OPTION_ARG_NONE, &arguments.json, "end with the measures as a line of JSON", NULL },
    { "device", 'd', 0, G_OPTION_ARG_STRING, &arguments.device, "index or part of a device's name", "DEVICE" },
    { "cache-dir", 0, 0, G_OPTION_ARG_FILENAME, &arguments.cache_dir, RVM_READOUT_CACHE_HELP, "FOLDER" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("READOUT - measure a readout on other clips");
  g_autoptr (GError) error = NULL;
  Job job = { .answers = g_ptr_array_new_with_free_func ((GDestroyNotify) g_array_unref),
              .changes = g_ptr_array_new_with_free_func ((GDestroyNotify) g_array_unref) };
  int status = 0;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    status = rvm_command_fail (error, 2);
  } else if (argc != 2 || arguments.data == NULL || arguments.none < -1 || arguments.none > 255 || !(arguments.unit > 0)) {
    g_printerr ("rvm-cl-train readout evaluate: expected one READOUT and --data FOLDER|CSV, --void from 0 to 255, a --unit above 0\n");
    status = 2;
  } else {
    gst_init (NULL, NULL);
    if (!evaluate (&job, argv[1], &arguments, &error))
      status = rvm_readout_fail (error);
  }
  job_clear (&job);
  rvm_readout_arguments_clear (&arguments);
  return status;
}
