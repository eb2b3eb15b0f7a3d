/* Which steps can be joined, and how one step or several are launched. */
#include "chain.h"

#include <string.h>

#include "kernels/cl/flags.h"
#include "kernels/runtime/launch.h"
#include "row_launch.h"

/* What a queue holds back. RVM_CHAIN_STEPS is the longest run in the network, from one attention to the next. */
typedef struct {
  RvmChainStep steps[RVM_CHAIN_STEPS];
  guint n;
  RvmTiles tiles;
} Chain;

static void
each_buffer (const RvmChainStep *step, gboolean take)
{
  const RvmBuffer *buffers[] = { step->a.buffer, step->weights, step->bias, step->residual.buffer, step->pre_gelu.buffer, step->out.buffer };

  for (guint i = 0; i < G_N_ELEMENTS (buffers); i++)
    if (buffers[i] && take)
      rvm_buffer_ref ((RvmBuffer *) buffers[i]);
    else if (buffers[i])
      rvm_buffer_unref ((RvmBuffer *) buffers[i]);
}

static void
chain_free (gpointer data)
{
  Chain *chain = data;

  for (guint i = 0; i < chain->n; i++)
    each_buffer (&chain->steps[i], FALSE);
  g_free (chain);
}

/* What a step does with a buffer, in bytes: it uses row i for row i, or anything of it (stride 0). */
typedef struct {
  const RvmBuffer *buffer;
  gsize offset, stride, width;
  gboolean written;
} Access;

static Access
access_tensor (RvmTensor x, gboolean written)
{
  const gsize size = rvm_element_get_size (x.type);

  return (Access){ x.buffer, x.offset * size, x.stride * size, x.width * size, written };
}

static guint
list_accesses (const RvmChainStep *step, Access accesses[6])
{
  const gboolean own_residual_row = step->residual.rows == step->a.rows;
  const gsize n = step->out.width * sizeof (float);

  accesses[0] = access_tensor (step->a, FALSE);
  accesses[1] = access_tensor (step->out, TRUE);
  accesses[2] = (Access){ step->weights, 0, 0, 0, FALSE };
  accesses[3] = (Access){ step->bias, 0, 0, 0, FALSE };
  accesses[4] = (Access){ step->residual.buffer, 0, own_residual_row ? step->residual.stride * sizeof (float) : 0, n, FALSE };
  accesses[5] = (Access){ step->pre_gelu.buffer, 0, n, n, (step->flags & RVM_EPILOGUE_PRE_GELU) != 0 };
  return 6;
}

/* Norms join either kind of product, but those that give bfloat16 only one. */
static gboolean
needs_units (const RvmChainStep *step)
{
  return step->on_units || step->out.type == RVM_ELEMENT_BF16;
}

static gboolean
excludes_units (const RvmChainStep *step)
{
  return !step->is_norm && !step->on_units;
}

/* Whether @later would read or overwrite another row of @earlier. */
static gboolean
conflicts (const Access *earlier, const Access *later)
{
  if (earlier->buffer == NULL || earlier->buffer != later->buffer || !(earlier->written || later->written))
    return FALSE;
  return earlier->stride == 0 || earlier->stride != later->stride || earlier->offset + earlier->width > earlier->stride
      || later->offset + later->width > later->stride;
}

static gboolean
can_join (const Chain *chain, const RvmTiles *tiles, const RvmChainStep *step)
{
  Access later[6], earlier[6];
  const guint n_later = list_accesses (step, later);

  if (chain->n == RVM_CHAIN_STEPS || chain->steps[0].a.rows != step->a.rows || chain->tiles.gemm_rows != tiles->gemm_rows
      || chain->tiles.gemm_vectors != tiles->gemm_vectors || chain->tiles.gemm_vector != tiles->gemm_vector)
    return FALSE;
  for (guint s = 0; s < chain->n; s++) {
    const guint n_earlier = list_accesses (&chain->steps[s], earlier);

    if (!chain->steps[s].is_norm && !step->is_norm && (chain->steps[s].type != step->type || chain->steps[s].round != step->round))
      return FALSE;
    if ((needs_units (step) && excludes_units (&chain->steps[s])) || (needs_units (&chain->steps[s]) && excludes_units (step)))
      return FALSE;
    for (guint i = 0; i < n_earlier; i++)
      for (guint j = 0; j < n_later; j++)
        if (conflicts (&earlier[i], &later[j]))
          return FALSE;
  }
  return TRUE;
}

/* So many rows of the widest step as fit into a core's cache. Each block of rows reads all weights again, from a cache further away, so fewer and
 * larger blocks are faster, until a block's own rows no longer stay in cache from panel to panel. With small16 and base16 on cores with 2 MiB, blocks
 * of 132 rows are 6 and 3 % faster than blocks of 66. */
static guint
count_cached_rows (const RvmChainStep *steps, guint n, gsize cache)
{
  gsize widest = 1;

  for (guint s = 0; s < n; s++)
    if (!steps[s].is_norm)
      widest = MAX (widest, steps[s].a.width * rvm_element_get_size (steps[s].a.type) + steps[s].out.width * rvm_element_get_size (steps[s].out.type));
  return MIN (cache / widest, G_MAXUINT);
}

/* Rows of a block for @m rows on a device of @units compute units, at most about @most. The launch takes as long as the unit with the most rows.
 * Chooses the fewest blocks that are within 2 % of the best, because each block reads the weights again. */
static guint
choose_block (guint m, guint tile, guint units, guint most)
{
  const guint tiles = (m + tile - 1) / tile, fewest = (m + MAX (most, tile) - 1) / MAX (most, tile);
  guint best = 0, best_span = G_MAXUINT;

  for (guint blocks = tiles; blocks >= fewest; blocks--) {
    const guint rows = (m + blocks - 1) / blocks, span = (blocks + units - 1) / units * rows;

    if (span <= best_span + best_span / 50) {
      best = rows;
      best_span = MIN (span, best_span);
    }
  }
  return best;
}

static guint
count_residual_rows (const RvmChainStep *step)
{
  return step->residual.buffer ? step->residual.rows : step->a.rows;
}

/* The numbers of a step, at their places of cl/flags.h. */
static RvmArg
pack_numbers (const RvmChainStep *step)
{
  RvmArg numbers = {
    .kind = RVM_ARG_IS_UINT16,
    .value.many = {
      [RVM_STEP_A_OFFSET] = step->a.offset,
      [RVM_STEP_A_STRIDE] = step->a.stride,
      [RVM_STEP_RESIDUAL_ROWS] = count_residual_rows (step),
      [RVM_STEP_OUT_OFFSET] = step->out.offset,
      [RVM_STEP_OUT_STRIDE] = step->out.stride,
      [RVM_STEP_N] = step->out.width,
      [RVM_STEP_K] = step->a.width,
      [RVM_STEP_FLAGS] = step->flags | (step->a.type == RVM_ELEMENT_BF16 ? RVM_STEP_A_BF16 : 0) | (step->out.type == RVM_ELEMENT_BF16 ? RVM_STEP_OUT_BF16 : 0),
      [RVM_STEP_IS_NORM] = step->is_norm,
    },
  };

  memcpy (&numbers.value.many[RVM_STEP_EPSILON], &step->epsilon, sizeof step->epsilon);
  return numbers;
}

/* The buffers of a step. Those that the flags exclude are still arguments, because some drivers do not accept NULL. */
static const RvmBuffer *
bias_of (const RvmChainStep *step)
{
  return step->bias ? step->bias : step->weights;
}

static const RvmBuffer *
residual_of (const RvmChainStep *step)
{
  return step->residual.buffer ? step->residual.buffer : step->out.buffer;
}

static const RvmBuffer *
pre_gelu_of (const RvmChainStep *step)
{
  return step->pre_gelu.buffer ? step->pre_gelu.buffer : step->out.buffer;
}

/* The arguments of each step, at @args; the kernel has RVM_CHAIN_STEPS of them. */
static void
set_step_args (const RvmChainStep *steps, guint n, RvmArg *args)
{
  for (guint s = 0; s < RVM_CHAIN_STEPS; s++) {
    const RvmChainStep *step = &steps[MIN (s, n - 1)]; /* the kernel ignores those past the end, but they need arguments */

    *args++ = pack_numbers (step);
    *args++ = RVM_ARG_BUFFER (step->a.buffer);
    *args++ = RVM_ARG_BUFFER (step->weights);
    *args++ = RVM_ARG_BUFFER (bias_of (step));
    *args++ = RVM_ARG_BUFFER (residual_of (step));
    *args++ = RVM_ARG_BUFFER (pre_gelu_of (step));
    *args++ = RVM_ARG_BUFFER (step->out.buffer);
  }
}

/* Columns of the scratch memory in which a chain keeps the rounded input of a step; 0: nothing is rounded. */
static guint
count_rounded_columns (const RvmChainStep *steps, guint n)
{
  guint columns = 0;

  for (guint s = 0; s < n; s++)
    if (steps[s].round)
      columns = MAX (columns, steps[s].a.width);
  return columns;
}

static void
launch_joined (RvmQueue *queue, const RvmTiles *tiles, const RvmChainStep *steps, guint n)
{
  const RvmDevice *device = rvm_queue_get_device (queue);
  const guint m = steps[0].a.rows, columns = count_rounded_columns (steps, n);
  const guint block = choose_block (m, tiles->gemm_rows, MAX (1, rvm_device_get_compute_units (device)),
      count_cached_rows (steps, n, rvm_device_get_core_cache (device)));
  const RvmBuffer *scratch = columns ? rvm_queue_get_scratch (queue, (gsize) m * columns * sizeof (float)) : NULL;
  RvmArg args[5 + 7 * RVM_CHAIN_STEPS] = { RVM_ARG_UINT (m), RVM_ARG_UINT (block), RVM_ARG_UINT (n), RVM_ARG_BUFFER (scratch), RVM_ARG_UINT (columns) };
  const guint first = columns ? 5 : 3; /* argument of the steps: kernels that do not round have no scratch */
  RvmElement type = RVM_ELEMENT_F32; /* of all linear layers, as can_join() sees to */
  char options[160];

  if (columns && scratch == NULL)
    return;
  for (guint s = 0; s < n; s++)
    if (!steps[s].is_norm)
      type = steps[s].type;
  set_step_args (steps, n, args + first);
  g_snprintf (options, sizeof options, "-DRVM_CHAIN=1 -DRVM_VECTOR=%u -DRVM_ROWS=%u -DRVM_VECTORS=%u -DRVM_WEIGHTS=%d%s", tiles->gemm_vector,
      tiles->gemm_rows, tiles->gemm_vectors, type, columns ? " -DRVM_ROUND=1" : "");
  rvm_queue_launch (queue, &(RvmKernel){ "linear", "chain", options, NULL }, 1, (const gsize[]){ (m + block - 1) / block },
      (const gsize[]){ 1 }, first + 7 * RVM_CHAIN_STEPS, args);
}

/* Inputs that are not bfloat16 in whole steps of the instruction are packed by the kernel, into scratch. */
static guint
count_scratch_columns (const RvmChainStep *steps, guint n)
{
  guint columns = 0;

  for (guint s = 0; s < n; s++)
    if (steps[s].on_units && (steps[s].a.type != RVM_ELEMENT_BF16 || steps[s].a.width % RVM_UNITS_STEP != 0))
      columns = MAX (columns, (steps[s].a.width + RVM_UNITS_STEP - 1) / RVM_UNITS_STEP * RVM_UNITS_STEP);
  return columns;
}

/* One step or several by matrix units. Blocks are not smaller than a tile, if there are enough rows. */
static void
launch_on_units (RvmQueue *queue, const RvmChainStep *steps, guint n)
{
  const RvmDevice *device = rvm_queue_get_device (queue);
  const guint m = steps[0].a.rows, columns = count_scratch_columns (steps, n);
  const guint block = choose_block (m, rvm_units_get_rows (device), MAX (1, rvm_device_get_compute_units (device)),
      count_cached_rows (steps, n, rvm_device_get_core_cache (device)));
  const RvmBuffer *scratch = columns ? rvm_queue_get_scratch (queue, (gsize) m * columns * rvm_element_get_size (RVM_ELEMENT_BF16)) : steps[0].weights;
  RvmArg args[5 + 7 * RVM_CHAIN_STEPS] = {
    RVM_ARG_UINT (m), RVM_ARG_UINT (block), RVM_ARG_UINT (n), RVM_ARG_BUFFER (scratch), RVM_ARG_UINT (columns),
  };

  if (scratch == NULL)
    return;
  set_step_args (steps, n, args + 5);
  rvm_queue_launch (queue, &(RvmKernel){ "matrix_chain", "matrix_chain", rvm_units_get_options (device), NULL }, 1, (const gsize[]){ (m + block - 1) / block },
      (const gsize[]){ 1 }, G_N_ELEMENTS (args), args);
}

static void
launch_linear (RvmQueue *queue, const RvmTiles *tiles, const RvmChainStep *step)
{
  const guint panel = tiles->gemm_vector * tiles->gemm_vectors, side = tiles->gemm_side;
  const guint rows = side * tiles->gemm_rows, columns = side * panel; /* of a work-group */
  const gsize global[2] = {
    (gsize) (step->a.rows + rows - 1) / rows * side, (gsize) (step->out.width + columns - 1) / columns * side
  };
  const RvmArg args[] = {
    RVM_ARGS_TENSOR (step->a), RVM_ARG_BUFFER (step->weights), RVM_ARG_BUFFER (bias_of (step)), RVM_ARG_BUFFER (residual_of (step)),
    RVM_ARG_UINT (count_residual_rows (step)), RVM_ARG_BUFFER (pre_gelu_of (step)), RVM_ARGS_TENSOR (step->out),
    RVM_ARG_UINT (step->a.rows), RVM_ARG_UINT (step->out.width), RVM_ARG_UINT (step->a.width), RVM_ARG_UINT (step->flags),
  };
  char options[160];

  g_snprintf (options, sizeof options, "-DRVM_VECTOR=%u -DRVM_ROWS=%u -DRVM_VECTORS=%u -DRVM_SIDE=%u -DRVM_WEIGHTS=%d%s", tiles->gemm_vector,
      tiles->gemm_rows, tiles->gemm_vectors, side, step->type, step->round ? " -DRVM_ROUND=1" : "");
  rvm_queue_launch (queue, &(RvmKernel){ "linear", "gemm", options, NULL }, 2, global, (const gsize[]){ side, side }, G_N_ELEMENTS (args), args);
}

static void
launch_norm (RvmQueue *queue, const RvmChainStep *step)
{
  const RvmArg args[] = {
    RVM_ARG_BUFFER (step->a.buffer), RVM_ARG_BUFFER (step->weights), RVM_ARG_BUFFER (bias_of (step)), RVM_ARG_UINT (step->bias != NULL),
    RVM_ARG_BUFFER (step->out.buffer), RVM_ARG_UINT (step->out.width), RVM_ARG_FLOAT (step->epsilon),
  };

  rvm_launch_rows (queue, "norm", "layernorm", step->a.rows, G_N_ELEMENTS (args), args);
}

static void
launch (RvmQueue *queue, const RvmTiles *tiles, const RvmChainStep *steps, guint n)
{
  gboolean on_units = FALSE;

  for (guint s = 0; s < n; s++)
    on_units |= needs_units (&steps[s]);
  if (on_units)
    launch_on_units (queue, steps, n);
  else if (n > 1 || (steps[0].round && tiles->group == 1)) /* a chain rounds each row once, `gemm` rounds it for each panel */
    launch_joined (queue, tiles, steps, n);
  else if (steps[0].is_norm)
    launch_norm (queue, &steps[0]);
  else
    launch_linear (queue, tiles, &steps[0]);
}

/* The queue's hook for what is held back. */
static void
flush (RvmQueue *queue, gpointer data)
{
  Chain *chain = data;
  const guint n = chain->n;

  if (n == 0)
    return;
  chain->n = 0; /* first, since launching flushes */
  launch (queue, &chain->tiles, chain->steps, n);
  for (guint i = 0; i < n; i++)
    each_buffer (&chain->steps[i], FALSE);
}

static Chain *
get_chain (RvmQueue *queue)
{
  Chain *chain = rvm_queue_get_held (queue, flush);

  if (chain == NULL) {
    chain = g_new0 (Chain, 1);
    rvm_queue_hold (queue, flush, chain, chain_free);
  }
  return chain;
}

void
rvm_chain_run (RvmQueue *queue, const RvmTiles *tiles, const RvmChainStep *step)
{
  Chain *chain;

  if (rvm_queue_has_failed (queue))
    return;
  if (tiles->group != 1 || rvm_queue_is_profiling (queue)) {
    launch (queue, tiles, step, 1);
    return;
  }
  chain = get_chain (queue);
  if (chain->n && !can_join (chain, tiles, step))
    flush (queue, chain);
  chain->tiles = *tiles;
  chain->steps[chain->n++] = *step;
  each_buffer (step, TRUE);
}
