/* Two layers: features, stretched over the frame, and a drawing of tracks, only as
 * large as what is drawn. Both are made upright and painted by cairo as the stored
 * picture lies, and left to GstVideo (or to whoever draws a composition) to put on
 * the picture. */
#include "overlay_picture.h"

#include <math.h>
#include <string.h>

#include "continuity.h"
#include "readout_picture.h"
#include "track_picture.h"
#include "video/orientation.h"

#define PIXELS_PER_CELL 16

struct _RvmOverlayPicture
{
  RvmFeaturePicture *features;
  RvmTrackPicture *tracks;
  RvmSeen seen;                 /* the features shown last */
};

RvmOverlayPicture *
rvm_overlay_picture_new (RvmFeatureBasis * basis)
{
  RvmOverlayPicture *self = g_new0 (RvmOverlayPicture, 1);

  self->features = rvm_feature_picture_new (basis);
  self->tracks = rvm_track_picture_new ();
  return self;
}

void
rvm_overlay_picture_free (RvmOverlayPicture * self)
{
  if (self == NULL)
    return;
  rvm_feature_picture_free (self->features);
  rvm_track_picture_free (self->tracks);
  rvm_seen_clear (&self->seen);
  g_free (self);
}

void
rvm_overlay_picture_forget (RvmOverlayPicture * self)
{
  rvm_seen_clear (&self->seen);
  rvm_track_picture_forget (self->tracks);
}

/* cairo's pixels have their alpha multiplied in. Dividing it out again costs a byte's rounding, but GStreamer blends such pixels into
 * RGB formats of more than 8 bits with an overflow (seen in 1.22). */
static void
divide_by_alpha (guint8 * pixels, gsize n)
{
  for (gsize i = 0; i < n; i++) {
    guint32 *pixel = (guint32 *) (gpointer) pixels + i;
    const guint32 alpha = *pixel >> 24, argb = *pixel;

    if (alpha == 0 || alpha == 255)
      continue;
    *pixel = alpha << 24;
    for (guint shift = 0; shift < 24; shift += 8)
      *pixel |= MIN (((argb >> shift & 255) * 255 + alpha / 2) / alpha, 255) << shift;
  }
}

/* From a picture of @width x @height to what @method makes of it, in a size of @to_width x @to_height. */
static void
init_turn (cairo_matrix_t * matrix, GstVideoOrientationMethod method, gdouble width, gdouble height, gdouble to_width,
    gdouble to_height)
{
  gdouble x0 = 0, y0 = 0, x1 = 1, y1 = 0, x2 = 0, y2 = 1;

  rvm_orientation_turn_point (method, 1, 1, &x0, &y0);
  rvm_orientation_turn_point (method, 1, 1, &x1, &y1);
  rvm_orientation_turn_point (method, 1, 1, &x2, &y2);
  cairo_matrix_init (matrix, (x1 - x0) * to_width / width, (y1 - y0) * to_height / width, (x2 - x0) * to_width / height,
      (y2 - y0) * to_height / height, x0 * to_width, y0 * to_height);
}

/* @source as a rectangle of @width x @height pixels, to be stretched over
 * @target. */
static GstVideoOverlayRectangle *
paint (cairo_surface_t * source, const cairo_matrix_t * matrix, gdouble alpha, guint width, guint height,
    const GstVideoRectangle * target)
{
  g_autoptr (GstBuffer) pixels = gst_buffer_new_allocate (NULL, (gsize) width * height * 4, NULL);
  cairo_surface_t *surface;
  GstMapInfo map;
  cairo_t *cr;

  gst_buffer_map (pixels, &map, GST_MAP_WRITE);
  memset (map.data, 0, map.size);
  surface = cairo_image_surface_create_for_data (map.data, CAIRO_FORMAT_ARGB32, width, height, width * 4);
  cr = cairo_create (surface);
  cairo_set_source_surface (cr, source, 0, 0);
  cairo_pattern_set_matrix (cairo_get_source (cr), matrix);
  cairo_pattern_set_extend (cairo_get_source (cr), CAIRO_EXTEND_PAD);
  cairo_pattern_set_filter (cairo_get_source (cr), CAIRO_FILTER_BILINEAR);
  cairo_paint_with_alpha (cr, alpha);
  cairo_destroy (cr);
  cairo_surface_finish (surface);
  cairo_surface_destroy (surface);
  divide_by_alpha (map.data, (gsize) width * height);
  gst_buffer_unmap (pixels, &map);
  gst_buffer_add_video_meta (pixels, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, width, height);
  return gst_video_overlay_rectangle_new_raw (pixels, target->x, target->y, target->w, target->h,
      GST_VIDEO_OVERLAY_FORMAT_FLAG_NONE);
}

/* A colour per patch, over all that is shown. */
static gboolean
paint_features (RvmOverlayPicture * self, const GstRvmFeatureMeta * meta, GBytes * patches, const RvmView * view,
    const RvmOverlaySettings * settings, GstVideoOverlayRectangle ** rectangle, GError ** error)
{
  const gboolean swap = rvm_orientation_swaps (view->orientation);
  const RvmContinuity continuity = rvm_seen_update (&self->seen, meta);
  cairo_surface_t *cells = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, meta->columns, meta->rows);
  gboolean good;

  if (continuity == RVM_CONTINUITY_OTHER)
    rvm_feature_picture_forget (self->features);
  cairo_surface_flush (cells);
  good = rvm_feature_picture_render (self->features, &settings->features, g_bytes_get_data (patches, NULL), meta->rows,
      meta->columns, meta->dim, continuity == RVM_CONTINUITY_SAME, cairo_image_surface_get_data (cells),
      cairo_image_surface_get_stride (cells), error);
  if (good && settings->features.kind != RVM_PICTURE_NONE) {
    /* cairo puts a patch's colour into the patch's middle, which the coarser scaling of GstVideo does not; the rest of the
     * way to the frame is then short enough not to matter. */
    const guint width = MIN ((guint) view->visible.w, (swap ? meta->rows : meta->columns) * PIXELS_PER_CELL);
    const guint height = MIN ((guint) view->visible.h, (swap ? meta->columns : meta->rows) * PIXELS_PER_CELL);
    cairo_matrix_t matrix;

    cairo_surface_mark_dirty (cells);
    init_turn (&matrix, view->orientation, width, height, meta->columns, meta->rows);
    *rectangle = paint (cells, &matrix, settings->alpha, width, height, &view->visible);
  }
  cairo_surface_destroy (cells);
  return good;
}

/* Lines and letters, drawn on an upright picture of @width x @height, over the part of what is shown that they are on. */
static GstVideoOverlayRectangle *
paint_drawing (cairo_surface_t * drawing, gdouble width, gdouble height, const RvmView * view)
{
  const GstVideoRectangle *shown = &view->visible;
  gdouble x, y, across, along, to_x, to_y;
  GstVideoRectangle part;
  cairo_matrix_t matrix;

  cairo_recording_surface_ink_extents (drawing, &x, &y, &across, &along);
  to_x = x + across;
  to_y = y + along;
  init_turn (&matrix, rvm_orientation_invert (view->orientation), width, height, shown->w, shown->h);
  cairo_matrix_transform_point (&matrix, &x, &y);
  cairo_matrix_transform_point (&matrix, &to_x, &to_y);
  part.x = floor (MAX (MIN (x, to_x), 0));
  part.y = floor (MAX (MIN (y, to_y), 0));
  part.w = ceil (MIN (MAX (x, to_x), shown->w)) - part.x;
  part.h = ceil (MIN (MAX (y, to_y), shown->h)) - part.y;
  if (part.w <= 0 || part.h <= 0)
    return NULL;
  init_turn (&matrix, view->orientation, shown->w, shown->h, width, height);
  cairo_matrix_translate (&matrix, part.x, part.y);
  part.x += shown->x;
  part.y += shown->y;
  return paint (drawing, &matrix, 1, part.w, part.h, &part);
}

/* The lines and letters of a frame. (transfer full) (nullable) */
static GstVideoOverlayRectangle *
draw (RvmOverlayPicture * self, const RvmOverlaySettings * settings, const RvmView * view, gboolean has_patches,
    const GstRvmTrackMeta * tracks, GstBuffer * buffer)
{
  cairo_surface_t *drawing = cairo_recording_surface_create (CAIRO_CONTENT_COLOR_ALPHA, NULL);
  const RvmPictureSettings *shown = &settings->features;
  GstVideoOverlayRectangle *lines;
  guint width, height;
  cairo_t *cr;

  /* In square pixels, so that circles are round and letters have their shape when shown. */
  if (!rvm_view_get_square_size (view, 0, &width, &height))
    rvm_view_get_size (view, &width, &height);
  cr = cairo_create (drawing);
  if (settings->readouts)
    rvm_readout_picture_draw_maps (cr, buffer, width, height);
  if (has_patches && shown->kind == RVM_PICTURE_SIMILARITY && !shown->hold)
    rvm_track_picture_draw_mark (cr, shown->x * width, shown->y * height, height);
  if (tracks && settings->tracks) {
    guint across = tracks->frame_width, along = tracks->frame_height;

    if (across == 0 || along == 0)
      rvm_view_get_size (view, &across, &along);
    rvm_track_picture_draw (self->tracks, cr, tracks, across, along, width, height, settings->trail);
  }
  if (settings->readouts)
    rvm_readout_picture_draw_lists (cr, buffer, width, height);
  cairo_destroy (cr);
  lines = paint_drawing (drawing, width, height, view);
  cairo_surface_destroy (drawing);
  return lines;
}

GstVideoOverlayComposition *
rvm_overlay_picture_compose (RvmOverlayPicture * self, const RvmOverlaySettings * settings, const RvmView * view,
    const GstRvmFeatureMeta * meta, const GstRvmTrackMeta * tracks, GstBuffer * buffer, GError ** error)
{
  g_autoptr (GBytes) patches = meta ? gst_rvm_feature_meta_get_patches (meta) : NULL;
  g_autoptr (GstVideoOverlayRectangle) colours = NULL, lines = NULL;
  GstVideoOverlayComposition *composition = NULL;

  if (patches && !paint_features (self, meta, patches, view, settings, &colours, error))
    return NULL;
  lines = draw (self, settings, view, patches != NULL, tracks, buffer);
  if (colours || lines)
    composition = gst_video_overlay_composition_new (colours ? colours : lines);
  if (colours && lines)
    gst_video_overlay_composition_add_rectangle (composition, lines);
  return composition;
}
