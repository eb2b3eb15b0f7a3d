/* What tracks are believed by: the evidence of matches on maps that are made here, confidence and its limits from frame to frame, and what is compared beside
 * features. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "model/appearance.h"
#include "model/confidence.h"
#include "tests/run_cases.h"

#define ROWS 6
#define COLUMNS 8
#define CELLS (ROWS * COLUMNS)
#define TOP 3

#define assert_near(a, b, tolerance) \
  ck_assert_msg (fabs ((double) (a) - (double) (b)) <= (tolerance), "%s is %g, expected %g", #a, (double) (a), (double) (b))

typedef struct {
  float labels[CELLS], first[CELLS], value[CELLS * TOP];
  guint32 where[CELLS * TOP];
} World;

static gboolean
is_in (guint cell, guint left, guint width)
{
  return cell / COLUMNS >= 2 && cell / COLUMNS < 4 && cell % COLUMNS >= left && cell % COLUMNS < left + width;
}

/* An object of 2 x 3 cells that has moved by @shift columns, found where it is. Each cell's best match is right, and the others are far worse. */
static void
make_world (World *world, guint shift)
{
  memset (world, 0, sizeof *world);
  for (guint cell = 0; cell < CELLS; cell++) {
    world->first[cell] = is_in (cell, 1, 3);
    world->labels[cell] = is_in (cell, 1 + shift, 3);
    for (guint k = 0; k < TOP; k++) {
      world->value[cell * TOP + k] = k ? -1 : 1;
      world->where[cell * TOP + k] = k ? CELLS - k : cell / COLUMNS * COLUMNS + (cell + COLUMNS - shift) % COLUMNS;
    }
  }
}

static RvmEvidence
measure (const World *world)
{
  const RvmEvidenceMaps maps = { .cells = CELLS, .channels = 1, .top = TOP, .labels = world->labels, .first = world->first, .value = world->value,
    .where = world->where, .highest = 1 };
  RvmEvidence evidence;

  rvm_evidence_measure (&maps, 0, &evidence);
  return evidence;
}

START_TEST (test_evidence)
{
  World world;
  RvmEvidence evidence;

  make_world (&world, 2);
  evidence = measure (&world);
  assert_near (evidence.agreement, 1, 1e-5);
  assert_near (evidence.similarity, 1, 1e-5);
  assert_near (evidence.exclusive, 1, 1e-4);
  assert_near (evidence.coverage, 1, 1e-5);
  assert_near (evidence.size, 6, 1e-6);
  /* A third of the object is found, and nothing else. */
  for (guint cell = 0; cell < CELLS; cell++)
    world.labels[cell] = is_in (cell, 3, 1);
  evidence = measure (&world);
  assert_near (evidence.agreement, 1, 1e-5);
  assert_near (evidence.exclusive, 1 / 3.0, 1e-4);
  assert_near (evidence.coverage, 1 / 3.0, 1e-5);
  /* What is found is something else: nothing leads back to the object. */
  for (guint cell = 0; cell < CELLS; cell++)
    world.labels[cell] = cell / COLUMNS == 5;
  evidence = measure (&world);
  assert_near (evidence.agreement, 0, 1e-5);
  assert_near (evidence.exclusive, 0, 1e-5);
  assert_near (evidence.coverage, 0, 1e-5);
  /* Nothing is found. A box that covers a quarter of a cell, and is found whole, has all evidence. */
  memset (world.labels, 0, sizeof world.labels);
  ck_assert (measure (&world).size == 0);
  make_world (&world, 2);
  for (guint cell = 0; cell < CELLS; cell++) {
    world.first[cell] /= 4;
    world.labels[cell] /= 4;
  }
  evidence = measure (&world);
  assert_near (evidence.agreement, 1, 1e-5);
  assert_near (evidence.coverage, 1, 1e-5);
}
END_TEST

START_TEST (test_lost_and_found)
{
  const RvmConfidenceLimits limits = { 0.35, 0.5 };
  const RvmEvidence good = { .agreement = 0.9, .similarity = 0.9, .exclusive = 0.8, .coverage = 0.9, .size = 6 };
  const RvmEvidence fair = { .agreement = 0.6, .similarity = 0.84, .exclusive = 0.55, .coverage = 0.65, .size = 6 }, none = { .size = 0 };
  RvmEvidence swollen = good;
  RvmConfidence confidence;

  rvm_confidence_begin (&confidence, 6);
  ck_assert (rvm_confidence_update (&confidence, &good, &limits) > 0.5 && confidence.visible);
  /* Between the limits, a track stays what it is. */
  assert_near (rvm_confidence_update (&confidence, &fair, &limits), 0.43, 0.05);
  ck_assert (confidence.visible);
  ck_assert (rvm_confidence_update (&confidence, &none, &limits) == 0 && !confidence.visible);
  rvm_confidence_update (&confidence, &fair, &limits);
  ck_assert (!confidence.visible);
  rvm_confidence_update (&confidence, &good, &limits);
  ck_assert (confidence.visible);
  /* Something three times as large is another thing, for as long as it is there; growth over many frames is not. */
  swollen.size = 18;
  for (guint i = 0; i < 40; i++) {
    ck_assert (rvm_confidence_update (&confidence, &swollen, &limits) < 0.35);
    ck_assert (!confidence.visible);
  }
  rvm_confidence_begin (&confidence, 6);
  for (swollen.size = 6; swollen.size < 18; swollen.size *= 1.04) {
    rvm_confidence_update (&confidence, &swollen, &limits);
    ck_assert (confidence.visible);
  }
  /* An object that leaves by and by, and comes back as it was. */
  rvm_confidence_begin (&confidence, 6);
  for (swollen.size = 6; swollen.size > 1; swollen.size *= 0.8)
    rvm_confidence_update (&confidence, &swollen, &limits);
  ck_assert (rvm_confidence_update (&confidence, &good, &limits) > 0.5);
  /* As published: visible as long as anything is labelled. */
  ck_assert (rvm_confidence_update (&confidence, &(RvmEvidence){ .size = 1e-3 }, &(RvmConfidenceLimits){ 0, 0 }) < 0.1 && confidence.visible);
  rvm_confidence_update (&confidence, &none, &(RvmConfidenceLimits){ 0, 0 });
  ck_assert (!confidence.visible);
}
END_TEST

/* An object that goes away from the camera covers less of what it was, by degrees: that is no reason to lose it. What is suddenly small, or does not come from
 * the object, is. */
START_TEST (test_smaller_by_degrees)
{
  const RvmConfidenceLimits limits = { 0.35, 0.5 };
  const RvmEvidence whole = { .agreement = 0.6, .similarity = 0.95, .exclusive = 0.5, .coverage = 0.8, .size = 12 };
  RvmEvidence small = whole;
  RvmConfidence confidence;

  rvm_confidence_begin (&confidence, 12);
  for (; small.size > 3; small.size *= 0.98, small.coverage *= 0.98) {
    ck_assert (rvm_confidence_update (&confidence, &small, &limits) > 0.45);
    ck_assert (confidence.visible);
  }
  /* Something else at its place, as small. */
  small.similarity = 0.75;
  small.coverage = 0.05;
  rvm_confidence_update (&confidence, &small, &limits);
  ck_assert (!confidence.visible);

  rvm_confidence_begin (&confidence, 12);
  rvm_confidence_update (&confidence, &whole, &limits);
  small = (RvmEvidence){ .agreement = 0.6, .similarity = 0.88, .exclusive = 0.4, .coverage = 0.3, .size = 4 };
  for (guint i = 0; i < 60; i++)
    rvm_confidence_update (&confidence, &small, &limits);
  ck_assert (!confidence.visible);
  /* One that grows again after that is as large as ever. */
  assert_near (rvm_confidence_update (&confidence, &whole, &limits), 0.75, 0.1);
}
END_TEST

/* A state remembers what is covered, so features alone would say that the object is still there. */
START_TEST (test_nothing_is_seen)
{
  const RvmConfidenceLimits limits = { 0.35, 0.5 };
  const RvmEvidence seen = { .agreement = 0.9, .similarity = 0.9, .exclusive = 0.8, .coverage = 0.9, .size = 6 };
  RvmEvidence half = seen, covered = seen;
  guint8 rgb[CELLS * 4 * 3], blank[CELLS];
  RvmConfidence confidence;
  double before;

  half.blank = 0.5;
  covered.blank = 1;
  rvm_confidence_begin (&confidence, 6);
  before = rvm_confidence_update (&confidence, &seen, &limits);
  assert_near (rvm_confidence_update (&confidence, &half, &limits), before / 2, 1e-9);
  ck_assert (rvm_confidence_update (&confidence, &covered, &limits) == 0 && !confidence.visible);
  assert_near (rvm_confidence_update (&confidence, &seen, &limits), before, 1e-9);
  /* An object that is itself of one colour is seen as long as it is no more so. */
  rvm_confidence_begin (&confidence, 6);
  assert_near (rvm_confidence_update (&confidence, &half, &limits), before, 1e-9);
  assert_near (rvm_confidence_update (&confidence, &half, &limits), before, 1e-9);
  assert_near (rvm_confidence_update (&confidence, &covered, &limits), before / 2, 1e-9);

  /* Cells of 2 x 2 pixels, all of one colour but for noise of 8 levels, and one pixel that is further off in one colour. */
  for (guint i = 0; i < sizeof rgb; i++)
    rgb[i] = 100 + i % 9;
  rgb[(3 * 2 + 1) * 3 + 2] = 130;
  rvm_evidence_find_blank (rgb, 2, ROWS, COLUMNS, blank);
  for (guint cell = 0; cell < CELLS; cell++)
    ck_assert_msg (blank[cell] == (cell != 3), "cell %u", cell);
}
END_TEST

static double
similarity (const float *beside, guint a, guint b)
{
  double sum = 0;

  for (guint d = 0; d < RVM_APPEARANCE_FLOATS; d++)
    sum += (double) beside[a * RVM_APPEARANCE_FLOATS + d] * beside[b * RVM_APPEARANCE_FLOATS + d];
  return sum;
}

START_TEST (test_appearance)
{
  const RvmAppearance both = { .colours = 0.5, .place = 0.25 }, colours = { .colours = 0.5 }, place = { .place = 0.25 };
  guint8 rgb[CELLS * 4 * 3];
  float beside[CELLS * RVM_APPEARANCE_FLOATS];

  ck_assert_uint_eq (rvm_appearance_get_floats (&(RvmAppearance){ 0, 0 }), 0);
  ck_assert_uint_eq (rvm_appearance_get_floats (&place), RVM_APPEARANCE_FLOATS);
  assert_near (rvm_appearance_get_highest (&both), 1.75, 1e-6);
  /* Two pixels by two a cell: the upper half is red, the lower one green; blue is constant and says nothing. */
  for (guint pixel = 0; pixel < CELLS * 4; pixel++) {
    rgb[pixel * 3] = pixel < CELLS * 2 ? 200 : 10;
    rgb[pixel * 3 + 1] = pixel < CELLS * 2 ? 20 : 220;
    rgb[pixel * 3 + 2] = 77;
  }
  rvm_appearance_fill (&both, rgb, 2, ROWS, COLUMNS, beside);
  assert_near (similarity (beside, 3, 3), 0.75, 1e-5);
  rvm_appearance_fill (&colours, rgb, 2, ROWS, COLUMNS, beside);
  assert_near (similarity (beside, 0, COLUMNS + 5), 0.5, 1e-5);
  assert_near (similarity (beside, 0, CELLS - 1), -0.5, 1e-5);
  /* Places: less with the distance, all the way across. */
  rvm_appearance_fill (&place, NULL, 2, ROWS, COLUMNS, beside);
  for (guint column = 1; column < COLUMNS; column++)
    ck_assert (similarity (beside, 0, column) < similarity (beside, 0, column - 1));
  assert_near (similarity (beside, 9, 9), 0.25, 1e-5);
}
END_TEST

/* A frame whose cells are told apart only by what is beside their features. */
START_TEST (test_beside)
{
  RvmPropagationSettings settings = RVM_PROPAGATION_DEFAULT;
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmDevice) device = rvm_device_open (NULL, NULL, &error);
  float features[CELLS * 2], beside[CELLS * CELLS] = { 0 }, labels[CELLS * 2] = { 0 }, value[CELLS], now[CELLS * 2];
  g_autoptr (RvmPropagation) p = NULL;
  guint32 where[CELLS];
  guint group;

  ck_assert_msg (device != NULL, "%s", error ? error->message : "");
  settings.extra = CELLS;
  settings.top = 1;
  p = rvm_propagation_new (device, ROWS, COLUMNS, 2, &settings, &error);
  ck_assert_msg (p != NULL, "%s", error ? error->message : "");
  for (guint cell = 0; cell < CELLS; cell++) {
    features[2 * cell] = features[2 * cell + 1] = 3;
    beside[cell * CELLS + cell] = 1;
    labels[2 * cell + (cell == 10)] = 1;
  }
  ck_assert (rvm_propagation_push (p, features, beside, &error));
  group = rvm_propagation_add (p, labels, 2, &error);
  ck_assert_uint_ne (group, 0);
  /* No matches on the frame itself, nor can what was given be replaced. */
  ck_assert (!rvm_propagation_read_matches (p, group, value, where, &error) && error == NULL);
  ck_assert (!rvm_propagation_write (p, group, labels, &error));
  g_clear_error (&error);
  /* All move by one cell. */
  memset (beside, 0, sizeof beside);
  for (guint cell = 0; cell < CELLS; cell++)
    beside[cell * CELLS + (cell + CELLS - 1) % CELLS] = cell == 20 ? 1.5 : 1;
  ck_assert (rvm_propagation_push (p, features, beside, &error));
  ck_assert (rvm_propagation_read (p, group, now, &error) && rvm_propagation_read_matches (p, group, value, where, &error));
  for (guint cell = 0; cell < CELLS; cell++) {
    assert_near (now[2 * cell + 1], cell == 11, 1e-6);
    ck_assert_uint_eq (where[cell], (cell + CELLS - 1) % CELLS);
    assert_near (value[cell], cell == 20 ? 2.5 : 2, 1e-5);
  }
  /* What is written is what later frames are labelled by: cell 20 is more like itself now than like anything on the first frame. */
  memset (now, 0, sizeof now);
  for (guint cell = 0; cell < CELLS; cell++)
    now[2 * cell + (cell == 20)] = 1;
  ck_assert (rvm_propagation_write (p, group, now, &error) && rvm_propagation_read (p, group, now, &error));
  assert_near (now[2 * 20 + 1], 1, 0);
  assert_near (now[2 * 11 + 1], 0, 0);
  ck_assert (rvm_propagation_push (p, features, beside, &error) && rvm_propagation_read (p, group, now, &error));
  assert_near (now[2 * 20 + 1], 1, 1e-6);
  ck_assert (!rvm_propagation_write (p, 99, now, &error) && g_error_matches (error, RVM_ERROR, RVM_ERROR_ARGUMENT));
}
END_TEST

int
main (void)
{
  TCase *tests = tcase_create ("all");

  tcase_set_timeout (tests, 120);
  tcase_add_test (tests, test_evidence);
  tcase_add_test (tests, test_lost_and_found);
  tcase_add_test (tests, test_smaller_by_degrees);
  tcase_add_test (tests, test_nothing_is_seen);
  tcase_add_test (tests, test_appearance);
  tcase_add_test (tests, test_beside);
  return run_cases ("what tracks are believed by", tests);
}
