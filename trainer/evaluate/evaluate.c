/* All kinds of features are evaluated at once: each frame is read once, and each model runs once and gives both of its kinds. */
#include "evaluate.h"

#include <math.h>
#include <string.h>

#include "mask_measures.h"
#include "model/labels.h"
#include "model/stream.h"

/* One kind of features. */
typedef struct {
  guint rows, columns, dim;
  RvmPropagation *propagation;
  guint group;
  float *features, *beside, *labels;
  double j, f;
  guint right; /* points */
} Kind;

/* The points that are visible in the first marked frame, and those of the current frame. */
typedef struct {
  const RvmMarkedPoints *marked;
  const RvmMarkedFrame *start, *now; /* now: NULL if nothing is marked in the current frame */
  guint n, *which;
  double reach; /* pixels */
  guint asked;
} Points;

static void
kind_clear (Kind *kind)
{
  g_clear_pointer (&kind->propagation, rvm_propagation_free);
  g_free (kind->features);
  g_free (kind->beside);
  g_free (kind->labels);
}

static gboolean
kind_init (Kind *kind, const RvmEvaluation *evaluation, RvmDevice *device, guint patch, guint dim, GError **error)
{
  kind->rows = evaluation->height / patch;
  kind->columns = evaluation->width / patch;
  kind->dim = dim;
  /* With room for the class token, which the device writes first. */
  kind->features = g_new (float, ((gsize) kind->rows * kind->columns + 1) * dim);
  kind->beside = g_new (float, (gsize) kind->rows * kind->columns * RVM_APPEARANCE_FLOATS);
  kind->propagation = rvm_propagation_new (device, kind->rows, kind->columns, dim, &evaluation->propagation, error);
  return kind->propagation != NULL;
}

/* The pixels of each patch, as a feature. */
static void
colours_of (Kind *kind, const guint8 *pixels, guint patch)
{
  const guint width = kind->columns * patch;
  float *out = kind->features + kind->dim;

  for (guint row = 0; row < kind->rows; row++)
    for (guint column = 0; column < kind->columns; column++)
      for (guint y = 0; y < patch; y++)
        for (guint i = 0; i < 3 * patch; i++)
          *out++ = pixels[((gsize) (row * patch + y) * width + column * patch) * 3 + i] / 255.0f;
}

static void
measure (const RvmDavisFrame *frame, const guint8 *result, double *j, double *f)
{
  for (guint object = 1; object <= frame->objects; object++) {
    *j += rvm_mask_region (frame->mask, result, frame->mask_width, frame->mask_height, object) / frame->objects;
    *f += rvm_mask_boundary (frame->mask, result, frame->mask_width, frame->mask_height, object) / frame->objects;
  }
}

static void
points_to_labels (const Points *points, Kind *kind)
{
  g_autofree float *cells = g_new (float, 2 * points->n);

  for (guint i = 0; i < points->n; i++) {
    cells[2 * i] = points->start->xy[2 * points->which[i]] * kind->columns / points->marked->width;
    cells[2 * i + 1] = points->start->xy[2 * points->which[i] + 1] * kind->rows / points->marked->height;
  }
  rvm_labels_from_points (cells, points->n, kind->labels, kind->rows, kind->columns);
}

static gboolean
is_right (const Points *points, guint i, double x, double y)
{
  const float *truth = points->now->xy + 2 * points->which[i];

  return hypot (x - truth[0], y - truth[1]) <= points->reach;
}

/* Points that are visible in this frame, as the labels of @kind have them. */
static guint
count_right (const Points *points, const Kind *kind)
{
  guint right = 0;

  for (guint i = 0; i < points->n; i++) {
    float x, y;

    if (points->now->visible[points->which[i]]
        && rvm_labels_get_point (kind->labels, kind->rows, kind->columns, 1 + points->n, 1 + i, &x, &y, NULL))
      right += is_right (points, i, (double) x * points->marked->width / kind->columns, (double) y * points->marked->height / kind->rows);
  }
  return right;
}

/* The mask of a frame, from the labels and, if its edges are to follow those of the picture, the picture. */
static void
make_mask (const Kind *kind, const RvmEvaluation *evaluation, const RvmDavisFrame *frame, guint channels, guint8 *result)
{
  const guint patch = evaluation->width / kind->columns;
  g_autofree float *fine = NULL;

  if (!(evaluation->refine > 0)) {
    rvm_labels_to_mask (kind->labels, kind->rows, kind->columns, channels, result, frame->mask_width, frame->mask_height);
    return;
  }
  fine = g_new (float, (gsize) evaluation->width * evaluation->height * channels);
  rvm_labels_refine (evaluation->refine, frame->pixels, patch, kind->labels, kind->rows, kind->columns, channels, fine);
  rvm_labels_to_mask (fine, evaluation->height, evaluation->width, channels, result, frame->mask_width, frame->mask_height);
}

/* The frame's features into the propagation of @kind; on the first frame the mask is given, on others compared. */
static gboolean
follow (Kind *kind, const RvmEvaluation *evaluation, const RvmDavisFrame *frame, const Points *points, gboolean first, guint8 *result, GError **error)
{
  const guint channels = 1 + (points ? points->n : frame->objects);

  rvm_appearance_fill (&evaluation->appearance, frame->pixels, evaluation->width / kind->columns, kind->rows, kind->columns, kind->beside);
  if (!rvm_propagation_push (kind->propagation, kind->features + kind->dim, kind->beside, error))
    return FALSE;
  if (first) {
    kind->labels = g_new (float, (gsize) kind->rows * kind->columns * channels);
    if (points)
      points_to_labels (points, kind);
    else
      rvm_labels_from_mask (frame->mask, frame->mask_width, frame->mask_height, kind->labels, kind->rows, kind->columns, channels);
    kind->group = rvm_propagation_add (kind->propagation, kind->labels, channels, error);
    return kind->group != 0;
  }
  if (points && points->now == NULL)
    return TRUE;
  if (!rvm_propagation_read (kind->propagation, kind->group, kind->labels, error))
    return FALSE;
  if (points) {
    kind->right += count_right (points, kind);
    return TRUE;
  }
  make_mask (kind, evaluation, frame, channels, result);
  measure (frame, result, &kind->j, &kind->f);
  return TRUE;
}

typedef struct {
  RvmStream *stream;
  Kind core, encoder;
} ModelKinds;

static gboolean
run_model (ModelKinds *model, const RvmEvaluation *evaluation, const RvmDavisFrame *frame, const Points *points, gboolean first,
    guint8 *result, GError **error)
{
  return rvm_stream_push (model->stream, frame->pixels, (gsize) evaluation->width * 3, first ? 1 + evaluation->warm_up : 1, model->core.features,
             NULL, error)
      && rvm_stream_read_activation (model->stream, RVM_ACTIVATION_ENCODED, 0, model->encoder.features, error)
      && follow (&model->core, evaluation, frame, points, first, result, error) && follow (&model->encoder, evaluation, frame, points, first, result, error);
}

typedef struct {
  guint n_models, patch; /* patch: of the raw colours */
  Kind colours;
  ModelKinds *models;
  guint8 *first_mask, *result;
  double copy_j, copy_f;
  guint copy_right;
  Points *points; /* NULL: masks */
} Job;

static void
copy_points (Job *job, const RvmDavisFrame *frame)
{
  Points *points = job->points;
  gsize area = 0;

  for (gsize i = 0; i < (gsize) frame->mask_width * frame->mask_height; i++)
    area += frame->mask[i] != 0;
  /* In the pixels of the marks. */
  points->reach = 0.2 * sqrt ((double) area * points->marked->width / frame->mask_width * points->marked->height / frame->mask_height);
  for (guint i = 0; i < points->n; i++) {
    const float *start = points->start->xy + 2 * points->which[i];

    if (points->now->visible[points->which[i]]) {
      points->asked++;
      job->copy_right += is_right (points, i, start[0], start[1]);
    }
  }
}

static gboolean
job_frame (Job *job, const RvmEvaluation *evaluation, const RvmDavisFrame *frame, guint index, GError **error)
{
  const gsize pixels = (gsize) frame->mask_width * frame->mask_height;

  if (job->points) {
    job->points->now = rvm_marked_points_find (job->points->marked, job->points->start->frame + index);
    if (job->points->now && index > 0)
      copy_points (job, frame);
  } else if (index == 0) {
    job->first_mask = g_memdup2 (frame->mask, pixels);
    job->result = g_malloc (pixels);
  } else {
    measure (frame, job->first_mask, &job->copy_j, &job->copy_f);
  }
  colours_of (&job->colours, frame->pixels, job->patch);
  if (!follow (&job->colours, evaluation, frame, job->points, index == 0, job->result, error))
    return FALSE;
  for (guint i = 0; i < job->n_models; i++)
    if (!run_model (&job->models[i], evaluation, frame, job->points, index == 0, job->result, error))
      return FALSE;
  return TRUE;
}

static gboolean
job_init (Job *job, const RvmEvaluation *evaluation, RvmModel *const *models, GError **error)
{
  job->patch = rvm_model_get_config (models[0])->patch;
  job->models = g_new0 (ModelKinds, job->n_models);
  if (!kind_init (&job->colours, evaluation, rvm_model_get_device (models[0]), job->patch, job->patch * job->patch * 3, error))
    return FALSE;
  for (guint i = 0; i < job->n_models; i++) {
    const RvmConfig *config = rvm_model_get_config (models[i]);
    RvmDevice *device = rvm_model_get_device (models[i]);

    job->models[i].stream = rvm_stream_new (models[i], evaluation->width, evaluation->height, RVM_STREAM_KEEP, error);
    if (job->models[i].stream == NULL || !kind_init (&job->models[i].core, evaluation, device, config->patch, config->encoder.dim, error)
        || !kind_init (&job->models[i].encoder, evaluation, device, config->patch, config->encoder.dim, error))
      return FALSE;
  }
  return TRUE;
}

static void
job_clear (Job *job)
{
  kind_clear (&job->colours);
  for (guint i = 0; job->models && i < job->n_models; i++) {
    kind_clear (&job->models[i].core);
    kind_clear (&job->models[i].encoder);
    g_clear_pointer (&job->models[i].stream, rvm_stream_free);
  }
  g_free (job->models);
  g_free (job->first_mask);
  g_free (job->result);
}

static gboolean
job_run (Job *job, const RvmEvaluation *evaluation, const RvmDavisSequence *sequence, guint *compared, GError **error)
{
  g_autoptr (RvmDavisReader) reader = rvm_davis_reader_new (sequence, evaluation->width, evaluation->height, error);
  g_autoptr (GError) failure = NULL;
  RvmDavisFrame frame;
  guint index = 0, end = evaluation->frames ? evaluation->frames : G_MAXUINT;

  if (reader == NULL)
    return FALSE;
  /* DAVIS's own code compares neither the first mask of a sequence nor the last (davis2017-evaluation, evaluation.py). Points are not its. */
  if (job->points == NULL)
    end = MIN (end, sequence->masks->len - 1);
  for (guint i = 0; job->points && i < job->points->start->frame && failure == NULL; i++)
    if (!rvm_davis_reader_next (reader, &frame, &failure))
      break;
  for (; index < end; index++) {
    if (!rvm_davis_reader_next (reader, &frame, &failure))
      break;
    if (!job_frame (job, evaluation, &frame, index, error))
      return FALSE;
  }
  if (failure) {
    g_propagate_error (error, g_steal_pointer (&failure));
    return FALSE;
  }
  if (index < 2 || (job->points && job->points->asked == 0)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "sequence '%s': nothing to compare in %u of its %u frames%s", sequence->name, index,
        sequence->masks->len, job->points ? "" : " (the first is given, the last is left out)");
    return FALSE;
  }
  *compared = index - 1;
  return TRUE;
}

static RvmScore
make_score (double j, double f, double pck)
{
  return (RvmScore){ .j = j, .f = f, .jf = (j + f) / 2, .pck = pck };
}

static RvmScore
score_of (const Kind *kind, double frames, double asked)
{
  return make_score (kind->j / frames, kind->f / frames, kind->right / asked);
}

gboolean
rvm_evaluate_sequence (const RvmEvaluation *evaluation, RvmModel *const *models, guint n_models, const RvmDavisSequence *sequence,
    const RvmMarkedPoints *marked, RvmScore *scores, GError **error)
{
  Points points = { .marked = marked };
  Job job = { .n_models = n_models, .points = marked ? &points : NULL };
  g_autofree guint *which = NULL;
  guint n = 0;
  gboolean good;

  if (marked) {
    points.start = &g_array_index (marked->frames, RvmMarkedFrame, 0);
    points.which = which = g_new (guint, marked->n_points);
    for (guint i = 0; i < marked->n_points; i++)
      if (points.start->visible[i])
        which[points.n++] = i;
  }
  good = job_init (&job, evaluation, models, error) && job_run (&job, evaluation, sequence, &n, error);
  if (good) {
    const double asked = MAX (points.asked, 1);

    scores[0] = make_score (job.copy_j / n, job.copy_f / n, job.copy_right / asked);
    scores[1] = score_of (&job.colours, n, asked);
    for (guint i = 0; i < n_models; i++) {
      scores[2 + 2 * i] = score_of (&job.models[i].core, n, asked);
      scores[3 + 2 * i] = score_of (&job.models[i].encoder, n, asked);
    }
  }
  job_clear (&job);
  return good;
}

/* Of the field at @offset of each score. */
static double
mean_of (const RvmScore *scores, guint count, guint stride, gsize offset, double *error)
{
  double mean = 0, squares = 0;

  for (guint i = 0; i < count; i++)
    mean += G_STRUCT_MEMBER (double, scores + (gsize) i * stride, offset) / count;
  for (guint i = 0; i < count; i++)
    squares += pow (G_STRUCT_MEMBER (double, scores + (gsize) i * stride, offset) - mean, 2);
  *error = count > 1 ? sqrt (squares / (count - 1) / count) : 0;
  return mean;
}

void
rvm_score_mean (const RvmScore *scores, guint count, guint stride, RvmScore *mean, RvmScore *error)
{
  mean->j = mean_of (scores, count, stride, G_STRUCT_OFFSET (RvmScore, j), &error->j);
  mean->f = mean_of (scores, count, stride, G_STRUCT_OFFSET (RvmScore, f), &error->f);
  mean->jf = mean_of (scores, count, stride, G_STRUCT_OFFSET (RvmScore, jf), &error->jf);
  mean->pck = mean_of (scores, count, stride, G_STRUCT_OFFSET (RvmScore, pck), &error->pck);
}
