/* roof.cu - what a card can do: how fast it reads, and how fast its tensor cores multiply by the
 * instructions that our products use. No model needs these kernels; a measurement stands beside
 * them (tools/gpu_check.sh). */
#include "device/cuda/kernels/args_roof.h"

KERNEL_BOUNDS(roof_read, struct roof_args, ROOF_THREADS, 4)
{
    enum { AHEAD = 8 };
    uint32_t sum = 0, n_threads = gridDim.x * ROOF_THREADS;
    uint64_t i = blockIdx.x * ROOF_THREADS + threadIdx.x;
    for (; i + (AHEAD - 1) * (uint64_t)n_threads < a.n_words; i += AHEAD * (uint64_t)n_threads) {
        uint4 v[AHEAD];
        UNROLL
        for (int k = 0; k < AHEAD; k++)
            v[k] = load_once16(a.bytes + 16 * (i + k * (uint64_t)n_threads), true);
        UNROLL
        for (int k = 0; k < AHEAD; k++)
            sum += v[k].x ^ v[k].y ^ v[k].z ^ v[k].w;
    }
    if (sum == 0x12345678u) /* as good as never, which no compiler knows */
        *a.out = sum;
}

KERNEL_BOUNDS(roof_int8, struct roof_args, ROOF_THREADS, 2)
{
    int d[ROOF_PRODUCTS][4];
    uint32_t w[4], x[2];
    UNROLL
    for (int i = 0; i < 4; i++)
        w[i] = threadIdx.x * 0x01010101u + (uint32_t)i;
    x[0] = blockIdx.x;
    x[1] = threadIdx.x;
    UNROLL
    for (int k = 0; k < ROOF_PRODUCTS; k++)
        d[k][0] = d[k][1] = d[k][2] = d[k][3] = 0;
    for (uint32_t n = 0; n < a.n_rounds; n++) {
        UNROLL
        for (int k = 0; k < ROOF_PRODUCTS; k++)
            mma_s8_m16n8k32(d[k], w, x);
    }
    int sum = 0;
    UNROLL
    for (int k = 0; k < ROOF_PRODUCTS; k++)
        sum ^= d[k][0] ^ d[k][1] ^ d[k][2] ^ d[k][3];
    if (sum == 0x12345678)
        *a.out = (uint32_t)sum;
}

/* d[16x8] += w[16x16] x[16x8] in BF16 with sums in binary32; nothing on cards before 8.0. Only its
 * time is wanted: the emulation leaves it out. */
DEVICE_FN void multiply_bf16(float d[4], const uint32_t w[4], const uint32_t x[2])
{
#if defined __CUDA_ARCH__ && __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, "
                 "{%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(w[0]), "r"(w[1]), "r"(w[2]), "r"(w[3]), "r"(x[0]), "r"(x[1]));
#else
    (void)d, (void)w, (void)x;
#endif
}

KERNEL_BOUNDS(roof_bf16, struct roof_args, ROOF_THREADS, 2)
{
    float d[ROOF_PRODUCTS][4];
    uint32_t w[4], x[2];
    UNROLL
    for (int i = 0; i < 4; i++)
        w[i] = 0x3f803f80u + threadIdx.x; /* about 1 */
    x[0] = x[1] = 0x3f803f80u + blockIdx.x % 64;
    UNROLL
    for (int k = 0; k < ROOF_PRODUCTS; k++)
        d[k][0] = d[k][1] = d[k][2] = d[k][3] = 0;
    for (uint32_t n = 0; n < a.n_rounds; n++) {
        UNROLL
        for (int k = 0; k < ROOF_PRODUCTS; k++)
            multiply_bf16(d[k], w, x);
    }
    float sum = 0;
    UNROLL
    for (int k = 0; k < ROOF_PRODUCTS; k++)
        sum += d[k][0] + d[k][1] + d[k][2] + d[k][3];
    if (sum == 12345.678f)
        *a.out = 1;
}
