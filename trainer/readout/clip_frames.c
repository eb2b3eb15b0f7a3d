#include "clip_frames.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "kernels/error.h"
#include "program/interrupts.h"
#include "trainer/data/video_index.h"
#include "video/reader.h"

enum {
  INDEX_SIDE = 96,    /* pixels; that of the index does not matter */
  WORTH_A_SEEK = 300, /* frames to skip */
};

RvmClipFrames *
rvm_features_count_frames (const RvmLabelled *labelled, const char *cache_dir, GError **error)
{
  g_autofree RvmClipFrames *frames = g_new0 (RvmClipFrames, labelled->clips->len);

  for (guint i = 0; i < labelled->clips->len; i++) {
    const RvmLabelledClip *clip = g_ptr_array_index (labelled->clips, i);
    g_autoptr (RvmVideoIndex) index = NULL;
    guint end;

    if (clip->pictures) {
      frames[i].n = clip->pictures->len;
      continue;
    }
    if (rvm_interrupts_count ()) {
      rvm_error_set (error, RVM_ERROR_FILE, "stopped; nothing was written");
      return NULL;
    }
    index = rvm_video_index_new (clip->path, INDEX_SIDE, cache_dir, NULL, NULL, error);
    if (index == NULL)
      return NULL;
    end = index->n_frames;
    while (frames[i].first < index->n_frames && index->pts[frames[i].first] < clip->start * 1e9)
      frames[i].first++;
    while (clip->end > 0 && end > frames[i].first && index->pts[end - 1] >= clip->end * 1e9)
      end--;
    frames[i].n = end - frames[i].first;
    if (frames[i].n == 0) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: no frame is shown in that time; the video has %u, the last at %.6g s", clip->name,
                     index->n_frames, index->n_frames ? index->pts[index->n_frames - 1] / 1e9 : 0.0);
      return NULL;
    }
    if (index->n_frames > 1 && index->pts[index->n_frames - 1] > index->pts[0])
      frames[i].rate = 1e9 * (index->n_frames - 1) / (index->pts[index->n_frames - 1] - index->pts[0]);
  }
  return g_steal_pointer (&frames);
}

/* A reader whose next frame is number @first of the file. */
static RvmReader *
open_at (const RvmClipReading *reading, const RvmLabelledClip *clip, guint first, GError **error)
{
  g_autoptr (RvmReader) reader = rvm_reader_new_stretched (clip->path, RVM_READER_RGB, reading->width, reading->height, error);
  g_autoptr (RvmVideoIndex) index = NULL;
  g_autoptr (GError) reason = NULL;
  guint64 pts = 0;

  if (reader == NULL || first == 0)
    return g_steal_pointer (&reader);
  index = rvm_video_index_new (clip->path, INDEX_SIDE, reading->cache_dir, NULL, NULL, error);
  if (index == NULL)
    return NULL;
  if (first >= WORTH_A_SEEK && !rvm_reader_seek (reader, index->pts[first - 1], NULL)) {
    /* It cannot be entered in the middle: read from the beginning. */
    rvm_reader_free (reader);
    reader = rvm_reader_new_stretched (clip->path, RVM_READER_RGB, reading->width, reading->height, error);
    if (reader == NULL)
      return NULL;
  }
  do {
    if (!rvm_reader_next (reader, &pts, &reason)) {
      if (reason)
        g_propagate_error (error, g_steal_pointer (&reason));
      else
        rvm_error_set (error, RVM_ERROR_FORMAT, "%s: ends before its frame %u", clip->path, first);
      return NULL;
    }
  } while (pts < index->pts[first - 1]);
  return g_steal_pointer (&reader);
}

static gboolean
read_pictures (const RvmClipReading *reading, const RvmLabelledClip *clip, RvmClipFrameFunc func, gpointer user_data, GError **error)
{
  for (guint i = 0; i < clip->pictures->len && !rvm_interrupts_count (); i++) {
    g_autoptr (RvmReader) reader
        = rvm_reader_new_stretched (g_ptr_array_index (clip->pictures, i), RVM_READER_RGB, reading->width, reading->height, error);
    g_autoptr (GError) reason = NULL;
    const guint8 *pixels = reader ? rvm_reader_next (reader, NULL, &reason) : NULL;

    if (reader == NULL)
      return FALSE;
    if (pixels == NULL) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: expected a picture%s%s", (char *) g_ptr_array_index (clip->pictures, i), reason ? ": " : "",
                     reason ? reason->message : "");
      return FALSE;
    }
    if (!func (pixels, i, user_data, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
rvm_clip_read_frames (const RvmClipReading *reading, const RvmLabelledClip *clip, const RvmClipFrames *frames, RvmClipFrameFunc func,
                      gpointer user_data, GError **error)
{
  const guint lead = MIN (frames->first, reading->lead);
  g_autoptr (RvmReader) reader = NULL;
  g_autoptr (GError) reason = NULL;

  if (clip->pictures)
    return read_pictures (reading, clip, func, user_data, error);
  reader = open_at (reading, clip, frames->first - lead, error);
  if (reader == NULL)
    return FALSE;
  for (gint64 number = -(gint64) lead; number < (gint64) frames->n && !rvm_interrupts_count (); number++) {
    const guint8 *pixels = rvm_reader_next (reader, NULL, &reason);

    if (pixels == NULL) {
      if (reason)
        g_propagate_error (error, g_steal_pointer (&reason));
      else
        rvm_error_set (error, RVM_ERROR_FORMAT, "%s: ends after %" G_GINT64_FORMAT " frames, expected %u as when it was read before",
                       clip->name, number, frames->n);
      return FALSE;
    }
    if (!func (pixels, number, user_data, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
identify_file (const char *path, GString *text, GError **error)
{
  GStatBuf status;

  if (g_stat (path, &status) != 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: %s", path, g_strerror (errno));
    return FALSE;
  }
  g_string_append_printf (text, "%s|%" G_GINT64_FORMAT "|%" G_GINT64_FORMAT "|", path, (gint64) status.st_size, (gint64) status.st_mtime);
  return TRUE;
}

char *
rvm_clip_identify (const RvmLabelledClip *clip, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);

  if (!clip->pictures && !identify_file (clip->path, text, error))
    return NULL;
  for (guint i = 0; clip->pictures && i < clip->pictures->len; i++)
    if (!identify_file (g_ptr_array_index (clip->pictures, i), text, error))
      return NULL;
  return g_strdup (text->str);
}
