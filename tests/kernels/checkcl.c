/* checkcl: every kernel against a reference in plain C and double precision, on random values and edge sizes, on every OpenCL device present (or
 * --device). The backward pass of each is compared with central differences of that reference. Outputs lie before memory that must not change.
 *
 * --bench times the kernels at the sizes of small16 instead, --tune finds the fastest tiles (tune.c). */
#include "checkcl.h"

#include <math.h>
#include <string.h>

#include "tune.h"

#define CANARY 64 /* floats after each output */
#define CANARY_VALUE 12345.0f
#define MOVE 0x1p-8 /* of an input, for a difference */
#define GRADIENT_TOLERANCE 2e-4
#define MOST_DIFFERENCES 150 /* of an array, at random places if it has more elements */
#define TIMED_RUNS 15

RvmDevice *check_device;
RvmQueue *check_queue;
GRand *check_rng;

static const CheckOp *const ops[] = {
  &check_functions, &check_tokens, &check_norm, &check_linear, &check_chain, &check_attention, &check_gate, &check_row_sum, &check_loss,
  &check_correspondence, &check_optimiser, &check_window,
  &check_readout_loss, &check_matrix_units, &check_rounded,
};

static char *only_device, *only_op, *table;
static gboolean bench, quick, tune;
static const CheckOp *current;
static char parameters[256];
static guint passed, failed;

void
check_case (const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_vsnprintf (parameters, sizeof parameters, format, args);
  va_end (args);
  g_rand_set_seed (check_rng, g_str_hash (parameters));
}

static void G_GNUC_PRINTF (3, 4)
report (gboolean good, const char *name, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  *(good ? &passed : &failed) += 1;
  if (good)
    return;
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_print ("FAILED %s (%s): %s: %s\n", current->name, parameters, name, text);
}

void
check_report (const char *name, double error, double tolerance)
{
  report (error <= tolerance, name, "error %.2e, allowed %.1e", error, tolerance);
}

float *
check_random (gsize count, double scale)
{
  float *values = g_new (float, count);

  for (gsize i = 0; i < count; i++)
    values[i] = g_rand_double_range (check_rng, -scale, scale);
  return values;
}

/* @value with @bits bits of mantissa, to nearest, ties to even; not for subnormal numbers. */
static float
round_mantissa (float value, int bits)
{
  int exponent;
  const double mantissa = frexp (value, &exponent);

  return ldexp (nearbyint (ldexp (mantissa, bits)), exponent - bits);
}

float *
check_round (RvmElement type, const float *weights, gsize count)
{
  float *rounded = g_new (float, count);

  for (gsize i = 0; i < count; i++)
    rounded[i] = type == RVM_ELEMENT_F32 ? weights[i] : round_mantissa (weights[i], type == RVM_ELEMENT_F16 ? 11 : 8);
  return rounded;
}

RvmLinear *
check_make_linear (RvmGemmProvider provider, RvmElement type, guint k, guint n, const float *kernel, const float *bias)
{
  g_autoptr (GError) error = NULL;
  RvmLinear *linear = rvm_linear_new (check_device, provider, type, k, n, bias != NULL, &error);

  if (linear == NULL || !rvm_linear_begin (linear, &error))
    g_error ("%s", error->message);
  rvm_linear_set_kernel (linear, 0, 0, k, n, kernel);
  if (bias)
    rvm_linear_set_bias (linear, 0, n, bias);
  if (!rvm_linear_end (linear, &error))
    g_error ("%s", error->message);
  return linear;
}

void
check_finish (void)
{
  g_autoptr (GError) error = NULL;

  if (!rvm_queue_finish (check_queue, &error))
    g_error ("%s (%s): %s", current->name, parameters, error->message);
}

RvmBuffer *
check_upload_bytes (gconstpointer data, gsize size)
{
  g_autoptr (GError) error = NULL;
  RvmBuffer *buffer = rvm_buffer_new (check_device, size, "test", &error);

  if (buffer == NULL)
    g_error ("%s", error->message);
  if (data)
    rvm_queue_write (check_queue, buffer, 0, data, size);
  else
    rvm_queue_zero (check_queue, buffer, 0, size);
  check_finish ();
  return buffer;
}

RvmBuffer *
check_upload (const float *values, gsize count)
{
  return check_upload_bytes (values, count * sizeof (float));
}

RvmBuffer *
check_output (gsize count)
{
  g_autofree float *content = g_new (float, count + CANARY);

  for (gsize i = 0; i < count + CANARY; i++)
    content[i] = CANARY_VALUE;
  return check_upload (content, count + CANARY);
}

float *
check_read (RvmBuffer *buffer, gsize count)
{
  float *values = g_new (float, count);

  rvm_queue_read (check_queue, buffer, 0, values, count * sizeof (float));
  check_finish ();
  return values;
}

/* The largest difference, relative to the largest magnitude; infinity if anything is not finite. */
static double
relative_error (const float *got, const double *expected, gsize count)
{
  double worst = 0, largest = 1e-30;

  for (gsize i = 0; i < count; i++) {
    const double difference = fabs (got[i] - expected[i]);

    worst = difference <= G_MAXFLOAT ? MAX (worst, difference) : INFINITY;
    largest = MAX (largest, fabs (expected[i]));
  }
  return worst / largest;
}

void
check_compare (const char *name, RvmBuffer *output, const double *expected, gsize count, double tolerance)
{
  g_autofree float *got = g_new (float, count + CANARY);
  g_autoptr (GError) error = NULL;

  rvm_queue_read (check_queue, output, 0, got, (count + CANARY) * sizeof (float));
  if (!rvm_queue_finish (check_queue, &error)) {
    report (FALSE, name, "%s", error->message);
    return;
  }
  for (gsize i = count; i < count + CANARY; i++)
    if (got[i] != CANARY_VALUE) {
      report (FALSE, name, "the memory after the output was written");
      return;
    }
  check_report (name, relative_error (got, expected, count), tolerance);
}

/* The central difference of @loss for a move of @input by @move. */
static double
difference_of (float *input, float move, CheckLoss loss, gconstpointer data)
{
  const float kept = *input, above = kept + move, below = kept - move;
  double difference;

  *input = above;
  difference = loss (data);
  *input = below;
  difference = (difference - loss (data)) / ((double) above - below);
  *input = kept;
  return difference;
}

void
check_gradient (const char *name, float *input, const float *gradient, gsize count, CheckLoss loss, gconstpointer data)
{
  double worst = 0, largest = 1e-30;

  for (guint n = 0; n < MIN (count, MOST_DIFFERENCES); n++) {
    const gsize i = count <= MOST_DIFFERENCES ? n : (gsize) g_rand_int_range (check_rng, 0, count);
    /* Of two moves, so that the error of third order cancels (Richardson). */
    const double difference = (4 * difference_of (&input[i], MOVE, loss, data) - difference_of (&input[i], 2 * MOVE, loss, data)) / 3;

    worst = fabs (gradient[i] - difference) <= G_MAXFLOAT ? MAX (worst, fabs (gradient[i] - difference)) : INFINITY;
    largest = MAX (largest, fabs (difference));
  }
  report (worst / largest <= GRADIENT_TOLERANCE, name, "the gradient differs by %.2e of the largest, allowed %.1e", worst / largest,
      GRADIENT_TOLERANCE);
}

void
check_gradient_buffer (const char *name, float *input, RvmBuffer *gradient, gsize count, CheckLoss loss, gconstpointer data)
{
  g_autofree float *values = check_read (gradient, count);

  check_gradient (name, input, values, count, loss, data);
}

double
check_weigh (const float *r, const double *out, gsize count)
{
  double sum = 0;

  for (gsize i = 0; i < count; i++)
    sum += r[i] * out[i];
  return sum;
}

static int
compare_doubles (gconstpointer a, gconstpointer b)
{
  const double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

double
check_time (void (*run) (gpointer data), gpointer data)
{
  double times[TIMED_RUNS];

  for (int i = -2; i < TIMED_RUNS; i++) { /* the first two warm up */
    const gint64 start = g_get_monotonic_time ();

    run (data);
    check_finish ();
    if (i >= 0)
      times[i] = (g_get_monotonic_time () - start) / 1e3;
  }
  qsort (times, TIMED_RUNS, sizeof *times, compare_doubles);
  return times[TIMED_RUNS / 2];
}

static void
run_op (const CheckOp *op)
{
  current = op;
  check_rng = g_rand_new ();
  check_case ("before the first case");
  if (bench) {
    if (op->bench)
      op->bench ();
  } else {
    op->check (quick);
    if (op->check_backward)
      op->check_backward (quick);
  }
  g_clear_pointer (&check_rng, g_rand_free);
}

static void
run_device (const char *selector)
{
  g_autoptr (GError) error = NULL;

  check_device = rvm_device_open (selector, NULL, &error);
  check_queue = check_device ? rvm_queue_new (check_device, FALSE, &error) : NULL;
  if (check_queue) {
    g_print ("%s\n", rvm_device_get_name (check_device));
    if (tune)
      tune_device (check_device, table, &error);
    for (guint i = 0; !tune && i < G_N_ELEMENTS (ops); i++)
      if (only_op == NULL || strcmp (only_op, ops[i]->name) == 0)
        run_op (ops[i]);
  }
  if (error) {
    g_print ("FAILED %s\n", error->message);
    failed++;
  }
  g_clear_pointer (&check_queue, rvm_queue_free);
  g_clear_pointer (&check_device, rvm_device_unref);
}

int
main (int argc, char **argv)
{
  const GOptionEntry entries[] = {
    { "device", 'd', 0, G_OPTION_ARG_STRING, &only_device, "only this device: index or part of its name", "DEVICE" },
    { "only", 'o', 0, G_OPTION_ARG_STRING, &only_op, "only this operation, such as linear", "OPERATION" },
    { "bench", 'b', 0, G_OPTION_ARG_NONE, &bench, "time the kernels instead", NULL },
    { "tune", 't', 0, G_OPTION_ARG_NONE, &tune, "find the fastest tiles and print them as a row of kernels/ops/tuned.inc", NULL },
    { "table", 0, 0, G_OPTION_ARG_FILENAME, &table, "with --tune: put the row into this file", "FILE" },
    { "quick", 'q', 0, G_OPTION_ARG_NONE, &quick, "tiny sizes and the native GEMM only, for simulators", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- check every kernel on every OpenCL device");
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) devices = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    g_printerr ("checkcl: %s\n", error->message);
    return 2;
  }
  devices = rvm_device_list ();
  if (only_device)
    run_device (only_device);
  for (guint i = 0; !only_device && devices[i]; i++) {
    g_autofree char *index = g_strdup_printf ("%u", i);
    run_device (index);
  }
  if (bench || tune)
    return failed != 0;
  g_print ("%u passed, %u failed\n", passed, failed);
  return failed || !passed;
}
