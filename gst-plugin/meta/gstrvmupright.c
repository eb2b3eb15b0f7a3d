/* Follows the size and pixel shape of the upright picture through elements that scale. Those scale the picture as it is stored, so width and height
 * change places where the orientation turns it by a quarter. */
#include "gstrvmupright.h"

#include "video/orientation.h"

static void
set_size (GstRvmUpright * upright, const GstVideoInfo * stored)
{
  const gboolean swap = rvm_orientation_swaps (upright->orientation);

  upright->width = swap ? stored->height : stored->width;
  upright->height = swap ? stored->width : stored->height;
  if (stored->par_n > 0 && stored->par_d > 0) {
    upright->pixel_aspect_n = swap ? stored->par_d : stored->par_n;
    upright->pixel_aspect_d = swap ? stored->par_n : stored->par_d;
  }
}

gboolean
gst_rvm_upright_scale (GstRvmUpright * upright, const GstVideoMetaTransform * scale, gdouble * across, gdouble * along)
{
  gdouble before_width, before_height;

  if (!rvm_orientation_is_valid (upright->orientation))
    return FALSE;
  if (upright->width == 0 || upright->height == 0)
    set_size (upright, scale->in_info);
  before_width = upright->width;
  before_height = upright->height;
  set_size (upright, scale->out_info);
  *across = upright->width / before_width;
  *along = upright->height / before_height;
  return TRUE;
}
