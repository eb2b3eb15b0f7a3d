/* The tiles of matrix_units.cl by AMX. They are registers, tmm0 to tmm7, and what one statement of assembly puts into one the next statement finds there:
 *
 *                        +-------+-------+
 *                        | tmm6  | tmm7  |     w
 *                        +-------+-------+
 *          +--------+    +-------+-------+
 *      a0  |  tmm4  |    | tmm0  | tmm1  |
 *          +--------+    +-------+-------+
 *      a1  |  tmm5  |    | tmm2  | tmm3  |     sums
 *          +--------+    +-------+-------+
 */

#define MOST_ROWS RVM_UNITS_AMX_ROWS

APART
tiles_configure (uint height)
{
  uchar config[64] __attribute__ ((aligned (64)));

  for (uint i = 0; i < 64; i++)
    config[i] = 0;
  config[0] = 1;
  for (uint i = 0; i < 8; i++) {
    config[16 + 2 * i] = 64;
    config[48 + i] = i < 6 ? height : 16;
  }
  __asm__ volatile ("ldtilecfg (%0)" ::"r"(ADDRESS (config)) : "memory");
}

APART
tiles_release (void)
{
  __asm__ volatile ("tilerelease" ::: "memory");
}

/* sums = a w for two tiles of rows by two of columns, over @steps times 32 of k. @a0, @a1: the tiles' first rows. @b: the first tile of w; @step bytes
 * from the w of one step to that of the next, @beside bytes to the second tile of columns. @sums: rows of @sums_stride bytes; the second tile of rows
 * follows the first. @soon: memory that will be needed, of which @lines cache lines are fetched in each step. @height: of a tile, as configured. */
APART
tiles_multiply (ulong a0, ulong a1, ulong a_stride, ulong b, ulong step, ulong beside, uint steps, ulong sums, ulong sums1, ulong sums_stride, ulong soon,
    uint lines, uint height)
{
  const ulong b_stride = 64;

  __asm__ volatile ("tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero %%tmm3" ::: "memory");
  for (uint s = 0; s < steps; s++, a0 += 64, a1 += 64, b += step) {
    for (uint l = 0; l < lines; l++, soon += 64)
      __asm__ volatile ("prefetcht1 (%0)" ::"r"(soon) : "memory");
    __asm__ volatile ("tileloadd (%3,%5,1), %%tmm6\n\ttileloadd (%0,%2,1), %%tmm4\n\ttdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\t"
        "tileloadd (%4,%5,1), %%tmm7\n\ttdpbf16ps %%tmm7, %%tmm4, %%tmm1\n\t"
        "tileloadd (%1,%2,1), %%tmm5\n\ttdpbf16ps %%tmm6, %%tmm5, %%tmm2\n\ttdpbf16ps %%tmm7, %%tmm5, %%tmm3"
        ::"r"(a0), "r"(a1), "r"(a_stride), "r"(b), "r"(b + beside), "r"(b_stride) : "memory");
  }
  __asm__ volatile ("tilestored %%tmm0, (%0,%2,1)\n\ttilestored %%tmm1, 64(%0,%2,1)\n\ttilestored %%tmm2, (%1,%2,1)\n\ttilestored %%tmm3, 64(%1,%2,1)"
      ::"r"(sums), "r"(sums1), "r"(sums_stride) : "memory");
}
