/* The properties of rvmencode that a user sets, and where they are kept, under the object lock of the element. */
#pragma once

#include "settings.h"

G_BEGIN_DECLS

typedef struct
{
  gchar *model_file, *device, *cache_dir, *state_file;
  gchar *device_name;           /* read-only: of the device in use */
  gint gemm;                    /* RvmGemmProvider */
  gint precision;               /* RvmElement */
  guint size, width, height, interval, warm_up;
  gint video_direction;         /* GstVideoOrientationMethod */
  guint output;                 /* GstRvmFeatureParts */
  guint reset_on;               /* GstRvmResetOn */
  guint64 snapshot_interval;    /* nanoseconds */
  guint snapshot_count;
  guint64 gap_threshold;        /* nanoseconds */
  gdouble scene_threshold;
  gint on_model_change;         /* GstRvmModelChange */
  gboolean watch_model;
  guint messages;               /* GstRvmMessages */
  guint health_interval;        /* analysed frames */
  gboolean qos;
  gint reuse;                   /* GstRvmReuse */
  gdouble reuse_threshold;      /* levels */
  guint reuse_longest;          /* frames */
} GstRvmEncodeSettings;

/* Installs a property for each field, with ids from @first_id. */
void gst_rvm_encode_settings_install (GObjectClass * klass, guint first_id);

G_END_DECLS
