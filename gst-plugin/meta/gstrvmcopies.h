/* Functions for the metas' reference-counted copies that the library's files share. Private to the library. */
#pragma once

#include "gstrvmfeatures.h"
#include "gstrvmreadout.h"
#include "gstrvmtracks.h"

G_BEGIN_DECLS

/* With one reference, all fields unknown, and no values, tracks or mask. */
GstRvmFeatures *gst_rvm_features_new (void);
GstRvmTracks *gst_rvm_tracks_new (void);
GstRvmReadout *gst_rvm_readout_new (void);

/* Whether the values of such features have @size bytes. */
gboolean gst_rvm_features_fit (guint parts, guint rows, guint columns, guint dim, gsize size);

/* The same for a readout. */
gboolean gst_rvm_readout_fits (guint kind, guint rows, guint columns, guint channels, gsize size);

/* (transfer full) (nullable): parts of the values @data, which may be NULL. */
GBytes *gst_rvm_values_get_class_token (GBytes * data, guint parts, guint dim);
GBytes *gst_rvm_values_get_patches (GBytes * data, guint parts, guint rows, guint columns, guint dim);

/* (transfer full) (nullable): the pixels of @mask (nullable), without padding. */
GBytes *gst_rvm_mask_get_pixels (GstBuffer * mask, guint * width, guint * height);

/* The last meta of @api that was added to @buffer and that @matches (nullable) accepts. */
GstMeta *gst_rvm_buffer_find_meta (GstBuffer * buffer, GType api,
    gboolean (*matches) (const GstMeta * meta, gconstpointer names), gconstpointer names);

G_END_DECLS
