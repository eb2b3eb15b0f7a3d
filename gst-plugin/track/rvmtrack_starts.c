/* How tracks of rvmtrack are started and removed: by its properties, by regions on a buffer, by its action signals. Signals may come from any thread;
 * what they ask for waits, under the object lock, for the next analysed frame. Everything else belongs to the streaming thread. */
#include "rvmtrack_private.h"

#include "track_inputs.h"

static guint
next_id (GstRvmtrack * self)
{
  guint id;

  GST_OBJECT_LOCK (self);
  id = ++self->last_id;
  GST_OBJECT_UNLOCK (self);
  return id;
}

static void
begin_track (GstRvmTrack * track, GstClockTime pts)
{
  track->first_seen = track->last_seen = pts;
  track->visible = TRUE;
  track->confidence = 1;
}

/* What the properties say, on the first frame. */
gboolean
gst_rvmtrack_start_properties (GstRvmtrack * self, GstClockTime pts, GError ** error)
{
  g_autoptr (GArray) tracks = g_array_new (FALSE, FALSE, sizeof (GstRvmTrack));
  g_autofree GstRvmTrack *objects = NULL;
  gboolean good;

  GST_OBJECT_LOCK (self);
  good = rvm_track_inputs_parse ("points", self->settings.points, 2, tracks, error)
      && rvm_track_inputs_parse ("boxes", self->settings.boxes, 4, tracks, error);
  GST_OBJECT_UNLOCK (self);
  for (guint i = 0; good && i < tracks->len; i++) {
    GstRvmTrack *track = &g_array_index (tracks, GstRvmTrack, i);

    good = rvm_track_inputs_to_fractions (track, &self->view, error);
    track->id = next_id (self);
    begin_track (track, pts);
  }
  if (!good || (tracks->len && !rvm_tracker_add (self->tracker, (const GstRvmTrack *) tracks->data, tracks->len, error)))
    return FALSE;
  if (self->mask == NULL)
    return TRUE;
  objects = g_new0 (GstRvmTrack, self->mask->n_values);
  for (guint i = 0; i < self->mask->n_values; i++) {
    objects[i].kind = GST_RVM_TRACK_MASK;
    objects[i].id = next_id (self);
    begin_track (&objects[i], pts);
  }
  if (rvm_tracker_add_mask (self->tracker, self->mask, objects, error))
    return TRUE;
  g_prefix_error (error, "mask-file '%s': ", self->mask_name);
  return FALSE;
}

/* Leaves out what would be too many, and says so. */
static void
keep_what_fits (GstRvmtrack * self, GArray * tracks, const gchar * what)
{
  const guint room = self->limit - rvm_tracker_get_tracks (self->tracker)->len;

  if (tracks->len <= room)
    return;
  GST_ELEMENT_WARNING (self, STREAM, FAILED, ("%u %s, and room for %u: the others are not followed (max-tracks is %u)",
          tracks->len, what, room, self->limit), (NULL));
  g_array_set_size (tracks, room);
}

/* Removes what was removed and starts what waits, given by signals: a click beside
 * the picture is no reason to stop the stream. */
gboolean
gst_rvmtrack_apply_signals (GstRvmtrack * self, GstClockTime pts, GError ** error)
{
  g_autoptr (GArray) tracks = NULL;
  g_autoptr (GArray) removed = NULL;

  GST_OBJECT_LOCK (self);
  removed = g_steal_pointer (&self->removed);
  self->removed = g_array_new (FALSE, FALSE, sizeof (guint));
  tracks = g_steal_pointer (&self->waiting);
  self->waiting = g_array_new (FALSE, FALSE, sizeof (GstRvmTrack));
  GST_OBJECT_UNLOCK (self);
  for (guint i = 0; i < tracks->len;) {
    GstRvmTrack *track = &g_array_index (tracks, GstRvmTrack, i);
    g_autoptr (GError) wrong = NULL;

    begin_track (track, pts);
    if (rvm_track_inputs_to_fractions (track, &self->view, &wrong)) {
      i++;
      continue;
    }
    GST_ELEMENT_WARNING (self, STREAM, FAILED, ("track %u: %s", track->id, wrong->message), (NULL));
    g_array_remove_index (tracks, i);
  }
  keep_what_fits (self, tracks, "tracks given by signals");
  if (tracks->len && !rvm_tracker_add (self->tracker, (const GstRvmTrack *) tracks->data, tracks->len, error))
    return FALSE;
  for (guint i = 0; i < removed->len; i++)
    rvm_tracker_remove (self->tracker, g_array_index (removed, guint, i));
  return TRUE;
}

/* What a detector left on the buffer. */
gboolean
gst_rvmtrack_start_regions (GstRvmtrack * self, GstBuffer * buffer, GError ** error)
{
  g_autoptr (GArray) boxes = NULL;
  GstRvmTrackRegions regions;

  GST_OBJECT_LOCK (self);
  regions = self->settings.regions;
  GST_OBJECT_UNLOCK (self);
  if (regions == GST_RVM_TRACK_REGIONS_NONE || (regions == GST_RVM_TRACK_REGIONS_FIRST && self->had_regions))
    return TRUE;
  boxes = rvm_track_inputs_from_buffer (buffer, &self->view);
  for (guint i = boxes->len; i-- > 0 && self->had_regions;)
    if (rvm_track_inputs_is_covered (&g_array_index (boxes, GstRvmTrack, i), rvm_tracker_get_tracks (self->tracker)))
      g_array_remove_index (boxes, i);
  keep_what_fits (self, boxes, "regions");
  if (boxes->len == 0)
    return TRUE;
  self->had_regions = TRUE;
  for (guint i = 0; i < boxes->len; i++) {
    g_array_index (boxes, GstRvmTrack, i).id = next_id (self);
    begin_track (&g_array_index (boxes, GstRvmTrack, i), GST_BUFFER_PTS (buffer));
  }
  return rvm_tracker_add (self->tracker, (const GstRvmTrack *) boxes->data, boxes->len, error);
}

/* 0 if there are too many. */
static guint
wait_for (GstRvmtrack * self, GstRvmTrack track)
{
  guint most;

  GST_OBJECT_LOCK (self);
  most = self->settings.max_tracks;
  if (self->n_tracks + self->waiting->len < most) {
    track.id = ++self->last_id;
    g_array_append_val (self->waiting, track);
  }
  GST_OBJECT_UNLOCK (self);
  if (track.id == 0)
    GST_ELEMENT_WARNING (self, STREAM, FAILED, ("no room for another track: max-tracks is %u", most), (NULL));
  return track.id;
}

guint
gst_rvmtrack_add_point (GstRvmtrack * self, gdouble x, gdouble y)
{
  return wait_for (self, (GstRvmTrack) {.kind = GST_RVM_TRACK_POINT, .x = x, .y = y});
}

guint
gst_rvmtrack_add_box (GstRvmtrack * self, gdouble x, gdouble y, gdouble width, gdouble height)
{
  return wait_for (self, (GstRvmTrack) {.kind = GST_RVM_TRACK_BOX, .x = x, .y = y, .width = width, .height = height});
}

void
gst_rvmtrack_remove (GstRvmtrack * self, guint id)
{
  gboolean waited = FALSE;

  GST_OBJECT_LOCK (self);
  for (guint i = 0; i < self->waiting->len && !waited; i++) {
    waited = g_array_index (self->waiting, GstRvmTrack, i).id == id;
    if (waited)
      g_array_remove_index (self->waiting, i);
  }
  if (!waited)
    g_array_append_val (self->removed, id);
  GST_OBJECT_UNLOCK (self);
}
