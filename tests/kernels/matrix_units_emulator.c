/* Gives a process matrix units: a part of a test program, which exports its symbols, or a library to be preloaded (LD_PRELOAD).
 *
 * On a processor without AMX each of its instructions raises SIGILL. The handler here decodes it, does what the processor would have done with tiles
 * that the thread keeps, likewise those that follow without another instruction between them, and goes on after them, so that the kernels of
 * cl/matrix_units.cl run and their numbers can be checked; their speed cannot. What would be a fault of the program on a real processor (tiles that are not configured or do not fit together,
 * a reserved byte in a configuration) is printed and aborts, and so is a process that exits with tiles that were not released.
 *
 *   cc -O2 -shared -fPIC -I. $(pkg-config --cflags glib-2.0) -o /tmp/emulator.so tests/kernels/matrix_units_emulator.c
 *   LD_PRELOAD=/tmp/emulator.so build/tests/model/check_golden --precision bf16 --tolerance 2e-2 tests/data/tiny.npz tests/data/tiny_forward.npz
 *
 * The product asks for facts about the machine (kernels/runtime/matrix_units.c), which rvm_test_matrix_units() answers in its place. Where the
 * machine has matrix units this library emulates nothing and gives the true answers.
 *
 * For tests of what happens where something is missing, the environment variable MATRIX_UNITS is a list of
 *   absent     the processor has none            refused   the system refuses permission, as with a small alternate signal stack
 *   unsaved    the system does not save tiles    denied    permission is given, and yet there is none
 *   wrong      products are wrong (emulated only)          dropped  products do nothing, as with a compiler that drops the mnemonic (emulated only)
 *   dot-products  without matrix units, there are the bfloat16 products of AVX-512, which are not emulated: the processor must have them
 * MATRIX_UNITS_REPORT names a file to which the number of products is appended at exit. */
#define _GNU_SOURCE /* names of registers */
#include <cpuid.h>
#include <errno.h>
#include <immintrin.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "kernels/runtime/matrix_units.h"

#define TILES 8
#define ROWS 16
#define BYTES 64

typedef struct {
  int configured;
  uint8_t rows[TILES];
  uint16_t bytes[TILES]; /* of a row */
  uint8_t data[TILES][ROWS][BYTES];
} Units;

/* Not allocated when it is first used, which would be in the handler. */
static __thread Units units __attribute__ ((tls_model ("initial-exec")));
static int emulated, are_wrong, are_dropped; /* what MATRIX_UNITS said of products when they were permitted */
static atomic_ulong products;
static atomic_int configured; /* threads */

static int
is_asked (const char *what)
{
  const char *list = getenv ("MATRIX_UNITS");

  return list && strstr (list, what) != NULL;
}

static void __attribute__ ((noreturn))
fault (const char *text)
{
  static const char begin[] = "matrix units: ";

  if (write (2, begin, sizeof begin - 1) < 0 || write (2, text, strlen (text)) < 0 || write (2, "\n", 1) < 0)
    _exit (99);
  abort ();
}

/* What an instruction's bytes say. */
typedef struct {
  int prefix, opcode; /* 0: none, 1: 66, 2: f3, 3: f2 */
  int mode, reg, rm, vvvv;
  int has_sib;
  uint64_t address, stride; /* with a memory operand */
  int length;
} Instruction;

static uint64_t
get_register (const ucontext_t *context, int number)
{
  static const int places[16] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
  };

  return context->uc_mcontext.gregs[places[number]];
}

static int64_t
read_displacement (const uint8_t *at, int bytes)
{
  int32_t wide;

  if (bytes == 1)
    return (int8_t) *at;
  memcpy (&wide, at, sizeof wide);
  return wide;
}

/* The memory operand whose ModRM byte is @at. Returns the byte after it. */
static const uint8_t *
decode_memory (Instruction *i, const ucontext_t *context, const uint8_t *at, int x, int b)
{
  int displacement = i->mode == 1 ? 1 : i->mode == 2 ? 4 : 0;

  at++;
  if (i->rm == 4) {
    const int scale = *at >> 6, index = (*at >> 3 & 7) | x << 3, base = *at & 7;

    at++;
    i->has_sib = 1;
    i->stride = index == 4 ? 0 : get_register (context, index) << scale;
    if (base == 5 && i->mode == 0)
      displacement = 4;
    else
      i->address = get_register (context, base | b << 3);
  } else if (i->rm == 5 && i->mode == 0) {
    i->address = (uint64_t) (uintptr_t) (at + 4); /* relative to the next instruction: none of these has an immediate operand */
    displacement = 4;
  } else {
    i->address = get_register (context, i->rm | b << 3);
  }
  if (displacement)
    i->address += read_displacement (at, displacement);
  return at + displacement;
}

/* 0 if the bytes are not an instruction with a VEX prefix of three bytes in the map 0f 38, with W and L zero. Of another instruction no more than its
 * first bytes are read, which may be the last ones of their page. */
static int
decode (Instruction *i, const ucontext_t *context)
{
  const uint8_t *start = (const uint8_t *) (uintptr_t) context->uc_mcontext.gregs[REG_RIP], *at = start;

  memset (i, 0, sizeof *i);
  if (at[0] != 0xc4 || (at[1] & 0x1f) != 2 || (at[2] & 0x84) != 0)
    return 0;
  i->prefix = at[2] & 3;
  i->vvvv = ~at[2] >> 3 & 15;
  i->opcode = at[3];
  i->mode = at[4] >> 6;
  i->reg = (at[4] >> 3 & 7) | (at[1] & 0x80 ? 0 : 8);
  i->rm = at[4] & 7;
  at += 4;
  if (i->mode == 3)
    at++;
  else
    at = decode_memory (i, context, at, !(start[1] & 0x40), !(start[1] & 0x20));
  i->length = at - start;
  return 1;
}

static void
check_tile (int tile)
{
  if (!units.configured)
    fault ("an instruction while the tiles are not configured");
  if (tile >= TILES || units.rows[tile] == 0)
    fault ("a tile that the configuration does not have");
}

static void
configure (const uint8_t *config)
{
  if (config[0] > 1)
    fault ("ldtilecfg: there is no such palette");
  if (config[0] == 0)
    fault ("ldtilecfg: palette 0, which releases the tiles: use tilerelease");
  if (config[1])
    fault ("ldtilecfg: rows are to begin in the middle");
  for (int i = 2; i < 64; i++)
    if (config[i] && (i < 16 || (i >= 32 && i < 48) || i >= 56))
      fault ("ldtilecfg: a reserved byte is not zero");
  if (!units.configured)
    atomic_fetch_add (&configured, 1);
  memset (&units, 0, sizeof units);
  units.configured = 1;
  for (int t = 0; t < TILES; t++) {
    memcpy (&units.bytes[t], config + 16 + 2 * t, 2);
    units.rows[t] = config[48 + t];
    if (units.rows[t] > ROWS || units.bytes[t] > BYTES || !units.rows[t] != !units.bytes[t])
      fault ("ldtilecfg: a tile that is too large, or has rows or columns only");
  }
}

static void
release (void)
{
  if (units.configured)
    atomic_fetch_sub (&configured, 1);
  memset (&units, 0, sizeof units);
}

static void
load (const Instruction *i)
{
  check_tile (i->reg);
  memset (units.data[i->reg], 0, sizeof units.data[i->reg]);
  for (int row = 0; row < units.rows[i->reg]; row++)
    memcpy (units.data[i->reg][row], (const void *) (uintptr_t) (i->address + row * i->stride), units.bytes[i->reg]);
}

static void
store (const Instruction *i)
{
  check_tile (i->reg);
  for (int row = 0; row < units.rows[i->reg]; row++)
    memcpy ((void *) (uintptr_t) (i->address + row * i->stride), units.data[i->reg][row], units.bytes[i->reg]);
}

static float
widen (uint32_t bits)
{
  float value;

  memcpy (&value, &bits, sizeof value);
  return value;
}

/* A row of a tile of sums. */
typedef float Row __attribute__ ((vector_size (BYTES)));

/* The first and the second of each pair of bfloat16s of a row of B. */
static void
widen_row (const uint8_t *pairs, Row *low, Row *high)
{
  typedef uint32_t Bits __attribute__ ((vector_size (BYTES)));
  Bits bits, shifted, masked;

  memcpy (&bits, pairs, sizeof bits);
  shifted = bits << 16;
  masked = bits & 0xffff0000u;
  memcpy (low, &shifted, sizeof shifted);
  memcpy (high, &masked, sizeof masked);
}

/* As Intel describes it: sums of even and of odd k, then both; rounded to nearest, without subnormal numbers. Columns that a tile lacks are computed from
 * zeros and not stored. */
static void
multiply (int to, int a, int b)
{
  const unsigned mode = _mm_getcsr ();
  Row low[ROWS], high[ROWS];
  int pairs;

  check_tile (to);
  check_tile (a);
  check_tile (b);
  if (to == a || to == b || a == b)
    fault ("tdpbf16ps: the same tile twice");
  pairs = units.bytes[a] / 4;
  if (units.rows[to] != units.rows[a] || units.bytes[to] != units.bytes[b] || units.rows[b] != pairs || units.bytes[to] % 4 || units.bytes[a] % 4)
    fault ("tdpbf16ps: tiles whose sizes do not fit together");
  atomic_fetch_add (&products, 1);
  if (are_dropped)
    return;
  _mm_setcsr (0x9fc0); /* all exceptions masked, subnormal numbers are zeros */
  for (int k = 0; k < pairs; k++)
    widen_row (units.data[b][k], &low[k], &high[k]);
  for (int m = 0; m < units.rows[to]; m++) {
    Row even = { 0 }, odd = { 0 }, sums;

    for (int k = 0; k < pairs; k++) {
      uint32_t pair;
      memcpy (&pair, units.data[a][m] + 4 * k, 4);
      even += widen (pair << 16) * low[k];
      odd += widen (pair & 0xffff0000u) * high[k];
    }
    memcpy (&sums, units.data[to][m], sizeof sums);
    sums += even + odd;
    memcpy (units.data[to][m], &sums, units.bytes[to]);
  }
  if (are_wrong)
    units.data[to][0][3] ^= 1;
  _mm_setcsr (mode);
}

/* 0: not one of the instructions. */
static int
emulate (const Instruction *i)
{
  const int is_register = i->mode == 3;

  if (i->opcode == 0x49 && i->prefix == 0 && !is_register && i->reg == 0)
    configure ((const uint8_t *) (uintptr_t) i->address);
  else if (i->opcode == 0x49 && i->prefix == 0 && is_register && i->reg == 0 && i->rm == 0)
    release ();
  else if (i->opcode == 0x49 && i->prefix == 3 && is_register && i->rm == 0) {
    check_tile (i->reg);
    memset (units.data[i->reg], 0, sizeof units.data[i->reg]);
  } else if (i->opcode == 0x4b && i->prefix == 3 && i->has_sib)
    load (i);
  else if (i->opcode == 0x4b && i->prefix == 2 && i->has_sib)
    store (i);
  else if (i->opcode == 0x5c && i->prefix == 2 && is_register)
    multiply (i->reg, i->rm, i->vvvv);
  else
    return 0;
  return 1;
}

static void
handle (int number, siginfo_t *info, void *data)
{
  ucontext_t *context = data;
  Instruction instruction;

  (void) info;
  if (!decode (&instruction, context) || !emulate (&instruction)) {
    signal (number, SIG_DFL); /* the instruction raises it again */
    return;
  }
  /* A signal takes longer than what it is for. */
  do
    context->uc_mcontext.gregs[REG_RIP] += instruction.length;
  while (decode (&instruction, context) && emulate (&instruction));
}

/* The true answers. */
static int
has_instructions (void)
{
  unsigned a, b, c, d;

  return __get_cpuid (1, &a, &b, &c, &d) && (c & bit_OSXSAVE) && __get_cpuid_count (7, 0, &a, &b, &c, &d) && (d & 1u << 24) && (d & 1u << 22);
}

static int
are_saved (void)
{
  unsigned low, high;

  __asm__ ("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & 0x60000) == 0x60000;
}

static int
is_permitted (void)
{
  unsigned long mask = 0;

  return syscall (SYS_arch_prctl, 0x1022, &mask) == 0 && (mask >> 18 & 1);
}

/* Linux looks at the signal stacks of all threads; this at the caller's. The handler is installed now, because some OpenCL runtimes install their own when
 * they are loaded. */
static int
request (void)
{
  struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_NODEFER };
  stack_t stack;

  are_wrong = is_asked ("wrong");
  are_dropped = is_asked ("dropped");
  sigaction (SIGILL, &action, NULL);
  return sigaltstack (NULL, &stack) == 0 && !(stack.ss_flags & SS_DISABLE) && stack.ss_size < 12 * 1024 ? ENOSPC : 0;
}

__attribute__ ((visibility ("default"))) int
rvm_test_matrix_units (int fact)
{
  switch (fact) {
    case RVM_UNITS_PROCESSOR:
      return !is_asked ("absent");
    case RVM_UNITS_SYSTEM:
      return !is_asked ("unsaved");
    case RVM_UNITS_REQUEST:
      return is_asked ("refused") ? ENOSPC : emulated ? request () : syscall (SYS_arch_prctl, 0x1023, 18) == 0 ? 0 : errno;
    case RVM_UNITS_PERMISSION:
      return is_asked ("denied") ? 0 : emulated || is_permitted ();
    case RVM_UNITS_DOT_PRODUCTS:
      return is_asked ("dot-products");
  }
  return 0;
}

__attribute__ ((visibility ("default"))) unsigned long rvm_emulator_count_products (void);
unsigned long
rvm_emulator_count_products (void)
{
  return emulated ? atomic_load (&products) : ULONG_MAX;
}

static void __attribute__ ((constructor))
begin (void)
{
  emulated = !has_instructions () || !are_saved ();
}

static void __attribute__ ((destructor))
end (void)
{
  const char *report = getenv ("MATRIX_UNITS_REPORT");
  FILE *file = report ? fopen (report, "a") : NULL;

  if (file) {
    fprintf (file, "%lu\n", rvm_emulator_count_products ());
    fclose (file);
  }
  if (atomic_load (&configured))
    fault ("tiles that were not released");
}
