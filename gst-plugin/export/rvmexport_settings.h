/* The properties of rvmexport that a user sets, and where they are kept. */
#pragma once

#include "settings.h"

G_BEGIN_DECLS

typedef struct
{
  gchar *lines, *features, *class_tokens, *tracks, *masks, *events, *maps;
  gchar *encoder, *tracker, *readout;   /* whose features, tracks and maps are written */
  guint64 frames;               /* written, which is what the read-only property says */
} GstRvmExportSettings;

/* Installs a property for each field, with ids from @first_id. */
void gst_rvm_export_settings_install (GObjectClass * klass, guint first_id);

G_END_DECLS
