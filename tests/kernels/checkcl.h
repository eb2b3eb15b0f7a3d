/* What the checks of kernels (check_OP.c) share: the device under test, random values, memory on the device, and the comparison with a reference in
 * plain C. checkcl.c runs them. */
#pragma once

#include <glib.h>

#include "kernels/ops/linear.h"
#include "kernels/tensor.h"

G_BEGIN_DECLS

/* The checks of one operation. @quick: tiny sizes and the native GEMM only, for simulators. */
typedef struct {
  const char *name;
  void (*check) (gboolean quick);
  void (*check_backward) (gboolean quick); /* NULL: there is none */
  void (*bench) (void);                    /* NULL: there is none */
} CheckOp;

extern const CheckOp check_functions, check_tokens, check_norm, check_linear, check_chain, check_attention, check_gate, check_row_sum, check_loss,
    check_correspondence, check_optimiser, check_window, check_readout_loss, check_matrix_units, check_rounded;

/* The device under test; random numbers, which are the same whenever a case is run. */
extern RvmDevice *check_device;
extern RvmQueue *check_queue;
extern GRand *check_rng;

/* Begins a case, before it takes random numbers: the parameters are printed if it fails. */
void check_case (const char *format, ...) G_GNUC_PRINTF (1, 2);

/* (transfer full) from -@scale to @scale. */
float *check_random (gsize count, double scale);
/* What is left of weights that are stored as @type: only they lose bits, so products with them are as exact as those of float32. */
float *check_round (RvmElement type, const float *weights, gsize count);

/* (transfer full) memory on the device. @data NULL: zeros. */
RvmBuffer *check_upload_bytes (gconstpointer data, gsize size);
RvmBuffer *check_upload (const float *values, gsize count);
/* @count floats for an output, and more after it that must not change. */
RvmBuffer *check_output (gsize count);
float *check_read (RvmBuffer *buffer, gsize count);
/* (transfer full) a layer of whole weights: @kernel (k, n), @bias (n) or NULL. */
RvmLinear *check_make_linear (RvmGemmProvider provider, RvmElement type, guint k, guint n, const float *kernel, const float *bias);
/* Waits for everything enqueued; ends the program on an error. */
void check_finish (void);

/* Compares an output of check_output() with @expected: the largest difference, relative to the largest magnitude, is at most @tolerance. @name: of the
 * output. */
void check_compare (const char *name, RvmBuffer *output, const double *expected, gsize count, double tolerance);
/* Reports an error that a check has computed itself. */
void check_report (const char *name, double error, double tolerance);

/* Compares @gradient with central differences of @loss, which looks at @input. To be called before anything else changes @input. */
typedef double (*CheckLoss) (gconstpointer data);
void check_gradient (const char *name, float *input, const float *gradient, gsize count, CheckLoss loss, gconstpointer data);
void check_gradient_buffer (const char *name, float *input, RvmBuffer *gradient, gsize count, CheckLoss loss, gconstpointer data);
/* A loss of outputs: their sum, weighted by @r, which is then the gradient with respect to them. */
double check_weigh (const float *r, const double *out, gsize count);

/* The median time of @run in milliseconds. */
double check_time (void (*run) (gpointer data), gpointer data);

G_END_DECLS
