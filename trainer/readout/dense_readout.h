/* Dense readouts (labels, depth) from pictures of what is where: measured on pictures that were held out, beside everything simpler that might do as well. */
#pragma once

#include "dense_report.h"

G_BEGIN_DECLS

/* @data: its targets are learned from. @test: (nullable): what is measured on; without it, a fifth of @data, by groups, is held out, and the readout is then
 * made from all. Both are changed. Interrupts, which the caller has caught, end it with an error. The number of classes, of @options->kind, may be 0. */
RvmDenseReport *rvm_dense_readout_train (const RvmDenseOptions *options, RvmModel *model, RvmTargets *data, RvmTargets *test, GError **error);
G_END_DECLS
