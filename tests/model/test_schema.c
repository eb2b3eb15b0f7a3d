/* The table of layers: every array of every size is found again by its name, names are unique, and shapes are those of a layer's matrix. */
#include <check.h>
#include <stdlib.h>

#include "model/config.h"

START_TEST (arrays_are_found_by_their_names)
{
  const RvmConfig *config = rvm_config_find (rvm_config_list_names ()[_i]);
  const RvmSchema schema = rvm_config_get_schema (config);
  g_autoptr (GArray) arrays = rvm_config_list_arrays (config, TRUE), plain = rvm_config_list_arrays (config, FALSE);
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);

  ck_assert_uint_lt (plain->len, arrays->len);
  for (guint i = 0; i < arrays->len; i++) {
    const RvmArray *array = &g_array_index (arrays, RvmArray, i);
    RvmSchemaEntry entry;
    guint64 elements, bytes, expected;

    ck_assert_msg (g_hash_table_add (names, array->name), "%s is there twice", array->name);
    ck_assert_msg (rvm_schema_find (array->name, &entry), "%s is not found", array->name);
    ck_assert_int_eq (i < plain->len, entry.row->part != RVM_PART_DECODER);
    {
      g_autofree char *name = rvm_schema_format_name ((RvmSite){ entry.row->part, entry.row->layer, entry.block }, entry.role);
      ck_assert_str_eq (name, array->name);
    }
    expected = rvm_schema_count_outputs (&schema, entry.row);
    if (entry.role == RVM_ROLE_KERNEL || entry.role == RVM_ROLE_VALUES)
      expected *= rvm_schema_count_inputs (&schema, entry.row);
    ck_assert (rvm_array_get_size (array, &elements, &bytes));
    ck_assert_msg (elements == expected, "%s has %" G_GUINT64_FORMAT " elements, its layer %" G_GUINT64_FORMAT, array->name, elements, expected);
  }
}
END_TEST

START_TEST (other_names_are_not_found)
{
  static const char *const others[] = {
    "", "encoder", "encoder/layers_0", "encoder/layers_0/attention/query", "encoder/layers_00/attention/query/kernel",
    "encoder/layers_01/attention/query/kernel", "encoder/layers_/attention/query/kernel", "encoder/layers_-1/attention/query/kernel",
    "encoder/layers_1234567890/attention/query/kernel", "encoder/layers_0/attention/query/scale", "encoder/layers_0/attention/query/kernel/",
    "encoder/layers_0/ca_attention/query/kernel", "cls_token/kernel", "rnn_core/input_update/bias", "adamw/m/cls_token",
  };
  RvmSchemaEntry entry;

  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    ck_assert_msg (!rvm_schema_find (others[i], &entry), "'%s' is found", others[i]);
  ck_assert (rvm_schema_find ("encoder/layers_999999999/attention/query/kernel", &entry));
  ck_assert_uint_eq (entry.block, 999999999);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("schema");
  TCase *cases = tcase_create ("schema");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_add_loop_test (cases, arrays_are_found_by_their_names, 0, g_strv_length ((char **) rvm_config_list_names ()));
  tcase_add_test (cases, other_names_are_not_found);
  suite_add_tcase (suite, cases);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
