/* The file: what FAISS writes; a trailer with the standard, and the seal and number of moments of each video, in the order of their rows; and an end of
 * fixed size. Hashes cover all but the lists, which are mapped: damage in a list can only spoil the score of a moment. */
#include "approximate.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "archive/database/hash.h"
#include "archive/database/waiting.h"
#include "faiss.h"
#include "kernels/error.h"

enum { SEAL = RVM_HASH_SIZE - 1, BLOCK = 16384 /* vectors */, STALE = 20 /* a part of the moments */ };

#define MAGIC "RVMnear2"

typedef struct {
  guint64 n, dim, spans, has_standard, has_whitening;
  guint64 lists, trailer; /* bytes: of what FAISS wrote, and of the trailer */
  char head_hash[SEAL], trailer_hash[SEAL]; /* head: of what FAISS wrote, all but the lists */
  char magic[8];
} End;

typedef struct {
  char seal[SEAL + 1];
  gsize first, count; /* rows */
} Span;

struct _RvmApproximate {
  RvmVectorOf kind;
  RvmFaiss *faiss;
  RvmStandard *standard; /* NULL: vectors are compared as they are */
  guint dim;
  gsize n;
  GArray *spans; /* Span */
};

void
rvm_approximate_free (RvmApproximate *a)
{
  if (a == NULL)
    return;
  g_clear_pointer (&a->faiss, rvm_faiss_free);
  g_clear_pointer (&a->standard, rvm_standard_free);
  g_clear_pointer (&a->spans, g_array_unref);
  g_free (a);
}

static char *
get_path (const char *folder, RvmVectorOf kind)
{
  g_autofree char *name = g_strconcat (rvm_vector_names[kind], ".faiss", NULL);

  return g_build_filename (folder, "nearest", name, NULL);
}

static gboolean
fail (const char *path, GError **error)
{
  rvm_error_set (error, RVM_ERROR_FILE, "%s: %s", path, g_strerror (errno));
  return FALSE;
}

/* Making. */

/* FAISS prints nothing, and says little. Vectors are evenly spaced. */
static RvmFaiss *
make_lists (const RvmTable *table, const RvmStandard *standard, GError **error)
{
  const gsize samples = rvm_faiss_count_samples (table->n), room = MAX (samples, BLOCK);
  g_autofree float *floats = g_try_new (float, room * table->dim);
  g_autofree guint16 *halves = g_try_new (guint16, samples * table->dim);
  g_autoptr (RvmFaiss) faiss = NULL;

  if (floats == NULL || halves == NULL) {
    rvm_error_set (error, RVM_ERROR_MEMORY, "there is no memory for %" G_GSIZE_FORMAT " vectors", room);
    return NULL;
  }
  for (gsize i = 0; i < samples; i++)
    memcpy (halves + i * table->dim, table->halves + i * table->n / samples * table->dim, table->dim * sizeof *halves);
  rvm_nearest_convert (halves, samples, table->dim, standard, floats);
  faiss = rvm_faiss_new (table->dim, table->n, floats, samples, error);
  for (gsize first = 0; faiss && first < table->n; first += BLOCK) {
    const gsize n = MIN (BLOCK, table->n - first);

    rvm_nearest_convert (table->halves + first * table->dim, n, table->dim, standard, floats);
    if (!rvm_faiss_add (faiss, floats, n, error))
      return NULL;
  }
  return g_steal_pointer (&faiss);
}

static gboolean
write_all (int file, const char *path, gconstpointer data, gsize size, GError **error)
{
  for (gsize done = 0; done < size;) {
    const gssize n = write (file, (const char *) data + done, size - done);

    if (n < 0 && errno != EINTR)
      return fail (path, error);
    done += MAX (n, 0);
  }
  return TRUE;
}

/* The hash of the first @size bytes. */
static gboolean
hash_head (const char *path, gsize size, char *hash, GError **error)
{
  g_autofree guint8 *head = g_try_malloc (MAX (size, 1));
  FILE *file = head ? g_fopen (path, "rb") : NULL;
  const gboolean ok = file && fread (head, 1, size, file) == size;
  char text[RVM_HASH_SIZE];

  if (ok) {
    rvm_hash_bytes (head, size, text);
    memcpy (hash, text, SEAL);
  } else
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be read", path);
  if (file)
    fclose (file);
  return ok;
}

static gboolean
append_trailer (int file, const char *path, const RvmTable *table, const RvmStandard *standard, GError **error)
{
  g_autoptr (GByteArray) trailer = g_byte_array_new ();
  const gint64 lists = lseek (file, 0, SEEK_END);
  End end = { .n = table->n, .dim = table->dim, .spans = table->spans->len, .has_standard = standard != NULL,
    .has_whitening = standard && standard->whitening, .lists = MAX (lists, 0) };
  const gsize entries = table->n * rvm_faiss_get_entry_size (table->dim);
  char hash[RVM_HASH_SIZE];

  if (lists < 0 || (gsize) lists < entries || !hash_head (path, lists - entries, end.head_hash, error))
    return lists < 0 ? fail (path, error) : FALSE;
  if (standard) {
    g_byte_array_append (trailer, (const guint8 *) standard->mean, table->dim * sizeof (float));
    g_byte_array_append (trailer, (const guint8 *) standard->scale, table->dim * sizeof (float));
  }
  if (end.has_whitening)
    g_byte_array_append (trailer, (const guint8 *) standard->whitening, (gsize) table->dim * table->dim * sizeof (float));
  for (guint s = 0; s < table->spans->len; s++) {
    const RvmTableSpan *span = &g_array_index (table->spans, RvmTableSpan, s);
    const guint64 count = span->count;

    g_byte_array_append (trailer, (const guint8 *) span->record->seal, SEAL);
    g_byte_array_append (trailer, (const guint8 *) &count, sizeof count);
  }
  rvm_hash_bytes (trailer->data, trailer->len, hash);
  memcpy (end.trailer_hash, hash, SEAL);
  memcpy (end.magic, MAGIC, sizeof end.magic);
  end.trailer = trailer->len;
  g_byte_array_append (trailer, (const guint8 *) &end, sizeof end);
  return write_all (file, path, trailer->data, trailer->len, error) && (fsync (file) == 0 || fail (path, error));
}

/* The file @part, which nobody else writes to; what a killed process left in it is written over. */
static int
open_part (const char *part, GError **error)
{
  const int file = open (part, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  GStatBuf named;
  struct stat opened;

  if (file < 0) {
    fail (part, error);
    return -1;
  }
  if (flock (file, LOCK_EX | LOCK_NB) == 0 && fstat (file, &opened) == 0 && g_stat (part, &named) == 0 && named.st_ino == opened.st_ino)
    return file;
  {
    g_autofree char *holders = rvm_waiting_describe_holders (part);

    rvm_error_set (error, RVM_ERROR_FILE, "%s: is being made by another process: %s", part, holders ? holders : "one that cannot be found on this computer");
  }
  close (file);
  return -1;
}

static gboolean
write_file (const char *path, const RvmTable *table, const RvmStandard *standard, GError **error)
{
  g_autofree char *part = g_strconcat (path, ".part", NULL), *folder = g_path_get_dirname (path);
  g_autoptr (RvmFaiss) faiss = NULL;
  gboolean ok;
  int file;

  if (g_mkdir_with_parents (folder, 0777) != 0)
    return fail (folder, error);
  file = open_part (part, error);
  if (file < 0)
    return FALSE;
  faiss = make_lists (table, standard, error);
  ok = faiss && rvm_faiss_write (faiss, part, error) && append_trailer (file, part, table, standard, error)
      && (g_rename (part, path) == 0 || fail (path, error));
  if (!ok)
    g_unlink (part);
  close (file);
  return ok;
}

gboolean
rvm_approximate_make (RvmDatabase *database, const char *folder, RvmVectorOf kind, GError **error)
{
  g_autofree char *path = get_path (folder, kind);
  g_autoptr (RvmTable) table = NULL;
  g_autoptr (RvmStandard) standard = NULL;

  if (!rvm_faiss_is_there ())
    return rvm_faiss_open (path, 0, 0, error) != NULL;
  if (!rvm_database_hold (database, error))
    return FALSE;
  table = rvm_table_load (database, kind, error);
  if (!rvm_database_let_go (database, table ? error : NULL) || table == NULL)
    return FALSE;
  if (table->n == 0) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: has no moments", rvm_database_get_path (database));
    return FALSE;
  }
  standard = kind == RVM_VECTOR_COLOURS ? NULL : rvm_standard_new (table->halves, table->n, table->dim, table->spans->len);
  return write_file (path, table, standard, error);
}

/* Opening. */

static gboolean
fail_format (const char *path, GError **error)
{
  rvm_error_set (error, RVM_ERROR_FORMAT, "%s: is damaged, or of another version of this program", path);
  return FALSE;
}

/* Reads the end, and the trailer behind it. */
static guint8 *
read_trailer (const char *path, End *end, GError **error)
{
  FILE *file = g_fopen (path, "rb");
  g_autofree guint8 *trailer = NULL;
  gint64 size = 0;
  gboolean ok;

  if (file == NULL) {
    fail (path, error);
    return NULL;
  }
  ok = fseeko (file, 0, SEEK_END) == 0 && (size = ftello (file)) >= (gint64) sizeof *end && fseeko (file, size - (gint64) sizeof *end, SEEK_SET) == 0
      && fread (end, sizeof *end, 1, file) == 1 && memcmp (end->magic, MAGIC, sizeof end->magic) == 0 && end->lists <= (guint64) size
      && end->trailer == (guint64) size - end->lists - sizeof *end;
  trailer = ok ? g_try_malloc (MAX (end->trailer, 1)) : NULL;
  ok = trailer && fseeko (file, end->lists, SEEK_SET) == 0 && fread (trailer, 1, end->trailer, file) == end->trailer;
  fclose (file);
  return ok || fail_format (path, error) ? g_steal_pointer (&trailer) : NULL;
}

static gboolean
take_trailer (RvmApproximate *a, const char *path, const End *end, const guint8 *trailer, GError **error)
{
  const gsize columns = end->has_standard ? a->dim * sizeof (float) : 0, whitening = end->has_whitening ? a->dim * columns : 0;
  const gsize standard = 2 * columns + whitening, each = SEAL + sizeof (guint64);
  char hash[RVM_HASH_SIZE];
  gsize first = 0;

  rvm_hash_bytes (trailer, end->trailer, hash);
  if (memcmp (hash, end->trailer_hash, SEAL) != 0 || end->dim != a->dim || end->has_standard != (a->kind != RVM_VECTOR_COLOURS)
      || end->has_whitening > end->has_standard
      || end->trailer < standard || (end->trailer - standard) / each != end->spans || (end->trailer - standard) % each)
    return fail_format (path, error);
  if (standard) {
    a->standard = g_new0 (RvmStandard, 1);
    a->standard->dim = a->dim;
    a->standard->mean = g_memdup2 (trailer, columns);
    a->standard->scale = g_memdup2 (trailer + columns, columns);
    a->standard->whitening = whitening ? g_memdup2 (trailer + 2 * columns, whitening) : NULL;
  }
  for (guint64 s = 0; s < end->spans; s++) {
    const guint8 *at = trailer + standard + s * each;
    Span span = { .first = first };
    guint64 count;

    memcpy (span.seal, at, SEAL);
    memcpy (&count, at + SEAL, sizeof count);
    span.count = count;
    first += count;
    g_array_append_val (a->spans, span);
  }
  a->n = end->n;
  return first == end->n || fail_format (path, error);
}

RvmApproximate *
rvm_approximate_open (RvmDatabase *database, const char *folder, RvmVectorOf kind, GError **error)
{
  g_autoptr (RvmApproximate) a = g_new0 (RvmApproximate, 1);
  g_autofree char *path = get_path (folder, kind);
  g_autofree guint8 *trailer = NULL;
  char hash[SEAL];
  gsize entries;
  End end;

  a->kind = kind;
  a->dim = rvm_vector_get_size (rvm_database_get_settings (database), kind) / sizeof (guint16);
  a->spans = g_array_new (FALSE, FALSE, sizeof (Span));
  if (!rvm_faiss_is_there ()) {
    rvm_faiss_open (path, 0, 0, error); /* says so */
    return NULL;
  }
  trailer = read_trailer (path, &end, error);
  if (trailer == NULL || !take_trailer (a, path, &end, trailer, error))
    return NULL;
  entries = a->n * rvm_faiss_get_entry_size (a->dim);
  if (entries <= end.lists && !hash_head (path, end.lists - entries, hash, error))
    return NULL;
  if (entries > end.lists || memcmp (hash, end.head_hash, SEAL) != 0) {
    fail_format (path, error);
    return NULL;
  }
  a->faiss = rvm_faiss_open (path, a->dim, a->n, error);
  return a->faiss ? g_steal_pointer (&a) : NULL;
}

/* Searching. */

/* (transfer full): for each span of the index, 1 + that of the table which has the same record, or 0. @covered: moments of them. */
static guint *
match_spans (const RvmApproximate *a, const RvmTable *table, gsize *covered)
{
  g_autoptr (GHashTable) seals = g_hash_table_new (g_str_hash, g_str_equal);
  guint *matches = g_new0 (guint, MAX (a->spans->len, 1));

  *covered = 0;
  for (guint s = 0; s < table->spans->len; s++)
    g_hash_table_insert (seals, g_array_index (table->spans, RvmTableSpan, s).record->seal, GUINT_TO_POINTER (s + 1));
  for (guint s = 0; s < a->spans->len; s++) {
    const Span *span = &g_array_index (a->spans, Span, s);
    const guint match = GPOINTER_TO_UINT (g_hash_table_lookup (seals, span->seal));

    if (match == 0 || g_array_index (table->spans, RvmTableSpan, match - 1).count != span->count)
      continue;
    matches[s] = match;
    *covered += span->count;
  }
  return matches;
}

gboolean
rvm_approximate_is_stale (const RvmApproximate *a, const RvmTable *table)
{
  gsize covered;
  g_autofree guint *matches = match_spans (a, table, &covered);

  return matches == NULL || (table->n - covered) * STALE > table->n || (a->n - covered) * STALE > a->n;
}

typedef struct {
  const RvmApproximate *a;
  const RvmTable *table;
  const guint *matches;
  float *scores;
  gsize compared;
} Found;

/* An RvmFaissFound. */
static void
take_found (const gint64 *rows, const float *scores, gsize n, gpointer user_data)
{
  Found *found = user_data;

  for (gsize i = 0; i < n; i++) {
    guint low = 0, high = found->a->spans->len;

    if (rows[i] < 0 || (guint64) rows[i] >= found->a->n || !isfinite (scores[i]))
      continue;
    while (high - low > 1) {
      const guint middle = low + (high - low) / 2;

      if (g_array_index (found->a->spans, Span, middle).first <= (gsize) rows[i])
        low = middle;
      else
        high = middle;
    }
    if (found->matches[low]) {
      const RvmTableSpan *span = &g_array_index (found->table->spans, RvmTableSpan, found->matches[low] - 1);

      found->scores[span->first + rows[i] - g_array_index (found->a->spans, Span, low).first] = scores[i];
      found->compared++;
    }
  }
}

/* Compares the videos that are in no list. */
static gboolean
score_others (const Found *found, RvmDatabase *database, const float *query, gsize *compared, GError **error)
{
  const RvmTable *table = found->table;
  g_autofree gboolean *covered = g_new0 (gboolean, table->spans->len + 1);

  for (guint s = 0; s < found->a->spans->len; s++)
    covered[found->matches[s]] = TRUE;
  for (guint s = 0; s < table->spans->len; s++) {
    const RvmTableSpan *span = &g_array_index (table->spans, RvmTableSpan, s);
    g_autoptr (GBytes) vectors = covered[s + 1] ? NULL : rvm_database_read_vectors (database, span->record, found->a->kind, error);

    if (covered[s + 1])
      continue;
    if (vectors == NULL)
      return FALSE;
    rvm_nearest_score (g_bytes_get_data (vectors, NULL), span->count, found->a->dim, found->a->standard, query, found->scores + span->first);
    *compared += span->count;
  }
  return TRUE;
}

gboolean
rvm_approximate_score (RvmApproximate *a, RvmDatabase *database, const RvmTable *table, const float *query, float *scores, gsize *compared, GError **error)
{
  gsize covered;
  g_autofree guint *matches = match_spans (a, table, &covered);
  g_autofree float *prepared = rvm_nearest_prepare (a->standard, query, a->dim);
  Found found = { a, table, matches, scores, 0 };

  for (gsize i = 0; i < table->n; i++)
    scores[i] = NAN;
  if (!rvm_faiss_search (a->faiss, prepared, take_found, &found, error))
    return FALSE;
  *compared = found.compared;
  return score_others (&found, database, query, compared, error);
}
