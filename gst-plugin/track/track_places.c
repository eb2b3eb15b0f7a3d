/* A point is read back as model/labels.h does. A box is what hangs together around
 * most of its labels: their centre of mass, and a size in proportion to their
 * spread on its first frame, so that labels that only move keep its size, and a part of a
 * cell counts. Labels that stayed behind elsewhere do not stretch it, nor do the low ones
 * that its surroundings take on from frame to frame. */
#include "track_places.h"

#include <math.h>
#include <string.h>

#include "model/labels.h"

/* A box's labels count as far as they are above this share of the highest one, that of now or that of its first frame, whichever is lower: an object that is
 * smaller than a cell has no high label at all. */
#define FAINT 0.5
#define STRIPS 16               /* of a cell, in which the part that an ellipse covers is added up */

typedef struct
{
  gdouble x, y, across, along;  /* cells: centre of mass and deviations */
} Spread;

/* How much of a cell lies in the ellipse that fills @track: the corners of a box show what is behind the object. */
static gdouble
cover_cell (const GstRvmTrack * track, guint row, guint column, guint rows, guint columns)
{
  const gdouble across = track->width * columns / 2, along = track->height * rows / 2;
  const gdouble x = track->x * columns + across, y = track->y * rows + along;
  const gdouble from = MAX (column, x - across), step = (MIN (column + 1, x + across) - from) / STRIPS;
  gdouble sum = 0;

  for (guint i = 0; step > 0 && i < STRIPS; i++) {
    const gdouble u = (from + (i + 0.5) * step - x) / across, reach = along * sqrt (MAX (1 - u * u, 0));

    sum += MAX (MIN (row + 1, y + reach) - MAX (row, y - reach), 0) * step;
  }
  return sum;
}

static void
label_boxes (const GstRvmTrack * tracks, guint n, guint rows, guint columns, gfloat * labels)
{
  for (guint cell = 0; cell < rows * columns; cell++) {
    const guint row = cell / columns, column = cell % columns;
    gfloat *out = labels + (gsize) cell * (1 + n);
    gdouble most = 0;

    for (guint i = 0; i < n; i++) {
      const gdouble share = cover_cell (&tracks[i], row, column, rows, columns);

      out[1 + i] = share;
      most = MAX (most, share);
    }
    out[0] = 1 - most;
  }
}

static void
label_points (const GstRvmTrack * tracks, guint n, guint rows, guint columns, gfloat * labels)
{
  g_autofree gfloat *points = g_new (gfloat, 2 * n);

  for (guint i = 0; i < n; i++) {
    points[2 * i] = tracks[i].x * columns;
    points[2 * i + 1] = tracks[i].y * rows;
  }
  rvm_labels_from_points (points, n, labels, rows, columns);
}

void
rvm_track_places_label (GstRvmTrackKind kind, const GstRvmTrack * tracks, guint n, guint rows, guint columns, gfloat * labels)
{
  if (kind == GST_RVM_TRACK_BOX)
    label_boxes (tracks, n, rows, columns, labels);
  else
    label_points (tracks, n, rows, columns, labels);
}

static gdouble
find_highest (const RvmTrackMap * map, guint channel)
{
  gfloat highest = 0;

  for (guint cell = 0; cell < map->rows * map->columns; cell++)
    highest = MAX (highest, map->labels[(gsize) cell * map->channels + channel]);
  return highest;
}

/* Numbers the parts of a channel that hang together (by sides and corners) in
 * labels above @faint: @part (rows * columns), 0 outside. Returns the
 * number of the one with the largest sum of what is above, 0 if there is none. */
static guint
find_parts (const RvmTrackMap * map, guint channel, gdouble faint, guint * part)
{
  const gint rows = map->rows, columns = map->columns;
  g_autofree gint *todo = g_new (gint, (gsize) rows * columns);
  gdouble largest = 0;
  guint best = 0, n = 0;

  memset (part, 0, (gsize) rows * columns * sizeof *part);
  for (gint start = 0; start < rows * columns; start++) {
    gdouble sum = 0;
    gint waiting = 1;

    if (part[start] || map->labels[(gsize) start * map->channels + channel] <= faint)
      continue;
    part[start] = ++n;
    todo[0] = start;
    while (waiting) {
      const gint cell = todo[--waiting], row = cell / columns, column = cell % columns;

      sum += map->labels[(gsize) cell * map->channels + channel] - faint;
      for (gint y = MAX (row - 1, 0); y <= MIN (row + 1, rows - 1); y++)
        for (gint x = MAX (column - 1, 0); x <= MIN (column + 1, columns - 1); x++)
          if (!part[y * columns + x] && map->labels[(gsize) (y * columns + x) * map->channels + channel] > faint) {
            part[y * columns + x] = n;
            todo[waiting++] = y * columns + x;
          }
    }
    if (sum > largest) {
      largest = sum;
      best = n;
    }
  }
  return best;
}

/* Centre of mass and deviations of the largest part of a channel; FALSE if there
 * is none. @first: the highest label on the first frame. */
static gboolean
measure_spread (const RvmTrackMap * map, guint channel, gdouble first, Spread * spread)
{
  g_autofree guint *part = g_new (guint, (gsize) map->rows * map->columns);
  const gdouble faint = FAINT * MIN (find_highest (map, channel), first);
  const guint largest = find_parts (map, channel, faint, part);
  gdouble sum = 0, x = 0, y = 0, xx = 0, yy = 0;

  for (guint cell = 0; cell < map->rows * map->columns; cell++) {
    const gdouble value = map->labels[(gsize) cell * map->channels + channel] - faint;
    const gdouble cx = cell % map->columns + 0.5, cy = cell / map->columns + 0.5;

    if (largest == 0 || part[cell] != largest)
      continue;
    sum += value;
    x += value * cx;
    y += value * cy;
    xx += value * cx * cx;
    yy += value * cy * cy;
  }
  if (largest == 0)
    return FALSE;
  spread->x = x / sum;
  spread->y = y / sum;
  /* A cell is a square of its own: deviation 1 / sqrt (12). */
  spread->across = sqrt (MAX (xx / sum - spread->x * spread->x, 0) + 1.0 / 12);
  spread->along = sqrt (MAX (yy / sum - spread->y * spread->y, 0) + 1.0 / 12);
  return TRUE;
}

/* The place that the labels say, before what the anchor knows better; fractions,
 * of a box the centre. */
static gboolean
read_place (const RvmTrackMap * map, guint channel, GstRvmTrackKind kind, gdouble first, Spread * spread)
{
  gfloat x, y;

  if (kind == GST_RVM_TRACK_BOX) {
    if (!measure_spread (map, channel, first, spread))
      return FALSE;
  } else {
    if (!rvm_labels_get_point (map->labels, map->rows, map->columns, map->channels, channel, &x, &y, NULL))
      return FALSE;
    *spread = (Spread) {.x = x, .y = y, .across = 1, .along = 1};
  }
  spread->x /= map->columns;
  spread->y /= map->rows;
  return TRUE;
}

void
rvm_track_places_anchor (const RvmTrackMap * map, guint channel, const GstRvmTrack * track, RvmTrackAnchor * anchor)
{
  const gdouble x = track->x + track->width / 2, y = track->y + track->height / 2;
  Spread spread;

  *anchor = (RvmTrackAnchor) {
  .id = track->id,.value = track->mask_value,.width = track->width,.height = track->height};
  if (track->kind == GST_RVM_TRACK_MASK)
    return;
  anchor->highest = find_highest (map, channel);
  /* A box so small that no label is above 0 has the spread of a cell. */
  if (!read_place (map, channel, track->kind, anchor->highest, &spread))
    spread = (Spread) {.x = x,.y = y,.across = sqrt (1.0 / 12),.along = sqrt (1.0 / 12)};
  anchor->dx = x - spread.x;
  anchor->dy = y - spread.y;
  anchor->across = spread.across;
  anchor->along = spread.along;
}

void
rvm_track_places_read (const RvmTrackMap * map, guint channel, const RvmTrackAnchor * anchor, GstRvmTrack * track)
{
  Spread now;

  track->visible = read_place (map, channel, track->kind, anchor->highest, &now);
  if (!track->visible)
    return;
  track->width = anchor->width * now.across / anchor->across;
  track->height = anchor->height * now.along / anchor->along;
  track->x = now.x + anchor->dx - track->width / 2;
  track->y = now.y + anchor->dy - track->height / 2;
}

/* The smallest box around an object. */
typedef struct
{
  guint left, top, right, bottom;       /* the last ones outside */
} Extent;

void
rvm_track_places_draw (const RvmTrackMap * map, const RvmTrackAnchor * anchors, GstRvmTrack ** tracks, guint8 * pixels,
    guint width, guint height)
{
  g_autofree guint8 *objects = g_malloc ((gsize) width * height);
  Extent extents[256];

  for (guint i = 0; i < map->channels; i++)
    extents[i] = (Extent) {.left = width,.top = height};
  rvm_labels_to_mask (map->labels, map->rows, map->columns, map->channels, objects, width, height);
  for (guint y = 0; y < height; y++)
    for (guint x = 0; x < width; x++) {
      const guint8 object = objects[(gsize) y * width + x];
      Extent *extent = &extents[object];

      if (object == 0 || tracks[object - 1] == NULL)
        continue;
      pixels[(gsize) y * width + x] = anchors[object - 1].value;
      extent->left = MIN (extent->left, x);
      extent->right = MAX (extent->right, x + 1);
      extent->top = MIN (extent->top, y);
      extent->bottom = y + 1;
    }
  for (guint i = 1; i < map->channels; i++) {
    GstRvmTrack *track = tracks[i - 1];
    const Extent *extent = &extents[i];

    if (track == NULL)
      continue;
    track->visible = extent->bottom > 0;
    if (!track->visible)
      continue;
    track->x = (gdouble) extent->left / width;
    track->y = (gdouble) extent->top / height;
    track->width = (gdouble) (extent->right - extent->left) / width;
    track->height = (gdouble) (extent->bottom - extent->top) / height;
  }
}

guint8 *
rvm_track_places_number_objects (const RvmMask * mask, GstRvmTrack * tracks)
{
  const gsize size = (gsize) mask->width * mask->height;
  guint8 *objects = g_malloc (size), number[256] = { 0 };
  guint right[256] = { 0 }, bottom[256] = { 0 }, left[256], top[256];

  for (guint i = 0; i < mask->n_values; i++) {
    number[mask->values[i]] = 1 + i;
    left[i] = mask->width;
    top[i] = mask->height;
  }
  for (gsize at = 0; at < size; at++) {
    const guint x = at % mask->width, y = at / mask->width;
    const guint i = number[mask->pixels[at]];

    objects[at] = i;
    if (i == 0)
      continue;
    left[i - 1] = MIN (left[i - 1], x);
    right[i - 1] = MAX (right[i - 1], x + 1);
    top[i - 1] = MIN (top[i - 1], y);
    bottom[i - 1] = MAX (bottom[i - 1], y + 1);
  }
  for (guint i = 0; i < mask->n_values; i++) {
    tracks[i].mask_value = mask->values[i];
    tracks[i].x = (gdouble) left[i] / mask->width;
    tracks[i].y = (gdouble) top[i] / mask->height;
    tracks[i].width = (gdouble) (right[i] - left[i]) / mask->width;
    tracks[i].height = (gdouble) (bottom[i] - top[i]) / mask->height;
  }
  return objects;
}
