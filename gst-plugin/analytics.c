/* Object detections are whole pixels, cut at the picture's border like regions of interest. */
#include "analytics.h"

#include <gst/analytics/analytics.h>
#include <gst/video/video.h>

#include "video/orientation.h"

static gboolean
is_tracked (GstAnalyticsRelationMeta * meta, guint id)
{
  GstAnalyticsTrackingMtd tracking;
  gpointer state = NULL;

  return gst_analytics_relation_meta_get_direct_related (meta, id, GST_ANALYTICS_REL_TYPE_ANY,
      gst_analytics_tracking_mtd_get_mtd_type (), &state, &tracking);
}

void
rvm_analytics_get_detections (GstBuffer * buffer, GArray * boxes)
{
  GstAnalyticsRelationMeta *meta = gst_buffer_get_analytics_relation_meta (buffer);
  GstAnalyticsODMtd detection;
  gpointer state = NULL;

  if (meta == NULL)
    return;
  while (gst_analytics_relation_meta_iterate (meta, &state, gst_analytics_od_mtd_get_mtd_type (), &detection)) {
    gint x, y, width, height;
    gfloat confidence;

    if (!is_tracked (meta, detection.id)
        && gst_analytics_od_mtd_get_location (&detection, &x, &y, &width, &height, &confidence))
      g_array_append_val (boxes, ((GstRvmTrack) {
              .kind = GST_RVM_TRACK_BOX,.x = x,.y = y,.width = width,.height = height,.label =
              gst_analytics_od_mtd_get_obj_type (&detection)}));
  }
}

/* The object detection of @track; FALSE if it could not be added. */
static gboolean
add_detection (GstAnalyticsRelationMeta * meta, const GstRvmTrack * track, const RvmView * view, GstAnalyticsODMtd * detection)
{
  const GstVideoRectangle box = rvm_view_get_stored_box (view, track->x, track->y, track->width, track->height);
  const GQuark type = track->label ? track->label : g_quark_from_static_string ("rvm-track");

  return gst_analytics_relation_meta_add_od_mtd (meta, type, box.x, box.y, box.w, box.h, CLAMP (track->confidence, 0, 1), detection);
}

/* Detection and tracking entry of each box and mask; @detections: their ids, of those that are visible. */
static void
add_boxes (GstAnalyticsRelationMeta * meta, const GstRvmTrackMeta * tracks, const RvmView * view, GHashTable * detections)
{
  for (guint i = 0; i < tracks->n_tracks; i++) {
    const GstRvmTrack *track = &tracks->tracks[i];
    GstAnalyticsTrackingMtd tracking;
    GstAnalyticsODMtd detection;

    if (track->kind == GST_RVM_TRACK_POINT
        || !gst_analytics_relation_meta_add_tracking_mtd (meta, track->id, track->first_seen, &tracking))
      continue;
    gst_analytics_tracking_mtd_update_last_seen (&tracking, track->last_seen);
    if (!track->visible) {
      gst_analytics_tracking_mtd_set_lost (&tracking);
      continue;
    }
    if (!add_detection (meta, track, view, &detection))
      continue;
    gst_analytics_relation_meta_set_relation (meta, GST_ANALYTICS_REL_TYPE_RELATE_TO, detection.id, tracking.id);
    gst_analytics_relation_meta_set_relation (meta, GST_ANALYTICS_REL_TYPE_RELATE_TO, tracking.id, detection.id);
    g_hash_table_insert (detections, GUINT_TO_POINTER (track->id), GUINT_TO_POINTER (detection.id + 1));
  }
}

#ifdef RVM_HAVE_TENSORS

/* (transfer full) (nullable): the masks as the stored picture lies. */
static GstBuffer *
make_stored_mask (const GstRvmTrackMeta * tracks, const RvmView * view)
{
  g_autoptr (GBytes) upright = NULL;
  guint width, height, across, along;
  guint8 *pixels;
  GstBuffer *mask;

  if (view->orientation == GST_VIDEO_ORIENTATION_IDENTITY)
    return gst_buffer_ref (tracks->mask);
  upright = gst_rvm_track_meta_get_mask (tracks, &width, &height);
  if (upright == NULL)
    return NULL;
  across = rvm_orientation_swaps (view->orientation) ? height : width;
  along = rvm_orientation_swaps (view->orientation) ? width : height;
  pixels = g_malloc ((gsize) width * height);
  rvm_orientation_turn_pixels (rvm_orientation_invert (view->orientation), g_bytes_get_data (upright, NULL), width, width, height, 1,
      pixels, across);
  mask = gst_buffer_new_wrapped (pixels, (gsize) width * height);
  gst_buffer_add_video_meta_full (mask, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8, across, along, 1,
      (gsize[GST_VIDEO_MAX_PLANES]) {0}, (gint[GST_VIDEO_MAX_PLANES]) {across});
  return mask;
}

/* Region 0 is the background, region 1 + i the i-th mask track; a region's id is its value in the picture. */
static void
add_segmentation (GstAnalyticsRelationMeta * meta, const GstRvmTrackMeta * tracks, const RvmView * view, GHashTable * detections)
{
  const GstVideoRectangle *shown = &view->visible;
  GstBuffer *mask = make_stored_mask (tracks, view);
  g_autoptr (GArray) regions = g_array_new (FALSE, TRUE, sizeof (guint));
  GstAnalyticsSegmentationMtd segmentation;

  g_array_set_size (regions, 1);
  for (guint i = 0; i < tracks->n_tracks; i++)
    if (tracks->tracks[i].kind == GST_RVM_TRACK_MASK)
      g_array_append_val (regions, tracks->tracks[i].mask_value);
  if (mask == NULL || !gst_analytics_relation_meta_add_segmentation_mtd (meta, mask, GST_SEGMENTATION_TYPE_INSTANCE,
          regions->len, (guint *) regions->data, shown->x, shown->y, shown->w, shown->h, &segmentation))
    return;
  for (guint i = 0; i < tracks->n_tracks; i++) {
    const guint detection = GPOINTER_TO_UINT (g_hash_table_lookup (detections, GUINT_TO_POINTER (tracks->tracks[i].id)));

    if (tracks->tracks[i].kind != GST_RVM_TRACK_MASK || detection == 0)
      continue;
    gst_analytics_relation_meta_set_relation (meta, GST_ANALYTICS_REL_TYPE_CONTAIN, segmentation.id, detection - 1);
    gst_analytics_relation_meta_set_relation (meta, GST_ANALYTICS_REL_TYPE_IS_PART_OF, detection - 1, segmentation.id);
  }
}

#define TOKEN_ID "rvm-class-token"
#define PATCHES_ID "rvm-patches"

static gboolean
is_ours (const GstTensor * tensor)
{
  return tensor->id == g_quark_from_static_string (TOKEN_ID) || tensor->id == g_quark_from_static_string (PATCHES_ID);
}

static GstTensor *
make_tensor (const gchar * id, GBytes * values, gsize n_dims, const gsize * dims)
{
  GstBuffer *data = gst_buffer_new_wrapped_bytes (values);

  return gst_tensor_new_simple (g_quark_from_string (id), GST_TENSOR_DATA_TYPE_FLOAT32, data,
      GST_TENSOR_DIM_ORDER_ROW_MAJOR, n_dims, (gsize *) dims);
}

void
rvm_analytics_add_features (GstBuffer * buffer, const GstRvmFeatureMeta * features)
{
  g_autoptr (GBytes) token = gst_rvm_feature_meta_get_class_token (features);
  g_autoptr (GBytes) patches = gst_rvm_feature_meta_get_patches (features);
  GstTensorMeta *meta = gst_buffer_get_tensor_meta (buffer);
  GstTensor **tensors;
  gsize n = 0, old = 0;

  /* Applications look into the first such meta, so there is one, as in 1.26 (1.28 would add another); what others put there stays. Who looks
   * for an id gets the first tensor that has it, which has to be that of the nearest rvmencode: ours go before those of another one. */
  if (meta == NULL)
    meta = gst_buffer_add_tensor_meta (buffer);
  tensors = g_new (GstTensor *, meta->num_tensors + 2);
  for (; old < meta->num_tensors && !is_ours (meta->tensors[old]); old++)
    tensors[n++] = gst_tensor_copy (meta->tensors[old]);
  if (token)
    tensors[n++] = make_tensor (TOKEN_ID, token, 2, (const gsize[]) {1, features->dim});
  if (patches)
    tensors[n++] = make_tensor (PATCHES_ID, patches, 4, (const gsize[]) {1, features->rows, features->columns,
            features->dim});
  for (; old < meta->num_tensors; old++)
    tensors[n++] = gst_tensor_copy (meta->tensors[old]);
  gst_tensor_meta_set (meta, n, tensors);
}

#define CLASSES_ID "classification-generic-out"

static void
add_logits (GstBuffer * buffer, const GstRvmReadoutMeta * readout)
{
  GstTensorMeta *meta = gst_buffer_get_tensor_meta (buffer);
  GstTensor **tensors;
  gsize n = 0;

  if (readout->logits == NULL)
    return;
  if (meta == NULL)
    meta = gst_buffer_add_tensor_meta (buffer);
  /* That of the nearest rvmreadout comes first. */
  tensors = g_new (GstTensor *, meta->num_tensors + 1);
  tensors[n++] = make_tensor (CLASSES_ID, readout->logits, 2, (const gsize[]) {1, readout->channels});
  for (gsize i = 0; i < meta->num_tensors; i++)
    tensors[n++] = gst_tensor_copy (meta->tensors[i]);
  gst_tensor_meta_set (meta, n, tensors);
}

#else

static void
add_logits (GstBuffer * buffer, const GstRvmReadoutMeta * readout)
{
}

static void
add_segmentation (GstAnalyticsRelationMeta * meta, const GstRvmTrackMeta * tracks, const RvmView * view, GHashTable * detections)
{
}

void
rvm_analytics_add_features (GstBuffer * buffer, const GstRvmFeatureMeta * features)
{
}

#endif

void
rvm_analytics_add_tracks (GstBuffer * buffer, const GstRvmTrackMeta * tracks, const RvmView * view)
{
  g_autoptr (GHashTable) detections = g_hash_table_new (NULL, NULL);
  GstAnalyticsRelationMeta *meta;

  if (tracks->n_tracks == 0)
    return;
  meta = gst_buffer_get_analytics_relation_meta (buffer);
  if (meta == NULL)
    meta = gst_buffer_add_analytics_relation_meta (buffer);
  add_boxes (meta, tracks, view, detections);
  if (tracks->mask)
    add_segmentation (meta, tracks, view, detections);
}

void
rvm_analytics_add_readout (GstBuffer * buffer, const GstRvmReadoutMeta * readout)
{
  GstAnalyticsRelationMeta *meta = gst_buffer_get_analytics_relation_meta (buffer);
  g_autofree GQuark *names = NULL;
  GstAnalyticsClsMtd entry;

  if (readout == NULL || readout->kind != GST_RVM_READOUT_CLASS || readout->classes == NULL)
    return;
  if (meta == NULL)
    meta = gst_buffer_add_analytics_relation_meta (buffer);
  names = g_new (GQuark, readout->channels);
  for (guint i = 0; i < readout->channels; i++)
    names[i] = g_quark_from_string (readout->classes[i]);
  if (!gst_analytics_relation_meta_add_cls_mtd (meta, readout->channels, (gfloat *) g_bytes_get_data (readout->values, NULL), names, &entry))
    GST_WARNING ("no room for a classification of %u classes", readout->channels);
  add_logits (buffer, readout);
}

#ifdef RVM_HAVE_TENSOR_CAPS

/* video/x-raw, tensors = tensorgroups { ID = [ tensor/strided, tensor-id=ID, dims=<1, classes>, ... ] } */
void
rvm_analytics_add_tensor_caps (GstCaps * caps, guint classes)
{
  GstCaps *tensor = gst_caps_new_simple ("tensor/strided", "tensor-id", G_TYPE_STRING, CLASSES_ID, "dims-order", G_TYPE_STRING, "row-major",
      "type", G_TYPE_STRING, "float32", NULL);
  g_auto (GValue) dims = G_VALUE_INIT, list = G_VALUE_INIT, item = G_VALUE_INIT;

  gst_value_array_init (&dims, 2);
  for (guint i = 0; i < 2; i++) {
    g_auto (GValue) size = G_VALUE_INIT;

    g_value_init (&size, G_TYPE_INT);
    g_value_set_int (&size, i == 0 ? 1 : classes);
    gst_value_array_append_value (&dims, &size);
  }
  gst_caps_set_value (tensor, "dims", &dims);
  g_value_init (&item, GST_TYPE_CAPS);
  gst_value_set_caps (&item, tensor);
  gst_caps_unref (tensor);
  g_value_init (&list, GST_TYPE_UNIQUE_LIST);
  gst_value_unique_list_append_value (&list, &item);
  for (guint i = 0; i < gst_caps_get_size (caps); i++) {
    GstStructure *structure = gst_caps_get_structure (caps, i);
    g_autoptr (GstStructure) groups = NULL;

    if (!gst_structure_get (structure, "tensors", GST_TYPE_STRUCTURE, &groups, NULL))
      groups = gst_structure_new_empty ("tensorgroups");
    gst_structure_set_value (groups, CLASSES_ID, &list);
    gst_structure_set (structure, "tensors", GST_TYPE_STRUCTURE, groups, NULL);
  }
}

void
rvm_analytics_remove_tensor_caps (GstCaps * caps)
{
  for (guint i = 0; i < gst_caps_get_size (caps); i++)
    gst_structure_remove_field (gst_caps_get_structure (caps, i), "tensors");
}

#else

void
rvm_analytics_add_tensor_caps (GstCaps * caps, guint classes)
{
}

void
rvm_analytics_remove_tensor_caps (GstCaps * caps)
{
}

#endif
