/* Squared error of reconstructed patches against uint8 pixels / 255, and its gradient. */
#pragma once

#include "tokens.h"

G_BEGIN_DECLS

typedef struct {
  RvmTensor predicted;     /* (pictures * tokens, patch * patch * 3) */
  const RvmBuffer *pixels; /* uint8 (pictures, rows * patch, columns * patch, 3) */
  const RvmBuffer *slot;   /* uint32 (pictures, tokens), as in RvmDecoderTokens */
  gboolean all;            /* every patch counts; FALSE: only the masked ones */
  float scale;             /* 2 / number of values that count */
  RvmTensor dpredicted;    /* like predicted: scale * (predicted - truth) for patches that count, else 0 */
  RvmBuffer *row_loss;     /* (pictures, tokens): sum of squares of each row, whether it counts or not; 0 for class tokens */
  guint pictures;
  RvmPatchGrid grid;
} RvmReconstructionLoss;

void rvm_reconstruction_loss (RvmQueue *queue, const RvmReconstructionLoss *loss);

G_END_DECLS
