/* Edges of labels that follow the picture: the guided filter against a direct computation of its definition, and what it is for. */
#include <math.h>
#include <string.h>

#include "model/labels.h"
#include "model/refine.h"
#include "tests/run_cases.h"

typedef struct {
  guint rows, columns, channels, patch;
  double cells;
  gboolean flat; /* the picture has large parts of one colour, where the covariance is singular */
} Case;

/* The labels between cells, as docs/model.md says that masks are made. */
static double
label_at (const Case *c, const float *labels, guint channel, guint x, guint y)
{
  const double at_y = CLAMP ((y + 0.5) / c->patch - 0.5, 0, c->rows - 1), at_x = CLAMP ((x + 0.5) / c->patch - 0.5, 0, c->columns - 1);
  const guint y0 = at_y, x0 = at_x, y1 = MIN (y0 + 1, c->rows - 1), x1 = MIN (x0 + 1, c->columns - 1);
  const double wy = at_y - y0, wx = at_x - x0;
#define LABEL(row, column) labels[((row) * c->columns + (column)) * c->channels + channel]
  return (1 - wy) * ((1 - wx) * LABEL (y0, x0) + wx * LABEL (y0, x1)) + wy * ((1 - wx) * LABEL (y1, x0) + wx * LABEL (y1, x1));
#undef LABEL
}

/* Solves m a = v by Cramer's rule. */
static void
solve (double m[3][3], const double v[3], double a[3])
{
#define DETERMINANT(m) \
  (m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) \
      + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]))
  const double all = DETERMINANT (m);

  for (guint k = 0; k < 3; k++) {
    double replaced[3][3];

    memcpy (replaced, m, sizeof replaced);
    for (guint i = 0; i < 3; i++)
      replaced[i][k] = v[i];
    a[k] = DETERMINANT (replaced) / all;
  }
#undef DETERMINANT
}

/* The linear function of the window around (x, y): slopes of three colours, and what is added. */
static void
fit_window (const Case *c, const guint8 *rgb, const double *p, guint radius, int x, int y, double line[4])
{
  const int width = c->columns * c->patch, height = c->rows * c->patch, r = radius;
  double n = 0, mean_p = 0, mean[3] = { 0 }, product[3][3] = { 0 }, with_p[3] = { 0 }, m[3][3], v[3];

  for (int j = MAX (0, y - r); j <= MIN (height - 1, y + r); j++)
    for (int i = MAX (0, x - r); i <= MIN (width - 1, x + r); i++, n++) {
      const guint8 *pixel = rgb + (j * width + i) * 3;

      mean_p += p[j * width + i];
      for (guint k = 0; k < 3; k++) {
        mean[k] += pixel[k] / 255.0;
        with_p[k] += pixel[k] / 255.0 * p[j * width + i];
        for (guint l = 0; l < 3; l++)
          product[k][l] += pixel[k] / 255.0 * pixel[l] / 255.0;
      }
    }
  for (guint k = 0; k < 3; k++) {
    v[k] = with_p[k] / n - mean[k] / n * mean_p / n;
    for (guint l = 0; l < 3; l++)
      m[k][l] = product[k][l] / n - mean[k] / n * mean[l] / n + (k == l ? 1e-5 : 0);
  }
  solve (m, v, line);
  line[3] = mean_p / n;
  for (guint k = 0; k < 3; k++)
    line[3] -= line[k] * mean[k] / n;
}

/* By the definition: a line for each window, and their mean over the windows around a pixel. */
static void
refine_directly (const Case *c, const guint8 *rgb, const float *labels, double *fine)
{
  const int width = c->columns * c->patch, height = c->rows * c->patch, r = MAX (1, (int) (c->cells * c->patch + 0.5));
  g_autofree double *p = g_new (double, width * height), *lines = g_new (double, 4 * width * height);

  for (guint channel = 0; channel < c->channels; channel++) {
    for (int i = 0; i < width * height; i++)
      p[i] = label_at (c, labels, channel, i % width, i / width);
    for (int i = 0; i < width * height; i++)
      fit_window (c, rgb, p, r, i % width, i / width, lines + 4 * i);
    for (int y = 0; y < height; y++)
      for (int x = 0; x < width; x++) {
        double sum = 0, n = 0;

        for (int j = MAX (0, y - r); j <= MIN (height - 1, y + r); j++)
          for (int i = MAX (0, x - r); i <= MIN (width - 1, x + r); i++, n++) {
            const double *line = lines + 4 * (j * width + i);

            sum += line[3];
            for (guint k = 0; k < 3; k++)
              sum += line[k] * rgb[(y * width + x) * 3 + k] / 255.0;
          }
        fine[(y * width + x) * c->channels + channel] = sum / n;
      }
  }
}

START_TEST (test_it_is_the_guided_filter)
{
  static const Case cases[] = {
    { 3, 5, 2, 4, 1, FALSE }, { 1, 1, 1, 1, 1, FALSE }, { 1, 4, 3, 8, 0.5, FALSE }, { 4, 3, 2, 2, 16, FALSE }, { 3, 4, 2, 8, 1, TRUE },
  };

  for (guint n = 0; n < G_N_ELEMENTS (cases); n++) {
    const Case *c = &cases[n];
    const guint pixels = c->rows * c->columns * c->patch * c->patch;
    g_autofree guint8 *rgb = g_malloc (pixels * 3);
    g_autofree float *labels = g_new (float, c->rows * c->columns * c->channels), *fine = g_new (float, pixels * c->channels);
    g_autofree double *expected = g_new (double, pixels * c->channels);
    GRand *rng = g_rand_new_with_seed (n + 1);
    double error = 0;

    for (guint i = 0; i < pixels * 3; i++)
      rgb[i] = c->flat ? (i / 3 % (c->columns * c->patch) < 13 ? 40 : 190) : g_rand_int_range (rng, 0, 256);
    for (guint i = 0; i < c->rows * c->columns * c->channels; i++)
      labels[i] = g_rand_double (rng);
    rvm_labels_refine (c->cells, rgb, c->patch, labels, c->rows, c->columns, c->channels, fine);
    refine_directly (c, rgb, labels, expected);
    for (guint i = 0; i < pixels * c->channels; i++)
      error = fmax (error, fabs (fine[i] - expected[i]));
    /* Where a window has one colour, only epsilon is in the matrix, and rounding of float32 is divided by it. */
    ck_assert_msg (error < (c->flat ? 2e-2 : 2e-5), "case %u: %g", n, error);
    g_rand_free (rng);
  }
}
END_TEST

enum { ROWS = 8, COLUMNS = 10, PATCH = 8, WIDTH = COLUMNS * PATCH, HEIGHT = ROWS * PATCH };

static double
overlap (const guint8 *a, const guint8 *b)
{
  guint both = 0, either = 0;

  for (guint i = 0; i < WIDTH * HEIGHT; i++) {
    both += a[i] && b[i];
    either += a[i] || b[i];
  }
  return (double) both / either;
}

/* A disc of another colour, whose edge no cell follows, in noise. */
START_TEST (test_masks_get_the_edges_of_the_picture)
{
  g_autofree guint8 *rgb = g_malloc (WIDTH * HEIGHT * 3), *truth = g_malloc (WIDTH * HEIGHT), *coarse = g_malloc (WIDTH * HEIGHT);
  g_autofree guint8 *refined = g_malloc (WIDTH * HEIGHT);
  g_autofree float *labels = g_new (float, ROWS * COLUMNS * 2), *fine = g_new (float, WIDTH * HEIGHT * 2);
  GRand *rng = g_rand_new_with_seed (7);

  for (guint i = 0; i < WIDTH * HEIGHT; i++) {
    truth[i] = hypot (i % WIDTH - 37.0, i / WIDTH - 29.0) < 15;
    for (guint c = 0; c < 3; c++)
      rgb[i * 3 + c] = (truth[i] ? 90 + 20 * c : 130 - 10 * c) + g_rand_int_range (rng, -8, 9);
  }
  g_rand_free (rng);
  rvm_labels_from_mask (truth, WIDTH, HEIGHT, labels, ROWS, COLUMNS, 2);
  rvm_labels_to_mask (labels, ROWS, COLUMNS, 2, coarse, WIDTH, HEIGHT);
  rvm_labels_refine (1, rgb, PATCH, labels, ROWS, COLUMNS, 2, fine);
  rvm_labels_to_mask (fine, HEIGHT, WIDTH, 2, refined, WIDTH, HEIGHT);
  ck_assert_msg (overlap (coarse, truth) < 0.85 && overlap (refined, truth) > 0.95, "%.3f without, %.3f with", overlap (coarse, truth),
      overlap (refined, truth));
}
END_TEST

int
main (void)
{
  TCase *tests = tcase_create ("refine");

  tcase_add_test (tests, test_it_is_the_guided_filter);
  tcase_add_test (tests, test_masks_get_the_edges_of_the_picture);
  tcase_set_timeout (tests, 120);
  return run_cases ("refine", tests);
}
