/* Patches, tokens, frames of a clip, and the backward pass of the decoder's input. */
#include "checkcl.h"
#include "kernels/ops/row_sum.h"
#include "kernels/ops/tokens_backward.h"
#include "reference.h"

#define GAPS 5

static void
check_patches (guint pictures, guint rows, guint columns, guint patch)
{
  check_case ("patches, %u pictures of %u x %u patches of %u pixels", pictures, rows, columns, patch);

  const guint tokens = 1 + rows * columns, values = patch * patch * 3;
  const gsize pixels = (gsize) pictures * (tokens - 1) * values, count = (gsize) pictures * tokens * values;
  g_autofree guint8 *picture = g_new (guint8, pixels);
  g_autofree double *expected = g_new (double, count);
  g_autoptr (RvmBuffer) in = NULL, out = check_output (count);

  for (gsize i = 0; i < pixels; i++)
    picture[i] = g_rand_int (check_rng);
  in = check_upload_bytes (picture, pixels);
  reference_patches (picture, expected, pictures, rows, columns, patch);
  rvm_patches (check_queue, in, rvm_tensor (out, pictures * tokens, values), pictures, &(RvmPatchGrid){ rows, columns, patch });
  check_compare ("rows", out, expected, count, 1e-6);
}

/* Some tokens of each picture, the class token and the last patches, backwards. */
static void
check_visible_patches (guint pictures, guint rows, guint columns, guint patch, guint kept)
{
  check_case ("visible patches, %u pictures of %u x %u patches of %u pixels, %u kept", pictures, rows, columns, patch, kept);

  const guint tokens = 1 + rows * columns, values = patch * patch * 3;
  const gsize pixels = (gsize) pictures * (tokens - 1) * values, count = (gsize) pictures * kept * values;
  g_autofree guint8 *picture = g_new (guint8, pixels);
  g_autofree guint32 *visible = g_new (guint32, pictures * kept);
  g_autofree double *all = g_new (double, (gsize) pictures * tokens * values), *expected = g_new (double, count);
  g_autoptr (RvmBuffer) in = NULL, names = NULL, out = check_output (count);

  for (gsize i = 0; i < pixels; i++)
    picture[i] = g_rand_int (check_rng);
  for (guint i = 0; i < pictures * kept; i++)
    visible[i] = i % kept ? tokens - i % kept : 0;
  reference_patches (picture, all, pictures, rows, columns, patch);
  for (gsize i = 0; i < count; i++)
    expected[i] = all[((gsize) (i / values / kept) * tokens + visible[i / values]) * values + i % values];
  in = check_upload_bytes (picture, pixels);
  names = check_upload_bytes (visible, pictures * kept * sizeof (guint32));
  rvm_visible_patches (check_queue, in, names, rvm_tensor (out, pictures * kept, values), pictures, &(RvmPatchGrid){ rows, columns, patch });
  check_compare ("rows", out, expected, count, 1e-6);
}

static void
check_table (guint patches, guint dim)
{
  check_case ("table of %u patches, dim %u", patches, dim);

  const gsize count = (gsize) (1 + patches) * dim;
  g_autofree float *class_token = check_random (dim, 2), *bias = check_random (dim, 2), *position = check_random ((gsize) patches * dim, 2);
  g_autofree double *expected = g_new (double, count);
  g_autoptr (RvmBuffer) c = check_upload (class_token, dim), b = check_upload (bias, dim), p = check_upload (position, (gsize) patches * dim);
  g_autoptr (RvmBuffer) out = check_output (count);

  for (gsize i = 0; i < count; i++)
    expected[i] = i < dim ? class_token[i] : (double) position[i - dim] + bias[i % dim];
  rvm_token_table (check_queue, c, b, rvm_tensor (p, patches, dim), rvm_tensor (out, 1 + patches, dim));
  check_compare ("table", out, expected, count, 1e-6);
}

static void
check_position (guint pictures, guint tokens, guint dim)
{
  check_case ("positional encoding, %u pictures of %u tokens, dim %u", pictures, tokens, dim);

  const gsize count = (gsize) pictures * tokens * dim;
  g_autofree float *x = check_random (count, 2), *position = check_random ((gsize) (tokens - 1) * dim, 2);
  g_autofree double *expected = g_new (double, count);
  g_autoptr (RvmBuffer) out = check_output (count), code = check_upload (position, (gsize) (tokens - 1) * dim);

  for (gsize i = 0; i < count; i++) {
    const gsize token = i / dim % tokens;
    expected[i] = x[i] + (token ? (double) position[(token - 1) * dim + i % dim] : 0);
  }
  rvm_queue_write (check_queue, out, 0, x, count * sizeof (float));
  rvm_add_position (check_queue, rvm_tensor (out, pictures * tokens, dim), rvm_tensor (code, tokens - 1, dim), pictures);
  check_compare ("tokens", out, expected, count, 1e-6);
}

/* A frame is put among others and taken out again, alone and added to what is there. */
static void
check_frames (guint samples, guint n, guint frame, guint rows, guint dim)
{
  check_case ("frame %u of %u, %u samples, %u rows, dim %u", frame, n, samples, rows, dim);

  const gsize one_count = (gsize) samples * rows * dim, count = one_count * n;
  g_autofree float *all = check_random (count, 1), *one = check_random (one_count, 1), *other = check_random (one_count, 1);
  g_autofree double *expected = g_new (double, count), *expected_one = g_new (double, one_count);
  g_autoptr (RvmBuffer) frames = check_output (count), from = check_upload (one, one_count), to = check_output (one_count);
  const RvmTensor to_frame = rvm_tensor (to, samples * rows, dim), frames_tensor = rvm_tensor (frames, samples * n * rows, dim);

  for (gsize i = 0; i < count; i++)
    expected[i] = all[i];
  for (gsize i = 0; i < one_count; i++) {
    const gsize sample = i / dim / rows;
    expected[(sample * n + frame) * rows * dim + i % (rows * (gsize) dim)] = one[i];
    expected_one[i] = one[i];
  }
  rvm_queue_write (check_queue, frames, 0, all, count * sizeof (float));
  rvm_put_frame (check_queue, rvm_tensor (from, samples * rows, dim), frames_tensor, samples, n, frame);
  check_compare ("frames", frames, expected, count, 0);
  rvm_get_frame (check_queue, frames_tensor, RVM_TENSOR_NONE, to_frame, samples, n, frame);
  check_compare ("frame", to, expected_one, one_count, 0);
  rvm_queue_write (check_queue, to, 0, other, one_count * sizeof (float));
  rvm_get_frame (check_queue, frames_tensor, to_frame, to_frame, samples, n, frame);
  for (gsize i = 0; i < one_count; i++)
    expected_one[i] += other[i];
  check_compare ("frame, added", to, expected_one, one_count, 1e-6);
}

/* The decoder's input. */
typedef struct {
  guint pictures, kept, tokens, dim;
  guint32 *slot, *gap, *visible_rows;
  float *embedded, *mask_token, *position, *gap_kernel, *gap_bias, *r;
} Tokens;

static void
tokens_make (Tokens *t, guint pictures, guint kept, guint tokens, guint dim)
{
  *t = (Tokens){
    pictures, kept, tokens, dim, g_new (guint32, pictures * tokens), g_new (guint32, pictures), g_new (guint32, pictures * kept),
    check_random ((gsize) pictures * kept * dim, 1), check_random (dim, 1), check_random ((gsize) (tokens - 1) * dim, 1),
    check_random (GAPS * dim, 1), check_random (dim, 1), check_random ((gsize) pictures * tokens * dim, 1),
  };
  for (guint p = 0; p < pictures; p++) {
    t->gap[p] = g_rand_int_range (check_rng, 0, GAPS - 1); /* the last gap never occurs */
    for (guint i = 0; i < tokens; i++)
      t->slot[p * tokens + i] = RVM_SLOT_HIDDEN;
    for (guint i = 0; i < kept; i++) {
      const guint token = i ? tokens - 1 - (i - 1) * (tokens - 1) / kept : 0;
      t->slot[p * tokens + token] = i;
      t->visible_rows[p * kept + i] = p * tokens + token;
    }
  }
}

static void
tokens_clear (Tokens *t)
{
  g_free (t->slot);
  g_free (t->gap);
  g_free (t->visible_rows);
  g_free (t->embedded);
  g_free (t->mask_token);
  g_free (t->position);
  g_free (t->gap_kernel);
  g_free (t->gap_bias);
  g_free (t->r);
}

static void
reference_tokens (const Tokens *t, double *out)
{
  for (guint p = 0; p < t->pictures; p++)
    for (guint i = 0; i < t->tokens; i++) {
      const guint32 slot = t->slot[p * t->tokens + i];

      for (guint d = 0; d < t->dim; d++) {
        double y = slot == RVM_SLOT_HIDDEN ? t->mask_token[d] : t->embedded[((gsize) p * t->kept + slot) * t->dim + d];

        if (i > 0)
          y += (double) t->position[(gsize) (i - 1) * t->dim + d] + t->gap_kernel[t->gap[p] * t->dim + d] + t->gap_bias[d];
        *out++ = y;
      }
    }
}

static double
tokens_loss (gconstpointer data)
{
  const Tokens *t = data;
  const gsize count = (gsize) t->pictures * t->tokens * t->dim;
  g_autofree double *out = g_new (double, count);

  reference_tokens (t, out);
  return check_weigh (t->r, out, count);
}

static void
check_decoder_tokens (guint pictures, guint kept, guint tokens, guint dim)
{
  check_case ("decoder tokens, %u pictures of %u tokens, %u kept, dim %u", pictures, tokens, kept, dim);

  const gsize count = (gsize) pictures * tokens * dim;
  g_autofree double *expected = g_new (double, count);
  g_autoptr (RvmBuffer) embedded = NULL, slot = NULL, mask = NULL, position = NULL, kernel = NULL, bias = NULL, gap = NULL, out = check_output (count);
  Tokens t;

  tokens_make (&t, pictures, kept, tokens, dim);
  reference_tokens (&t, expected);
  embedded = check_upload (t.embedded, (gsize) pictures * kept * dim);
  slot = check_upload_bytes (t.slot, (gsize) pictures * tokens * sizeof (guint32));
  mask = check_upload (t.mask_token, dim);
  position = check_upload (t.position, (gsize) (tokens - 1) * dim);
  kernel = check_upload (t.gap_kernel, GAPS * dim);
  bias = check_upload (t.gap_bias, dim);
  gap = check_upload_bytes (t.gap, pictures * sizeof (guint32));
  rvm_decoder_tokens (check_queue, &(RvmDecoderTokens){
                                       .embedded = rvm_tensor (embedded, pictures * kept, dim), .slot = slot, .mask_token = mask,
                                       .position = rvm_tensor (position, tokens - 1, dim), .gap_kernel = kernel, .gap_bias = bias, .gap = gap,
                                       .out = rvm_tensor (out, pictures * tokens, dim), .pictures = pictures,
                                   });
  check_compare ("tokens", out, expected, count, 1e-6);
  tokens_clear (&t);
}

static void
check_decoder_gradients (guint pictures, guint kept, guint tokens, guint dim)
{
  check_case ("backward of decoder tokens, %u pictures of %u tokens, %u kept, dim %u", pictures, tokens, kept, dim);

  const gsize kept_count = (gsize) pictures * kept * dim;
  g_autoptr (RvmBuffer) d = NULL, slot = NULL, gap = NULL, rows = NULL, sums = check_upload (NULL, 2 * (gsize) pictures * dim);
  g_autoptr (RvmBuffer) dembedded = check_upload (NULL, kept_count), dmask = check_upload (NULL, dim), dbias = check_upload (NULL, dim);
  g_autoptr (RvmBuffer) dgap = check_upload (NULL, (gsize) GAPS * dim);
  const RvmTensor both = rvm_tensor (sums, 2 * pictures, dim);
  RvmTensor dout;
  Tokens t;

  tokens_make (&t, pictures, kept, tokens, dim);
  d = check_upload (t.r, (gsize) pictures * tokens * dim);
  dout = rvm_tensor (d, pictures * tokens, dim);
  slot = check_upload_bytes (t.slot, (gsize) pictures * tokens * sizeof (guint32));
  gap = check_upload_bytes (t.gap, pictures * sizeof (guint32));
  rows = check_upload_bytes (t.visible_rows, (gsize) pictures * kept * sizeof (guint32));
  rvm_decoder_token_sums (check_queue, dout, slot, both);
  rvm_sum_rows (check_queue, &(RvmRowSum){ .x = both, .pictures = 1, .rows = pictures, .out = dbias });
  rvm_sum_rows (check_queue, &(RvmRowSum){ .x = both, .pictures = 1, .first = pictures, .rows = pictures, .out = dmask });
  rvm_sum_by_gap (check_queue, rvm_tensor_rows (both, 0, pictures), gap, rvm_tensor (dgap, GAPS, dim), FALSE);
  rvm_gather_rows (check_queue, dout, rows, rvm_tensor (dembedded, pictures * kept, dim));
  check_gradient_buffer ("embedded tokens", t.embedded, dembedded, kept_count, tokens_loss, &t);
  check_gradient_buffer ("mask token", t.mask_token, dmask, dim, tokens_loss, &t);
  check_gradient_buffer ("bias of gaps", t.gap_bias, dbias, dim, tokens_loss, &t);
  check_gradient_buffer ("kernel of gaps", t.gap_kernel, dgap, (gsize) GAPS * dim, tokens_loss, &t);
  tokens_clear (&t);
}

static void
check (gboolean quick)
{
  static const guint dims[] = { 1, 3, 17, 48, 65, 384 };

  check_patches (1, 1, 1, 16);
  check_patches (2, 2, 3, 8);
  check_patches (3, 3, 1, 5);
  check_visible_patches (2, 2, 3, 5, 3);
  for (guint i = 0; i < (quick ? 3 : G_N_ELEMENTS (dims)); i++) {
    check_table (4, dims[i]);
    check_position (3, 5, dims[i]);
    check_frames (2, 3, 1, 4, dims[i]);
    check_decoder_tokens (3, 2, 7, dims[i]);
  }
}

static void
check_backward (gboolean quick)
{
  check_decoder_gradients (1, 1, 2, 1);
  check_decoder_gradients (7, 3, 13, 19);
  if (!quick)
    check_decoder_gradients (3, 6, 31, 33);
}

const CheckOp check_tokens = { "tokens", check, check_backward, NULL };
