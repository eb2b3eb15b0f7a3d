/* Writing weight files: what comes from outside never makes a file that cannot be read, what is written is looked at before it
 * replaces anything, and nothing is left of what fails. */
#include <check.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "kernels/error.h"
#include "model/format/safetensors.h"
#include "model/format/weights.h"

static char *folder, *path;
static const RvmArray array = { .name = (char *) "a", .dtype = RVM_DTYPE_F32, .n_dims = 1, .dims = { 1024 } };

static void
setup (void)
{
  folder = g_dir_make_tmp ("rvm-save-XXXXXX", NULL);
  ck_assert_ptr_nonnull (folder);
  path = g_build_filename (folder, "w.safetensors", NULL);
}

static void
teardown (void)
{
  g_unlink (path);
  ck_assert_msg (g_rmdir (folder) == 0, "something is left in %s", folder);
  g_clear_pointer (&path, g_free);
  g_clear_pointer (&folder, g_free);
}

static gboolean
fill (const RvmArray *wanted, float *values, gpointer user_data, GError **error)
{
  for (guint i = 0; i < 1024; i++)
    values[i] = *(const float *) user_data;
  return TRUE;
}

static gboolean
refuse (RvmWeights *weights, gpointer user_data, GError **error)
{
  ck_assert_uint_eq (rvm_weights_get_n_arrays (weights), 1);
  rvm_error_set (error, RVM_ERROR_FORMAT, "not good enough");
  return FALSE;
}

static float
read_first (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmWeights) weights = rvm_weights_open (path, &error);
  float values[1024];

  ck_assert_msg (weights && rvm_weights_read (weights, rvm_weights_find (weights, "a"), values, &error), "%s", error ? error->message : "");
  return values[0];
}

START_TEST (test_metadata_of_any_bytes)
{
  g_autoptr (GHashTable) metadata = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmWeights) weights = NULL;
  float value = 1;

  g_hash_table_insert (metadata, (gpointer) "name", (gpointer) "caf\xe9.avi");
  g_hash_table_insert (metadata, (gpointer) "k\xe9y", (gpointer) "Größe\n\t\"\x01");
  ck_assert_msg (rvm_weights_save (path, &array, 1, fill, &value, metadata, &error), "%s", error ? error->message : "");
  weights = rvm_weights_open (path, &error);
  ck_assert_msg (weights != NULL, "%s", error ? error->message : "");
  ck_assert_str_eq (g_hash_table_lookup (rvm_weights_get_metadata (weights), "name"), "caf\\351.avi");
  ck_assert_str_eq (g_hash_table_lookup (rvm_weights_get_metadata (weights), "k\\351y"), "Größe\n\t\"\x01");
}
END_TEST

/* One that is longer than the format allows could be written, but nobody could read it. */
START_TEST (test_metadata_that_are_too_long)
{
  g_autoptr (GHashTable) metadata = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  g_autoptr (GError) error = NULL;
  float value = 1;

  g_hash_table_insert (metadata, (gpointer) "long", g_strnfill (RVM_SAFETENSORS_MAX_HEADER, 'x'));
  ck_assert (!rvm_weights_save (path, &array, 1, fill, &value, metadata, &error));
  ck_assert_msg (strstr (error->message, path) && strstr (error->message, "expected at most"), "%s", error->message);
}
END_TEST

START_TEST (test_checked_before_it_replaces)
{
  g_autoptr (GError) error = NULL;
  float value = 1;

  ck_assert (rvm_weights_save (path, &array, 1, fill, &value, NULL, NULL));
  value = 2;
  ck_assert (!rvm_weights_save_checked (path, &array, 1, fill, refuse, &value, NULL, &error));
  ck_assert_msg (strstr (error->message, path) && strstr (error->message, "cannot be read back: not good enough"), "%s", error->message);
  ck_assert (read_first () == 1);
}
END_TEST

START_TEST (test_full)
{
  const struct rlimit limit = { 2048, RLIM_INFINITY };
  g_autoptr (GError) error = NULL;
  float value = 1;

  ck_assert (rvm_weights_save (path, &array, 1, fill, &value, NULL, NULL));
  value = 2;
  signal (SIGXFSZ, SIG_IGN);
  ck_assert_int_eq (setrlimit (RLIMIT_FSIZE, &limit), 0);
  ck_assert (!rvm_weights_save (path, &array, 1, fill, &value, NULL, &error));
  ck_assert (g_error_matches (error, RVM_ERROR, RVM_ERROR_FILE) && strstr (error->message, path));
  ck_assert (read_first () == 1);
}
END_TEST

/* Every type that a format says it can write is read back; every other is refused before anything is written. */
START_TEST (test_types_of_formats)
{
  static const char *const names[] = { "npz", "safetensors" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *file = g_strdup_printf ("%s/t.%s", folder, names[i]);
    const RvmFormat *format = rvm_weights_find_format (file, NULL);

    ck_assert_str_eq (format->name, names[i]);
    for (guint dtype = 0; dtype < RVM_DTYPE_OTHER; dtype++) {
      g_autoptr (GError) error = NULL;
      RvmArray typed = array;
      float value = 1.5;

      typed.dtype = dtype;
      if (format->dtypes & 1u << dtype) {
        g_autoptr (RvmWeights) weights = NULL;

        ck_assert (rvm_weights_save (file, &typed, 1, fill, &value, NULL, NULL));
        weights = rvm_weights_open (file, NULL);
        ck_assert_str_eq (rvm_weights_get_format (weights), names[i]);
        ck_assert_int_eq (rvm_weights_get_array (weights, 0)->dtype, dtype);
        g_unlink (file);
      } else {
        ck_assert (!rvm_weights_save (file, &typed, 1, fill, &value, NULL, &error));
        ck_assert_msg (g_error_matches (error, RVM_ERROR, RVM_ERROR_ARGUMENT) && strstr (error->message, file) && strstr (error->message, "'a'")
                && strstr (error->message, rvm_dtype_get_name (dtype)),
            "%s", error->message);
      }
    }
  }
}
END_TEST

START_TEST (test_names_that_say_no_format)
{
  static const char *const names[] = { "w", "w.npy", "w.npz.gz", "npz", "w.", "w.npz/w" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *file = g_build_filename (folder, names[i], NULL);
    g_autoptr (GError) error = NULL;
    float value = 1;

    ck_assert (!rvm_weights_save (file, &array, 1, fill, &value, NULL, &error));
    ck_assert_msg (strstr (error->message, file) && strstr (error->message, "must end in .npz or .safetensors"), "%s", error->message);
  }
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("weights-save");
  TCase *tests = tcase_create ("weights-save");
  SRunner *runner = srunner_create (suite);
  int failed;

  suite_add_tcase (suite, tests);
  tcase_add_checked_fixture (tests, setup, teardown);
  tcase_set_timeout (tests, 60);
  tcase_add_test (tests, test_metadata_of_any_bytes);
  tcase_add_test (tests, test_metadata_that_are_too_long);
  tcase_add_test (tests, test_checked_before_it_replaces);
  tcase_add_test (tests, test_types_of_formats);
  tcase_add_test (tests, test_names_that_say_no_format);
  if (srunner_fork_status (runner) == CK_FORK) /* the limit would be that of the others, too */
    tcase_add_test (tests, test_full);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
