/* Tracks in groups of label propagation: what starts on the same frame shares a
 * group per kind, channel 1 + i for its i-th track.
 *
 * A point is read back as model/labels.h does. A box is the labels' centre of
 * mass, its size their spread in proportion to the spread on its first frame: a
 * uniform rectangle keeps its size, and a part of a cell counts. */
#include "tracker.h"

#include <math.h>

#include "model/labels.h"

typedef struct
{
  guint id;                     /* of the propagation's group */
  GstRvmTrackKind kind;
  GArray *tracks;               /* guint, ids; 0 where one was removed */
  GArray *spreads;              /* Spread, of boxes on their first frame */
} Group;

typedef struct
{
  gdouble x, y, across, along;  /* cells: centre of mass and deviations */
  gdouble width, height;        /* fractions: the box as it was given */
} Spread;

struct _RvmTracker
{
  RvmDevice *device;
  RvmPropagationSettings settings;
  RvmPropagation *propagation;
  guint rows, columns, dim;
  GArray *tracks;               /* GstRvmTrack, by id */
  GPtrArray *groups;
};

static void
group_free (gpointer data)
{
  Group *group = data;

  g_array_unref (group->tracks);
  g_array_unref (group->spreads);
  g_free (group);
}

RvmTracker *
rvm_tracker_new (RvmDevice * device, const RvmPropagationSettings * settings)
{
  RvmTracker *tracker = g_new0 (RvmTracker, 1);

  tracker->device = rvm_device_ref (device);
  tracker->settings = *settings;
  tracker->tracks = g_array_new (FALSE, FALSE, sizeof (GstRvmTrack));
  tracker->groups = g_ptr_array_new_with_free_func (group_free);
  return tracker;
}

void
rvm_tracker_reset (RvmTracker * tracker)
{
  g_clear_pointer (&tracker->propagation, rvm_propagation_free);
  g_array_set_size (tracker->tracks, 0);
  g_ptr_array_set_size (tracker->groups, 0);
}

void
rvm_tracker_free (RvmTracker * tracker)
{
  if (tracker == NULL)
    return;
  rvm_tracker_reset (tracker);
  g_array_unref (tracker->tracks);
  g_ptr_array_unref (tracker->groups);
  rvm_device_unref (tracker->device);
  g_free (tracker);
}

const GArray *
rvm_tracker_get_tracks (const RvmTracker * tracker)
{
  return tracker->tracks;
}

static GstRvmTrack *
find_track (RvmTracker * tracker, guint id)
{
  for (guint i = 0; i < tracker->tracks->len; i++)
    if (g_array_index (tracker->tracks, GstRvmTrack, i).id == id)
      return &g_array_index (tracker->tracks, GstRvmTrack, i);
  return NULL;
}

/* Centre of mass and deviations of a channel, in cells; FALSE if it is empty. */
static gboolean
measure_spread (const RvmTracker * tracker, const gfloat * labels,
    guint channels, guint channel, Spread * spread, gdouble * highest)
{
  gdouble sum = 0, x = 0, y = 0, xx = 0, yy = 0;

  *highest = 0;
  for (guint cell = 0; cell < tracker->rows * tracker->columns; cell++) {
    const gdouble value = labels[(gsize) cell * channels + channel];
    const gdouble cx = cell % tracker->columns + 0.5, cy = cell / tracker->columns + 0.5;

    *highest = MAX (*highest, value);
    /* Faint labels far away would stretch a box without end. */
    if (value < 0.25)
      continue;
    sum += value;
    x += value * cx;
    y += value * cy;
    xx += value * cx * cx;
    yy += value * cy * cy;
  }
  if (sum <= 0)
    return FALSE;
  spread->x = x / sum;
  spread->y = y / sum;
  /* A cell is a square of its own: deviation 1 / sqrt (12). */
  spread->across = sqrt (MAX (xx / sum - spread->x * spread->x, 0) + 1.0 / 12);
  spread->along = sqrt (MAX (yy / sum - spread->y * spread->y, 0) + 1.0 / 12);
  return TRUE;
}

static void
read_box (const RvmTracker * tracker, const gfloat * labels, guint channels,
    guint channel, const Spread * first, GstRvmTrack * track)
{
  Spread now;
  gdouble highest, width, height;

  track->visible = measure_spread (tracker, labels, channels, channel, &now, &highest);
  track->confidence = highest;
  if (!track->visible)
    return;
  width = first->width * now.across / first->across;
  height = first->height * now.along / first->along;
  track->x = now.x / tracker->columns - width / 2;
  track->y = now.y / tracker->rows - height / 2;
  track->width = width;
  track->height = height;
}

static void
read_point (const RvmTracker * tracker, const gfloat * labels, guint channels,
    guint channel, GstRvmTrack * track)
{
  gfloat x, y, confidence = 0;

  track->visible = rvm_labels_get_point (labels, tracker->rows, tracker->columns,
      channels, channel, &x, &y, &confidence);
  track->confidence = confidence;
  if (track->visible) {
    track->x = x / tracker->columns;
    track->y = y / tracker->rows;
  }
}

static gboolean
read_group (RvmTracker * tracker, const Group * group, GstClockTime pts, GError ** error)
{
  const guint channels = 1 + group->tracks->len;
  g_autofree gfloat *labels = g_new (gfloat, (gsize) tracker->rows * tracker->columns * channels);

  if (!rvm_propagation_read (tracker->propagation, group->id, labels, error))
    return FALSE;
  for (guint i = 0; i < group->tracks->len; i++) {
    GstRvmTrack *track = find_track (tracker, g_array_index (group->tracks, guint, i));

    if (track == NULL)
      continue;
    if (group->kind == GST_RVM_TRACK_BOX)
      read_box (tracker, labels, channels, 1 + i, &g_array_index (group->spreads, Spread, i), track);
    else
      read_point (tracker, labels, channels, 1 + i, track);
    if (track->visible)
      track->last_seen = pts;
  }
  return TRUE;
}

gboolean
rvm_tracker_push (RvmTracker * tracker, const GstRvmFeatureMeta * meta,
    GstClockTime pts, GError ** error)
{
  g_autoptr (GBytes) patches = gst_rvm_feature_meta_get_patches (meta);

  if (meta->rows != tracker->rows || meta->columns != tracker->columns || meta->dim != tracker->dim)
    rvm_tracker_reset (tracker);
  tracker->rows = meta->rows;
  tracker->columns = meta->columns;
  tracker->dim = meta->dim;
  if (tracker->propagation == NULL)
    tracker->propagation = rvm_propagation_new (tracker->device, meta->rows, meta->columns, meta->dim, &tracker->settings, error);
  if (tracker->propagation == NULL
      || !rvm_propagation_push (tracker->propagation, g_bytes_get_data (patches, NULL), error))
    return FALSE;
  for (guint i = 0; i < tracker->groups->len; i++)
    if (!read_group (tracker, g_ptr_array_index (tracker->groups, i), pts, error))
      return FALSE;
  return TRUE;
}

/* How much of cell @i (of width 1) lies between @from and @to. */
static gdouble
overlap (guint i, gdouble from, gdouble to)
{
  return CLAMP (to, i, i + 1) - CLAMP (from, i, i + 1);
}

/* Boxes as labels: the share of each cell that the box covers. */
static void
label_boxes (const RvmTracker * tracker, const GstRvmTrack * tracks, const guint * chosen,
    guint n, gfloat * labels)
{
  const guint channels = 1 + n;

  for (guint cell = 0; cell < tracker->rows * tracker->columns; cell++) {
    const guint row = cell / tracker->columns, column = cell % tracker->columns;
    gfloat *out = labels + (gsize) cell * channels;
    gdouble most = 0;

    for (guint i = 0; i < n; i++) {
      const GstRvmTrack *track = &tracks[chosen[i]];
      const gdouble share = overlap (column, track->x * tracker->columns, (track->x + track->width) * tracker->columns)
          * overlap (row, track->y * tracker->rows, (track->y + track->height) * tracker->rows);

      out[1 + i] = share;
      most = MAX (most, share);
    }
    out[0] = 1 - most;
  }
}

static void
label_points (const RvmTracker * tracker, const GstRvmTrack * tracks, const guint * chosen,
    guint n, gfloat * labels)
{
  g_autofree gfloat *points = g_new (gfloat, 2 * n);

  for (guint i = 0; i < n; i++) {
    points[2 * i] = tracks[chosen[i]].x * tracker->columns;
    points[2 * i + 1] = tracks[chosen[i]].y * tracker->rows;
  }
  rvm_labels_from_points (points, n, labels, tracker->rows, tracker->columns);
}

static gboolean
add_kind (RvmTracker * tracker, GstRvmTrackKind kind, const GstRvmTrack * tracks,
    guint n_tracks, GError ** error)
{
  g_autofree guint *chosen = g_new (guint, MAX (n_tracks, 1));
  g_autofree gfloat *labels = NULL;
  Group *group;
  guint n = 0, id;

  for (guint i = 0; i < n_tracks; i++)
    if (tracks[i].kind == kind)
      chosen[n++] = i;
  if (n == 0)
    return TRUE;
  labels = g_new (gfloat, (gsize) tracker->rows * tracker->columns * (1 + n));
  if (kind == GST_RVM_TRACK_BOX)
    label_boxes (tracker, tracks, chosen, n, labels);
  else
    label_points (tracker, tracks, chosen, n, labels);
  id = rvm_propagation_add (tracker->propagation, labels, 1 + n, error);
  if (id == 0)
    return FALSE;
  group = g_new0 (Group, 1);
  group->id = id;
  group->kind = kind;
  group->tracks = g_array_new (FALSE, FALSE, sizeof (guint));
  group->spreads = g_array_new (FALSE, TRUE, sizeof (Spread));
  g_array_set_size (group->spreads, n);
  for (guint i = 0; i < n; i++) {
    const GstRvmTrack *track = &tracks[chosen[i]];
    Spread *spread = &g_array_index (group->spreads, Spread, i);
    gdouble highest;

    /* A box that covers less than a quarter of every cell has the spread of a cell. */
    if (!measure_spread (tracker, labels, 1 + n, 1 + i, spread, &highest))
      spread->across = spread->along = sqrt (1.0 / 12);
    spread->width = track->width;
    spread->height = track->height;
    g_array_append_val (group->tracks, track->id);
    g_array_append_vals (tracker->tracks, track, 1);
  }
  g_ptr_array_add (tracker->groups, group);
  return TRUE;
}

static gint
by_id (gconstpointer a, gconstpointer b)
{
  const GstRvmTrack *x = a, *y = b;

  return x->id < y->id ? -1 : x->id > y->id;
}

gboolean
rvm_tracker_add (RvmTracker * tracker, const GstRvmTrack * tracks,
    guint n_tracks, GError ** error)
{
  if (n_tracks > RVM_TRACKER_LIMIT - tracker->tracks->len) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT,
        "%u tracks and %u more: expected at most %u", tracker->tracks->len, n_tracks, RVM_TRACKER_LIMIT);
    return FALSE;
  }
  if (!add_kind (tracker, GST_RVM_TRACK_POINT, tracks, n_tracks, error)
      || !add_kind (tracker, GST_RVM_TRACK_BOX, tracks, n_tracks, error))
    return FALSE;
  g_array_sort (tracker->tracks, by_id);
  return TRUE;
}

gboolean
rvm_tracker_remove (RvmTracker * tracker, guint id)
{
  GstRvmTrack *track = find_track (tracker, id);

  if (track == NULL)
    return FALSE;
  g_array_remove_index (tracker->tracks, track - (GstRvmTrack *) tracker->tracks->data);
  for (guint i = 0; i < tracker->groups->len; i++) {
    Group *group = g_ptr_array_index (tracker->groups, i);
    gboolean any = FALSE;

    for (guint j = 0; j < group->tracks->len; j++) {
      guint *member = &g_array_index (group->tracks, guint, j);
      if (*member == id)
        *member = 0;
      any |= *member != 0;
    }
    if (!any) {
      rvm_propagation_remove (tracker->propagation, group->id);
      g_ptr_array_remove_index (tracker->groups, i);
      break;
    }
  }
  return TRUE;
}
