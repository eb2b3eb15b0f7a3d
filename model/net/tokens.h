/* From pixels to tokens (docs/model.md, section 1): patch embedding, positional encoding, class token. Private to model/ and trainer/.
 *
 * All that is added to the product with the patch kernel is one table, (1 + rows * columns, dim): row 0 is the class token, row 1 + p is the positional
 * encoding of patch p plus the bias of the embedding. */
#pragma once

#include "model/loader.h"

G_BEGIN_DECLS

typedef struct {
  guint patch, dim;
  RvmLinear *embed;       /* (patch * patch * 3, dim), no bias */
  RvmBuffer *bias;        /* (dim) */
  RvmBuffer *class_token; /* (dim) */
} RvmTokenizer;

void rvm_tokenizer_load (RvmTokenizer *tokenizer, RvmLoader *loader, guint patch, guint dim);
void rvm_tokenizer_clear (RvmTokenizer *tokenizer);

/* The positional encoding for a grid: @rows * @columns * @dim floats. For 16 x 16 it is the published table. For any other grid that table is resized
 * as jax.image.resize does, bicubic and with antialiasing (docs/model.md, section 1). */
void rvm_position_table (guint rows, guint columns, guint dim, float *table);

/* The formula of the published table for @count positions in one row, which is what the decoder adds: @count * @dim floats. */
void rvm_position_code (guint count, guint dim, float *table);

/* Computes the table that is added to the product, from the present class token and bias. @position: (rows * columns, dim). @out: one row more. */
void rvm_tokenizer_make_table (RvmQueue *queue, const RvmTokenizer *tokenizer, const RvmBuffer *position, RvmBuffer *out, guint patches);

/* @pixels uint8 (batch, rows * patch, columns * patch, 3); @patches (batch * tokens, patch * patch * 3) is scratch; @out (batch * tokens, dim). */
void rvm_tokenizer_forward (RvmQueue *queue, const RvmTokenizer *tokenizer, const RvmBuffer *table, const RvmBuffer *pixels,
    RvmBuffer *patches, RvmBuffer *out, guint batch, guint rows, guint columns);

/* The same for some tokens only. @visible uint32 (batch, kept): 0 for the class token, 1 + p for patch p. @added (batch * kept, dim) is
 * scratch. */
typedef struct {
  const RvmBuffer *pixels, *visible;
  RvmBuffer *patches; /* (batch * kept, patch * patch * 3) */
  RvmBuffer *added;
  RvmBuffer *out;     /* (batch * kept, dim) */
  guint batch, kept, rows, columns;
} RvmVisibleTokens;

void rvm_tokenizer_forward_visible (RvmQueue *queue, const RvmTokenizer *tokenizer, const RvmBuffer *table, const RvmVisibleTokens *visible);

guint64 rvm_tokenizer_flops (const RvmTokenizer *tokenizer, guint64 patches);

G_END_DECLS
