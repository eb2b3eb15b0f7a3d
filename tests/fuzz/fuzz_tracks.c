/* Points and boxes as text: refused, or places inside the picture whose labels are between 0 and 1. */
#include "fuzz.h"

#include "gst-plugin/track/track_inputs.h"
#include "gst-plugin/track/track_places.h"

#define ROWS 3
#define COLUMNS 4
#define MANY 64

static void
check_tracks (GArray *tracks, GstRvmTrackKind kind)
{
  const guint n = MIN (tracks->len, MANY);
  g_autofree gfloat *labels = g_new0 (gfloat, ROWS * COLUMNS * (1 + n));
  const RvmTrackMap map = { .rows = ROWS, .columns = COLUMNS, .channels = 1 + n, .labels = labels };

  rvm_track_places_label (kind, (const GstRvmTrack *) tracks->data, n, ROWS, COLUMNS, labels);
  for (guint i = 0; i < ROWS * COLUMNS * (1 + n); i++)
    fuzz_assert (labels[i] >= 0 && labels[i] <= 1);
  for (guint i = 0; i < n; i++) {
    GstRvmTrack track = g_array_index (tracks, GstRvmTrack, i);
    RvmTrackAnchor anchor;

    rvm_track_places_anchor (&map, 1 + i, &track, &anchor);
    rvm_track_places_read (&map, 1 + i, &anchor, &track);
    fuzz_assert (!track.visible || (track.x > -1 && track.y > -1 && track.x + track.width < 2 && track.y + track.height < 2));
  }
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GArray) parsed = g_array_new (FALSE, FALSE, sizeof (GstRvmTrack)), inside = g_array_new (FALSE, FALSE, sizeof (GstRvmTrack));
  g_autofree char *text = g_strndup ((const char *) data, size);
  const guint numbers = size % 2 ? 2 : 4;
  g_autoptr (GError) error = NULL;
  const RvmView view = { .visible = { .w = 64, .h = 48 } };
  gboolean good;

  good = rvm_track_inputs_parse ("input", text, numbers, parsed, &error);
  fuzz_check_error (good, &error);
  for (guint i = 0; i < parsed->len; i++) {
    GstRvmTrack track = g_array_index (parsed, GstRvmTrack, i);

    good = rvm_track_inputs_to_fractions (&track, &view, &error);
    fuzz_check_error (good, &error);
    if (!good)
      continue;
    fuzz_assert (track.x >= 0 && track.y >= 0 && track.x + track.width <= 1 && track.y + track.height <= 1);
    fuzz_assert (rvm_track_inputs_overlap (&track, &track) <= 1.0001);
    g_array_append_val (inside, track);
  }
  check_tracks (inside, numbers == 2 ? GST_RVM_TRACK_POINT : GST_RVM_TRACK_BOX);
  return 0;
}
