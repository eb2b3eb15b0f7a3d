/* Tuned parameters for CLBlast, from a file that the environment variable RVM_CLBLAST_PARAMETERS names. Private to kernels/.
 *
 * Groups are CLBlast's kernels (Xgemm, XgemmDirect, Copy, Pad, Transpose, Padtranspose), keys are their parameters, as CLBlast's tuners
 * (clblast_tuner_xgemm and the like) print them. A group must name all parameters of its kernel:
 *
 *   [Xgemm]
 *   MWG=64
 *   NWG=64
 *   ... */
#pragma once

#include "device.h"

G_BEGIN_DECLS

/* Hands the parameters to CLBlast; does nothing if the variable is not set. RVM_ERROR_FILE, RVM_ERROR_ARGUMENT. */
gboolean rvm_clblast_set_parameters (RvmDevice *device, GError **error);

G_END_DECLS
