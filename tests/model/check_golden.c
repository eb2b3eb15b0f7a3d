/* check_golden WEIGHTS FORWARD.npz: compares the model library with recorded outputs of the reference implementation.
 *
 * FORWARD.npz holds, for each clip X, X/frames (T, H, W, 3) uint8 and X/features (T, N + 1, D) float32 after each frame with the
 * state carried from zeros; optionally, for frame 1, X/frame1_tokens (h, w, D), _encoder_block0, _encoded, _update_gate,
 * _reset_gate, _core_block0 and _candidate (N + 1, D). Prints the largest error per clip, relative to the largest magnitude of the
 * reference, and fails beyond the tolerance. Also prints that of each frame, and the L2 norm of the difference over that of the reference. */
#include <glib.h>
#include <math.h>
#include <string.h>

#include "model/format/npz.h"
#include "model/stream.h"

static double tolerance = 1e-4;
static char *device, *gemm, *precision;

static const GOptionEntry entries[] = {
  { "device", 'd', 0, G_OPTION_ARG_STRING, &device, "OpenCL device: index or part of its name", "DEVICE" },
  { "gemm", 'g', 0, G_OPTION_ARG_STRING, &gemm, "auto, native or clblast", "PROVIDER" },
  { "precision", 'p', 0, G_OPTION_ARG_STRING, &precision, "f32, f16 or bf16 storage of weights", "PRECISION" },
  { "tolerance", 't', 0, G_OPTION_ARG_DOUBLE, &tolerance, "largest allowed relative error (default 1e-4)", "ERROR" },
  G_OPTION_ENTRY_NULL,
};

/* The values of an array of @dtype, or NULL if the file has none of that name. */
static gpointer
read_array (RvmNpz *npz, const char *name, RvmDType dtype, const RvmArray **out, GError **error)
{
  const RvmArray *array = rvm_npz_find (npz, name);
  guint64 elements, bytes;
  g_autofree guint8 *data = NULL;

  *out = array;
  if (array == NULL)
    return NULL;
  if (array->dtype != dtype || !rvm_array_get_size (array, &elements, &bytes)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_FORMAT, "array '%s' is %s, expected %s", name, rvm_dtype_get_name (array->dtype),
        rvm_dtype_get_name (dtype));
    return NULL;
  }
  data = g_malloc (bytes);
  return rvm_npz_read (npz, array, data, bytes, error) ? g_steal_pointer (&data) : NULL;
}

/* Largest difference over largest magnitude; infinite when a value is not a number. */
static double
relative_error (const float *got, const float *expected, gsize count)
{
  double worst = 0, largest = 0;

  for (gsize i = 0; i < count; i++) {
    const double difference = fabs ((double) got[i] - expected[i]);
    if (!(difference <= G_MAXFLOAT))
      return INFINITY;
    worst = MAX (worst, difference);
    largest = MAX (largest, fabs (expected[i]));
  }
  return largest > 0 ? worst / largest : worst;
}

static double
l2_error (const float *got, const float *expected, gsize count)
{
  double difference = 0, all = 0;

  for (gsize i = 0; i < count; i++) {
    difference += ((double) got[i] - expected[i]) * ((double) got[i] - expected[i]);
    all += (double) expected[i] * expected[i];
  }
  return all > 0 ? sqrt (difference / all) : sqrt (difference);
}

/* The intermediates of frame 1, each if present. Returns how many are beyond the tolerance, -1 on error. */
static int
check_intermediates (RvmNpz *npz, const char *clip, RvmStream *stream, GError **error)
{
  static const struct {
    const char *name;
    RvmActivation which;
    gboolean no_class; /* (h, w, D): without the class token */
  } checks[] = {
    { "frame1_tokens", RVM_ACTIVATION_TOKENS, TRUE },
    { "frame1_encoder_block0", RVM_ACTIVATION_ENCODER_BLOCK, FALSE },
    { "frame1_encoded", RVM_ACTIVATION_ENCODED, FALSE },
    { "frame1_update_gate", RVM_ACTIVATION_UPDATE_GATE, FALSE },
    { "frame1_reset_gate", RVM_ACTIVATION_RESET_GATE, FALSE },
    { "frame1_core_block0", RVM_ACTIVATION_CORE_BLOCK, FALSE },
    { "frame1_candidate", RVM_ACTIVATION_CANDIDATE, FALSE },
  };
  const gsize dim = rvm_stream_get_dim (stream), count = rvm_stream_get_tokens (stream) * dim;
  g_autofree float *got = g_new (float, count);
  int failed = 0;

  for (guint i = 0; i < G_N_ELEMENTS (checks); i++) {
    g_autofree char *name = g_strdup_printf ("%s/%s", clip, checks[i].name);
    const RvmArray *array;
    g_autofree float *expected = read_array (npz, name, RVM_DTYPE_F32, &array, error);
    const gsize skip = checks[i].no_class ? dim : 0;
    guint64 elements, bytes;
    double worst;

    if (array == NULL)
      continue;
    if (expected == NULL || !rvm_stream_read_activation (stream, checks[i].which, 0, got, error))
      return -1;
    if (!rvm_array_get_size (array, &elements, &bytes) || elements != count - skip) {
      g_set_error (error, RVM_ERROR, RVM_ERROR_FORMAT, "array '%s' has %" G_GUINT64_FORMAT " elements, expected %" G_GSIZE_FORMAT, name,
          elements, count - skip);
      return -1;
    }
    worst = relative_error (got + skip, expected, count - skip);
    g_print ("  %-24s %.2e%s\n", checks[i].name, worst, worst <= tolerance ? "" : "  FAILED");
    failed += !(worst <= tolerance);
  }
  return failed;
}

/* Returns how many comparisons are beyond the tolerance, -1 on error. */
static int
check_clip (RvmNpz *npz, const char *clip, RvmModel *model, GError **error)
{
  g_autofree char *frames_name = g_strconcat (clip, "/frames", NULL), *features_name = g_strconcat (clip, "/features", NULL);
  const RvmArray *shape, *features_shape;
  g_autofree guint8 *frames = read_array (npz, frames_name, RVM_DTYPE_U8, &shape, error);
  g_autofree float *features = frames ? read_array (npz, features_name, RVM_DTYPE_F32, &features_shape, error) : NULL;
  g_autoptr (RvmStream) stream = NULL;
  g_autofree float *got = NULL;
  g_autoptr (GString) each = g_string_new (NULL);
  double worst = 0;
  gsize count, picture;
  int failed = 0;

  if (features == NULL || shape->n_dims != 4 || shape->dims[3] != 3 || features_shape->n_dims != 3) {
    if (error && *error == NULL)
      g_set_error (error, RVM_ERROR, RVM_ERROR_FORMAT, "clip '%s' needs frames (T, H, W, 3) and features (T, N + 1, D)", clip);
    return -1;
  }
  stream = rvm_stream_new (model, shape->dims[2], shape->dims[1], RVM_STREAM_KEEP, error);
  if (stream == NULL)
    return -1;
  if (features_shape->dims[0] != shape->dims[0] || features_shape->dims[1] != rvm_stream_get_tokens (stream)
      || features_shape->dims[2] != rvm_stream_get_dim (stream)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_FORMAT, "clip '%s': features do not fit its frames and this model", clip);
    return -1;
  }
  count = (gsize) rvm_stream_get_tokens (stream) * rvm_stream_get_dim (stream);
  picture = shape->dims[1] * shape->dims[2] * 3;
  got = g_new (float, count);
  g_print ("%s: %" G_GUINT64_FORMAT " frames of %" G_GUINT64_FORMAT " x %" G_GUINT64_FORMAT "\n", clip, shape->dims[0], shape->dims[2],
      shape->dims[1]);
  for (gsize t = 0; t < shape->dims[0]; t++) {
    if (!rvm_stream_push (stream, frames + t * picture, shape->dims[2] * 3, 1, got, NULL, error))
      return -1;
    const double error_here = relative_error (got, features + t * count, count);
    g_string_append_printf (each, " %.2e (%.2e)", error_here, l2_error (got, features + t * count, count));
    worst = MAX (worst, error_here);
    if (t == 1) {
      const int beyond = check_intermediates (npz, clip, stream, error);
      if (beyond < 0)
        return -1;
      failed += beyond;
    }
  }
  g_print ("  %-24s%s\n", "each frame (L2)", each->str);
  g_print ("  %-24s %.2e%s\n", "features, worst frame", worst, worst <= tolerance ? "" : "  FAILED");
  return failed + !(worst <= tolerance);
}

static gboolean
parse_options (RvmModelOptions *options, GError **error)
{
  if (gemm && !rvm_gemm_from_name (gemm, &options->gemm)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "--gemm %s: expected " RVM_GEMM_NAMES, gemm);
    return FALSE;
  }
  if (precision && !rvm_element_from_name (precision, &options->precision)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "--precision %s: expected " RVM_ELEMENT_NAMES, precision);
    return FALSE;
  }
  options->device = device;
  return TRUE;
}

static int
run (const char *weights, const char *forward, const RvmModelOptions *options, GError **error)
{
  g_autoptr (RvmNpz) npz = rvm_npz_open (forward, error);
  g_autoptr (RvmModel) model = npz ? rvm_model_load (weights, options, error) : NULL;
  int failed = 0, clips = 0;

  if (model == NULL)
    return -1;
  g_print ("%s, model %s\n", rvm_device_get_name (rvm_model_get_device (model)), rvm_model_get_id (model));
  for (guint i = 0; i < rvm_npz_get_n_arrays (npz); i++) {
    const char *name = rvm_npz_get_array (npz, i)->name;
    if (g_str_has_suffix (name, "/frames")) {
      g_autofree char *clip = g_strndup (name, strlen (name) - strlen ("/frames"));
      const int beyond = check_clip (npz, clip, model, error);
      if (beyond < 0)
        return -1;
      failed += beyond;
      clips++;
    }
  }
  if (clips == 0) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_FORMAT, "%s: no clip (an array named NAME/frames)", forward);
    return -1;
  }
  return failed;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new ("WEIGHTS FORWARD.npz - compare with recorded reference outputs");
  g_autoptr (GError) error = NULL;
  RvmModelOptions options = { 0 };
  int failed;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || !parse_options (&options, &error) || argc != 3) {
    g_printerr ("check_golden: %s\n", error ? error->message : "expected WEIGHTS and FORWARD.npz");
    return 2;
  }
  failed = run (argv[1], argv[2], &options, &error);
  if (failed < 0) {
    g_printerr ("check_golden: %s\n", error->message);
    return 2;
  }
  g_print ("%s\n", failed ? "FAILED" : "ok");
  return failed != 0;
}
