/* Asks processor, system and OpenCL runtime for matrix units, in an order in which no step can do harm before the next is known. */
#define _GNU_SOURCE /* RTLD_DEFAULT */
#include "matrix_units.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#if defined __x86_64__ && defined __linux__
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#define IS_SUPPORTED TRUE
#else
#define IS_SUPPORTED FALSE
#endif

struct _RvmMatrixUnits {
  char *device_name;
  gboolean is_cpu;
  GMutex lock;
  gboolean asked;
  RvmUnitsKind kind; /* set before the test, and no more after it */
  char *problem;
};

#if IS_SUPPORTED
#define ARCH_GET_XCOMP_PERM 0x1022
#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFEATURE_XTILEDATA 18

static gboolean
has_instructions (void)
{
  guint a, b, c, d;

  return __get_cpuid_count (7, 0, &a, &b, &c, &d) && (d & 1u << 24) && (d & 1u << 22); /* AMX-TILE, AMX-BF16 */
}

/* @components: of the processor's state, bits of XCR0. */
static gboolean
saves_state (guint components)
{
  guint a, b, c, d, high;

  if (!__get_cpuid (1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
    return FALSE;
  __asm__ ("xgetbv" : "=a"(a), "=d"(high) : "c"(0));
  return (a & components) == components;
}

/* On AMD's processors (measured on Zen 4), a vector of bfloat16 pairs is multiplied as fast as one of half as many floats. Intel's take twice as long for
 * it, so that nothing is gained. */
static gboolean
has_dot_products (void)
{
  guint a, b, c, d;
  const guint needed = bit_AVX512F | bit_AVX512BW | bit_AVX512VL;

  return __get_cpuid (0, &a, &b, &c, &d) && b == signature_AMD_ebx && d == signature_AMD_edx && c == signature_AMD_ecx
      && __get_cpuid_count (7, 0, &a, &b, &c, &d) && (b & needed) == needed && __get_cpuid_count (7, 1, &a, &b, &c, &d) && (a & bit_AVX512BF16)
      && saves_state (0xe6); /* vectors and masks */
}

/* For all threads of the process, those of the OpenCL runtime among them, until it executes another program. */
static int
request_permission (void)
{
  return syscall (SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 ? 0 : errno;
}

static gboolean
has_permission (void)
{
  unsigned long granted = 0;

  return syscall (SYS_arch_prctl, ARCH_GET_XCOMP_PERM, &granted) == 0 && (granted >> XFEATURE_XTILEDATA & 1);
}

static int
ask (RvmUnitsFact fact)
{
  int (*stand_in) (int fact);

  *(void **) &stand_in = dlsym (RTLD_DEFAULT, "rvm_test_matrix_units"); /* POSIX's way to store a function in a void * */
  if (stand_in)
    return stand_in (fact);
  switch (fact) {
    case RVM_UNITS_PROCESSOR:
      return has_instructions ();
    case RVM_UNITS_SYSTEM:
      return saves_state (0x60000); /* configuration and data of tiles */
    case RVM_UNITS_REQUEST:
      return request_permission ();
    case RVM_UNITS_PERMISSION:
      return has_permission ();
    case RVM_UNITS_DOT_PRODUCTS:
      return has_dot_products ();
  }
  return 0;
}

static char *
find_machine_problem (RvmUnitsKind *kind)
{
  int status;

  if (!ask (RVM_UNITS_PROCESSOR)) {
    if (!ask (RVM_UNITS_DOT_PRODUCTS))
      return g_strdup ("the processor has no matrix units for bfloat16 (AMX), nor fast products of bfloat16 in AVX-512");
    *kind = RVM_UNITS_AVX512;
    return NULL;
  }
  if (!ask (RVM_UNITS_SYSTEM))
    return g_strdup ("the operating system does not save the registers of the matrix units");
  status = ask (RVM_UNITS_REQUEST);
  if (status != 0)
    return g_strdup_printf ("the operating system does not permit the matrix units to this process: %s%s", g_strerror (status),
        status == ENOSPC ? " (a thread has an alternate signal stack, see sigaltstack(2), that is too small for their registers)" : "");
  if (!ask (RVM_UNITS_PERMISSION))
    return g_strdup ("the operating system does not permit the matrix units to this process");
  *kind = RVM_UNITS_AMX;
  return NULL;
}
#else
static char *
find_machine_problem (RvmUnitsKind *kind)
{
  return g_strdup ("matrix units are known on x86-64 processors under Linux only");
}
#endif

static gboolean
is_pocl (const RvmMatrixUnits *units)
{
  static const char *const pocl[] = { "pthread", "basic", "cpu" }; /* its devices for this processor, of all versions */
  const char *name = units->device_name;

  for (guint i = 0; i < G_N_ELEMENTS (pocl); i++)
    if (g_str_has_prefix (name, pocl[i]) && g_str_has_suffix (name, "(Portable Computing Language)"))
      return TRUE;
  return FALSE;
}

/* Runtimes that run kernels on threads of this process. The others may be simulators, or be on another machine. */
static gboolean
is_known_runtime (const RvmMatrixUnits *units)
{
  return units->is_cpu && (is_pocl (units) || g_str_has_suffix (units->device_name, "(Intel(R) OpenCL)"));
}

RvmMatrixUnits *
rvm_matrix_units_new (const char *device_name, gboolean is_cpu)
{
  RvmMatrixUnits *units = g_new0 (RvmMatrixUnits, 1);

  units->device_name = g_strdup (device_name);
  units->is_cpu = is_cpu;
  g_mutex_init (&units->lock);
  return units;
}

void
rvm_matrix_units_free (RvmMatrixUnits *units)
{
  if (units == NULL)
    return;
  g_mutex_clear (&units->lock);
  g_free (units->device_name);
  g_free (units->problem);
  g_free (units);
}

const char *
rvm_matrix_units_find_problem (RvmMatrixUnits *units, RvmMatrixUnitsTest test, gpointer data)
{
  g_mutex_lock (&units->lock);
  if (!units->asked) {
    units->asked = TRUE;
    if (is_known_runtime (units))
      units->problem = find_machine_problem (&units->kind);
    else
      units->problem = g_strdup_printf ("matrix units are used with PoCL and Intel's runtime for processors, not with '%s'", units->device_name);
    if (units->kind == RVM_UNITS_AVX512 && !is_pocl (units))
      units->problem = g_strdup_printf ("bfloat16 products of AVX-512 were tried with PoCL only, not with '%s'", units->device_name);
    if (units->problem == NULL)
      units->problem = test (data);
  }
  g_mutex_unlock (&units->lock);
  return units->problem; /* never changes again */
}

gboolean
rvm_matrix_units_are_usable (RvmMatrixUnits *units)
{
  gboolean usable;

  g_mutex_lock (&units->lock);
  usable = units->asked && units->problem == NULL;
  g_mutex_unlock (&units->lock);
  return usable;
}

RvmUnitsKind
rvm_matrix_units_get_kind (const RvmMatrixUnits *units)
{
  return units->kind;
}

const char *
rvm_units_kind_describe (RvmUnitsKind kind)
{
  return kind == RVM_UNITS_AVX512 ? "the processor's bfloat16 products of vectors (AVX-512)" : "the processor's matrix units (AMX)";
}

const char *
rvm_matrix_units_get_problem (RvmMatrixUnits *units)
{
  const char *problem;

  g_mutex_lock (&units->lock);
  problem = units->problem;
  g_mutex_unlock (&units->lock);
  return problem;
}
