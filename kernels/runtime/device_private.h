/* The inside of RvmDevice, for device.c, which opens it, and program.c, which keeps its programs. */
#pragma once

#include "cl.h"

struct _RvmDevice {
  guint refs; /* under the lock of device.c's table */
  char *key;  /* in that table */
  cl_platform_id platform;
  cl_device_id id;
  cl_context context;
  cl_command_queue transfers;
  char *name;         /* "DEVICE (PLATFORM)" */
  char *fingerprint;  /* everything about device and driver that a binary depends on */
  char *cache_dir;    /* NULL: none */
  cl_device_type type;
  guint vector_width, compute_units;
  guint64 max_allocation;
  gsize core_cache; /* bytes */
  gboolean has_fma; /* an instruction for it */
  RvmTurns *turns;
  gboolean has_clblast; /* CLBlast has been used with the context; under the table's lock, too */
  GMutex programs_lock;
  GHashTable *programs; /* "FILE OPTIONS" -> a program and its cache entry (program.c) */
};

/* The table of built programs (program.c). */
GHashTable *rvm_programs_new (void);
