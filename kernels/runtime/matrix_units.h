/* RvmMatrixUnits: whether the instructions of an x86 processor for products of bfloat16 can be used by the kernels of one device, and if not, why. They are its
 * matrix units (AMX) or, where there are none, the dot products of AVX-512. Private to kernels/ and its tests. Thread-safe.
 *
 * The instructions kill a process that may not use them, and a compiler that does not know them leaves them out in silence. So all of this must hold:
 * the processor has them, the system saves their registers, the system has permitted them to this process, the device is an OpenCL runtime that is
 * known to run kernels on the threads of this process, and a test product came out right. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What is asked about the machine, for rvm_test_matrix_units() below. */
typedef enum {
  RVM_UNITS_PROCESSOR,  /* 1: the processor has the instructions */
  RVM_UNITS_SYSTEM,     /* 1: the system saves their registers */
  RVM_UNITS_REQUEST,    /* asks for the permission: 0, or the errno */
  RVM_UNITS_PERMISSION, /* 1: the system says that the process has it */
  RVM_UNITS_DOT_PRODUCTS, /* 1: there is AVX-512 with products of bfloat16 that are faster than those of float32 */
} RvmUnitsFact;

/* Only for tests, which run without such a processor, or as if something were missing: a library in the process that exports this function (which the
 * product does not) answers for the machine. @fact: RvmUnitsFact. See tests/kernels/matrix_units_emulator.c. */
int rvm_test_matrix_units (int fact);

typedef enum {
  RVM_UNITS_NONE,
  RVM_UNITS_AMX,
  RVM_UNITS_AVX512,
} RvmUnitsKind;

typedef struct _RvmMatrixUnits RvmMatrixUnits;

/* @device_name: "DEVICE (PLATFORM)". @is_cpu: the device says that it is a CPU. */
RvmMatrixUnits *rvm_matrix_units_new (const char *device_name, gboolean is_cpu);
void rvm_matrix_units_free (RvmMatrixUnits *units); /* nullable */

/* A test product: NULL if it is right, otherwise (transfer full) what happened. */
typedef char *(*RvmMatrixUnitsTest) (gpointer data);

/* (transfer none): NULL if the units can be used, otherwise the reason why not, as the end of a sentence; the same answer at every call. The first call
 * asks the system for permission, and runs @test if all else holds. */
const char *rvm_matrix_units_find_problem (RvmMatrixUnits *units, RvmMatrixUnitsTest test, gpointer data);
/* Whether the function above was called and found none. */
gboolean rvm_matrix_units_are_usable (RvmMatrixUnits *units);
/* Of units that can be used, or are being tested. */
RvmUnitsKind rvm_matrix_units_get_kind (const RvmMatrixUnits *units);
/* (transfer none): their name in a sentence. */
const char *rvm_units_kind_describe (RvmUnitsKind kind);
/* (transfer none) (nullable): the reason that was found, if there was a call. */
const char *rvm_matrix_units_get_problem (RvmMatrixUnits *units);

G_END_DECLS
