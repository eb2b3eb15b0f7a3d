/* Sizes and layouts of the public structures of the metadata library, as applications were compiled with them: a new field takes its room from
 * _gst_reserved, and changes nothing here but the last line of its structure. The numbers are those of processors with pointers of 64 bits. */
#include <gst/check/gstcheck.h>

#include "gstrvmfeatures.h"
#include "gstrvmreadout.h"
#include "gstrvmtracks.h"
#include "tests/run_cases.h"

#define FIELD(type, field, expected) { #type "." #field, G_STRUCT_OFFSET (type, field), expected }

static const struct {
  const char *name;
  gsize is, expected;
} layout[] = {
  { "GstRvmFeatureMeta", sizeof (GstRvmFeatureMeta), 344 },
  FIELD (GstRvmFeatureMeta, meta, 0),
  FIELD (GstRvmFeatureMeta, parts, 16),
  FIELD (GstRvmFeatureMeta, rows, 20),
  FIELD (GstRvmFeatureMeta, columns, 24),
  FIELD (GstRvmFeatureMeta, dim, 28),
  FIELD (GstRvmFeatureMeta, data, 32),
  FIELD (GstRvmFeatureMeta, generation, 40),
  FIELD (GstRvmFeatureMeta, frames_since_reset, 48),
  FIELD (GstRvmFeatureMeta, update_pts, 56),
  FIELD (GstRvmFeatureMeta, carried, 64),
  FIELD (GstRvmFeatureMeta, model_id, 72),
  FIELD (GstRvmFeatureMeta, frame_width, 80),
  FIELD (GstRvmFeatureMeta, frame_height, 84),
  FIELD (GstRvmFeatureMeta, analysis_width, 88),
  FIELD (GstRvmFeatureMeta, analysis_height, 92),
  FIELD (GstRvmFeatureMeta, restored, 96),
  FIELD (GstRvmFeatureMeta, restored_pts, 104),
  FIELD (GstRvmFeatureMeta, restored_age, 112),
  FIELD (GstRvmFeatureMeta, carried_count, 120),
  FIELD (GstRvmFeatureMeta, dropped_count, 128),
  FIELD (GstRvmFeatureMeta, encoder, 136),
  FIELD (GstRvmFeatureMeta, stream_id, 144),
  FIELD (GstRvmFeatureMeta, source, 152),
  FIELD (GstRvmFeatureMeta, update, 160),
  FIELD (GstRvmFeatureMeta, orientation, 168),
  FIELD (GstRvmFeatureMeta, pixel_aspect_n, 172),
  FIELD (GstRvmFeatureMeta, pixel_aspect_d, 176),
  FIELD (GstRvmFeatureMeta, _gst_reserved, 184),

  { "GstRvmFeatures", sizeof (GstRvmFeatures), 336 },
  FIELD (GstRvmFeatures, parts, 0),
  FIELD (GstRvmFeatures, rows, 4),
  FIELD (GstRvmFeatures, columns, 8),
  FIELD (GstRvmFeatures, dim, 12),
  FIELD (GstRvmFeatures, generation, 16),
  FIELD (GstRvmFeatures, frames_since_reset, 24),
  FIELD (GstRvmFeatures, update_pts, 32),
  FIELD (GstRvmFeatures, carried, 40),
  FIELD (GstRvmFeatures, model_id, 48),
  FIELD (GstRvmFeatures, frame_width, 56),
  FIELD (GstRvmFeatures, frame_height, 60),
  FIELD (GstRvmFeatures, analysis_width, 64),
  FIELD (GstRvmFeatures, analysis_height, 68),
  FIELD (GstRvmFeatures, restored, 72),
  FIELD (GstRvmFeatures, restored_pts, 80),
  FIELD (GstRvmFeatures, restored_age, 88),
  FIELD (GstRvmFeatures, carried_count, 96),
  FIELD (GstRvmFeatures, dropped_count, 104),
  FIELD (GstRvmFeatures, encoder, 112),
  FIELD (GstRvmFeatures, stream_id, 120),
  FIELD (GstRvmFeatures, source, 128),
  FIELD (GstRvmFeatures, update, 136),
  FIELD (GstRvmFeatures, orientation, 144),
  FIELD (GstRvmFeatures, pixel_aspect_n, 148),
  FIELD (GstRvmFeatures, pixel_aspect_d, 152),
  FIELD (GstRvmFeatures, _data, 160),
  FIELD (GstRvmFeatures, _ref_count, 168),
  FIELD (GstRvmFeatures, _gst_reserved, 176),

  { "GstRvmTrack", sizeof (GstRvmTrack), 112 },
  FIELD (GstRvmTrack, id, 0),
  FIELD (GstRvmTrack, kind, 4),
  FIELD (GstRvmTrack, x, 8),
  FIELD (GstRvmTrack, y, 16),
  FIELD (GstRvmTrack, width, 24),
  FIELD (GstRvmTrack, height, 32),
  FIELD (GstRvmTrack, confidence, 40),
  FIELD (GstRvmTrack, visible, 48),
  FIELD (GstRvmTrack, first_seen, 56),
  FIELD (GstRvmTrack, last_seen, 64),
  FIELD (GstRvmTrack, mask_value, 72),
  FIELD (GstRvmTrack, label, 76),
  FIELD (GstRvmTrack, _gst_reserved, 80),

  { "GstRvmTrackMeta", sizeof (GstRvmTrackMeta), 248 },
  FIELD (GstRvmTrackMeta, meta, 0),
  FIELD (GstRvmTrackMeta, n_tracks, 16),
  FIELD (GstRvmTrackMeta, tracks, 24),
  FIELD (GstRvmTrackMeta, mask, 32),
  FIELD (GstRvmTrackMeta, tracker, 40),
  FIELD (GstRvmTrackMeta, encoder, 48),
  FIELD (GstRvmTrackMeta, source, 56),
  FIELD (GstRvmTrackMeta, update, 64),
  FIELD (GstRvmTrackMeta, frame_width, 72),
  FIELD (GstRvmTrackMeta, frame_height, 76),
  FIELD (GstRvmTrackMeta, orientation, 80),
  FIELD (GstRvmTrackMeta, _gst_reserved, 88),

  { "GstRvmTracks", sizeof (GstRvmTracks), 240 },
  FIELD (GstRvmTracks, n_tracks, 0),
  FIELD (GstRvmTracks, tracker, 8),
  FIELD (GstRvmTracks, encoder, 16),
  FIELD (GstRvmTracks, source, 24),
  FIELD (GstRvmTracks, update, 32),
  FIELD (GstRvmTracks, frame_width, 40),
  FIELD (GstRvmTracks, frame_height, 44),
  FIELD (GstRvmTracks, orientation, 48),
  FIELD (GstRvmTracks, _tracks, 56),
  FIELD (GstRvmTracks, _mask, 64),
  FIELD (GstRvmTracks, _ref_count, 72),
  FIELD (GstRvmTracks, _gst_reserved, 80),

  { "GstRvmReadoutMeta", sizeof (GstRvmReadoutMeta), 296 },
  FIELD (GstRvmReadoutMeta, meta, 0),
  FIELD (GstRvmReadoutMeta, kind, 16),
  FIELD (GstRvmReadoutMeta, rows, 20),
  FIELD (GstRvmReadoutMeta, columns, 24),
  FIELD (GstRvmReadoutMeta, channels, 28),
  FIELD (GstRvmReadoutMeta, states, 32),
  FIELD (GstRvmReadoutMeta, window, 36),
  FIELD (GstRvmReadoutMeta, readout, 40),
  FIELD (GstRvmReadoutMeta, encoder, 48),
  FIELD (GstRvmReadoutMeta, source, 56),
  FIELD (GstRvmReadoutMeta, update, 64),
  FIELD (GstRvmReadoutMeta, update_pts, 72),
  FIELD (GstRvmReadoutMeta, unit, 80),
  FIELD (GstRvmReadoutMeta, orientation, 88),
  FIELD (GstRvmReadoutMeta, event_class, 92),
  FIELD (GstRvmReadoutMeta, event_start, 96),
  FIELD (GstRvmReadoutMeta, event_confidence, 104),
  FIELD (GstRvmReadoutMeta, classes, 112),
  FIELD (GstRvmReadoutMeta, values, 120),
  FIELD (GstRvmReadoutMeta, logits, 128),
  FIELD (GstRvmReadoutMeta, _gst_reserved, 136),

  { "GstRvmReadout", sizeof (GstRvmReadout), 288 },
  FIELD (GstRvmReadout, kind, 0),
  FIELD (GstRvmReadout, rows, 4),
  FIELD (GstRvmReadout, columns, 8),
  FIELD (GstRvmReadout, channels, 12),
  FIELD (GstRvmReadout, states, 16),
  FIELD (GstRvmReadout, window, 20),
  FIELD (GstRvmReadout, readout, 24),
  FIELD (GstRvmReadout, encoder, 32),
  FIELD (GstRvmReadout, source, 40),
  FIELD (GstRvmReadout, update, 48),
  FIELD (GstRvmReadout, update_pts, 56),
  FIELD (GstRvmReadout, unit, 64),
  FIELD (GstRvmReadout, orientation, 72),
  FIELD (GstRvmReadout, event_class, 76),
  FIELD (GstRvmReadout, event_start, 80),
  FIELD (GstRvmReadout, event_confidence, 88),
  FIELD (GstRvmReadout, _classes, 96),
  FIELD (GstRvmReadout, _values, 104),
  FIELD (GstRvmReadout, _logits, 112),
  FIELD (GstRvmReadout, _ref_count, 120),
  FIELD (GstRvmReadout, _gst_reserved, 128),
};

START_TEST (test_layout)
{
  for (guint i = 0; sizeof (gpointer) == 8 && i < G_N_ELEMENTS (layout); i++)
    ck_assert_msg (layout[i].is == layout[i].expected, "%s is %" G_GSIZE_FORMAT ", expected %" G_GSIZE_FORMAT, layout[i].name, layout[i].is,
        layout[i].expected);
}
END_TEST

/* What is reserved is zero, so that a later library can tell that an older one did not fill it in. */
START_TEST (test_reserved_is_zero)
{
  static const gpointer nothing[GST_PADDING_LARGE] = { NULL };
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();
  g_autoptr (GBytes) data = g_bytes_new_static ("\0\0\0\0", 4);
  const GstRvmFeatureMeta *features = gst_rvm_buffer_add_feature_meta (buffer, GST_RVM_FEATURE_CLASS, 1, 1, 1, data, "none");
  const GstRvmTrackMeta *tracks = gst_rvm_buffer_add_track_meta (buffer, NULL, 0);
  g_autoptr (GstRvmFeatures) features_copy = gst_rvm_feature_meta_get_features (features);
  g_autoptr (GstRvmTracks) tracks_copy = gst_rvm_track_meta_get_tracks (tracks);
  const GstRvmReadoutMeta *readout = gst_rvm_buffer_add_readout_meta (buffer, GST_RVM_READOUT_DISTANCE, 1, 1, 1, data);
  g_autoptr (GstRvmReadout) readout_copy = gst_rvm_readout_meta_get_readout (readout);

  ck_assert (memcmp (features->_gst_reserved, nothing, sizeof nothing) == 0);
  ck_assert (memcmp (tracks->_gst_reserved, nothing, sizeof nothing) == 0);
  ck_assert (memcmp (readout->_gst_reserved, nothing, sizeof nothing) == 0);
  ck_assert (memcmp (readout_copy->_gst_reserved, nothing, sizeof nothing) == 0);
  ck_assert (memcmp (features_copy->_gst_reserved, nothing, sizeof nothing) == 0);
  ck_assert (memcmp (tracks_copy->_gst_reserved, nothing, sizeof nothing) == 0);
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("all");

  gst_check_init (&argc, &argv);
  tcase_add_test (tests, test_layout);
  tcase_add_test (tests, test_reserved_is_zero);
  return run_cases ("layout of public structures", tests);
}
