/* The functions that common.cl computes itself, against the host's in double precision. */
#pragma once

#include "kernels/runtime/queue.h"

/* Runs them over their whole ranges; calls @report with each one's worst error and what common.cl (or this project's tests) allow. */
typedef void (*FunctionReport) (const char *what, double worst, double allowed);
gboolean check_functions (RvmQueue *queue, FunctionReport report, GError **error);
