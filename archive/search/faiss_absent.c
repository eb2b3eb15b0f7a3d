/* The program was built without FAISS. */
#include "faiss.h"

#include "kernels/error.h"

static gboolean
fail (GError **error)
{
  rvm_error_set (error, RVM_ERROR_ARGUMENT, "built without FAISS (libfaiss-dev): --method exact finds the same, and more slowly");
  return FALSE;
}

gboolean
rvm_faiss_is_there (void)
{
  return FALSE;
}

gsize
rvm_faiss_count_samples (gsize n)
{
  return 0;
}

RvmFaiss *
rvm_faiss_new (guint dim, gsize n, const float *samples, gsize n_samples, GError **error)
{
  fail (error);
  return NULL;
}

void
rvm_faiss_free (RvmFaiss *faiss)
{
}

gboolean
rvm_faiss_add (RvmFaiss *faiss, const float *vectors, gsize n, GError **error)
{
  return fail (error);
}

gsize
rvm_faiss_get_entry_size (guint dim)
{
  return 0;
}

gboolean
rvm_faiss_write (RvmFaiss *faiss, const char *path, GError **error)
{
  return fail (error);
}

RvmFaiss *
rvm_faiss_open (const char *path, guint dim, gsize n, GError **error)
{
  fail (error);
  return NULL;
}

gboolean
rvm_faiss_search (RvmFaiss *faiss, const float *query, RvmFaissFound found, gpointer user_data, GError **error)
{
  return fail (error);
}
