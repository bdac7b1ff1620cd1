/* fixed.c - a small floating point of integers. */
#include "numeric/fixed.h"

#include <string.h>

#include "base/check.h"
#include "numeric/func.h"

__extension__ typedef unsigned __int128 u128;

static const struct fx zero = {0, 0, 1};

/* Value m * 2^exponent, normalised; bits below the 64 kept are dropped. */
static struct fx pack(u128 m, int32_t exponent, int32_t sign)
{
    if (m == 0)
        return zero;
    uint64_t hi = (uint64_t)(m >> 64);
    int n_bits = hi ? 128 - __builtin_clzll(hi) : 64 - __builtin_clzll((uint64_t)m);
    int shift = n_bits - 64;
    m = shift >= 0 ? m >> shift : m << -shift;
    return (struct fx){(uint64_t)m, exponent + shift, sign};
}

struct fx fx_int(int64_t v)
{
    return pack(v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 0, v < 0 ? -1 : 1);
}

struct fx fx_f64(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7ff);
    uint64_t fraction = bits & 0xfffffffffffffu;
    CHECK(exponent != 0x7ff);
    if (exponent == 0)
        return pack(fraction, -1074, bits >> 63 ? -1 : 1);
    return pack(fraction | 1ull << 52, exponent - 1075, bits >> 63 ? -1 : 1);
}

struct fx fx_neg(struct fx a)
{
    if (a.mantissa)
        a.sign = -a.sign;
    return a;
}

/* |a| against |b|. */
static int cmp_magnitude(struct fx a, struct fx b)
{
    if (!a.mantissa || !b.mantissa)
        return (a.mantissa != 0) - (b.mantissa != 0);
    if (a.exponent != b.exponent)
        return a.exponent > b.exponent ? 1 : -1;
    return (a.mantissa > b.mantissa) - (a.mantissa < b.mantissa);
}

int fx_cmp(struct fx a, struct fx b)
{
    struct fx d = fx_sub(a, b);
    return d.mantissa == 0 ? 0 : d.sign;
}

struct fx fx_add(struct fx a, struct fx b)
{
    if (cmp_magnitude(a, b) < 0) {
        struct fx t = a;
        a = b;
        b = t;
    }
    if (!b.mantissa || a.exponent - b.exponent > 63)
        return a;
    /* a sits 62 bits up, so neither the sum nor b's low bits leave the 128. */
    u128 high = (u128)a.mantissa << 62, low = (u128)b.mantissa << 62 >> (a.exponent - b.exponent);
    return pack(a.sign == b.sign ? high + low : high - low, a.exponent - 62, a.sign);
}

struct fx fx_sub(struct fx a, struct fx b)
{
    return fx_add(a, fx_neg(b));
}

struct fx fx_mul(struct fx a, struct fx b)
{
    return pack((u128)a.mantissa * b.mantissa, a.exponent + b.exponent, a.sign * b.sign);
}

struct fx fx_div(struct fx a, struct fx b)
{
    CHECK(b.mantissa != 0);
    if (!a.mantissa)
        return zero;
    /* Two digits of 63 bits: enough for the 64 kept. */
    u128 top = (u128)a.mantissa << 63;
    uint64_t q1 = (uint64_t)(top / b.mantissa), r1 = (uint64_t)(top % b.mantissa);
    uint64_t q2 = (uint64_t)(((u128)r1 << 63) / b.mantissa);
    return pack(((u128)q1 << 63) + q2, a.exponent - b.exponent - 126, a.sign * b.sign);
}

struct fx fx_sqrt(struct fx a)
{
    CHECK(a.sign > 0);
    if (!a.mantissa)
        return zero;
    int odd = a.exponent & 1;
    u128 x = (u128)a.mantissa << (63 - (odd ? 0 : 1)), root = 0;
    int32_t exponent = a.exponent - (63 - (odd ? 0 : 1));
    for (int bit = 63; bit >= 0; bit--) {
        u128 next = root | (u128)1 << bit;
        if (next * next <= x)
            root = next;
    }
    return pack(root, exponent / 2, 1);
}

struct fx fx_log2(struct fx a)
{
    CHECK(a.sign > 0 && a.mantissa);
    /* a = m 2^e with m in [1, 2); squaring m shifts the next binary digit of log2 m out. */
    int64_t e = (int64_t)a.exponent + 63;
    uint64_t m = a.mantissa, fraction = 0;
    for (int i = 0; i < 62; i++) {
        u128 square = (u128)m * m; /* m / 2^63 in [1, 2): square / 2^126 in [1, 4) */
        int digit = (int)(square >> 127);
        m = (uint64_t)(square >> (63 + digit));
        fraction = fraction << 1 | (uint64_t)digit;
    }
    return fx_add(fx_int(e), pack(fraction, -62, 1));
}

struct fx fx_exp2(struct fx a)
{
    /* a = n + f, 0 <= f < 1; 2^f is the product of 2^(2^-k) over the binary digits of f. */
    struct fx magnitude = a;
    magnitude.sign = 1;
    int64_t n = 0;
    uint64_t fraction = fx_to_turns(magnitude);
    if (a.mantissa && a.exponent > -64) {
        CHECK(a.exponent < -43);
        n = (int64_t)(a.mantissa >> -a.exponent);
    }
    if (a.sign < 0) {
        n = -n - (fraction != 0);
        fraction = 0 - fraction;
    }
    struct fx result = fx_int(1), root = fx_int(2);
    for (int k = 1; k <= 64; k++) {
        root = fx_sqrt(root);
        if (fraction >> (64 - k) & 1)
            result = fx_mul(result, root);
    }
    result.exponent += (int32_t)n;
    return result;
}

struct fx fx_pow(struct fx a, struct fx b)
{
    return fx_exp2(fx_mul(b, fx_log2(a)));
}

struct fx fx_pi(void)
{
    return (struct fx){0xc90fdaa22168c234u, -62, 1};
}

float fx_to_f32(struct fx a)
{
    if (!a.mantissa)
        return 0.0f;
    uint64_t kept = a.mantissa >> 40, rest = a.mantissa << 24;
    int32_t exponent = a.exponent + 40; /* value = kept * 2^exponent, kept in [2^23, 2^24) */
    kept += rest > 1ull << 63 || (rest == 1ull << 63 && (kept & 1));
    if (kept >> 24) {
        kept >>= 1;
        exponent++;
    }
    CHECK(exponent <= 104);
    if (exponent < -149)
        return 0.0f;
    uint32_t bits = (uint32_t)(exponent + 150) << 23 | ((uint32_t)kept & 0x7fffffu);
    return num_from_bits(bits | (a.sign < 0 ? 0x80000000u : 0));
}

double fx_to_f64(struct fx a)
{
    if (!a.mantissa || a.exponent + 63 < -1022)
        return 0.0;
    CHECK(a.exponent + 63 <= 1023);
    uint64_t bits =
        (uint64_t)(a.exponent + 63 + 1023) << 52 | (a.mantissa >> 11 & 0xfffffffffffffu);
    bits |= a.sign < 0 ? 1ull << 63 : 0;
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

uint64_t fx_to_turns(struct fx a)
{
    CHECK(a.sign > 0);
    int shift = a.exponent + 64; /* of the mantissa, in units of 2^-64 */
    if (!a.mantissa || shift <= -64)
        return 0;
    CHECK(shift < 64);
    return shift >= 0 ? a.mantissa << shift : a.mantissa >> -shift;
}
