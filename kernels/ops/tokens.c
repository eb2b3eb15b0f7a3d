/* Launches patches.cl and tokens.cl. */
#include "tokens.h"

#include "row_launch.h"

static guint
count_tokens (const RvmPatchGrid *grid)
{
  return 1 + grid->rows * grid->columns;
}

void
rvm_patches (RvmQueue *queue, const RvmBuffer *pixels, RvmTensor out, guint pictures, const RvmPatchGrid *grid)
{
  const gsize global[2] = { out.rows, grid->patch };
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("output", out, pictures * count_tokens (grid), grid->patch * grid->patch * 3),
  };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (pixels), RVM_ARG_BUFFER (out.buffer), RVM_ARG_UINT (grid->rows), RVM_ARG_UINT (grid->columns), RVM_ARG_UINT (grid->patch),
  };

  if (rvm_tensors_check (queue, "patches", checks, G_N_ELEMENTS (checks)))
    rvm_queue_launch (queue, &(RvmKernel){ "patches", "patches", "", NULL }, 2, global, NULL, G_N_ELEMENTS (args), args);
}

void
rvm_visible_patches (RvmQueue *queue, const RvmBuffer *pixels, const RvmBuffer *visible, RvmTensor out, guint pictures,
    const RvmPatchGrid *grid)
{
  const guint kept = out.rows / pictures;
  const gsize global[2] = { out.rows, grid->patch };
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("output", out, pictures * kept, grid->patch * grid->patch * 3),
  };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (pixels), RVM_ARG_BUFFER (visible), RVM_ARG_BUFFER (out.buffer), RVM_ARG_UINT (kept), RVM_ARG_UINT (grid->rows),
    RVM_ARG_UINT (grid->columns), RVM_ARG_UINT (grid->patch),
  };

  if (rvm_tensors_check (queue, "visible patches", checks, G_N_ELEMENTS (checks)))
    rvm_queue_launch (queue, &(RvmKernel){ "patches", "visible_patches", "", NULL }, 2, global, NULL, G_N_ELEMENTS (args), args);
}

void
rvm_token_table (RvmQueue *queue, const RvmBuffer *class_token, const RvmBuffer *bias, RvmTensor position, RvmTensor out)
{
  const guint dim = position.width;
  const RvmTensorCheck checks[] = {
    RVM_CHECK_VECTOR ("class token", class_token, dim),
    RVM_CHECK_VECTOR ("bias", bias, dim),
    RVM_CHECK_MATRIX ("positions", position, position.rows, dim),
    RVM_CHECK_MATRIX ("table", out, 1 + position.rows, dim),
  };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (class_token), RVM_ARG_BUFFER (bias), RVM_ARG_BUFFER (position.buffer), RVM_ARG_BUFFER (out.buffer), RVM_ARG_UINT (dim),
  };

  if (rvm_tensors_check (queue, "table of tokens", checks, G_N_ELEMENTS (checks)))
    rvm_launch_columns (queue, "tokens", "token_table", dim, out.rows, G_N_ELEMENTS (args), args);
}

void
rvm_gather_rows (RvmQueue *queue, RvmTensor x, const RvmBuffer *index, RvmTensor out)
{
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("rows", x, x.rows, x.width),
    RVM_CHECK_MATRIX ("output", out, out.rows, x.width),
  };
  const RvmArg args[] = { RVM_ARG_BUFFER (x.buffer), RVM_ARG_BUFFER (index), RVM_ARG_BUFFER (out.buffer), RVM_ARG_UINT (x.width) };

  if (rvm_tensors_check (queue, "selection of rows", checks, G_N_ELEMENTS (checks)))
    rvm_launch_columns (queue, "tokens", "gather_rows", x.width, out.rows, G_N_ELEMENTS (args), args);
}

void
rvm_add_position (RvmQueue *queue, RvmTensor x, RvmTensor position, guint pictures)
{
  const guint tokens = x.rows / pictures;
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("tokens", x, pictures * tokens, x.width),
    RVM_CHECK_MATRIX ("positions", position, tokens - 1, x.width),
  };
  const RvmArg args[] = { RVM_ARG_BUFFER (x.buffer), RVM_ARG_BUFFER (position.buffer), RVM_ARG_UINT (tokens), RVM_ARG_UINT (x.width) };

  if (rvm_tensors_check (queue, "positional encoding", checks, G_N_ELEMENTS (checks)))
    rvm_launch_columns (queue, "tokens", "add_position", x.width, x.rows, G_N_ELEMENTS (args), args);
}

/* Whether @one is one of the @n frames of each of the @samples in @frames. */
static gboolean
check_frames (RvmQueue *queue, RvmTensor one, RvmTensor frames, guint samples, guint n)
{
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("frame", one, one.rows / samples * samples, one.width),
    RVM_CHECK_MATRIX ("frames", frames, one.rows * n, one.width),
  };

  return rvm_tensors_check (queue, "frames of samples", checks, G_N_ELEMENTS (checks));
}

void
rvm_put_frame (RvmQueue *queue, RvmTensor one, RvmTensor frames, guint samples, guint n, guint frame)
{
  const RvmArg args[] = {
    RVM_ARG_BUFFER (one.buffer), RVM_ARG_BUFFER (frames.buffer), RVM_ARG_UINT (n), RVM_ARG_UINT (frame), RVM_ARG_UINT (one.rows / samples),
    RVM_ARG_UINT (one.width),
  };

  if (check_frames (queue, one, frames, samples, n))
    rvm_launch_columns (queue, "tokens", "put_frame", one.width, one.rows, G_N_ELEMENTS (args), args);
}

void
rvm_get_frame (RvmQueue *queue, RvmTensor frames, RvmTensor added, RvmTensor one, guint samples, guint n, guint frame)
{
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("added frame", added.buffer ? added : one, one.rows, one.width),
  };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (frames.buffer), RVM_ARG_BUFFER (added.buffer ? added.buffer : one.buffer), RVM_ARG_BUFFER (one.buffer), RVM_ARG_UINT (n),
    RVM_ARG_UINT (frame), RVM_ARG_UINT (one.rows / samples), RVM_ARG_UINT (one.width), RVM_ARG_UINT (added.buffer != NULL),
  };

  if (check_frames (queue, one, frames, samples, n) && rvm_tensors_check (queue, "frames of samples", checks, G_N_ELEMENTS (checks)))
    rvm_launch_columns (queue, "tokens", "get_frame", one.width, one.rows, G_N_ELEMENTS (args), args);
}

void
rvm_decoder_tokens (RvmQueue *queue, const RvmDecoderTokens *tokens)
{
  const guint dim = tokens->out.width, of_picture = tokens->out.rows / tokens->pictures, kept = tokens->embedded.rows / tokens->pictures;
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("embedded tokens", tokens->embedded, tokens->pictures * kept, dim),
    RVM_CHECK_VECTOR ("mask token", tokens->mask_token, dim),
    RVM_CHECK_MATRIX ("positions", tokens->position, of_picture - 1, dim),
    RVM_CHECK_VECTOR ("bias of gaps", tokens->gap_bias, dim),
    RVM_CHECK_MATRIX ("output", tokens->out, tokens->pictures * of_picture, dim),
  };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (tokens->embedded.buffer), RVM_ARG_BUFFER (tokens->slot), RVM_ARG_BUFFER (tokens->mask_token),
    RVM_ARG_BUFFER (tokens->position.buffer), RVM_ARG_BUFFER (tokens->gap_kernel), RVM_ARG_BUFFER (tokens->gap_bias),
    RVM_ARG_BUFFER (tokens->gap), RVM_ARG_BUFFER (tokens->out.buffer), RVM_ARG_UINT (kept), RVM_ARG_UINT (of_picture), RVM_ARG_UINT (dim),
  };

  if (rvm_tensors_check (queue, "input of the decoder", checks, G_N_ELEMENTS (checks)))
    rvm_launch_columns (queue, "tokens", "decoder_tokens", dim, tokens->out.rows, G_N_ELEMENTS (args), args);
}
