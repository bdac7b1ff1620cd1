/* half.h - binary16 and bfloat16 to and from binary32, by integer definition.
 *
 * Widening is exact, subnormal halves included (each is a normal binary32). A value that would be
 * subnormal in binary32 (a small bfloat16) becomes a zero of its sign: docs/arithmetic.md, R1 and
 * R3. Narrowing rounds to nearest even, overflows to infinity and keeps NaN a (quiet) NaN. */
#ifndef TENSOR_HALF_H
#define TENSOR_HALF_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t f32_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float f32_from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline bool f32_is_finite(float x)
{
    return (f32_bits(x) & 0x7f800000u) != 0x7f800000u;
}

/* A subnormal becomes a zero of its sign, whatever the processor's flushing mode. */
static inline float f32_flush(float x)
{
    uint32_t bits = f32_bits(x);
    return (bits & 0x7f800000u) == 0 ? f32_from_bits(bits & 0x80000000u) : x;
}

static inline float f16_widen(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
    if (exponent == 31)
        return f32_from_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent == 0) {
        if (fraction == 0)
            return f32_from_bits(sign);
        uint32_t shift =
            (uint32_t)__builtin_clz(fraction) - 21; /* brings the leading one to bit 10 */
        exponent = 1 - shift;
        fraction = fraction << shift & 1023;
    }
    return f32_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

static inline uint16_t f16_round(float x)
{
    uint32_t bits = f32_bits(x), sign = bits >> 16 & 0x8000, a = bits & 0x7fffffffu;
    if (a > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00 | (a >> 13 & 0x1ff));
    if (a >= 0x477ff000u) /* 65520, halfway between the largest half and 65536 */
        return (uint16_t)(sign | 0x7c00);
    if (a >= 0x38800000u) /* normal: 2^-14 and up; a carry may move into the exponent */
        return (uint16_t)(sign | (a - 0x38000000u + 0xfff + (a >> 13 & 1)) >> 13);
    if (a <= 0x33000000u) /* at most 2^-25: halfway to the least subnormal rounds to even, zero */
        return (uint16_t)sign;
    uint32_t shift = 126 - (a >> 23), mantissa = (a & 0x7fffffu) | 0x800000u; /* 14..24 */
    uint32_t half = 1u << (shift - 1), odd = mantissa >> shift & 1;
    return (uint16_t)(sign | (mantissa + half - 1 + odd) >> shift);
}

static inline float bf16_widen(uint16_t h)
{
    return f32_flush(f32_from_bits((uint32_t)h << 16));
}

static inline uint16_t bf16_round(float x)
{
    uint32_t bits = f32_bits(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif
