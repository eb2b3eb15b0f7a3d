/* A kernel of its own calls the functions of common.cl on every device, in the build options of the others. exp and exp2 are judged by their
 * relative error, which is what common.cl states; sigmoid by its relative, GELU by its error against max (1, |x|), for which nothing is lost where it
 * is almost zero. */
#include "functions.h"

#include <math.h>

#include "kernels/runtime/cl.h"
#include "kernels/ops/tiles.h"

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
judge (const float *x, const float *out, FunctionReport report)
{
  double worst[4] = { 0 };

  for (guint i = 0; i < COUNT; i++) {
    const double v = x[i];
    const double relative[3] = { exp (v), exp2 (v), 1 / (1 + exp (-v)) };

    for (guint f = 0; f < 3; f++) {
      /* exp and sigmoid up to where floats end, exp2 of the negative only. */
      const gboolean inside = f == 1 ? v <= 0 && v >= -126 : v >= -87 && v <= 88;
      const double error = fabs (out[f * COUNT + i] - relative[f]) / relative[f];

      if (inside)
        worst[f] = error >= 0 ? MAX (worst[f], error) : INFINITY;
    }
    if (fabs (v) <= 30) {
      const double error = fabs (out[3 * COUNT + i] - gelu (v)) / MAX (1, fabs (v));
      worst[3] = error >= 0 ? MAX (worst[3], error) : INFINITY;
    }
  }
  report ("rvm_exp", worst[0], 2e-7);
  report ("rvm_exp2_negative", worst[1], 3e-7);
  report ("rvm_sigmoid", worst[2], 3e-7);
  report ("rvm_gelu", worst[3], 3e-7);
}

gboolean
check_functions (RvmQueue *queue, FunctionReport report, GError **error)
{
  RvmDevice *device = rvm_queue_get_device (queue);
  const RvmTiles tiles = rvm_tiles_for_device (device);
  g_autofree char *options = g_strdup_printf ("-DRVM_VECTOR=%u", tiles.vector);
  g_autofree float *x = g_new (float, COUNT), *out = g_new (float, 4 * COUNT);
  g_autoptr (RvmBuffer) in = rvm_buffer_new (device, COUNT * sizeof (float), "arguments", error);
  g_autoptr (RvmBuffer) results = in ? rvm_buffer_new (device, 4 * COUNT * sizeof (float), "results", error) : NULL;
  cl_program program = results ? rvm_device_build_program (device, "functions", source, options, error) : NULL;
  cl_kernel kernel = program ? clCreateKernel (program, "functions", NULL) : NULL;
  gboolean ok;

  if (kernel == NULL)
    return FALSE;
  /* Evenly over [-126, 88], and half of them near zero. */
  for (guint i = 0; i < COUNT; i++)
    x[i] = i % 2 ? -126.0 + 214.0 * i / COUNT : (i / (double) COUNT - 0.5) * 20;
  rvm_queue_write (queue, in, 0, x, COUNT * sizeof (float));
  rvm_queue_launch (queue, kernel, "functions", 1, (const gsize[]){ COUNT / tiles.vector }, NULL, 3,
      (const RvmArg[]){ RVM_ARG_BUFFER (in), RVM_ARG_BUFFER (results), RVM_ARG_UINT (COUNT) });
  rvm_queue_read (queue, results, 0, out, 4 * COUNT * sizeof (float));
  ok = rvm_queue_finish (queue, error);
  clReleaseKernel (kernel);
  if (ok)
    judge (x, out, report);
  return ok;
}
