/* Pixels to tokens (docs/model.md, section 1): patch embedding, positional code, class token. Private to model/ and trainer/.
 *
 * Everything but the product with the patch kernel is one table of (1 + rows * columns, dim) added in the product's store: row 0 is
 * the class token, row 1 + p the positional code of patch p plus the embedding's bias. */
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

/* The positional code for a grid: @rows * @columns * @dim floats. 16 x 16 is the published table itself; any other grid is its
 * bicubic resize with antialias, as jax.image.resize does (docs/model.md, section 1). */
void rvm_position_table (guint rows, guint columns, guint dim, float *table);

/* The published table's formula for @count positions in a row, which is what the decoder adds: @count * @dim floats. */
void rvm_position_code (guint count, guint dim, float *table);

/* The table that is added to the product: class token and bias as they are now, @position (rows * columns, dim), @out one row more. */
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
