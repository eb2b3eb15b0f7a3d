/* RvmFeatures: what a model makes of the frames of a clip, computed once and kept on disk, a file for each clip, so that work that was
 * interrupted goes on where it was. At most RVM_FEATURES_MOST bytes of them stay there, those that were used last.
 *
 * Of every `stride` frames as many as there are `phases` are kept, at even distances, the first among them, so that a readout can be trained
 * and measured with other phases than the clip's own. The model sees all frames. It begins with an empty memory, as long before the clip's start as there is
 * video, up to 16 frames. */
#pragma once

#include "clip_frames.h"
#include "model/model.h"

G_BEGIN_DECLS

enum { RVM_GREY_COLUMNS = 16, RVM_GREY_ROWS = 12, RVM_GREY = RVM_GREY_COLUMNS * RVM_GREY_ROWS };

/* How often the first frame of a clip of actions is seen before it counts, less the frames that there are before the clip: a live stream, too, has seen a
 * scene for some time when something happens in it, while the first state of an empty memory is unlike all later ones. */
enum { RVM_FEATURES_WARM_UP = 8 };

#define RVM_FEATURES_MOST ((guint64) 4 << 30)

/* What the features are of. */
typedef struct {
  RvmModel *model;
  guint width, height; /* of the analysed picture, pixels */
  guint stride;
  guint phases;          /* 0: one */
  gboolean reversed;     /* clips run backwards */
  const char *cache_dir; /* NULL: the user's */
  guint warm_up;         /* 0, or RVM_FEATURES_WARM_UP */
} RvmFeatureSettings;

typedef struct {
  guint n, tokens, dim; /* frames that were kept, tokens of each */
  guint *frame;         /* (n) number in the clip: a multiple of the stride, or p * stride / phases more */
  float *state;         /* (n, tokens, dim), row 0 of a frame the class token; of 16 bits precision */
  float *encoded;       /* the same of the encoder */
  float *grey;          /* (n, RVM_GREY_ROWS, RVM_GREY_COLUMNS), 0 to 1 */
} RvmClipFeatures;

/* Where they are kept: `features` in that folder. Deletes the least recently used until the rest takes at most @most bytes. */
void rvm_features_prune (const char *cache_dir, guint64 most);

/* Computes what is not there yet, with progress on standard output; @what says what it is, "features of MODEL". Interrupts, which the
 * caller has caught, end it with RVM_ERROR_FILE; what was computed is kept. */
gboolean rvm_features_compute (const RvmFeatureSettings *settings, const RvmLabelled *labelled, const RvmClipFrames *frames,
                               const char *what, GError **error);
/* After rvm_features_compute(). */
RvmClipFeatures *rvm_features_load (const RvmFeatureSettings *settings, const RvmLabelledClip *clip, GError **error);
void rvm_clip_features_free (RvmClipFeatures *features);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmClipFeatures, rvm_clip_features_free)

G_END_DECLS
