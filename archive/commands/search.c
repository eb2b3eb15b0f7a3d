/* rvm-archive search: a moment, a region of it or a picture against all moments of an archive. The model is loaded only if the archive does not have that
 * moment itself. */
#include <gst/gst.h>
#include <string.h>

#include "archive/search/answer.h"
#include "archive/search/regions.h"
#include "archive/search/search.h"
#include "archive/search/sheet.h"
#include "commands.h"
#include "kernels/error.h"
#include "kernels/text.h"
#include "model/default_model.h"

enum { MOST = 1000 /* answers */ };

static char *archive, *model_file, *device, *cache_dir, *box, *point, *mask, *by_name, *kind_name, *method_name, *sheet;
static int top = 10;
static double gap = 2;
static gboolean others, json;

static const GOptionEntry entries[] = {
  { "archive", 'a', 0, G_OPTION_ARG_FILENAME, &archive, "folder of the archive", "FOLDER" },
  { "box", 0, 0, G_OPTION_ARG_STRING, &box, "only what is in this box of the picture, in its pixels", "X,Y,WIDTH,HEIGHT" },
  { "point", 0, 0, G_OPTION_ARG_STRING, &point, "only the patch at this point", "X,Y" },
  { "mask", 0, 0, G_OPTION_ARG_FILENAME, &mask, "only what is not 0 in this PNG of the picture's size", "FILE" },
  { "by", 0, 0, G_OPTION_ARG_STRING, &by_name, "what moments are compared by: features, colours or both (default: colours; regions: features)", "WHAT" },
  { "kind", 0, 0, G_OPTION_ARG_STRING, &kind_name, "which features of whole pictures: class, mean or summary (default: the last of them that the archive has)", "KIND" },
  { "method", 0, 0, G_OPTION_ARG_STRING, &method_name, "exact: compare all moments; faiss: those that are likely to be near, with an index that is made when it"
      " is missing; auto: faiss where an index is there and exact would take more than a second (auto)", "HOW" },
  { "top", 0, 0, G_OPTION_ARG_INT, &top, "answers, at most (10)", "N" },
  { "gap", 0, 0, G_OPTION_ARG_DOUBLE, &gap, "moments nearer than that are one answer, and the query's own are left out (2)", "SECONDS" },
  { "others", 0, 0, G_OPTION_ARG_NONE, &others, "only in other videos than the query's", NULL },
  { "sheet", 0, 0, G_OPTION_ARG_FILENAME, &sheet, "draw the answers as a contact sheet", "FILE.png" },
  { "model", 0, 0, G_OPTION_ARG_FILENAME, &model_file, "weights, which must be those of the archive (default: the bundled ones)", "FILE" },
  { "device", 0, 0, G_OPTION_ARG_STRING, &device, "OpenCL device: its index or a part of its name", "D" },
  { "cache-dir", 0, 0, G_OPTION_ARG_FILENAME, &cache_dir, "folder for compiled kernels", "FOLDER" },
  { "json", 0, 0, G_OPTION_ARG_NONE, &json, "print JSON", NULL },
  G_OPTION_ENTRY_NULL,
};

typedef struct {
  RvmDatabase *database;
  RvmModel *model;
} Model;

/* An RvmQueryModel: loads the model once, and checks that the archive was made with it. */
static RvmModel *
get_model (gpointer user_data, GError **error)
{
  Model *model = user_data;
  const RvmSettings *settings = rvm_database_get_settings (model->database);
  RvmModelOptions options = { .device = device, .cache_dir = cache_dir };

  if (model->model)
    return model->model;
  rvm_element_from_name (settings->precision, &options.precision);
  model->model = rvm_model_load (model_file ? model_file : rvm_default_model_get_path (), &options, error);
  if (model->model == NULL) {
    if (model_file == NULL)
      rvm_default_model_explain (error);
    return NULL;
  }
  if (strcmp (rvm_model_get_id (model->model), settings->model_id) == 0)
    return model->model;
  rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: was made with model %s, not %s: --model names its weights", archive, settings->model_id,
      rvm_model_get_id (model->model));
  return NULL;
}

/* An RvmSearchOptions.tell. */
static void
tell (const char *text, gpointer user_data)
{
  g_printerr ("rvm-archive: %s\n", text);
}

static gboolean
choose (const RvmSettings *settings, gboolean region, RvmSearchOptions *options, GError **error)
{
  static const char *const names[] = { "features", "colours", "both" };
  const char *wanted = by_name ? by_name : region ? "features" : "colours";

  while (options->by <= RVM_BY_BOTH && strcmp (names[options->by], wanted) != 0)
    options->by++;
  if (options->by > RVM_BY_BOTH) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "--by '%s': expected features, colours or both", by_name);
    return FALSE;
  }
  options->kind = settings->parts & RVM_PART_SUMMARY ? RVM_VECTOR_SUMMARY : settings->parts & RVM_PART_MEAN ? RVM_VECTOR_MEAN : RVM_VECTOR_CLASS;
  if (kind_name)
    options->kind = RVM_VECTOR_CLASS;
  while (kind_name && options->kind < RVM_VECTOR_COLOURS && strcmp (rvm_vector_names[options->kind], kind_name) != 0)
    options->kind++;
  if (options->kind == RVM_VECTOR_COLOURS) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "--kind '%s': expected class, mean or summary", kind_name);
    return FALSE;
  }
  while (method_name && options->method < RVM_METHODS && strcmp (rvm_search_methods[options->method], method_name) != 0)
    options->method++;
  if (options->method == RVM_METHODS) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "--method '%s': expected auto, exact or faiss", method_name);
    return FALSE;
  }
  if (top < 1 || top > MOST || !(gap >= 0 && gap < 1e6)) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "--top is 1 to %d, --gap 0 or more seconds", MOST);
    return FALSE;
  }
  return TRUE;
}

static void
add_box (JsonBuilder *builder, const RvmRecord *record, guint patch)
{
  const double width = (double) record->width / record->columns, height = (double) record->height / record->rows;
  const double numbers[] = { patch % record->columns * width, patch / record->columns * height, width, height };

  json_builder_set_member_name (builder, "patch");
  json_builder_begin_array (builder);
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    json_builder_add_double_value (builder, numbers[i]);
  json_builder_end_array (builder);
}

static void
print_json (const RvmQuery *query, const RvmSearch *search, const GArray *answers)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  rvm_archive_add_bytes (builder, "path", query->path);
  rvm_archive_add_number (builder, "time", query->time);
  rvm_archive_add_number (builder, "moments", search->table->n);
  rvm_archive_add_text (builder, "method", rvm_search_methods[search->method]);
  rvm_archive_add_number (builder, "compared", search->compared);
  rvm_archive_add_real (builder, "seconds", search->seconds);
  json_builder_set_member_name (builder, "answers");
  json_builder_begin_array (builder);
  for (guint i = 0; i < answers->len; i++) {
    const RvmAnswer *answer = &g_array_index (answers, RvmAnswer, i);

    json_builder_begin_object (builder);
    rvm_archive_add_bytes (builder, "path", answer->record->path);
    rvm_archive_add_number (builder, "start", answer->start);
    rvm_archive_add_number (builder, "end", answer->end);
    rvm_archive_add_number (builder, "time", answer->best);
    rvm_archive_add_real (builder, "score", answer->score);
    if (search->best)
      add_box (builder, answer->record, search->best[answer->row]);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  rvm_archive_print_json (builder);
}

static void
print_text (const RvmSearch *search, const GArray *answers)
{
  for (guint i = 0; i < answers->len; i++) {
    const RvmAnswer *answer = &g_array_index (answers, RvmAnswer, i);
    g_autofree char *name = rvm_name_escape (answer->record->path);

    g_print ("%6.3f  %8.2f to %8.2f s  best %8.2f s  %s\n", answer->score, answer->start / 1e9, answer->end / 1e9, answer->best / 1e9, name);
  }
  if (answers->len == 0)
    g_print ("nothing: the archive has %" G_GSIZE_FORMAT " moments\n", search->table->n);
  if (search->method == RVM_METHOD_FAISS)
    g_print ("faiss: %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " moments were compared\n", search->compared, search->table->n);
}

static gboolean
run (RvmDatabase *database, const char *what, GError **error)
{
  Model model = { database, NULL };
  RvmAnswerOptions options = { .others_only = others };
  g_autoptr (RvmQuery) query = NULL;
  g_autoptr (RvmSearch) search = NULL;
  g_autoptr (GArray) answers = NULL;
  RvmSearchOptions how = { .tell = tell };
  RvmRegion region;

  if (!rvm_region_parse (box, point, mask, &region, error) || !choose (rvm_database_get_settings (database), region.given, &how, error))
    return FALSE;
  query = rvm_query_new (database, archive, what, &region, get_model, &model, error);
  g_clear_pointer (&model.model, rvm_model_unref);
  search = query ? rvm_search_run (database, archive, query, &how, error) : NULL;
  if (search == NULL)
    return FALSE;
  options.top = top;
  options.gap = gap * 1e9;
  options.own = query->path;
  options.own_time = query->time;
  answers = rvm_answers_find (search->table, search->scores, &options);
  if (json)
    print_json (query, search, answers);
  else
    print_text (search, answers);
  return sheet == NULL || rvm_sheet_write (sheet, query->path, query->time, &region, answers, search->best, error);
}

int
rvm_archive_search (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmDatabase) database = NULL;
  g_auto (GStrv) names = NULL;
  const int status = rvm_archive_parse (&argc, &argv, entries, "VIDEO@SECONDS|PICTURE --archive FOLDER",
      "Finds the moments of an archive that are most like a moment of a video, a region of it, or a picture.", &names);

  if (status >= 0)
    return status;
  if (names[0] == NULL || names[1]) {
    g_printerr ("rvm-archive: %s\n", names[0] ? "one moment or picture at a time" : "what is searched for? VIDEO@SECONDS, or a picture");
    return 2;
  }
  gst_init (NULL, NULL);
  database = rvm_archive_open (archive, &error);
  if (database && run (database, names[0], &error))
    return 0;
  return rvm_archive_fail (error, g_error_matches (error, RVM_ERROR, RVM_ERROR_ARGUMENT) ? 2 : 1);
}
