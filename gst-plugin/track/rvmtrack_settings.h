/* The properties of rvmtrack that a user sets, and where they are kept. */
#pragma once

#include "settings.h"
#include "track_inputs.h"

G_BEGIN_DECLS

typedef struct
{
  gchar *device, *cache_dir, *encoder, *points, *boxes, *mask_file;
  guint context, radius, top, max_tracks;
  gdouble temperature, colours, place, refine, lost_threshold, found_threshold;
  gboolean standardise;
  gint regions;                 /* GstRvmTrackRegions */
} GstRvmTrackSettings;

/* Installs a property for each field, with ids from @first_id. */
void gst_rvm_track_settings_install (GObjectClass * klass, guint first_id);
G_END_DECLS
