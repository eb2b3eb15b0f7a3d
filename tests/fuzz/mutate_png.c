/* In three of four inputs the checksums of a PNG's chunks are right. */
#include "fuzz.h"

#include <zlib.h>

#define SIGNATURE 8
#define FRAME 12 /* length, type, checksum */

gsize
LLVMFuzzerCustomMutator (guint8 *data, gsize size, gsize max_size, unsigned int seed)
{
  gsize at = SIGNATURE;

  size = LLVMFuzzerMutate (data, size, max_size);
  while (seed % 4 != 0 && size >= FRAME && at <= size - FRAME) {
    const gsize length = (gsize) data[at] << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3];
    guint32 sum;

    if (length > size - FRAME - at)
      break;
    sum = crc32 (0, data + at + 4, length + 4);
    for (guint i = 0; i < 4; i++)
      data[at + 8 + length + i] = sum >> (24 - 8 * i);
    at += FRAME + length;
  }
  return size;
}
