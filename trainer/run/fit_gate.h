/* Fits the update gate of a core to what is covered: a patch of which nothing is seen leaves its state as it is, any other replaces it.
 *
 * The gate is the sigmoid of a linear function of the encoder's output e. A logistic regression on frames that are partly covered, where it is known
 * which patches are, gives the logarithm z (e) of the odds that a patch is covered, where all clear patches weigh ten times as much as all covered ones;
 * it is fitted by Newton's method. The gate of every channel becomes
 *
 *   u = sigmoid (-3 (z (e) - 0.3))
 *
 * and reads the state no more. Training finds this only slowly: the directions that tell covered patches apart are faint, and need large weights. */
#pragma once

#include "model/format/weights.h"
#include "model/model.h"
#include "trainer/data/sampler.h"

G_BEGIN_DECLS

typedef struct {
  guint dim;
  double *slope;       /* (dim): z (e) = slope . (e - mean) + constant */
  double *mean;        /* (dim) */
  double constant;
  char *description;   /* of the frames, for the metadata of weights */
  /* On a fourth of the frames, which the fit has not seen: */
  guint covered, clear;      /* patches */
  guint kept, replaced;      /* covered ones whose gate is below 0.1, and clear ones whose gate is above 0.9 */
} RvmGateFit;

void rvm_gate_fit_clear (RvmGateFit *fit);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RvmGateFit, rvm_gate_fit_clear)

/* Fits the gate to @frames frames that @sampler makes by @recipe: first source frames of samples, each of another size if the recipe has sizes. Of ten,
 * five are clear, one has a share of its patches covered, three a rectangle, and one is covered whole; with grey, or with black in one of three.
 * RVM_ERROR_ARGUMENT for fewer than 40 frames. */
gboolean rvm_gate_fit (RvmGateFit *fit, RvmModel *model, const RvmRecipe *recipe, RvmSampler *sampler, guint frames, GError **error);

/* Writes @weights with that gate to @path. Their metadata stay, and "gate" is added. RVM_ERROR_ARGUMENT if the scales and biases of the encoder's last layer norm leave no constant
 * (rvm_initialise_shift_gate()). */
gboolean rvm_gate_fit_save (const RvmGateFit *fit, RvmWeights *weights, const char *path, GError **error);

G_END_DECLS
