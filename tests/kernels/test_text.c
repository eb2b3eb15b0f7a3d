/* Names and texts from outside: what comes out is UTF-8, names can be got back, and plain text stays as it is. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/error.h"
#include "kernels/text.h"

START_TEST (test_plain)
{
  static const char *const plain[] = { "", "a.mkv", "Größe 1.npz", "日本語/\xf0\x9f\x8e\xac.mp4", "a \"quoted\" name", "~tilde" };

  for (guint i = 0; i < G_N_ELEMENTS (plain); i++) {
    g_autofree char *text = rvm_text_from_bytes (plain[i]), *name = rvm_name_escape (plain[i]);

    ck_assert_str_eq (text, plain[i]);
    ck_assert_str_eq (name, plain[i]);
  }
}
END_TEST

START_TEST (test_escaped)
{
  static const struct {
    const char *bytes, *text, *name;
  } cases[] = {
    { "caf\xe9.avi", "caf\\351.avi", "caf\\351.avi" },
    { "Gr\xc3\xb6\xdf" "e", "Gr\xc3\xb6\\337e", "Gr\\303\\266\\337e" },
    { "back\\slash", "back\\slash", "back\\\\slash" },
    { "new\nline\x1b[0m", "new\nline\x1b[0m", "new\\nline\\033[0m" },
    { "cut \xe2\x82", "cut \\342\\202", "cut \\342\\202" },
    { "\xed\xa0\x80", "\\355\\240\\200", "\\355\\240\\200" }, /* a surrogate */
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *text = rvm_text_from_bytes (cases[i].bytes), *name = rvm_name_escape (cases[i].bytes);

    ck_assert_str_eq (text, cases[i].text);
    ck_assert_str_eq (name, cases[i].name);
  }
}
END_TEST

START_TEST (test_any_bytes)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);

  for (guint i = 0; i < 20000; i++) {
    const guint length = g_rand_int_range (rand, 0, 12);
    char bytes[12] = { 0 };

    for (guint j = 0; j + 1 < length; j++)
      bytes[j] = g_rand_boolean (rand) ? g_rand_int_range (rand, 1, 256) : "\\a7\xc3\xa4\n"[g_rand_int_range (rand, 0, 6)];
    g_autofree char *text = rvm_text_from_bytes (bytes), *name = rvm_name_escape (bytes), *back = rvm_name_unescape (name);

    ck_assert (g_utf8_validate (text, -1, NULL) && g_utf8_validate (name, -1, NULL));
    ck_assert_ptr_nonnull (back);
    ck_assert_int_eq (strcmp (back, bytes), 0);
  }
}
END_TEST

START_TEST (test_what_is_no_name)
{
  static const char *const wrong[] = { "\\", "a\\\\\\", "\\351 \xc3\xa9", "\\101", "a\nb", "\xe9", "\\q" };

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autofree char *name = rvm_name_unescape (wrong[i]);
    ck_assert_msg (name == NULL, "'%s' gave '%s'", wrong[i], name);
  }
}
END_TEST

START_TEST (test_messages)
{
  g_autoptr (GError) error = NULL;

  rvm_error_set (&error, RVM_ERROR_FILE, "%s: cannot be opened", "caf\xe9.avi");
  ck_assert_str_eq (error->message, "caf\\351.avi: cannot be opened");
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("text");
  TCase *tests = tcase_create ("text");
  SRunner *runner = srunner_create (suite);
  int failed;

  suite_add_tcase (suite, tests);
  tcase_add_test (tests, test_plain);
  tcase_add_test (tests, test_escaped);
  tcase_add_test (tests, test_any_bytes);
  tcase_add_test (tests, test_what_is_no_name);
  tcase_add_test (tests, test_messages);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
