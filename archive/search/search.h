/* RvmSearch: scores all moments of an archive against a query, by what they are described by. */
#pragma once

#include "query.h"
#include "table.h"

G_BEGIN_DECLS

typedef enum { RVM_BY_FEATURES, RVM_BY_COLOURS, RVM_BY_BOTH } RvmSearchBy;

typedef struct {
  RvmTable *table;
  float *scores;  /* of each row; NaN: it has no features to compare */
  guint32 *best;  /* with a region: the patch of each row that is most like it; else NULL */
  double seconds; /* that it took */
} RvmSearch;

/* @kind: RVM_VECTOR_CLASS or RVM_VECTOR_MEAN, of the features of whole pictures. RVM_ERROR_ARGUMENT if the archive lacks what the search is by. */
RvmSearch *rvm_search_run (RvmDatabase *database, const char *folder, const RvmQuery *query, RvmSearchBy by, RvmVectorOf kind, GError **error);
void rvm_search_free (RvmSearch *search);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmSearch, rvm_search_free)

G_END_DECLS
