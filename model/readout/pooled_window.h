/* RvmPooledWindow: a window of pooled states on the host: of each state the mean over its patches. Private to model/readout/. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  guint patches, dim, size; /* patches of a state, its channels, the most states */
  guint n, next;            /* states that are there, and the slot of the next one */
  double *slots;            /* (size, dim) */
} RvmPooledWindow;

void rvm_pooled_window_init (RvmPooledWindow *window, guint patches, guint dim, guint size);
void rvm_pooled_window_clear (RvmPooledWindow *window);
void rvm_pooled_window_reset (RvmPooledWindow *window);

/* @features: (1 + patches, dim); row 0 is the class token, which is left out. */
void rvm_pooled_window_push (RvmPooledWindow *window, const float *features);

/* (transfer none): the pooled state of an age, 0 the newest; the oldest one for ages that are not there. There must be one. */
const double *rvm_pooled_window_get (const RvmPooledWindow *window, guint age);
/* @mean (dim): over the states that are there. */
void rvm_pooled_window_average (const RvmPooledWindow *window, double *mean);

G_END_DECLS
