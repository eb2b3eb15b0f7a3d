/* The getters of the metadata library choose. This file warns, once each, where there were several to choose from, or none of the wanted name. */
#include "choice.h"

enum
{
  TOLD_FEATURES = 1 << 0,       /* that there are several */
  TOLD_TRACKS = 1 << 1,
  TOLD_NO_FEATURES = 1 << 2,    /* that there are none by that name */
  TOLD_NO_TRACKS = 1 << 3,
};

static const gchar same_names[] = "Give them different names to choose";

static gboolean
is_any_or (const gchar * wanted, const gchar * name)
{
  return wanted == NULL || g_strcmp0 (wanted, name) == 0;
}

static const gchar *
show (const gchar * name)
{
  return name ? name : "(unknown)";
}

/* "a, b" in the order of the pipeline; @n_matching: how many of them fit the names. */
static gchar *
list_metas (GstBuffer * buffer, GType api, const gchar * encoder, const gchar * tracker, guint * n_matching)
{
  GString *names = g_string_new (NULL);
  gpointer state = NULL;
  GstMeta *meta;

  *n_matching = 0;
  while ((meta = gst_buffer_iterate_meta_filtered (buffer, &state, api))) {
    const GstRvmFeatureMeta *features = (const GstRvmFeatureMeta *) meta;
    const GstRvmTrackMeta *tracks = (const GstRvmTrackMeta *) meta;
    const gboolean of_tracks = api == GST_RVM_TRACK_META_API_TYPE;

    g_string_append (names, names->len ? ", " : "");
    if (of_tracks)
      g_string_append_printf (names, "%s after %s", show (tracks->tracker), show (tracks->encoder));
    else
      g_string_append (names, show (features->encoder));
    *n_matching += is_any_or (encoder, of_tracks ? tracks->encoder : features->encoder)
        && (!of_tracks || is_any_or (tracker, tracks->tracker));
  }
  return g_string_free (names, FALSE);
}

/* Most buffers have one meta of a kind, or none, and then there is nothing to say. */
static gboolean
has_several (GstBuffer * buffer, GType api, guint several)
{
  gpointer state = NULL;
  guint n = 0;

  while (n < several && gst_buffer_iterate_meta_filtered (buffer, &state, api))
    n++;
  return n == several;
}

static gboolean
is_news (RvmChoice * choice, guint what)
{
  const gboolean news = !(choice->told & what);

  choice->told |= what;
  return news;
}

const GstRvmFeatureMeta *
rvm_choice_get_features (RvmChoice * choice, GstElement * element, GstBuffer * buffer, const gchar * encoder, gboolean tell)
{
  const gchar *wanted = encoder && *encoder ? encoder : NULL;
  const GstRvmFeatureMeta *chosen = gst_rvm_buffer_get_feature_meta_from (buffer, wanted);
  g_autofree gchar *names = NULL;
  guint n;

  if (!tell || !has_several (buffer, GST_RVM_FEATURE_META_API_TYPE, chosen ? 2 : 1))
    return chosen;
  names = list_metas (buffer, GST_RVM_FEATURE_META_API_TYPE, wanted, NULL, &n);
  if (n == 0 && is_news (choice, TOLD_NO_FEATURES))
    GST_ELEMENT_WARNING (element, STREAM, FAILED, ("no features of '%s' arrive, which the property encoder names, but those of"
            " other rvmencode (%s)", wanted, names), (NULL));
  else if (n > 1 && is_news (choice, TOLD_FEATURES))
    GST_ELEMENT_WARNING (element, STREAM, FAILED, ("features of several rvmencode arrive (%s): those of '%s', the nearest"
            " upstream, are read. %s", names, show (chosen->encoder), wanted ? same_names : "Set the property encoder to choose"),
        (NULL));
  return chosen;
}

const GstRvmTrackMeta *
rvm_choice_get_tracks (RvmChoice * choice, GstElement * element, GstBuffer * buffer, const gchar * encoder, const gchar * tracker,
    gboolean tell)
{
  const gchar *by = tracker && *tracker ? tracker : NULL;
  const gchar *with = by == NULL && encoder && *encoder ? encoder : NULL;
  const GstRvmTrackMeta *chosen = gst_rvm_buffer_get_track_meta_from (buffer, with, by);
  g_autofree gchar *names = NULL;
  guint n;

  if (!tell || !has_several (buffer, GST_RVM_TRACK_META_API_TYPE, chosen ? 2 : 1))
    return chosen;
  names = list_metas (buffer, GST_RVM_TRACK_META_API_TYPE, with, by, &n);
  if (n == 0 && is_news (choice, TOLD_NO_TRACKS))
    GST_ELEMENT_WARNING (element, STREAM, FAILED, ("no tracks of '%s' arrive, which the property %s names, but those of other"
            " rvmtrack (%s). Set the property tracker to choose", by ? by : with, by ? "tracker" : "encoder", names), (NULL));
  else if (n > 1 && is_news (choice, TOLD_TRACKS))
    GST_ELEMENT_WARNING (element, STREAM, FAILED, ("tracks of several rvmtrack arrive (%s): those of '%s', the nearest upstream,"
            " are read. %s", names, show (chosen->tracker), by ? same_names : "Set the property tracker to choose"), (NULL));
  return chosen;
}

gboolean
rvm_choice_is_missing (const RvmChoice * choice)
{
  return (choice->told & (TOLD_NO_FEATURES | TOLD_NO_TRACKS)) != 0;
}
