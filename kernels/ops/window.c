/* Launches window.cl. */
#include "window.h"

#include "kernels/cl/flags.h"
#include "kernels/error.h"
#include "row_launch.h"
#include "tiles.h"

void
rvm_add_frame_code (RvmQueue *queue, RvmTensor x, RvmTensor code, const RvmBuffer *age, guint frames)
{
  const guint tokens = x.rows / frames;
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("frames", x, frames * tokens, x.width),
    RVM_CHECK_MATRIX ("temporal code", code, code.rows, x.width),
    RVM_CHECK_VECTOR ("ages", age, frames),
  };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (x.buffer), RVM_ARG_BUFFER (code.buffer), RVM_ARG_BUFFER (age), RVM_ARG_UINT (tokens), RVM_ARG_UINT (x.width),
  };

  if (rvm_tensors_check (queue, "temporal code", checks, G_N_ELEMENTS (checks)))
    rvm_launch_columns (queue, "window", "add_frame_code", x.width, x.rows, G_N_ELEMENTS (args), args);
}

void
rvm_sum_frames (RvmQueue *queue, RvmTensor x, RvmTensor out)
{
  const guint tokens = out.rows ? x.rows / out.rows : 0;
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("frames", x, out.rows * tokens, x.width),
    RVM_CHECK_MATRIX ("sums of frames", out, out.rows, x.width),
  };
  const RvmArg args[] = { RVM_ARG_BUFFER (x.buffer), RVM_ARG_BUFFER (out.buffer), RVM_ARG_UINT (tokens), RVM_ARG_UINT (x.width) };

  if (rvm_tensors_check (queue, "sums of frames", checks, G_N_ELEMENTS (checks)))
    rvm_launch_columns (queue, "window", "sum_frames", x.width, out.rows, G_N_ELEMENTS (args), args);
}

void
rvm_mean_rows (RvmQueue *queue, RvmTensor x, RvmTensor out)
{
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("rows", x, MAX (x.rows, 1), x.width),
    RVM_CHECK_MATRIX ("mean of rows", out, 1, x.width),
  };
  const RvmArg args[] = { RVM_ARG_BUFFER (x.buffer), RVM_ARG_BUFFER (out.buffer), RVM_ARG_UINT (x.rows), RVM_ARG_UINT (x.width) };

  if (rvm_tensors_check (queue, "mean of rows", checks, G_N_ELEMENTS (checks)))
    rvm_launch_columns (queue, "window", "mean_rows", x.width, 1, G_N_ELEMENTS (args), args);
}

void
rvm_subtract_rows (RvmQueue *queue, RvmTensor x, RvmTensor reference, RvmTensor out)
{
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("rows", x, x.rows, x.width),
    RVM_CHECK_MATRIX ("reference", reference, MAX (reference.rows, 1), x.width),
    RVM_CHECK_MATRIX ("output", out, x.rows, x.width),
  };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (x.buffer), RVM_ARG_BUFFER (reference.buffer), RVM_ARG_BUFFER (out.buffer), RVM_ARG_UINT (reference.rows), RVM_ARG_UINT (x.width),
  };

  if (rvm_tensors_check (queue, "difference of rows", checks, G_N_ELEMENTS (checks)))
    rvm_launch_columns (queue, "window", "subtract_rows", x.width, x.rows, G_N_ELEMENTS (args), args);
}

void
rvm_join_window (RvmQueue *queue, const RvmWindowJoin *join)
{
  const guint queries = join->out.rows, dim = join->out.width, heads = join->heads;
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("attention of states", join->attended, join->slots * queries, dim),
    RVM_CHECK_MATRIX ("logarithm of the sum of exponentials", join->log_sum_exp, join->slots * heads, queries),
    RVM_CHECK_VECTOR ("slots", join->slot, join->n),
    RVM_CHECK_MATRIX ("scores of the temporal code", join->score, MAX (join->score.rows, join->n * heads), queries),
    RVM_CHECK_MATRIX ("values of the temporal code", join->value, MAX (join->value.rows, join->n), dim),
    RVM_CHECK_MATRIX ("output", join->out, queries, dim),
  };
  const RvmArg args[] = {
    RVM_ARG_BUFFER (join->attended.buffer), RVM_ARG_BUFFER (join->log_sum_exp.buffer), RVM_ARG_BUFFER (join->slot),
    RVM_ARG_BUFFER (join->score.buffer), RVM_ARG_BUFFER (join->value.buffer), RVM_ARG_BUFFER (join->out.buffer), RVM_ARG_UINT (join->n),
    RVM_ARG_UINT (dim / heads),
  };
  char options[64];

  if (!rvm_tensors_check (queue, "attention over a window", checks, G_N_ELEMENTS (checks)))
    return;
  if (join->n == 0 || join->n > RVM_WINDOW_STATES) {
    rvm_queue_fail (queue, g_error_new (RVM_ERROR, RVM_ERROR_ARGUMENT, "attention over a window: %u states, expected 1 to %u", join->n,
                               RVM_WINDOW_STATES));
    return;
  }
  g_snprintf (options, sizeof options, "-DRVM_VECTOR=%u", rvm_tiles_for_device (rvm_queue_get_device (queue)).vector);
  rvm_queue_launch (queue, &(RvmKernel){ "window", "join_window", options, NULL }, 2, (const gsize[]){ heads, queries }, NULL, G_N_ELEMENTS (args),
      args);
}
