/* Means over windows come from sums that a pixel, or a row of pixels, enters and another leaves, so the cost does not depend on the radius. */
#include "refine.h"

#include "taps.h"

#define EPSILON 1e-5

enum { COLOURS = 3, PAIRS = 6 };

typedef struct {
  guint width, height, radius;
  double *sums; /* of each column, over the rows of the window */
} Window;

static void
add_row (const Window *window, const float *row, double sign)
{
  for (guint x = 0; x < window->width; x++)
    window->sums[x] += sign * row[x];
}

/* Means over windows: @to from @from, which must be another array. */
static void
average (const Window *window, const float *restrict from, float *restrict to)
{
  const guint width = window->width, height = window->height, radius = window->radius;
  guint rows = MIN (radius, height);

  for (guint x = 0; x < width; x++)
    window->sums[x] = 0;
  for (guint y = 0; y < rows; y++)
    add_row (window, from + (gsize) y * width, 1);
  for (guint y = 0; y < height; y++) {
    guint columns = MIN (radius, width);
    double sum = 0;

    if (y + radius < height) {
      add_row (window, from + (gsize) (y + radius) * width, 1);
      rows++;
    }
    if (y > radius) {
      add_row (window, from + (gsize) (y - radius - 1) * width, -1);
      rows--;
    }
    for (guint x = 0; x < columns; x++)
      sum += window->sums[x];
    for (guint x = 0; x < width; x++) {
      if (x + radius < width) {
        sum += window->sums[x + radius];
        columns++;
      }
      if (x > radius) {
        sum -= window->sums[x - radius - 1];
        columns--;
      }
      to[(gsize) y * width + x] = sum / (rows * columns);
    }
  }
}

/* The symmetric 3 x 3 matrix rr rg rb gg gb bb becomes its inverse. */
static void
invert (float m[PAIRS])
{
  const double rr = m[0], rg = m[1], rb = m[2], gg = m[3], gb = m[4], bb = m[5];
  const double c0 = gg * bb - gb * gb, c1 = rb * gb - rg * bb, c2 = rg * gb - rb * gg, determinant = rr * c0 + rg * c1 + rb * c2;

  m[0] = c0 / determinant;
  m[1] = c1 / determinant;
  m[2] = c2 / determinant;
  m[3] = (rr * bb - rb * rb) / determinant;
  m[4] = (rb * rg - rr * gb) / determinant;
  m[5] = (rr * gg - rg * rg) / determinant;
}

typedef struct {
  Window window;
  gsize pixels;
  float *colour[COLOURS], *mean[COLOURS], *inverse[PAIRS];
  float *product; /* memory */
} Guide;

/* @mean: over windows, of @a times @b. */
static void
average_product (const Guide *guide, const float *a, const float *b, float *mean)
{
  for (gsize i = 0; i < guide->pixels; i++)
    guide->product[i] = a[i] * b[i];
  average (&guide->window, guide->product, mean);
}

static void
guide_init (Guide *guide, const guint8 *rgb)
{
  const gsize pixels = guide->pixels;

  for (guint c = 0; c < COLOURS; c++) {
    for (gsize i = 0; i < pixels; i++)
      guide->colour[c][i] = rgb[i * COLOURS + c] / 255.0f;
    average (&guide->window, guide->colour[c], guide->mean[c]);
  }
  for (guint a = 0, pair = 0; a < COLOURS; a++)
    for (guint b = a; b < COLOURS; b++, pair++) {
      average_product (guide, guide->colour[a], guide->colour[b], guide->inverse[pair]);
      for (gsize i = 0; i < pixels; i++)
        guide->inverse[pair][i] += (a == b ? EPSILON : 0) - guide->mean[a][i] * guide->mean[b][i];
    }
  for (gsize i = 0; i < pixels; i++) {
    float m[PAIRS];

    for (guint pair = 0; pair < PAIRS; pair++)
      m[pair] = guide->inverse[pair][i];
    invert (m);
    for (guint pair = 0; pair < PAIRS; pair++)
      guide->inverse[pair][i] = m[pair];
  }
}

/* Filters @p. @slope, @mean: memory of three channels and of one. */
static void
guide_filter (const Guide *guide, float *p, float *const slope[COLOURS], float *mean)
{
  static const guint pair_of[COLOURS][COLOURS] = { { 0, 1, 2 }, { 1, 3, 4 }, { 2, 4, 5 } };
  const gsize pixels = guide->pixels;

  for (guint c = 0; c < COLOURS; c++)
    average_product (guide, guide->colour[c], p, slope[c]);
  average (&guide->window, p, mean);
  for (gsize i = 0; i < pixels; i++) {
    float covariance[COLOURS], rest = mean[i];

    for (guint c = 0; c < COLOURS; c++)
      covariance[c] = slope[c][i] - guide->mean[c][i] * mean[i];
    for (guint c = 0; c < COLOURS; c++) {
      float a = 0;

      for (guint d = 0; d < COLOURS; d++)
        a += guide->inverse[pair_of[c][d]][i] * covariance[d];
      slope[c][i] = a;
      rest -= a * guide->mean[c][i];
    }
    mean[i] = rest;
  }
  average (&guide->window, mean, p);
  for (guint c = 0; c < COLOURS; c++) {
    average (&guide->window, slope[c], mean);
    for (gsize i = 0; i < pixels; i++)
      p[i] += mean[i] * guide->colour[c][i];
  }
}

/* As rvm_labels_to_mask() interpolates. */
static void
enlarge (const float *labels, guint rows, guint columns, guint channels, guint channel, guint patch, float *p)
{
  g_autofree RvmTap *down = rvm_taps_new (rows * patch, rows), *across = rvm_taps_new (columns * patch, columns);

  for (guint y = 0; y < rows * patch; y++) {
    const float *above = labels + (gsize) down[y].at[0] * columns * channels + channel;
    const float *below = labels + (gsize) down[y].at[1] * columns * channels + channel;

    for (guint x = 0; x < columns * patch; x++) {
      const gsize left = (gsize) across[x].at[0] * channels, right = (gsize) across[x].at[1] * channels;

      *p++ = rvm_tap_mix (&across[x], &down[y], above[left], above[right], below[left], below[right]);
    }
  }
}

void
rvm_labels_refine (double cells, const guint8 *rgb, guint patch, const float *labels, guint rows, guint columns, guint channels, float *fine)
{
  const guint width = columns * patch, height = rows * patch, radius = MAX (1, (guint) (cells * patch + 0.5));
  const gsize pixels = (gsize) width * height;
  g_autofree float *memory = g_new (float, pixels * (3 * COLOURS + PAIRS + 3));
  g_autofree double *sums = g_new (double, width);
  float *next = memory, *slope[COLOURS], *p, *mean;
  Guide guide = { .window = { width, height, radius, sums }, .pixels = pixels };

  for (guint c = 0; c < COLOURS; c++, next += 3 * pixels) {
    guide.colour[c] = next;
    guide.mean[c] = next + pixels;
    slope[c] = next + 2 * pixels;
  }
  for (guint pair = 0; pair < PAIRS; pair++, next += pixels)
    guide.inverse[pair] = next;
  p = next;
  mean = next + pixels;
  guide.product = next + 2 * pixels;
  guide_init (&guide, rgb);
  for (guint channel = 0; channel < channels; channel++) {
    enlarge (labels, rows, columns, channels, channel, patch, p);
    guide_filter (&guide, p, slope, mean);
    for (gsize i = 0; i < pixels; i++)
      fine[i * channels + channel] = p[i];
  }
}
