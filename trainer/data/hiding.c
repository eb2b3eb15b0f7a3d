/* Whole frames are chosen first, then the patches of the others. */
#include "hiding.h"

#include <string.h>

typedef enum { FRAME_CLEAR, FRAME_DROPPED, FRAME_BLACK } FrameKind;

static guint8 *
get_frame (const RvmHidingFrames *frames, guint number)
{
  return frames->pixels + (gsize) number * frames->width * frames->height * 3;
}

/* What becomes of each frame from number @first on. If none would be left, one of them is. */
static void
draw_kinds (const RvmRecipe *recipe, GRand *rng, guint first, guint n, FrameKind *kinds)
{
  guint covered = 0;

  for (guint i = first; i < n; i++) {
    const gboolean dropped = g_rand_double (rng) < recipe->hidden_frames, black = g_rand_double (rng) < recipe->hidden_black;

    kinds[i] = dropped ? FRAME_DROPPED : black ? FRAME_BLACK : FRAME_CLEAR;
    covered += kinds[i] != FRAME_CLEAR;
  }
  if (first == 0 && covered == n)
    kinds[g_rand_int_range (rng, 0, n)] = FRAME_CLEAR;
}

static void
cover_patch (guint8 *frame, guint width, guint patch, guint number)
{
  const guint columns = width / patch;
  guint8 *corner = frame + ((gsize) (number / columns) * patch * width + (gsize) (number % columns) * patch) * 3;

  for (guint y = 0; y < patch; y++)
    memset (corner + (gsize) y * width * 3, RVM_HIDING_GREY, (gsize) patch * 3);
}

/* The first entries of a random permutation of the patches. */
static void
cover_patches (const RvmRecipe *recipe, GRand *rng, const RvmHidingFrames *frames, guint8 *frame)
{
  const guint patch = recipe->model.patch, patches = (frames->width / patch) * (frames->height / patch);
  const guint covered = patches * recipe->hidden_cells + 0.5;
  g_autofree guint *order = g_new (guint, patches);

  for (guint i = 0; i < patches; i++)
    order[i] = i;
  for (guint i = 0; i < covered; i++) {
    const guint j = g_rand_int_range (rng, i, patches), chosen = order[j];

    order[j] = order[i];
    cover_patch (frame, frames->width, patch, chosen);
  }
}

void
rvm_hiding_apply (const RvmRecipe *recipe, GRand *rng, const RvmHidingFrames *frames)
{
  const gsize size = (gsize) frames->width * frames->height * 3;
  const guint first = MIN (recipe->hidden_clear, frames->sources);
  g_autofree FrameKind *kinds = g_new0 (FrameKind, frames->sources);

  draw_kinds (recipe, rng, first, frames->sources, kinds);
  for (guint i = first; i < frames->sources; i++)
    switch (kinds[i]) {
      case FRAME_DROPPED:
        memset (get_frame (frames, i), RVM_HIDING_GREY, size);
        break;
      case FRAME_BLACK:
        memset (get_frame (frames, i), 0, size);
        break;
      case FRAME_CLEAR:
        cover_patches (recipe, rng, frames, get_frame (frames, i));
        break;
    }
}
