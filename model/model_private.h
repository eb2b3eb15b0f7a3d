/* The fields of RvmModel. Private to model/, which runs it, and trainer/, which changes its weights. */
#pragma once

#include "model/net/core.h"
#include "model/net/decoder.h"
#include "model/net/encoder.h"
#include "model.h"
#include "model/net/tokens.h"

struct _RvmModel {
  guint refs; /* under the lock of model.c's table */
  char *key;  /* in that table */
  RvmConfig config;
  RvmDevice *device;
  RvmGemmProvider gemm;
  RvmElement precision;
  char *id;
  RvmTokenizer tokenizer;
  RvmEncoder encoder;
  RvmCore core;
  RvmDecoder decoder;    /* only of a trainable model */
  GPtrArray *parameters; /* (element-type RvmParameter), only of a trainable model */
};

/* A model whose weights may change: never shared, with decoder, with weights of float32. options->precision, F32 or BF16, is what products take,
 * except in the layers that take and give pixels (loader.c). A file without decoder is an error. */
RvmModel *rvm_model_load_trainable (const char *path, const RvmModelOptions *options, GError **error);
