/* check_propagation FILE.npz: label propagation, labels and mask measures against recorded outputs of the published evaluation code.
 *
 * features (T, h, w, D); mask (H, W) and its mask_heatmap (h, w, K); propagated_default, masks_default (and _short: context 4, radius 4,
 * top 5; and, where the file has them, _standardised) at kept_frames; points (P, 2) in pixels, points_heatmap, points_tracked and points_visible at kept_frames; davis_truth,
 * davis_result with davis_j, davis_f. */
#include <glib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/format/npz.h"
#include "model/labels.h"
#include "model/propagate.h"
#include "trainer/evaluate/mask_measures.h"

static char *device_name;
static guint failed, passed;
static RvmNpz *npz;

/* Ends the program as a file that is not of the layout deserves. */
static void G_GNUC_NORETURN G_GNUC_PRINTF (1, 2)
give_up (const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_printerr ("check_propagation: %s\n", g_strdup_vprintf (format, args));
  va_end (args);
  exit (1);
}

/* The values of an array, which must be there and have @n_dims dimensions. */
static gpointer
read_any (const char *name, RvmDType dtype, guint n_dims, const RvmArray **out)
{
  const RvmArray *array = rvm_npz_find (npz, name);
  g_autoptr (GError) error = NULL;
  guint64 elements, bytes;
  gpointer data;

  if (array == NULL || array->dtype != dtype || array->n_dims != n_dims || !rvm_array_get_size (array, &elements, &bytes))
    give_up ("array '%s' is missing, not %s, or has not %u dimensions", name, rvm_dtype_get_name (dtype), n_dims);
  if (elements == 0)
    give_up ("array '%s' is empty", name);
  data = g_malloc (bytes);
  if (!rvm_npz_read (npz, array, data, bytes, &error))
    give_up ("%s", error->message);
  if (out)
    *out = array;
  return data;
}

/* The same, of just this shape. */
static gpointer
read_array (const char *name, RvmDType dtype, guint n_dims, const guint64 *dims)
{
  const RvmArray *array;
  gpointer data = read_any (name, dtype, n_dims, &array);

  if (memcmp (array->dims, dims, n_dims * sizeof *dims) != 0) {
    g_autofree char *shape = rvm_array_format_shape (array);
    give_up ("array '%s' has shape %s, which does not fit the others", name, shape);
  }
  return data;
}

#define DIMS(...) G_N_ELEMENTS (((guint64[]){ __VA_ARGS__ })), ((const guint64[]){ __VA_ARGS__ })

static void
report (const char *what, double worst, double tolerance)
{
  const gboolean good = worst <= tolerance;

  g_print ("%-28s largest error %.2e, allowed %.0e%s\n", what, worst, tolerance, good ? "" : "  FAILED");
  *(good ? &passed : &failed) += 1;
}

static double
difference (const float *a, const float *b, gsize count)
{
  double worst = 0;

  for (gsize i = 0; i < count; i++)
    worst = fabs (a[i] - b[i]) <= worst ? worst : isnan (a[i]) ? INFINITY : fabs (a[i] - b[i]);
  return worst;
}

static int
kept_index (const gint32 *kept, guint n_kept, int frame)
{
  for (guint i = 0; i < n_kept; i++)
    if (kept[i] == frame)
      return i;
  return -1;
}

typedef struct {
  const RvmArray *shape; /* of features */
  const float *features;
  const guint8 *mask;
  guint width, height; /* of mask */
  guint channels;      /* background and objects */
  const gint32 *kept;
  guint n_kept;
  RvmDevice *device;
} Case;

/* Channel @channel of @labels at pixel @index of the mask: bilinear, half-pixel centres. */
static double
value_at (const Case *c, const float *labels, gsize index, guint channel)
{
  const guint rows = c->shape->dims[1], columns = c->shape->dims[2];
  const double x = CLAMP ((index % c->width + 0.5) * columns / c->width - 0.5, 0, columns - 1);
  const double y = CLAMP ((index / c->width + 0.5) * rows / c->height - 0.5, 0, rows - 1);
  const guint left = x, top = y, right = MIN (left + 1, columns - 1), bottom = MIN (top + 1, rows - 1);
#define AT(row, column) labels[((gsize) (row) * columns + (column)) * c->channels + channel]
  return (1 - (y - top)) * ((1 - (x - left)) * AT (top, left) + (x - left) * AT (top, right))
         + (y - top) * ((1 - (x - left)) * AT (bottom, left) + (x - left) * AT (bottom, right));
#undef AT
}

static void
check_masks (const Case *c, const char *name, const RvmPropagationSettings *settings)
{
  g_autofree char *map_name = g_strconcat ("propagated_", name, NULL), *mask_name = g_strconcat ("masks_", name, NULL);
  const guint rows = c->shape->dims[1], columns = c->shape->dims[2], dim = c->shape->dims[3];
  const guint channels = c->channels, width = c->width, height = c->height;
  g_autofree float *expected = read_array (map_name, RVM_DTYPE_F32, DIMS (c->n_kept, rows, columns, channels));
  g_autofree guint8 *masks = read_array (mask_name, RVM_DTYPE_U8, DIMS (c->n_kept, height, width));
  const gsize cells = (gsize) rows * columns, count = cells * channels, pixels = (gsize) width * height;
  g_autofree float *labels = g_new (float, count);
  g_autofree guint8 *result = g_malloc (pixels);
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmPropagation) p = rvm_propagation_new (c->device, rows, columns, dim, settings, &error);
  double worst = 0, other = 0;
  guint group = 0, ties = 0;

  if (p == NULL)
    give_up ("%s", error->message);
  for (guint t = 0; t < c->shape->dims[0]; t++) {
    const int kept = kept_index (c->kept, c->n_kept, t);

    if (!rvm_propagation_push (p, c->features + t * cells * dim, NULL, &error))
      give_up ("%s", error->message);
    if (t == 0) {
      rvm_labels_from_mask (c->mask, width, height, labels, rows, columns, channels);
      group = rvm_propagation_add (p, labels, channels, &error);
    }
    if (group == 0 || !rvm_propagation_read (p, group, labels, &error))
      give_up ("%s", error->message);
    if (kept < 0)
      continue;
    worst = MAX (worst, difference (labels, expected + kept * count, count));
    rvm_labels_to_mask (labels, rows, columns, channels, result, width, height);
    for (gsize i = 0; i < pixels; i++) {
      const guint8 wanted = masks[kept * pixels + i];

      if (result[i] == wanted)
        continue;
      /* Pixels at a tie may go either way. */
      if (wanted < channels && fabs (value_at (c, labels, i, result[i]) - value_at (c, labels, i, wanted)) <= 1e-4)
        ties++;
      else
        other++;
    }
  }
  report (map_name, worst, 1e-4);
  report (mask_name, other, 0);
  g_print ("  of %u pixels %u at a tie go the other way\n", (guint) (pixels * c->n_kept), ties);
}

/* How far @expected (pixels) is from where a point may be read back. Many cells share their best match, so the fifth largest value is often
 * held by several cells, of which the reference takes any: then each mean over some of them is right. */
static double
point_error (const float *labels, guint cells, guint columns, guint channels, guint channel, double cell_size, gboolean vertical, double expected)
{
  g_autoptr (GArray) tied = g_array_new (FALSE, FALSE, sizeof (double));
  double fifth = 0, total = 0, sum = 0, low, high;
  guint open = 5;

  /* The fifth largest value: the largest that at least five cells reach. */
  for (guint i = 0; i < cells; i++) {
    const float value = labels[(gsize) i * channels + channel];
    guint reach = 0;
    for (guint j = 0; j < cells; j++)
      reach += labels[(gsize) j * channels + channel] >= value;
    if (reach >= 5)
      fifth = MAX (fifth, value);
  }
  for (guint i = 0; i < cells; i++) {
    const double value = labels[(gsize) i * channels + channel], position = vertical ? i / columns : i % columns;
    if (value > fifth * (1 + 1e-5)) {
      total += value;
      sum += value * position;
      open--;
    } else if (value >= fifth * (1 - 1e-5)) {
      g_array_append_val (tied, position);
    }
  }
  total += open * fifth;
  for (guint i = 1; i < tied->len; i++)
    for (guint j = i; j > 0 && g_array_index (tied, double, j) < g_array_index (tied, double, j - 1); j--) {
      const double swap = g_array_index (tied, double, j);
      g_array_index (tied, double, j) = g_array_index (tied, double, j - 1);
      g_array_index (tied, double, j - 1) = swap;
    }
  low = high = sum;
  for (guint i = 0; i < open && i < tied->len; i++) {
    low += fifth * g_array_index (tied, double, i);
    high += fifth * g_array_index (tied, double, tied->len - 1 - i);
  }
  return MAX (0, MAX (low / total * cell_size - expected, expected - high / total * cell_size));
}

static void
check_points (const Case *c, guint width, guint height)
{
  const guint rows = c->shape->dims[1], columns = c->shape->dims[2], dim = c->shape->dims[3];
  const RvmArray *shape;
  g_autofree float *points = read_any ("points", RVM_DTYPE_F32, 2, &shape);
  const guint n = shape->dims[0], channels = n + 1;
  g_autofree float *heatmap = read_array ("points_heatmap", RVM_DTYPE_F32, DIMS (rows, columns, channels));
  g_autofree float *tracked = read_array ("points_tracked", RVM_DTYPE_F32, DIMS (c->n_kept, n, 2));
  g_autofree guint8 *visible = read_array ("points_visible", RVM_DTYPE_U8, DIMS (c->n_kept, n));
  const gsize cells = (gsize) rows * columns;
  g_autofree float *labels = g_new (float, cells * channels);
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmPropagation) p = rvm_propagation_new (c->device, rows, columns, dim, &RVM_PROPAGATION_DEFAULT, &error);
  double worst = 0, wrong = 0;
  guint group = 0, exact = 0;

  if (p == NULL)
    give_up ("%s", error->message);
  for (guint i = 0; i < n; i++) {
    points[2 * i] *= (float) columns / width;
    points[2 * i + 1] *= (float) rows / height;
  }
  rvm_labels_from_points (points, n, labels, rows, columns);
  report ("points_heatmap", difference (labels, heatmap, cells * channels), 1e-6);
  for (guint t = 0; t < c->shape->dims[0]; t++) {
    const int kept = kept_index (c->kept, c->n_kept, t);

    if (!rvm_propagation_push (p, c->features + t * cells * dim, NULL, &error) || (t == 0 && !(group = rvm_propagation_add (p, labels, channels, &error)))
        || !rvm_propagation_read (p, group, labels, &error))
      give_up ("%s", error->message);
    for (guint i = 0; kept >= 0 && i < n; i++) {
      const float *expected = tracked + ((gsize) kept * n + i) * 2;
      float x = 0, y = 0;
      const gboolean found = rvm_labels_get_point (labels, rows, columns, channels, 1 + i, &x, &y, NULL);

      wrong += found != visible[kept * n + i];
      for (guint axis = 0; found && axis < 2; axis++) {
        const double size = axis ? (double) height / rows : (double) width / columns, mine = axis ? y : x;

        worst = MAX (worst, point_error (labels, cells, columns, channels, 1 + i, size, axis, expected[axis]));
        worst = MAX (worst, point_error (labels, cells, columns, channels, 1 + i, size, axis, mine * size));
        exact += fabs (mine * size - expected[axis]) <= 1e-2;
      }
    }
  }
  report ("points_tracked, pixels", worst, 1e-2);
  g_print ("  of %u coordinates %u within 0.01, the others at a tie\n", 2 * n * c->n_kept, exact);
  report ("points_visible", wrong, 0);
}

static void
check_measures (void)
{
  const RvmArray *shape;
  g_autofree guint8 *truth = read_any ("davis_truth", RVM_DTYPE_U8, 3, &shape);
  const guint height = shape->dims[1], width = shape->dims[2];
  g_autofree guint8 *result = read_array ("davis_result", RVM_DTYPE_U8, DIMS (shape->dims[0], height, width));
  g_autofree double *j = read_array ("davis_j", RVM_DTYPE_F64, DIMS (shape->dims[0])), *f = read_array ("davis_f", RVM_DTYPE_F64, DIMS (shape->dims[0]));
  double worst_j = 0, worst_f = 0;

  for (guint i = 0; i < shape->dims[0]; i++) {
    const gsize at = (gsize) i * width * height;

    worst_j = MAX (worst_j, fabs (rvm_mask_region (truth + at, result + at, width, height, 1) - j[i]));
    worst_f = MAX (worst_f, fabs (rvm_mask_boundary (truth + at, result + at, width, height, 1) - f[i]));
  }
  report ("davis_j", worst_j, 1e-6);
  report ("davis_f", worst_f, 1e-6);
}

int
main (int argc, char **argv)
{
  const GOptionEntry entries[] = {
    { "device", 'd', 0, G_OPTION_ARG_STRING, &device_name, "OpenCL device: index or part of its name", "DEVICE" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("FILE.npz - check label propagation");
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmDevice) device = NULL;
  const RvmArray *mask_shape, *kept_shape, *heatmap_shape;
  Case c = { 0 };

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2) {
    g_printerr ("check_propagation: %s\n", error ? error->message : "expected one FILE.npz");
    return 2;
  }
  npz = rvm_npz_open (argv[1], &error);
  device = npz ? rvm_device_open (device_name, NULL, &error) : NULL;
  if (device == NULL) {
    g_printerr ("check_propagation: %s\n", error->message);
    return 1;
  }
  {
    g_autofree float *features = read_any ("features", RVM_DTYPE_F32, 4, &c.shape), *heatmap = read_any ("mask_heatmap", RVM_DTYPE_F32, 3, &heatmap_shape);
    g_autofree gint32 *kept = read_any ("kept_frames", RVM_DTYPE_I32, 1, &kept_shape);
    g_autofree guint8 *mask = read_any ("mask", RVM_DTYPE_U8, 2, &mask_shape);
    const guint rows = c.shape->dims[1], columns = c.shape->dims[2], channels = heatmap_shape->dims[2];
    g_autofree float *labels = g_new (float, (gsize) rows * columns * channels);

    if (heatmap_shape->dims[0] != rows || heatmap_shape->dims[1] != columns)
      give_up ("array 'mask_heatmap' is not on the grid of 'features'");
    c.features = features;
    c.mask = mask;
    c.width = mask_shape->dims[1];
    c.height = mask_shape->dims[0];
    c.channels = channels;
    c.kept = kept;
    c.n_kept = kept_shape->dims[0];
    c.device = device;
    rvm_labels_from_mask (mask, c.width, c.height, labels, rows, columns, channels);
    report ("mask_heatmap", difference (labels, heatmap, (gsize) rows * columns * channels), 1e-6);
    check_masks (&c, "default", &RVM_PROPAGATION_DEFAULT);
    check_masks (&c, "short", &(RvmPropagationSettings){ .context = 4, .radius = 4, .top = 5, .temperature = 0.7f });
    if (rvm_npz_find (npz, "propagated_standardised"))
      check_masks (&c, "standardised", &(RvmPropagationSettings){ .context = 20, .radius = 20, .top = 7, .temperature = 0.7f, .standardise = TRUE });
    check_points (&c, c.width, c.height);
  }
  check_measures ();
  rvm_npz_free (npz);
  g_print ("%u passed, %u failed\n", passed, failed);
  return failed != 0;
}
