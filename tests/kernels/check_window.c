/* What a readout does with a window of states. Attention over a window, joined from that over each state, is compared with attention over all tokens of
 * the window, with keys and values to which the temporal code has been added. */
#include "checkcl.h"

#include <math.h>

#include "kernels/cl/flags.h"
#include "kernels/ops/window.h"
#include "reference.h"

static void
check_codes (guint frames, guint tokens, guint dim, guint ages)
{
  check_case ("%u frames of %u tokens, dim %u, %u ages", frames, tokens, dim, ages);

  const guint rows = frames * tokens;
  const gsize count = (gsize) rows * dim;
  g_autofree float *x = check_random (count, 1), *code = check_random ((gsize) ages * dim, 1);
  g_autofree guint32 *age = g_new (guint32, frames);
  g_autofree double *sum = g_new0 (double, (gsize) frames * dim), *added = g_new (double, count), *difference = g_new (double, count);
  g_autoptr (RvmBuffer) codes = check_upload (code, (gsize) ages * dim), ages_of_frames = NULL, xs = check_upload (x, count);
  g_autoptr (RvmBuffer) moved = check_output (count), sums = check_output ((gsize) frames * dim), less = check_output (count);
  g_autoptr (RvmBuffer) means = check_output (dim);
  g_autofree double *mean = g_new (double, dim);

  for (guint f = 0; f < frames; f++)
    age[f] = g_rand_int_range (check_rng, 0, ages);
  ages_of_frames = check_upload_bytes (age, frames * sizeof *age);
  for (gsize i = 0; i < count; i++) {
    const guint frame = i / dim / tokens, row = i / dim;

    added[i] = (double) x[i] + code[(gsize) age[frame] * dim + i % dim];
    sum[(gsize) frame * dim + i % dim] += x[i];
    difference[i] = (double) x[i] - x[(gsize) (row % tokens) * dim + i % dim];
  }
  rvm_queue_write (check_queue, moved, 0, x, count * sizeof (float));
  rvm_add_frame_code (check_queue, rvm_tensor (moved, rows, dim), rvm_tensor (codes, ages, dim), ages_of_frames, frames);
  check_compare ("added code", moved, added, count, 1e-6);
  rvm_sum_frames (check_queue, rvm_tensor (xs, rows, dim), rvm_tensor (sums, frames, dim));
  check_compare ("sums of frames", sums, sum, (gsize) frames * dim, 1e-6);
  for (guint c = 0; c < dim; c++) {
    mean[c] = 0;
    for (guint row = 0; row < rows; row++)
      mean[c] += x[(gsize) row * dim + c] / (double) rows;
  }
  rvm_mean_rows (check_queue, rvm_tensor (xs, rows, dim), rvm_tensor (means, 1, dim));
  check_compare ("mean of rows", means, mean, dim, 1e-6);
  rvm_subtract_rows (check_queue, rvm_tensor (xs, rows, dim), rvm_tensor (xs, tokens, dim), rvm_tensor (less, rows, dim));
  check_compare ("less the first frame", less, difference, count, 1e-6);
}

/* Attention of each state in double precision. The parts go to the device as float32. */
static void
attend (const float *query, const float *key, const float *value, guint queries, guint tokens, guint heads, guint head_dim, float *attended, float *lse)
{
  const guint dim = heads * head_dim;
  g_autofree double *out = g_new (double, (gsize) queries * dim);

  reference_attention (query, dim, key, dim, value, dim, out, 1, heads, head_dim, queries, tokens);
  for (gsize i = 0; i < (gsize) queries * dim; i++)
    attended[i] = out[i];
  for (guint h = 0; h < heads; h++)
    for (guint q = 0; q < queries; q++) {
      double total = 0;

      for (guint t = 0; t < tokens; t++) {
        double score = 0;

        for (guint d = 0; d < head_dim; d++)
          score += (double) query[(gsize) q * dim + h * head_dim + d] * key[(gsize) t * dim + h * head_dim + d];
        total += exp (score / sqrt (head_dim));
      }
      lse[h * queries + q] = log2 (total);
    }
}

static void
check_join (guint n, guint slots, guint queries, guint tokens, guint heads, guint head_dim)
{
  check_case ("%u of %u states of %u tokens, %u queries, %u heads of %u", n, slots, tokens, queries, heads, head_dim);

  const guint dim = heads * head_dim;
  const gsize part = (gsize) queries * dim, of_state = (gsize) tokens * dim;
  g_autofree float *query = check_random (part, 2), *keys = check_random (slots * of_state, 2), *values = check_random (slots * of_state, 1);
  g_autofree float *code_key = check_random ((gsize) n * dim, 1), *code_value = check_random ((gsize) n * dim, 1);
  g_autofree float *attended = g_new (float, slots * part), *lse = g_new (float, (gsize) slots * heads * queries);
  g_autofree float *score = g_new (float, (gsize) n * heads * queries), *all_keys = g_new (float, n * of_state), *all_values = g_new (float, n * of_state);
  g_autofree guint32 *slot = g_new (guint32, n);
  g_autofree double *expected = g_new (double, part);
  g_autoptr (RvmBuffer) a = NULL, l = NULL, s = NULL, c = NULL, v = check_upload (code_value, (gsize) n * dim), out = check_output (part);

  for (guint i = 0; i < slots; i++)
    attend (query, keys + i * of_state, values + i * of_state, queries, tokens, heads, head_dim, attended + i * part, lse + (gsize) i * heads * queries);
  for (guint age = 0; age < n; age++) {
    slot[age] = (age + 1) % slots;
    for (guint i = 0; i < of_state; i++) {
      all_keys[age * of_state + i] = keys[slot[age] * of_state + i] + code_key[age * dim + i % dim];
      all_values[age * of_state + i] = values[slot[age] * of_state + i] + code_value[age * dim + i % dim];
    }
    for (guint h = 0; h < heads; h++)
      for (guint q = 0; q < queries; q++) {
        double sum = 0;

        for (guint d = h * head_dim; d < (h + 1) * head_dim; d++)
          sum += (double) query[(gsize) q * dim + d] * code_key[age * dim + d];
        score[((gsize) age * heads + h) * queries + q] = sum / sqrt (head_dim) * M_LOG2E;
      }
  }
  reference_attention (query, dim, all_keys, dim, all_values, dim, expected, 1, heads, head_dim, queries, n * tokens);
  a = check_upload (attended, slots * part);
  l = check_upload (lse, (gsize) slots * heads * queries);
  s = check_upload_bytes (slot, n * sizeof *slot);
  c = check_upload (score, (gsize) n * heads * queries);
  rvm_join_window (check_queue, &(RvmWindowJoin){
                                    .attended = rvm_tensor (a, slots * queries, dim), .log_sum_exp = rvm_tensor (l, slots * heads, queries), .slot = s,
                                    .score = rvm_tensor (c, n * heads, queries), .value = rvm_tensor (v, n, dim),
                                    .out = rvm_tensor (out, queries, dim), .n = n, .slots = slots, .heads = heads,
                                });
  check_compare ("joined attention", out, expected, part, 2e-6);
}

static void
check (gboolean quick)
{
  check_codes (1, 1, 1, 1);
  check_codes (3, 5, 19, 4);
  check_join (1, 1, 1, 3, 1, 4);
  check_join (3, 4, 2, 5, 2, 9);
  if (quick)
    return;
  check_codes (6, 17, 130, 16);
  check_join (16, 16, 1, 65, 6, 32);
  check_join (RVM_WINDOW_STATES, RVM_WINDOW_STATES, 3, 2, 3, 17);
  check_join (5, 16, 33, 4, 2, 64);
}

const CheckOp check_window = { "window", check, NULL, NULL };
