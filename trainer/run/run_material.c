/* Only the first process of a run compares the list with the disk and changes it. The others read it afterwards. */
#include "run_material.h"

#include <glib/gstdio.h>
#include <string.h>
#include <xxhash.h>

#include "kernels/error.h"
#include "kernels/text.h"
#include "trainer/step/parallel.h"
#include "video/files.h"

enum { NAMED = 10 }; /* files that are named one by one; of further files only the number is given */

static char *
get_path (const RvmRunOptions *options)
{
  return g_build_filename (options->folder, "material.jsonl", NULL);
}

static const char *const *
get_names (const RvmRunOptions *options, RvmMaterialKind kind)
{
  const GStrv names[RVM_MATERIAL_KINDS] = { options->data, options->photos, options->sprites };

  return (const char *const *) names[kind];
}

static gboolean
has_names (const RvmRunOptions *options)
{
  return options->data || options->photos || options->sprites;
}

/* Adds the files named on the command line, except those in the run's own folder. */
static gboolean
give (RvmMaterial *material, const RvmRunOptions *options, const RvmRecipe *recipe, RvmMaterialKind kind, const char *const *names,
    GError **error)
{
  g_autofree char *folder = g_canonicalize_filename (options->folder, NULL);

  if (!rvm_sampler_uses (recipe, kind)) {
    g_autoptr (GPtrArray) paths = rvm_files_expand (names, error);

    if (paths && paths->len)
      g_printerr ("rvm-cl-train: %s is not used: in the recipe data.synthetic is %g\n", rvm_material_kind_get_option (kind),
          recipe->synthetic);
    return paths != NULL;
  }
  if (!rvm_material_give (material, kind, names, error))
    return FALSE;
  rvm_material_leave_out (material, kind, folder);
  return TRUE;
}

RvmSampler *
rvm_run_list_material (const RvmRunOptions *options, const RvmRecipe *recipe, GError **error)
{
  g_autoptr (RvmMaterial) material = rvm_material_new ();
  g_autofree char *path = get_path (options);
  g_autoptr (RvmSampler) sampler = NULL;

  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++)
    if (!give (material, options, recipe, kind, get_names (options, kind), error))
      return NULL;
  sampler = rvm_sampler_new (recipe, g_steal_pointer (&material), options->cache_dir, error);
  if (sampler == NULL || !rvm_material_hash (rvm_sampler_get_material (sampler), error)
      || !rvm_material_save (rvm_sampler_get_material (sampler), path, error))
    return NULL;
  return g_steal_pointer (&sampler);
}

/* Earlier versions of this program kept the arguments of the command line in data.ini, and no list of files. */
static RvmMaterial *
read_names (const RvmRunOptions *options, const RvmRecipe *recipe, guint64 step, GError **error)
{
  g_autofree char *path = g_build_filename (options->folder, "data.ini", NULL);
  g_autoptr (RvmMaterial) material = rvm_material_new ();
  g_autoptr (GKeyFile) file = g_key_file_new ();

  if (!g_file_test (path, G_FILE_TEST_EXISTS)) {
    if (has_names (options))
      return g_steal_pointer (&material);
    rvm_error_set (error, RVM_ERROR_FILE, "%s: there is no list of its material (material.jsonl); "
        "'rvm-cl-train resume %s --data PATH' names it again", options->folder, options->folder);
    return NULL;
  }
  if (!g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, error)) {
    g_prefix_error (error, "%s: ", path);
    return NULL;
  }
  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++) {
    g_autoptr (GError) reason = NULL;
    g_auto (GStrv) names = g_key_file_get_string_list (file, "data", rvm_material_kind_get_name (kind), NULL, &reason);

    if (get_names (options, kind))
      continue;
    if (names == NULL && !g_error_matches (reason, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND)) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: %s", path, reason->message);
      return NULL;
    }
    if (names && !give (material, options, recipe, kind, (const char *const *) names, error))
      return NULL;
  }
  g_printerr ("rvm-cl-train: %s: the run was begun by a version that kept no list of its material; the files that are there now are "
              "listed in material.jsonl\n", options->folder);
  if (step)
    rvm_material_note (material, step, "the files were listed; before, the folders were searched at each start");
  return g_steal_pointer (&material);
}

/* Prints a line for each of the first few. */
static void
tell (const GPtrArray *lines, const char *what)
{
  for (guint i = 0; i < MIN (lines->len, NAMED); i++)
    g_printerr ("rvm-cl-train: %s: %s\n", what, (const char *) g_ptr_array_index (lines, i));
  if (lines->len > NAMED)
    g_printerr ("rvm-cl-train: %s: %u more\n", what, lines->len - NAMED);
}

static void
fail_missing (const RvmRunOptions *options, const GPtrArray *missing, const gboolean kinds[RVM_MATERIAL_KINDS], GError **error)
{
  GString *text = g_string_new (NULL);

  g_string_append_printf (text, "%s: files of its material are missing (%u):", options->folder, missing->len);
  for (guint i = 0; i < MIN (missing->len, NAMED); i++)
    g_string_append_printf (text, "\n  %s", (const char *) g_ptr_array_index (missing, i));
  if (missing->len > NAMED)
    g_string_append_printf (text, "\n  and %u more", missing->len - NAMED);
  g_string_append_printf (text, "\nWhen they are back, the run can continue unchanged. It uses other material, or the same in "
                                "another place, with 'rvm-cl-train resume %s", options->folder);
  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++)
    if (kinds[kind])
      g_string_append_printf (text, " %s PATH", rvm_material_kind_get_option (kind));
  g_string_append_c (text, '\'');
  rvm_error_set (error, RVM_ERROR_FILE, "%s", text->str);
  g_string_free (text, TRUE);
}

/* Compares listed files with the disk. Files that have changed are used as they are now, with a note. */
static gboolean
compare_files (const RvmRunOptions *options, RvmMaterial *material, guint64 step, GError **error)
{
  g_autoptr (GPtrArray) missing = g_ptr_array_new_with_free_func (g_free), changed = g_ptr_array_new_with_free_func (g_free);
  gboolean kinds[RVM_MATERIAL_KINDS] = { FALSE };

  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++)
    for (guint i = 0; i < material->files[kind]->len; i++) {
      RvmMaterialFile *file = g_ptr_array_index (material->files[kind], i);
      g_autoptr (GError) reason = NULL;
      g_autofree char *name = NULL, *escaped = NULL, *note = NULL;

      if (!file->settled || rvm_material_file_check (file, &reason))
        continue;
      if (!g_error_matches (reason, RVM_ERROR, RVM_ERROR_FORMAT)) {
        g_ptr_array_add (missing, g_strdup (reason->message));
        kinds[kind] = TRUE;
        continue;
      }
      if (!rvm_material_file_update (file, error))
        return FALSE;
      g_ptr_array_add (changed, g_strdup (reason->message));
      name = g_path_get_basename (file->path);
      escaped = rvm_name_escape (name);
      note = g_strdup_printf ("%s is another file of this name", escaped);
      rvm_material_note (material, step, note);
    }
  if (missing->len) {
    fail_missing (options, missing, kinds, error);
    return FALSE;
  }
  tell (changed, "used as it is now");
  return TRUE;
}

/* Reports files in the given folders that are not in the list. */
static void
tell_new (const RvmRunOptions *options, const RvmMaterial *material, RvmMaterialKind kind)
{
  g_autoptr (GHashTable) known = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GPtrArray) fresh = g_ptr_array_new_with_free_func (g_free), names = g_ptr_array_new (), paths = NULL;
  g_autofree char *folder = g_canonicalize_filename (options->folder, NULL), *own = g_strconcat (folder, "/", NULL);
  g_autoptr (GError) reason = NULL;

  for (guint i = 0; i < material->given[kind]->len; i++) {
    GStatBuf status;

    if (g_lstat (g_ptr_array_index (material->given[kind], i), &status) == 0)
      g_ptr_array_add (names, g_ptr_array_index (material->given[kind], i));
  }
  g_ptr_array_add (names, NULL);
  paths = rvm_files_expand ((const char *const *) names->pdata, &reason);
  if (paths == NULL) {
    g_printerr ("rvm-cl-train: new files were not looked for: %s\n", reason->message);
    return;
  }
  for (guint i = 0; i < material->files[kind]->len; i++)
    g_hash_table_add (known, ((const RvmMaterialFile *) g_ptr_array_index (material->files[kind], i))->path);
  for (guint i = 0; i < material->skipped[kind]->len; i++) {
    RvmMaterialFile *file = g_ptr_array_index (material->skipped[kind], i);
    g_autoptr (GError) changed = NULL;

    if (rvm_material_file_check (file, &changed) || !g_error_matches (changed, RVM_ERROR, RVM_ERROR_FORMAT))
      g_hash_table_add (known, file->path);
  }
  for (guint i = 0; i < paths->len; i++)
    if (!g_hash_table_contains (known, g_ptr_array_index (paths, i)) && !g_str_has_prefix (g_ptr_array_index (paths, i), own))
      g_ptr_array_add (fresh, g_strdup (g_ptr_array_index (paths, i)));
  tell (fresh, "new, and not used");
  if (fresh->len)
    g_printerr ("rvm-cl-train: 'rvm-cl-train resume %s %s PATH' uses what is there now\n", options->folder,
        rvm_material_kind_get_option (kind));
}

/* Makes the list for the steps from @step on. */
static RvmMaterial *
choose (const RvmRunOptions *options, const RvmRecipe *recipe, const RvmMaterial *old, guint64 step, GError **error)
{
  g_autoptr (RvmMaterial) material = old ? rvm_material_new () : read_names (options, recipe, step, error);

  if (material == NULL)
    return NULL;
  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++) {
    const char *const *names = get_names (options, kind);

    if (names == NULL) {
      if (old)
        rvm_material_copy (material, old, kind);
      continue;
    }
    if (!give (material, options, recipe, kind, names, error) || !rvm_material_hash (material, error))
      return NULL;
    if (old)
      rvm_material_match (material, old, kind);
  }
  return g_steal_pointer (&material);
}

/* Notes videos that have another number of frames than when they were listed. */
static void
note_frames (RvmMaterial *material, const RvmMaterial *listed, guint64 step)
{
  const GPtrArray *now = material->files[RVM_MATERIAL_CLIPS], *before = listed->files[RVM_MATERIAL_CLIPS];

  for (guint i = 0; i < MIN (now->len, before->len); i++) {
    const RvmMaterialFile *a = g_ptr_array_index (now, i), *b = g_ptr_array_index (before, i);

    if (a->frames != b->frames && g_strcmp0 (a->hash, b->hash) == 0) {
      g_autofree char *name = g_path_get_basename (a->path), *escaped = rvm_name_escape (name);
      g_autofree char *note = g_strdup_printf ("%s has %u frames, it had %u: it is decoded in another way", escaped, a->frames, b->frames);

      g_printerr ("rvm-cl-train: %s\n", note);
      rvm_material_note (material, step, note);
    }
  }
}

static RvmSampler *
open_first (const RvmRunOptions *options, const RvmRecipe *recipe, guint64 step, GError **error)
{
  g_autofree char *path = get_path (options);
  g_autoptr (RvmMaterial) old = NULL, material = NULL;
  g_autoptr (RvmSampler) sampler = NULL;
  RvmMaterial *used;

  if (g_file_test (path, G_FILE_TEST_EXISTS) && (old = rvm_material_load (path, error)) == NULL)
    return NULL;
  if (old)
    rvm_material_rewind (old, step);
  material = choose (options, recipe, old, step, error);
  if (material == NULL || !compare_files (options, material, step, error))
    return NULL;
  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++)
    if (old && rvm_sampler_uses (recipe, kind) && get_names (options, kind) == NULL)
      tell_new (options, material, kind);
  sampler = rvm_sampler_new (recipe, g_steal_pointer (&material), options->cache_dir, error);
  if (sampler == NULL)
    return NULL;
  used = rvm_sampler_get_material (sampler);
  if (!rvm_material_hash (used, error))
    return NULL;
  if (old) {
    const gboolean other = has_names (options) && !rvm_material_equals (used, old);

    note_frames (used, old, step);
    rvm_material_succeed (used, old, other ? step : old->since);
    if (has_names (options))
      g_print ("%s: %s\n", options->folder, other ? "other material is used from here on, and the weights will say so"
          : "the material is the same as before, at the places given now");
  }
  return rvm_material_save (used, path, error) ? g_steal_pointer (&sampler) : NULL;
}

/* For processes other than the first, maybe on other machines: the same files must be there. */
static RvmSampler *
open_other (const RvmRunOptions *options, const RvmRecipe *recipe, GError **error)
{
  g_autofree char *path = get_path (options);
  g_autoptr (RvmMaterial) listed = rvm_material_load (path, error), material = NULL;
  g_autoptr (RvmSampler) sampler = NULL;

  if (listed == NULL)
    return NULL;
  material = rvm_material_new ();
  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++) {
    rvm_material_copy (material, listed, kind);
    for (guint i = 0; i < material->files[kind]->len; i++)
      if (!rvm_material_file_check (g_ptr_array_index (material->files[kind], i), error))
        return NULL;
  }
  sampler = rvm_sampler_new (recipe, g_steal_pointer (&material), options->cache_dir, error);
  if (sampler == NULL)
    return NULL;
  if (!rvm_material_equals (rvm_sampler_get_material (sampler), listed)) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "process %u finds other numbers of frames in the videos than the first process: expected the "
        "same version of GStreamer's decoders everywhere", rvm_parallel_get_rank ());
    return NULL;
  }
  return g_steal_pointer (&sampler);
}

/* Checks that all processes read the same list: a machine may still see an earlier state of a shared folder. */
static gboolean
agree (const RvmRunOptions *options, GError **error)
{
  g_autofree char *path = get_path (options), *text = NULL;
  guint64 own, first;
  gsize size;

  if (!g_file_get_contents (path, &text, &size, error))
    return FALSE;
  own = XXH3_64bits (text, size);
  first = rvm_parallel_broadcast (own);
  if (own == first)
    return TRUE;
  rvm_error_set (error, RVM_ERROR_FORMAT, "%s: process %u reads another list of material than the first process: expected one folder that "
      "all share", path, rvm_parallel_get_rank ());
  return FALSE;
}

RvmSampler *
rvm_run_open_material (const RvmRunOptions *options, const RvmRecipe *recipe, RvmSampler *opened, guint64 step, GError **error)
{
  const gboolean first = rvm_parallel_get_rank () == 0;
  g_autoptr (RvmSampler) sampler = opened;

  if (first && sampler == NULL) {
    sampler = open_first (options, recipe, step, error);
    if (sampler == NULL)
      return NULL;
  }
  if (rvm_parallel_get_size () > 1) {
    rvm_parallel_broadcast (0); /* the list is there */
    if (!agree (options, error))
      return NULL;
  }
  return first ? g_steal_pointer (&sampler) : open_other (options, recipe, error);
}
