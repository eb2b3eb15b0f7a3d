/* The inside of RvmModel, for the files of model/ that run it. */
#pragma once

#include "core.h"
#include "encoder.h"
#include "model.h"
#include "tokens.h"

struct _RvmModel {
  guint refs; /* under the lock of model.c's table */
  char *key;  /* in that table */
  RvmConfig config;
  RvmDevice *device;
  RvmGemmProvider gemm;
  RvmPrecision precision;
  char *id;
  RvmTokenizer tokenizer;
  RvmEncoder encoder;
  RvmCore core;
};
