/* RvmPrograms: the built OpenCL programs of one device. Private to kernels/ and its tests. Thread-safe.
 *
 * A program is built once for each source and set of options: it comes from this table, from the cache folder (program_cache.h), or from the
 * compiler. Every source is preceded by cl/flags.h and cl/common.cl. */
#pragma once

#include "cl.h"

G_BEGIN_DECLS

/* What programs are built for. Everything is borrowed, and outlives the table. */
typedef struct {
  cl_context context;
  cl_device_id device;
  const char *name;        /* "DEVICE (PLATFORM)": for messages, and for options that depend on the platform */
  const char *fingerprint; /* everything that a built program depends on besides its source and options */
  const char *cache_dir;   /* NULL: built programs are not kept */
  const char *spare_dir;   /* if cache_dir cannot be written: programs are kept here instead, and also read from here; or NULL */
  gboolean is_pocl;
  gboolean has_fma;        /* the device has an instruction for a fused multiply-add */
} RvmProgramTarget;

RvmPrograms *rvm_programs_new (const RvmProgramTarget *target);
void rvm_programs_free (RvmPrograms *programs); /* nullable */

/* (transfer none): the built program. @file: an embedded source without ".cl"; @source: (nullable) used instead of the embedded one, @file is then its
 * name in messages. RVM_ERROR_BUILD, with the compiler's log. */
cl_program rvm_programs_get (RvmPrograms *programs, const char *file, const char *source, const char *options, GError **error);

G_END_DECLS
