/* heads.h - one head's vector by a warp: Hadamard, then 12-bit integers with a scale. */
#ifndef DEVICE_CUDA_KERNELS_HEADS_H
#define DEVICE_CUDA_KERNELS_HEADS_H

#include "device/cuda/kernels/args_attention.h"

DEVICE_FN float warp_max(float x)
{
    UNROLL
    for (int s = 16; s > 0; s /= 2)
        x = num_max(__shfl_xor_sync(~0u, x, s), x);
    return x;
}

DEVICE_FN uint32_t warp_add(uint32_t x)
{
    UNROLL
    for (int s = 16; s > 0; s /= 2)
        x += __shfl_xor_sync(~0u, x, s);
    return x;
}

/* x [n] is shared, the warp's own: written by it before, seen by all of it after. */
DEVICE_FN void warp_hadamard(float *x, uint32_t n)
{
    uint32_t size = hadamard_size(n);
    __syncwarp();
    for (uint32_t h = 1; h < size; h *= 2) {
        for (uint32_t p = threadIdx.x % 32; p < n / 2; p += 32) {
            uint32_t i = p / h * 2 * h + p % h;
            float a = x[i], b = x[i + h];
            x[i] = a + b;
            x[i + h] = a - b;
        }
        __syncwarp();
    }
}

/* The largest magnitude, an infinity where one is not below NUM_LIMIT. */
DEVICE_FN float warp_largest(const float *x, uint32_t n)
{
    float a = 0;
    for (uint32_t i = threadIdx.x % 32; i < n; i += 32) {
        float v = num_abs(x[i]);
        a = v < NUM_LIMIT ? num_max(v, a) : num_from_bits(0x7f800000u);
    }
    return warp_max(a);
}

/* What values are multiplied by to become levels; 0: all are zeros, and so is the scale. */
DEVICE_FN float levels_per(float largest)
{
    return largest < NUM_LIMIT && !(largest < NUM_TINY) ? num_recip(largest) * (float)HEAD_LEVELS
                                                        : 0.0f;
}

DEVICE_FN int level_of(float x, float per)
{
    return per == 0.0f
               ? 0
               : num_to_int(num_min(num_max(x * per, -(float)HEAD_LEVELS), (float)HEAD_LEVELS));
}

/* Two integers in two planes of bytes: the low `bits` of each, then what is above. */
DEVICE_FN uint32_t planes_of(int x, int y, int bits)
{
    int mask = (1 << bits) - 1;
    return (uint32_t)(x & mask) | (uint32_t)(y & mask) << 8 | (uint32_t)(x >> bits & 255) << 16 |
           (uint32_t)(y >> bits & 255) << 24;
}

#endif
