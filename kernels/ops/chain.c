/* Deciding what can be joined, and launching it; see chain.h and the kernel `chain` in gemm.cl. */
#include "chain.h"

#include <string.h>

#include "linear_private.h"

#define MAX_STEPS 6       /* of the kernel: the longest run in the network, from one attention to the next */

struct _RvmChain {
  RvmChainStep steps[MAX_STEPS];
  guint n;
  RvmTiles tiles;
};

RvmChain *
rvm_chain_new (void)
{
  return g_new0 (RvmChain, 1);
}

static void
each_buffer (const RvmChainStep *step, gboolean take)
{
  const RvmBuffer *buffers[] = { step->a, step->w, step->bias, step->residual, step->inner, step->out };

  for (guint i = 0; i < G_N_ELEMENTS (buffers); i++)
    if (buffers[i] && take)
      rvm_buffer_ref ((RvmBuffer *) buffers[i]);
    else if (buffers[i])
      rvm_buffer_unref ((RvmBuffer *) buffers[i]);
}

void
rvm_chain_free (RvmChain *chain)
{
  for (guint i = 0; i < chain->n; i++)
    each_buffer (&chain->steps[i], FALSE);
  g_free (chain);
}

/* What a step does with a buffer: row i of it, or anything of it (stride 0). */
typedef struct {
  const RvmBuffer *buffer;
  guint offset, stride, width;
  gboolean written;
} Access;

static guint
list_accesses (const RvmChainStep *step, Access accesses[6])
{
  const gboolean inner_written = (step->flags & RVM_EPILOGUE_INNER) != 0;

  accesses[0] = (Access){ step->a, step->a_offset, step->a_stride, step->k, FALSE };
  accesses[1] = (Access){ step->out, step->out_offset, step->out_stride, step->n, TRUE };
  accesses[2] = (Access){ step->w, 0, 0, 0, FALSE };
  accesses[3] = (Access){ step->bias, 0, 0, 0, FALSE };
  accesses[4] = (Access){ step->residual, 0, step->residual_rows == step->m ? step->n : 0, step->n, FALSE };
  accesses[5] = (Access){ step->inner, 0, step->n, step->n, inner_written };
  return 6;
}

/* Whether @later would see, or spoil, another row of @earlier. */
static gboolean
conflicts (const Access *earlier, const Access *later)
{
  if (earlier->buffer == NULL || earlier->buffer != later->buffer || !(earlier->written || later->written))
    return FALSE;
  return earlier->stride == 0 || earlier->stride != later->stride || earlier->offset + earlier->width > earlier->stride
      || later->offset + later->width > later->stride;
}

static gboolean
goes_with (const RvmChain *chain, const RvmTiles *tiles, const RvmChainStep *step)
{
  Access later[6], earlier[6];
  const guint n_later = list_accesses (step, later);

  if (chain->n == MAX_STEPS || chain->steps[0].m != step->m || chain->tiles.gemm_rows != tiles->gemm_rows
      || chain->tiles.gemm_vectors != tiles->gemm_vectors || chain->tiles.gemm_vector != tiles->gemm_vector)
    return FALSE;
  for (guint s = 0; s < chain->n; s++) {
    const guint n_earlier = list_accesses (&chain->steps[s], earlier);

    if (!chain->steps[s].is_norm && !step->is_norm && chain->steps[s].half != step->half)
      return FALSE;
    for (guint i = 0; i < n_earlier; i++)
      for (guint j = 0; j < n_later; j++)
        if (conflicts (&earlier[i], &later[j]))
          return FALSE;
  }
  return TRUE;
}

gboolean
rvm_chain_add (RvmQueue *queue, const RvmTiles *tiles, const RvmChainStep *step)
{
  RvmChain *chain = rvm_queue_get_chain (queue);

  if (tiles->group != 1 || rvm_queue_is_profiling (queue) || rvm_queue_has_failed (queue))
    return FALSE;
  if (chain->n && !goes_with (chain, tiles, step))
    rvm_chain_flush (queue);
  chain->tiles = *tiles;
  chain->steps[chain->n++] = *step;
  each_buffer (step, TRUE);
  return TRUE;
}

/* Rows of the widest step that fill a core's cache. Each block reads all weights anew, from further away, so that fewer and larger blocks pay until their
 * own rows are read from there again for each panel: with small16 and base16 on cores with 2 MiB, 132 rows beat 66 by 6 and 3 %. */
static guint
rows_in_cache (const RvmChainStep *steps, guint n, gsize cache)
{
  gsize widest = 1;

  for (guint s = 0; s < n; s++)
    if (!steps[s].is_norm)
      widest = MAX (widest, (gsize) steps[s].k + steps[s].n);
  return MIN (cache / (widest * sizeof (float)), G_MAXUINT);
}

/* Rows of a work-group for @m rows on a device of @units, about @most at most. The time is that of the unit with most rows: the fewest blocks
 * that are within 2 % of the best, because each reads the weights anew. */
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

static void
launch (RvmQueue *queue, const RvmTiles *tiles, const RvmChainStep *steps, guint n)
{
  const RvmDevice *device = rvm_queue_get_device (queue);
  const guint m = steps[0].m;
  const guint block = choose_block (m, tiles->gemm_rows, MAX (1, rvm_device_get_compute_units (device)),
      rows_in_cache (steps, n, rvm_device_get_core_cache (device)));
  RvmArg args[3 + 7 * MAX_STEPS] = { RVM_ARG_UINT (m), RVM_ARG_UINT (block), RVM_ARG_UINT (n) };
  guint at = 3;
  gboolean half = FALSE;
  char options[128];

  for (guint s = 0; s < MAX_STEPS; s++) {
    const RvmChainStep *step = &steps[MIN (s, n - 1)]; /* those past the end only have to be there */
    RvmArg numbers = { .kind = RVM_ARG_IS_UINT16 };

    half |= !step->is_norm && step->half;
    memcpy (numbers.value.many,
        (const cl_uint[16]){
            step->a_offset, step->a_stride, MAX (1, step->residual_rows), step->out_offset, step->out_stride, step->n, step->k, step->flags,
            step->is_norm,
        },
        sizeof numbers.value.many);
    memcpy (&numbers.value.many[9], &step->epsilon, sizeof step->epsilon);
    args[at++] = numbers;
    /* Buffers that the flags exclude are still arguments: some drivers do not take NULL. */
    args[at++] = RVM_ARG_BUFFER (step->a);
    args[at++] = RVM_ARG_BUFFER (step->w);
    args[at++] = RVM_ARG_BUFFER (step->bias ? step->bias : step->w);
    args[at++] = RVM_ARG_BUFFER (step->residual ? step->residual : step->out);
    args[at++] = RVM_ARG_BUFFER (step->inner ? step->inner : step->out);
    args[at++] = RVM_ARG_BUFFER (step->out);
  }
  g_snprintf (options, sizeof options, "-DRVM_CHAIN=1 -DRVM_VECTOR=%u -DRVM_ROWS=%u -DRVM_VECTORS=%u -DRVM_HALF=%d", tiles->gemm_vector,
      tiles->gemm_rows, tiles->gemm_vectors, half);
  rvm_queue_launch (queue, rvm_queue_get_kernel (queue, "linear", "chain", options), "chain", 1, (const gsize[]){ (m + block - 1) / block },
      (const gsize[]){ 1 }, at, args);
}

void
rvm_chain_flush (RvmQueue *queue)
{
  RvmChain *chain = rvm_queue_get_chain (queue);
  const guint n = chain->n;

  if (n == 0)
    return;
  chain->n = 0; /* launching flushes */
  if (n == 1 && chain->steps[0].is_norm)
    rvm_layernorm_launch_step (queue, &chain->steps[0]);
  else if (n == 1)
    rvm_gemm_launch_step (queue, &chain->tiles, &chain->steps[0]);
  else
    launch (queue, &chain->tiles, chain->steps, n);
  for (guint i = 0; i < n; i++)
    each_buffer (&chain->steps[i], FALSE);
}
