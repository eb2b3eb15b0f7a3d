/* Boxes as labels on a grid, and back: what a box takes from the picture on its first frame, and what of later labels it is read from. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "gst-plugin/track/track_places.h"
#include "tests/run_cases.h"

#define ROWS 8
#define COLUMNS 12
#define CELLS (ROWS * COLUMNS)

#define assert_near(a, b, tolerance) \
  ck_assert_msg (fabs ((double) (a) - (double) (b)) <= (tolerance), "%s is %g, expected %g", #a, (double) (a), (double) (b))

/* A box, its labels and what is kept of them; places in cells. */
typedef struct {
  GstRvmTrack track;
  gfloat labels[CELLS * 2];
  RvmTrackAnchor anchor;
} Box;

static RvmTrackMap
map_of (const Box *box)
{
  return (RvmTrackMap) { .rows = ROWS, .columns = COLUMNS, .channels = 2, .labels = box->labels };
}

static void
start (Box *box, double x, double y, double width, double height)
{
  RvmTrackMap map;

  memset (box, 0, sizeof *box);
  box->track = (GstRvmTrack) { .kind = GST_RVM_TRACK_BOX, .x = x / COLUMNS, .y = y / ROWS, .width = width / COLUMNS, .height = height / ROWS };
  rvm_track_places_label (GST_RVM_TRACK_BOX, &box->track, 1, ROWS, COLUMNS, box->labels);
  map = map_of (box);
  rvm_track_places_anchor (&map, 1, &box->track, &box->anchor);
}

static void
expect (Box *box, double x, double y, double width, double height, double tolerance)
{
  const RvmTrackMap map = map_of (box);

  rvm_track_places_read (&map, 1, &box->anchor, &box->track);
  ck_assert (box->track.visible);
  assert_near (box->track.x * COLUMNS, x, tolerance);
  assert_near (box->track.y * ROWS, y, tolerance);
  assert_near (box->track.width * COLUMNS, width, tolerance);
  assert_near (box->track.height * ROWS, height, tolerance);
}

/* Moves the labels by @dx and @dy cells, times @factor. */
static void
move (Box *box, int dx, int dy, double factor)
{
  gfloat moved[CELLS * 2] = { 0 };

  for (int row = 0; row < ROWS; row++)
    for (int column = 0; column < COLUMNS; column++)
      if (row + dy >= 0 && row + dy < ROWS && column + dx >= 0 && column + dx < COLUMNS)
        moved[((row + dy) * COLUMNS + column + dx) * 2 + 1] = factor * box->labels[(row * COLUMNS + column) * 2 + 1];
  memcpy (box->labels, moved, sizeof moved);
}

/* The corners are not the object's: the labels are the area of the ellipse, in all, and in a cell. */
START_TEST (test_ellipse)
{
  double sum = 0;
  Box box;

  start (&box, 2, 1, 8, 6);
  for (guint cell = 0; cell < CELLS; cell++) {
    sum += box.labels[cell * 2 + 1];
    assert_near (box.labels[cell * 2] + box.labels[cell * 2 + 1], 1, 1e-6);
  }
  assert_near (sum, G_PI * 4 * 3, 0.2);
  ck_assert (box.labels[(1 * COLUMNS + 2) * 2 + 1] < 0.1);
  assert_near (box.labels[(4 * COLUMNS + 6) * 2 + 1], 1, 1e-6);
  expect (&box, 2, 1, 8, 6, 1e-3);
  move (&box, 2, -1, 1);
  expect (&box, 4, 0, 8, 6, 1e-3);
}
END_TEST

/* A box of any size is found, also one that covers a hundredth of a cell or lies on the corner of four. */
START_TEST (test_smaller_than_a_cell)
{
  static const double boxes[][4] = { { 3.2, 2.3, 0.6, 0.5 }, { 3.4, 2.4, 0.1, 0.1 }, { 3.8, 2.8, 0.4, 0.4 }, { 3.99, 2.2, 0.3, 0.02 } };

  for (guint i = 0; i < G_N_ELEMENTS (boxes); i++) {
    Box box;

    start (&box, boxes[i][0], boxes[i][1], boxes[i][2], boxes[i][3]);
    expect (&box, boxes[i][0], boxes[i][1], boxes[i][2], boxes[i][3], 1e-3);
    move (&box, 3, 2, 0.5);
    expect (&box, boxes[i][0] + 3, boxes[i][1] + 2, boxes[i][2], boxes[i][3], 1e-3);
    memset (box.labels, 0, sizeof box.labels);
    rvm_track_places_read (&(RvmTrackMap) { .rows = ROWS, .columns = COLUMNS, .channels = 2, .labels = box.labels }, 1, &box.anchor, &box.track);
    ck_assert (!box.track.visible);
  }
}
END_TEST

/* What the surroundings have taken on does not stretch the box, whether it hangs together with it or not. */
START_TEST (test_low_labels_around)
{
  Box box;

  start (&box, 3, 2, 3, 3);
  for (guint row = 0; row < ROWS; row++)
    for (guint column = 4; column < COLUMNS; column++) {
      gfloat *label = &box.labels[(row * COLUMNS + column) * 2 + 1];

      *label = MAX (*label, column < 9 ? 0.45f : column > 9 ? 0.6f : 0);
    }
  expect (&box, 3, 2, 3, 3, 0.4);
}
END_TEST

int
main (void)
{
  TCase *tests = tcase_create ("places");

  tcase_add_test (tests, test_ellipse);
  tcase_add_test (tests, test_smaller_than_a_cell);
  tcase_add_test (tests, test_low_labels_around);
  return run_cases ("track places", tests);
}
