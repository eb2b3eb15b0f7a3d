/* Which features and which tracks an element reads where a buffer has passed several rvmencode or rvmtrack: those of the element that its
 * property names, else those of the nearest one upstream. That others are left is said in a warning, once from start to stop. */
#pragma once

#include "meta/gstrvmtrackmeta.h"

G_BEGIN_DECLS

/* What has been said since the start, a flag for each; 0 at the start. */
typedef struct
{
  guint told;
} RvmChoice;

/* (nullable) The features on @buffer that @element reads. @encoder: its property of that name, or NULL. @tell: the element uses them, so that
 * warnings are due; they are posted here, so no lock is held. */
const GstRvmFeatureMeta *rvm_choice_get_features (RvmChoice * choice,
    GstElement * element, GstBuffer * buffer, const gchar * encoder,
    gboolean tell);

/* (nullable) The tracks: those of the rvmtrack that the property @tracker names, else those followed with the features of @encoder. */
const GstRvmTrackMeta *rvm_choice_get_tracks (RvmChoice * choice,
    GstElement * element, GstBuffer * buffer, const gchar * encoder,
    const gchar * tracker, gboolean tell);

/* Whether a property names an element of which nothing came, which has been said. */
gboolean rvm_choice_is_missing (const RvmChoice * choice);

G_END_DECLS
