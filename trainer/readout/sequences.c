#include "sequences.h"

#include <math.h>
#include <string.h>

static const guint cells[RVM_POOLS] = { 1, 2, 4, 8 };

#define MOST_VALUES 16384 /* of a pooled state */

guint
rvm_sequence_get_cells (guint pool)
{
  return cells[pool];
}

void
rvm_sequence_free (RvmSequence *sequence)
{
  if (sequence == NULL)
    return;
  g_free (sequence->frame);
  for (guint pool = 0; pool < sequence->pools; pool++)
    g_free (sequence->values[pool]);
  g_free (sequence);
}

RvmSequence *
rvm_sequence_new (const RvmClipFeatures *features, RvmSequenceSource source, guint rows, guint columns)
{
  RvmSequence *sequence = g_new0 (RvmSequence, 1);
  const float *from = source == RVM_SEQUENCE_ENCODER ? features->encoded : features->state;
  const gboolean grey = source == RVM_SEQUENCE_GREY || source == RVM_SEQUENCE_CHANGE;

  sequence->n = features->n;
  sequence->frame = g_memdup2 (features->frame, features->n * sizeof (guint));
  sequence->pools = grey ? 1 : RVM_POOLS;
  sequence->dim = grey ? 1 : features->dim;
  while (!grey && sequence->pools > 1 && (guint64) cells[sequence->pools - 1] * cells[sequence->pools - 1] * features->dim > MOST_VALUES)
    sequence->pools--;
  for (guint pool = 0; pool < sequence->pools; pool++) {
    const gsize size = grey ? RVM_GREY : (gsize) cells[pool] * cells[pool] * features->dim;

    sequence->size[pool] = size;
    sequence->values[pool] = g_new (float, size * features->n);
    if (grey)
      memcpy (sequence->values[pool], features->grey, size * features->n * sizeof (float));
    for (guint i = 0; !grey && i < features->n; i++)
      rvm_pooled_state (from + (gsize) i * features->tokens * features->dim, rows, columns, features->dim, cells[pool],
                        sequence->values[pool] + i * size);
  }
  return sequence;
}

/* The last states of @phase, the oldest first. */
static GPtrArray *
take_window (const RvmSequence *sequence, guint pool, const RvmWindowShape *shape, guint phase)
{
  GPtrArray *states = g_ptr_array_new ();

  for (guint i = 0; i < sequence->n; i++)
    if (sequence->frame[i] % shape->stride == phase)
      g_ptr_array_add (states, sequence->values[pool] + i * sequence->size[pool]);
  if (states->len > shape->window)
    g_ptr_array_remove_range (states, 0, states->len - shape->window);
  return states;
}

RvmPooledShape
rvm_sequence_get_shape (const RvmSequence *sequence, guint pool, const RvmWindowShape *shape)
{
  return (RvmPooledShape){ sequence->size[pool] / sequence->dim, sequence->dim, shape->slots, shape->reference, shape->changes };
}

float *
rvm_sequence_make_vector (const RvmSequence *sequence, guint pool, const RvmWindowShape *shape, guint phase)
{
  const gsize size = sequence->size[pool];
  const RvmPooledShape pooled = rvm_sequence_get_shape (sequence, pool, shape);
  g_autoptr (GPtrArray) states = take_window (sequence, pool, shape, phase);
  g_autofree float *changes = NULL;
  float *vector;

  if (states->len == 0) { /* a clip of fewer frames */
    g_ptr_array_unref (states);
    states = take_window (sequence, pool, shape, 0);
  }
  if (shape->absolute) {
    const guint n = MAX (states->len, 2) - 1;

    changes = g_new0 (float, n *size);
    for (guint i = 0; i + 1 < states->len; i++)
      for (gsize v = 0; v < size; v++)
        changes[i * size + v] = fabsf (((float *) states->pdata[i + 1])[v] - ((float *) states->pdata[i])[v]);
    g_ptr_array_set_size (states, n);
    for (guint i = 0; i < n; i++)
      states->pdata[i] = changes + i * size;
  }
  vector = g_new (float, rvm_pooled_count_window (&pooled) + 2 * rvm_pooled_count_changes (&pooled));
  rvm_pooled_vector ((const float *const *) states->pdata, states->len, &pooled, vector);
  return vector;
}
