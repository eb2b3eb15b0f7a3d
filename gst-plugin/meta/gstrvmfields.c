/* The tables themselves, and what walks them. Bytes are written and read by gstrvmserialise.c. */
#include "gstrvmfields.h"

#include <string.h>

#define FEATURE(name, kind, in_lines, member) {name, GST_RVM_FIELD_##kind, in_lines, \
    {G_STRUCT_OFFSET (GstRvmFeatureMeta, member), G_STRUCT_OFFSET (GstRvmFeatures, member)}}

static const GstRvmField feature_fields[] = {
  FEATURE ("parts", UINT, FALSE, parts),
  FEATURE ("generation", COUNT, TRUE, generation),
  FEATURE ("frames_since_reset", COUNT, TRUE, frames_since_reset),
  FEATURE ("update_pts", TIME, TRUE, update_pts),
  FEATURE ("carried", FLAG, TRUE, carried),
  FEATURE ("model_id", TEXT, TRUE, model_id),
  FEATURE ("rows", UINT, TRUE, rows),
  FEATURE ("columns", UINT, TRUE, columns),
  FEATURE ("dim", UINT, TRUE, dim),
  FEATURE ("frame_size", SIZE, TRUE, frame_width),
  FEATURE ("analysis_size", SIZE, TRUE, analysis_width),
  FEATURE ("restored", FLAG, TRUE, restored),
  FEATURE ("restored_pts", TIME, TRUE, restored_pts),
  FEATURE ("restored_age", TIME, TRUE, restored_age),
  FEATURE ("carried_count", COUNT, TRUE, carried_count),
  FEATURE ("dropped_count", COUNT, TRUE, dropped_count),
  FEATURE ("encoder", TEXT, TRUE, encoder),
  FEATURE ("stream_id", TEXT, TRUE, stream_id),
  FEATURE ("source", ID, TRUE, source),
  FEATURE ("update", COUNT, TRUE, update),
  FEATURE ("orientation", ORIENTATION, TRUE, orientation),
  FEATURE ("pixel_aspect_ratio", RATIO, TRUE, pixel_aspect_n),
};

#define TRACK(name, kind, member) {name, GST_RVM_FIELD_##kind, TRUE, \
    {G_STRUCT_OFFSET (GstRvmTrackMeta, member), G_STRUCT_OFFSET (GstRvmTracks, member)}}

static const GstRvmField track_fields[] = {
  TRACK ("tracker", TEXT, tracker),
  TRACK ("tracks_encoder", TEXT, encoder),
  TRACK ("tracks_source", ID, source),
  TRACK ("tracks_update", COUNT, update),
  TRACK ("tracks_frame_size", SIZE, frame_width),
  TRACK ("tracks_orientation", ORIENTATION, orientation),
};

#define READOUT(name, kind, in_lines, member) {name, GST_RVM_FIELD_##kind, in_lines, \
    {G_STRUCT_OFFSET (GstRvmReadoutMeta, member), G_STRUCT_OFFSET (GstRvmReadout, member)}}

static const GstRvmField readout_fields[] = {
  READOUT ("readout", TEXT, TRUE, readout),
  READOUT ("kind", UINT, FALSE, kind),
  READOUT ("rows", UINT, TRUE, rows),
  READOUT ("columns", UINT, TRUE, columns),
  READOUT ("channels", UINT, TRUE, channels),
  READOUT ("states", UINT, TRUE, states),
  READOUT ("window", UINT, TRUE, window),
  READOUT ("encoder", TEXT, TRUE, encoder),
  READOUT ("source", ID, TRUE, source),
  READOUT ("update", COUNT, TRUE, update),
  READOUT ("update_pts", TIME, TRUE, update_pts),
  READOUT ("unit", TEXT, TRUE, unit),
  READOUT ("orientation", ORIENTATION, TRUE, orientation),
  READOUT ("event_class", UINT, FALSE, event_class),
  READOUT ("event_start", TIME, TRUE, event_start),
  READOUT ("event_confidence", REAL, TRUE, event_confidence),
};

/* Widths and heights, and the two parts of a ratio, are copied and written as one field. */
#define IS_PAIR(type, prefix) \
    (G_STRUCT_OFFSET (type, prefix##_height) == G_STRUCT_OFFSET (type, prefix##_width) + sizeof (guint))
G_STATIC_ASSERT (IS_PAIR (GstRvmFeatureMeta, frame) && IS_PAIR (GstRvmFeatureMeta, analysis));
G_STATIC_ASSERT (IS_PAIR (GstRvmFeatures, frame) && IS_PAIR (GstRvmFeatures, analysis));
G_STATIC_ASSERT (IS_PAIR (GstRvmTrackMeta, frame) && IS_PAIR (GstRvmTracks, frame));
G_STATIC_ASSERT (G_STRUCT_OFFSET (GstRvmFeatureMeta, pixel_aspect_d) == G_STRUCT_OFFSET (GstRvmFeatureMeta, pixel_aspect_n) + sizeof (guint));
G_STATIC_ASSERT (G_STRUCT_OFFSET (GstRvmFeatures, pixel_aspect_d) == G_STRUCT_OFFSET (GstRvmFeatures, pixel_aspect_n) + sizeof (guint));
G_STATIC_ASSERT (sizeof (GstRvmFeatureParts) == sizeof (guint));
G_STATIC_ASSERT (sizeof (GstRvmReadoutKind) == sizeof (guint));

const GstRvmFields gst_rvm_feature_fields = { "features", feature_fields, G_N_ELEMENTS (feature_fields) };
const GstRvmFields gst_rvm_track_fields = { "tracks", track_fields, G_N_ELEMENTS (track_fields) };
const GstRvmFields gst_rvm_readout_fields = { "readout", readout_fields, G_N_ELEMENTS (readout_fields) };

/* Of all but texts, which are copied one by one. */
static gsize
size_of (GstRvmFieldKind kind)
{
  switch (kind) {
    case GST_RVM_FIELD_UINT:
    case GST_RVM_FIELD_FLAG:
    case GST_RVM_FIELD_ORIENTATION:
      return sizeof (guint);
    case GST_RVM_FIELD_SIZE:
    case GST_RVM_FIELD_RATIO:
      return 2 * sizeof (guint);
    default:
      return sizeof (guint64);
  }
}

void
gst_rvm_fields_init (const GstRvmFields * fields, GstRvmOwner owner, gpointer structure)
{
  for (guint i = 0; i < fields->n; i++) {
    const GstRvmField *field = &fields->list[i];
    gpointer at = G_STRUCT_MEMBER_P (structure, field->offsets[owner]);

    if (field->kind == GST_RVM_FIELD_TEXT)
      *(gchar **) at = NULL;
    else if (field->kind == GST_RVM_FIELD_TIME)
      *(GstClockTime *) at = GST_CLOCK_TIME_NONE;
    else if (field->kind == GST_RVM_FIELD_RATIO)
      ((guint *) at)[0] = ((guint *) at)[1] = 1;
    else
      memset (at, 0, size_of (field->kind));
  }
}

void
gst_rvm_fields_clear (const GstRvmFields * fields, GstRvmOwner owner, gpointer structure)
{
  for (guint i = 0; i < fields->n; i++)
    if (fields->list[i].kind == GST_RVM_FIELD_TEXT)
      g_clear_pointer ((gchar **) G_STRUCT_MEMBER_P (structure, fields->list[i].offsets[owner]), g_free);
}

void
gst_rvm_fields_copy (const GstRvmFields * fields, GstRvmOwner from_owner, gconstpointer from, GstRvmOwner to_owner, gpointer to)
{
  for (guint i = 0; i < fields->n; i++) {
    const GstRvmField *field = &fields->list[i];
    gconstpointer source = G_STRUCT_MEMBER_P (from, field->offsets[from_owner]);
    gpointer target = G_STRUCT_MEMBER_P (to, field->offsets[to_owner]);

    if (field->kind == GST_RVM_FIELD_TEXT) {
      g_free (*(gchar **) target);
      *(gchar **) target = g_strdup (*(gchar * const *) source);
    } else {
      memcpy (target, source, size_of (field->kind));
    }
  }
}
