/* The picture is made small by the code that makes the model's picture, so that its cells are those of the features. */
#include "track_appearance.h"

struct _RvmTrackAppearance
{
  RvmAppearance weights;
  RvmAnalysis *analysis;        /* or NULL */
  guint rows, columns;
  gfloat *beside;
};

RvmTrackAppearance *
rvm_track_appearance_new (const RvmAppearance * weights)
{
  RvmTrackAppearance *appearance = g_new0 (RvmTrackAppearance, 1);

  appearance->weights = *weights;
  return appearance;
}

void
rvm_track_appearance_free (RvmTrackAppearance * appearance)
{
  if (appearance == NULL)
    return;
  g_clear_pointer (&appearance->analysis, rvm_analysis_free);
  g_free (appearance->beside);
  g_free (appearance);
}

/* The small picture; NULL with @error set. */
static const guint8 *
convert (RvmTrackAppearance * appearance, GstBuffer * buffer, const RvmView * view, GError ** error)
{
  if (appearance->analysis && !rvm_view_is_equal (rvm_analysis_get_view (appearance->analysis), view))
    g_clear_pointer (&appearance->analysis, rvm_analysis_free);
  if (appearance->analysis == NULL)
    appearance->analysis = rvm_analysis_new (view, GST_VIDEO_FORMAT_RGB, appearance->columns * RVM_TRACK_PATCH,
        appearance->rows * RVM_TRACK_PATCH, error);
  return appearance->analysis ? rvm_analysis_convert (appearance->analysis, buffer, error) : NULL;
}

const gfloat *
rvm_track_appearance_make (RvmTrackAppearance * appearance, GstBuffer * buffer, const RvmView * view, guint rows, guint columns, const guint8 ** picture,
    GError ** error)
{
  const gboolean colours = appearance->weights.colours > 0, compares = colours || appearance->weights.place > 0;
  const guint8 *rgb = NULL;

  if (appearance->rows != rows || appearance->columns != columns) {
    g_clear_pointer (&appearance->analysis, rvm_analysis_free);
    appearance->rows = rows;
    appearance->columns = columns;
    g_free (appearance->beside);
    appearance->beside = g_new (gfloat, (gsize) rows * columns * RVM_APPEARANCE_FLOATS);
  }
  if (colours || picture)
    rgb = convert (appearance, buffer, view, error);
  if (picture)
    *picture = rgb;
  if (!compares)
    return NULL;
  rvm_appearance_fill (&appearance->weights, colours ? rgb : NULL, RVM_TRACK_PATCH, rows, columns, appearance->beside);
  return appearance->beside;
}
