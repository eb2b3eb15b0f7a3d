/* What a readout does with a window of states, beyond linear layers and attention: the temporal code, and attention over a window from that over each
 * of its states.
 *
 * The age of a state says how many states of the window are newer: 0 for the newest. */
#pragma once

#include "kernels/tensor.h"

G_BEGIN_DECLS

/* x[f, t] += code[age[f]] for every token t of frame f. @x: (frames * tokens, dim). @code: (ages, dim). @age: uint32 (frames); the caller checks that
 * each is a row of @code. */
void rvm_add_frame_code (RvmQueue *queue, RvmTensor x, RvmTensor code, const RvmBuffer *age, guint frames);

/* Sums over the tokens of each frame. @x: (frames * tokens, dim). @out: (frames, dim). */
void rvm_sum_frames (RvmQueue *queue, RvmTensor x, RvmTensor out);

/* out = mean over the rows of @x. @x: (rows, dim). @out: (1, dim). */
void rvm_mean_rows (RvmQueue *queue, RvmTensor x, RvmTensor out);

/* out[r] = x[r] - reference[r mod rows of @reference]. @x, @out: (rows, dim), contiguous; @out may not be @x. */
void rvm_subtract_rows (RvmQueue *queue, RvmTensor x, RvmTensor reference, RvmTensor out);

/* Attention over the states of a window, joined from the attention over each of them. */
typedef struct {
  RvmTensor attended;    /* (slots * queries, dim): of each state alone */
  RvmTensor log_sum_exp; /* (slots * heads, queries): see RvmAttention */
  const RvmBuffer *slot; /* uint32 (n): where the state of each age is; the caller checks that each is less than slots */
  RvmTensor score;       /* (ages * heads, queries): what the temporal code adds to the scores of a state, times log2 (e) */
  RvmTensor value;       /* (ages, dim): what it adds to the values of a state */
  RvmTensor out;         /* (queries, dim) */
  guint n, slots, heads; /* n states, RVM_WINDOW_STATES (cl/flags.h) at most */
} RvmWindowJoin;

void rvm_join_window (RvmQueue *queue, const RvmWindowJoin *join);

G_END_DECLS
