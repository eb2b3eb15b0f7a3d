/* What a recipe hides of the source frames, and how it weighs its videos: as much as it says, the same for the same seed, never anything of a
 * target; and a recipe that says nothing has the samples that it always had. */
#include <cairo.h>
#include <check.h>
#include <glib/gstdio.h>
#include <gst/gst.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "make_video.h"
#include "tests/folder.h"
#include "trainer/data/hiding.h"
#include "trainer/data/sampler.h"

enum { SIDE = 64, PATCH = 8, PATCHES = SIDE / PATCH * SIDE / PATCH, SOURCES = 4, TARGETS = 4, FRAME = SIDE * SIDE * 3 };

static char *folder;

static void
setup (void)
{
  gst_init (NULL, NULL);
  folder = g_dir_make_tmp ("rvm-hiding-XXXXXX", NULL);
  ck_assert_ptr_nonnull (folder);
}

static void
teardown (void)
{
  remove_folder (folder);
  g_clear_pointer (&folder, g_free);
}

static char *
make_video_in_folder (const char *name, const char *pattern, guint frames)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  make_video (path, pattern, frames, 96, 72);
  return g_steal_pointer (&path);
}

/* A recipe of real video without hidden parts. */
static void
init_recipe (RvmRecipe *recipe)
{
  rvm_recipe_init (recipe);
  recipe->synthetic = 0;
  recipe->mask_ratio = 0.75;
  ck_assert_uint_eq (recipe->model.patch, PATCH);
  ck_assert (recipe->width == SIDE && recipe->height == SIDE && recipe->sources_max == SOURCES && recipe->targets == TARGETS);
}

static RvmSampler *
try_sampler (const RvmRecipe *recipe, const char *const *paths, GError **error)
{
  g_autoptr (RvmMaterial) material = rvm_material_new ();

  ck_assert (rvm_material_give (material, RVM_MATERIAL_CLIPS, paths, NULL));
  return rvm_sampler_new (recipe, g_steal_pointer (&material), folder, error);
}

static RvmSampler *
open_sampler (const RvmRecipe *recipe, const char *const *paths)
{
  g_autoptr (GError) error = NULL;
  RvmSampler *sampler = try_sampler (recipe, paths, &error);

  ck_assert_msg (sampler != NULL, "%s", error ? error->message : "");
  return sampler;
}

typedef struct {
  guint8 source[SOURCES * FRAME], target[TARGETS * FRAME];
  guint32 gaps[TARGETS], visible[TARGETS * PATCHES];
} Drawn;

static void
draw (RvmSampler *sampler, guint64 number, Drawn *drawn)
{
  const RvmBatchShape shape = rvm_sampler_get_largest_shape (sampler, 1);
  const RvmSample sample = { .source = drawn->source, .target = drawn->target, .gaps = drawn->gaps, .visible = drawn->visible };
  g_autoptr (GError) error = NULL;

  memset (drawn, 0, sizeof *drawn);
  ck_assert_msg (rvm_sampler_draw (sampler, number, &shape, &sample, &error), "%s", error ? error->message : "");
}

static gboolean
is_filled (const guint8 *pixels, gsize size, guint8 value)
{
  for (gsize i = 0; i < size; i++)
    if (pixels[i] != value)
      return FALSE;
  return TRUE;
}

/* How many patches of @frame are grey; all others are as in @clear. */
static guint
count_covered (const guint8 *frame, const guint8 *clear)
{
  guint covered = 0;

  for (guint p = 0; p < PATCHES; p++) {
    gboolean grey = TRUE, same = TRUE;

    for (guint y = 0; y < PATCH; y++) {
      const gsize at = (((gsize) p / (SIDE / PATCH) * PATCH + y) * SIDE + p % (SIDE / PATCH) * PATCH) * 3;
      grey = grey && is_filled (frame + at, PATCH * 3, RVM_HIDING_GREY);
      same = same && memcmp (frame + at, clear + at, PATCH * 3) == 0;
    }
    ck_assert_msg (grey != same, "patch %u is neither covered nor as it was", p);
    covered += grey;
  }
  return covered;
}

/* Target frames, gaps and visible patches of a sample do not depend on what is hidden of its source frames. */
static void
check_targets (const Drawn *a, const Drawn *b)
{
  ck_assert_mem_eq (a->target, b->target, sizeof a->target);
  ck_assert_mem_eq (a->gaps, b->gaps, sizeof a->gaps);
  ck_assert_mem_eq (a->visible, b->visible, sizeof a->visible);
}

START_TEST (test_published_objective)
{
  /* Of the version before anything could be hidden. */
  static const guint32 gaps[2][TARGETS] = { { 17, 10, 15, 24 }, { 35, 27, 29, 26 } }, visible[2][4] = { { 1, 18, 21, 31 }, { 30, 13, 35, 42 } };
  g_autofree char *path = make_video_in_folder ("snow.mkv", "snow", 90);
  const char *const paths[] = { path, NULL };
  g_autoptr (RvmSampler) plain = NULL, other = NULL;
  g_autofree Drawn *a = g_new (Drawn, 1), *b = g_new (Drawn, 1);
  RvmRecipe recipe;

  init_recipe (&recipe);
  ck_assert (recipe.hidden_samples == 0 && recipe.weights.n == 0);
  plain = open_sampler (&recipe, paths);
  recipe.hidden_cells = recipe.hidden_frames = recipe.hidden_black = 1;
  other = open_sampler (&recipe, paths);
  for (guint i = 0; i < 20; i++) {
    draw (plain, i, a);
    draw (other, i, b);
    check_targets (a, b);
    ck_assert_mem_eq (a->source, b->source, sizeof a->source);
    if (i < 2) {
      ck_assert_mem_eq (a->gaps, gaps[i], sizeof gaps[i]);
      ck_assert_mem_eq (a->visible, visible[i], sizeof visible[i]);
    }
  }
}
END_TEST

START_TEST (test_cells)
{
  g_autofree char *path = make_video_in_folder ("snow.mkv", "snow", 90);
  const char *const paths[] = { path, NULL };
  g_autoptr (RvmSampler) clear = NULL, hidden = NULL, again = NULL, half = NULL;
  g_autofree Drawn *a = g_new (Drawn, 1), *b = g_new (Drawn, 1), *c = g_new (Drawn, 1);
  guint share = 0, differ = 0;
  RvmRecipe recipe;

  init_recipe (&recipe);
  clear = open_sampler (&recipe, paths);
  recipe.hidden_samples = 1;
  recipe.hidden_cells = 0.6;
  hidden = open_sampler (&recipe, paths);
  again = open_sampler (&recipe, paths);
  recipe.hidden_samples = 0.3;
  half = open_sampler (&recipe, paths);
  for (guint i = 0; i < 200; i++) {
    draw (clear, i, a);
    draw (hidden, i, b);
    check_targets (a, b);
    for (guint f = 0; f < SOURCES; f++)
      ck_assert_uint_eq (count_covered (b->source + f * FRAME, a->source + f * FRAME), 38); /* 0.6 x 64 */
    draw (again, i, c);
    ck_assert_mem_eq (b, c, sizeof *b);
    /* Which ones is drawn for each frame. */
    for (guint p = 0; p < PATCHES; p++) {
      const gsize at = ((gsize) p / (SIDE / PATCH) * PATCH * SIDE + p % (SIDE / PATCH) * PATCH) * 3;
      differ += is_filled (b->source + at, PATCH * 3, RVM_HIDING_GREY) != is_filled (b->source + FRAME + at, PATCH * 3, RVM_HIDING_GREY);
    }
    draw (half, i, c);
    check_targets (a, c);
    share += memcmp (c->source, a->source, sizeof a->source) != 0;
    ck_assert_mem_eq (c->source, memcmp (c->source, a->source, sizeof a->source) ? b->source : a->source, sizeof a->source);
  }
  /* Expected 0.48 of the patches, and 60 samples with a standard deviation of 6.5. */
  ck_assert_msg (fabs (differ / (200.0 * PATCHES) - 0.48) < 0.02, "%g of the patches", differ / (200.0 * PATCHES));
  ck_assert_msg (share > 40 && share < 80, "%u of 200 samples", share);
}
END_TEST

/* @value: of the pixels of a covered frame. Returns how many frames of the samples are covered. */
static guint
count_frames (const RvmRecipe *recipe, const char *const *paths, guint8 value, guint clear_frames)
{
  g_autoptr (RvmSampler) clear = NULL, hidden = open_sampler (recipe, paths);
  g_autofree Drawn *a = g_new (Drawn, 1), *b = g_new (Drawn, 1);
  RvmRecipe plain = *recipe;
  guint total = 0;

  plain.hidden_samples = 0;
  clear = open_sampler (&plain, paths);
  for (guint i = 0; i < 100; i++) {
    guint covered = 0;

    draw (clear, i, a);
    draw (hidden, i, b);
    check_targets (a, b);
    for (guint f = 0; f < SOURCES; f++)
      if (memcmp (a->source + f * FRAME, b->source + f * FRAME, FRAME) != 0) {
        ck_assert (f >= clear_frames && is_filled (b->source + f * FRAME, FRAME, value));
        covered++;
      }
    ck_assert_uint_lt (covered, SOURCES);
    total += covered;
  }
  return total;
}

START_TEST (test_frames)
{
  g_autofree char *path = make_video_in_folder ("snow.mkv", "snow", 90);
  const char *const paths[] = { path, NULL };
  RvmRecipe recipe;
  guint covered;

  init_recipe (&recipe);
  recipe.hidden_samples = 1;
  recipe.hidden_cells = 0;
  recipe.hidden_frames = 1; /* of four, one is spared */
  ck_assert_uint_eq (count_frames (&recipe, paths, RVM_HIDING_GREY, 0), 300);
  recipe.hidden_clear = 3;
  ck_assert_uint_eq (count_frames (&recipe, paths, RVM_HIDING_GREY, 3), 100);
  recipe.hidden_clear = 64;
  ck_assert_uint_eq (count_frames (&recipe, paths, RVM_HIDING_GREY, 4), 0);
  recipe.hidden_clear = 0;
  recipe.hidden_frames = 0;
  recipe.hidden_black = 0.25; /* 100 frames, a standard deviation of 8.7 */
  covered = count_frames (&recipe, paths, 0, 0);
  ck_assert_msg (covered > 70 && covered < 130, "%u frames are black", covered);
}
END_TEST

static guint
count_different (const guint8 *a, const guint8 *b, gboolean *where)
{
  guint n = 0;

  for (guint i = 0; i < SIDE * SIDE; i++) {
    where[i] = memcmp (a + i * 3, b + i * 3, 3) != 0;
    n += where[i];
  }
  return n;
}

/* Over videos and over rendered frames: something of some frame is covered, never all of all, and it moves. */
static void
check_occluders (const RvmRecipe *recipe, RvmMaterialKind kind, const char *path)
{
  g_autoptr (RvmSampler) clear = NULL, hidden = NULL, again = NULL;
  RvmSampler **const samplers[] = { &clear, &hidden, &again };
  g_autofree Drawn *a = g_new (Drawn, 1), *b = g_new (Drawn, 1), *c = g_new (Drawn, 1);
  guint64 covered = 0;
  guint moves = 0;

  for (guint i = 0; i < G_N_ELEMENTS (samplers); i++) {
    g_autoptr (RvmMaterial) material = rvm_material_new ();
    RvmRecipe used = *recipe;

    used.hidden_samples = i > 0;
    ck_assert (rvm_material_give (material, kind, (const char *const[]){ path, NULL }, NULL));
    *samplers[i] = rvm_sampler_new (&used, g_steal_pointer (&material), folder, NULL);
    ck_assert_ptr_nonnull (*samplers[i]);
  }
  for (guint i = 0; i < 50; i++) {
    gboolean where[2][SIDE * SIDE];
    guint total = 0;

    draw (clear, i, a);
    draw (hidden, i, b);
    draw (again, i, c);
    check_targets (a, b);
    ck_assert_mem_eq (b, c, sizeof *b);
    for (guint f = 0; f < SOURCES; f++) {
      total += count_different (a->source + f * FRAME, b->source + f * FRAME, where[f % 2]);
      moves += f && memcmp (where[0], where[1], sizeof where[0]) != 0;
    }
    ck_assert_msg (total > 0 && total < SOURCES * SIDE * SIDE, "sample %u: %u pixels", i, total);
    covered += total;
  }
  /* Sides of about a half cover about a quarter, less where they are outside. */
  ck_assert_msg (covered > 50 * SOURCES * SIDE * SIDE / 20 && covered < 50 * SOURCES * SIDE * SIDE / 2, "%" G_GUINT64_FORMAT " pixels", covered);
  ck_assert_msg (moves > 100, "%u of 150 frames differ from the one before", moves);
}

START_TEST (test_occluders)
{
  g_autofree char *video = make_video_in_folder ("snow.mkv", "snow", 90), *photo = g_build_filename (folder, "photo.png", NULL);
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, 100, 80);
  RvmRecipe recipe;

  init_recipe (&recipe);
  recipe.hidden_cells = 0;
  recipe.hidden_occluders = 1;
  check_occluders (&recipe, RVM_MATERIAL_CLIPS, video);
  ck_assert_int_eq (cairo_surface_write_to_png (surface, photo), CAIRO_STATUS_SUCCESS);
  cairo_surface_destroy (surface);
  recipe.synthetic = 1;
  check_occluders (&recipe, RVM_MATERIAL_PHOTOS, photo);
}
END_TEST

/* How many of 400 samples are of the first of two videos of one colour each. */
static guint
count_red (const RvmRecipe *recipe, const char *const *paths)
{
  g_autoptr (RvmSampler) sampler = open_sampler (recipe, paths);
  g_autofree Drawn *drawn = g_new (Drawn, 1);
  guint red = 0;

  for (guint i = 0; i < 400; i++) {
    draw (sampler, i, drawn);
    ck_assert ((drawn->source[0] > 128) != (drawn->source[1] > 128));
    red += drawn->source[0] > 128;
  }
  return red;
}

START_TEST (test_weights)
{
  /* The order of the arguments counts, not that of the names. */
  g_autofree char *red = make_video_in_folder ("z-red.mkv", "red", 300), *green = make_video_in_folder ("a-green.mkv", "green", 60);
  const char *const paths[] = { red, green, NULL }, *const one[] = { red, NULL };
  g_autoptr (GError) few = NULL, many = NULL;
  RvmRecipe recipe;
  guint n;

  init_recipe (&recipe);
  recipe.still_share = 1;
  n = count_red (&recipe, paths); /* by frame, expected more than 300 */
  ck_assert_msg (n > 290, "%u of 400", n);
  ck_assert (rvm_recipe_set (&recipe, "data.weights=1;3", NULL)); /* expected 100, with a standard deviation of 8.7 */
  n = count_red (&recipe, paths);
  ck_assert_msg (n > 70 && n < 130, "%u of 400", n);
  ck_assert (rvm_recipe_set (&recipe, "data.weights=1;0", NULL));
  ck_assert_uint_eq (count_red (&recipe, paths), 400);

  ck_assert (rvm_recipe_set (&recipe, "data.weights=1", NULL));
  ck_assert_ptr_null (try_sampler (&recipe, paths, &few));
  ck_assert_msg (strstr (few->message, "a-green.mkv comes from --data number 2"), "%s", few->message);
  ck_assert (rvm_recipe_set (&recipe, "data.weights=1;1", NULL));
  ck_assert_ptr_null (try_sampler (&recipe, one, &many));
  ck_assert_msg (strstr (many->message, "value 2 is 1, and no video that can be used comes from --data number 2"), "%s", many->message);
}
END_TEST

START_TEST (test_recipe)
{
  static const char *const wrong[] = { "data.weights=1;x", "data.weights=1;;2", "data.weights=-1", "data.weights=0;0", "data.weights=1 2",
    "hidden.samples=1.1", "hidden.cells=-0.1", "hidden.frames=2", "hidden.occluders=1.5", "hidden.clear-frames=0.5" };
  g_autofree char *text = NULL;
  RvmRecipe recipe, read;

  rvm_recipe_init (&recipe);
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *name = g_strndup (wrong[i], strchr (wrong[i], '=') - wrong[i]);

    ck_assert_msg (!rvm_recipe_set (&recipe, wrong[i], &error), "%s", wrong[i]);
    ck_assert_msg (strstr (error->message, name) && strstr (error->message, "expected"), "%s", error->message);
  }
  ck_assert (rvm_recipe_set (&recipe, "data.weights= 1 ; 0.5;", NULL) && rvm_recipe_set (&recipe, "hidden.samples=0.5", NULL)
      && rvm_recipe_set (&recipe, "hidden.clear-frames=2", NULL));
  text = rvm_recipe_to_text (&recipe);
  rvm_recipe_init (&read);
  ck_assert (rvm_recipe_parse (&read, text, "text", NULL));
  ck_assert (read.weights.n == 2 && read.weights.values[0] == 1 && read.weights.values[1] == 0.5);
  ck_assert (read.hidden_samples == 0.5 && read.hidden_clear == 2);
  ck_assert (rvm_recipe_set (&read, "weights=", NULL) && read.weights.n == 0);

  /* However many are hidden, one patch is visible. */
  rvm_recipe_init (&recipe);
  ck_assert (rvm_recipe_set (&recipe, "mask-ratio=0.985", NULL) && rvm_recipe_validate (&recipe, NULL));
  ck_assert_uint_eq (rvm_recipe_get_kept (&recipe), 1);
  ck_assert_uint_eq (rvm_recipe_count_kept (&recipe, 26 * 26), 10);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("hiding");
  TCase *tests = tcase_create ("hiding");
  SRunner *runner = srunner_create (suite);
  int failed;

  suite_add_tcase (suite, tests);
  tcase_add_checked_fixture (tests, setup, teardown);
  tcase_set_timeout (tests, 60);
  tcase_add_test (tests, test_recipe);
  tcase_add_test (tests, test_published_objective);
  tcase_add_test (tests, test_cells);
  tcase_add_test (tests, test_frames);
  tcase_add_test (tests, test_occluders);
  tcase_add_test (tests, test_weights);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
