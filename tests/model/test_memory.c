/* Files that ask for more memory than there is: an error that names the file and what it asked for, never an end of the process. Sizes that
 * only a file claims are beyond any address space; others are those of files with holes, read by a process (each test is one) whose address
 * space is bounded to little more than it has. */
#include <check.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kernels/error.h"
#include "model/format/safetensors.h"
#include "model/format/weights.h"
#include "model/state.h"
#include "trainer/recipes/recipe.h"
#include "video/mask_png.h"

#define MEGABYTE (1 << 20)
#define ROOM (48 * MEGABYTE) /* above what the process has */

static char *folder, *path;

static void
setup (void)
{
  folder = g_dir_make_tmp ("rvm-memory-XXXXXX", NULL);
  ck_assert_ptr_nonnull (folder);
  path = g_build_filename (folder, "greedy.file", NULL);
}

static void
teardown (void)
{
  g_unlink (path);
  g_rmdir (folder);
  g_clear_pointer (&path, g_free);
  g_clear_pointer (&folder, g_free);
}

/* Of @size bytes, of which only @start is on the disk. */
static void
write_file (gconstpointer start, gsize length, guint64 size)
{
  ck_assert (g_file_set_contents (path, start, length, NULL));
  ck_assert_int_eq (truncate (path, size), 0);
}

static void
write_safetensors (const char *header, guint64 data_size)
{
  const guint64 length = GUINT64_TO_LE ((guint64) strlen (header));
  g_autoptr (GByteArray) file = g_byte_array_new ();

  g_byte_array_append (file, (const guint8 *) &length, sizeof length);
  g_byte_array_append (file, (const guint8 *) header, strlen (header));
  write_file (file->data, file->len, file->len + data_size);
}

static void
put (GByteArray *bytes, guint64 value, guint size)
{
  const guint64 little = GUINT64_TO_LE (value);

  g_byte_array_append (bytes, (const guint8 *) &little, size);
}

/* The fields that a local and a central header of a zip share. */
static void
put_zip_header (GByteArray *zip, guint packed, guint unpacked, const char *name, guint extra)
{
  put (zip, 45, 2); /* version: sizes of 64 bits */
  put (zip, 0, 2);
  put (zip, 8, 2); /* deflated */
  put (zip, 0, 4); /* time */
  put (zip, 0, 4); /* checksum */
  put (zip, packed, 4);
  put (zip, unpacked, 4);
  put (zip, strlen (name), 2);
  put (zip, extra, 2);
}

/* A block of a deflated stream, stored as it is. */
static void
put_block (GByteArray *zip, gconstpointer data, guint size)
{
  put (zip, 0, 1); /* not the last */
  put (zip, size, 2);
  put (zip, ~size & 0xffff, 2);
  g_byte_array_append (zip, data, size);
}

/* An npz file with one array "a" of @elements float16, of which only the first are there. */
static void
write_npz (guint64 elements)
{
  const char *name = "a.npy";
  g_autofree char *dict = g_strdup_printf ("{'descr': '<f2', 'fortran_order': False, 'shape': (%" G_GUINT64_FORMAT ",), }", elements);
  g_autofree char *padded = g_strdup_printf ("%-117s\n", dict);
  g_autofree char *npy = g_strdup_printf ("\x93NUMPY\x01%c\x76%c%s", '\1', '\1', padded);
  static const guint8 values[65535];
  const guint header = 128, packed = 5 + header + 2 * (5 + sizeof values);
  g_autoptr (GByteArray) zip = g_byte_array_new ();
  guint central;

  ck_assert_uint_eq (strlen (npy), header);
  npy[7] = npy[9] = 0; /* version 1.0, length 118 */
  put (zip, 0x04034b50, 4);
  put_zip_header (zip, packed, G_MAXUINT32, name, 0);
  g_byte_array_append (zip, (const guint8 *) name, strlen (name));
  put_block (zip, npy, header);
  put_block (zip, values, sizeof values);
  put_block (zip, values, sizeof values);
  central = zip->len;
  put (zip, 0x02014b50, 4);
  put (zip, 45, 2); /* made by */
  put_zip_header (zip, packed, G_MAXUINT32, name, 12);
  put (zip, 0, 2); /* comment, disk, attributes, place of the local header */
  put (zip, 0, 2);
  put (zip, 0, 6);
  put (zip, 0, 4);
  g_byte_array_append (zip, (const guint8 *) name, strlen (name));
  put (zip, 1, 2); /* the size in 64 bits */
  put (zip, 8, 2);
  put (zip, header + 2 * elements, 8);
  put (zip, 0x06054b50, 4);
  put (zip, 0, 4);
  put (zip, 1, 2);
  put (zip, 1, 2);
  put (zip, zip->len - 12 - central, 4);
  put (zip, central, 4);
  put (zip, 0, 2);
  write_file (zip->data, zip->len, zip->len);
}

/* From here on the process gets ROOM more. */
static void
bound_memory (void)
{
  g_autofree char *text = NULL;
  struct rlimit limit;

  ck_assert (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  limit.rlim_cur = limit.rlim_max = g_ascii_strtoull (text, NULL, 10) * sysconf (_SC_PAGESIZE) + ROOM;
  ck_assert_int_eq (setrlimit (RLIMIT_AS, &limit), 0);
}

static void
check_error (const GError *error, const char *what)
{
  ck_assert_ptr_nonnull (error);
  ck_assert_msg (strstr (error->message, path) != NULL, "'%s' does not name the file", error->message);
  ck_assert_msg (strstr (error->message, what) != NULL, "'%s' lacks '%s'", error->message, what);
}

static void
read_halves (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmWeights) weights = rvm_weights_open (path, &error);
  float none = 0;

  ck_assert_msg (weights != NULL, "%s", error ? error->message : "");
  /* The memory for the halves comes first; there is nothing to write to @none. */
  ck_assert (!rvm_weights_read (weights, rvm_weights_find (weights, "a"), &none, &error));
  ck_assert (g_error_matches (error, RVM_ERROR, RVM_ERROR_MEMORY));
  check_error (error, "no memory for the");
  check_error (error, "array 'a'");
}

START_TEST (test_size_that_a_zip_claims)
{
  write_npz (G_GUINT64_CONSTANT (1) << 59);
  read_halves ();
}
END_TEST

START_TEST (test_size_that_a_zip_claims_and_might_have)
{
  write_npz (512 * MEGABYTE);
  bound_memory ();
  read_halves ();
}
END_TEST

START_TEST (test_header_of_safetensors)
{
  const guint64 length = GUINT64_TO_LE (G_GUINT64_CONSTANT (90) * MEGABYTE);
  g_autoptr (GError) error = NULL;

  write_file (&length, sizeof length, 100 * MEGABYTE);
  bound_memory ();
  ck_assert_ptr_null (rvm_safetensors_open (path, &error));
  check_error (error, "no memory for its header of 94371840 bytes");
}
END_TEST

START_TEST (test_state_file)
{
  g_autoptr (GError) error = NULL;

  write_safetensors ("{\"__metadata__\":{\"format\":\"gst-rvm-state-1\",\"model\":\"0123456789abcdef0123456789abcdef\",\"device\":\"a device\","
                     "\"precision\":\"f32\",\"width\":\"32\",\"height\":\"16\",\"frames\":\"7\",\"time\":\"40000000\"},"
                     "\"state\":{\"dtype\":\"F32\",\"shape\":[65536,1024],\"data_offsets\":[0,268435456]}}",
      256 * MEGABYTE);
  bound_memory ();
  ck_assert_ptr_null (rvm_state_open (path, &error));
  check_error (error, "no memory for 268435456 bytes of state");
}
END_TEST

START_TEST (test_mask)
{
  /* 16384 x 16384 grey pixels. */
  static const guint8 png[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I', 'H', 'D', 'R', 0, 0, 0x40, 0, 0, 0, 0x40, 0, 8, 0,
    0, 0, 0, 0x8c, 0xa3, 0x4f, 0x58, 0, 0, 0, 0, 'I', 'D', 'A', 'T', 0x35, 0xaf, 0x06, 0x1e };
  g_autoptr (GError) error = NULL;

  write_file (png, sizeof png, sizeof png);
  bound_memory ();
  ck_assert_ptr_null (rvm_mask_read_png (path, &error));
  check_error (error, "no memory for its pixels");
}
END_TEST

START_TEST (test_recipe)
{
  g_autoptr (GError) error = NULL;
  RvmRecipe recipe;

  write_file ("[model]\n", 8, 256 * MEGABYTE);
  bound_memory ();
  ck_assert (!rvm_recipe_load (&recipe, path, &error));
  check_error (error, "");
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("memory");
  TCase *claimed = tcase_create ("claimed"), *bounded = tcase_create ("bounded");
  SRunner *runner = srunner_create (suite);
  int failed;

  suite_add_tcase (suite, claimed);
  tcase_add_checked_fixture (claimed, setup, teardown);
  tcase_add_test (claimed, test_size_that_a_zip_claims);
  /* Without processes of their own, the tests would bound each other's. */
  if (srunner_fork_status (runner) == CK_FORK) {
    suite_add_tcase (suite, bounded);
    tcase_add_checked_fixture (bounded, setup, teardown);
    tcase_add_test (bounded, test_size_that_a_zip_claims_and_might_have);
    tcase_add_test (bounded, test_header_of_safetensors);
    tcase_add_test (bounded, test_state_file);
    tcase_add_test (bounded, test_mask);
    tcase_add_test (bounded, test_recipe);
  }
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
