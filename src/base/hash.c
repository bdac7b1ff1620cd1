/* hash.c - SHA-256; the processor's SHA instructions are used where present, with equal results. */
#include "base/hash.h"

#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

#include "base/sha256_rounds.h"

static const uint32_t K[64] = {SHA256_ROUND_CONSTANTS};

static uint32_t ror(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static uint32_t load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void blocks_plain(uint32_t state[8], const uint8_t *p, size_t n_blocks)
{
    for (; n_blocks; n_blocks--, p += 64) {
        uint32_t w[64], s[8];
        for (int i = 0; i < 16; i++)
            w[i] = load_be32(p + 4 * i);
        for (int i = 16; i < 64; i++) {
            uint32_t a = ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3;
            uint32_t b = ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10;
            w[i] = w[i - 16] + a + w[i - 7] + b;
        }
        memcpy(s, state, sizeof s);
        for (int i = 0; i < 64; i++) {
            uint32_t e = ror(s[4], 6) ^ ror(s[4], 11) ^ ror(s[4], 25);
            uint32_t t1 = s[7] + e + ((s[4] & s[5]) ^ (~s[4] & s[6])) + K[i] + w[i];
            uint32_t a = ror(s[0], 2) ^ ror(s[0], 13) ^ ror(s[0], 22);
            uint32_t t2 = a + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
            memmove(s + 1, s, 7 * sizeof s[0]);
            s[4] += t1;
            s[0] = t1 + t2;
        }
        for (int i = 0; i < 8; i++)
            state[i] += s[i];
    }
}

#if defined(__x86_64__)
__attribute__((target("sha,sse4.1,ssse3"))) static void
blocks_shani(uint32_t state[8], const uint8_t *p, size_t n_blocks)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i lo = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
    __m128i hi = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
    __m128i abef = _mm_alignr_epi8(lo, hi, 8), cdgh = _mm_blend_epi16(hi, lo, 0xf0);
    for (; n_blocks; n_blocks--, p += 64) {
        __m128i m[4], abef_in = abef, cdgh_in = cdgh;
        for (int i = 0; i < 4; i++)
            m[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)p + i), swap);
#pragma GCC unroll 16 /* so that m[] is registers */
        for (int i = 0; i < 16; i++) {
            __m128i wk = _mm_add_epi32(m[i & 3], _mm_loadu_si128((const __m128i *)(K + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0e));
            /* Words 4i+16 .. 4i+19 replace the four just used. */
            __m128i t = _mm_sha256msg1_epu32(m[i & 3], m[(i + 1) & 3]);
            t = _mm_add_epi32(t, _mm_alignr_epi8(m[(i + 3) & 3], m[(i + 2) & 3], 4));
            m[i & 3] = _mm_sha256msg2_epu32(t, m[(i + 3) & 3]);
        }
        abef = _mm_add_epi32(abef, abef_in);
        cdgh = _mm_add_epi32(cdgh, cdgh_in);
    }
    lo = _mm_shuffle_epi32(abef, 0x1b);
    hi = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(lo, hi, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(hi, lo, 8));
}

static int have_shani(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1);
}

static void blocks(uint32_t state[8], const uint8_t *p, size_t n_blocks)
{
    static int use_shani = -1; /* racing writers store the same value */
    int use = __atomic_load_n(&use_shani, __ATOMIC_RELAXED);
    if (use < 0)
        __atomic_store_n(&use_shani, use = have_shani(), __ATOMIC_RELAXED);
    if (use)
        blocks_shani(state, p, n_blocks);
    else
        blocks_plain(state, p, n_blocks);
}
#else
static void blocks(uint32_t state[8], const uint8_t *p, size_t n_blocks)
{
    blocks_plain(state, p, n_blocks);
}
#endif

void sha256_init(struct sha256 *h)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(h->state, start, sizeof start);
    h->n_bytes = 0;
}

void sha256_add(struct sha256 *h, const void *bytes, size_t n_bytes)
{
    const uint8_t *p = bytes;
    size_t have = h->n_bytes % 64;
    if (n_bytes == 0)
        return;
    h->n_bytes += n_bytes;
    if (have) {
        size_t n = n_bytes < 64 - have ? n_bytes : 64 - have;
        memcpy(h->block + have, p, n);
        p += n;
        n_bytes -= n;
        if (have + n < 64)
            return;
        blocks(h->state, h->block, 1);
    }
    blocks(h->state, p, n_bytes / 64);
    memcpy(h->block, p + n_bytes / 64 * 64, n_bytes % 64);
}

void sha256_end(struct sha256 *h, uint8_t digest[SHA256_BYTES])
{
    uint64_t n_bits = h->n_bytes * 8;
    uint8_t tail[72] = {0x80};
    size_t n_pad = 64 - (h->n_bytes + 8) % 64;
    for (int i = 0; i < 8; i++)
        tail[n_pad + (size_t)i] = (uint8_t)(n_bits >> (56 - 8 * i));
    sha256_add(h, tail, n_pad + 8);
    for (int i = 0; i < 32; i++)
        digest[i] = (uint8_t)(h->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_of(const void *bytes, size_t n_bytes, uint8_t digest[SHA256_BYTES])
{
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, bytes, n_bytes);
    sha256_end(&h, digest);
}

void hex_of(const uint8_t *bytes, size_t n_bytes, char *out)
{
    for (size_t i = 0; i < n_bytes; i++) {
        out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    out[2 * n_bytes] = 0;
}
