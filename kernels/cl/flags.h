/* Numbers on which the launchers in C and the kernels in OpenCL C must agree.
 *
 * Only preprocessor lines: C includes this file, and it precedes every OpenCL source (runtime/program.h), where `#pragma once` would cause a
 * warning. */
#ifndef RVM_FLAGS_H
#define RVM_FLAGS_H

/* What a linear layer does to a product before it is stored: RvmEpilogue in ops/gemm.h, rvm_epilogue() in common.cl. They happen in the order
 * bias, slope, store, GELU, residual. */
#define RVM_EPILOGUE_BIAS 1u       /* y += bias */
#define RVM_EPILOGUE_GELU 2u       /* y = GELU (y) */
#define RVM_EPILOGUE_RESIDUAL 4u   /* y += residual */
#define RVM_EPILOGUE_PRE_GELU 8u   /* pre_gelu = y, before GELU */
#define RVM_EPILOGUE_GELU_SLOPE 16u /* y *= GELU' (pre_gelu) */

/* How weights are stored, and activations on matrix units: RvmElement in tensor.h, RVM_WEIGHTS in linear.cl. */
#define RVM_WEIGHTS_F32 0
#define RVM_WEIGHTS_F16 1  /* IEEE half */
#define RVM_WEIGHTS_BF16 2 /* the upper half of a float */

/* The most rows of a tile of matrix units (matrix_units.cl), by AMX and by AVX-512, whose sums of 14 rows fill the registers. */
#define RVM_UNITS_AMX_ROWS 16
#define RVM_UNITS_AVX512_ROWS 14

/* The kernel `chain` (linear.cl) takes up to this many steps. */
#define RVM_CHAIN_STEPS 6

/* Each step has its numbers in one argument of type uint16, at these places. Offsets and strides are in elements. */
#define RVM_STEP_A_OFFSET 0
#define RVM_STEP_A_STRIDE 1
#define RVM_STEP_RESIDUAL_ROWS 2
#define RVM_STEP_OUT_OFFSET 3
#define RVM_STEP_OUT_STRIDE 4
#define RVM_STEP_N 5
#define RVM_STEP_K 6
#define RVM_STEP_FLAGS 7   /* RVM_EPILOGUE_..., and on matrix units the two below */
#define RVM_STEP_IS_NORM 8 /* 1: a layer norm, 0: a linear layer */
#define RVM_STEP_EPSILON 9 /* of a layer norm; the bits of a float */
#define RVM_STEP_A_BF16 256u   /* the input is bfloat16 */
#define RVM_STEP_OUT_BF16 512u /* the output is bfloat16 */

/* Rows whose gradients of scale and bias a work-group of norm_backward.cl and gate_backward.cl sums. */
#define RVM_NORM_BLOCK 32

/* Elements whose squares a work-group of optimiser.cl sums. */
#define RVM_SQUARES_BLOCK 4096

/* The most states that join_window (window.cl) can join: the window of a readout. */
#define RVM_WINDOW_STATES 64

/* A target (readout_loss.cl) that is not known. Not NaN, which compilers may assume there is none of. */
#define RVM_TARGET_UNKNOWN (-1e30f)

/* In a table of the places of tokens among the visible ones (tokens.cl): this token is masked. */
#define RVM_SLOT_HIDDEN 0xffffffffu

/* In a table of where the patches of one frame are in another (correspondence.cl): nowhere that can be seen. */
#define RVM_MATCH_NONE 0xffffffffu

#endif
