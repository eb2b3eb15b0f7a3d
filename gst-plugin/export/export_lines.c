/* Keys are written in one order, that of the schema. */
#include "export_lines.h"

#include <json-glib/json-glib.h>

#include "meta/gstrvmfields.h"
#include "video/orientation.h"

/* Nanoseconds, or null. */
static void
append_time (GString * line, const gchar * key, GstClockTime time)
{
  if (GST_CLOCK_TIME_IS_VALID (time))
    g_string_append_printf (line, ", \"%s\": %" G_GUINT64_FORMAT, key, time);
  else
    g_string_append_printf (line, ", \"%s\": null", key);
}

/* The shortest text that reads as the same number. */
static void
append_double (GString * line, gdouble value)
{
  gchar number[G_ASCII_DTOSTR_BUF_SIZE];

  g_ascii_formatd (number, sizeof number, "%.15g", value);
  if (g_ascii_strtod (number, NULL) != value)
    g_ascii_dtostr (number, sizeof number, value);
  g_string_append (line, number);
}

static void
append_number (GString * line, const gchar * key, gdouble value)
{
  g_string_append_printf (line, ", \"%s\": ", key);
  append_double (line, value);
}

/* A line is UTF-8 whatever the text was; null if there is none. */
static void
append_text (GString * line, const gchar * key, const gchar * text)
{
  g_autofree gchar *valid = text ? g_utf8_make_valid (text, -1) : NULL;
  g_autoptr (JsonNode) node = valid ? json_node_init_string (json_node_alloc (), valid) : json_node_init_null (json_node_alloc ());
  g_autofree gchar *quoted = json_to_string (node, FALSE);

  g_string_append_printf (line, ", \"%s\": %s", key, quoted);
}

/* The fields of @meta in the order of their table. */
static void
append_fields (GString * line, const GstRvmFields * fields, gconstpointer meta)
{
  for (guint i = 0; i < fields->n; i++) {
    const GstRvmField *field = &fields->list[i];
    gconstpointer at = G_STRUCT_MEMBER_P (meta, field->offsets[GST_RVM_IN_META]);

    if (!field->in_lines)
      continue;
    switch (field->kind) {
      case GST_RVM_FIELD_UINT:
        g_string_append_printf (line, ", \"%s\": %u", field->name, *(const guint *) at);
        break;
      case GST_RVM_FIELD_SIZE:
      case GST_RVM_FIELD_RATIO:
        g_string_append_printf (line, ", \"%s\": [%u, %u]", field->name, ((const guint *) at)[0], ((const guint *) at)[1]);
        break;
      case GST_RVM_FIELD_ORIENTATION:
        g_string_append_printf (line, ", \"%s\": \"%s\"", field->name, rvm_orientation_to_string (*(const guint *) at));
        break;
      case GST_RVM_FIELD_FLAG:
        g_string_append_printf (line, ", \"%s\": %s", field->name, *(const gboolean *) at ? "true" : "false");
        break;
      case GST_RVM_FIELD_COUNT:
        g_string_append_printf (line, ", \"%s\": %" G_GUINT64_FORMAT, field->name, *(const guint64 *) at);
        break;
      case GST_RVM_FIELD_TIME:
        append_time (line, field->name, *(const GstClockTime *) at);
        break;
      case GST_RVM_FIELD_ID:
        /* As text, since many readers hold numbers as doubles, which do not tell such numbers apart. */
        if (*(const guint64 *) at)
          g_string_append_printf (line, ", \"%s\": \"%016" G_GINT64_MODIFIER "x\"", field->name, *(const guint64 *) at);
        else
          g_string_append_printf (line, ", \"%s\": null", field->name);
        break;
      case GST_RVM_FIELD_TEXT:
        append_text (line, field->name, *(gchar * const *) at);
        break;
      case GST_RVM_FIELD_REAL:
        append_number (line, field->name, *(const gdouble *) at);
        break;
    }
  }
}

/* What rvmtrack found, if it ran. */
static void
append_tracks (GString * line, const GstRvmTrackMeta * meta)
{
  static const gchar *const kinds[] = {
    [GST_RVM_TRACK_POINT] = "point",[GST_RVM_TRACK_BOX] = "box",[GST_RVM_TRACK_MASK] = "mask"
  };

  append_fields (line, &gst_rvm_track_fields, meta);
  g_string_append (line, ", \"tracks\": [");
  for (guint i = 0; i < meta->n_tracks; i++) {
    const GstRvmTrack *track = &meta->tracks[i];

    g_string_append_printf (line, "%s{\"id\": %u, \"kind\": \"%s\"", i ? ", " : "", track->id, kinds[track->kind]);
    append_number (line, "x", track->x);
    append_number (line, "y", track->y);
    if (track->kind != GST_RVM_TRACK_POINT) {
      append_number (line, "width", track->width);
      append_number (line, "height", track->height);
    }
    append_number (line, "confidence", track->confidence);
    g_string_append_printf (line, ", \"visible\": %s", track->visible ? "true" : "false");
    append_time (line, "first_seen", track->first_seen);
    append_time (line, "last_seen", track->last_seen);
    if (track->mask_value)
      g_string_append_printf (line, ", \"mask_value\": %u", track->mask_value);
    if (track->label)
      append_text (line, "label", g_quark_to_string (track->label));
    g_string_append_c (line, '}');
  }
  g_string_append_c (line, ']');
}

/* ", "key": [...]", with nine digits, which tell any two floats apart. */
static void
append_floats (GString * line, const gchar * key, const gfloat * values, guint n)
{
  gchar number[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append_printf (line, ", \"%s\": [", key);
  for (guint i = 0; i < n; i++)
    g_string_append_printf (line, "%s%s", i ? ", " : "", g_ascii_formatd (number, sizeof number, "%.9g", values[i]));
  g_string_append_c (line, ']');
}

/* One answer. The values of a map are not in lines: there are too many of them. */
static void
append_readout (GString * line, const GstRvmReadoutMeta * meta)
{
  static const gchar *const kinds[] = {
    [GST_RVM_READOUT_CLASS] = "class",[GST_RVM_READOUT_DEPTH] = "depth",[GST_RVM_READOUT_LABELS] = "labels",[GST_RVM_READOUT_DISTANCE] = "distance"
  };
  const gboolean of_classes = meta->classes && meta->event_class > 0 && meta->event_class <= meta->channels;

  g_string_append_printf (line, "{\"kind\": \"%s\"", kinds[meta->kind]);
  append_fields (line, &gst_rvm_readout_fields, meta);
  append_text (line, "event", of_classes ? meta->classes[meta->event_class - 1] : meta->event_class ? "distance" : NULL);
  for (guint i = 0; meta->classes && i < meta->channels; i++) {
    g_autofree gchar *valid = g_utf8_make_valid (meta->classes[i], -1);
    g_autoptr (JsonNode) node = json_node_init_string (json_node_alloc (), valid);
    g_autofree gchar *quoted = json_to_string (node, FALSE);

    g_string_append_printf (line, "%s%s", i ? ", " : ", \"classes\": [", quoted);
  }
  g_string_append (line, meta->classes ? "]" : "");
  if (meta->rows * meta->columns == 1)
    append_floats (line, "values", g_bytes_get_data (meta->values, NULL), meta->channels);
  g_string_append_c (line, '}');
}

/* Of all rvmreadout that the buffer has passed, in their order. */
static void
append_readouts (GString * line, GstBuffer * buffer)
{
  gpointer state = NULL;
  GstMeta *meta;
  guint n = 0;

  while ((meta = gst_buffer_iterate_meta_filtered (buffer, &state, GST_RVM_READOUT_META_API_TYPE))) {
    g_string_append (line, n++ ? ", " : ", \"readouts\": [");
    append_readout (line, (const GstRvmReadoutMeta *) meta);
  }
  g_string_append (line, n ? "]" : "");
}

/* Where the features come from, and the class token if there is one. */
static void
append_features (GString * line, const GstRvmFeatureMeta * meta)
{
  append_fields (line, &gst_rvm_feature_fields, meta);
  if (meta->parts & GST_RVM_FEATURE_CLASS)
    append_floats (line, "class_token", g_bytes_get_data (meta->data, NULL), meta->dim);
}

gchar *
rvm_export_format_json (guint64 index, GstBuffer * buffer, const GstRvmFeatureMeta * features, const GstRvmTrackMeta * tracks)
{
  GString *line = g_string_new (NULL);

  g_string_append_printf (line, "{\"index\": %" G_GUINT64_FORMAT, index);
  append_time (line, "pts", GST_BUFFER_PTS (buffer));
  append_time (line, "duration", GST_BUFFER_DURATION (buffer));
  if (features)
    append_features (line, features);
  if (tracks)
    append_tracks (line, tracks);
  append_readouts (line, buffer);
  g_string_append (line, "}\n");
  return g_string_free (line, FALSE);
}

gchar *
rvm_export_format_mot (guint64 index, const GstRvmTrackMeta * tracks)
{
  GString *lines = g_string_new (NULL);

  for (guint i = 0; i < tracks->n_tracks; i++) {
    const GstRvmTrack *track = &tracks->tracks[i];
    const gdouble numbers[] = { track->x + 1, track->y + 1, track->width, track->height, track->confidence };

    if (!track->visible)
      continue;
    g_string_append_printf (lines, "%" G_GUINT64_FORMAT ",%u", index + 1, track->id);
    for (guint k = 0; k < G_N_ELEMENTS (numbers); k++) {
      g_string_append_c (lines, ',');
      append_double (lines, numbers[k]);
    }
    g_string_append (lines, ",-1,-1,-1\n");
  }
  return g_string_free (lines, FALSE);
}
