/* The fields of the metas, each once: tables that have the name of a field in rvmexport's files, its kind, and its offset in the meta and in the
 * reference-counted copy. Initialisation, copying, serialisation and rvmexport use these tables, so adding a field takes a member of both
 * structures and a row in gstrvmfields.c. Not installed; exported for the plugin. */
#pragma once

#include "gstrvmfeatures.h"
#include "gstrvmreadout.h"
#include "gstrvmtracks.h"

G_BEGIN_DECLS

typedef enum
{
  GST_RVM_FIELD_UINT,           /* guint */
  GST_RVM_FIELD_SIZE,           /* two consecutive guint: width, height */
  GST_RVM_FIELD_RATIO,          /* two consecutive guint, at least 1 */
  GST_RVM_FIELD_ORIENTATION,    /* guint, one of the eight of GstVideoOrientationMethod */
  GST_RVM_FIELD_FLAG,           /* gboolean */
  GST_RVM_FIELD_COUNT,          /* guint64 */
  GST_RVM_FIELD_TIME,           /* GstClockTime */
  GST_RVM_FIELD_ID,             /* guint64 that identifies something, 0: unknown */
  GST_RVM_FIELD_TEXT,           /* gchar *, owned, may be NULL */
  GST_RVM_FIELD_REAL,           /* gdouble */
} GstRvmFieldKind;

/* The two structures that have the fields. */
typedef enum
{
  GST_RVM_IN_META,
  GST_RVM_IN_COPY,
} GstRvmOwner;

typedef struct
{
  const gchar *name;            /* key of JSON lines */
  GstRvmFieldKind kind;
  gboolean in_lines;            /* whether it has a key there */
  gsize offsets[2];             /* by GstRvmOwner */
} GstRvmField;

typedef struct
{
  const gchar *what;            /* for messages */
  const GstRvmField *list;      /* in the order of bytes and of JSON lines */
  guint n;
} GstRvmFields;

GST_RVM_API const GstRvmFields gst_rvm_feature_fields;   /* of GstRvmFeatureMeta, GstRvmFeatures */
GST_RVM_API const GstRvmFields gst_rvm_track_fields;     /* of GstRvmTrackMeta, GstRvmTracks */
GST_RVM_API const GstRvmFields gst_rvm_readout_fields;   /* of GstRvmReadoutMeta, GstRvmReadout */

/* Makes all fields unknown: NONE for times, 1/1 for ratios, 0 for the rest. */
GST_RVM_API void gst_rvm_fields_init (const GstRvmFields * fields,
    GstRvmOwner owner, gpointer structure);
/* Frees the texts. */
GST_RVM_API void gst_rvm_fields_clear (const GstRvmFields * fields,
    GstRvmOwner owner, gpointer structure);
/* @to must be initialised. */
GST_RVM_API void gst_rvm_fields_copy (const GstRvmFields * fields,
    GstRvmOwner from_owner, gconstpointer from, GstRvmOwner to_owner,
    gpointer to);

G_END_DECLS
