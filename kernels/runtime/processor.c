/* Asks the processor itself, as compilers do, not the system: an emulator such as valgrind's shows fewer features than the machine has. */
#include "processor.h"

#if defined __x86_64__ || defined __i386__
#include <cpuid.h>
#elif defined __linux__
#include <sys/auxv.h>
#endif

/* Of Intel's runtime, and of LLVM's as PoCL and Mesa use it. */
static const char *const variables[] = { "CL_CONFIG_CPU_TARGET_ARCH", "LP_NATIVE_VECTOR_WIDTH", "GALLIVM_PERF" };

static void
append_features (GString *text)
{
#if defined __x86_64__ || defined __i386__
  static const guint leaves[][2] = { { 1, 0 }, { 7, 0 }, { 7, 1 }, { 0x24, 0 }, { 0x80000001, 0 } };
  guint a, b, c, d, high;

  for (guint i = 0; i < G_N_ELEMENTS (leaves); i++) {
    if (!__get_cpuid_count (leaves[i][0], leaves[i][1], &a, &b, &c, &d))
      a = b = c = d = 0;
    if (leaves[i][0] == 1)
      b = 0; /* the number of the core that this thread runs on */
    g_string_append_printf (text, "%x.%x: %08x %08x %08x %08x\n", leaves[i][0], leaves[i][1], a, b, c, d);
  }
  /* XCR0: AVX, AVX-512 and matrix registers can only be used if the system saves them. */
  if (__get_cpuid (1, &a, &b, &c, &d) && (c & bit_OSXSAVE)) {
    __asm__ ("xgetbv" : "=a"(a), "=d"(high) : "c"(0));
    g_string_append_printf (text, "xcr0: %08x %08x\n", high, a);
  }
#elif defined __linux__
  g_string_append_printf (text, "hwcap: %lx %lx\n", getauxval (AT_HWCAP), getauxval (AT_HWCAP2));
#endif
}

char *
rvm_processor_describe (void)
{
  GString *text = g_string_new (NULL);

  append_features (text);
  for (guint i = 0; i < G_N_ELEMENTS (variables); i++)
    if (g_getenv (variables[i]))
      g_string_append_printf (text, "%s=%s\n", variables[i], g_getenv (variables[i]));
  return g_string_free (text, FALSE);
}
