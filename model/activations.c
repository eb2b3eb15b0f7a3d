/* One allocation per family of activations; see activations.h. */
#include "activations.h"

/* Where the next buffer comes from. Families are what may share memory: two layers never need the same family at once. */
typedef struct {
  RvmDevice *device;
  GPtrArray *buffers;
  guint64 rows; /* batch * tokens */
  gboolean keep;
  GError **error;
  gboolean failed;
} Allocator;

static RvmBuffer *
allocate (Allocator *allocator, guint64 bytes, const char *what)
{
  RvmBuffer *buffer;

  if (allocator->failed)
    return NULL;
  buffer = rvm_buffer_new (allocator->device, bytes, what, allocator->error);
  if (buffer == NULL)
    allocator->failed = TRUE;
  else
    g_ptr_array_add (allocator->buffers, buffer);
  return buffer;
}

static RvmBuffer *
rows_of (Allocator *allocator, guint64 width, const char *what)
{
  return allocate (allocator, allocator->rows * width * sizeof (float), what);
}

/* A member of a family: its own buffer if activations are kept, else the family's one. */
static RvmBuffer *
member (Allocator *allocator, RvmBuffer *family, guint64 width, const char *what)
{
  return allocator->keep ? rows_of (allocator, width, what) : family;
}

typedef struct {
  RvmBuffer *x, *norm, *projected, *mixed, *hidden;
} Families;

static void
fill_attention (Allocator *allocator, const Families *families, RvmAttentionActivations *act, guint64 dim, guint64 projected)
{
  act->norm = member (allocator, families->norm, dim, "normalised tokens");
  act->projected = member (allocator, families->projected, projected, "queries, keys and values");
  act->mixed = member (allocator, families->mixed, dim, "attention output");
  act->out = member (allocator, families->x, dim, "tokens");
}

static void
fill_mlp (Allocator *allocator, const Families *families, RvmMlpActivations *act, guint64 dim, guint64 hidden)
{
  act->norm = member (allocator, families->norm, dim, "normalised tokens");
  act->hidden = member (allocator, families->hidden, hidden, "hidden layer");
  act->out = member (allocator, families->x, dim, "tokens");
}

static void
fill_core (Allocator *allocator, const Families *families, RvmCoreActivations *core, const RvmTransformerConfig *config)
{
  const guint64 dim = config->dim;

  core->gates = rows_of (allocator, 2 * dim, "gates");
  core->context = rows_of (allocator, dim, "context");
  core->update_mean = rows_of (allocator, 1, "mean gates");
  core->projected = rows_of (allocator, 2 * dim * config->layers, "keys and values of the context");
  core->candidate = member (allocator, families->norm, dim, "candidate");
  core->blocks = g_new0 (RvmCrossBlockActivations, config->layers);
  for (guint i = 0; i < config->layers; i++) {
    fill_attention (allocator, families, &core->blocks[i].cross, dim, dim);
    fill_mlp (allocator, families, &core->blocks[i].mlp, dim, config->mlp);
    fill_attention (allocator, families, &core->blocks[i].self, dim, 3 * dim);
  }
}

RvmActivations *
rvm_activations_new (const RvmModel *model, guint batch, guint rows, guint columns, gboolean keep, GError **error)
{
  g_autoptr (RvmActivations) act = g_new0 (RvmActivations, 1);
  const RvmConfig *config = &model->config;
  const guint64 dim = config->encoder.dim, patches = (guint64) rows * columns;
  const guint64 pixels = (guint64) config->patch * config->patch * 3;
  Allocator allocator = { .device = model->device, .rows = batch * (patches + 1), .keep = keep, .error = error };
  Families families = { 0 };

  act->buffers = allocator.buffers = g_ptr_array_new_with_free_func ((GDestroyNotify) rvm_buffer_unref);
  act->pixels = allocate (&allocator, batch * patches * pixels, "pixels");
  act->patches = rows_of (&allocator, pixels, "patches");
  act->tokens = rows_of (&allocator, dim, "tokens");
  act->encoded = rows_of (&allocator, dim, "encoder output");
  if (!keep) {
    families.x = act->tokens;
    families.norm = rows_of (&allocator, dim, "normalised tokens");
    families.projected = rows_of (&allocator, 3 * dim, "queries, keys and values");
    families.mixed = rows_of (&allocator, dim, "attention output");
    families.hidden = rows_of (&allocator, MAX (config->encoder.mlp, config->core.mlp), "hidden layer");
  }
  act->blocks = g_new0 (RvmEncoderBlockActivations, config->encoder.layers);
  for (guint i = 0; i < config->encoder.layers; i++) {
    fill_attention (&allocator, &families, &act->blocks[i].attention, dim, 3 * dim);
    fill_mlp (&allocator, &families, &act->blocks[i].mlp, dim, config->encoder.mlp);
  }
  fill_core (&allocator, &families, &act->core, &config->core);
  return allocator.failed ? NULL : g_steal_pointer (&act);
}

void
rvm_activations_free (RvmActivations *activations)
{
  if (activations == NULL)
    return;
  g_free (activations->blocks);
  g_free (activations->core.blocks);
  g_ptr_array_unref (activations->buffers);
  g_free (activations);
}
