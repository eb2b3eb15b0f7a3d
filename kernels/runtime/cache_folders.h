/* The folders in which compiled kernels are kept: ours (program_cache.h), and that of PoCL, the driver for CPUs. Private to kernels/runtime. Thread-safe.
 *
 * PoCL has no device without such a folder, and ends the process when it cannot write to it. It reads the environment variable POCL_CACHE_DIR once in a
 * process, when it is first asked for devices. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define RVM_CACHE_ROOM ((guint64) 16 << 20)      /* bytes that a folder must have free to be chosen; a model's kernels take a few MiB */
#define RVM_CACHE_LEAST_ROOM ((guint64) 2 << 20) /* with fewer free bytes, nothing more is compiled into it */

/* A folder, and why it is not the one that was asked for. */
typedef struct {
  char *folder;  /* to write to; NULL: none can be used */
  char *wanted;  /* the folder that was asked for, if it is another one; or NULL */
  char *problem; /* "FOLDER: why it cannot be used" of that folder, or NULL */
} RvmCacheFolder;

void rvm_cache_folder_clear (RvmCacheFolder *folder);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RvmCacheFolder, rvm_cache_folder_clear)

/* (transfer full) (nullable): `gst-rvm` in the user's cache folder; NULL if the user has none. XDG_CACHE_HOME is ignored unless it is absolute. */
char *rvm_cache_folder_get_default (void);

/* See rvm_device_suggest_cache_dir(). */
void rvm_cache_folder_suggest (const char *cache_dir);
char *rvm_cache_folder_get_suggested (void); /* (transfer full) (nullable) */

/* The folder for compiled programs: @cache_dir if it can be written, else the default, else a folder in PoCL's if the user named that, else a folder of
 * the user among the temporary files. @cache_dir NULL: starts with the default; "": none, which gives an empty @folder. The folder may not exist yet.
 * To be called after rvm_cache_pocl_prepare(). */
void rvm_cache_folder_choose (const char *cache_dir, RvmCacheFolder *folder);

/* (transfer full) (nullable): a sentence for the user: why the folder that was asked for cannot be used, which one is used, and what to do about it. */
char *rvm_cache_folder_explain (const RvmCacheFolder *folder);

/* To be called before OpenCL is asked for devices. The first call in a process chooses PoCL's folder, the first of these that can be used:
 *
 *   1. the folder that POCL_CACHE_DIR names
 *   2. `pocl` in @cache_dir; if that is "", a folder that is deleted when the process ends
 *   3. the folder that PoCL would choose
 *   4. a folder of the user among the temporary files
 *
 * POCL_CACHE_DIR is only set to it if PoCL would not choose it by itself: the C library does not lock the environment against other threads that read it,
 * but PoCL offers no other way. The variable stays set, also for programs that the process starts. */
void rvm_cache_pocl_prepare (const char *cache_dir);
/* (transfer none): the folder that was chosen. */
const RvmCacheFolder *rvm_cache_pocl_get (void);
/* Whether PoCL has room to compile there; otherwise it would end the process. RVM_ERROR_BUILD. */
gboolean rvm_cache_pocl_check_room (GError **error);

G_END_DECLS
