/* RvmApproximate: the vectors of one kind of an archive in lists of FAISS, in a file beside the archive, from which a search reads a few of them. It
 * belongs to the archive as it was when the file was made: files that have come since are compared one by one, and those that have gone are left out. */
#pragma once

#include "nearest.h"
#include "table.h"

G_BEGIN_DECLS

typedef struct _RvmApproximate RvmApproximate;

/* Reads all vectors of @kind, which are in memory meanwhile, and writes the file of @folder in place of an earlier one. @kind: not RVM_VECTOR_TIMES.
 * RVM_ERROR_ARGUMENT without FAISS or vectors, RVM_ERROR_FILE if the file cannot be written or another process makes it, RVM_ERROR_MEMORY. */
gboolean rvm_approximate_make (RvmDatabase *database, const char *folder, RvmVectorOf kind, GError **error);

/* RVM_ERROR_FILE if there is none, RVM_ERROR_FORMAT if it is damaged. */
RvmApproximate *rvm_approximate_open (RvmDatabase *database, const char *folder, RvmVectorOf kind, GError **error);
void rvm_approximate_free (RvmApproximate *approximate);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmApproximate, rvm_approximate_free)

/* Whether so many of the moments of @table have come or gone since that it should be made again. @table: of any kind. */
gboolean rvm_approximate_is_stale (const RvmApproximate *approximate, const RvmTable *table);

/* Sets the @scores of rows of @table that are in the nearest lists, or in no list, as rvm_nearest_score() does but for rounding, and of the others to NaN.
 * @compared: how many have one. */
gboolean rvm_approximate_score (RvmApproximate *approximate, RvmDatabase *database, const RvmTable *table, const float *query, float *scores,
    gsize *compared, GError **error);

G_END_DECLS
