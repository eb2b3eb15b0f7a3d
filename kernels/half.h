/* Conversion between float32 and IEEE half or bfloat16. Rounds to nearest, ties to even. */
#pragma once

#include <glib.h>
#include <string.h>

G_BEGIN_DECLS

static inline float
rvm_half_to_float (guint16 half)
{
  const guint32 magnitude = half & 0x7fff, sign = (guint32) (half & 0x8000) << 16;
  guint32 bits = magnitude << 13;
  float value;

  if (magnitude >= 0x7c00) { /* infinity, NaN */
    bits = sign | bits | 0x7f800000;
    memcpy (&value, &bits, sizeof value);
    return value;
  }
  /* The exponent is 112 too small; multiplication corrects it, for normal and subnormal numbers alike. */
  bits |= sign;
  memcpy (&value, &bits, sizeof value);
  return value * 0x1p112f;
}

static inline guint16
rvm_float_to_half (float value)
{
  guint32 bits, sign;

  memcpy (&bits, &value, sizeof bits);
  sign = bits >> 16 & 0x8000;
  bits &= 0x7fffffff;
  if (bits > 0x7f800000) /* NaN */
    return sign | 0x7e00;
  if (bits >= 0x477ff000) /* 65520 and more round to infinity */
    return sign | 0x7c00;
  if (bits < 0x38800000) { /* subnormal half: float addition rounds to its steps of 2^-24 */
    float magnitude;
    guint32 rounded;
    memcpy (&magnitude, &bits, sizeof magnitude);
    magnitude += 0.5f;
    memcpy (&rounded, &magnitude, sizeof rounded);
    return sign | (rounded - 0x3f000000);
  }
  bits += 0xfff + (bits >> 13 & 1);
  return sign | (bits - 0x38000000) >> 13;
}

static inline float
rvm_bfloat_to_float (guint16 bfloat)
{
  const guint32 bits = (guint32) bfloat << 16;
  float value;

  memcpy (&value, &bits, sizeof value);
  return value;
}

static inline guint16
rvm_float_to_bfloat (float value)
{
  guint32 bits;

  memcpy (&bits, &value, sizeof bits);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return bits >> 16 | 0x40;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

G_END_DECLS
