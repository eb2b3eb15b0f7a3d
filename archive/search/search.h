/* RvmSearch: scores all moments of an archive against a query, by what they are described by. */
#pragma once

#include "query.h"
#include "table.h"

G_BEGIN_DECLS

typedef enum { RVM_BY_FEATURES, RVM_BY_COLOURS, RVM_BY_BOTH } RvmSearchBy;

/* Exact: every moment is compared. FAISS: those that are likely to be near, with a file beside the archive (approximate.h). Auto: FAISS if that file is
 * there and up to date, and comparing every moment would take more than about a second. */
typedef enum { RVM_METHOD_AUTO, RVM_METHOD_EXACT, RVM_METHOD_FAISS, RVM_METHODS } RvmSearchMethod;

extern const char *const rvm_search_methods[RVM_METHODS];

typedef struct {
  RvmSearchBy by;
  RvmVectorOf kind; /* RVM_VECTOR_CLASS or RVM_VECTOR_MEAN: of the features of whole pictures */
  RvmSearchMethod method;
  void (*tell) (const char *text, gpointer user_data); /* (nullable): what a user should know */
  gpointer user_data;
} RvmSearchOptions;

typedef struct {
  RvmTable *table;
  RvmSearchMethod method; /* that answered: never auto */
  gsize compared; /* moments */
  float *scores;  /* of each row; NaN: it has no features, or was not compared */
  guint32 *best;  /* with a region: the patch of each row that is most like it; else NULL */
  double seconds; /* that it took */
} RvmSearch;

/* Of the method FAISS, the file is made first if there is none that is whole and up to date, which can take minutes; it is not for regions, nor for both
 * features and colours. RVM_ERROR_ARGUMENT if the archive or the program lacks what the search is by. */
RvmSearch *rvm_search_run (RvmDatabase *database, const char *folder, const RvmQuery *query, const RvmSearchOptions *options, GError **error);
void rvm_search_free (RvmSearch *search);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmSearch, rvm_search_free)

G_END_DECLS
