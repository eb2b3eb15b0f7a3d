/* Rows of tokens: what the patch embedding multiplies and adds, the decoder's input, and frames of a clip.
 *
 *                  dim
 *              +---------+
 *     token 0  |         |  the class token
 *           1  |         |  patch 0                Matrices of tokens hold one picture after the other and are contiguous.
 *           2  |         |  patch 1                tokens = 1 + patches, of a picture.
 *              |   ...   |
 *              +---------+ */
#pragma once

#include "kernels/cl/flags.h" /* RVM_SLOT_HIDDEN */
#include "kernels/tensor.h"

G_BEGIN_DECLS

/* A picture is a grid of @rows x @columns patches of @patch x @patch pixels. */
typedef struct {
  guint rows, columns, patch;
} RvmPatchGrid;

/* Pictures to rows of a matrix. @pixels: uint8 (pictures, rows * patch, columns * patch, 3). @out: (pictures * tokens, patch * patch * 3): pixels /
 * 255 in the order (row, column, channel) of a patch. The row of a class token is zero; rvm_token_table() adds the class token to it. */
void rvm_patches (RvmQueue *queue, const RvmBuffer *pixels, RvmTensor out, guint pictures, const RvmPatchGrid *grid);

/* The same for some tokens only. @visible: uint32 (pictures, kept), 0 for the class token, 1 + p for patch p. @out: (pictures * kept, ...). */
void rvm_visible_patches (RvmQueue *queue, const RvmBuffer *pixels, const RvmBuffer *visible, RvmTensor out, guint pictures,
    const RvmPatchGrid *grid);

/* What is added to the product of patches and kernel. @position: (patches, dim). @out: (1 + patches, dim); row 0 is @class_token (dim), row 1 + p is
 * row p of @position plus @bias (dim). */
void rvm_token_table (RvmQueue *queue, const RvmBuffer *class_token, const RvmBuffer *bias, RvmTensor position, RvmTensor out);

/* out[i] = x[index[i]]. @x: (any rows, dim). @index: uint32 (rows of @out). The caller checks that every index is a row of @x. */
void rvm_gather_rows (RvmQueue *queue, RvmTensor x, const RvmBuffer *index, RvmTensor out);

/* x += position, for the patches of each picture. @x: (pictures * tokens, dim). @position: (patches, dim). */
void rvm_add_position (RvmQueue *queue, RvmTensor x, RvmTensor position, guint pictures);

/* Copies frame @frame of each sample. Each of the @samples samples of @frames has @n frames, of as many rows as those of @one divided by @samples.
 * @added: RVM_TENSOR_NONE, or what is added to the copy; may be @one. */
void rvm_put_frame (RvmQueue *queue, RvmTensor one, RvmTensor frames, guint samples, guint n, guint frame);
void rvm_get_frame (RvmQueue *queue, RvmTensor frames, RvmTensor added, RvmTensor one, guint samples, guint n, guint frame);

/* The decoder's input. A token is its embedding if it is visible, otherwise @mask_token; patches also get their positional encoding and the embedding
 * of their picture's gap. */
typedef struct {
  RvmTensor embedded;          /* (pictures * kept, dim) */
  const RvmBuffer *slot;       /* uint32 (pictures, tokens): place among the visible tokens of the picture, or RVM_SLOT_HIDDEN */
  const RvmBuffer *mask_token; /* (dim) */
  RvmTensor position;          /* (tokens - 1, dim) */
  const RvmBuffer *gap_kernel; /* (gaps, dim) */
  const RvmBuffer *gap_bias;   /* (dim) */
  const RvmBuffer *gap;        /* uint32 (pictures), each less than gaps */
  RvmTensor out;               /* (pictures * tokens, dim) */
  guint pictures;
} RvmDecoderTokens;

void rvm_decoder_tokens (RvmQueue *queue, const RvmDecoderTokens *tokens);

G_END_DECLS
