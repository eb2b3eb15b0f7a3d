/* RvmDatabase: the SQLite database of an archive, or of a shard of one. One thread at a time. Nothing that it returns is borrowed from it. */
#pragma once

#include "record.h"

G_BEGIN_DECLS

typedef struct _RvmDatabase RvmDatabase;

typedef enum {
  RVM_DATABASE_STILL, /* must be there, and is known not to change meanwhile */
  RVM_DATABASE_READ,  /* must be there; may be written by others meanwhile, or lie where nothing can be written */
  RVM_DATABASE_WRITE, /* must be there; an earlier version is brought up to date */
  RVM_DATABASE_MAKE,  /* made if it is not there; in write-ahead mode, so that others can read meanwhile */
  RVM_DATABASE_SHARD, /* made if it is not there; without shared memory, so that it can lie on a file system that several machines share */
} RvmDatabaseMode;

/* Others that have it locked are waited for, RVM_ARCHIVE_WAIT seconds, usually 30. RVM_ERROR_FILE if it cannot be opened, or stays locked, with who has it
 * locked, if that is known; RVM_ERROR_FORMAT if it is damaged, no archive, or of a later version. */
RvmDatabase *rvm_database_open (const char *path, RvmDatabaseMode mode, GError **error);
void rvm_database_free (RvmDatabase *database);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmDatabase, rvm_database_free)

const char *rvm_database_get_path (const RvmDatabase *database);
/* It was opened for reading and has no tables: a process makes it now, or was ended while it did. It reads as one without settings and records. */
gboolean rvm_database_is_blank (const RvmDatabase *database);

/* (nullable): NULL in a database that was just made. */
const RvmSettings *rvm_database_get_settings (const RvmDatabase *database);
gboolean rvm_database_set_settings (RvmDatabase *database, const RvmSettings *settings, GError **error);

/* Writes @record in a transaction, in place of an earlier one of that path, and sets its seal. Once this returns TRUE it outlives the process. */
gboolean rvm_database_put (RvmDatabase *database, RvmRecord *record, GError **error);
/* The file has another time, but the same content. */
gboolean rvm_database_set_modified (RvmDatabase *database, const char *path, gint64 modified, GError **error);
gboolean rvm_database_remove (RvmDatabase *database, gint64 id, GError **error);

/* From here until it is let go, everything that is read is of one state, whoever writes meanwhile. */
gboolean rvm_database_hold (RvmDatabase *database, GError **error);
gboolean rvm_database_let_go (RvmDatabase *database, GError **error);

/* Without vectors. NULL without an error if there is none. */
RvmRecord *rvm_database_find (RvmDatabase *database, const char *path, GError **error);
/* The same by its number. */
RvmRecord *rvm_database_get (RvmDatabase *database, gint64 id, GError **error);
/* The greatest number of a record; 0: there is none, or it cannot be read. */
gint64 rvm_database_get_last (RvmDatabase *database);
/* (element-type RvmRecord): all files, by path, without vectors. */
GPtrArray *rvm_database_list (RvmDatabase *database, GError **error);
/* The vectors of one kind of all moments of a file, checked against their hashes; RVM_ERROR_FORMAT if they are not whole. NULL with RVM_ERROR_ARGUMENT
 * if the archive has none of that kind. */
GBytes *rvm_database_read_vectors (RvmDatabase *database, const RvmRecord *record, RvmVectorOf kind, GError **error);
/* Reads all vectors that are there, and compares the seal. RVM_ERROR_FORMAT names what is wrong. */
gboolean rvm_database_verify (RvmDatabase *database, RvmRecord *record, GError **error);
/* RVM_ERROR_FORMAT with what SQLite's own check finds first. */
gboolean rvm_database_check (RvmDatabase *database, GError **error);

G_END_DECLS
