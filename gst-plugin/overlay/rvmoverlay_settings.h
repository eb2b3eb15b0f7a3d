/* The properties of rvmoverlay that a user sets, and where they are kept. */
#pragma once

#include "overlay_picture.h"
#include "settings.h"

G_BEGIN_DECLS

typedef struct
{
  RvmOverlaySettings picture;
  gchar *basis_file;
  guint fit_frames;
  gchar *encoder, *tracker;     /* names of elements, nullable */
} GstRvmOverlaySettings;

GType gst_rvm_overlay_mode_get_type (void);

/* Installs a property for each field, with ids from @first_id. */
void gst_rvm_overlay_settings_install (GObjectClass * klass, guint first_id);

G_END_DECLS
