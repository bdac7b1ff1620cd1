/* quantize.h - rows of activations to int8 (docs/arithmetic.md, "Activations"), for the kernels
 * that end with it: a warp has 256 columns at a time, 8 neighbours per lane, 4 lanes per group of
 * 32. */
#ifndef DEVICE_CUDA_KERNELS_QUANTIZE_H
#define DEVICE_CUDA_KERNELS_QUANTIZE_H

#include "device/cuda/kernels/args_rows.h"
#include "device/cuda/kernels/formats.h"
#include "device/kv_page.h"
#include "numeric/func.h"

/* The columns from `at` on of a row of n, 0 behind its end. */
DEVICE_FN void load8(const float *x, uint32_t at, uint32_t n, bool is_aligned, float v[8])
{
    if (is_aligned && at + 8 <= n) {
        float4 p = ((const float4 *)(x + at))[0], q = ((const float4 *)(x + at))[1];
        v[0] = p.x, v[1] = p.y, v[2] = p.z, v[3] = p.w;
        v[4] = q.x, v[5] = q.y, v[6] = q.z, v[7] = q.w;
        return;
    }
    UNROLL
    for (uint32_t i = 0; i < 8; i++)
        v[i] = at + i < n ? x[at + i] : 0.0f;
}

DEVICE_FN void store8(float *y, uint32_t at, uint32_t n, bool is_aligned, const float v[8])
{
    if (is_aligned && at + 8 <= n) {
        float4 p = {v[0], v[1], v[2], v[3]}, q = {v[4], v[5], v[6], v[7]};
        ((float4 *)(y + at))[0] = p;
        ((float4 *)(y + at))[1] = q;
        return;
    }
    UNROLL
    for (uint32_t i = 0; i < 8; i++)
        if (at + i < n)
            y[at + i] = v[i];
}

DEVICE_FN float largest8(const float v[8])
{
    float a = 0;
    UNROLL
    for (int i = 0; i < 8; i++)
        a = num_max(num_abs(v[i]), a);
    return a;
}

/* Whether one of them makes its row bad. */
DEVICE_FN bool any_bad8(const float v[8])
{
    bool bad = false;
    UNROLL
    for (int i = 0; i < 8; i++)
        bad = bad || !(num_abs(v[i]) < NUM_LIMIT);
    return bad;
}

/* Four quantised values as the bytes of a word. */
DEVICE_FN uint32_t quantize4(const float *v, float inverse, float scale, int *sum)
{
    uint32_t word = 0;
    UNROLL
    for (int i = 0; i < 4; i++) {
        float y = v[i] * inverse * scale;
        int q = num_to_int(num_min(num_max(y, -127.0f), 127.0f));
        word |= ((uint32_t)q & 255) << 8 * i;
        *sum += q;
    }
    return word;
}

/* Where the words of lane l (of 4 per group) go in the order 0 4 1 5 2 6 3 7: here, and 8 bytes on.
 */
DEVICE_FN uint32_t word_place(uint32_t l)
{
    return l < 2 ? 16 * l : 16 * (l - 2) + 4;
}

DEVICE_FN void quantize_256_warp(const float v[8], uint8_t *tile, uint32_t row)
{
    uint32_t lane = threadIdx.x % 32, g = lane / 4;
    float part = largest8(v);
    part = num_max(__shfl_xor_sync(~0u, part, 1), part);
    part = num_max(__shfl_xor_sync(~0u, part, 2), part);
    float a = part;
    UNROLL
    for (int i = 4; i < 32; i *= 2)
        a = num_max(__shfl_xor_sync(~0u, a, i), a);
    bool tiny = a < 0x1p-60f;
    float inverse = tiny ? 0 : num_recip(a) * 1016.0f;
    int shift = part * 8.0f <= a ? 0 : part * 4.0f <= a ? 1 : part * 2.0f <= a ? 2 : 3, sum = 0;
    uint32_t q0 = 0, q1 = 0;
    if (tiny)
        shift = 0;
    else {
        q0 = quantize4(v, inverse, num_pow2(-shift), &sum);
        q1 = quantize4(v + 4, inverse, num_pow2(-shift), &sum);
    }
    uint8_t *q = tile + acts_group(g) + row * 32 + word_place(lane % 4), *tail = tile + ACTS_TAIL;
    *(uint32_t *)q = q0;
    *(uint32_t *)(q + 8) = q1;
    int sum16 = (int)((uint32_t)(sum + __shfl_xor_sync(~0u, sum, 1)) << shift);
    if (lane % 2 == 0) {
        int low = (int8_t)sum16;
        tail[ACTS_LOW + row * 16 + lane / 2] = (uint8_t)low;
        tail[ACTS_HIGH + row * 16 + lane / 2] = (uint8_t)((sum16 - low) / 256);
    }
    uint32_t shifts = (uint32_t)shift << 8 * (g % 4);
    shifts |= __shfl_xor_sync(~0u, shifts, 4);
    shifts |= __shfl_xor_sync(~0u, shifts, 8);
    if (lane % 16 == 0)
        *(uint32_t *)(tile + lane / 16 * ACTS_HALF + ACTS_SHIFTS + row * 4) = shifts;
    if (lane == 0)
        *(float *)(tail + ACTS_D + row * 4) = tiny ? 0 : a * 0x1.020408p-10f; /* 1/1016 */
}

DEVICE_FN void quantize_32_warp(const float v[8], uint8_t *tile, uint32_t row)
{
    uint32_t lane = threadIdx.x % 32;
    float a = largest8(v);
    a = num_max(__shfl_xor_sync(~0u, a, 1), a);
    a = num_max(__shfl_xor_sync(~0u, a, 2), a);
    bool tiny = a < 0x1p-60f;
    uint32_t q0 = 0, q1 = 0;
    int sum = 0;
    if (!tiny) {
        float inverse = num_recip(a) * 127.0f;
        q0 = quantize4(v, inverse, 1.0f, &sum);
        q1 = quantize4(v + 4, inverse, 1.0f, &sum);
    }
    sum += __shfl_xor_sync(~0u, sum, 1);
    sum += __shfl_xor_sync(~0u, sum, 2);
    uint8_t *group = tile + lane / 4 * ACTS32_BYTES;
    uint8_t *q = group + row * 32 + word_place(lane % 4);
    *(uint32_t *)q = q0;
    *(uint32_t *)(q + 8) = q1;
    if (lane % 4 == 0) {
        *(int *)(group + ACTS32_SUM + row * 4) = sum;
        *(float *)(group + ACTS32_D + row * 4) = tiny ? 0 : a * 0x1.020408p-7f; /* 1/127 */
    }
}

/* Columns [256 b, 256 b + 256) of row t in every kind that is wanted, by a warp: lane l has 8 from
 * 256 b + 8 l on. */
DEVICE_FN void acts_write(const struct acts_args *a, uint32_t t, uint32_t b, const float v[8])
{
    uint32_t n_blocks = (a->n_cols + BLOCK_COLS - 1) / BLOCK_COLS;
    for (int by_256 = 0; by_256 < 2; by_256++) {
        uint64_t tile_bytes = acts_tile_bytes(by_256, a->n_cols / 32), step = tile_bytes / n_blocks;
        uint64_t at = t / ACTS_ROWS * tile_bytes + b * step;
        if (by_256 && a->q256)
            quantize_256_warp(v, a->q256 + at, t % ACTS_ROWS);
        if (!by_256 && a->q32)
            quantize_32_warp(v, a->q32 + at, t % ACTS_ROWS);
    }
    if (a->plain && t < a->n_rows)
        store8(a->plain + (uint64_t)t * a->n_cols, b * BLOCK_COLS + threadIdx.x % 32 * 8, a->n_cols,
               a->n_cols % 4 == 0, v);
}

/* A row that is bad, or is none: all of it zero, by a block. */
DEVICE_FN void acts_zero(const struct acts_args *a, uint32_t t)
{
    const float zeros[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (uint32_t b = threadIdx.x / 32; b * BLOCK_COLS < a->n_cols; b += blockDim.x / 32)
        acts_write(a, t, b, zeros);
}

/* Whether any thread of the block says so; all of it comes here, once. */
DEVICE_FN bool block_any(bool mine)
{
    SHARED(uint32_t, any, 1);
    if (threadIdx.x == 0)
        any[0] = 0;
    __syncthreads();
    if (mine)
        any[0] = 1;
    __syncthreads();
    return any[0] != 0;
}

#endif
