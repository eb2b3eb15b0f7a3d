/* Text is checked number by number: nothing that cannot be read is passed over. */
#include "track_inputs.h"

#include <math.h>

#include "analytics.h"
#include "kernels/error.h"

#define COVERED 0.3             /* overlap from which on a region is the same thing as a track */

GType
gst_rvm_track_regions_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type)) {
    static const GEnumValue values[] = {
      {GST_RVM_TRACK_REGIONS_NONE, "Regions are not followed", "none"},
      {GST_RVM_TRACK_REGIONS_FIRST,
          "The regions of the first frame that has any", "first"},
      {GST_RVM_TRACK_REGIONS_NEW,
          "Those, and later ones that no visible track covers", "new"},
      {0, NULL, NULL}
    };
    g_once_init_leave (&type, g_enum_register_static ("GstRvmTrackRegions",
            values));
  }
  return type;
}

/* One track of text; FALSE if it is none. */
static gboolean
parse_track (const gchar * text, guint numbers, gdouble * values)
{
  g_auto (GStrv) parts = g_strsplit (text, ",", -1);

  if (g_strv_length (parts) != numbers)
    return FALSE;
  for (guint k = 0; k < numbers; k++) {
    gchar *end;

    g_strstrip (parts[k]);
    values[k] = g_ascii_strtod (parts[k], &end);
    if (end == parts[k] || *end != '\0' || !isfinite (values[k]))
      return FALSE;
  }
  return TRUE;
}

gboolean
rvm_track_inputs_parse (const gchar * name, const gchar * text, guint numbers,
    GArray * out, GError ** error)
{
  g_auto (GStrv) items = g_strsplit (text ? text : "", ";", -1);

  for (guint i = 0; items[i]; i++) {
    gdouble values[4] = { 0 };

    if (*g_strstrip (items[i]) == '\0')
      continue;
    if (!parse_track (items[i], numbers, values)) {
      rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: '%s' is not %s",
          name, items[i], numbers == 2 ? "x,y" : "x,y,width,height");
      return FALSE;
    }
    g_array_append_val (out, ((GstRvmTrack) {
            .kind = numbers == 2 ? GST_RVM_TRACK_POINT : GST_RVM_TRACK_BOX,
            .x = values[0],.y = values[1],.width = values[2],.height =
            values[3]}));
  }
  return TRUE;
}

gboolean
rvm_track_inputs_to_fractions (GstRvmTrack * track, const RvmView * view,
    GError ** error)
{
  const gboolean box = track->kind == GST_RVM_TRACK_BOX;
  guint across, along;
  gdouble width, height;

  rvm_view_get_size (view, &across, &along);
  width = across;
  height = along;
  if (MAX (MAX (track->x, track->y), MAX (track->width, track->height)) > 1) {
    track->x /= width;
    track->width /= width;
    track->y /= height;
    track->height /= height;
  }
  if (track->x >= 0 && track->y >= 0 && track->x + track->width <= 1
      && track->y + track->height <= 1 && (!box || (track->width > 0
              && track->height > 0)))
    return TRUE;
  rvm_error_set (error, RVM_ERROR_ARGUMENT,
      "a %s at %g,%g%s is not inside the picture of %g x %g pixels",
      box ? "box" : "point", track->x * width, track->y * height,
      box ? " (or has no size)" : "", width, height);
  return FALSE;
}

GArray *
rvm_track_inputs_from_buffer (GstBuffer * buffer, const RvmView * view)
{
  GArray *boxes = g_array_new (FALSE, FALSE, sizeof (GstRvmTrack));
  gpointer state = NULL;
  guint width, height;
  GstMeta *meta;

  rvm_view_get_size (view, &width, &height);
  rvm_analytics_get_detections (buffer, boxes);
  if (boxes->len == 0) {
    while ((meta = gst_buffer_iterate_meta_filtered (buffer, &state,
                GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE))) {
      const GstVideoRegionOfInterestMeta *region = (gpointer) meta;

      if (region->roi_type != g_quark_from_static_string ("rvm-track"))
        g_array_append_val (boxes, ((GstRvmTrack) {
                .kind = GST_RVM_TRACK_BOX,.x = region->x,.y = region->y,.width =
                region->w,.height = region->h,.label = region->roi_type}));
    }
  }
  for (guint i = boxes->len; i-- > 0;) {
    GstRvmTrack *box = &g_array_index (boxes, GstRvmTrack, i);
    gdouble left, top, right, bottom;

    rvm_view_to_upright (view, &box->x, &box->y, &box->width, &box->height);
    left = CLAMP (box->x, 0, width);
    top = CLAMP (box->y, 0, height);
    right = CLAMP (box->x + box->width, left, width);
    bottom = CLAMP (box->y + box->height, top, height);
    box->x = left / width;
    box->y = top / height;
    box->width = (right - left) / width;
    box->height = (bottom - top) / height;
    if (box->width <= 0 || box->height <= 0)
      g_array_remove_index (boxes, i);
  }
  return boxes;
}

gdouble
rvm_track_inputs_overlap (const GstRvmTrack * a, const GstRvmTrack * b)
{
  const gdouble across = MIN (a->x + a->width, b->x + b->width) - MAX (a->x,
      b->x);
  const gdouble along = MIN (a->y + a->height, b->y + b->height) - MAX (a->y,
      b->y);
  const gdouble both = MAX (across, 0) * MAX (along, 0);
  const gdouble either = a->width * a->height + b->width * b->height - both;

  return either > 0 ? both / either : 0;
}

gboolean
rvm_track_inputs_is_covered (const GstRvmTrack * box, const GArray * tracks)
{
  for (guint i = 0; i < tracks->len; i++) {
    const GstRvmTrack *track = &g_array_index (tracks, GstRvmTrack, i);

    if (track->visible && track->kind != GST_RVM_TRACK_POINT
        && rvm_track_inputs_overlap (track, box) >= COVERED)
      return TRUE;
  }
  return FALSE;
}
