/* Every value is checked before it is used. */
#include "points.h"

#include <json-glib/json-glib.h>

#include "kernels/error.h"

enum { MOST_POINTS = 1024 };

static void
clear_frame (gpointer data)
{
  RvmMarkedFrame *frame = data;

  g_free (frame->xy);
  g_free (frame->visible);
}

static JsonArray *
get_array (JsonObject *object, const char *name)
{
  JsonNode *node = object ? json_object_get_member (object, name) : NULL;

  return node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
}

static gboolean
get_number (JsonArray *array, guint i, double *number)
{
  JsonNode *node = array && i < json_array_get_length (array) ? json_array_get_element (array, i) : NULL;

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) == G_TYPE_STRING)
    return FALSE;
  *number = json_node_get_double (node);
  return *number >= -1e6 && *number <= 1e6;
}

static JsonArray *
get_pair (JsonArray *array, guint i)
{
  JsonNode *node = json_array_get_element (array, i);

  return JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
}

/* What is wrong with a frame, or NULL. */
static const char *
read_frame (RvmMarkedPoints *points, JsonNode *node)
{
  JsonObject *object = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  JsonArray *xy = get_array (object, "xy"), *visible = get_array (object, "visible");
  const guint n = xy ? json_array_get_length (xy) : 0;
  const gint64 number = object ? json_object_get_int_member_with_default (object, "frame", -1) : -1;
  RvmMarkedFrame frame = { 0 };

  if (xy == NULL || visible == NULL || n == 0 || n > MOST_POINTS || json_array_get_length (visible) != n)
    return "frames: expected as many pairs in \"xy\" as values in \"visible\"";
  if (points->frames->len && n != points->n_points)
    return "frames: expected the same points in every frame";
  if (number < 0 || number > G_MAXINT || (points->frames->len && number <= g_array_index (points->frames, RvmMarkedFrame, points->frames->len - 1).frame))
    return "frame: expected rising numbers";
  points->n_points = n;
  frame.frame = number;
  frame.xy = g_new (float, 2 * n);
  frame.visible = g_new (gboolean, n);
  g_array_append_val (points->frames, frame);
  for (guint i = 0; i < n; i++) {
    double x, y;

    if (!get_number (get_pair (xy, i), 0, &x) || !get_number (get_pair (xy, i), 1, &y))
      return "xy: expected pairs of numbers";
    frame.xy[2 * i] = x;
    frame.xy[2 * i + 1] = y;
    frame.visible[i] = json_node_get_boolean (json_array_get_element (visible, i));
  }
  return NULL;
}

RvmMarkedPoints *
rvm_marked_points_load (const char *path, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (RvmMarkedPoints) points = g_new0 (RvmMarkedPoints, 1);
  const char *wrong = NULL;
  JsonNode *root;
  JsonObject *object;
  JsonArray *frames;
  double width, height;

  points->frames = g_array_new (FALSE, FALSE, sizeof (RvmMarkedFrame));
  g_array_set_clear_func (points->frames, clear_frame);
  if (!json_parser_load_from_file (parser, path, error)) {
    g_prefix_error (error, "%s: ", path);
    return NULL;
  }
  root = json_parser_get_root (parser);
  object = root && JSON_NODE_HOLDS_OBJECT (root) ? json_node_get_object (root) : NULL;
  frames = get_array (object, "frames");
  if (!get_number (get_array (object, "size"), 0, &width) || !get_number (get_array (object, "size"), 1, &height) || width < 1 || height < 1)
    wrong = "size: expected [width, height]";
  else if (frames == NULL || json_array_get_length (frames) < 2)
    wrong = "frames: expected at least two";
  for (guint i = 0; wrong == NULL && i < json_array_get_length (frames); i++)
    wrong = read_frame (points, json_array_get_element (frames, i));
  if (wrong) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_FORMAT, "%s: %s", path, wrong);
    return NULL;
  }
  points->width = width;
  points->height = height;
  return g_steal_pointer (&points);
}

void
rvm_marked_points_free (RvmMarkedPoints *points)
{
  if (points == NULL)
    return;
  g_array_unref (points->frames);
  g_free (points);
}

const RvmMarkedFrame *
rvm_marked_points_find (const RvmMarkedPoints *points, guint frame)
{
  for (guint i = 0; i < points->frames->len; i++)
    if (g_array_index (points->frames, RvmMarkedFrame, i).frame == frame)
      return &g_array_index (points->frames, RvmMarkedFrame, i);
  return NULL;
}
