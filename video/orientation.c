/* Each orientation is at most an exchange of the axes followed by a mirroring of each axis. */
#include "orientation.h"

#include <string.h>

typedef struct
{
  gboolean swap;                /* x and y are exchanged, and then... */
  gboolean mirror_x, mirror_y;  /* ...each may be mirrored */
} Steps;

static const Steps steps_of[] = {
  [GST_VIDEO_ORIENTATION_IDENTITY] = {FALSE, FALSE, FALSE},
  [GST_VIDEO_ORIENTATION_90R] = {TRUE, TRUE, FALSE},
  [GST_VIDEO_ORIENTATION_180] = {FALSE, TRUE, TRUE},
  [GST_VIDEO_ORIENTATION_90L] = {TRUE, FALSE, TRUE},
  [GST_VIDEO_ORIENTATION_HORIZ] = {FALSE, TRUE, FALSE},
  [GST_VIDEO_ORIENTATION_VERT] = {FALSE, FALSE, TRUE},
  [GST_VIDEO_ORIENTATION_UL_LR] = {TRUE, FALSE, FALSE},
  [GST_VIDEO_ORIENTATION_UR_LL] = {TRUE, TRUE, TRUE},
};

gboolean
rvm_orientation_is_valid (guint value)
{
  return value < G_N_ELEMENTS (steps_of);
}

const gchar *
rvm_orientation_to_string (GstVideoOrientationMethod method)
{
  static const gchar *const names[] = { "identity", "90r", "180", "90l", "horiz", "vert", "ul-lr", "ur-ll" };

  return rvm_orientation_is_valid (method) ? names[method] : "?";
}

gboolean
rvm_orientation_swaps (GstVideoOrientationMethod method)
{
  return steps_of[method].swap;
}

GstVideoOrientationMethod
rvm_orientation_invert (GstVideoOrientationMethod method)
{
  /* Each of the others undoes itself. */
  switch (method) {
    case GST_VIDEO_ORIENTATION_90R:
      return GST_VIDEO_ORIENTATION_90L;
    case GST_VIDEO_ORIENTATION_90L:
      return GST_VIDEO_ORIENTATION_90R;
    default:
      return method;
  }
}

void
rvm_orientation_turn_point (GstVideoOrientationMethod method, gdouble width, gdouble height, gdouble * x, gdouble * y)
{
  const Steps s = steps_of[method];
  const gdouble across = s.swap ? *y : *x, along = s.swap ? *x : *y;

  *x = s.mirror_x ? width - across : across;
  *y = s.mirror_y ? height - along : along;
}

void
rvm_orientation_turn_pixels (GstVideoOrientationMethod method, const guint8 * from, gsize from_stride, guint width,
    guint height, guint bytes, guint8 * to, gsize to_stride)
{
  const Steps s = steps_of[method];
  const guint columns = s.swap ? height : width, rows = s.swap ? width : height;
  /* The distance in the source between two neighbours in a row of the result. */
  const gssize step = (s.mirror_x ? -1 : 1) * (gssize) (s.swap ? from_stride : bytes);

  for (guint y = 0; y < rows; y++) {
    const guint along = s.mirror_y ? rows - 1 - y : y, across = s.mirror_x ? columns - 1 : 0;
    const guint8 *source = from + (s.swap ? across : along) * from_stride + (gsize) (s.swap ? along : across) * bytes;
    guint8 *target = to + y * to_stride;

    for (guint x = 0; x < columns; x++, source += step, target += bytes)
      memcpy (target, source, bytes);
  }
}
