/* The tiles of matrix_units.cl without AMX: a pair of tiles of rows is multiplied by the bfloat16 dot products of AVX-512, from the same operands. An
 * instruction multiplies a pair of a row, in all lanes of a vector, with the pairs of 16 columns, and adds both products to 16 sums of float32:
 *
 *                             even columns   odd columns
 *                               +------+       +------+
 *             pair of k         | zmm28|       | zmm29|
 *                               +------+       +------+
 *             +-----------+     +------+       +------+
 *      row 0  |zmm30 or 31|     | zmm0 |       | zmm1 |
 *      row 1  |           |     | zmm2 |       | zmm3 |
 *       ...   |           |     |      |       |      |     at most 14 rows
 *             +-----------+     +------+       +------+
 *
 * Registers of vectors are not kept from one call to another in C, so each number of rows is one statement of assembly. */

#define MOST_ROWS RVM_UNITS_AVX512_ROWS

void
tiles_configure (uint height)
{
}

void
tiles_release (void)
{
}

/* Operands: %0 row 0, %1 row 5, %2 row 10, %3 and %4 the tiles of w, %5 steps left, %6 pairs left in a step, by fours, %7 what will be needed soon,
 * %8 sums, %9 and %10 one and three times the distance of rows, %11 that from the end of a tile to the next step's, %12 that of the sums. */
#define ZERO(n) "vpxord %%zmm" #n ", %%zmm" #n ", %%zmm" #n "\n\t"
#define MULTIPLY(at, x, even, odd)                                                                                           \
  "vpbroadcastd " at ", %%zmm" x "\n\tvdpbf16ps %%zmm28, %%zmm" x ", %%zmm" even "\n\tvdpbf16ps %%zmm29, %%zmm" x ", %%zmm" odd "\n\t"
#define STORE(even, odd) "vmovups %%zmm" even ", (%8)\n\tvmovups %%zmm" odd ", 64(%8)\n\tadd %12, %8\n\t"

#define ROWS_1(d) MULTIPLY (d "(%0)", "30", "0", "1")
#define ROWS_2(d) ROWS_1 (d) MULTIPLY (d "(%0,%9,1)", "31", "2", "3")
#define ROWS_3(d) ROWS_2 (d) MULTIPLY (d "(%0,%9,2)", "30", "4", "5")
#define ROWS_4(d) ROWS_3 (d) MULTIPLY (d "(%0,%10,1)", "31", "6", "7")
#define ROWS_5(d) ROWS_4 (d) MULTIPLY (d "(%0,%9,4)", "30", "8", "9")
#define ROWS_6(d) ROWS_5 (d) MULTIPLY (d "(%1)", "31", "10", "11")
#define ROWS_7(d) ROWS_6 (d) MULTIPLY (d "(%1,%9,1)", "30", "12", "13")
#define ROWS_8(d) ROWS_7 (d) MULTIPLY (d "(%1,%9,2)", "31", "14", "15")
#define ROWS_9(d) ROWS_8 (d) MULTIPLY (d "(%1,%10,1)", "30", "16", "17")
#define ROWS_10(d) ROWS_9 (d) MULTIPLY (d "(%1,%9,4)", "31", "18", "19")
#define ROWS_11(d) ROWS_10 (d) MULTIPLY (d "(%2)", "30", "20", "21")
#define ROWS_12(d) ROWS_11 (d) MULTIPLY (d "(%2,%9,1)", "31", "22", "23")
#define ROWS_13(d) ROWS_12 (d) MULTIPLY (d "(%2,%9,2)", "30", "24", "25")
#define ROWS_14(d) ROWS_13 (d) MULTIPLY (d "(%2,%10,1)", "31", "26", "27")

#define ZERO_1 ZERO (0) ZERO (1)
#define ZERO_2 ZERO_1 ZERO (2) ZERO (3)
#define ZERO_3 ZERO_2 ZERO (4) ZERO (5)
#define ZERO_4 ZERO_3 ZERO (6) ZERO (7)
#define ZERO_5 ZERO_4 ZERO (8) ZERO (9)
#define ZERO_6 ZERO_5 ZERO (10) ZERO (11)
#define ZERO_7 ZERO_6 ZERO (12) ZERO (13)
#define ZERO_8 ZERO_7 ZERO (14) ZERO (15)
#define ZERO_9 ZERO_8 ZERO (16) ZERO (17)
#define ZERO_10 ZERO_9 ZERO (18) ZERO (19)
#define ZERO_11 ZERO_10 ZERO (20) ZERO (21)
#define ZERO_12 ZERO_11 ZERO (22) ZERO (23)
#define ZERO_13 ZERO_12 ZERO (24) ZERO (25)
#define ZERO_14 ZERO_13 ZERO (26) ZERO (27)

#define STORE_1 STORE ("0", "1")
#define STORE_2 STORE_1 STORE ("2", "3")
#define STORE_3 STORE_2 STORE ("4", "5")
#define STORE_4 STORE_3 STORE ("6", "7")
#define STORE_5 STORE_4 STORE ("8", "9")
#define STORE_6 STORE_5 STORE ("10", "11")
#define STORE_7 STORE_6 STORE ("12", "13")
#define STORE_8 STORE_7 STORE ("14", "15")
#define STORE_9 STORE_8 STORE ("16", "17")
#define STORE_10 STORE_9 STORE ("18", "19")
#define STORE_11 STORE_10 STORE ("20", "21")
#define STORE_12 STORE_11 STORE ("22", "23")
#define STORE_13 STORE_12 STORE ("24", "25")
#define STORE_14 STORE_13 STORE ("26", "27")

#define PAIR(h, a, w, next)                                                                                                  \
  "vmovups " w "(%3), %%zmm28\n\tvmovups " w "(%4), %%zmm29\n\tprefetcht0 " next "(%3,%11,1)\n\tprefetcht0 " next "(%4,%11,1)\n\t" ROWS_##h (a)

#define HEIGHT(h)                                                                                                            \
  case h:                                                                                                                    \
    __asm__ volatile (ZERO_##h "1:\n\tmov $4, %6\n\t2:\n\tprefetcht1 (%7)\n\tadd $64, %7\n\t" PAIR (h, "0", "0", "1024")     \
        PAIR (h, "4", "64", "1088") PAIR (h, "8", "128", "1152") PAIR (h, "12", "192", "1216")                               \
        "add $16, %0\n\tadd $16, %1\n\tadd $16, %2\n\tadd $256, %3\n\tadd $256, %4\n\tdec %6\n\tjnz 2b\n\t"                  \
        "add %11, %3\n\tadd %11, %4\n\tdec %5\n\tjnz 1b\n\t" STORE_##h                                                       \
        : "+r"(a), "+r"(a5), "+r"(a10), "+r"(even), "+r"(odd), "+r"(left), "=&r"(fours), "+r"(soon), "+r"(sums)              \
        : "r"(a_stride), "r"(a_stride3), "r"(to_next), "r"(sums_stride)                                                      \
        : "memory", "cc");                                                                                                   \
    break

/* One tile of rows. @soon: fetched from on, a line for four pairs. */
APART
rows_multiply (ulong a, ulong a_stride, ulong even, ulong odd, ulong to_next, ulong left, ulong sums, ulong sums_stride, ulong soon, uint height)
{
  const ulong a_stride3 = 3 * a_stride;
  ulong a5 = a + 5 * a_stride, a10 = a5 + 5 * a_stride, fours;

  switch (height) {
    HEIGHT (1);
    HEIGHT (2);
    HEIGHT (3);
    HEIGHT (4);
    HEIGHT (5);
    HEIGHT (6);
    HEIGHT (7);
    HEIGHT (8);
    HEIGHT (9);
    HEIGHT (10);
    HEIGHT (11);
    HEIGHT (12);
    HEIGHT (13);
    HEIGHT (14);
  }
}

/* A tile of more rows, which other kernels have, is two. */
void
tile_multiply (ulong a, ulong a_stride, ulong b, ulong step, ulong beside, uint steps, ulong sums, ulong sums_stride, ulong soon, uint height)
{
  const uint first = height > MOST_ROWS ? height / 2 : height;

  rows_multiply (a, a_stride, b, b + beside, step - 2 * TILE, steps, sums, sums_stride, soon, first);
  if (first < height)
    rows_multiply (a + first * a_stride, a_stride, b, b + beside, step - 2 * TILE, steps, sums + first * sums_stride, sums_stride, soon, height - first);
}

/* See units_amx.cl. */
void
tiles_multiply (ulong a0, ulong a1, ulong a_stride, ulong b, ulong step, ulong beside, uint steps, ulong sums, ulong sums1, ulong sums_stride, ulong soon,
    uint lines, uint height)
{
  const ulong first = lines ? soon : b, second = lines ? soon + (ulong) steps * 256 : b; /* a tile fetches 256 bytes in each step */

  tile_multiply (a0, a_stride, b, step, beside, steps, sums, sums_stride, first, height);
  tile_multiply (a1, a_stride, b, step, beside, steps, sums1, sums_stride, second, height);
}
