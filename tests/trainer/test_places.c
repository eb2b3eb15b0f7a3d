/* Where a rendered sample says that a patch of its last source frame is in its first one. The pictures are painted so that the colour of a pixel says
 * which point of which picture it shows: red and green are the point, blue is 0 in the photo and 255 in the cut-out. */
#include <cairo.h>
#include <glib/gstdio.h>
#include <gst/gst.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cl/flags.h"
#include "tests/folder.h"
#include "tests/run_cases.h"
#include "trainer/data/sampler.h"

enum { SIDE = 96, PATCH = 8, COLUMNS = SIDE / PATCH, PATCHES = COLUMNS * COLUMNS, SOURCES = 3, FRAME = SIDE * SIDE * 3, SAMPLES = 40, PICTURE = 256 };

static char *folder;

static void
paint (const char *name, gboolean is_photo)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, PICTURE, PICTURE);
  guint8 *data = cairo_image_surface_get_data (surface);
  const gsize stride = cairo_image_surface_get_stride (surface);

  cairo_surface_flush (surface);
  for (guint y = 0; y < PICTURE; y++)
    for (guint x = 0; x < PICTURE; x++) {
      const gboolean inside = is_photo || hypot (x - PICTURE / 2.0, y - PICTURE / 2.0) < PICTURE / 2.0;

      *(guint32 *) (void *) (data + y * stride + x * 4) = inside ? 0xff000000u | x << 16 | y << 8 | (is_photo ? 0 : 255) : 0;
    }
  cairo_surface_mark_dirty (surface);
  ck_assert_int_eq (cairo_surface_write_to_png (surface, path), CAIRO_STATUS_SUCCESS);
  cairo_surface_destroy (surface);
}

static void
setup (void)
{
  gst_init (NULL, NULL);
  folder = g_dir_make_tmp ("rvm-places-XXXXXX", NULL);
  ck_assert_ptr_nonnull (folder);
  paint ("photo.png", TRUE);
  paint ("sprite.png", FALSE);
}

static void
teardown (void)
{
  remove_folder (folder);
  g_clear_pointer (&folder, g_free);
}

static RvmSampler *
open_sampler (const RvmRecipe *recipe)
{
  g_autofree char *photo = g_build_filename (folder, "photo.png", NULL), *sprite = g_build_filename (folder, "sprite.png", NULL);
  g_autoptr (RvmMaterial) material = rvm_material_new ();
  g_autoptr (GError) error = NULL;
  RvmSampler *sampler;

  ck_assert (rvm_material_give (material, RVM_MATERIAL_PHOTOS, (const char *const[]){ photo, NULL }, NULL));
  ck_assert (rvm_material_give (material, RVM_MATERIAL_SPRITES, (const char *const[]){ sprite, NULL }, NULL));
  sampler = rvm_sampler_new (recipe, g_steal_pointer (&material), folder, &error);
  ck_assert_msg (sampler != NULL, "%s", error ? error->message : "");
  return sampler;
}

static void
init_recipe (RvmRecipe *recipe)
{
  rvm_recipe_init (recipe);
  recipe->synthetic = 1;
  recipe->width = recipe->height = SIDE;
  recipe->sources_min = recipe->sources_max = SOURCES;
  recipe->targets = 1;
  recipe->places = 1;
  recipe->sprites_max = 1; /* or the same point is seen in several of them */
  ck_assert_uint_eq (recipe->model.patch, PATCH);
}

typedef struct {
  guint8 source[SOURCES * FRAME], target[FRAME];
  guint32 gaps[1], visible[PATCHES], match[PATCHES], object[2 * PATCHES];
} Drawn;

static void
draw (RvmSampler *sampler, guint64 number, Drawn *drawn)
{
  const RvmBatchShape shape = rvm_sampler_draw_shape (sampler, number, 1);
  const RvmSample sample = { drawn->source, drawn->target, drawn->gaps, drawn->visible, drawn->match, drawn->object };
  g_autoptr (GError) error = NULL;

  memset (drawn->match, 0, sizeof drawn->match);
  ck_assert_msg (rvm_sampler_draw (sampler, number, &shape, &sample, &error), "%s", error ? error->message : "");
}

static const guint8 *
pixel_of (const Drawn *drawn, guint frame, guint x, guint y)
{
  return drawn->source + (gsize) frame * FRAME + (y * SIDE + x) * 3;
}

static guint
distance (const guint8 *a, const guint8 *b)
{
  return MAX (MAX (ABS (a[0] - b[0]), ABS (a[1] - b[1])), ABS (a[2] - b[2]));
}

/* How much the pixel in the middle of @patch of the last frame differs from the nearest one in @there of the first. */
static guint
nearest (const Drawn *drawn, guint patch, guint there)
{
  const guint8 *middle = pixel_of (drawn, SOURCES - 1, patch % COLUMNS * PATCH + PATCH / 2, patch / COLUMNS * PATCH + PATCH / 2);
  guint least = 255;

  for (guint i = 0; i < PATCH * PATCH; i++)
    least = MIN (least, distance (middle, pixel_of (drawn, 0, there % COLUMNS * PATCH + i % PATCH, there / COLUMNS * PATCH + i / PATCH)));
  return least;
}

/* Whether the cut-out's point in the middle of @patch of the last frame is in the first one, and not at its edge. The photo is no measure: beyond its
 * edges is its mirror image, which shows the same points. */
static gboolean
is_seen (const Drawn *drawn, guint patch)
{
  const guint8 *middle = pixel_of (drawn, SOURCES - 1, patch % COLUMNS * PATCH + PATCH / 2, patch / COLUMNS * PATCH + PATCH / 2);

  for (guint y = PATCH; middle[2] > 250 && y < SIDE - PATCH; y++)
    for (guint x = PATCH; x < SIDE - PATCH; x++)
      if (distance (middle, pixel_of (drawn, 0, x, y)) <= 1)
        return TRUE;
  return FALSE;
}

START_TEST (test_the_place_shows_the_same_point)
{
  g_autoptr (RvmSampler) sampler = NULL;
  g_autofree Drawn *drawn = g_new (Drawn, 1);
  guint matched = 0, moved = 0, wrong = 0, missed = 0, none = 0;
  RvmRecipe recipe;

  init_recipe (&recipe);
  sampler = open_sampler (&recipe);
  for (guint n = 0; n < SAMPLES; n++) {
    draw (sampler, n, drawn);
    for (guint i = 0; i < PATCHES; i++) {
      if (drawn->match[i] == RVM_MATCH_NONE) {
        none++;
        missed += is_seen (drawn, i);
        continue;
      }
      ck_assert_uint_lt (drawn->match[i], PATCHES);
      matched++;
      moved += drawn->match[i] != i;
      wrong += nearest (drawn, i, drawn->match[i]) > 12;
    }
  }
  /* Edges of a cut-out have colours between those of two pictures. */
  ck_assert_msg (matched > SAMPLES * PATCHES / 4 && moved > matched / 3, "%u matched, %u of them moved", matched, moved);
  ck_assert_msg (wrong <= matched / 50, "%u of %u places show another point", wrong, matched);
  ck_assert_msg (none > 0 && missed <= none / 50, "%u of %u patches without a place have one", missed, none);
}
END_TEST

/* The colour at the middle of a patch says whether the photo or the cut-out is seen; at edges it is between the two. */
START_TEST (test_objects_are_those_that_are_seen)
{
  g_autoptr (RvmSampler) sampler = NULL;
  g_autofree Drawn *drawn = g_new (Drawn, 1);
  guint counts[2] = { 0 }, edges = 0, wrong = 0;
  RvmRecipe recipe;

  init_recipe (&recipe);
  recipe.places = 0;
  recipe.objects = 1;
  sampler = open_sampler (&recipe);
  for (guint n = 0; n < SAMPLES; n++) {
    draw (sampler, n, drawn);
    for (guint i = 0; i < 2 * PATCHES; i++) {
      const guint patch = i % PATCHES;
      const guint8 *pixel = pixel_of (drawn, i < PATCHES ? 0 : SOURCES - 1, patch % COLUMNS * PATCH + PATCH / 2, patch / COLUMNS * PATCH + PATCH / 2);

      if (pixel[2] > 10 && pixel[2] < 245) {
        edges++;
        continue;
      }
      ck_assert_uint_le (drawn->object[i], 1);
      counts[drawn->object[i]]++;
      wrong += drawn->object[i] != (pixel[2] > 128); /* half a pixel beside the edge */
    }
  }
  ck_assert_msg (counts[1] > SAMPLES && counts[0] > counts[1] && edges < counts[1] && wrong <= edges, "%u of the photo, %u of the cut-out, %u at edges, %u wrong",
      counts[0], counts[1], edges, wrong);
}
END_TEST

/* With no file of a cut-out, pieces of the photo move over the photo: what is seen has no blue, and both kinds of objects occur. */
START_TEST (test_pieces_of_photos_are_cut_outs)
{
  g_autofree char *photo = g_build_filename (folder, "photo.png", NULL);
  g_autoptr (RvmMaterial) material = rvm_material_new ();
  g_autoptr (RvmSampler) sampler = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree Drawn *drawn = g_new (Drawn, 1);
  guint pieces = 0, wrong = 0, matched = 0, other = 0;
  RvmRecipe recipe;

  init_recipe (&recipe);
  recipe.cut_outs = 0.5;
  ck_assert (rvm_material_give (material, RVM_MATERIAL_PHOTOS, (const char *const[]){ photo, NULL }, NULL));
  sampler = rvm_sampler_new (&recipe, g_steal_pointer (&material), folder, &error);
  ck_assert_msg (sampler != NULL, "%s", error ? error->message : "");
  for (guint n = 0; n < SAMPLES; n++) {
    draw (sampler, n, drawn);
    for (guint i = 0; i < FRAME; i += 3)
      ck_assert_uint_le (drawn->source[i + 2], 2);
    for (guint i = 0; i < PATCHES; i++) {
      if (drawn->match[i] == RVM_MATCH_NONE || drawn->object[PATCHES + i] != 1)
        continue;
      matched++;
      other += drawn->object[drawn->match[i]] != 1; /* the middle of the patch may show another thing than the point in it */
      wrong += nearest (drawn, i, drawn->match[i]) > 12;
    }
    for (guint i = 0; i < 2 * PATCHES; i++)
      pieces += drawn->object[i] == 1;
  }
  ck_assert_msg (pieces > SAMPLES && matched > pieces / 8 && wrong <= matched / 20 && other <= matched / 5,
      "%u patches of pieces, %u matched, of these %u at another point, %u in a patch of another object", pieces, matched, wrong, other);
}
END_TEST

START_TEST (test_what_stands_still_stays_in_its_place)
{
  g_autoptr (RvmSampler) sampler = NULL;
  g_autofree Drawn *drawn = g_new (Drawn, 1);
  RvmRecipe recipe;

  init_recipe (&recipe);
  recipe.motion = 0;
  sampler = open_sampler (&recipe);
  for (guint n = 0; n < 5; n++) {
    draw (sampler, n, drawn);
    for (guint i = 0; i < PATCHES; i++)
      ck_assert_uint_eq (drawn->match[i], i);
  }
}
END_TEST

START_TEST (test_what_is_covered_in_the_first_frame_is_no_place)
{
  g_autoptr (RvmSampler) sampler = NULL, clear = NULL;
  g_autofree Drawn *drawn = g_new (Drawn, 1), *whole = g_new (Drawn, 1);
  guint covered = 0, kept = 0;
  RvmRecipe recipe;

  init_recipe (&recipe);
  clear = open_sampler (&recipe);
  recipe.hidden_samples = 1;
  recipe.hidden_cells = 0.5;
  sampler = open_sampler (&recipe);
  for (guint n = 0; n < 10; n++) {
    draw (sampler, n, drawn);
    draw (clear, n, whole);
    for (guint i = 0; i < PATCHES; i++) {
      const guint32 there = whole->match[i];
      const guint x = there % COLUMNS * PATCH, y = there / COLUMNS * PATCH;

      if (there == RVM_MATCH_NONE) {
        ck_assert_uint_eq (drawn->match[i], RVM_MATCH_NONE);
        continue;
      }
      if (memcmp (pixel_of (drawn, 0, x, y), pixel_of (whole, 0, x, y), PATCH * 3) != 0) {
        ck_assert_uint_eq (drawn->match[i], RVM_MATCH_NONE);
        covered++;
      } else {
        ck_assert_uint_eq (drawn->match[i], there);
        kept++;
      }
      ck_assert (drawn->object[there] == (drawn->match[i] == RVM_MATCH_NONE ? RVM_MATCH_NONE : whole->object[there]));
      ck_assert_uint_eq (drawn->object[PATCHES + i], whole->object[PATCHES + i]);
    }
  }
  ck_assert_msg (covered > 0 && kept > 0, "%u covered, %u kept", covered, kept);
}
END_TEST

START_TEST (test_one_source_frame_has_no_places)
{
  g_autoptr (RvmSampler) sampler = NULL;
  g_autofree Drawn *drawn = g_new (Drawn, 1);
  RvmRecipe recipe;

  init_recipe (&recipe);
  recipe.sources_min = recipe.sources_max = 1;
  sampler = open_sampler (&recipe);
  draw (sampler, 0, drawn);
  for (guint i = 0; i < PATCHES; i++) {
    ck_assert_uint_eq (drawn->match[i], RVM_MATCH_NONE);
    ck_assert_uint_eq (drawn->object[i], RVM_MATCH_NONE);
    ck_assert_uint_eq (drawn->object[PATCHES + i], RVM_MATCH_NONE);
  }
}
END_TEST

int
main (void)
{
  TCase *tests = tcase_create ("places");

  tcase_add_checked_fixture (tests, setup, teardown);
  tcase_add_test (tests, test_the_place_shows_the_same_point);
  tcase_add_test (tests, test_objects_are_those_that_are_seen);
  tcase_add_test (tests, test_pieces_of_photos_are_cut_outs);
  tcase_add_test (tests, test_what_stands_still_stays_in_its_place);
  tcase_add_test (tests, test_what_is_covered_in_the_first_frame_is_no_place);
  tcase_add_test (tests, test_one_source_frame_has_no_places);
  tcase_set_timeout (tests, 120);
  return run_cases ("places", tests);
}
