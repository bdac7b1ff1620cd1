/* host.h - the kernels' vocabulary in plain C, for tests: see tests/lib/cuda_emulate.h.
 *
 * A kernel becomes a function and a row of the section cuda_kernels, found by name. */
#ifndef DEVICE_CUDA_KERNELS_HOST_H
#define DEVICE_CUDA_KERNELS_HOST_H

#include <math.h>
#include <string.h>

#include "tensor/half.h"

struct kernel_entry {
    const char *name;
    void (*entry)(const void *args);
};

struct cuda_dim {
    uint32_t x, y, z;
};
struct cuda_thread {
    struct cuda_dim thread, block, block_dim, grid_dim;
};
/* Of the thread that runs: provided by the emulation. */
extern struct cuda_thread *cuda_thread;
void cuda_sync_block(void);
/* Every lane of the warp gives n_bytes (<= 64) and gets those of all 32. */
const void *cuda_exchange(const void *mine, size_t n_bytes);
enum { CUDA_EXCHANGE_BYTES = 64 };
/* Shared memory of the block, the same for each thread that asks with the same key. */
void *cuda_shared(const void *key, size_t n_bytes);
void *cuda_dynamic_shared(void);

#define threadIdx       cuda_thread->thread
#define blockIdx        cuda_thread->block
#define blockDim        cuda_thread->block_dim
#define gridDim         cuda_thread->grid_dim
#define __syncthreads() cuda_sync_block()
#define __syncwarp()    ((void)cuda_exchange("", 1))
#define __threadfence() ((void)0) /* blocks run one after another */

#define KERNEL(name, args)                                                                         \
    static void name(const args a);                                                                \
    static void name##_entry(const void *p)                                                        \
    {                                                                                              \
        args a;                                                                                    \
        memcpy(&a, p, sizeof a);                                                                   \
        name(a);                                                                                   \
    }                                                                                              \
    static const struct kernel_entry name##_row                                                    \
        __attribute__((section("cuda_kernels"), used, aligned(16))) = {#name, name##_entry};       \
    static void name(const args a)
#define KERNEL_BOUNDS(name, args, threads, blocks) KERNEL(name, args)
#define DEVICE_FN                                  static inline __attribute__((unused))
#define SHARED(type, name, count)                                                                  \
    static const char name##_key;                                                                  \
    type *const name = cuda_shared(&name##_key, sizeof(type) * (count))
#define DYNAMIC_SHARED(type, name) type *const name = cuda_dynamic_shared()
#define UNROLL
#define NO_UNROLL
#define DEVICE_TABLE static const

typedef struct {
    uint32_t x, y, z, w;
} __attribute__((aligned(16))) uint4;
typedef struct {
    uint32_t x, y;
} __attribute__((aligned(8))) uint2;
typedef struct {
    float x, y, z, w;
} __attribute__((aligned(16))) float4;
typedef struct {
    float x, y;
} __attribute__((aligned(8))) float2;

static inline int dp4a(uint32_t x, uint32_t y, int c)
{
    for (int i = 0; i < 32; i += 8)
        c += (int8_t)(x >> i) * (int8_t)(y >> i);
    return c;
}

static inline uint32_t byte_perm(uint32_t x, uint32_t y, uint32_t s)
{
    uint32_t d = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t from = s >> 4 * i & 7;
        uint32_t byte = (from < 4 ? x >> 8 * from : y >> 8 * (from - 4)) & 255;
        d |= (s >> 4 * i & 8 ? (byte >> 7) * 255 : byte) << 8 * i;
    }
    return d;
}

static inline uint32_t shift_left(uint32_t x, uint32_t n)
{
    return x << (n & 31);
}

static inline float half_float(uint32_t h)
{
    return f16_widen((uint16_t)h);
}

static inline uint32_t float_half(float x)
{
    return f16_round(x);
}
static inline float bits_float(uint32_t bits)
{
    return f32_from_bits(bits);
}
static inline uint32_t float_bits(float x)
{
    return f32_bits(x);
}

/* Nothing there: any integer will do, so a large one. */
static inline uint4 load_ahead16(const uint8_t *p, bool is_there)
{
    return is_there ? *(const uint4 *)p : (uint4){0x7f7f7f7f, 0x80808080, 0x7f7f7f7f, 0x80808080};
}
static inline uint4 load_once16(const uint8_t *p, bool is_there)
{
    return load_ahead16(p, is_there);
}
static inline uint2 load_ahead8(const uint8_t *p, bool is_there)
{
    return is_there ? *(const uint2 *)p : (uint2){0x7f7f7f7f, 0x80808080};
}
static inline uint32_t load_ahead4(const uint8_t *p, bool is_there)
{
    return is_there ? *(const uint32_t *)p : 0x7f7f7f7f;
}
static inline uint32_t load_ahead2(const uint8_t *p, bool is_there)
{
    return is_there ? *(const uint16_t *)p : 0x7f7f;
}

static inline uint32_t atomicAdd(uint32_t *p, uint32_t n)
{
    *p += n;
    return *p - n;
}
static inline void add64(uint64_t *p, uint64_t x)
{
    *p += x;
}

static inline uint4 load_ahead16_or_0(const uint8_t *p, bool is_there)
{
    return is_there ? *(const uint4 *)p : (uint4){0, 0, 0, 0};
}
static inline uint4 load_once16_or_0(const uint8_t *p, bool is_there)
{
    return load_ahead16_or_0(p, is_there);
}

static inline void copy_ahead16_or_0(void *shared, const void *from, bool is_there)
{
    *(uint4 *)shared = load_ahead16_or_0(from, is_there);
}
static inline void copy_ahead_commit(void)
{
}
static inline void copy_ahead_wait(int n)
{
    (void)n;
}

static inline uint32_t not_before(uint32_t x)
{
    return x;
}

static inline void prefetch_line(const void *p)
{
    (void)p;
}

static inline uint32_t cuda_shuffle_xor(uint32_t bits, int mask)
{
    uint32_t lane = cuda_thread->thread.x % 32;
    return ((const uint32_t *)cuda_exchange(&bits, sizeof bits))[lane ^ (uint32_t)mask];
}
static inline float cuda_shuffle_xor_float(float x, int mask)
{
    return f32_from_bits(cuda_shuffle_xor(f32_bits(x), mask));
}
static inline int cuda_shuffle_xor_int(int x, int mask)
{
    return (int)cuda_shuffle_xor((uint32_t)x, mask);
}
#define __shfl_xor_sync(all, x, mask)                                                              \
    _Generic((x), float                                                                            \
             : cuda_shuffle_xor_float, int                                                         \
             : cuda_shuffle_xor_int, uint32_t                                                      \
             : cuda_shuffle_xor)(x, mask)

struct mma_parts {
    uint32_t a[4], b[2];
};

/* d[2 h + c] of lane l: row l / 4 + 8 h, column l % 4 * 2 + c. */
static inline void cuda_mma(int d[4], const uint32_t a[4], const uint32_t b[2], bool is_unsigned)
{
    struct mma_parts mine = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
    uint32_t lane = cuda_thread->thread.x % 32;
    const struct mma_parts *all = cuda_exchange(&mine, sizeof mine);
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t w = 0; w < 8; w++) {
            uint32_t row = lane / 4 * 4 + w % 4, column = (lane % 4 * 2 + i % 2) * 4 + w % 4;
            uint32_t x = all[row].a[i / 2 + w / 4 * 2], y = all[column].b[w / 4];
            d[i] = dp4a(x, y, d[i]);
            for (int k = 0; is_unsigned && k < 32; k += 8) /* a byte below 0 is 256 more */
                d[i] += x >> k & 128 ? 256 * (int8_t)(y >> k) : 0;
        }
}
static inline void mma_s8_m16n8k32(int d[4], const uint32_t a[4], const uint32_t b[2])
{
    cuda_mma(d, a, b, false);
}
static inline void mma_u8s8_m16n8k32(int d[4], const uint32_t a[4], const uint32_t b[2])
{
    cuda_mma(d, a, b, true);
}

static inline void mma_s8_m16n8k16(int d[4], const uint32_t a[2], uint32_t b)
{
    mma_s8_m16n8k32(d, (const uint32_t[4]){a[0], a[1], 0, 0}, (const uint32_t[2]){b, 0});
}

/* Products of halves; each is exact in binary32, and added in ascending order of the columns. */
static inline void cuda_mma_halves(float d[4], const uint32_t a[4], const uint32_t b[2],
                                   float (*widen)(uint16_t))
{
    struct mma_parts mine = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
    uint32_t lane = cuda_thread->thread.x % 32;
    const struct mma_parts *all = cuda_exchange(&mine, sizeof mine);
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t k = 0; k < 16; k++) {
            uint32_t row = lane / 4 * 4 + k % 8 / 2,
                     column = (lane % 4 * 2 + i % 2) * 4 + k % 8 / 2;
            uint32_t x = all[row].a[i / 2 + k / 8 * 2], y = all[column].b[k / 8];
            d[i] = d[i] + widen((uint16_t)(x >> k % 2 * 16)) * widen((uint16_t)(y >> k % 2 * 16));
        }
}
static inline void mma_f16_m16n8k16(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    cuda_mma_halves(d, a, b, f16_widen);
}
static inline void mma_bf16_m16n8k16(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    cuda_mma_halves(d, a, b, bf16_widen);
}

#endif
