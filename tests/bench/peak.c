/* A kernel that does nothing else; see peak.h. */
#include "peak.h"

#include "kernels/ops/tiles.h"
#include "kernels/runtime/launch.h"
#include "quantile.h"

#define SUMS 12 /* independent ones in registers: more than latency times units of any processor known, fewer than AVX2's 16 registers */
#define RUN_SECONDS 0.003

struct _Peak {
  RvmQueue *queue;
  char *options;
  RvmBuffer *out;
  gsize items, group;
  guint vector, rounds;
  GArray *seconds; /* of double */
};

static const char source[] =
    "__kernel void multiply_add (float factor, float term, uint rounds, __global float *out)\n"
    "{\n"
    "  vec sums[SUMS];\n"
    "#pragma unroll\n"
    "  for (uint i = 0; i < SUMS; i++)\n"
    "    sums[i] = (vec) (float) (i + get_global_id (0));\n"
    "  for (uint round = 0; round < rounds; round++)\n"
    "#pragma unroll\n"
    "    for (uint i = 0; i < SUMS; i++)\n"
    "      sums[i] = fma (sums[i], (vec) factor, (vec) term);\n"
    "#pragma unroll\n"
    "  for (uint i = 1; i < SUMS; i++)\n"
    "    sums[0] += sums[i];\n"
    "  out[get_global_id (0)] = VSUM (sums[0]);\n"
    "}\n";

static double
run (Peak *peak, GError **error)
{
  const RvmArg args[] = { RVM_ARG_FLOAT (0.5f), RVM_ARG_FLOAT (1.0f), RVM_ARG_UINT (peak->rounds), RVM_ARG_BUFFER (peak->out) };
  const gint64 start = g_get_monotonic_time ();

  rvm_queue_launch (peak->queue, &(RvmKernel){ "multiply_add", "multiply_add", peak->options, source }, 1, &peak->items, &peak->group,
      G_N_ELEMENTS (args), args);
  return rvm_queue_finish (peak->queue, error) ? (g_get_monotonic_time () - start) / 1e6 : -1;
}

Peak *
peak_new (RvmDevice *device, RvmQueue *queue, GError **error)
{
  g_autoptr (Peak) peak = g_new0 (Peak, 1);
  const RvmTiles tiles = rvm_tiles_for_device (device);
  double seconds;

  peak->queue = queue;
  peak->vector = tiles.vector;
  peak->group = tiles.group;
  peak->items = MAX (1, rvm_device_get_compute_units (device)) * peak->group * 64;
  peak->seconds = g_array_new (FALSE, FALSE, sizeof (double));
  peak->options = g_strdup_printf ("-DRVM_VECTOR=%u -DSUMS=%d", peak->vector, SUMS);
  peak->out = rvm_buffer_new (device, peak->items * sizeof (float), "sums", error);
  if (peak->out == NULL)
    return NULL;
  peak->rounds = 4096;
  while ((seconds = run (peak, error)) < RUN_SECONDS && peak->rounds < 1u << 28)
    if (seconds < 0)
      return NULL;
    else
      peak->rounds *= 2;
  return g_steal_pointer (&peak);
}

void
peak_free (Peak *peak)
{
  g_free (peak->options);
  g_clear_pointer (&peak->out, rvm_buffer_unref);
  g_array_unref (peak->seconds);
  g_free (peak);
}

gboolean
peak_time (Peak *peak, GError **error)
{
  const double seconds = run (peak, error);

  if (seconds < 0)
    return FALSE;
  g_array_append_val (peak->seconds, seconds);
  return TRUE;
}

double
peak_gflops (const Peak *peak)
{
  return 2e-9 * SUMS * peak->vector * peak->items * peak->rounds / quantile (peak->seconds, 0.5);
}
