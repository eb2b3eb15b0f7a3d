/* The folders in which compiled kernels are kept: ours (program_cache.h), and that of PoCL, the driver for CPUs, which has no device without one
 * and ends the process when it cannot write there. PoCL looks at the environment variable POCL_CACHE_DIR when it is first asked for devices,
 * once in a process. Thread-safe. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define RVM_CACHE_ROOM ((guint64) 16 << 20)      /* bytes that a folder must have free to be taken; a model's kernels are a few MiB */
#define RVM_CACHE_LEAST_ROOM ((guint64) 2 << 20) /* bytes below which nothing more is compiled into it */

/* A folder, and what kept us from the one that was asked for. */
typedef struct {
  char *folder;  /* to write to; NULL: none can be used */
  char *wanted;  /* the one that was asked for, where that is another; or NULL */
  char *problem; /* "FOLDER: why not" of that, or NULL */
} RvmCacheFolder;

void rvm_cache_folder_clear (RvmCacheFolder *folder);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RvmCacheFolder, rvm_cache_folder_clear)

/* `gst-rvm` in the user's folder for caches; NULL where there is no such folder. What XDG_CACHE_HOME says counts only if it is absolute. */
char *rvm_cache_folder_get_default (void);

/* See rvm_device_suggest_cache_dir(). */
void rvm_cache_folder_suggest (const char *cache_dir);
char *rvm_cache_folder_get_suggested (void); /* (transfer full) (nullable) */

/* The folder for compiled programs of @cache_dir (NULL: the default, "": none, which gives an empty @folder): itself if it can be written, else
 * the default, else in PoCL's if the user named that, else one of the user in a folder for temporary files. A folder that has to be made may not be
 * there yet. After rvm_cache_pocl_prepare(). */
void rvm_cache_folder_choose (const char *cache_dir, RvmCacheFolder *folder);

/* (transfer full) (nullable): a sentence for the user about what kept us from the folder that was asked for, the one in use, and the cure. */
char *rvm_cache_folder_explain (const RvmCacheFolder *folder);

/* Before OpenCL is asked for devices. The first call in a process chooses PoCL's folder: what POCL_CACHE_DIR names; else `pocl` in @cache_dir,
 * for "" a folder that is deleted when the process ends; else where PoCL would put it; of these the first that can be used, else one of the
 * user in a folder for temporary files. POCL_CACHE_DIR is set to it only where PoCL would not come to it by itself: setting an environment
 * variable is no business of a process with many threads, since the C library does not lock it against others that read it, but PoCL takes
 * nothing else. It stays set, also for programs that the process starts. */
void rvm_cache_pocl_prepare (const char *cache_dir);
/* (transfer none): what it chose. */
const RvmCacheFolder *rvm_cache_pocl_get (void);
/* Whether PoCL has room to compile there; FALSE with RVM_ERROR_BUILD, since it would end the process. */
gboolean rvm_cache_pocl_check_room (GError **error);

G_END_DECLS
