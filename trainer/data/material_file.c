/* The format of material.jsonl: a line of JSON for each entry of a list of material.
 *
 *   {"material":1,"since":0}                        version of the format; first step that used these files
 *   {"given":"clips","path":"/data"}                a command-line argument: clips (--data), photos or sprites
 *   {"file":"clips","path":"/data/a.mkv","size":..,"modified":..,"hash":"..","frames":60}
 *                                                   and "argument":1 if the second of several --data led to it
 *   {"skipped":"clips","path":"/data/notes.text","size":..,"modified":..,"hash":"..","reason":".."}
 *   {"past":10,"clips":"a.mkv;","photos":"","sprites":""}       what was used until step 10
 *   {"change":12,"text":".."}                       a file is another one from step 12 on
 *
 * Paths are as rvm_name_escape() has them, since a file name may be any bytes, which JSON may not. */
#include <json-glib/json-glib.h>
#include <string.h>

#include "kernels/error.h"
#include "kernels/text.h"
#include "material.h"

enum { VERSION = 1 };

static void
add_string (JsonBuilder *builder, const char *member, const char *value)
{
  json_builder_set_member_name (builder, member);
  json_builder_add_string_value (builder, value);
}

static void
add_path (JsonBuilder *builder, const char *path)
{
  g_autofree char *text = rvm_name_escape (path);

  add_string (builder, "path", text);
}

static void
add_number (JsonBuilder *builder, const char *member, gint64 value)
{
  json_builder_set_member_name (builder, member);
  json_builder_add_int_value (builder, value);
}

static void
end_line (JsonBuilder *builder, GString *text)
{
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autoptr (JsonNode) root = NULL;

  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  json_generator_set_root (generator, root);
  json_generator_to_gstring (generator, text);
  g_string_append_c (text, '\n');
  json_builder_reset (builder);
}

static void
add_file (JsonBuilder *builder, const char *what, RvmMaterialKind kind, const RvmMaterialFile *file)
{
  json_builder_begin_object (builder);
  add_string (builder, what, rvm_material_kind_get_name (kind));
  add_path (builder, file->path);
  add_number (builder, "size", file->size);
  add_number (builder, "modified", file->modified);
  if (file->hash)
    add_string (builder, "hash", file->hash);
  if (file->frames)
    add_number (builder, "frames", file->frames);
  if (file->argument)
    add_number (builder, "argument", file->argument);
  if (file->reason) {
    g_autofree char *reason = rvm_text_from_bytes (file->reason);
    add_string (builder, "reason", reason);
  }
}

static void
add_history (JsonBuilder *builder, const RvmMaterial *material, GString *text)
{
  for (guint i = 0; i < material->past->len; i++) {
    const RvmMaterialPast *past = &g_array_index (material->past, RvmMaterialPast, i);

    json_builder_begin_object (builder);
    add_number (builder, "past", past->until);
    for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++)
      add_string (builder, rvm_material_kind_get_name (kind), past->names[kind]);
    end_line (builder, text);
  }
  for (guint i = 0; i < material->changes->len; i++) {
    const RvmMaterialChange *change = &g_array_index (material->changes, RvmMaterialChange, i);

    json_builder_begin_object (builder);
    add_number (builder, "change", change->step);
    add_string (builder, "text", change->text);
    end_line (builder, text);
  }
}

gboolean
rvm_material_save (const RvmMaterial *material, const char *path, GError **error)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  GString *text = g_string_new (NULL);
  g_autofree char *before = NULL;
  gboolean ok;

  json_builder_begin_object (builder);
  add_number (builder, "material", VERSION);
  add_number (builder, "since", material->since);
  end_line (builder, text);
  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++) {
    for (guint i = 0; i < material->given[kind]->len; i++) {
      json_builder_begin_object (builder);
      add_string (builder, "given", rvm_material_kind_get_name (kind));
      add_path (builder, g_ptr_array_index (material->given[kind], i));
      end_line (builder, text);
    }
    for (guint i = 0; i < material->files[kind]->len; i++) {
      add_file (builder, "file", kind, g_ptr_array_index (material->files[kind], i));
      end_line (builder, text);
    }
    for (guint i = 0; i < material->skipped[kind]->len; i++) {
      add_file (builder, "skipped", kind, g_ptr_array_index (material->skipped[kind], i));
      end_line (builder, text);
    }
  }
  add_history (builder, material, text);
  ok = (g_file_get_contents (path, &before, NULL, NULL) && strcmp (before, text->str) == 0)
      || g_file_set_contents_full (path, text->str, text->len, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0666, error);
  g_string_free (text, TRUE);
  return ok;
}

/* A line of the file. If a member is missing or has the wrong type, @wrong says what was expected. */
typedef struct {
  JsonObject *object;
  const char *wrong; /* what was expected, or NULL */
} Line;

static const char *
get_string (Line *line, const char *member, const char *expected)
{
  JsonNode *node = json_object_get_member (line->object, member);
  const char *value = node && JSON_NODE_HOLDS_VALUE (node) ? json_node_get_string (node) : NULL;

  if (value == NULL)
    line->wrong = expected;
  return value;
}

static gint64
get_integer (Line *line, const char *member, const char *expected)
{
  JsonNode *node = json_object_get_member (line->object, member);

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_INT64) {
    line->wrong = expected;
    return 0;
  }
  return json_node_get_int (node);
}

static guint64
get_number (Line *line, const char *member, const char *expected)
{
  const gint64 value = get_integer (line, member, expected);

  if (value < 0)
    line->wrong = expected;
  return MAX (value, 0);
}

static char *
get_path (Line *line)
{
  const char *text = get_string (line, "path", "a \"path\"");
  char *path = text ? rvm_name_unescape (text) : NULL;

  if (text && (path == NULL || !g_path_is_absolute (path)))
    line->wrong = "an absolute \"path\" in which what is not UTF-8 is escaped";
  return path;
}

static RvmMaterialKind
get_kind (Line *line, const char *member)
{
  const char *name = get_string (line, member, "a kind");

  for (guint kind = 0; name && kind < RVM_MATERIAL_KINDS; kind++)
    if (strcmp (name, rvm_material_kind_get_name (kind)) == 0)
      return kind;
  line->wrong = "clips, photos or sprites";
  return RVM_MATERIAL_CLIPS;
}

static void
read_file (Line *line, RvmMaterial *material, gboolean used)
{
  const RvmMaterialKind kind = get_kind (line, used ? "file" : "skipped");
  RvmMaterialFile *file = g_new0 (RvmMaterialFile, 1);

  file->path = get_path (line);
  file->size = get_number (line, "size", "a \"size\" in bytes");
  file->modified = get_integer (line, "modified", "a time \"modified\" in nanoseconds");
  if (used || json_object_has_member (line->object, "hash"))
    file->hash = g_strdup (get_string (line, "hash", "a \"hash\""));
  if (used && kind == RVM_MATERIAL_CLIPS)
    file->frames = get_number (line, "frames", "a number of \"frames\"");
  if (json_object_has_member (line->object, "argument"))
    file->argument = get_number (line, "argument", "the number of an \"argument\"");
  if (!used)
    file->reason = g_strdup (get_string (line, "reason", "a \"reason\""));
  file->settled = TRUE;
  g_ptr_array_add (used ? material->files[kind] : material->skipped[kind], file);
}

static void
read_past (Line *line, RvmMaterial *material)
{
  RvmMaterialPast past = { .until = get_number (line, "past", "a step") };

  for (guint kind = 0; kind < RVM_MATERIAL_KINDS; kind++)
    past.names[kind] = g_strdup (get_string (line, rvm_material_kind_get_name (kind), "names of \"clips\", \"photos\" and \"sprites\""));
  g_array_append_val (material->past, past);
}

/* What is wrong with a line, or NULL. */
static const char *
read_line (RvmMaterial *material, JsonNode *node, gboolean first)
{
  Line line = { .object = node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL };

  if (line.object == NULL)
    return "an object";
  if (first != json_object_has_member (line.object, "material"))
    return "\"material\" in the first line, and only there";
  if (first) {
    if (get_number (&line, "material", "a version") != VERSION)
      line.wrong = "\"material\":1, the one version that this program knows";
    material->since = get_number (&line, "since", "a step \"since\"");
  } else if (json_object_has_member (line.object, "given")) {
    const RvmMaterialKind kind = get_kind (&line, "given");
    g_ptr_array_add (material->given[kind], get_path (&line));
  } else if (json_object_has_member (line.object, "file")) {
    read_file (&line, material, TRUE);
  } else if (json_object_has_member (line.object, "skipped")) {
    read_file (&line, material, FALSE);
  } else if (json_object_has_member (line.object, "past")) {
    read_past (&line, material);
  } else if (json_object_has_member (line.object, "change")) {
    const guint64 step = get_number (&line, "change", "a step");
    const char *text = get_string (&line, "text", "a \"text\"");
    if (line.wrong == NULL)
      rvm_material_note (material, step, text);
  } else {
    return "one of \"given\", \"file\", \"skipped\", \"past\" and \"change\"";
  }
  return line.wrong;
}

RvmMaterial *
rvm_material_load (const char *path, GError **error)
{
  g_autoptr (RvmMaterial) material = rvm_material_new ();
  g_autofree char *text = NULL;
  char *line, *end;
  guint number = 1;
  gsize size;

  if (!g_file_get_contents (path, &text, &size, error))
    return NULL;
  for (line = text; line < text + size; line = end + 1, number++) {
    g_autoptr (JsonParser) parser = json_parser_new ();
    const char *wrong = "a line of JSON";

    end = memchr (line, '\n', text + size - line);
    if (end && json_parser_load_from_data (parser, line, end - line, NULL))
      wrong = read_line (material, json_parser_get_root (parser), number == 1);
    if (wrong) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s, line %u: not a list of material: expected %s", path, number, wrong);
      return NULL;
    }
  }
  if (number == 1) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: is empty, expected a list of material", path);
    return NULL;
  }
  return g_steal_pointer (&material);
}
