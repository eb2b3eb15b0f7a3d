/* The processor of this machine, as far as compiled kernels depend on it. Private to kernels/runtime and its tests. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* (transfer full): a text that differs where instructions may be missing: the processor's features, what the system saves of its registers, and
 * environment variables that hold an OpenCL runtime to fewer instructions. A runtime that compiles for the processor may call both devices the same. */
char *rvm_processor_describe (void);

G_END_DECLS
