/* The list itself: how it is made from the command line and from an earlier list, and how it is described in the metadata of weights. */
#include "material.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "kernels/text.h"
#include "video/files.h"

enum { NAMES_MOST = 1 << 22 }; /* bytes of the names of one kind in the metadata of weights, whose header holds 100 MB at most */

static const char *const kind_names[RVM_MATERIAL_KINDS] = { "clips", "photos", "sprites" };
static const char *const kind_options[RVM_MATERIAL_KINDS] = { "--data", "--photos", "--sprites" };

const char *
rvm_material_kind_get_name (RvmMaterialKind kind)
{
  return kind_names[kind];
}

const char *
rvm_material_kind_get_option (RvmMaterialKind kind)
{
  return kind_options[kind];
}

static void
file_free (gpointer data)
{
  RvmMaterialFile *file = data;

  g_free (file->path);
  g_free (file->hash);
  g_free (file->reason);
  g_free (file);
}

static void
past_clear (gpointer data)
{
  RvmMaterialPast *past = data;

  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++)
    g_free (past->names[kind]);
}

static void
change_clear (gpointer data)
{
  g_free (((RvmMaterialChange *) data)->text);
}

RvmMaterial *
rvm_material_new (void)
{
  RvmMaterial *material = g_new0 (RvmMaterial, 1);

  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++) {
    material->given[kind] = g_ptr_array_new_with_free_func (g_free);
    material->files[kind] = g_ptr_array_new_with_free_func (file_free);
    material->skipped[kind] = g_ptr_array_new_with_free_func (file_free);
  }
  material->past = g_array_new (FALSE, FALSE, sizeof (RvmMaterialPast));
  g_array_set_clear_func (material->past, past_clear);
  material->changes = g_array_new (FALSE, FALSE, sizeof (RvmMaterialChange));
  g_array_set_clear_func (material->changes, change_clear);
  return material;
}

void
rvm_material_free (RvmMaterial *material)
{
  if (material == NULL)
    return;
  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++) {
    g_ptr_array_unref (material->given[kind]);
    g_ptr_array_unref (material->files[kind]);
    g_ptr_array_unref (material->skipped[kind]);
  }
  g_array_unref (material->past);
  g_array_unref (material->changes);
  g_free (material);
}

/* Stores which argument each file came from: the first that leads to it. Files are compared by identity, since links give them other paths. */
static gboolean
number_arguments (GPtrArray *files, const char *const *names, GError **error)
{
  g_autoptr (GHashTable) arguments = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint n = 0; names && names[0] && names[1] && names[n]; n++) {
    g_autoptr (GPtrArray) paths = rvm_files_expand ((const char *const[]){ names[n], NULL }, error);

    if (paths == NULL)
      return FALSE;
    for (guint i = 0; i < paths->len; i++) {
      g_autofree char *identity = rvm_files_identify (g_ptr_array_index (paths, i));

      if (identity && !g_hash_table_contains (arguments, identity))
        g_hash_table_insert (arguments, g_steal_pointer (&identity), GUINT_TO_POINTER (n));
    }
  }
  for (guint i = 0; i < files->len; i++) {
    RvmMaterialFile *file = g_ptr_array_index (files, i);
    g_autofree char *identity = rvm_files_identify (file->path);

    if (identity)
      file->argument = GPOINTER_TO_UINT (g_hash_table_lookup (arguments, identity));
  }
  return TRUE;
}

gboolean
rvm_material_give (RvmMaterial *material, RvmMaterialKind kind, const char *const *names, GError **error)
{
  g_autoptr (GPtrArray) paths = rvm_files_expand (names, error);

  if (paths == NULL)
    return FALSE;
  g_ptr_array_set_size (material->given[kind], 0);
  g_ptr_array_set_size (material->files[kind], 0);
  g_ptr_array_set_size (material->skipped[kind], 0);
  for (guint i = 0; names && names[i]; i++)
    g_ptr_array_add (material->given[kind], g_canonicalize_filename (names[i], NULL));
  for (guint i = 0; i < paths->len; i++) {
    RvmMaterialFile *file = g_new0 (RvmMaterialFile, 1);
    GStatBuf status;

    file->path = g_strdup (g_ptr_array_index (paths, i));
    if (g_stat (file->path, &status) != 0)
      file->reason = g_strdup_printf ("%s: %s", file->path, g_strerror (errno));
    else if (!S_ISREG (status.st_mode))
      file->reason = g_strdup_printf ("%s: is neither a file nor a folder", file->path);
    else
      rvm_material_file_stat (file, &status);
    g_ptr_array_add (file->reason ? material->skipped[kind] : material->files[kind], file);
  }
  return number_arguments (material->files[kind], names, error);
}

void
rvm_material_skip (RvmMaterial *material, RvmMaterialKind kind, guint number, const char *reason)
{
  RvmMaterialFile *file = g_ptr_array_steal_index (material->files[kind], number);

  file->reason = g_strdup (reason);
  g_ptr_array_add (material->skipped[kind], file);
}

static gpointer
file_copy (gconstpointer from, gpointer user_data)
{
  RvmMaterialFile *file = g_memdup2 (from, sizeof *file);

  file->path = g_strdup (file->path);
  file->hash = g_strdup (file->hash);
  file->reason = g_strdup (file->reason);
  return file;
}

void
rvm_material_copy (RvmMaterial *material, const RvmMaterial *other, RvmMaterialKind kind)
{
  g_ptr_array_set_size (material->given[kind], 0);
  g_ptr_array_set_size (material->files[kind], 0);
  g_ptr_array_set_size (material->skipped[kind], 0);
  g_ptr_array_extend (material->given[kind], other->given[kind], (GCopyFunc) (void (*) (void)) g_strdup, NULL);
  g_ptr_array_extend (material->files[kind], other->files[kind], file_copy, NULL);
  g_ptr_array_extend (material->skipped[kind], other->skipped[kind], file_copy, NULL);
}

void
rvm_material_leave_out (RvmMaterial *material, RvmMaterialKind kind, const char *folder)
{
  GPtrArray *const lists[] = { material->files[kind], material->skipped[kind] };
  g_autofree char *start = g_strconcat (folder, "/", NULL);

  for (guint l = 0; l < G_N_ELEMENTS (lists); l++)
    for (guint i = lists[l]->len; i-- > 0;)
      if (g_str_has_prefix (((const RvmMaterialFile *) g_ptr_array_index (lists[l], i))->path, start))
        g_ptr_array_remove_index (lists[l], i);
}

gboolean
rvm_material_equals (const RvmMaterial *material, const RvmMaterial *other)
{
  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++) {
    if (material->files[kind]->len != other->files[kind]->len)
      return FALSE;
    for (guint i = 0; i < material->files[kind]->len; i++) {
      const RvmMaterialFile *a = g_ptr_array_index (material->files[kind], i), *b = g_ptr_array_index (other->files[kind], i);

      if (a->size != b->size || a->frames != b->frames || a->argument != b->argument || g_strcmp0 (a->hash, b->hash) != 0)
        return FALSE;
    }
  }
  return TRUE;
}

static char *
make_key (const RvmMaterialFile *file)
{
  return g_strdup_printf ("%" G_GUINT64_FORMAT " %s", file->size, file->hash ? file->hash : "");
}

/* Takes a file with the content of @wanted out of @index (key -> GQueue of RvmMaterialFile), one of the same name if there is one. */
static RvmMaterialFile *
take_same (GHashTable *index, const RvmMaterialFile *wanted)
{
  g_autofree char *key = make_key (wanted), *name = g_path_get_basename (wanted->path);
  GQueue *same = g_hash_table_lookup (index, key);

  for (GList *link = same ? same->head : NULL; link; link = link->next) {
    RvmMaterialFile *file = link->data;
    g_autofree char *other = g_path_get_basename (file->path);

    if (strcmp (other, name) == 0) {
      g_queue_delete_link (same, link);
      return file;
    }
  }
  return same ? g_queue_pop_head (same) : NULL;
}

gboolean
rvm_material_match (RvmMaterial *material, const RvmMaterial *other, RvmMaterialKind kind)
{
  g_autoptr (GHashTable) index = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_queue_free);
  g_autoptr (GPtrArray) same = g_ptr_array_new (), useless = g_ptr_array_new ();
  GPtrArray *files = material->files[kind];

  for (guint i = 0; i < files->len; i++) {
    g_autofree char *key = make_key (g_ptr_array_index (files, i));
    GQueue *queue = g_hash_table_lookup (index, key);

    if (queue == NULL)
      g_hash_table_insert (index, g_steal_pointer (&key), queue = g_queue_new ());
    g_queue_push_tail (queue, g_ptr_array_index (files, i));
  }
  for (guint i = 0; i < other->files[kind]->len; i++) {
    RvmMaterialFile *file = take_same (index, g_ptr_array_index (other->files[kind], i));

    if (file == NULL)
      return FALSE;
    file->argument = ((const RvmMaterialFile *) g_ptr_array_index (other->files[kind], i))->argument;
    g_ptr_array_add (same, file);
  }
  for (guint i = 0; i < other->skipped[kind]->len; i++) {
    RvmMaterialFile *file = take_same (index, g_ptr_array_index (other->skipped[kind], i));

    if (file)
      g_ptr_array_add (useless, file);
  }
  if (same->len + useless->len < files->len)
    return FALSE;
  /* Every file is in one of the two lists. */
  while (files->len)
    g_ptr_array_steal_index (files, files->len - 1);
  for (guint i = 0; i < same->len; i++) {
    RvmMaterialFile *file = g_ptr_array_index (same, i);

    file->settled = TRUE;
    g_ptr_array_add (files, file);
  }
  for (guint i = 0; i < useless->len; i++) {
    RvmMaterialFile *file = g_ptr_array_index (useless, i);

    file->reason = g_strdup_printf ("%s: could not be used before", file->path);
    file->settled = TRUE;
    g_ptr_array_add (material->skipped[kind], file);
  }
  return TRUE;
}

void
rvm_material_succeed (RvmMaterial *material, const RvmMaterial *old, guint64 since)
{
  for (guint i = 0; i < old->past->len; i++) {
    RvmMaterialPast past = g_array_index (old->past, RvmMaterialPast, i);

    for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++)
      past.names[kind] = g_strdup (past.names[kind]);
    g_array_append_val (material->past, past);
  }
  for (guint i = 0; i < old->changes->len; i++) {
    RvmMaterialChange change = g_array_index (old->changes, RvmMaterialChange, i);

    change.text = g_strdup (change.text);
    g_array_insert_val (material->changes, i, change);
  }
  material->since = since;
  if (since > old->since) {
    RvmMaterialPast past = { .until = since };

    for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++)
      past.names[kind] = rvm_material_list_names (old, kind);
    g_array_append_val (material->past, past);
  }
}

void
rvm_material_rewind (RvmMaterial *material, guint64 step)
{
  guint64 start = 0;
  guint kept = 0;

  for (; kept < material->past->len && start < step; kept++) {
    RvmMaterialPast *past = &g_array_index (material->past, RvmMaterialPast, kept);

    past->until = MIN (past->until, step);
    start = past->until;
  }
  g_array_set_size (material->past, kept);
  material->since = MIN (material->since, step);
  for (guint i = 0; i < material->changes->len; i++) {
    RvmMaterialChange *change = &g_array_index (material->changes, RvmMaterialChange, i);

    change->step = MIN (change->step, step);
  }
}

void
rvm_material_note (RvmMaterial *material, guint64 step, const char *text)
{
  RvmMaterialChange change = { step, g_strdup (text) };

  g_array_append_val (material->changes, change);
}

/* The names as the value of a key file. */
char *
rvm_material_list_names (const RvmMaterial *material, RvmMaterialKind kind)
{
  const GPtrArray *files = material->files[kind];
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GKeyFile) file = g_key_file_new ();
  gsize bytes = 0;

  for (guint i = 0; i < files->len; i++) {
    g_autofree char *name = g_path_get_basename (((const RvmMaterialFile *) g_ptr_array_index (files, i))->path);

    g_ptr_array_add (names, rvm_name_escape (name));
    bytes += strlen (g_ptr_array_index (names, i)) + 1;
  }
  if (bytes > NAMES_MOST) {
    g_ptr_array_set_size (names, 0);
    g_ptr_array_add (names, g_strdup_printf ("%u files, whose names are too many to be kept here", files->len));
  }
  g_key_file_set_string_list (file, "data", "names", (const char *const *) names->pdata, names->len);
  return g_key_file_get_value (file, "data", "names", NULL);
}

char *
rvm_material_describe (const RvmMaterial *material)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();

  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++) {
    g_autofree char *names = rvm_material_list_names (material, kind);

    g_key_file_set_value (file, "data", kind_names[kind], names);
  }
  for (guint i = 0; i < material->past->len; i++) {
    const RvmMaterialPast *past = &g_array_index (material->past, RvmMaterialPast, i);
    g_autofree char *group = g_strdup_printf ("data until step %" G_GUINT64_FORMAT, past->until);

    for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++)
      g_key_file_set_value (file, group, kind_names[kind], past->names[kind]);
  }
  for (guint i = 0; i < material->changes->len; i++) {
    const RvmMaterialChange *change = &g_array_index (material->changes, RvmMaterialChange, i);
    g_autofree char *key = g_strdup_printf ("step-%" G_GUINT64_FORMAT "-%u", change->step, i + 1);

    g_key_file_set_string (file, "changes", key, change->text);
  }
  return g_key_file_to_data (file, NULL, NULL);
}
