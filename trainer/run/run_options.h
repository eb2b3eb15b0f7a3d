/* RvmRunOptions: what the command line says of a run: its folder, device and material, and the step to continue from. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define RVM_RUN_LATEST ((gint64) -1)

typedef struct {
  const char *folder;
  const char *device, *cache_dir; /* NULL: as rvm_model_load() */
  GStrv data, photos, sprites;    /* (nullable) files, folders and lists; when a run is continued, they replace its own list */
  gint64 from;                    /* continue from the checkpoint of this step, or RVM_RUN_LATEST */
  guint64 stop_at;                /* 0, or a step after which to stop, as if interrupted */
} RvmRunOptions;

G_END_DECLS
