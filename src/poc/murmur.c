/* murmur.c - hashes to uniform numbers to normal ones. */
#include "poc/murmur.h"

#include "base/check.h"
#include "numeric/func.h"
#include "numeric/rope.h"

static inline uint32_t rotl(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

uint32_t murmur(uint32_t key, uint32_t seed)
{
    uint32_t h = seed ^ rotl(key * 0xcc9e2d51u, 15) * 0x1b873593u;
    h = rotl(h, 13) * 5 + 0xe6546b64u;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

/* sqrt(-2 ln u) of a uniform number u = word / 2^32, at least 1e-10. */
static float radius(uint32_t word)
{
    float u = num_max((float)word * 0x1p-32f, 1e-10f);
    float s = num_log2(u) * -0x1.62e430p+0f; /* -2 ln 2 */
    return s > 0x1p-100f ? s * num_rsqrt(s) : 0.0f; /* u = 1 */
}

/* An integer of 2^-62 to binary32, cut to 30 bits. */
static float cut(int64_t x)
{
    return (float)(int32_t)(x >> 32) * 0x1p-30f;
}

void murmur_normals(uint32_t seed, size_t n, struct pairs pairs, float *out)
{
    size_t n_pairs = pairs_of(n);
    CHECK(n < UINT32_MAX && pairs.begin <= pairs.end && pairs.end <= n_pairs);
    for (size_t i = pairs.begin; i < pairs.end; i++) {
        int64_t sin, cos;
        float r = radius(murmur((uint32_t)i, seed));
        /* The angle is a uniform number of turns: the word, rounded to binary32. */
        turns_sin_cos((uint64_t)(float)murmur((uint32_t)(n_pairs + i), seed) << 32, &sin, &cos);
        out[i] = r * cut(cos);
        if (n_pairs + i < n)
            out[n_pairs + i] = r * cut(sin);
    }
}
