/* A readout file: its metadata are read and written back, its sizes derived, and what its kind says of them fits. No device is needed for that. */
#include "fuzz.h"

#include <string.h>

#include "model/readout/readout_private.h"

/* What was read is written and read again as the same. */
static void
check_metadata (const RvmReadoutInfo *info)
{
  g_autoptr (GHashTable) metadata = rvm_readout_info_to_metadata (info), again = NULL;
  g_autoptr (RvmReadoutInfo) copy = rvm_readout_info_copy (info), reread = rvm_readout_info_from_metadata (metadata, "again", NULL);
  g_autofree char *text = rvm_readout_info_describe (copy), *more = NULL;
  GHashTableIter iter;
  gpointer key, value;

  fuzz_assert (reread != NULL && rvm_readout_info_count_classes (reread) == rvm_readout_info_count_classes (info));
  more = rvm_readout_info_describe (reread);
  fuzz_assert (strcmp (text, more) == 0);
  again = rvm_readout_info_to_metadata (reread);
  fuzz_assert (g_hash_table_size (again) == g_hash_table_size (metadata));
  g_hash_table_iter_init (&iter, metadata);
  while (g_hash_table_iter_next (&iter, &key, &value))
    fuzz_assert (strcmp (g_hash_table_lookup (again, key), value) == 0);
}

/* The kinds with a network, as if its weights were loaded. */
static void
check_kind (const RvmReadoutKind *kind, RvmReadoutInfo *info, RvmAttentionReadout *network)
{
  RvmReadout readout = { .kind = kind, .info = info, .path = (char *) "readout", .dim = network->config.dim, .network = network,
    .queries = network->config.code ? 0 : network->config.queries, .outputs = network->config.outputs };
  RvmReadoutAnswer shape = { 0 };
  g_autoptr (GError) error = NULL;
  const gboolean good = kind->check (&readout, &error);

  fuzz_check_error (good, &error);
  if (!good)
    return;
  kind->get_shape (&readout, 2, 3, &shape);
  fuzz_assert (shape.rows * shape.columns * shape.channels == (kind == &rvm_readout_class ? 1 : 6) * network->config.outputs);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmWeights) weights = rvm_weights_open (fuzz_file (data, size), &error);
  g_autoptr (RvmReadoutInfo) info = NULL;
  RvmAttentionReadout network = { 0 };
  gboolean good;

  fuzz_check_error (weights != NULL, &error);
  if (weights == NULL)
    return 0;
  info = rvm_readout_info_from_metadata (rvm_weights_get_metadata (weights), "readout", &error);
  fuzz_check_error (info != NULL, &error);
  if (info)
    check_metadata (info);
  good = rvm_attention_readout_read_config (&network.config, weights, &error);
  fuzz_check_error (good, &error);
  if (good) {
    g_autoptr (GArray) arrays = rvm_attention_readout_list_arrays (&network.config);

    fuzz_assert (rvm_attention_readout_validate (&network.config, NULL) && arrays->len <= rvm_weights_get_n_arrays (weights));
    if (info) {
      check_kind (&rvm_readout_class, info, &network);
      check_kind (&rvm_readout_dense, info, &network);
    }
  }
  return 0;
}
