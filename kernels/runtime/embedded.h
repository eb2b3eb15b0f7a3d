/* The OpenCL sources, put into the library at build time by embed.py. Private to kernels/runtime. */
#pragma once

/* The text of the file NAME.cl or NAME.h of kernels/cl, or NULL if there is none. */
const char *rvm_embedded_source (const char *name);
