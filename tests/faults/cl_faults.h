/* OpenCL calls that fail on demand. cl_faults.c defines the functions of OpenCL that this project and CLBlast call; in a program that exports its
 * symbols (export_dynamic) they stand in front of the loader's, for the program and for plugins it loads. Each counts itself and goes on to the
 * loader, but for one that is told to fail: that returns CL_OUT_OF_RESOURCES and does nothing. Releases never fail, nothing could be done about
 * it. Objects that are alive are counted. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Counts anew from 1; call number @fail fails (0: none), of those named @only (NULL: any). */
void cl_faults_arm (guint fail, const char *only);
guint cl_faults_get_calls (void);       /* since then */
/* Numbers of calls since then, ascending: of every place that calls, which is the whole stack of functions down to OpenCL, the first and the last
 * time it did. Recorded while @record is set. */
void cl_faults_record_places (gboolean record);
GArray *cl_faults_list_places (void);   /* of guint. (transfer full) */
const char *cl_faults_get_failed (void); /* the name of the call that failed, or NULL */
/* "2 buffers, 1 queue", or NULL if there are none. (transfer full) */
char *cl_faults_list_alive (void);

const char *const *cl_faults_list_calls (void); /* names of those that can fail, NULL at the end */

/* What is asked for is done, and what follows only tears down: there is nobody left whom a failing clFinish could tell. */
void cl_faults_close (void);

/* Whether the failure of the call that failed need not be an error: a program that is compiled anew, the cache of programs, a build's log, times,
 * a platform that is not the one in use, a wait after cl_faults_close(). */
gboolean cl_faults_may_pass (void);

G_END_DECLS
