/* RvmQuery: what is searched for: a moment of a video, a region of it, or a picture. A moment that the archive has is taken from there; any other is
 * analysed as the archive's own were. */
#pragma once

#include "archive/database/database.h"
#include "model/model.h"
#include "regions.h"

G_BEGIN_DECLS

typedef struct {
  char *path;  /* absolute */
  gint64 time; /* of the moment that was found, nanoseconds */
  gboolean known; /* the archive has it */
  float *vectors[RVM_VECTOR_KINDS]; /* NULL where the archive keeps none, and of times */
  float *region;  /* mean of the patches of the region, each as much as it is covered; NULL without one */
  double share;   /* of the picture that the region covers, 0..1 */
} RvmQuery;

/* @what: VIDEO@SECONDS, or a picture. @model: called when one is needed, (transfer none); its settings must be the archive's. */
typedef RvmModel *(*RvmQueryModel) (gpointer user_data, GError **error);
RvmQuery *rvm_query_new (RvmDatabase *database, const char *folder, const char *what, const RvmRegion *region, RvmQueryModel model, gpointer user_data,
    GError **error);
void rvm_query_free (RvmQuery *query);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmQuery, rvm_query_free)

G_END_DECLS
