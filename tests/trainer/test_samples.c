/* What goes wrong while samples and figures are made is an error that says what, and never a batch or a line that is missing in
 * silence. The converter of pictures, which fails only in ways that no file can bring about, is GStreamer's until a test has it fail. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <check.h>
#include <dlfcn.h>
#include <glib/gstdio.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kernels/error.h"
#include "make_video.h"
#include "tests/folder.h"
#include "trainer/data/clips.h"
#include "trainer/data/source.h"
#include "trainer/run/metrics.h"

static gboolean converters_fail;
static char *folder;

GstVideoConverter *
gst_video_converter_new (const GstVideoInfo *in, const GstVideoInfo *out, GstStructure *config)
{
  GstVideoConverter *(*original) (const GstVideoInfo *, const GstVideoInfo *, GstStructure *);

  if (converters_fail) {
    gst_structure_free (config);
    return NULL;
  }
  *(void **) &original = dlsym (RTLD_NEXT, "gst_video_converter_new");
  return original (in, out, config);
}

static void
setup (void)
{
  folder = g_dir_make_tmp ("rvm-samples-XXXXXX", NULL);
  ck_assert_ptr_nonnull (folder);
  converters_fail = FALSE;
}

static void
teardown (void)
{
  remove_folder (folder);
  g_clear_pointer (&folder, g_free);
}

static RvmSampler *
open_sampler (const RvmRecipe *recipe, const char *path)
{
  g_autoptr (RvmMaterial) material = rvm_material_new ();
  g_autoptr (GError) error = NULL;
  RvmSampler *sampler;

  ck_assert (rvm_material_give (material, RVM_MATERIAL_CLIPS, (const char *const[]){ path, NULL }, NULL));
  sampler = rvm_sampler_new (recipe, g_steal_pointer (&material), folder, &error);
  ck_assert_msg (sampler != NULL, "%s", error ? error->message : "");
  return sampler;
}

/* Frames are in memory; what fails is the crop. */
START_TEST (test_crop_that_cannot_be_scaled)
{
  g_autofree char *path = g_build_filename (folder, "a.mkv", NULL);
  g_autoptr (RvmSource) source = NULL;
  g_autoptr (RvmSourceBatch) batch = NULL;
  g_autoptr (GError) error = NULL, again = NULL;
  RvmSampler *sampler;
  RvmRecipe recipe;

  gst_init (NULL, NULL);
  make_video (path, "ball", 60, 96, 72);
  rvm_recipe_init (&recipe);
  recipe.synthetic = 0;
  recipe.width = recipe.height = 64;
  recipe.gap_max = 8;
  sampler = open_sampler (&recipe, path);
  converters_fail = TRUE;
  source = rvm_source_new (&recipe, sampler, NULL, 5);
  batch = rvm_source_next (source, &error);
  ck_assert_ptr_null (batch);
  ck_assert_msg (error && strstr (error->message, "sample 80: ") && strstr (error->message, "cannot be converted to 64 x 64"), "%s",
      error ? error->message : "no error");
  /* The error stays; there is no batch after it that stands for the wrong samples. */
  ck_assert_ptr_null (rvm_source_next (source, &again));
  ck_assert_str_eq (again->message, error->message);
}
END_TEST

/* MiB of memory that this process has in use now. */
static double
get_resident (void)
{
  g_autofree char *text = NULL;

  ck_assert (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  return g_ascii_strtoull (strchr (text, ' '), NULL, 10) * (double) sysconf (_SC_PAGESIZE) / 1048576;
}

typedef struct {
  RvmClips *clips;
  double most;
} Reading;

static gpointer
read_at_random (gpointer user_data)
{
  Reading *reading = user_data;
  g_autoptr (GRand) rng = g_rand_new_with_seed (1);

  for (guint i = 0; i < 50; i++) {
    guint frame;
    const guint64 number = g_rand_double (rng) * rvm_clips_get_n_frames (reading->clips, RVM_CLIPS_ALL);
    const guint clip = rvm_clips_locate (reading->clips, RVM_CLIPS_ALL, number, &frame);
    g_autoptr (GBytes) bytes = rvm_clips_get_frame (reading->clips, clip, frame, NULL);

    ck_assert_ptr_nonnull (bytes);
    reading->most = MAX (reading->most, get_resident ());
  }
  return NULL;
}

/* Decoded video takes as much memory as the recipe says and a run announces, however often it is replaced, also by the thread of a run. */
START_TEST (test_memory_of_decoded_video)
{
  enum { LIMIT = 96 };
  g_autofree char *path = g_build_filename (folder, "a.mkv", NULL), *other = g_build_filename (folder, "b.mkv", NULL);
  g_autoptr (RvmMaterial) material = rvm_material_new ();
  g_autoptr (RvmClips) clips = NULL;
  const RvmClipsOptions options = { .short_side = 240, .least_frames = 8, .memory = (guint64) LIMIT << 20, .cache_dir = "" };
  Reading reading = { 0 };
  double before;

  gst_init (NULL, NULL);
  make_video (path, "ball", 500, 320, 240);
  make_video (other, "ball", 500, 320, 180);
  ck_assert (rvm_material_give (material, RVM_MATERIAL_CLIPS, (const char *const[]){ path, other, NULL }, NULL));
  before = get_resident ();
  reading.clips = clips = rvm_clips_new (material, &options, NULL);
  ck_assert_ptr_nonnull (clips);
  g_thread_join (g_thread_new ("reading", read_at_random, &reading));
  ck_assert_msg (reading.most - before < 1.4 * LIMIT, "%.0f MiB for %u", reading.most - before, LIMIT);
  ck_assert_msg (reading.most - before > 0.8 * LIMIT, "%.0f MiB for %u: nothing was kept", reading.most - before, LIMIT);
}
END_TEST

static void
add_metric (RvmMetrics *metrics, guint64 step)
{
  rvm_metrics_add (metrics, &(RvmMetric){ .step = step, .masked = 0.5, .all = 0.5, .mean_colour = 0.5, .copy = 0.5 }, 1, 1e-3, 0);
}

/* How many lines; all of them whole, in order. */
static guint
count_lines (const char *path)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  gsize size;

  ck_assert (g_file_get_contents (path, &text, &size, NULL));
  ck_assert (size == 0 || text[size - 1] == '\n');
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; i + 1 < g_strv_length (lines); i++) {
    g_autofree char *start = g_strdup_printf ("{\"step\":%u,", i + 1);
    ck_assert_msg (g_str_has_prefix (lines[i], start) && g_str_has_suffix (lines[i], "}"), "line %u is %s", i + 1, lines[i]);
  }
  return g_strv_length (lines) - 1;
}

START_TEST (test_metrics_on_a_full_disk)
{
  g_autofree char *path = g_build_filename (folder, "metrics.jsonl", NULL);
  struct rlimit limit = { 6000, RLIM_INFINITY };
  RvmMetrics *metrics = rvm_metrics_open (folder, 0, NULL);
  g_autoptr (GError) error = NULL;
  guint written;

  ck_assert_ptr_nonnull (metrics);
  signal (SIGXFSZ, SIG_IGN);
  ck_assert_int_eq (setrlimit (RLIMIT_FSIZE, &limit), 0);
  for (guint64 step = 1; step <= 100; step++)
    add_metric (metrics, step);
  ck_assert (!rvm_metrics_flush (metrics, &error));
  ck_assert_msg (strstr (error->message, path) != NULL, "%s", error->message);
  written = count_lines (path);
  ck_assert (written > 0 && written < 60);
  limit.rlim_cur = RLIM_INFINITY;
  ck_assert_int_eq (setrlimit (RLIMIT_FSIZE, &limit), 0);
  ck_assert (rvm_metrics_flush (metrics, NULL));
  ck_assert_uint_eq (count_lines (path), 100);
  rvm_metrics_free (metrics);

  metrics = rvm_metrics_open (folder, 40, NULL);
  add_metric (metrics, 41);
  rvm_metrics_free (metrics);
  ck_assert_uint_eq (count_lines (path), 41);
}
END_TEST

/* A torn end goes, a line in the middle that nobody can read does not take those after it away. */
START_TEST (test_metrics_that_were_damaged)
{
  g_autofree char *path = g_build_filename (folder, "metrics.jsonl", NULL), *text = NULL;
  static const char damaged[] = "{\"step\":1,\"loss\":0.5}\n{\"st\0\0\0\n{\"step\":3,\"loss\":0.25}\n{\"step\":4,\"lo";
  RvmMetrics *metrics;
  gsize size;

  ck_assert (g_file_set_contents (path, damaged, sizeof damaged - 1, NULL));
  metrics = rvm_metrics_open (folder, 10, NULL);
  ck_assert_ptr_nonnull (metrics);
  ck_assert (rvm_metrics_get_recent (metrics) == 0.375);
  rvm_metrics_free (metrics);
  ck_assert (g_file_get_contents (path, &text, &size, NULL));
  ck_assert_uint_eq (size, strlen ("{\"step\":1,\"loss\":0.5}\n{\"st123\n{\"step\":3,\"loss\":0.25}\n"));
}
END_TEST

/* Replaced between the check and the read, by something that no decoder takes: the reason is that it was replaced. */
START_TEST (test_file_that_is_replaced_while_it_is_read)
{
  g_autofree char *path = g_build_filename (folder, "a.mkv", NULL), *content = NULL;
  g_autoptr (RvmMaterial) material = rvm_material_new ();
  g_autoptr (GError) error = NULL, same = NULL, was_read = NULL;
  RvmMaterialFile *file;
  gsize size;

  gst_init (NULL, NULL);
  make_video (path, "ball", 4, 96, 72);
  ck_assert (rvm_material_give (material, RVM_MATERIAL_CLIPS, (const char *const[]){ path, NULL }, NULL));
  ck_assert (rvm_material_hash (material, NULL));
  file = g_ptr_array_index (material->files[RVM_MATERIAL_CLIPS], 0);
  ck_assert (rvm_material_file_confirm (file, TRUE, &same));
  rvm_error_set (&same, RVM_ERROR_FORMAT, "a decoder's reason");
  ck_assert (!rvm_material_file_confirm (file, FALSE, &same));
  ck_assert_str_eq (same->message, "a decoder's reason");
  ck_assert (g_file_get_contents (path, &content, &size, NULL));
  memset (content, 0, size);
  ck_assert (g_file_set_contents (path, content, size, NULL));
  file->modified--; /* two versions may be of one tick of the file system's clock */
  rvm_error_set (&error, RVM_ERROR_FORMAT, "a decoder's reason");
  ck_assert (!rvm_material_file_confirm (file, FALSE, &error));
  ck_assert_msg (strstr (error->message, "has changed since it was listed") != NULL, "%s", error->message);
  ck_assert (!rvm_material_file_confirm (file, TRUE, &was_read));
  ck_assert_msg (strstr (was_read->message, "has changed since it was listed") != NULL, "%s", was_read->message);
}
END_TEST

/* Sanitizers have allocators of their own. */
static gboolean
is_sanitized (void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return TRUE;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
  return TRUE;
#else
  return FALSE;
#endif
#else
  return FALSE;
#endif
}

int
main (void)
{
  Suite *suite = suite_create ("samples");
  TCase *tests = tcase_create ("samples");
  SRunner *runner = srunner_create (suite);
  int failed;

  suite_add_tcase (suite, tests);
  tcase_add_checked_fixture (tests, setup, teardown);
  tcase_set_timeout (tests, 60);
  tcase_add_test (tests, test_metrics_that_were_damaged);
  tcase_add_test (tests, test_crop_that_cannot_be_scaled);
  tcase_add_test (tests, test_file_that_is_replaced_while_it_is_read);
  if (srunner_fork_status (runner) == CK_FORK && !is_sanitized ()) /* memory of the others, or of a sanitizer, would count */
    tcase_add_test (tests, test_memory_of_decoded_video);
  if (srunner_fork_status (runner) == CK_FORK) /* the limit would be that of the others, too */
    tcase_add_test (tests, test_metrics_on_a_full_disk);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
