/* Attention and its backward pass. */
#include <math.h>

#include "checkcl.h"
#include "kernels/ops/attention_backward.h"
#include "reference.h"

static void
check_heads (guint batch, guint heads, guint head_dim, guint queries, guint keys, double scale)
{
  check_case ("batch %u, %u heads of %u, %u queries, %u keys, scale %g", batch, heads, head_dim, queries, keys, scale);

  const guint dim = heads * head_dim, q_stride = dim + 5, kv_stride = 2 * dim + 1;
  const gsize q_count = (gsize) batch * queries * q_stride, kv_count = (gsize) batch * keys * kv_stride + dim;
  const gsize count = (gsize) batch * queries * dim;
  g_autofree float *q = check_random (q_count, scale), *kv = check_random (kv_count, scale);
  g_autofree double *expected = g_new (double, count);
  g_autoptr (RvmBuffer) a = check_upload (q, q_count), b = check_upload (kv, kv_count), out = check_output (count);
  g_autoptr (RvmBuffer) log_sum_exp = check_output ((gsize) batch * heads * queries);
  const RvmTensor keys_values = rvm_tensor (b, batch * keys, kv_stride);

  reference_attention (q, q_stride, kv, kv_stride, kv + dim, kv_stride, expected, batch, heads, head_dim, queries, keys);
  rvm_attention (check_queue, &(RvmAttention){
                                  .query = rvm_tensor_columns (rvm_tensor (a, batch * queries, q_stride), 0, dim),
                                  .key = rvm_tensor_columns (keys_values, 0, dim), .value = rvm_tensor_columns (keys_values, dim, dim),
                                  .out = rvm_tensor (out, batch * queries, dim),
                                  .log_sum_exp = rvm_tensor (log_sum_exp, batch * heads, queries), .batch = batch, .heads = heads,
                              });
  /* Logits of scale^2 sqrt (head_dim) bring their rounding into the exponent. */
  check_compare ("output", out, expected, count, 2e-6 + 2e-7 * scale * scale * sqrt (head_dim));
}

/* Queries in a matrix of their own; keys and values are columns of one matrix, with other columns between them. */
typedef struct {
  guint batch, heads, head_dim, queries, keys, stride, value_offset;
  float *query, *context, *r;
} Attention;

static double
attention_loss (gconstpointer data)
{
  const Attention *a = data;
  const gsize count = (gsize) a->batch * a->queries * a->heads * a->head_dim;
  g_autofree double *out = g_new (double, count);

  reference_attention (a->query, a->heads * a->head_dim, a->context, a->stride, a->context + a->value_offset, a->stride, out, a->batch,
      a->heads, a->head_dim, a->queries, a->keys);
  return check_weigh (a->r, out, count);
}

static void
check_gradients (guint batch, guint heads, guint head_dim, guint queries, guint keys)
{
  check_case ("backward, batch %u, %u heads of %u, %u queries, %u keys", batch, heads, head_dim, queries, keys);

  const guint dim = heads * head_dim, stride = 2 * dim + 3;
  const gsize q_count = (gsize) batch * queries * dim, c_count = (gsize) batch * keys * stride, rows = (gsize) batch * heads * queries;
  Attention a = {
    batch, heads, head_dim, queries, keys, stride, dim + 3, check_random (q_count, 2), check_random (c_count, 2), check_random (q_count, 1),
  };
  g_autoptr (RvmBuffer) query = check_upload (a.query, q_count), context = check_upload (a.context, c_count), dout = check_upload (a.r, q_count);
  g_autoptr (RvmBuffer) out = check_upload (NULL, q_count), dquery = check_upload (NULL, q_count), dcontext = check_upload (NULL, c_count);
  g_autoptr (RvmBuffer) log_sum_exp = check_upload (NULL, rows), delta = check_upload (NULL, rows);
  const RvmTensor keys_values = rvm_tensor (context, batch * keys, stride);
  const RvmAttention forward = {
    .query = rvm_tensor (query, batch * queries, dim), .key = rvm_tensor_columns (keys_values, 0, dim),
    .value = rvm_tensor_columns (keys_values, dim + 3, dim), .out = rvm_tensor (out, batch * queries, dim),
    .log_sum_exp = rvm_tensor (log_sum_exp, batch * heads, queries), .batch = batch, .heads = heads,
  };

  rvm_attention (check_queue, &forward);
  rvm_attention_backward (check_queue, &forward,
      &(RvmAttentionBackward){
          .dout = rvm_tensor_on (forward.out, dout), .dquery = rvm_tensor_on (forward.query, dquery), .dkey = rvm_tensor_on (forward.key, dcontext),
          .dvalue = rvm_tensor_on (forward.value, dcontext), .delta = rvm_tensor_on (forward.log_sum_exp, delta),
      });
  check_gradient_buffer ("query", a.query, dquery, q_count, attention_loss, &a);
  check_gradient_buffer ("key and value", a.context, dcontext, c_count, attention_loss, &a);
  g_free (a.query);
  g_free (a.context);
  g_free (a.r);
}

static void
check (gboolean quick)
{
  static const guint head_dims[] = { 1, 5, 16, 24, 48, 64, 80 };

  for (guint i = 0; i < (quick ? 2 : G_N_ELEMENTS (head_dims)); i++) {
    check_heads (1, 1, head_dims[i], 1, 1, 1);
    check_heads (2, 3, head_dims[i], 5, 9, 1);
    if (quick)
      continue;
    check_heads (1, 2, head_dims[i], 33, 65, 1);
    check_heads (3, 1, head_dims[i], 70, 129, 3);
    check_heads (1, 1, head_dims[i], 17, 64, 12);
    check_heads (2, 2, head_dims[i], 66, 200, 3);
  }
}

static void
check_backward (gboolean quick)
{
  const guint units = rvm_device_get_compute_units (check_device);

  /* Few heads are computed by attention_backward.cl, many by attention_backward_whole.cl. */
  check_gradients (1, 1, 8, 1, 1);
  check_gradients (1, 2, 5, 17, 35);
  check_gradients (4 * units, 1, 5, 17, 35);
  if (quick)
    return;
  check_gradients (1, 1, 24, 71, 131);
  check_gradients (2 * units, 2, 24, 7, 19);
  check_gradients (4 * units, 1, 32, 69, 3);
  check_gradients (4 * units, 1, 40, 67, 131);
}

static void
run_attention (gpointer data)
{
  rvm_attention (check_queue, data);
}

static void
bench (void)
{
  static const guint shapes[][2] = { { 257, 6 }, { 257, 8 }, { 1651, 6 } };

  for (guint i = 0; i < G_N_ELEMENTS (shapes); i++) {
    const guint tokens = shapes[i][0], heads = shapes[i][1], dim = 384;
    g_autofree float *values = check_random ((gsize) tokens * 3 * dim, 1);
    g_autoptr (RvmBuffer) qkv = check_upload (values, (gsize) tokens * 3 * dim), out = check_output ((gsize) tokens * dim);
    g_autoptr (RvmBuffer) log_sum_exp = check_output ((gsize) tokens * heads);
    const RvmTensor all = rvm_tensor (qkv, tokens, 3 * dim);
    RvmAttention attention = {
      .query = rvm_tensor_columns (all, 0, dim), .key = rvm_tensor_columns (all, dim, dim), .value = rvm_tensor_columns (all, 2 * dim, dim),
      .out = rvm_tensor (out, tokens, dim), .log_sum_exp = rvm_tensor (log_sum_exp, heads, tokens), .batch = 1, .heads = heads,
    };

    g_print ("attention %u tokens, %u heads: %.1f GFLOP/s\n", tokens, heads,
        4e-6 * tokens * tokens * dim / check_time (run_attention, &attention));
  }
}

const CheckOp check_attention = { "attention", check, check_backward, bench };
