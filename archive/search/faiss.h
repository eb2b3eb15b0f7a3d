/* FAISS, which is C++, for C: inverted lists of vectors of length 1, of which a search reads those that are nearest to the query. Debian's library has no
 * C interface. Without FAISS (-Dfaiss=disabled, or libfaiss-dev missing) all functions but the first fail with RVM_ERROR_ARGUMENT. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _RvmFaiss RvmFaiss;

/* Whether the program was built with it. */
gboolean rvm_faiss_is_there (void);

/* Lists for about @n vectors of @dim numbers, chosen by @samples of them; rvm_faiss_count_samples() are enough. RVM_ERROR_MEMORY. */
gsize rvm_faiss_count_samples (gsize n);
RvmFaiss *rvm_faiss_new (guint dim, gsize n, const float *samples, gsize n_samples, GError **error);
void rvm_faiss_free (RvmFaiss *faiss);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmFaiss, rvm_faiss_free)
/* The first vector that is added is row 0. They are kept as halves. RVM_ERROR_MEMORY. */
gboolean rvm_faiss_add (RvmFaiss *faiss, const float *vectors, gsize n, GError **error);

/* Bytes of a vector in the lists, its row included; what is before the lists in a file is all else. */
gsize rvm_faiss_get_entry_size (guint dim);
/* RVM_ERROR_FILE. */
gboolean rvm_faiss_write (RvmFaiss *faiss, const char *path, GError **error);
/* Maps the lists, of which only those that a search needs are read. What is before them must be whole. @dim, @n: what it must have. RVM_ERROR_FORMAT. */
RvmFaiss *rvm_faiss_open (const char *path, guint dim, gsize n, GError **error);

/* Calls @found with some rows and their scalar products with @query, those in the lists that are nearest to it, in no order. RVM_ERROR_FORMAT, RVM_ERROR_MEMORY. */
typedef void (*RvmFaissFound) (const gint64 *rows, const float *scores, gsize n, gpointer user_data);
gboolean rvm_faiss_search (RvmFaiss *faiss, const float *query, RvmFaissFound found, gpointer user_data, GError **error);

G_END_DECLS
