/* Backward pass of the decoder's input (rvm_decoder_tokens()): sums over tokens. The rule for gradients is stated in linear_backward.h. The gradient
 * with respect to the embedded tokens is rvm_gather_rows() on the rows of visible tokens. */
#pragma once

#include "tokens.h"

G_BEGIN_DECLS

/* @d: (pictures * tokens, dim). @slot: as in RvmDecoderTokens. @out: (2 * pictures, dim): for each picture the sum over its patches, then for each
 * picture the sum over its masked patches. */
void rvm_decoder_token_sums (RvmQueue *queue, RvmTensor d, const RvmBuffer *slot, RvmTensor out);

/* out[g] = sum of @x (pictures, dim) over the pictures whose gap is g. @gap: uint32 (pictures). @out: (gaps, dim). */
void rvm_sum_by_gap (RvmQueue *queue, RvmTensor x, const RvmBuffer *gap, RvmTensor out, gboolean accumulate);

G_END_DECLS
