/* Contact sheets of samples and of what a model makes of them. PNG, written to a temporary file and renamed. */
#pragma once

#include "trainer/step/step.h"

G_BEGIN_DECLS

/* For each of the first @samples samples of @batch, a block of rows: the last source frame, then for each target its visible patches, its
 * reconstruction (with the visible patches pasted in), and the truth. @predicted: as rvm_step_read() gives it. */
gboolean rvm_sheet_reconstruction (const char *path, const RvmStepShape *shape, guint patch, const RvmBatch *batch, guint samples,
    const float *predicted, GError **error);

/* For every sample of @batch a block of two rows: its source frames, then its targets, whole above and masked below, each with its gap. */
gboolean rvm_sheet_samples (const char *path, const RvmStepShape *shape, guint patch, const RvmBatch *batch, GError **error);

G_END_DECLS
