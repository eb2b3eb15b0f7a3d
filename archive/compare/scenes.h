/* Where the videos of an archive are cut: scenes, between which the colours of the picture change at once. */
#pragma once

#include "archive/search/table.h"

G_BEGIN_DECLS

typedef struct {
  const RvmRecord *record;
  guint number;       /* in its video, from 1 */
  gint64 start, end;  /* nanoseconds; start: of its first moment, end: that of the next scene, or of the video */
  gsize first, count; /* rows of the table */
  float change;       /* of colours at its start, 0 to 1; 0 for the first of a video */
} RvmScene;

typedef struct {
  double cut;    /* change of colours from one moment to the next, 0 to 1, that ends a scene, ... */
  double stands; /* ... if it is so many times that of the moments around it */
  gint64 least;  /* nanoseconds: no scene is shorter than that, but that of a video which is shorter itself */
} RvmSceneOptions;

extern const RvmSceneOptions rvm_scene_defaults;

/* (element-type RvmScene): of the videos that are marked, in the order of the table, which has colours. @marked (nullable): of each span; NULL: all. */
GArray *rvm_scenes_find (const RvmTable *table, const gboolean *marked, const RvmSceneOptions *options);

G_END_DECLS
