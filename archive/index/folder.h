/* RvmFolder: the folder of an archive, as a process has it that writes: with a lock, and with what is merged into it. */
#pragma once

#include "archive/database/database.h"
#include "ranks.h"

G_BEGIN_DECLS

/* The lock of an archive, for itself: RVM_ERROR_FILE if another process writes to it. */
typedef struct _RvmFolderLock RvmFolderLock;

RvmFolderLock *rvm_folder_lock (const char *folder, GError **error);
void rvm_folder_lock_free (RvmFolderLock *lock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmFolderLock, rvm_folder_lock_free)
/* Whether a process writes to the archive now. */
gboolean rvm_folder_is_locked (const char *folder);
/* (transfer full) (nullable): who writes to the archive, as far as it can be known: "process 1234 (rvm-archive)"; NULL: nobody does. */
char *rvm_folder_describe_writers (const char *folder);

typedef void (*RvmFolderTell) (const char *text, gpointer user_data); /* what a user should know */

typedef struct _RvmFolder RvmFolder;

/* (transfer full): the database in the archive @folder. */
char *rvm_folder_get_database (const char *folder);

/* Makes the folder if it is not there, and locks it: alone, or together with the other processes of its kind if @rank is of several. RVM_ERROR_FILE if
 * another process has it; one of several waits while another one makes the database or merges, until nothing has changed in it for RVM_ARCHIVE_WAIT
 * seconds, usually 120. What an earlier run left in shards is merged first. */
RvmFolder *rvm_folder_open (const char *folder, RvmRank rank, RvmFolderTell tell, gpointer user_data, GError **error);
/* Merges shards if this is the last process that has the folder open. */
gboolean rvm_folder_close (RvmFolder *folder, GError **error);
void rvm_folder_free (RvmFolder *folder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmFolder, rvm_folder_free)

RvmDatabase *rvm_folder_get_main (RvmFolder *folder);   /* (transfer none): what is merged; only read from by one of several processes */
RvmDatabase *rvm_folder_get_target (RvmFolder *folder); /* (transfer none): where this process writes */

/* Copies all files whose records are whole. @n: how many; @bad (nullable): how many are not, or cannot be read. */
gboolean rvm_folder_copy_records (RvmDatabase *from, RvmDatabase *to, guint *n, guint *bad, GError **error);

G_END_DECLS
