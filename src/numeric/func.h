/* func.h - the elementary functions of the exact arithmetic, as programs of rounded operations.
 *
 * docs/arithmetic.md, R1 and R2: only binary32 add, subtract, multiply, conversion, comparison and
 * bit operations, in the order written, each rounded to nearest even. This is the definition; SIMD
 * and GPU code repeats it operation by operation. Arguments are finite; domains are stated.
 * Errors are the largest measured by tests/unit/numeric/test_func.c. */
#ifndef NUMERIC_FUNC_H
#define NUMERIC_FUNC_H

#include <stdint.h>
#include <string.h>

/* Kernels of a GPU include this file too. */
#ifdef __CUDACC__
#define NUM_FN static __device__ __forceinline__
#else
#define NUM_FN static inline
#endif

NUM_FN uint32_t num_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

NUM_FN float num_from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

NUM_FN float num_abs(float x)
{
    return num_from_bits(num_bits(x) & 0x7fffffffu);
}

/* max(a, b) as "a > b ? a : b", which is what vector units do too. */
NUM_FN float num_max(float a, float b)
{
    return a > b ? a : b;
}
NUM_FN float num_min(float a, float b)
{
    return a < b ? a : b;
}

/* Nearest integer, ties to even; |x| <= 2^22. The sum is rounded at the unit's place. */
NUM_FN float num_round(float x)
{
    return x + 0x1.8p23f - 0x1.8p23f;
}

/* Nearest integer, ties to even, as an integer; |x| < 2^31. */
NUM_FN int32_t num_to_int(float x)
{
#ifdef __CUDA_ARCH__
    return __float2int_rn(x);
#else
    return (int32_t)__builtin_lrintf(x);
#endif
}

/* 2^n for -126 <= n <= 127. */
NUM_FN float num_pow2(int n)
{
    return num_from_bits((uint32_t)(n + 127) << 23);
}

/* 2^x: 0 for x < -125.5, so that nothing is subnormal; x <= 127 (larger is taken as 127).
 * exp2(integer) is exact. Error 1.3e-7 of the result. */
NUM_FN float num_exp2(float x)
{
    float n = num_round(num_min(num_max(x, -126.0f), 127.0f));
    float f = num_min(num_max(x, -126.0f), 127.0f) - n;
    float p = 0x1.5bba14p-10f;
    p = p * f + 0x1.3cea88p-7f;
    p = p * f + 0x1.c6b752p-5f;
    p = p * f + 0x1.ebf9bcp-3f;
    p = p * f + 0x1.62e42ap-1f;
    p = p * f + 1.0f;
    return n < -125.0f ? 0.0f : p * num_pow2((int)n);
}

/* log2(x) for normal x > 0. Absolute error 1.2e-7 plus rounding of the result. */
NUM_FN float num_log2(float x)
{
    uint32_t bits = num_bits(x);
    /* Mantissa in [sqrt(1/2), sqrt(2)): subtracting the bits of sqrt(1/2) puts the border there. */
    uint32_t e = (bits - 0x3f3504f3u) & 0xff800000u;
    float t = num_from_bits(bits - e) - 1.0f;
    float p = -0x1.cebec6p-4f;
    p = p * t + 0x1.80ab4ap-3f;
    p = p * t - 0x1.865fecp-3f;
    p = p * t + 0x1.a265f4p-3f;
    p = p * t - 0x1.eac696p-3f;
    p = p * t + 0x1.2782e6p-2f;
    p = p * t - 0x1.715a68p-2f;
    p = p * t + 0x1.ec7080p-2f;
    p = p * t - 0x1.715470p-1f;
    p = p * t + 0x1.715476p+0f;
    return (float)((int32_t)e >> 23) + p * t;
}

/* 1/x for 2^-100 <= |x| <= 2^100. Error 1.2e-7 of the result. */
NUM_FN float num_recip(float x)
{
    float y = num_from_bits(0x7ef311c3u - num_bits(num_abs(x)));
    for (int i = 0; i < 3; i++)
        y = y + y * (1.0f - num_abs(x) * y);
    return num_from_bits(num_bits(y) | (num_bits(x) & 0x80000000u));
}

/* 1/sqrt(x) for 2^-100 <= x <= 2^100. Error 1.5e-7 of the result. */
NUM_FN float num_rsqrt(float x)
{
    float y = num_from_bits(0x5f375a86u - (num_bits(x) >> 1)), half = 0.5f * x;
    for (int i = 0; i < 3; i++)
        y = y * (1.5f - half * y * y);
    return y;
}

/* 1/(1 + 2^(-x log2 e)). Beyond |x| = 60 the argument is taken as +-60. */
NUM_FN float num_sigmoid(float x)
{
    float c = num_min(num_max(x, -60.0f), 60.0f);
    return num_recip(1.0f + num_exp2(c * -0x1.715476p+0f));
}

/* tanh: an odd polynomial below 1/2, above it (1 - e)/(1 + e) with e = exp(-2|x|). */
NUM_FN float num_tanh(float x)
{
    float a = num_abs(x), u = x * x;
    float p = 0x1.1901c4p-6f;
    p = p * u - 0x1.b220f6p-5f;
    p = p * u + 0x1.10e4e4p-3f;
    p = p * u - 0x1.5554a8p-2f;
    p = p * u + 1.0f;
    float e = num_exp2(num_min(a, 20.0f) * -0x1.715476p+1f);
    float big = (1.0f - e) * num_recip(1.0f + e);
    float r = a < 0.5f ? p * a : big;
    return num_from_bits(num_bits(r) | (num_bits(x) & 0x80000000u));
}

/* erf: an odd polynomial below 1/2, above it Abramowitz and Stegun 7.1.26 (1.5e-7 absolute). */
NUM_FN float num_erf(float x)
{
    float a = num_abs(x), u = x * x;
    float p = 0x1.355342p-8f;
    p = p * u - 0x1.b667d6p-6f;
    p = p * u + 0x1.ce2524p-4f;
    p = p * u - 0x1.812732p-2f;
    p = p * u + 0x1.20dd74p+0f;
    float b = num_min(a, 5.0f);
    float t = num_recip(1.0f + 0.3275911f * b);
    float q = 1.061405429f;
    q = q * t - 1.453152027f;
    q = q * t + 1.421413741f;
    q = q * t - 0.284496736f;
    q = q * t + 0.254829592f;
    float big = 1.0f - q * t * num_exp2(b * b * -0x1.715476p+0f);
    float r = a < 0.5f ? p * a : big;
    return num_from_bits(num_bits(r) | (num_bits(x) & 0x80000000u));
}

NUM_FN float num_silu(float x)
{
    return x * num_sigmoid(x);
}

/* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))); the tanh's argument is clamped at +-20. */
NUM_FN float num_gelu_tanh(float x)
{
    float c = num_min(num_max(x, -20.0f), 20.0f);
    float inner = 0x1.988454p-1f * (c + 0.044715f * (c * c * c));
    return 0.5f * x * (1.0f + num_tanh(inner));
}

NUM_FN float num_gelu_erf(float x)
{
    return 0.5f * x * (1.0f + num_erf(x * 0x1.6a09e6p-1f));
}

#endif
