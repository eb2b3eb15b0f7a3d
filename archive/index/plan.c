/* Shares follow from the list alone, not from what is done already, so that several processes agree on them whenever they start. */
#include "plan.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "kernels/error.h"
#include "video/files.h"

static void
free_item (gpointer data)
{
  RvmPlanItem *item = data;

  g_free (item->path);
  rvm_record_free (item->known);
  g_free (item);
}

void
rvm_plan_free (RvmPlan *plan)
{
  if (plan == NULL)
    return;
  g_ptr_array_unref (plan->items);
  g_free (plan);
}

static int
compare (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* Addresses are what they are; those of files are files. */
static GPtrArray *
expand (const char *const *names, const char *archive, GError **error)
{
  g_autoptr (GPtrArray) paths = NULL, addresses = g_ptr_array_new_with_free_func (g_free), files = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *absolute = g_canonicalize_filename (archive, NULL), *inside = g_strconcat (absolute, "/", NULL);

  for (guint i = 0; names && names[i]; i++) {
    char *path = g_str_has_prefix (names[i], "file://") ? g_filename_from_uri (names[i], NULL, error) : g_strdup (names[i]);

    if (path == NULL)
      return NULL;
    g_ptr_array_add (rvm_record_is_address (path) ? addresses : files, path);
  }
  g_ptr_array_add (files, NULL);
  paths = rvm_files_expand ((const char *const *) files->pdata, error);
  if (paths == NULL)
    return NULL;
  for (guint i = 0; i < paths->len;)
    if (g_str_has_prefix (g_ptr_array_index (paths, i), inside))
      g_ptr_array_remove_index (paths, i);
    else
      i++;
  for (guint i = 0; i < addresses->len; i++)
    g_ptr_array_add (paths, g_strdup (g_ptr_array_index (addresses, i)));
  g_ptr_array_sort (paths, compare);
  for (guint i = 1; i < paths->len;) /* an address may have been named twice */
    if (strcmp (g_ptr_array_index (paths, i - 1), g_ptr_array_index (paths, i)) == 0)
      g_ptr_array_remove_index (paths, i);
    else
      i++;
  return g_steal_pointer (&paths);
}

/* path -> RvmRecord, which @lists keep. */
static GHashTable *
read_known (RvmDatabase *const *databases, GPtrArray *lists, GError **error)
{
  g_autoptr (GHashTable) known = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint d = 0; databases[d]; d++) {
    GPtrArray *records = rvm_database_list (databases[d], error);

    if (records == NULL)
      return NULL;
    g_ptr_array_add (lists, records);
    for (guint i = 0; i < records->len; i++) {
      RvmRecord *record = g_ptr_array_index (records, i);
      g_hash_table_replace (known, record->path, record);
    }
  }
  return g_steal_pointer (&known);
}

/* Whether the file is looked at, and @compare: whether it may have the content that is known. */
static gboolean
is_wanted (const RvmRecord *record, const GStatBuf *status, gboolean there, gboolean retry, gboolean *may_be_same)
{
  const gint64 modified = there ? (gint64) ((guint64) status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec) : RVM_UNKNOWN;
  const gint64 size = there ? status->st_size : RVM_UNKNOWN;

  *may_be_same = FALSE;
  if (record == NULL || record->size != size)
    return TRUE;
  if (retry && strcmp (record->state, "done") != 0)
    return TRUE;
  *may_be_same = record->hash != NULL;
  return record->modified != modified;
}

static void
add (RvmPlan *plan, const char *path, RvmRecord *record, gboolean retry)
{
  GStatBuf status;
  gboolean there = path[0] == '/' && g_stat (path, &status) == 0, may_be_same;
  RvmPlanItem *item;

  plan->listed++;
  if (!is_wanted (record, &status, there, retry, &may_be_same)) {
    plan->failed += strcmp (record->state, "failed") == 0;
    return;
  }
  item = g_new0 (RvmPlanItem, 1);
  item->path = g_strdup (path);
  item->size = there ? status.st_size : 0;
  if (may_be_same) {
    item->known = rvm_record_new (path);
    item->known->hash = g_strdup (record->hash);
  }
  plan->size += item->size;
  g_ptr_array_add (plan->items, item);
}

RvmPlan *
rvm_plan_new (const char *const *names, const char *archive, RvmDatabase *const *databases, RvmRank rank, gboolean retry, GError **error)
{
  g_autoptr (RvmPlan) plan = g_new0 (RvmPlan, 1);
  g_autoptr (GPtrArray) lists = g_ptr_array_new_with_free_func ((GDestroyNotify) g_ptr_array_unref), paths = NULL;
  g_autoptr (GHashTable) known = NULL;

  plan->items = g_ptr_array_new_with_free_func (free_item);
  paths = expand (names, archive, error);
  known = paths ? read_known (databases, lists, error) : NULL;
  if (known == NULL)
    return NULL;
  for (guint i = rank.rank; i < paths->len; i += rank.size)
    add (plan, g_ptr_array_index (paths, i), g_hash_table_lookup (known, g_ptr_array_index (paths, i)), retry);
  return g_steal_pointer (&plan);
}
