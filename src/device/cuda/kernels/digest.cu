/* digest.cu - SHA-256 of a page's canonical bytes (kv_export), a warp for each layer.
 *
 * The rounds are one chain, which every lane walks alike; what they need of a block, the 64 words
 * of its schedule, is made before, a block of 64 bytes to a lane. */
#include "base/sha256_rounds.h"
#include "device/cuda/kernels/args_attention.h"

enum { SCHEDULE_STRIDE = DIGEST_THREADS + 1 };

DEVICE_TABLE uint32_t round_constants[64] = {SHA256_ROUND_CONSTANTS};

DEVICE_FN uint32_t ror(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

DEVICE_FN uint32_t big_endian(uint32_t x)
{
    return byte_perm(x, 0, 0x0123);
}

/* Word i of the canonical bytes: for each head, for each position: E/2 words of k, E/2 of v, 3
 * scales. */
DEVICE_FN uint32_t canonical_word(const uint8_t *layer, uint32_t e, uint32_t i)
{
    uint32_t n = e + 3, head = i / (KV_PAGE * n), slot = i / n % KV_PAGE, c = i % n;
    const uint8_t *part = layer + head * kv_head_bytes(e);
    if (c < e / 2)
        return *(const uint32_t *)(part + kv_key_at(e, slot, 2 * c));
    if (c < e) {
        uint32_t d = 2 * (c - e / 2);
        return *(const uint16_t *)(part + kv_value_at(e, slot, d)) |
               (uint32_t) * (const uint16_t *)(part + kv_value_at(e, slot, d + 1)) << 16;
    }
    const uint8_t *scales = part + kv_head_bytes(e) - 4 * 3 * KV_PAGE;
    return *(const uint32_t *)(scales + 4 * ((c - e) * KV_PAGE + slot));
}

/* Block b's schedule with the rounds' constants added; block n_blocks is the padding. */
DEVICE_FN void make_schedule(const uint8_t *layer, uint32_t e, uint32_t b, uint32_t n_blocks,
                             uint32_t *schedule)
{
    uint32_t w[16];
    UNROLL
    for (uint32_t i = 0; i < 16; i++) {
        w[i] = i == 0 ? 0x80000000u : i == 15 ? n_blocks << 9 : i == 14 ? n_blocks >> 23 : 0;
        if (b < n_blocks)
            w[i] = big_endian(canonical_word(layer, e, 16 * b + i));
    }
    for (uint32_t i0 = 0; i0 < 64; i0 += 16) {
        UNROLL
        for (uint32_t i = 0; i < 16; i++) {
            if (i0 > 0) {
                uint32_t x = w[(i + 1) % 16], y = w[(i + 14) % 16];
                w[i] += (ror(x, 7) ^ ror(x, 18) ^ x >> 3) + w[(i + 9) % 16] +
                        (ror(y, 17) ^ ror(y, 19) ^ y >> 10);
            }
            schedule[(i0 + i) * SCHEDULE_STRIDE] = w[i] + round_constants[i0 + i];
        }
    }
}

DEVICE_FN void rounds(uint32_t state[8], const uint32_t *schedule)
{
    uint32_t s[8];
    UNROLL
    for (int i = 0; i < 8; i++)
        s[i] = state[i];
    for (int i0 = 0; i0 < 64; i0 += 8) {
        UNROLL
        for (int i = 0; i < 8; i++) { /* a is s[-i], e is s[4 - i] */
            uint32_t a = s[(8 - i) % 8], b = s[(9 - i) % 8], c = s[(10 - i) % 8];
            uint32_t e = s[(12 - i) % 8], f = s[(13 - i) % 8], g = s[(14 - i) % 8];
            uint32_t h = s[(15 - i) % 8] + schedule[(i0 + i) * SCHEDULE_STRIDE] +
                         (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + ((e & f) ^ (~e & g));
            s[(11 - i) % 8] += h;
            s[(15 - i) % 8] =
                h + (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        }
    }
    UNROLL
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

KERNEL_BOUNDS(kv_digest, struct digest_args, DIGEST_THREADS, 1)
{
    SHARED(uint32_t, schedules, 64 * SCHEDULE_STRIDE);
    uint32_t e = a.head_size, lane = threadIdx.x, n_blocks = 4 * a.n_kv_heads * (e + 3);
    const uint8_t *layer = a.page + blockIdx.x * (a.n_kv_heads * kv_head_bytes(e));
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    for (uint32_t b0 = 0; b0 <= n_blocks; b0 += DIGEST_THREADS) {
        if (b0 + lane <= n_blocks)
            make_schedule(layer, e, b0 + lane, n_blocks, schedules + lane);
        __syncwarp();
        for (uint32_t i = 0; i < DIGEST_THREADS && b0 + i <= n_blocks; i++)
            rounds(state, schedules + i);
        __syncwarp();
    }
    UNROLL
    for (uint32_t i = 0; i < 8; i++)
        if (lane == i)
            *(uint32_t *)(a.digests + blockIdx.x * 32 + 4 * i) = big_endian(state[i]);
}
