/* Launches correspondence.cl: query and key are made comparable, multiplied, and the gradient takes the same steps in reverse. */
#include "correspondence.h"

#include "kernels/runtime/launch.h"

#define PRODUCT_ROWS 8 /* as in correspondence.cl */
#define GROUP 32       /* work-items of a work-group: always the same, as PoCL compiles a kernel anew for each size */
#define EPSILON 1e-6f  /* added to a variance: a channel that is the same everywhere says nothing about places */

/* Offsets into the scratch memory of what belongs to one of the two frames. */
typedef struct {
  guint unit, dunit, moments, lengths;
} Side;

typedef struct {
  Side query, key;
  guint by_key, by_query;
  guint64 size;
} Layout;

static guint
take (Layout *layout, guint64 size)
{
  const guint64 offset = layout->size;

  layout->size += size;
  return offset;
}

static Side
take_side (Layout *layout, guint64 samples, guint64 patches, guint64 dim)
{
  return (Side){
    .unit = take (layout, samples * dim * patches), .dunit = take (layout, samples * dim * patches),
    .moments = take (layout, samples * 2 * dim), .lengths = take (layout, samples * patches),
  };
}

static Layout
lay_out (guint64 samples, guint64 tokens, guint64 dim)
{
  const guint64 patches = tokens - 1;
  Layout layout = { .size = 0 };

  layout.query = take_side (&layout, samples, patches, dim);
  layout.key = take_side (&layout, samples, patches, dim);
  layout.by_key = take (&layout, samples * patches * patches);
  layout.by_query = take (&layout, samples * patches * patches);
  return layout;
}

guint64
rvm_correspondence_scratch (guint64 samples, guint64 tokens, guint64 dim)
{
  return lay_out (samples, tokens, dim).size;
}

static void
launch (RvmQueue *queue, const char *name, guint width, guint rows, guint samples, guint n_args, const RvmArg *args)
{
  const gsize global[] = { ((gsize) width + GROUP - 1) / GROUP * GROUP, rows, samples }, local[] = { GROUP, 1, 1 };

  rvm_queue_launch (queue, &(RvmKernel){ "correspondence", name, "", NULL }, 3, global, local, n_args, args);
}

static void
make_comparable (RvmQueue *queue, const RvmCorrespondence *loss, const Side *side, RvmTensor x)
{
  const guint patches = loss->tokens - 1, dim = x.width;
  const RvmArg moments[] = {
    RVM_ARG_BUFFER (x.buffer), RVM_ARG_BUFFER (loss->scratch), RVM_ARG_UINT (side->moments), RVM_ARG_UINT (patches), RVM_ARG_FLOAT (EPSILON),
    RVM_ARG_UINT (dim),
  };
  const RvmArg unit[] = {
    RVM_ARG_BUFFER (x.buffer), RVM_ARG_BUFFER (loss->scratch), RVM_ARG_UINT (side->moments), RVM_ARG_UINT (side->lengths),
    RVM_ARG_UINT (side->unit), RVM_ARG_UINT (dim), RVM_ARG_UINT (patches),
  };

  launch (queue, "channel_moments", dim, 1, loss->samples, G_N_ELEMENTS (moments), moments);
  launch (queue, "unit_patches", patches, 1, loss->samples, G_N_ELEMENTS (unit), unit);
}

static void
make_comparable_backward (RvmQueue *queue, const RvmCorrespondence *loss, const Side *side, RvmTensor dx)
{
  const guint patches = loss->tokens - 1, dim = dx.width;
  const RvmArg unit[] = {
    RVM_ARG_BUFFER (loss->scratch), RVM_ARG_UINT (side->lengths), RVM_ARG_UINT (side->unit), RVM_ARG_UINT (side->dunit), RVM_ARG_UINT (dim),
    RVM_ARG_UINT (patches),
  };
  const RvmArg moments[] = {
    RVM_ARG_BUFFER (loss->scratch), RVM_ARG_UINT (side->moments), RVM_ARG_UINT (side->lengths), RVM_ARG_UINT (side->unit),
    RVM_ARG_UINT (side->dunit), RVM_ARG_BUFFER (dx.buffer), RVM_ARG_UINT (patches), RVM_ARG_UINT (dim),
  };

  launch (queue, "unit_patches_backward", patches, 1, loss->samples, G_N_ELEMENTS (unit), unit);
  launch (queue, "channel_moments_backward", dim, 1, loss->samples, G_N_ELEMENTS (moments), moments);
}

/* A matrix (k, m) of each sample, wherever it is in the scratch memory: the step from one k, and from one m, to the next. */
typedef struct {
  guint offset, k_step, m_step;
} Left;

static void
multiply (RvmQueue *queue, const RvmCorrespondence *loss, Left a, guint b, guint out, guint k, guint m)
{
  const guint patches = loss->tokens - 1;
  const RvmArg args[] = {
    RVM_ARG_BUFFER (loss->scratch), RVM_ARG_UINT (a.offset), RVM_ARG_UINT (a.k_step), RVM_ARG_UINT (a.m_step), RVM_ARG_UINT (b),
    RVM_ARG_UINT (out), RVM_ARG_UINT (k), RVM_ARG_UINT (m), RVM_ARG_UINT (patches),
  };

  launch (queue, "sample_products", patches, (m + PRODUCT_ROWS - 1) / PRODUCT_ROWS, loss->samples, G_N_ELEMENTS (args), args);
}

static gboolean
check (RvmQueue *queue, const RvmCorrespondence *loss, guint64 scratch)
{
  const guint rows = loss->samples * loss->tokens, dim = loss->query.width, queries = loss->samples * (loss->tokens - 1);
  const RvmTensorCheck checks[] = {
    RVM_CHECK_MATRIX ("query", loss->query, rows, dim),
    RVM_CHECK_MATRIX ("key", loss->key, rows, dim),
    RVM_CHECK_MATRIX ("gradient of query", loss->dquery, rows, dim),
    RVM_CHECK_MATRIX ("gradient of key", loss->dkey, rows, dim),
    RVM_CHECK_VECTOR ("matches", loss->match, queries),
    RVM_CHECK_VECTOR ("losses of rows", loss->row_loss, queries),
    RVM_CHECK_VECTOR ("found", loss->found, queries),
    RVM_CHECK_VECTOR ("scratch", loss->scratch, scratch),
    RVM_CHECK_VECTOR ("objects", loss->object, 2 * queries),
    RVM_CHECK_VECTOR ("losses of objects", loss->object_loss, queries),
  };

  return rvm_tensors_check (queue, "correspondence", checks, G_N_ELEMENTS (checks) - (loss->object ? 0 : 2));
}

/* Losses, and in by_query the gradient with respect to the products that are in by_key. */
static void
compare (RvmQueue *queue, const RvmCorrespondence *loss, const Layout *at)
{
  const guint patches = loss->tokens - 1;
  const float sharpness = 1 / loss->temperature;
  const RvmArg places[] = {
    RVM_ARG_BUFFER (loss->scratch), RVM_ARG_UINT (at->by_key), RVM_ARG_UINT (at->by_query), RVM_ARG_BUFFER (loss->match),
    RVM_ARG_BUFFER (loss->row_loss), RVM_ARG_BUFFER (loss->found), RVM_ARG_FLOAT (sharpness), RVM_ARG_FLOAT (loss->scale),
    RVM_ARG_UINT (patches),
  };
  const RvmArg objects[] = {
    RVM_ARG_BUFFER (loss->scratch), RVM_ARG_UINT (at->by_key), RVM_ARG_UINT (at->by_query), RVM_ARG_BUFFER (loss->object),
    RVM_ARG_BUFFER (loss->object_loss), RVM_ARG_FLOAT (sharpness), RVM_ARG_FLOAT (loss->object_scale), RVM_ARG_UINT (patches),
  };

  launch (queue, "match_loss", patches, 1, loss->samples, G_N_ELEMENTS (places), places);
  if (loss->object)
    launch (queue, "object_loss", patches, 1, loss->samples, G_N_ELEMENTS (objects), objects);
}

void
rvm_correspondence_loss (RvmQueue *queue, const RvmCorrespondence *loss)
{
  const guint patches = loss->tokens - 1, dim = loss->query.width;
  const Layout at = lay_out (loss->samples, loss->tokens, dim);
  const RvmArg transpose[] = {
    RVM_ARG_BUFFER (loss->scratch), RVM_ARG_UINT (at.by_key), RVM_ARG_UINT (at.by_query), RVM_ARG_UINT (patches),
  };

  if (!check (queue, loss, at.size))
    return;
  make_comparable (queue, loss, &at.query, loss->query);
  make_comparable (queue, loss, &at.key, loss->key);
  multiply (queue, loss, (Left){ at.key.unit, patches, 1 }, at.query.unit, at.by_key, dim, patches);
  compare (queue, loss, &at);
  launch (queue, "transpose_gradient", patches, 1, loss->samples, G_N_ELEMENTS (transpose), transpose);
  multiply (queue, loss, (Left){ at.key.unit, 1, patches }, at.by_key, at.query.dunit, patches, dim);
  multiply (queue, loss, (Left){ at.query.unit, 1, patches }, at.by_query, at.key.dunit, patches, dim);
  make_comparable_backward (queue, loss, &at.query, loss->dquery);
  make_comparable_backward (queue, loss, &at.key, loss->dkey);
}
