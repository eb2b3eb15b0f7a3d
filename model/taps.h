/* Bilinear interpolation with half-pixel centres, as OpenCV has it: how masks become labels, and labels masks and finer labels. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  guint at[2];  /* the two samples, the lower one first */
  float weight; /* of the second */
} RvmTap;

/* Where sample @i of @to reads from @from samples. */
static inline RvmTap
rvm_tap (guint i, guint to, guint from)
{
  const double position = CLAMP ((i + 0.5) * from / to - 0.5, 0, from - 1);
  const guint low = position;

  return (RvmTap){ { low, MIN (low + 1, from - 1) }, position - low };
}

/* (transfer full) (array length=to) */
static inline RvmTap *
rvm_taps_new (guint to, guint from)
{
  RvmTap *taps = g_new (RvmTap, to);

  for (guint i = 0; i < to; i++)
    taps[i] = rvm_tap (i, to, from);
  return taps;
}

/* Between four samples: above left and right, below left and right. */
static inline float
rvm_tap_mix (const RvmTap *across, const RvmTap *down, float above_left, float above_right, float below_left, float below_right)
{
  const float wx = across->weight, wy = down->weight;

  return (1 - wy) * ((1 - wx) * above_left + wx * above_right) + wy * ((1 - wx) * below_left + wx * below_right);
}

G_END_DECLS
