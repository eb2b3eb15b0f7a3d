/* The loop of the programs in this folder: a job is run whole, then again and again, each time with another OpenCL call of it failing. */
#pragma once

#include "cl_faults.h"

G_BEGIN_DECLS

/* Runs the job from nothing to nothing, everything freed. Returns a hash of what it computed, or 0 with @error set. */
typedef guint64 (*FaultsJob) (gpointer user_data, GError **error);

/* Fails every @every-th call in turn (0: those of cl_faults_list_places(): one place for each layer would be the same again), and the first two of each kind. Every failure must come back as an error that names the call (or be none,
 * if it may pass, with the same result), with nothing left alive and, tried now and then, the job working again after it. Prints figures.
 * Returns the number of faults found. */
guint faults_run (const char *name, FaultsJob job, gpointer user_data, guint every);

/* Only the kinds of call in @kinds, NULL at its end. */
guint faults_run_kinds (const char *name, FaultsJob job, gpointer user_data, const char *const *kinds);

G_END_DECLS
