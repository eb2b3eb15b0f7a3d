/* The picture is made small by the code that makes the model's picture, so that its cells are those of the features. */
#include "track_appearance.h"

struct _RvmTrackAppearance
{
  RvmAppearance weights;
  gboolean wants_picture;
  RvmAnalysis *analysis;        /* or NULL */
  guint rows, columns;
  gfloat *beside;
  const guint8 *picture;        /* of the analysis, or NULL */
};

RvmTrackAppearance *
rvm_track_appearance_new (const RvmAppearance * weights, gboolean picture)
{
  RvmTrackAppearance *appearance = g_new0 (RvmTrackAppearance, 1);

  appearance->weights = *weights;
  appearance->wants_picture = picture;
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

/* The small picture; NULL with @error set, or if nothing of it is wanted. */
static const guint8 *
convert (RvmTrackAppearance * appearance, GstBuffer * buffer, const RvmView * view, gboolean same_grid, GError ** error)
{
  if (!(appearance->weights.colours > 0) && !appearance->wants_picture)
    return NULL;
  if (appearance->analysis && (!same_grid || !rvm_view_is_equal (rvm_analysis_get_view (appearance->analysis), view)))
    g_clear_pointer (&appearance->analysis, rvm_analysis_free);
  if (appearance->analysis == NULL)
    appearance->analysis = rvm_analysis_new (view, GST_VIDEO_FORMAT_RGB, appearance->columns * RVM_TRACK_PATCH,
        appearance->rows * RVM_TRACK_PATCH, error);
  return appearance->analysis ? rvm_analysis_convert (appearance->analysis, buffer, error) : NULL;
}

const gfloat *
rvm_track_appearance_make (RvmTrackAppearance * appearance, GstBuffer * buffer, const RvmView * view, guint rows, guint columns, GError ** error)
{
  const gboolean same = appearance->rows == rows && appearance->columns == columns;
  const gboolean compares = appearance->weights.colours > 0 || appearance->weights.place > 0;

  if (!same) {
    appearance->rows = rows;
    appearance->columns = columns;
    g_free (appearance->beside);
    appearance->beside = g_new (gfloat, (gsize) rows * columns * RVM_APPEARANCE_FLOATS);
  }
  appearance->picture = convert (appearance, buffer, view, same, error);
  if (!compares)
    return NULL;
  rvm_appearance_fill (&appearance->weights, appearance->weights.colours > 0 ? appearance->picture : NULL, RVM_TRACK_PATCH, rows, columns, appearance->beside);
  return appearance->beside;
}

const guint8 *
rvm_track_appearance_get_picture (const RvmTrackAppearance * appearance)
{
  return appearance->wants_picture ? appearance->picture : NULL;
}
