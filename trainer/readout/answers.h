/* What a readout in a file says of clips, as it would of a stream that begins with each of them. */
#pragma once

#include "dense_measures.h"
#include "features.h"
#include "model/readout/readout.h"

G_BEGIN_DECLS

/* The features that @readout reads, of clips that run as they are or backwards. */
RvmFeatureSettings rvm_answers_get_settings (const RvmReadout *readout, RvmModel *model, gboolean reversed, const char *cache_dir);

/* (transfer full) (element-type float): all answers, one after the other, of as many values as @channels (out) says. @stream: of @readout;
 * it is reset. */
GArray *rvm_answers_of_clip (const RvmReadout *readout, RvmReadoutStream *stream, const RvmClipFeatures *features, guint *channels,
                             GError **error);

/* How well a dense readout does on the frame of @target, which is given to @stream with its window alone. @features: those of the clip. Adds to
 * @measures. */
gboolean rvm_answers_measure_dense (const RvmReadout *readout, RvmReadoutStream *stream, const RvmClipFeatures *features, const RvmTarget *target,
                                    const RvmTargetKind *kind, RvmDenseMeasures *measures, GError **error);

/* The area under the curve of true over false alarms: how often a value of @other is above one of @normal; equal ones count half. */
double rvm_answers_get_auroc (const GArray *normal, const GArray *other);

G_END_DECLS
