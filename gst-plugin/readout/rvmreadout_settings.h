/* The properties of rvmreadout that a user sets, and where they are kept. */
#pragma once

#include "kernels/tensor.h"
#include "settings.h"

G_BEGIN_DECLS

typedef struct
{
  gchar *file, *device, *cache_dir, *encoder;
  RvmElement precision;
  gboolean force_model;
  gboolean events;
  gdouble event_on, event_off;  /* below 0: by kind */
  guint64 half_life, least;
  gchar *background;
} GstRvmReadoutSettings;

/* Installs a property for each field, with ids from @first_id. */
void gst_rvm_readout_settings_install (GObjectClass * klass, guint first_id);

G_END_DECLS
