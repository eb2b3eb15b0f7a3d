/* The functions that common.cl computes itself, over their whole ranges, against the host's in double precision: a kernel of this file calls them with
 * the build options of the others.
 *
 * exp, exp2 and sigmoid are judged by their relative error, which is what common.cl states; GELU by its error relative to max (1, |x|), because
 * nothing is lost where it is almost zero. */
#include <math.h>

#include "checkcl.h"
#include "kernels/ops/tiles.h"
#include "kernels/runtime/launch.h"

#define COUNT (1u << 20)

static const char source[] =
    "__kernel void functions (__global const float *x, __global float *out, uint n)\n"
    "{\n"
    "  const uint i = get_global_id (0) * RVM_VECTOR;\n"
    "  const vec v = VLOAD (x + i);\n"
    "  VSTORE (rvm_exp (v), out + i);\n"
    "  VSTORE (rvm_exp2_negative (v), out + n + i);\n"
    "  VSTORE (rvm_sigmoid (v), out + 2 * n + i);\n"
    "  VSTORE (rvm_gelu (v), out + 3 * n + i);\n"
    "}\n";

static double
gelu (double x)
{
  return 0.5 * x * (1 + tanh (sqrt (2 / G_PI) * (x + 0.044715 * x * x * x)));
}

static void
judge (const float *x, const float *out)
{
  double worst[4] = { 0 };

  for (guint i = 0; i < COUNT; i++) {
    const double v = x[i];
    const double expected[3] = { exp (v), exp2 (v), 1 / (1 + exp (-v)) };

    for (guint f = 0; f < 3; f++) {
      /* exp and sigmoid up to the limits of float, exp2 of negative arguments only. */
      const gboolean inside = f == 1 ? v <= 0 && v >= -126 : v >= -87 && v <= 88;
      const double error = fabs (out[f * COUNT + i] - expected[f]) / expected[f];

      if (inside)
        worst[f] = error >= 0 ? MAX (worst[f], error) : INFINITY;
    }
    if (fabs (v) <= 30) {
      const double error = fabs (out[3 * COUNT + i] - gelu (v)) / MAX (1, fabs (v));
      worst[3] = error >= 0 ? MAX (worst[3], error) : INFINITY;
    }
  }
  check_report ("rvm_exp", worst[0], 2e-7);
  check_report ("rvm_exp2_negative", worst[1], 3e-7);
  check_report ("rvm_sigmoid", worst[2], 3e-7);
  check_report ("rvm_gelu", worst[3], 3e-7);
}

static void
check (gboolean quick)
{
  check_case ("%u arguments", COUNT);

  const RvmTiles tiles = rvm_tiles_for_device (check_device);
  g_autofree char *options = g_strdup_printf ("-DRVM_VECTOR=%u", tiles.vector);
  g_autofree float *x = g_new (float, COUNT), *out = NULL;
  g_autoptr (RvmBuffer) in = NULL, results = NULL;

  if (quick)
    return;
  /* Half of them evenly over [-126, 88], half of them near zero. */
  for (guint i = 0; i < COUNT; i++)
    x[i] = i % 2 ? -126.0 + 214.0 * i / COUNT : (i / (double) COUNT - 0.5) * 20;
  in = check_upload (x, COUNT);
  results = check_upload (NULL, 4 * COUNT);
  rvm_queue_launch (check_queue, &(RvmKernel){ "functions", "functions", options, source }, 1, (const gsize[]){ COUNT / tiles.vector }, NULL, 3,
      (const RvmArg[]){ RVM_ARG_BUFFER (in), RVM_ARG_BUFFER (results), RVM_ARG_UINT (COUNT) });
  out = check_read (results, 4 * COUNT);
  judge (x, out);
}

const CheckOp check_functions = { "functions", check, NULL, NULL };
