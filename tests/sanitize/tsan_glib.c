/* GLib's locks, atomics and reference counts for ThreadSanitizer, which sees only what is compiled with it and what goes through pthreads: GLib
 * 2.74's mutexes are futexes of its own. Preloaded in front of GLib (tests/sanitize/run): each function tells what it orders and goes on to
 * GLib's. What is ordered by something else, and is not ours, is in tsan.supp. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <gst/gst.h>
#include <pthread.h>
#include <stdint.h>

void __tsan_acquire (void *address);
void __tsan_release (void *address);

#define PUBLIC __attribute__ ((visibility ("default")))

#define REAL(name) \
  static __typeof__ (&name) real; \
  if (__atomic_load_n (&real, __ATOMIC_ACQUIRE) == NULL) \
    __atomic_store_n (&real, (__typeof__ (&name)) (uintptr_t) dlsym (RTLD_NEXT, #name), __ATOMIC_RELEASE)

#define LOCK(type, name) \
  PUBLIC void (name) (type *lock) \
  { \
    REAL (name); \
    real (lock); \
    __tsan_acquire (lock); \
  }

#define TRY(type, name) \
  PUBLIC gboolean (name) (type *lock) \
  { \
    gboolean got; \
    REAL (name); \
    got = real (lock); \
    if (got) \
      __tsan_acquire (lock); \
    return got; \
  }

#define UNLOCK(type, name) \
  PUBLIC void (name) (type *lock) \
  { \
    REAL (name); \
    __tsan_release (lock); \
    real (lock); \
  }

LOCK (GMutex, g_mutex_lock)
TRY (GMutex, g_mutex_trylock)
UNLOCK (GMutex, g_mutex_unlock)
LOCK (GRecMutex, g_rec_mutex_lock)
TRY (GRecMutex, g_rec_mutex_trylock)
UNLOCK (GRecMutex, g_rec_mutex_unlock)
LOCK (GRWLock, g_rw_lock_writer_lock)
TRY (GRWLock, g_rw_lock_writer_trylock)
UNLOCK (GRWLock, g_rw_lock_writer_unlock)
LOCK (GRWLock, g_rw_lock_reader_lock)
TRY (GRWLock, g_rw_lock_reader_trylock)
UNLOCK (GRWLock, g_rw_lock_reader_unlock)
UNLOCK (GCond, g_cond_signal)
UNLOCK (GCond, g_cond_broadcast)

PUBLIC void
(g_cond_wait) (GCond *cond, GMutex *mutex)
{
  REAL (g_cond_wait);
  __tsan_release (mutex);
  real (cond, mutex);
  __tsan_acquire (mutex);
  __tsan_acquire (cond);
}

PUBLIC gboolean
(g_cond_wait_until) (GCond *cond, GMutex *mutex, gint64 end)
{
  gboolean signalled;
  REAL (g_cond_wait_until);
  __tsan_release (mutex);
  signalled = real (cond, mutex, end);
  __tsan_acquire (mutex);
  __tsan_acquire (cond);
  return signalled;
}

PUBLIC gboolean
(g_once_init_enter) (volatile void *location)
{
  gboolean first;
  REAL (g_once_init_enter);
  first = real (location);
  if (!first)
    __tsan_acquire ((void *) location);
  return first;
}

PUBLIC void
(g_once_init_leave) (volatile void *location, gsize value)
{
  REAL (g_once_init_leave);
  __tsan_release ((void *) location);
  real (location, value);
}

/* The last reference frees what others have used. */
#define UNREF(type, name) \
  PUBLIC void (name) (type object) \
  { \
    REAL (name); \
    __tsan_release ((void *) object); \
    __tsan_acquire ((void *) object); \
    real (object); \
  }

#define REF(type, name) \
  PUBLIC type (name) (type object) \
  { \
    REAL (name); \
    __tsan_release ((void *) object); \
    return real (object); \
  }

UNREF (gpointer, g_object_unref)
UNREF (gpointer, gst_object_unref)
UNREF (GBytes *, g_bytes_unref)
UNREF (GstMiniObject *, gst_mini_object_unref)
REF (GBytes *, g_bytes_ref)
REF (GstMiniObject *, gst_mini_object_ref)

PUBLIC gboolean
(g_atomic_ref_count_dec) (gatomicrefcount *count)
{
  gboolean last;
  REAL (g_atomic_ref_count_dec);
  __tsan_release (count);
  last = real (count);
  if (last)
    __tsan_acquire (count);
  return last;
}

/* Strings made by the first caller, under a lock inside GLib. */
static pthread_mutex_t strings = PTHREAD_MUTEX_INITIALIZER;

#define STRING(type, name, parameters, arguments) \
  PUBLIC type (name) parameters \
  { \
    type result; \
    REAL (name); \
    pthread_mutex_lock (&strings); \
    result = real arguments; \
    pthread_mutex_unlock (&strings); \
    return result; \
  }

STRING (const gchar *, g_get_user_cache_dir, (void), ())
STRING (GQuark, g_quark_from_string, (const gchar * text), (text))
STRING (GQuark, g_quark_from_static_string, (const gchar * text), (text))
STRING (GQuark, g_quark_try_string, (const gchar * text), (text))

/* Handed from thread to thread. */
PUBLIC void
(g_async_queue_push) (GAsyncQueue *queue, gpointer data)
{
  REAL (g_async_queue_push);
  __tsan_release (queue);
  real (queue, data);
}

PUBLIC gpointer
(g_async_queue_pop) (GAsyncQueue *queue)
{
  gpointer data;
  REAL (g_async_queue_pop);
  data = real (queue);
  __tsan_acquire (queue);
  return data;
}

PUBLIC gpointer
(g_async_queue_try_pop) (GAsyncQueue *queue)
{
  gpointer data;
  REAL (g_async_queue_try_pop);
  data = real (queue);
  __tsan_acquire (queue);
  return data;
}

PUBLIC gboolean
(gst_bus_post) (GstBus *bus, GstMessage *message)
{
  REAL (gst_bus_post);
  __tsan_release (bus);
  return real (bus, message);
}

PUBLIC GstMessage *
(gst_bus_timed_pop_filtered) (GstBus *bus, GstClockTime timeout, GstMessageType types)
{
  GstMessage *message;
  REAL (gst_bus_timed_pop_filtered);
  message = real (bus, timeout, types);
  __tsan_acquire (bus);
  return message;
}

PUBLIC GstFlowReturn
(gst_pad_push) (GstPad *pad, GstBuffer *buffer)
{
  REAL (gst_pad_push);
  __tsan_release (pad);
  return real (pad, buffer);
}
