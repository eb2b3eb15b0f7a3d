/* RvmMoments: the moments of one video, as they are analysed. */
#pragma once

#include "features_file.h"
#include "options.h"

G_BEGIN_DECLS

typedef struct {
  guint width, height, pixel_n, pixel_d, analysis_width, analysis_height, rows, columns;
  guint64 frames, moments, duration;
  GByteArray *vectors[RVM_VECTOR_KINDS]; /* as the database has them; NULL: not kept */
  RvmFeaturesFile *features;             /* unfinished; NULL: not kept */
  double greatest, greatest_error;       /* of the patches, and of their halves */
  char *reason;                          /* why it is not whole, or nothing at all */
} RvmMoments;

void rvm_moments_clear (RvmMoments *moments);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RvmMoments, rvm_moments_clear)

/* RVM_LOOK_SEEN, RVM_LOOK_STOPPED or RVM_LOOK_FAILED. @moments is zeros before. */
RvmLookResult rvm_moments_analyse (const RvmLook *look, const char *path, gint *milliseconds, RvmMoments *moments, GError **error);

G_END_DECLS
