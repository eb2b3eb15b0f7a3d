/* The inside of rvmencode, for its files: rvmencode.c (the element),
 * rvmencode_model.c (weights at start and while playing),
 * rvmencode_state.c (resets, saved and restored states), rvmencode_events.c
 * (events and queries), rvmencode_stats.c (counters, statistics),
 * rvmencode_messages.c (what is posted on the bus).
 *
 * Who owns what: the session belongs to the streaming thread. Properties,
 * counters and requests are under the object lock, which is never held while
 * pushing, posting or running the model. */
#pragma once

#include <gst/base/gstbasetransform.h>
#include <gst/video/video.h>

#include "encode_session.h"
#include "rvmencode.h"
#include "rvmencode_settings.h"
#include "rvmencode_types.h"
#include "snapshots.h"
#include "video/orientation_tags.h"

G_BEGIN_DECLS

GST_DEBUG_CATEGORY_EXTERN (rvm_encode_debug);
/* The parent's class, for chaining up. */
extern GstBaseTransformClass *gst_rvm_encode_base;

#define RVM_ENCODE_RECENT 32

/* What `stats` shows. */
typedef struct
{
  guint64 frames, skipped, carried, dropped, still, updates;
  guint64 generation, resets, restores;
  guint64 total_us, max_us;
  guint64 recent_us[RVM_ENCODE_RECENT]; /* of the last frames, a ring */
  guint64 latency_us;           /* as answered in LATENCY queries */
  guint snapshots;
  guint64 snapshot_bytes, stream_bytes;
  RvmStreamHealth health;
  gdouble similarity;           /* NaN if scenes are not watched */
} RvmEncodeCounters;

/* Reasons of a reset besides those of GstRvmResetOn. */
enum
{
  RVM_RESET_SIGNAL = 1 << 16,
  RVM_RESET_EVENT = 1 << 17,
  RVM_RESET_LOAD = 1 << 18,     /* a state took its place */
  RVM_RESET_MODEL = 1 << 19,    /* other weights */
};

/* Weights that are ready for use, with a stream that has run once, so that the change costs the video no time. */
typedef struct
{
  RvmModel *model;
  RvmStream *stream;            /* or NULL */
  gchar *file;
} RvmEncodeNextModel;

/* Tells a file from the one that takes its place. */
typedef struct
{
  guint64 inode, size;
  gint64 seconds, nanoseconds;
} RvmModelFile;

struct _GstRvmEncode
{
  GstBaseTransform parent;

  /* object lock */
  GstRvmEncodeSettings settings;
  RvmEncodeCounters counters;
  GstClockTime earliest;        /* running time before which frames are late */
  GstClockTime late_since;      /* that of the first of the frames left out */
  RvmModel *model;              /* in use, NULL while stopped */
  guint width, height;          /* of the analysed pictures, 0 before the first */
  GThread *loader;              /* of other weights; or NULL */
  GCond loader_wake;            /* one of the next three, or watch-model */
  gboolean loader_stop;
  guint model_wanted, model_done;       /* settings of model-file, and how many
                                         * of them start saw */
  RvmEncodeNextModel *next_model;       /* ready to take over; or NULL */
  RvmState *state;              /* after the last analysed frame, or NULL */
  guint reset_reasons;          /* of the reset to come, 0: none */
  GArray *resets_at;            /* times of frames that a reset was asked for at */
  RvmState *load;               /* to go on from, after that reset; or NULL */
  gchar *load_name;             /* of its file */
  gboolean load_is_warm_start;  /* asked for by state-file */

  /* set by start, read by the loader */
  RvmModelOptions options;      /* strings are owned */
  RvmModelFile model_file;      /* as it was when it was loaded, then the loader's */

  /* streaming thread */
  RvmEncodeSession *session;
  RvmSnapshots *snapshots;
  GstVideoInfo info;
  gboolean have_info;
  RvmOrientationTags tags;
  guint reasons;                /* of the last reset that was done */
  GstClockTime frame_end;       /* of the last buffer, or NONE */
  GstClockTime gaps;            /* sum of GAP events since then */
  guint until_health;           /* analysed frames to the next message */
  guint until_update;           /* frames still to skip */
  gchar *stream_id;             /* of which the snapshots are */
};

/* The element error or warning that fits a library error; the message is the
 * library's. */
void gst_rvm_encode_post (GstRvmEncode * self, GstMessageType type,
    const GError * error, const gchar * when);

/* rvmencode_state.c */

/* Resets the state with the next frame. @reason: one of GstRvmResetOn or RVM_RESET_*. */
void gst_rvm_encode_request_reset (GstRvmEncode * self, guint reason);
/* The same with the first frame at @pts or later, or with the next one if @pts is NONE. */
void gst_rvm_encode_request_reset_at (GstRvmEncode * self, GstClockTime pts);
/* The same, if the property reset-on has it. */
void gst_rvm_encode_maybe_reset (GstRvmEncode * self, GstRvmResetOn reason);
/* Reads state-file, if set, for the first frame; an error is posted. */
gboolean gst_rvm_encode_prepare_warm_start (GstRvmEncode * self,
    RvmModel * model);
/* Executes pending requests before @buffer is analysed; an error is posted. */
gboolean gst_rvm_encode_apply_requests (GstRvmEncode * self,
    GstBuffer * buffer);
/* After a frame was analysed: the state for save-state and the snapshots. */
void gst_rvm_encode_publish_state (GstRvmEncode * self);
/* After a flush: forgets resets that wait for a frame. */
void gst_rvm_encode_forget_resets_at (GstRvmEncode * self);
void gst_rvm_encode_forget_requests (GstRvmEncode * self);
/* Handlers of the action signals. */
void gst_rvm_encode_reset_state (GstRvmEncode * self);
gboolean gst_rvm_encode_save_state (GstRvmEncode * self, const gchar * path);
gboolean gst_rvm_encode_load_state (GstRvmEncode * self, const gchar * path);

/* rvmencode_model.c */

/* Loads the model that the properties name; an error is posted. */
RvmModel *gst_rvm_encode_load_model (GstRvmEncode * self);
/* Called with the object lock, when model-file or watch-model was set, or when the element starts: if the element runs, a thread loads the file. */
void gst_rvm_encode_wake_loader (GstRvmEncode * self);
void gst_rvm_encode_stop_loader (GstRvmEncode * self);
/* Called between frames: uses other weights if they are ready. */
void gst_rvm_encode_adopt_model (GstRvmEncode * self);

/* rvmencode_events.c */
gboolean gst_rvm_encode_send_event (GstElement * element, GstEvent * event);
/* What the times of @buffer say about resets. */
void gst_rvm_encode_note_times (GstRvmEncode * self, GstBuffer * buffer);
gboolean gst_rvm_encode_sink_event (GstBaseTransform * base, GstEvent * event);
gboolean gst_rvm_encode_src_event (GstBaseTransform * base, GstEvent * event);
gboolean gst_rvm_encode_query (GstBaseTransform * base,
    GstPadDirection direction, GstQuery * query);
/* Whether the frame is too late to be shown downstream. */
gboolean gst_rvm_encode_is_late (GstRvmEncode * self, GstBuffer * buffer);

/* rvmencode_stats.c */
GstStructure *gst_rvm_encode_get_stats (GstRvmEncode * self);
/* Counts a frame that was analysed in @microseconds. Returns whether the latency changed, of which the pipeline must be informed. */
gboolean gst_rvm_encode_count_update (GstRvmEncode * self,
    const GstRvmFeatureMeta * origin, const RvmEncodeResult * result,
    guint64 microseconds);

/* rvmencode_messages.c */

/* Whether this frame's message will need its gates. */
gboolean gst_rvm_encode_wants_health (GstRvmEncode * self);
/* Posts the requested messages after a frame was analysed. */
void gst_rvm_encode_post_messages (GstRvmEncode * self, GstBuffer * buffer,
    const RvmEncodeResult * result);
/* A frame was late and not analysed. */
void gst_rvm_encode_post_qos (GstRvmEncode * self, GstBuffer * buffer);
/* Other weights are in use. */
void gst_rvm_encode_post_model (GstRvmEncode * self, const gchar * file,
    gboolean kept);
/* The state has become NaN or infinite, which ends the stream. */
void gst_rvm_encode_post_not_finite (GstRvmEncode * self, GstBuffer * buffer);

G_END_DECLS
