/* An element that reads what another one attaches, and gets none: one warning on the bus, soon, since a live pipeline has no end. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Buffers without any after which it is said. */
#define RVM_MISSING_FRAMES 5

typedef enum
{
  RVM_MISSING_FEATURES,
  RVM_MISSING_TRACKS,
} RvmMissingKind;

/* Zeros at the start. Belongs to the streaming thread. */
typedef struct
{
  guint without;                /* buffers */
  gboolean seen, said;
} RvmMissing;

/* A buffer came; @found: with what is needed. Call without a lock. */
void rvm_missing_count (RvmMissing * missing, GstElement * element, gboolean found, RvmMissingKind kind);
/* At the end of the stream, which may come before that many buffers. */
void rvm_missing_finish (RvmMissing * missing, GstElement * element, RvmMissingKind kind);

G_END_DECLS
