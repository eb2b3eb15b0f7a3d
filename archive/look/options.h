/* RvmLook: how videos are looked at, and RvmLookResult: how that ends. */
#pragma once

#include "archive/database/record.h"
#include "model/model.h"

G_BEGIN_DECLS

typedef struct {
  RvmModel *model;
  RvmSettings settings;
  const char *folder;     /* of the archive, for the files of patches */
  gint *stop;             /* atomic: not 0 ends the analysis, as RVM_LOOK_STOPPED; nullable */
} RvmLook;

typedef enum {
  RVM_LOOK_SEEN,    /* the record says what the file is, also if that is nothing usable */
  RVM_LOOK_SAME,    /* its content is the one that was known; the record has its time and nothing else */
  RVM_LOOK_STOPPED,
  RVM_LOOK_FAILED,  /* something other than the file is wrong (device, disk): the error says what */
} RvmLookResult;

G_END_DECLS
