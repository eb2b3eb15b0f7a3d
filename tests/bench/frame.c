/* What a frame costs: `frame --model FILE` runs the bare model (no GStreamer) on a picture of noise and prints one JSON line.
 *
 * The yardstick is the best rate of the project's own GEMM in the same process, measured between the frames, so that a noisy
 * machine changes both alike: `of_gemm` is the frame's rate divided by it. `fma_gflops` is the rate of multiply-adds that touch no
 * memory (peak.h). Start-up is measured in children, with an empty cache of built kernels and with a filled one, from the start of the
 * process to the first features on the host. */
#include <json-glib/json-glib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernels/half.h"
#include "kernels/ops/linear.h"
#include "model/stream.h"
#include "peak.h"
#include "quantile.h"
#include "tests/folder.h"

#define WARM_STARTS 5 /* the median of them counts */

static char *model_file, *device_name, *gemm_name, *precision_name, *size_text, *cache_dir;
static int n_frames = 30;
static gboolean start_only, no_start;

typedef struct {
  RvmLinear *weights;
  RvmBuffer *a, *out;
  guint m, n, k;
  GArray *seconds; /* of double */
} Product;

static double
now (void)
{
  return g_get_monotonic_time () / 1e6;
}

/* Seconds since this process was started, to the kernel's clock tick of usually 10 ms. */
static double
process_age (void)
{
  g_autofree char *stat = NULL;
  struct timespec time;
  const char *rest;
  g_auto (GStrv) fields = NULL;

  if (!g_file_get_contents ("/proc/self/stat", &stat, NULL, NULL) || (rest = strrchr (stat, ')')) == NULL)
    return 0;
  fields = g_strsplit (rest + 2, " ", 0);
  if (g_strv_length (fields) < 20)
    return 0;
  clock_gettime (CLOCK_BOOTTIME, &time);
  return time.tv_sec + time.tv_nsec / 1e9 - g_ascii_strtod (fields[19], NULL) / sysconf (_SC_CLK_TCK);
}

/* MiB of /proc/self/status's @field. */
static double
memory_of (const char *field)
{
  g_autofree char *status = NULL;
  const char *at;

  if (!g_file_get_contents ("/proc/self/status", &status, NULL, NULL) || (at = strstr (status, field)) == NULL)
    return 0;
  return g_ascii_strtod (at + strlen (field) + 1, NULL) / 1024;
}

static RvmModel *
load_model (GError **error)
{
  RvmModelOptions options = { .device = device_name, .cache_dir = cache_dir };

  if (gemm_name && !rvm_gemm_from_name (gemm_name, &options.gemm)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "--gemm %s: expected " RVM_GEMM_NAMES, gemm_name);
    return NULL;
  }
  if (precision_name && !rvm_element_from_name (precision_name, &options.precision)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "--precision %s: expected " RVM_ELEMENT_NAMES, precision_name);
    return NULL;
  }
  return rvm_model_load (model_file, &options, error);
}

static Product *
product_new (RvmModel *model, guint m, guint n, guint k)
{
  RvmDevice *device = rvm_model_get_device (model);
  Product *product = g_new0 (Product, 1);
  g_autofree float *values = g_new (float, (gsize) MAX (m, n) * k);
  g_autofree guint16 *narrow = g_new (guint16, (gsize) m * k);
  g_autoptr (RvmQueue) queue = rvm_queue_new (device, FALSE, NULL);

  for (gsize i = 0; i < (gsize) MAX (m, n) * k; i++)
    values[i] = (float) (i % 251) / 251 - 0.5f;
  product->m = m;
  product->n = n;
  product->k = k;
  product->seconds = g_array_new (FALSE, FALSE, sizeof (double));
  product->weights = rvm_linear_new (device, rvm_model_get_gemm (model), rvm_model_get_precision (model), k, n, FALSE, NULL);
  product->a = rvm_buffer_new (device, (gsize) m * k * sizeof (float), "a", NULL);
  product->out = rvm_buffer_new (device, (gsize) m * n * sizeof (float), "out", NULL);
  if (queue == NULL || product->weights == NULL || product->a == NULL || product->out == NULL)
    g_error ("no memory for a product of %u x %u x %u", m, n, k);
  rvm_linear_begin (product->weights, NULL);
  rvm_linear_set_kernel (product->weights, 0, 0, k, n, values);
  rvm_linear_end (product->weights, NULL);
  for (gsize i = 0; i < (gsize) m * k; i++)
    narrow[i] = rvm_float_to_bfloat (values[i]);
  if (rvm_linear_get_activations (product->weights) == RVM_ELEMENT_BF16) /* as between the layers of a frame */
    rvm_queue_write (queue, product->a, 0, narrow, (gsize) m * k * sizeof *narrow);
  else
    rvm_queue_write (queue, product->a, 0, values, (gsize) m * k * sizeof (float));
  rvm_queue_finish (queue, NULL);
  return product;
}

static void
product_free (Product *product)
{
  rvm_linear_free (product->weights);
  rvm_buffer_unref (product->a);
  rvm_buffer_unref (product->out);
  g_array_unref (product->seconds);
  g_free (product);
}

/* Several in a row, as in a frame: the wait at the end is not part of a product. */
static void
product_time (Product *product, RvmQueue *queue)
{
  const guint repeats = 8;
  const double start = now ();
  RvmTensor a = rvm_tensor (product->a, product->m, product->k), out = rvm_tensor (product->out, product->m, product->n);
  double seconds;

  a.type = out.type = rvm_linear_get_activations (product->weights);
  for (guint i = 0; i < repeats; i++)
    rvm_linear_forward (queue, product->weights, a, out, NULL);
  rvm_queue_finish (queue, NULL);
  seconds = (now () - start) / repeats;
  g_array_append_val (product->seconds, seconds);
}

static double
product_gflops (Product *product)
{
  return 2e-9 * product->m * product->n * product->k / quantile (product->seconds, 0.5);
}

/* The products of the encoder for one frame, and one for four frames at once. */
static GPtrArray *
make_products (RvmModel *model, guint tokens)
{
  const RvmTransformerConfig *config = &rvm_model_get_config (model)->encoder;
  GPtrArray *products = g_ptr_array_new_with_free_func ((GDestroyNotify) product_free);

  g_ptr_array_add (products, product_new (model, tokens, 3 * config->dim, config->dim));
  g_ptr_array_add (products, product_new (model, tokens, config->mlp, config->dim));
  g_ptr_array_add (products, product_new (model, tokens, config->dim, config->mlp));
  g_ptr_array_add (products, product_new (model, 4 * tokens, 3 * config->dim, config->dim));
  return products;
}

static RvmStream *
make_stream (RvmModel *model, RvmStreamFlags flags, guint8 **pixels, guint *stride, GError **error)
{
  guint width = 256, height = 256;
  RvmStream *stream;

  if (size_text && sscanf (size_text, "%ux%u", &width, &height) != 2) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_ARGUMENT, "--size %s: WIDTHxHEIGHT was expected", size_text);
    return NULL;
  }
  stream = rvm_stream_new (model, width, height, flags, error);
  if (stream == NULL)
    return NULL;
  *stride = width * 3;
  *pixels = g_malloc ((gsize) width * height * 3);
  for (gsize i = 0; i < (gsize) width * height * 3; i++)
    (*pixels)[i] = (guint8) (i * 2654435761u >> 13);
  return stream;
}

/* --start-only: to the first features, then out. */
static int
measure_start (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmModel) model = load_model (&error);
  g_autofree guint8 *pixels = NULL;
  guint stride;
  g_autoptr (RvmStream) stream = model ? make_stream (model, RVM_STREAM_DEFAULT, &pixels, &stride, &error) : NULL;
  g_autofree float *features = stream ? g_new (float, (gsize) rvm_stream_get_tokens (stream) * rvm_stream_get_dim (stream)) : NULL;

  if (stream == NULL || !rvm_stream_push (stream, pixels, stride, 1, features, NULL, &error)) {
    g_printerr ("frame: %s\n", error->message);
    return 1;
  }
  g_print ("%.3f\n", process_age ());
  return 0;
}

/* Seconds from start to first features of a child with the given cache, or NaN. */
static double
child_start (const char *self, const char *cache)
{
  g_autoptr (GPtrArray) args = g_ptr_array_new ();
  g_auto (GStrv) environment = NULL;
  g_autofree char *out = NULL;
  int status;
  const char *const pairs[][2] = {
    { "--model", model_file }, { "--size", size_text }, { "--device", device_name }, { "--gemm", gemm_name },
    { "--precision", precision_name }, { "--cache-dir", cache },
  };

  g_ptr_array_add (args, (gpointer) self);
  g_ptr_array_add (args, "--start-only");
  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++)
    if (pairs[i][1]) {
      g_ptr_array_add (args, (gpointer) pairs[i][0]);
      g_ptr_array_add (args, (gpointer) pairs[i][1]);
    }
  g_ptr_array_add (args, NULL);
  /* PoCL keeps a cache of its own, which would make a cold start warm. */
  environment = g_environ_setenv (g_get_environ (), "POCL_CACHE_DIR", cache, TRUE);
  if (!g_spawn_sync (NULL, (char **) args->pdata, environment, G_SPAWN_DEFAULT, NULL, NULL, &out, NULL, &status, NULL)
      || !g_spawn_check_wait_status (status, NULL))
    return NAN;
  return g_ascii_strtod (out, NULL);
}

static void
add_start (JsonBuilder *json, const char *self)
{
  g_autofree char *cache = g_dir_make_tmp ("rvm-frame-XXXXXX", NULL);
  g_autoptr (GArray) warm = g_array_new (FALSE, FALSE, sizeof (double));
  double cold;

  if (cache == NULL)
    return;
  cold = child_start (self, cache);
  for (guint i = 0; i < WARM_STARTS; i++) {
    const double seconds = child_start (self, cache);
    g_array_append_val (warm, seconds);
  }
  remove_folder (cache);
  json_builder_set_member_name (json, "start_cold_s");
  json_builder_add_double_value (json, cold);
  json_builder_set_member_name (json, "start_warm_s");
  json_builder_add_double_value (json, quantile (warm, 0.5));
}

static void
add_number (JsonBuilder *json, const char *name, double value)
{
  json_builder_set_member_name (json, name);
  json_builder_add_double_value (json, value);
}

static void
add_string (JsonBuilder *json, const char *name, const char *value)
{
  json_builder_set_member_name (json, name);
  json_builder_add_string_value (json, value);
}

/* Milliseconds per frame and kernel, of a stream that measures every launch: those that are otherwise joined are launched one by one. */
static gboolean
add_profile (JsonBuilder *json, RvmModel *model, float *features, GError **error)
{
  const guint frames = 5;
  g_autofree guint8 *pixels = NULL;
  guint stride;
  g_autoptr (RvmStream) stream = make_stream (model, RVM_STREAM_PROFILE, &pixels, &stride, error);
  g_autoptr (GArray) profile = NULL;

  if (stream == NULL || !rvm_stream_push (stream, pixels, stride, 1, features, NULL, error))
    return FALSE;
  rvm_queue_reset_profile (rvm_stream_get_queue (stream));
  for (guint i = 0; i < frames; i++)
    if (!rvm_stream_push (stream, pixels, stride, 1, features, NULL, error))
      return FALSE;
  profile = rvm_queue_get_profile (rvm_stream_get_queue (stream));
  json_builder_set_member_name (json, "kernels_ms");
  json_builder_begin_object (json);
  for (guint i = 0; i < profile->len; i++) {
    const RvmProfileEntry *entry = &g_array_index (profile, RvmProfileEntry, i);
    add_number (json, entry->name, entry->nanoseconds / 1e6 / frames);
  }
  json_builder_end_object (json);
  return TRUE;
}

static gboolean
measure (JsonBuilder *json, const char *self, GError **error)
{
  g_autoptr (RvmModel) model = load_model (error);
  g_autofree guint8 *pixels = NULL;
  guint stride;
  g_autoptr (RvmStream) stream = model ? make_stream (model, RVM_STREAM_DEFAULT, &pixels, &stride, error) : NULL;
  g_autoptr (RvmQueue) queue = stream ? rvm_queue_new (rvm_model_get_device (model), FALSE, error) : NULL;
  g_autoptr (Peak) peak = queue ? peak_new (rvm_model_get_device (model), queue, error) : NULL;
  g_autoptr (GPtrArray) products = NULL;
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));
  g_autofree float *features = NULL;
  double best = 0, flops, median;
  guint64 before;

  if (peak == NULL)
    return FALSE;
  features = g_new (float, (gsize) rvm_stream_get_tokens (stream) * rvm_stream_get_dim (stream));
  if (!rvm_stream_push (stream, pixels, stride, 1, features, NULL, error))
    return FALSE;
  add_number (json, "resident_mib", memory_of ("VmRSS:"));
  add_number (json, "peak_mib", memory_of ("VmHWM:"));
  before = rvm_queue_get_launches (rvm_stream_get_queue (stream));
  products = make_products (model, rvm_stream_get_tokens (stream));
  for (int i = -2; i < n_frames; i++) {
    const double start = now ();
    double seconds;

    if (!rvm_stream_push (stream, pixels, stride, 1, features, NULL, error))
      return FALSE;
    seconds = now () - start;
    if (i >= 0)
      g_array_append_val (times, seconds);
    product_time (g_ptr_array_index (products, (i + 2) % products->len), queue);
    if (!peak_time (peak, error))
      return FALSE;
  }
  while (((Product *) g_ptr_array_index (products, products->len - 1))->seconds->len < 3)
    for (guint p = 0; p < products->len; p++)
      product_time (g_ptr_array_index (products, p), queue);
  for (guint p = 0; p < products->len; p++)
    best = MAX (best, product_gflops (g_ptr_array_index (products, p)));
  flops = rvm_model_count_flops (model, rvm_stream_get_rows (stream), rvm_stream_get_columns (stream));
  median = quantile (times, 0.5);
  add_string (json, "device", rvm_device_get_name (rvm_model_get_device (model)));
  add_string (json, "gemm", rvm_gemm_get_name (rvm_model_get_gemm (model)));
  add_string (json, "weights", rvm_element_get_name (rvm_model_get_precision (model)));
  add_string (json, "arithmetic", rvm_model_get_gemm (model) == RVM_GEMM_MATRIX_UNITS ? "bf16" : "f32");
  add_number (json, "tokens", rvm_stream_get_tokens (stream));
  add_number (json, "launches", (double) (rvm_queue_get_launches (rvm_stream_get_queue (stream)) - before) / (n_frames + 2));
  add_number (json, "ms_median", 1e3 * median);
  add_number (json, "ms_p10", 1e3 * quantile (times, 0.1));
  add_number (json, "ms_p90", 1e3 * quantile (times, 0.9));
  add_number (json, "gflop", flops / 1e9);
  add_number (json, "gflops", flops / 1e9 / median);
  add_number (json, "gemm_gflops", best);
  add_number (json, "of_gemm", flops / 1e9 / median / best);
  add_number (json, "fma_gflops", peak_gflops (peak));
  if (!add_profile (json, model, features, error))
    return FALSE;
  if (!no_start)
    add_start (json, self);
  return TRUE;
}

int
main (int argc, char **argv)
{
  const GOptionEntry entries[] = {
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &model_file, "weights, .npz or .safetensors", "FILE" },
    { "size", 's', 0, G_OPTION_ARG_STRING, &size_text, "pixels of a frame (256x256)", "WxH" },
    { "frames", 'n', 0, G_OPTION_ARG_INT, &n_frames, "frames that are timed (30)", "N" },
    { "device", 'd', 0, G_OPTION_ARG_STRING, &device_name, "OpenCL device: index or part of its name", "DEVICE" },
    { "gemm", 'g', 0, G_OPTION_ARG_STRING, &gemm_name, "auto, native or clblast", "GEMM" },
    { "precision", 'p', 0, G_OPTION_ARG_STRING, &precision_name, "f32, f16 or bf16", "PRECISION" },
    { "cache-dir", 'c', 0, G_OPTION_ARG_FILENAME, &cache_dir, "where built kernels are kept", "DIR" },
    { "no-start", 0, 0, G_OPTION_ARG_NONE, &no_start, "do not measure start-up", NULL },
    { "start-only", 0, 0, G_OPTION_ARG_NONE, &start_only, "print seconds from process start to first features", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- time a frame");
  g_autoptr (JsonBuilder) json = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    g_printerr ("frame: %s\n", error->message);
    return 2;
  }
  if (model_file == NULL || n_frames < 1) {
    g_printerr ("frame: --model FILE is needed, and at least one frame\n");
    return 2;
  }
  if (start_only)
    return measure_start ();
  json_builder_begin_object (json);
  if (!measure (json, "/proc/self/exe", &error)) {
    g_printerr ("frame: %s\n", error->message);
    return 1;
  }
  json_builder_end_object (json);
  root = json_builder_get_root (json);
  text = json_to_string (root, FALSE);
  g_print ("%s\n", text);
  return 0;
}
