/* An event is known by the readout that has it, its class and its start; the metadata of the next frame tells when it has ended. */
#include "export_readouts.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/error.h"
#include "video/mask_png.h"

#define DEPTH_SCALE 1000        /* of a unit */

typedef struct
{
  gchar *class;
  guint number;                 /* of the class, from 1 */
  GstClockTime start, last;     /* last: the newest frame of the stream */
  guint64 source;               /* of the newest frame */
  guint states;
  gdouble most;
} Event;

struct _RvmEventsWriter
{
  FILE *file;
  gchar *path;
  GHashTable *events;           /* name of a readout -> Event that goes on */
};

static void
event_free (gpointer data)
{
  g_free (((Event *) data)->class);
  g_free (data);
}

static gboolean
fail (const RvmEventsWriter * writer, GError ** error)
{
  rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", writer->path, g_strerror (errno));
  return FALSE;
}

RvmEventsWriter *
rvm_events_writer_new (const gchar * path, GError ** error)
{
  g_autoptr (RvmEventsWriter) writer = g_new0 (RvmEventsWriter, 1);

  writer->path = g_strdup (path);
  writer->events = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, event_free);
  writer->file = fopen (path, "we");
  if (writer->file == NULL || fputs ("readout,class,start,end,confidence\n", writer->file) < 0 || fflush (writer->file) != 0) {
    fail (writer, error);
    return NULL;
  }
  return g_steal_pointer (&writer);
}

void
rvm_events_writer_free (RvmEventsWriter * writer)
{
  if (writer == NULL)
    return;
  if (writer->file)
    fclose (writer->file);
  g_hash_table_unref (writer->events);
  g_free (writer->path);
  g_free (writer);
}

/* As RFC 4180 has it. */
static gchar *
quote (const gchar * text)
{
  g_autofree gchar *valid = g_utf8_make_valid (text, -1);
  g_auto (GStrv) parts = NULL;
  g_autofree gchar *doubled = NULL;

  if (strpbrk (valid, ",\"\r\n") == NULL)
    return g_steal_pointer (&valid);
  parts = g_strsplit (valid, "\"", -1);
  doubled = g_strjoinv ("\"\"", parts);
  return g_strdup_printf ("\"%s\"", doubled);
}

static void
append_seconds (GString * line, GstClockTime time)
{
  gchar number[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append_c (line, ',');
  if (GST_CLOCK_TIME_IS_VALID (time))
    g_string_append (line, g_ascii_formatd (number, sizeof number, "%.9f", (gdouble) time / GST_SECOND));
}

static gboolean
write_event (RvmEventsWriter * writer, const gchar * readout, const Event * event, GstClockTime end, GError ** error)
{
  g_autofree gchar *name = quote (readout), *class = quote (event->class);
  g_autoptr (GString) line = g_string_new (NULL);
  gchar number[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append_printf (line, "%s,%s", name, class);
  append_seconds (line, event->start);
  append_seconds (line, end);
  g_string_append_printf (line, ",%s\n", g_ascii_formatd (number, sizeof number, "%.6g", event->most));
  return (fputs (line->str, writer->file) >= 0 && fflush (writer->file) == 0) || fail (writer, error);
}

static gboolean
see_readout (RvmEventsWriter * writer, const GstRvmReadoutMeta * meta, GError ** error)
{
  const gchar *name = meta->readout ? meta->readout : "";
  Event *event = g_hash_table_lookup (writer->events, name);
  const gboolean goes_on = event && event->number == meta->event_class && event->start == meta->event_start;
  gboolean good = TRUE;

  if (event && !goes_on) {
    /* An event ends with the frame that says so, unless that does not go on from the one before: then it ended with that one. */
    const gboolean reset = meta->source != event->source || meta->states < event->states;

    good = write_event (writer, name, event, reset ? event->last : meta->update_pts, error);
    g_hash_table_remove (writer->events, name);
    event = NULL;
  }
  if (meta->event_class == 0)
    return good;
  if (event == NULL) {
    event = g_new0 (Event, 1);
    event->number = meta->event_class;
    event->class = g_strdup (meta->classes && meta->event_class <= meta->channels ? meta->classes[meta->event_class - 1] : "distance");
    event->start = meta->event_start;
    g_hash_table_insert (writer->events, g_strdup (name), event);
  }
  event->last = meta->update_pts;
  event->source = meta->source;
  event->states = meta->states;
  event->most = MAX (event->most, meta->event_confidence);
  return good;
}

gboolean
rvm_events_writer_see (RvmEventsWriter * writer, GstBuffer * buffer, GError ** error)
{
  gpointer state = NULL;
  GstMeta *meta;

  while ((meta = gst_buffer_iterate_meta_filtered (buffer, &state, GST_RVM_READOUT_META_API_TYPE)))
    if (!see_readout (writer, (const GstRvmReadoutMeta *) meta, error))
      return FALSE;
  return TRUE;
}

gboolean
rvm_events_writer_close (RvmEventsWriter * writer, GError ** error)
{
  GHashTableIter iter;
  gpointer name, event;
  gboolean good = TRUE;

  g_hash_table_iter_init (&iter, writer->events);
  while (good && g_hash_table_iter_next (&iter, &name, &event))
    good = write_event (writer, name, event, ((Event *) event)->last, error);
  if (fclose (g_steal_pointer (&writer->file)) != 0 && good)
    good = fail (writer, error);
  return good;
}

const GstRvmReadoutMeta *
rvm_export_find_map (GstBuffer * buffer, const gchar * name)
{
  const GstRvmReadoutMeta *found = NULL;
  gpointer state = NULL;
  GstMeta *meta;

  while ((meta = gst_buffer_iterate_meta_filtered (buffer, &state, GST_RVM_READOUT_META_API_TYPE))) {
    const GstRvmReadoutMeta *readout = (const GstRvmReadoutMeta *) meta;

    if ((readout->kind == GST_RVM_READOUT_DEPTH || readout->kind == GST_RVM_READOUT_LABELS)
        && (name == NULL || *name == '\0' || g_strcmp0 (name, readout->readout) == 0))
      found = readout;
  }
  return found;
}

static gboolean
write_depths (const gchar * path, const GstRvmReadoutMeta * map, GError ** error)
{
  const gfloat *values = g_bytes_get_data (map->values, NULL);
  const gsize n = (gsize) map->rows * map->columns;
  g_autofree guint16 *pixels = g_new (guint16, n);

  for (gsize i = 0; i < n; i++)
    pixels[i] = CLAMP (round (values[i] * DEPTH_SCALE), 1, G_MAXUINT16);
  return rvm_depth_write_png (path, pixels, map->columns, map->rows, error);
}

static gboolean
write_labels (const gchar * path, const GstRvmReadoutMeta * map, GError ** error)
{
  const gfloat *values = g_bytes_get_data (map->values, NULL);
  const gsize n = (gsize) map->rows * map->columns;
  g_autofree guint8 *pixels = g_new (guint8, n);

  for (gsize i = 0; i < n; i++, values += map->channels) {
    guint best = 0;

    for (guint k = 1; k < MIN (map->channels, 256); k++)
      if (values[k] > values[best])
        best = k;
    pixels[i] = best;
  }
  return rvm_mask_write_png (path, pixels, map->columns, map->rows, error);
}

gboolean
rvm_export_write_map (const gchar * path, const GstRvmReadoutMeta * map, GError ** error)
{
  return map->kind == GST_RVM_READOUT_DEPTH ? write_depths (path, map, error) : write_labels (path, map, error);
}
