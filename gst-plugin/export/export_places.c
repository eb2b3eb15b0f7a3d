/* Two paths are compared by what they lead to. A pattern stands for a path if one of the numbers in that path, put into the pattern, makes it. */
#include "export_places.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model/default_model.h"

#define MOST_LINKS 40           /* as Linux has it */

/* Properties of other elements whose value is a file. */
static const gchar *const file_properties[] = { "location", "file", "filename", "uri", "path" };

/* A file that something writes or reads. */
typedef struct
{
  gchar *what;                  /* "location", "location of filesrc0" */
  gchar *path;                  /* as it was given */
  gchar *real;                  /* what that leads to; of a pattern, the text of it */
  gboolean is_pattern;
} Place;

struct _RvmExportClaim
{
  GPtrArray *places;            /* of Place */
};

static GMutex claims_lock;
static GPtrArray *claims;       /* of RvmExportClaim, not owned; with claims_lock */

gboolean
rvm_export_is_pattern (const gchar * text)
{
  return g_regex_match_simple ("^(?:[^%]|%%)*%0?[0-9]?d(?:[^%]|%%)*$", text, 0, 0);
}

gchar *
rvm_export_expand_pattern (const gchar * pattern, guint number)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  /* rvm_export_is_pattern() has seen it. */
  return g_strdup_printf (pattern, (gint) number);
#pragma GCC diagnostic pop
}

/* The file that writing to @path would reach: links are followed, the last one also if it leads to nothing yet. */
static gchar *
resolve (const gchar * path)
{
  g_autofree gchar *at = g_strdup (path);

  for (guint i = 0; i < MOST_LINKS; i++) {
    gchar *real = realpath (at, NULL), *folder = NULL;
    g_autofree gchar *parent = g_path_get_dirname (at), *base = g_path_get_basename (at), *whole = NULL, *link = NULL;

    if (real == NULL)
      folder = realpath (parent, NULL);
    if (real == NULL && folder == NULL)
      break;
    whole = real ? g_strdup (real) : g_build_filename (folder, base, NULL);
    link = real ? NULL : g_file_read_link (whole, NULL);
    g_free (at);
    at = link == NULL ? g_strdup (whole) : g_path_is_absolute (link) ? g_strdup (link) : g_build_filename (folder, link, NULL);
    free (real);
    free (folder);
    if (link == NULL)
      return g_steal_pointer (&at);
  }
  return g_canonicalize_filename (at, NULL);
}

static void
place_free (gpointer data)
{
  Place *place = data;

  g_free (place->what);
  g_free (place->path);
  g_free (place->real);
  g_free (place);
}

static Place *
place_new (const gchar * what, const gchar * path, gboolean is_pattern)
{
  Place *place = g_new (Place, 1);

  *place = (Place) {.what = g_strdup (what),.path = g_strdup (path),.real = is_pattern ? g_strdup (path) : resolve (path),
    .is_pattern = is_pattern};
  return place;
}

/* Both are resolved. What is no regular file is not overwritten: several may write to it. */
static gboolean
is_same_file (const gchar * a, const gchar * b)
{
  struct stat x, y;
  const gboolean there = stat (a, &x) == 0;

  if (there && !S_ISREG (x.st_mode))
    return FALSE;
  return strcmp (a, b) == 0 || (there && stat (b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

/* Whether @pattern with some number is @real, or what is renamed to it when complete. */
static gboolean
makes (const gchar * pattern, const gchar * real)
{
  for (const gchar * at = real + strcspn (real, "0123456789"); *at; at += strspn (at, "0123456789"), at += strcspn (at, "0123456789")) {
    const guint64 number = g_ascii_strtoull (at, NULL, 10);

    if (number <= G_MAXINT) {
      g_autofree gchar *path = rvm_export_expand_pattern (pattern, number), *part = g_strconcat (path, ".part", NULL);
      g_autofree gchar *whole = resolve (path), *unfinished = resolve (part);

      if (is_same_file (whole, real) || is_same_file (unfinished, real))
        return TRUE;
    }
  }
  return FALSE;
}

static gboolean
clash (const Place * a, const Place * b)
{
  if (a->is_pattern && b->is_pattern) {
    g_autofree gchar *x = rvm_export_expand_pattern (a->real, 0), *y = rvm_export_expand_pattern (b->real, 0);
    g_autofree gchar *real = resolve (x), *other = resolve (y);

    return is_same_file (real, other);
  }
  if (a->is_pattern || b->is_pattern)
    return a->is_pattern ? makes (a->real, b->real) : makes (b->real, a->real);
  return is_same_file (a->real, b->real);
}

/* FALSE, with an error, if one of @places is @other. */
static gboolean
check_place (const GPtrArray * places, const Place * other, GError ** error)
{
  for (guint i = 0; i < places->len; i++) {
    const Place *place = places->pdata[i];

    if (clash (place, other)) {
      g_autofree gchar *path = g_filename_display_name (place->path), *also = g_filename_display_name (other->path);

      g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, "%s '%s' and %s '%s' are the same file: each output must"
          " have one of its own", place->what, path, other->what, also);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
names_a_file (const GParamSpec * spec)
{
  if (!G_IS_PARAM_SPEC_STRING (spec) || !(spec->flags & G_PARAM_READABLE) || (spec->flags & G_PARAM_DEPRECATED))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (file_properties); i++)
    if (g_str_has_suffix (spec->name, file_properties[i]))
      return TRUE;
  return FALSE;
}

/* What the properties of @element name. */
static void
list_files (GstElement * element, GPtrArray * files)
{
  guint n;
  g_autofree GParamSpec **specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (element), &n);

  for (guint i = 0; i < n; i++) {
    g_autofree gchar *value = NULL, *path = NULL, *what = NULL;

    if (!names_a_file (specs[i]))
      continue;
    g_object_get (element, specs[i]->name, &value, NULL);
    if (value == NULL || *value == '\0')
      continue;
    path = g_str_has_prefix (value, "file:") ? g_filename_from_uri (value, NULL, NULL) : g_strdup (value);
    if (path == NULL)
      continue;
    what = g_strdup_printf ("%s of %s", specs[i]->name, GST_OBJECT_NAME (element));
    g_ptr_array_add (files, place_new (what, path, rvm_export_is_pattern (path)));
  }
}

typedef struct
{
  GstElement *self;
  GPtrArray *files;
} Search;

static void
add_element (const GValue * item, gpointer data)
{
  Search *search = data;
  GstElement *element = g_value_get_object (item);

  if (element != search->self)
    list_files (element, search->files);
}

/* The files of the other elements of the pipeline that @element is in. */
static GPtrArray *
list_pipeline_files (GstElement * element)
{
  GPtrArray *files = g_ptr_array_new_with_free_func (place_free);
  g_autoptr (GstObject) top = gst_object_ref (element);
  GstIterator *elements;
  Search search = { element, files };

  for (GstObject * parent; (parent = gst_object_get_parent (top));) {
    gst_object_unref (top);
    top = parent;
  }
  if (!GST_IS_BIN (top))
    return files;
  elements = gst_bin_iterate_recurse (GST_BIN (top));
  /* An element that comes or goes meanwhile starts the search again. */
  while (gst_iterator_foreach (elements, add_element, &search) == GST_ITERATOR_RESYNC) {
    gst_iterator_resync (elements);
    g_ptr_array_set_size (files, 0);
  }
  gst_iterator_free (elements);
  return files;
}

/* With the lock: what other elements of this process write. */
static gboolean
check_claims (const GPtrArray * places, GError ** error)
{
  for (guint i = 0; claims && i < claims->len; i++) {
    const RvmExportClaim *claim = claims->pdata[i];

    for (guint k = 0; k < claim->places->len; k++)
      if (!check_place (places, claim->places->pdata[k], error))
        return FALSE;
  }
  return TRUE;
}

static gboolean
check_others (GstElement * element, const GPtrArray * places, GError ** error)
{
  g_autoptr (GPtrArray) files = list_pipeline_files (element);

  g_ptr_array_add (files, place_new ("the bundled model", rvm_default_model_get_path (), FALSE));
  for (guint i = 0; i < files->len; i++)
    if (!check_place (places, files->pdata[i], error))
      return FALSE;
  return TRUE;
}

RvmExportClaim *
rvm_export_claim_places (GstElement * element, const RvmExportPlace * places, guint n, GError ** error)
{
  g_autoptr (GPtrArray) mine = g_ptr_array_new_with_free_func (place_free);
  RvmExportClaim *claim = NULL;

  for (guint i = 0; i < n; i++) {
    Place *place;

    if (places[i].path == NULL)
      continue;
    place = place_new (places[i].setting, places[i].path, places[i].is_pattern);
    if (!check_place (mine, place, error)) {
      place_free (place);
      return NULL;
    }
    g_ptr_array_add (mine, place);
  }
  if (!check_others (element, mine, error))
    return NULL;
  for (guint i = 0; i < mine->len; i++) {
    Place *place = mine->pdata[i];
    g_autofree gchar *what = g_strdup_printf ("%s of %s", place->what, GST_OBJECT_NAME (element));

    g_free (place->what);
    place->what = g_steal_pointer (&what);
  }

  g_mutex_lock (&claims_lock);
  if (check_claims (mine, error)) {
    claim = g_new (RvmExportClaim, 1);
    claim->places = g_steal_pointer (&mine);
    if (claims == NULL)
      claims = g_ptr_array_new ();
    g_ptr_array_add (claims, claim);
  }
  g_mutex_unlock (&claims_lock);
  return claim;
}

void
rvm_export_claim_free (RvmExportClaim * claim)
{
  if (claim == NULL)
    return;
  g_mutex_lock (&claims_lock);
  g_ptr_array_remove (claims, claim);
  if (claims->len == 0)
    g_clear_pointer (&claims, g_ptr_array_unref);
  g_mutex_unlock (&claims_lock);
  g_ptr_array_unref (claim->places);
  g_free (claim);
}
