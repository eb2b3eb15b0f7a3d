/* check_backward: the way back of every kernel against central differences of its plain C reference (double precision), on odd sizes, on
 * every OpenCL device present (or --device). With random weights r, the loss is the sum of r times the outputs; inputs are moved by a
 * power of two, one at a time. */
#include <glib.h>
#include <math.h>
#include <string.h>

#include "kernels/ops/linear_backward.h"
#include "kernels/ops/attention_backward.h"
#include "on_device.h"
#include "reference.h"

#define MOVE 0x1p-8 /* of an input; what it does to third order is the error of a difference, about 1e-5 of a gradient */
#define TOLERANCE 2e-4
#define MOST_DIFFERENCES 300 /* of an array, at random places if it has more */

static char *only_device;
static guint passed, failed;

static RvmBuffer *
upload_floats (const float *values, gsize count)
{
  return upload (values, count * sizeof (float));
}

static float *
read_floats (RvmBuffer *buffer, gsize count)
{
  g_autoptr (GError) error = NULL;
  float *values = g_new (float, count);

  rvm_queue_read (queue, buffer, 0, values, count * sizeof (float));
  if (!rvm_queue_finish (queue, &error))
    g_error ("%s", error->message);
  return values;
}

static double
weigh (const float *r, const double *out, gsize count)
{
  double sum = 0;

  for (gsize i = 0; i < count; i++)
    sum += r[i] * out[i];
  return sum;
}

/* Compares @gradient with differences of @loss, which looks at @input. */
static void
compare (const char *what, float *input, const float *gradient, gsize count, double (*loss) (gconstpointer), gconstpointer data)
{
  double worst = 0, largest = 1e-30;

  for (guint n = 0; n < MIN (count, MOST_DIFFERENCES); n++) {
    const gsize i = count <= MOST_DIFFERENCES ? n : (gsize) g_rand_int_range (dice, 0, count);
    const float kept = input[i], above = kept + MOVE, below = kept - MOVE;
    double difference;

    input[i] = above;
    difference = loss (data);
    input[i] = below;
    difference = (difference - loss (data)) / ((double) above - below);
    input[i] = kept;
    worst = fabs (gradient[i] - difference) <= G_MAXFLOAT ? MAX (worst, fabs (gradient[i] - difference)) : INFINITY;
    largest = MAX (largest, fabs (difference));
  }
  if (worst / largest <= TOLERANCE) {
    passed++;
    return;
  }
  g_print ("FAILED %s: differs by %.2e of the largest gradient, allowed %.1e\n", what, worst / largest, TOLERANCE);
  failed++;
}

static void
compare_buffer (const char *what, float *input, RvmBuffer *gradient, gsize count, double (*loss) (gconstpointer), gconstpointer data)
{
  g_autofree float *values = read_floats (gradient, count);

  compare (what, input, values, count, loss, data);
}

/* out = a W + bias. */
typedef struct {
  guint m, n, k;
  float *a, *w, *bias, *r;
} Linear;

static double
linear_loss (gconstpointer data)
{
  const Linear *l = data;
  g_autofree double *out = g_new (double, (gsize) l->m * l->n);

  reference_gemm (l->a, l->k, l->w, l->bias, NULL, 1, FALSE, out, l->m, l->n, l->k);
  return weigh (l->r, out, (gsize) l->m * l->n);
}

/* out = gelu (a) W: what the epilogue multiplies by on the way back. */
static double
gelu_loss (gconstpointer data)
{
  const Linear *l = data;
  double sum = 0;

  for (guint i = 0; i < l->m; i++)
    for (guint p = 0; p < l->k; p++) {
      const double x = l->a[(gsize) i * l->k + p], y = 0.5 * x * (1 + tanh (sqrt (2 / G_PI) * (x + 0.044715 * x * x * x)));
      for (guint j = 0; j < l->n; j++)
        sum += y * l->w[(gsize) p * l->n + j] * l->r[(gsize) i * l->n + j];
    }
  return sum;
}

static void
check_linear (RvmGemmProvider provider, guint m, guint n, guint k)
{
  const gsize mk = (gsize) m * k, mn = (gsize) m * n, kn = (gsize) k * n;
  Linear l = { m, n, k, random_values (mk, 1), random_values (kn, 1), random_values (n, 1), random_values (mn, 1) };
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmGemmWeights) weights = rvm_gemm_weights_new (device, provider, RVM_PRECISION_F32, k, n, TRUE, &error);
  g_autoptr (RvmGemmGradient) gradient = NULL;
  g_autoptr (RvmBuffer) a = upload_floats (l.a, mk), d = upload_floats (l.r, mn), da = upload (NULL, mk * sizeof (float));
  g_autofree float *stored = NULL, *unpacked = g_new (float, kn), *twice = NULL;

  if (weights == NULL || !rvm_gemm_weights_begin (weights, &error))
    g_error ("%s", error->message);
  rvm_gemm_weights_set_kernel (weights, 0, 0, k, n, l.w);
  rvm_gemm_weights_set_bias (weights, 0, n, l.bias);
  if (!rvm_gemm_weights_end (weights, &error) || (gradient = rvm_gemm_gradient_new (device, weights, &error)) == NULL)
    g_error ("%s", error->message);
  rvm_gemm_gradient_refresh (queue, gradient);
  rvm_gemm_gradient_add (queue, gradient, a, 0, k, d, 0, n, m);
  rvm_gemm (queue, rvm_gemm_gradient_get_transposed (gradient), &(RvmGemm){ .a = d, .a_stride = n, .out = da, .out_stride = k, .m = m });
  compare_buffer ("linear, input", l.a, da, mk, linear_loss, &l);
  compare_buffer ("linear, bias", l.bias, rvm_gemm_gradient_get_bias (gradient), n, linear_loss, &l);
  stored = read_floats (rvm_gemm_gradient_get_kernel (gradient), rvm_buffer_get_size (rvm_gemm_gradient_get_kernel (gradient)) / sizeof (float));
  rvm_gemm_weights_unpack (weights, stored, 0, n, unpacked);
  compare ("linear, kernel", l.w, unpacked, kn, linear_loss, &l);

  /* A second pass adds. */
  rvm_gemm_gradient_add (queue, gradient, a, 0, k, d, 0, n, m);
  twice = read_floats (rvm_gemm_gradient_get_kernel (gradient), rvm_buffer_get_size (rvm_gemm_gradient_get_kernel (gradient)) / sizeof (float));
  rvm_gemm_weights_unpack (weights, twice, 0, n, unpacked);
  for (gsize i = 0; i < kn; i++)
    unpacked[i] /= 2;
  compare ("linear, kernel, accumulated", l.w, unpacked, kn, linear_loss, &l);

  rvm_gemm (queue, rvm_gemm_gradient_get_transposed (gradient), &(RvmGemm){ .a = d, .a_stride = n, .out = da, .out_stride = k, .m = m, .inner = a });
  compare_buffer ("gelu", l.a, da, mk, gelu_loss, &l);
  g_free (l.a);
  g_free (l.w);
  g_free (l.bias);
  g_free (l.r);
}

typedef struct {
  guint rows, dim;
  float *x, *scale, *bias, *r;
} Norm;

static double
norm_loss (gconstpointer data)
{
  const Norm *n = data;
  g_autofree double *out = g_new (double, (gsize) n->rows * n->dim);

  reference_layernorm (n->x, n->scale, n->bias, out, n->rows, n->dim, 1e-6);
  return weigh (n->r, out, (gsize) n->rows * n->dim);
}

static void
check_layernorm (guint rows, guint dim)
{
  const gsize count = (gsize) rows * dim;
  Norm n = { rows, dim, random_values (count, 2), random_values (dim, 2), random_values (dim, 2), random_values (count, 1) };
  g_autoptr (RvmBuffer) x = upload_floats (n.x, count), scale = upload_floats (n.scale, dim), dy = upload_floats (n.r, count);
  g_autoptr (RvmBuffer) dx = upload (NULL, count * sizeof (float)), dscale = upload (NULL, dim * sizeof (float)), dbias = upload (NULL, dim * sizeof (float));
  g_autoptr (RvmBuffer) scratch = upload (NULL, rvm_norm_backward_scratch (rows, dim) * sizeof (float));

  rvm_layernorm_backward (queue, &(RvmLayerNormBackward){
                                     .x = x, .dy = dy, .scale = scale, .dx = dx, .accumulate_dx = TRUE, .dscale = dscale, .dbias = dbias,
                                     .accumulate = TRUE, .scratch = scratch, .rows = rows, .dim = dim, .epsilon = 1e-6f,
                                 });
  compare_buffer ("layernorm, input", n.x, dx, count, norm_loss, &n);
  compare_buffer ("layernorm, scale", n.scale, dscale, dim, norm_loss, &n);
  compare_buffer ("layernorm, bias", n.bias, dbias, dim, norm_loss, &n);
  g_free (n.x);
  g_free (n.scale);
  g_free (n.bias);
  g_free (n.r);
}

/* Queries in rows of their own, keys and values side by side with something between them. */
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
  return weigh (a->r, out, count);
}

static void
check_attention (guint batch, guint heads, guint head_dim, guint queries, guint keys)
{
  const guint dim = heads * head_dim, stride = 2 * dim + 3;
  const gsize q_count = (gsize) batch * queries * dim, c_count = (gsize) batch * keys * stride;
  Attention a = { batch, heads, head_dim, queries, keys, stride, dim + 3, random_values (q_count, 2), random_values (c_count, 2), random_values (q_count, 1) };
  g_autoptr (RvmBuffer) query = upload_floats (a.query, q_count), context = upload_floats (a.context, c_count), dout = upload_floats (a.r, q_count);
  g_autoptr (RvmBuffer) out = upload (NULL, q_count * sizeof (float)), dquery = upload (NULL, q_count * sizeof (float));
  g_autoptr (RvmBuffer) dcontext = upload (NULL, c_count * sizeof (float));
  g_autoptr (RvmBuffer) normaliser = upload (NULL, (gsize) batch * heads * queries * sizeof (float)), delta = upload (NULL, (gsize) batch * heads * queries * sizeof (float));
  g_autofree char *name = g_strdup_printf ("attention %u x %u heads of %u, %u queries, %u keys", batch, heads, head_dim, queries, keys);
  g_autofree char *of_query = g_strconcat (name, ": query", NULL), *of_context = g_strconcat (name, ": key and value", NULL);
  const RvmAttention forward = {
    .query = query, .query_stride = dim, .key = context, .key_stride = stride, .value = context, .value_offset = dim + 3, .value_stride = stride,
    .out = out, .normaliser = normaliser, .batch = batch, .heads = heads, .head_dim = head_dim, .queries = queries, .keys = keys,
  };

  rvm_attention (queue, &forward);
  rvm_attention_backward (queue, &forward,
      &(RvmAttentionBackward){ .dout = dout, .dquery = dquery, .dkey = dcontext, .dvalue = dcontext, .delta = delta });
  compare_buffer (of_query, a.query, dquery, q_count, attention_loss, &a);
  compare_buffer (of_context, a.context, dcontext, c_count, attention_loss, &a);
  g_free (a.query);
  g_free (a.context);
  g_free (a.r);
}

/* Both halves of the gated core around its transformer: context and next state. */
typedef struct {
  guint rows, dim;
  float *gates, *state, *scale, *candidate, *r_context, *r_next;
} Gates;

static double
gates_loss (gconstpointer data)
{
  const Gates *g = data;
  const gsize count = (gsize) g->rows * g->dim;
  g_autofree double *context = g_new (double, count), *next = g_new (double, count), *mean = g_new (double, g->rows);

  reference_gates (g->gates, g->state, g->scale, g->candidate, context, mean, next, g->rows, g->dim, 1e-4);
  return weigh (g->r_context, context, count) + weigh (g->r_next, next, count);
}

static void
check_gates (guint rows, guint dim)
{
  const gsize count = (gsize) rows * dim;
  Gates g = { rows, dim, random_values (2 * count, 2), random_values (count, 2), random_values (dim, 2), random_values (count, 2), random_values (count, 1), random_values (count, 1) };
  g_autofree float *opened = g_new (float, 2 * count);
  g_autoptr (RvmBuffer) gates = NULL, state = upload_floats (g.state, count), scale = upload_floats (g.scale, dim), candidate = upload_floats (g.candidate, count);
  g_autoptr (RvmBuffer) dnext = upload_floats (g.r_next, count), dcontext = upload_floats (g.r_context, count);
  g_autoptr (RvmBuffer) dcandidate = upload (NULL, count * sizeof (float)), dgates = upload (NULL, 2 * count * sizeof (float)), dscale = upload (NULL, dim * sizeof (float));
  g_autoptr (RvmBuffer) scratch = upload (NULL, rvm_norm_backward_scratch (rows, dim) * sizeof (float));

  for (gsize i = 0; i < 2 * count; i++)
    opened[i] = 1 / (1 + exp (-(double) g.gates[i]));
  gates = upload_floats (opened, 2 * count);
  rvm_state_update_backward (queue, gates, state, candidate, dnext, dcandidate, dnext, dgates, rows, dim);
  rvm_gate_context_backward (queue, &(RvmGateContextBackward){
                                        .gates = gates, .state = state, .scale = scale, .dcontext = dcontext, .dgates = dgates, .dstate = dnext,
                                        .dscale = dscale, .scratch = scratch, .rows = rows, .dim = dim, .epsilon = 1e-4f,
                                    });
  compare_buffer ("gates", g.gates, dgates, 2 * count, gates_loss, &g);
  compare_buffer ("gates, state", g.state, dnext, count, gates_loss, &g);
  compare_buffer ("gates, candidate", g.candidate, dcandidate, count, gates_loss, &g);
  compare_buffer ("gates, scale", g.scale, dscale, dim, gates_loss, &g);
  g_free (g.gates);
  g_free (g.state);
  g_free (g.scale);
  g_free (g.candidate);
  g_free (g.r_context);
  g_free (g.r_next);
}

/* The decoder's tokens and the loss over masked patches. */
typedef struct {
  guint pictures, kept, tokens, dim, gaps;
  guint32 *slot, *gap, *visible_rows;
  float *embedded, *mask_token, *gap_kernel, *gap_bias, *r;
} Tokens;

static double
tokens_loss (gconstpointer data)
{
  const Tokens *t = data;
  double sum = 0;

  for (guint p = 0; p < t->pictures; p++)
    for (guint i = 0; i < t->tokens; i++) {
      const guint32 slot = t->slot[p * t->tokens + i];
      for (guint d = 0; d < t->dim; d++) {
        double y = slot == RVM_SLOT_HIDDEN ? t->mask_token[d] : t->embedded[((gsize) p * t->kept + slot) * t->dim + d];
        if (i > 0)
          y += (double) t->gap_kernel[t->gap[p] * t->dim + d] + t->gap_bias[d];
        sum += y * t->r[((gsize) p * t->tokens + i) * t->dim + d];
      }
    }
  return sum;
}

static void
check_tokens (guint pictures, guint kept, guint tokens, guint dim)
{
  const guint gaps = 5;
  const gsize count = (gsize) pictures * tokens * dim, kept_count = (gsize) pictures * kept * dim;
  Tokens t = {
    pictures, kept, tokens, dim, gaps, g_new (guint32, pictures * tokens), g_new (guint32, pictures), g_new (guint32, pictures * kept),
    random_values (kept_count, 1), random_values (dim, 1), random_values (gaps * dim, 1), random_values (dim, 1), random_values (count, 1),
  };
  g_autoptr (RvmBuffer) d = upload_floats (t.r, count), slot = NULL, gap = NULL, rows = NULL, sums = upload (NULL, 2 * (gsize) pictures * dim * sizeof (float));
  g_autoptr (RvmBuffer) dembedded = upload (NULL, kept_count * sizeof (float)), dmask = upload (NULL, dim * sizeof (float));
  g_autoptr (RvmBuffer) dbias = upload (NULL, dim * sizeof (float)), dgap = upload (NULL, (gsize) gaps * dim * sizeof (float));

  for (guint p = 0; p < pictures; p++) {
    t.gap[p] = g_rand_int_range (dice, 0, gaps - 1); /* the last gap never occurs */
    for (guint i = 0; i < tokens; i++)
      t.slot[p * tokens + i] = RVM_SLOT_HIDDEN;
    for (guint i = 0; i < kept; i++) {
      const guint token = i ? tokens - 1 - (i - 1) * (tokens - 1) / kept : 0;
      t.slot[p * tokens + token] = i;
      t.visible_rows[p * kept + i] = p * tokens + token;
    }
  }
  slot = upload (t.slot, (gsize) pictures * tokens * sizeof (guint32));
  gap = upload (t.gap, pictures * sizeof (guint32));
  rows = upload (t.visible_rows, (gsize) pictures * kept * sizeof (guint32));
  rvm_decoder_token_sums (queue, d, slot, sums, pictures, tokens, dim);
  rvm_sum_rows (queue, &(RvmRowSum){ .x = sums, .stride = dim, .pictures = 1, .picture_rows = pictures, .rows = pictures, .out = dbias, .dim = dim });
  rvm_sum_rows (queue,
      &(RvmRowSum){ .x = sums, .offset = pictures * dim, .stride = dim, .pictures = 1, .picture_rows = pictures, .rows = pictures, .out = dmask, .dim = dim });
  rvm_sum_by_gap (queue, sums, gap, dgap, pictures, gaps, dim, FALSE);
  rvm_gather_rows (queue, d, rows, dembedded, pictures * kept, dim);
  compare_buffer ("decoder tokens, embedded", t.embedded, dembedded, kept_count, tokens_loss, &t);
  compare_buffer ("decoder tokens, mask token", t.mask_token, dmask, dim, tokens_loss, &t);
  compare_buffer ("decoder tokens, gap bias", t.gap_bias, dbias, dim, tokens_loss, &t);
  compare_buffer ("decoder tokens, gap kernel", t.gap_kernel, dgap, (gsize) gaps * dim, tokens_loss, &t);
  g_free (t.slot);
  g_free (t.gap);
  g_free (t.visible_rows);
  g_free (t.embedded);
  g_free (t.mask_token);
  g_free (t.gap_kernel);
  g_free (t.gap_bias);
  g_free (t.r);
}

typedef struct {
  guint pictures, rows, columns, patch;
  gboolean all;
  guint8 *pixels;
  guint32 *slot;
  float *predicted;
} Loss;

static double
reconstruction_loss (gconstpointer data)
{
  const Loss *l = data;
  const guint tokens = 1 + l->rows * l->columns, values = l->patch * l->patch * 3, width = l->columns * l->patch * 3;
  double sum = 0;

  for (guint p = 0; p < l->pictures; p++)
    for (guint i = 1; i < tokens; i++)
      for (guint v = 0; v < values && (l->all || l->slot[p * tokens + i] == RVM_SLOT_HIDDEN); v++) {
        const guint row = (i - 1) / l->columns * l->patch + v / (3 * l->patch), column = (i - 1) % l->columns * l->patch * 3 + v % (3 * l->patch);
        const double e = l->predicted[((gsize) p * tokens + i) * values + v] - l->pixels[((gsize) p * l->rows * l->patch + row) * width + column] / 255.0;
        sum += e * e;
      }
  return 0.5 * sum;
}

static void
check_loss (guint pictures, guint rows, guint columns, guint patch, gboolean all)
{
  const guint tokens = 1 + rows * columns;
  const gsize count = (gsize) pictures * tokens * patch * patch * 3, pixels = (gsize) pictures * (tokens - 1) * patch * patch * 3;
  Loss l = { pictures, rows, columns, patch, all, g_new (guint8, pixels), g_new (guint32, pictures * tokens), random_values (count, 1) };
  g_autoptr (RvmBuffer) predicted = upload_floats (l.predicted, count), truth = NULL, slot = NULL;
  g_autoptr (RvmBuffer) d = upload (NULL, count * sizeof (float)), row_loss = upload (NULL, (gsize) pictures * tokens * sizeof (float));

  for (gsize i = 0; i < pixels; i++)
    l.pixels[i] = g_rand_int (dice);
  for (guint i = 0; i < pictures * tokens; i++)
    l.slot[i] = i % 3 ? RVM_SLOT_HIDDEN : i;
  truth = upload (l.pixels, pixels);
  slot = upload (l.slot, (gsize) pictures * tokens * sizeof (guint32));
  rvm_reconstruction_loss (queue, &(RvmReconstructionLoss){
                                      .predicted = predicted, .pixels = truth, .slot = slot, .all = all, .scale = 1, .dpredicted = d,
                                      .row_loss = row_loss, .pictures = pictures, .rows = rows, .columns = columns, .patch = patch,
                                  });
  compare_buffer (all ? "loss over all patches" : "loss over masked patches", l.predicted, d, count, reconstruction_loss, &l);
  g_free (l.pixels);
  g_free (l.slot);
  g_free (l.predicted);
}

static void
check_all (void)
{
  const guint units = rvm_device_get_compute_units (device);
  static const guint sizes[][3] = { { 1, 1, 1 }, { 7, 5, 3 }, { 67, 65, 49 }, { 13, 131, 17 }, { 131, 24, 103 } };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    check_linear (RVM_GEMM_NATIVE, sizes[i][0], sizes[i][1], sizes[i][2]);
    if (i == 2)
      check_linear (RVM_GEMM_CLBLAST, sizes[i][0], sizes[i][1], sizes[i][2]);
    check_layernorm (sizes[i][0], sizes[i][1] + 2);
    check_gates (sizes[i][0], sizes[i][1] + 2);
  }
  /* Few heads take one kernel, many another: attention_backward.cl and attention_whole_backward.cl. */
  check_attention (1, 1, 8, 1, 1);
  check_attention (1, 2, 5, 17, 35);
  check_attention (1, 1, 24, 71, 131);
  check_attention (4 * units, 1, 5, 17, 35);
  check_attention (2 * units, 2, 24, 7, 19);
  check_attention (4 * units, 1, 32, 69, 3);
  check_attention (4 * units, 1, 40, 67, 131);
  check_tokens (1, 1, 2, 1);
  check_tokens (7, 3, 13, 19);
  check_tokens (3, 6, 31, 33);
  check_loss (2, 3, 5, 4, FALSE);
  check_loss (1, 2, 3, 7, TRUE);
}

int
main (int argc, char **argv)
{
  const GOptionEntry entries[] = {
    { "device", 'd', 0, G_OPTION_ARG_STRING, &only_device, "only this device: index or part of its name", "DEVICE" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- check the way back of every kernel by differences");
  g_auto (GStrv) devices = rvm_device_list ();
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    g_error ("%s", error->message);
  for (guint i = 0; only_device ? i < 1 : devices[i] != NULL; i++) {
    g_autofree char *index = g_strdup_printf ("%u", i);
    const guint before = passed;

    device = rvm_device_open (only_device ? only_device : index, NULL, &error);
    queue = device ? rvm_queue_new (device, FALSE, &error) : NULL;
    if (queue == NULL)
      g_error ("%s", error->message);
    dice = g_rand_new_with_seed (7);
    check_all ();
    g_print ("%s: %u gradients agree\n", rvm_device_get_name (device), passed - before);
    g_rand_free (dice);
    g_clear_pointer (&queue, rvm_queue_free);
    g_clear_pointer (&device, rvm_device_unref);
  }
  if (passed + failed == 0)
    g_print ("there is no OpenCL device\n");
  return failed > 0 || passed == 0;
}
