/* RvmFeatures: what a model makes of the frames of a clip, computed once and kept on disk, a file for each clip, so that work that was
 * interrupted goes on where it was.
 *
 * Of every `stride` frames two are kept: the first, and the one half way to the next, so that a classifier can be trained and measured with
 * another phase than the clip's own. The model sees all frames. It begins with an empty memory, as long before the clip's start as there is
 * video, up to 16 frames. */
#pragma once

#include "labelled.h"
#include "model/model.h"

G_BEGIN_DECLS

enum { RVM_GREY_COLUMNS = 16, RVM_GREY_ROWS = 12, RVM_GREY = RVM_GREY_COLUMNS * RVM_GREY_ROWS };

/* What the features are of. */
typedef struct {
  RvmModel *model;
  guint width, height; /* of the analysed picture, pixels */
  guint stride;
  gboolean reversed;     /* clips run backwards */
  const char *cache_dir; /* NULL: the user's */
} RvmFeatureSettings;

typedef struct {
  guint n, tokens, dim; /* frames that were kept, tokens of each */
  guint *frame;         /* (n) number in the clip: a multiple of the stride, or stride / 2 more */
  float *state;         /* (n, tokens, dim), row 0 of a frame the class token; of 16 bits precision */
  float *encoded;       /* the same of the encoder */
  float *grey;          /* (n, RVM_GREY_ROWS, RVM_GREY_COLUMNS), 0 to 1 */
} RvmClipFeatures;

/* The frames of a clip in its file. */
typedef struct {
  guint first, n; /* the clip's first frame in the file, and how many it has */
  double rate;    /* frames a second; 0: unknown */
} RvmClipFrames;

/* Reads every file once, unless that was done before. Errors name the clip: not a video, no frames between its start and its end. */
RvmClipFrames *rvm_features_count_frames (const RvmLabelled *labelled, const char *cache_dir, GError **error);

/* Computes what is not there yet, with progress on standard output; @what says what it is, "features of MODEL". Interrupts, which the
 * caller has caught, end it with RVM_ERROR_FILE; what was computed is kept. */
gboolean rvm_features_compute (const RvmFeatureSettings *settings, const RvmLabelled *labelled, const RvmClipFrames *frames,
                               const char *what, GError **error);
/* After rvm_features_compute(). */
RvmClipFeatures *rvm_features_load (const RvmFeatureSettings *settings, const RvmLabelledClip *clip, GError **error);
void rvm_clip_features_free (RvmClipFeatures *features);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmClipFeatures, rvm_clip_features_free)

G_END_DECLS
