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

/* Products of bytes, or of halves that are about 1, each with its own sums, so that none is another
 * one again. */
DEVICE_FN void roof_products(const struct roof_args *a, bool is_bf16)
{
    int d[ROOF_PRODUCTS][4], sum = 0;
    float v[ROOF_PRODUCTS][4];
    uint32_t w[4], x[2];
    UNROLL
    for (uint32_t i = 0; i < 4; i++)
        w[i] = 0x3f803f80u + threadIdx.x + i;
    x[0] = x[1] = 0x3f803f80u + blockIdx.x % 64;
    UNROLL
    for (int i = 0; i < 4 * ROOF_PRODUCTS; i++)
        v[i / 4][i % 4] = (float)(d[i / 4][i % 4] = i);
    for (uint32_t n = 0; n < a->n_rounds; n++) {
        UNROLL
        for (int k = 0; k < ROOF_PRODUCTS; k++) {
            if (is_bf16)
                mma_bf16_m16n8k16(v[k], w, x);
            else
                mma_s8_m16n8k32(d[k], w, x);
        }
    }
    UNROLL
    for (int i = 0; i < 4 * ROOF_PRODUCTS; i++)
        sum ^= d[i / 4][i % 4] ^ (int)float_bits(v[i / 4][i % 4]);
    if (sum == 0x12345678)
        *a->out = (uint32_t)sum;
}

KERNEL_BOUNDS(roof_int8, struct roof_args, ROOF_THREADS, 2)
{
    roof_products(&a, false);
}
KERNEL_BOUNDS(roof_bf16, struct roof_args, ROOF_THREADS, 2)
{
    roof_products(&a, true);
}
