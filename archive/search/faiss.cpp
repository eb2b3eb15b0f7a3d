/* Exceptions end here: each becomes a GError. Debian's FAISS is compiled for any processor, and multiplies by whatever BLAS there is, mostly the reference's
 * one, which takes hours to put ten million vectors into lists; so that one product is computed here. */
#include "faiss.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexScalarQuantizer.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/index_io.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "kernels/error.h"

namespace {

constexpr std::size_t WIDE = 8, HIGH = 4, BLOCK = 64 * HIGH; /* centroids and vectors of a tile; vectors for which a panel of centroids stays in the cache */
constexpr std::size_t LEAST_LISTS = 4, MOST_LISTS = 1024, SAMPLES_FOR_EACH = 64;
constexpr std::size_t LISTS_TO_A_PROBE = 32, LEAST_PROBES = 16;

typedef float Lanes __attribute__ ((vector_size (WIDE * sizeof (float))));

struct Work {
  const float *panels, *vectors;
  std::size_t dim, centroids, n; /* n: of vectors */
};

/* Two compilations of the same tiles: for registers that any processor has, and for those that most have. */
__attribute__ ((always_inline)) static inline void
find_in_tiles (const Work &work, float *scores, std::int64_t *labels)
{
  for (std::size_t block = 0; block < work.n; block += BLOCK)
    for (std::size_t c = 0; c < work.centroids; c += WIDE)
      for (std::size_t v = block; v < std::min (work.n, block + BLOCK); v += HIGH) {
        const float *panel = work.panels + c * work.dim, *row[HIGH];
        Lanes sums[HIGH] = {};

        for (std::size_t h = 0; h < HIGH; h++)
          row[h] = work.vectors + std::min (v + h, work.n - 1) * work.dim;
        for (std::size_t i = 0; i < work.dim; i++) {
          Lanes values;

          __builtin_memcpy (&values, panel + i * WIDE, sizeof values);
          for (std::size_t h = 0; h < HIGH; h++)
            sums[h] += row[h][i] * values;
        }
        for (std::size_t h = 0; h < HIGH && v + h < work.n; h++)
          for (std::size_t w = 0; w < WIDE && c + w < work.centroids; w++)
            if (sums[h][w] > scores[v + h]) {
              scores[v + h] = sums[h][w];
              labels[v + h] = c + w;
            }
      }
}

void
find_anywhere (const Work &work, float *scores, std::int64_t *labels)
{
  find_in_tiles (work, scores, labels);
}

#ifdef __x86_64__
__attribute__ ((target ("avx2,fma"))) void
find_wide (const Work &work, float *scores, std::int64_t *labels)
{
  find_in_tiles (work, scores, labels);
}

bool
has_wide_registers ()
{
  return __builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma");
}
#else
void
find_wide (const Work &work, float *scores, std::int64_t *labels)
{
  find_in_tiles (work, scores, labels);
}

bool
has_wide_registers ()
{
  return false;
}
#endif

/* The centroids of the lists. Finds the nearest one of many vectors in tiles of WIDE centroids and HIGH vectors. */
struct Centroids : faiss::IndexFlatIP {
  using faiss::IndexFlatIP::IndexFlatIP;

  void
  search (std::int64_t n, const float *vectors, std::int64_t k, float *scores, std::int64_t *labels, const faiss::SearchParameters *parameters) const override
  {
    const std::size_t threads = std::max (1u, std::min (std::thread::hardware_concurrency (), 64u));
    std::vector<std::thread> running;

    if (k != 1 || n < (std::int64_t) BLOCK || parameters) {
      faiss::IndexFlatIP::search (n, vectors, k, scores, labels, parameters);
      return;
    }
    running.reserve (threads);
    const std::vector<float> panels = make_panels ();
    for (std::size_t t = 0; t < threads; t++) {
      const std::size_t first = n * t / threads, end = n * (t + 1) / threads;

      const auto share = [this, &panels, vectors, first, end, scores, labels] { find (panels.data (), vectors + first * d, end - first, scores + first, labels + first); };

      try {
        running.emplace_back (share);
      } catch (const std::system_error &) { /* no more threads */
        share ();
      }
    }
    for (std::thread &thread : running)
      thread.join ();
  }

private:
  /* (panels, d, WIDE), the last one filled up with zeros. */
  std::vector<float>
  make_panels () const
  {
    const float *centroids = get_xb ();
    std::vector<float> panels ((ntotal + WIDE - 1) / WIDE * WIDE * d);

    for (std::int64_t c = 0; c < ntotal; c++)
      for (int i = 0; i < d; i++)
        panels[(c / WIDE * d + i) * WIDE + c % WIDE] = centroids[c * d + i];
    return panels;
  }

  void
  find (const float *panels, const float *vectors, std::size_t n, float *scores, std::int64_t *labels) const
  {
    std::fill (scores, scores + n, -HUGE_VALF);
    std::fill (labels, labels + n, 0);
    (has_wide_registers () ? find_wide : find_anywhere) ({ panels, vectors, (std::size_t) d, (std::size_t) ntotal, n }, scores, labels);
  }
};

std::size_t
count_lists (std::size_t n)
{
  return std::clamp<std::size_t> (std::lround (std::sqrt ((double) n) / 2), LEAST_LISTS, MOST_LISTS);
}

/* Of the exception that is being handled; always FALSE. */
gboolean
fail (const char *what, RvmError code, GError **error)
{
  try {
    throw;
  } catch (const std::bad_alloc &) {
    rvm_error_set (error, RVM_ERROR_MEMORY, "%s: there is no memory for the lists of FAISS", what);
  } catch (const std::exception &exception) {
    rvm_error_set (error, code, "%s: FAISS: %s", what, exception.what ());
  } catch (...) {
    rvm_error_set (error, code, "%s: FAISS failed", what);
  }
  return FALSE;
}

} // namespace

struct _RvmFaiss {
  std::unique_ptr<faiss::IndexIVFScalarQuantizer> index;
};

gboolean
rvm_faiss_is_there (void)
{
  return TRUE;
}

gsize
rvm_faiss_count_samples (gsize n)
{
  return std::min<std::size_t> (n, count_lists (n) * SAMPLES_FOR_EACH);
}

RvmFaiss *
rvm_faiss_new (guint dim, gsize n, const float *samples, gsize n_samples, GError **error)
{
  try {
    auto faiss = std::make_unique<RvmFaiss> ();
    auto centroids = std::make_unique<Centroids> (dim);

    faiss->index = std::make_unique<faiss::IndexIVFScalarQuantizer> (centroids.get (), dim, std::min<std::size_t> (count_lists (n), n_samples),
        faiss::ScalarQuantizer::QT_fp16, faiss::METRIC_INNER_PRODUCT, false);
    centroids.release ();
    faiss->index->own_fields = true;
    faiss->index->cp.min_points_per_centroid = 1; /* FAISS would print that there are few */
    faiss->index->train (n_samples, samples);
    return faiss.release ();
  } catch (...) {
    fail ("making an index", RVM_ERROR_ARGUMENT, error);
    return NULL;
  }
}

void
rvm_faiss_free (RvmFaiss *faiss)
{
  delete faiss;
}

gboolean
rvm_faiss_add (RvmFaiss *faiss, const float *vectors, gsize n, GError **error)
{
  try {
    faiss->index->add (n, vectors);
    return TRUE;
  } catch (...) {
    return fail ("making an index", RVM_ERROR_ARGUMENT, error);
  }
}

gsize
rvm_faiss_get_entry_size (guint dim)
{
  return dim * sizeof (guint16) + sizeof (gint64);
}

gboolean
rvm_faiss_write (RvmFaiss *faiss, const char *path, GError **error)
{
  try {
    faiss::write_index (faiss->index.get (), path);
    return TRUE;
  } catch (...) {
    return fail (path, RVM_ERROR_FILE, error);
  }
}

RvmFaiss *
rvm_faiss_open (const char *path, guint dim, gsize n, GError **error)
{
  try {
    auto faiss = std::make_unique<RvmFaiss> ();
    std::unique_ptr<faiss::Index> index (faiss::read_index (path, faiss::IO_FLAG_MMAP | faiss::IO_FLAG_READ_ONLY));

    if (dynamic_cast<faiss::IndexIVFScalarQuantizer *> (index.get ()) == nullptr || index->d != (int) dim || index->ntotal != (std::int64_t) n) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: is not the index that was expected", path);
      return NULL;
    }
    faiss->index.reset (static_cast<faiss::IndexIVFScalarQuantizer *> (index.release ()));
    faiss->index->nprobe = std::min (faiss->index->nlist, std::max (LEAST_PROBES, faiss->index->nlist / LISTS_TO_A_PROBE));
    faiss->index->parallel_mode = 1; /* lists are shared among the processors, not queries */
    return faiss.release ();
  } catch (...) {
    fail (path, RVM_ERROR_FORMAT, error);
    return NULL;
  }
}

gboolean
rvm_faiss_search (RvmFaiss *faiss, const float *query, RvmFaissFound found, gpointer user_data, GError **error)
{
  try {
    faiss::RangeSearchResult result (1);

    faiss->index->range_search (1, query, -HUGE_VALF, &result);
    found (result.labels, result.distances, result.lims[1], user_data);
    return TRUE;
  } catch (...) {
    return fail ("searching", RVM_ERROR_FORMAT, error);
  }
}
