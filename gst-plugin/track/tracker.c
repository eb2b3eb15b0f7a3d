/* Tracks in groups of label propagation: what starts on the same frame shares a
 * group per kind, channel 1 + i for its i-th track. */
#include "tracker.h"

#include <gst/video/video.h>

#include "model/labels.h"
#include "track_appearance.h"
#include "track_places.h"

GST_DEBUG_CATEGORY_EXTERN (rvm_track_debug);
#define GST_CAT_DEFAULT rvm_track_debug

typedef struct
{
  guint id;                     /* of the propagation's group */
  GstRvmTrackKind kind;
  GArray *anchors;              /* RvmTrackAnchor */
  gfloat *first;                /* the labels that were given, (cells, channels) */
} Group;

struct _RvmTracker
{
  RvmDevice *device;
  RvmPropagationSettings settings;
  RvmConfidenceLimits limits;
  gdouble highest;              /* similarity */
  gdouble refine;
  guint limit;
  RvmPropagation *propagation;
  guint rows, columns, dim;
  guint width, height;          /* of the upright picture */
  guint square_width, square_height;    /* the same in square pixels */
  GArray *tracks;               /* GstRvmTrack, by id */
  GPtrArray *groups;
  GstBuffer *mask;
};

static void
group_free (gpointer data)
{
  Group *group = data;

  g_array_unref (group->anchors);
  g_free (group->first);
  g_free (group);
}

RvmTracker *
rvm_tracker_new (RvmDevice * device, const RvmPropagationSettings * settings, const RvmAppearance * appearance, const RvmConfidenceLimits * limits,
    guint limit)
{
  RvmTracker *tracker = g_new0 (RvmTracker, 1);

  tracker->device = rvm_device_ref (device);
  tracker->settings = *settings;
  tracker->settings.extra = rvm_appearance_get_floats (appearance);
  tracker->highest = rvm_appearance_get_highest (appearance);
  tracker->limits = *limits;
  tracker->limit = MIN (limit, RVM_TRACKER_LIMIT);
  tracker->tracks = g_array_new (FALSE, FALSE, sizeof (GstRvmTrack));
  tracker->groups = g_ptr_array_new_with_free_func (group_free);
  return tracker;
}

void
rvm_tracker_set_refine (RvmTracker * tracker, gdouble cells)
{
  tracker->refine = cells;
}

void
rvm_tracker_set_limits (RvmTracker * tracker, const RvmConfidenceLimits * limits)
{
  tracker->limits = *limits;
}

void
rvm_tracker_reset (RvmTracker * tracker)
{
  g_clear_pointer (&tracker->propagation, rvm_propagation_free);
  g_array_set_size (tracker->tracks, 0);
  g_ptr_array_set_size (tracker->groups, 0);
  gst_clear_buffer (&tracker->mask);
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

void
rvm_tracker_set_picture (RvmTracker * tracker, const RvmView * view)
{
  rvm_view_get_size (view, &tracker->width, &tracker->height);
  if (!rvm_view_get_square_size (view, 0, &tracker->square_width, &tracker->square_height)) {
    tracker->square_width = tracker->width;
    tracker->square_height = tracker->height;
  }
}

const GArray *
rvm_tracker_get_tracks (const RvmTracker * tracker)
{
  return tracker->tracks;
}

GstBuffer *
rvm_tracker_get_mask (const RvmTracker * tracker)
{
  return tracker->mask;
}

static gint
by_id (gconstpointer a, gconstpointer b)
{
  const GstRvmTrack *x = a, *y = b;

  return x->id < y->id ? -1 : x->id > y->id;
}

static GstRvmTrack *
find_track (RvmTracker * tracker, guint id)
{
  const GstRvmTrack wanted = {.id = id };
  guint index;

  if (!g_array_binary_search (tracker->tracks, &wanted, by_id, &index))
    return NULL;
  return &g_array_index (tracker->tracks, GstRvmTrack, index);
}

/* The masks of this frame, empty if there are none yet, mapped for writing. */
static gboolean
map_mask (RvmTracker * tracker, GstMapInfo * map, GError ** error)
{
  const gsize size = (gsize) tracker->width * tracker->height;

  if (tracker->mask == NULL) {
    tracker->mask = gst_buffer_new_allocate (NULL, size, NULL);
    gst_buffer_add_video_meta_full (tracker->mask, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8, tracker->width,
        tracker->height, 1, (gsize[GST_VIDEO_MAX_PLANES]) {0}, (gint[GST_VIDEO_MAX_PLANES]) {tracker->width});
    gst_buffer_memset (tracker->mask, 0, 0, size);
  }
  if (gst_buffer_map (tracker->mask, map, GST_MAP_READWRITE))
    return TRUE;
  g_set_error (error, RVM_ERROR, RVM_ERROR_MEMORY, "a mask of %u x %u pixels cannot be mapped", tracker->width, tracker->height);
  return FALSE;
}

/* @rgb: the small picture, whose edges the masks follow, or NULL. */
static void
draw_group (RvmTracker * tracker, const Group * group, const RvmTrackMap * map, const guint8 * rgb, guint8 * pixels)
{
  g_autofree GstRvmTrack **tracks = g_new (GstRvmTrack *, group->anchors->len);
  g_autofree gfloat *labels = NULL;
  RvmTrackMap fine = *map;

  for (guint i = 0; i < group->anchors->len; i++)
    tracks[i] = find_track (tracker, g_array_index (group->anchors, RvmTrackAnchor, i).id);
  if (rgb && tracker->refine > 0) {
    fine.rows *= RVM_TRACK_PATCH;
    fine.columns *= RVM_TRACK_PATCH;
    fine.labels = labels = g_new (gfloat, (gsize) fine.rows * fine.columns * fine.channels);
    rvm_labels_refine (tracker->refine, rgb, RVM_TRACK_PATCH, map->labels, map->rows, map->columns, map->channels, labels);
  }
  rvm_track_places_draw (&fine, (const RvmTrackAnchor *) group->anchors->data, tracks, pixels, tracker->width, tracker->height);
}

/* What speaks for channel @channel of @maps; of a point, which has the label of a cell or two, around its peak. */
static void
measure_evidence (const RvmTracker * tracker, const RvmEvidenceMaps * maps, GstRvmTrackKind kind, guint channel, RvmEvidence * evidence)
{
  g_autofree gfloat *now = NULL, *first = NULL;
  RvmEvidenceMaps near = *maps;

  if (kind != GST_RVM_TRACK_POINT) {
    rvm_evidence_measure (maps, channel, evidence);
    return;
  }
  now = g_new (gfloat, maps->cells);
  first = g_new (gfloat, maps->cells);
  rvm_evidence_widen_point (maps->labels, tracker->rows, tracker->columns, maps->channels, channel, now);
  rvm_evidence_widen_point (maps->first, tracker->rows, tracker->columns, maps->channels, channel, first);
  near.labels = now;
  near.first = first;
  near.channels = 1;
  rvm_evidence_measure (&near, 0, evidence);
}

/* Makes @label the label of channel @channel of a cell; what it had beyond that becomes background. */
static void
set_label (gfloat * cell, guint channel, gfloat label)
{
  cell[0] = MAX (cell[0] + cell[channel] - label, 0);
  cell[channel] = label;
}

/* Judges the tracks of @group by its @labels on this frame. Of one that is lost, what was carried here is not carried on: later frames find what the first
 * frame alone says. In @labels, which are then shown, it has none. */
static gboolean
judge_group (RvmTracker * tracker, const Group * group, const guint8 * blank, guint channels, gfloat * labels, GError ** error)
{
  const guint cells = tracker->rows * tracker->columns, top = tracker->settings.top;
  g_autofree gfloat *value = g_new (gfloat, (gsize) cells * top);
  g_autofree guint32 *where = g_new (guint32, (gsize) cells * top);
  const RvmEvidenceMaps maps = {.cells = cells,.channels = channels,.top = top,.labels = labels,.first = group->first,.value = value,.where = where,.blank =
        blank,.highest = tracker->highest };
  g_autoptr (GError) wrong = NULL;
  g_autofree gfloat *shares = g_new (gfloat, cells);
  gboolean lost = FALSE;

  if (!rvm_propagation_read_matches (tracker->propagation, group->id, value, where, &wrong)) {
    if (wrong)
      g_propagate_error (error, g_steal_pointer (&wrong));
    return wrong == NULL && *error == NULL;
  }
  for (guint i = 0; i < group->anchors->len; i++) {
    RvmTrackAnchor *anchor = &g_array_index (group->anchors, RvmTrackAnchor, i);
    GstRvmTrack *track = find_track (tracker, anchor->id);
    RvmEvidence evidence;

    if (track == NULL)
      continue;
    measure_evidence (tracker, &maps, group->kind, 1 + i, &evidence);
    track->confidence = rvm_confidence_update (&anchor->confidence, &evidence, &tracker->limits);
    GST_TRACE ("track %u: agreement %f, similarity %f, exclusiveness %f, coverage %f, %f cells, blank %f: confidence %f", track->id, evidence.agreement,
        evidence.similarity, evidence.exclusive, evidence.coverage, evidence.size, evidence.blank, track->confidence);
  }
  for (guint i = 0; i < group->anchors->len; i++) {
    const RvmTrackAnchor *anchor = &g_array_index (group->anchors, RvmTrackAnchor, i);

    if (anchor->id == 0 || anchor->confidence.visible)
      continue;
    lost = TRUE;
    rvm_evidence_look_back (&maps, 1 + i, shares);
    for (guint cell = 0; cell < cells; cell++)
      set_label (labels + (gsize) cell * channels, 1 + i, shares[cell]);
  }
  if (lost && !rvm_propagation_write (tracker->propagation, group->id, labels, error))
    return FALSE;
  for (guint i = 0; lost && i < group->anchors->len; i++)
    for (guint cell = 0; !g_array_index (group->anchors, RvmTrackAnchor, i).confidence.visible && cell < cells; cell++)
      set_label (labels + (gsize) cell * channels, 1 + i, 0);
  return TRUE;
}

/* Where the tracks of @group are now; @blank: cells of which nothing is seen, or NULL; @pixels: the picture of the masks. */
static gboolean
read_group (RvmTracker * tracker, const Group * group, const RvmTrackerFrame * frame, const guint8 * blank, guint8 * pixels, GError ** error)
{
  const guint channels = 1 + group->anchors->len;
  g_autofree gfloat *labels = g_new (gfloat, (gsize) tracker->rows * tracker->columns * channels);
  const RvmTrackMap map = {.rows = tracker->rows,.columns = tracker->columns,.channels = channels,.labels = labels };

  if (!rvm_propagation_read (tracker->propagation, group->id, labels, error) || !judge_group (tracker, group, blank, channels, labels, error))
    return FALSE;
  if (group->kind == GST_RVM_TRACK_MASK)
    draw_group (tracker, group, &map, frame->rgb, pixels);
  for (guint i = 0; i < group->anchors->len; i++) {
    const RvmTrackAnchor *anchor = &g_array_index (group->anchors, RvmTrackAnchor, i);
    GstRvmTrack *track = find_track (tracker, anchor->id);

    if (track == NULL)
      continue;
    if (group->kind != GST_RVM_TRACK_MASK)
      rvm_track_places_read (&map, 1 + i, anchor, track);
    if (track->visible)
      track->last_seen = frame->pts;
  }
  return TRUE;
}

static gboolean
has_masks (const RvmTracker * tracker)
{
  for (guint i = 0; i < tracker->groups->len; i++)
    if (((const Group *) g_ptr_array_index (tracker->groups, i))->kind == GST_RVM_TRACK_MASK)
      return TRUE;
  return FALSE;
}

gboolean
rvm_tracker_wants_picture (const RvmTracker * tracker)
{
  return (tracker->refine > 0 && has_masks (tracker)) || (tracker->limits.lost_below > 0 && tracker->groups->len > 0);
}

static gboolean
read_groups (RvmTracker * tracker, const RvmTrackerFrame * frame, GError ** error)
{
  const gboolean masks = has_masks (tracker);
  g_autofree guint8 *blank = frame->rgb ? g_new (guint8, (gsize) tracker->rows * tracker->columns) : NULL;
  GstMapInfo map = { 0 };
  gboolean good = TRUE;

  if (blank)
    rvm_evidence_find_blank (frame->rgb, RVM_TRACK_PATCH, tracker->rows, tracker->columns, blank);
  gst_clear_buffer (&tracker->mask);
  if (masks && !map_mask (tracker, &map, error))
    return FALSE;
  for (guint i = 0; good && i < tracker->groups->len; i++)
    good = read_group (tracker, g_ptr_array_index (tracker->groups, i), frame, blank, map.data, error);
  if (masks)
    gst_buffer_unmap (tracker->mask, &map);
  return good;
}

gboolean
rvm_tracker_fits (const RvmTracker * tracker, const GstRvmFeatureMeta * meta)
{
  return meta->rows == tracker->rows && meta->columns == tracker->columns && meta->dim == tracker->dim;
}

gboolean
rvm_tracker_push (RvmTracker * tracker, const RvmTrackerFrame * frame, GError ** error)
{
  const GstRvmFeatureMeta *meta = frame->meta;
  g_autoptr (GBytes) patches = gst_rvm_feature_meta_get_patches (meta);

  if (!rvm_tracker_fits (tracker, meta))
    rvm_tracker_reset (tracker);
  tracker->rows = meta->rows;
  tracker->columns = meta->columns;
  tracker->dim = meta->dim;
  if (tracker->propagation == NULL)
    tracker->propagation = rvm_propagation_new (tracker->device, meta->rows, meta->columns, meta->dim, &tracker->settings, error);
  return tracker->propagation && rvm_propagation_push (tracker->propagation, g_bytes_get_data (patches, NULL), frame->beside, error)
      && read_groups (tracker, frame, error);
}

/* The size that a track begins with: of its labels, as later frames count them. */
static void
begin_confidence (const RvmTracker * tracker, const RvmTrackMap * map, GstRvmTrackKind kind, guint channel, RvmTrackAnchor * anchor)
{
  const guint cells = map->rows * map->columns;
  g_autofree gfloat *same = g_new0 (gfloat, cells);
  g_autofree guint32 *where = g_new (guint32, cells);
  const RvmEvidenceMaps maps = {.cells = cells,.channels = map->channels,.top = 1,.labels = map->labels,.first = map->labels,.value = same,.where = where,.highest = 1 };
  RvmEvidence evidence;

  for (guint cell = 0; cell < cells; cell++)
    where[cell] = cell;
  measure_evidence (tracker, &maps, kind, channel, &evidence);
  rvm_confidence_begin (&anchor->confidence, evidence.size);
}

/* Starts a group on the frame pushed last. */
static Group *
add_group (RvmTracker * tracker, GstRvmTrackKind kind, const GstRvmTrack * tracks, guint n, const gfloat * labels, GError ** error)
{
  const RvmTrackMap map = {.rows = tracker->rows,.columns = tracker->columns,.channels = 1 + n,.labels = labels };
  const guint id = rvm_propagation_add (tracker->propagation, labels, 1 + n, error);
  Group *group;

  if (id == 0)
    return NULL;
  group = g_new0 (Group, 1);
  group->id = id;
  group->kind = kind;
  group->first = g_memdup2 (labels, (gsize) tracker->rows * tracker->columns * (1 + n) * sizeof *labels);
  group->anchors = g_array_new (FALSE, FALSE, sizeof (RvmTrackAnchor));
  for (guint i = 0; i < n; i++) {
    RvmTrackAnchor anchor;

    rvm_track_places_anchor (&map, 1 + i, &tracks[i], &anchor);
    begin_confidence (tracker, &map, kind, 1 + i, &anchor);
    g_array_append_val (group->anchors, anchor);
    g_array_append_vals (tracker->tracks, &tracks[i], 1);
  }
  g_array_sort (tracker->tracks, by_id);
  g_ptr_array_add (tracker->groups, group);
  return group;
}

static gboolean
check_limit (const RvmTracker * tracker, guint more, GError ** error)
{
  if (more <= tracker->limit - tracker->tracks->len)
    return TRUE;
  g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "%u tracks and %u more: expected at most %u (max-tracks)",
      tracker->tracks->len, more, tracker->limit);
  return FALSE;
}

static gboolean
add_kind (RvmTracker * tracker, GstRvmTrackKind kind, const GstRvmTrack * tracks, guint n_tracks, GError ** error)
{
  g_autofree GstRvmTrack *chosen = g_new (GstRvmTrack, MAX (n_tracks, 1));
  g_autofree gfloat *labels = NULL;
  guint n = 0;

  for (guint i = 0; i < n_tracks; i++)
    if (tracks[i].kind == kind)
      chosen[n++] = tracks[i];
  if (n == 0)
    return TRUE;
  labels = g_new (gfloat, (gsize) tracker->rows * tracker->columns * (1 + n));
  rvm_track_places_label (kind, chosen, n, tracker->rows, tracker->columns, labels);
  return add_group (tracker, kind, chosen, n, labels, error) != NULL;
}

gboolean
rvm_tracker_add (RvmTracker * tracker, const GstRvmTrack * tracks, guint n_tracks, GError ** error)
{
  return check_limit (tracker, n_tracks, error)
      && add_kind (tracker, GST_RVM_TRACK_POINT, tracks, n_tracks, error)
      && add_kind (tracker, GST_RVM_TRACK_BOX, tracks, n_tracks, error);
}

static gboolean
check_size (const RvmTracker * tracker, const RvmMask * mask, GError ** error)
{
  g_autofree gchar *square = NULL;

  if ((mask->width == tracker->width && mask->height == tracker->height)
      || (mask->width == tracker->square_width && mask->height == tracker->square_height))
    return TRUE;
  square = g_strdup_printf (", or %u x %u, the same in square pixels", tracker->square_width, tracker->square_height);
  g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "the mask has %u x %u pixels: expected the size of the picture as it is shown, %u x %u%s",
      mask->width, mask->height, tracker->width, tracker->height, tracker->square_width == tracker->width ? "" : square);
  return FALSE;
}

/* Draws @mask over the masks of this frame, in their size. */
static void
draw_given (const RvmTracker * tracker, const RvmMask * mask, guint8 * pixels)
{
  for (guint y = 0; y < tracker->height; y++) {
    const guint8 *row = mask->pixels + (gsize) ((guint64) y * mask->height / tracker->height) * mask->width;

    for (guint x = 0; x < tracker->width; x++) {
      const guint8 value = row[(guint64) x * mask->width / tracker->width];

      if (value)
        pixels[(gsize) y * tracker->width + x] = value;
    }
  }
}

gboolean
rvm_tracker_add_mask (RvmTracker * tracker, const RvmMask * mask, const GstRvmTrack * tracks, GError ** error)
{
  const guint channels = 1 + mask->n_values;
  g_autofree GstRvmTrack *placed = g_memdup2 (tracks, mask->n_values * sizeof *tracks);
  g_autofree guint8 *objects = NULL;
  g_autofree gfloat *labels = NULL;
  GstMapInfo map;

  if (!check_size (tracker, mask, error))
    return FALSE;
  if (!check_limit (tracker, mask->n_values, error))
    return FALSE;
  objects = rvm_track_places_number_objects (mask, placed);
  labels = g_new (gfloat, (gsize) tracker->rows * tracker->columns * channels);
  rvm_labels_from_mask (objects, mask->width, mask->height, labels, tracker->rows, tracker->columns, channels);
  if (!add_group (tracker, GST_RVM_TRACK_MASK, placed, mask->n_values, labels, error) || !map_mask (tracker, &map, error))
    return FALSE;
  /* The first frame shows the mask itself. */
  draw_given (tracker, mask, map.data);
  gst_buffer_unmap (tracker->mask, &map);
  return TRUE;
}

/* What a removed track left on this frame. */
static void
erase_mask (RvmTracker * tracker, guint8 value)
{
  GstMapInfo map;

  if (!has_masks (tracker)) {
    gst_clear_buffer (&tracker->mask);
  } else if (map_mask (tracker, &map, NULL)) {
    for (gsize at = 0; at < map.size; at++)
      if (map.data[at] == value)
        map.data[at] = 0;
    gst_buffer_unmap (tracker->mask, &map);
  }
}

gboolean
rvm_tracker_remove (RvmTracker * tracker, guint id)
{
  GstRvmTrack *track = find_track (tracker, id);
  guint value;

  if (track == NULL)
    return FALSE;
  value = track->mask_value;
  g_array_remove_index (tracker->tracks, track - (GstRvmTrack *) tracker->tracks->data);
  for (guint i = 0; i < tracker->groups->len; i++) {
    Group *group = g_ptr_array_index (tracker->groups, i);
    gboolean any = FALSE;

    for (guint j = 0; j < group->anchors->len; j++) {
      RvmTrackAnchor *anchor = &g_array_index (group->anchors, RvmTrackAnchor, j);

      if (anchor->id == id)
        anchor->id = 0;
      any |= anchor->id != 0;
    }
    if (!any) {
      rvm_propagation_remove (tracker->propagation, group->id);
      g_ptr_array_remove_index (tracker->groups, i);
      break;
    }
  }
  if (value)
    erase_mask (tracker, value);
  return TRUE;
}
