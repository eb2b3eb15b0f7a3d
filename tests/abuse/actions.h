/* The things that abuse.c does to a pipeline. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct {
  GRand *rand;
  const char *const *weights; /* files of models, the first one the usual */
  guint n_weights;
  char *folder;               /* for states and exports */
  char *state, *broken;       /* a state file, a file that is none */
  guint errors;               /* messages seen */
} Abuse;

void actions_prepare (Abuse *abuse);
void actions_clear (Abuse *abuse); /* removes the folder */

/* One, chosen at random; before it, messages are read: at the end of the stream the pipeline seeks back, after an error it starts again. */
void actions_do_one (Abuse *abuse, GstElement *pipeline);

void actions_print_last (void);   /* the last ones, with what they were given */
void actions_print_counts (void);

G_END_DECLS
