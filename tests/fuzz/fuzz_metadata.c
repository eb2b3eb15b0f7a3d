/* Features, tracks and readouts as bytes from another process: refused with a reason, or read, and then they are the same bytes again. */
#include "fuzz.h"

#include <gst/gst.h>

#include "gstrvmfeatures.h"
#include "gstrvmreadout.h"
#include "gstrvmtracks.h"

static void
check_features (GBytes *bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstRvmFeatures) features = gst_rvm_features_new_from_bytes (bytes, &error), again = NULL;
  g_autoptr (GBytes) values = NULL, patches = NULL, token = NULL, written = NULL, rewritten = NULL;
  gsize size = 0;

  fuzz_check_error (features != NULL, &error);
  if (features == NULL)
    return;
  values = gst_rvm_features_get_data (features);
  patches = gst_rvm_features_get_patches (features);
  token = gst_rvm_features_get_class_token (features);
  size += patches ? g_bytes_get_size (patches) : 0;
  size += token ? g_bytes_get_size (token) : 0;
  fuzz_assert (size == g_bytes_get_size (values));
  written = gst_rvm_features_to_bytes (features);
  again = gst_rvm_features_new_from_bytes (written, NULL);
  fuzz_assert (again != NULL && again->source == features->source && again->update == features->update);
  rewritten = gst_rvm_features_to_bytes (again);
  fuzz_assert (g_bytes_equal (written, rewritten));
}

static void
check_tracks (GBytes *bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstRvmTracks) tracks = gst_rvm_tracks_new_from_bytes (bytes, &error), again = NULL;
  g_autoptr (GBytes) mask = NULL, written = NULL, rewritten = NULL;
  guint width = 0, height = 0;

  fuzz_check_error (tracks != NULL, &error);
  if (tracks == NULL)
    return;
  for (guint i = 0; i < tracks->n_tracks; i++) {
    g_autoptr (GstRvmTrack) track = gst_rvm_tracks_get_track (tracks, i);

    fuzz_assert (track != NULL && track->kind <= GST_RVM_TRACK_MASK);
  }
  fuzz_assert (gst_rvm_tracks_get_track (tracks, tracks->n_tracks) == NULL);
  mask = gst_rvm_tracks_get_mask (tracks, &width, &height);
  fuzz_assert ((mask ? g_bytes_get_size (mask) : 0) == (gsize) width * height);
  written = gst_rvm_tracks_to_bytes (tracks);
  again = gst_rvm_tracks_new_from_bytes (written, NULL);
  fuzz_assert (again != NULL && again->n_tracks == tracks->n_tracks);
  rewritten = gst_rvm_tracks_to_bytes (again);
  fuzz_assert (g_bytes_equal (written, rewritten));
}

static void
check_readout (GBytes *bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstRvmReadout) readout = gst_rvm_readout_new_from_bytes (bytes, &error), again = NULL;
  g_autoptr (GBytes) values = NULL, logits = NULL, written = NULL, rewritten = NULL;
  gdouble best = 0;

  fuzz_check_error (readout != NULL, &error);
  if (readout == NULL)
    return;
  values = gst_rvm_readout_get_values (readout);
  logits = gst_rvm_readout_get_logits (readout);
  fuzz_assert (g_bytes_get_size (values) == (gsize) readout->rows * readout->columns * readout->channels * sizeof (gfloat));
  fuzz_assert (logits == NULL || g_bytes_get_size (logits) == g_bytes_get_size (values));
  fuzz_assert (gst_rvm_readout_get_classes (readout) == NULL
      || g_strv_length ((gchar **) gst_rvm_readout_get_classes (readout)) == readout->channels);
  fuzz_assert (gst_rvm_readout_get_best (readout, readout->rows - 1, readout->columns - 1, &best) < readout->channels);
  fuzz_assert (gst_rvm_readout_get_best (readout, readout->rows, 0, &best) == 0 && best == 0);
  written = gst_rvm_readout_to_bytes (readout);
  again = gst_rvm_readout_new_from_bytes (written, NULL);
  fuzz_assert (again != NULL && again->source == readout->source && again->update == readout->update);
  rewritten = gst_rvm_readout_to_bytes (again);
  fuzz_assert (g_bytes_equal (written, rewritten));
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);

  if (!gst_is_initialized ())
    gst_init (NULL, NULL);
  check_features (bytes);
  check_tracks (bytes);
  check_readout (bytes);
  return 0;
}
