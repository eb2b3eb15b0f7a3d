/* Kernel sources, put into the library at build time by embed.py. */
#pragma once

/* The text of NAME.cl, or NULL. */
const char *rvm_embedded_source (const char *name);
