/* quantize.cu - rows of activations to int8 (docs/arithmetic.md, "Activations").
 *
 * A block of threads has one row: all of it is looked at first, since one bad value empties it;
 * then a warp quantises 256 columns at a time, 8 neighbours per lane, 4 lanes per group of 32. Rows
 * that only fill up a tile are written as zeros. Up to 1,024 threads, so that a row of 8,192
 * is one step: it is read twice, the second time from the first cache. */
#include "device/cuda/kernels/args_matmul.h"
#include "numeric/func.h"

enum { QUANTIZE_THREADS_MAX = 1024 };

DEVICE_FN void load_row8(const struct quantize_args *a, const float *x, float v[8])
{
    if (a->is_aligned) {
        float4 p = ((const float4 *)x)[0], q = ((const float4 *)x)[1];
        v[0] = p.x, v[1] = p.y, v[2] = p.z, v[3] = p.w;
        v[4] = q.x, v[5] = q.y, v[6] = q.z, v[7] = q.w;
        return;
    }
    UNROLL
    for (int i = 0; i < 8; i++)
        v[i] = x[i];
}

DEVICE_FN float largest8(const float v[8])
{
    float a = 0;
    UNROLL
    for (int i = 0; i < 8; i++)
        a = num_max(num_abs(v[i]), a);
    return a;
}

/* Whether this row exists and all its values are finite and below 2^80; the bad are marked. */
DEVICE_FN bool row_is_good(const struct quantize_args *a, uint32_t t)
{
    SHARED(uint32_t, bad, 1);
    if (t >= a->n_rows)
        return false;
    if (threadIdx.x == 0)
        bad[0] = 0;
    __syncthreads();
    const float *x = a->x + t * a->stride;
    for (uint32_t i = threadIdx.x; i < a->n_cols; i += blockDim.x)
        if (!(num_abs(x[i]) < 0x1p80f))
            bad[0] = 1;
    __syncthreads();
    if (bad[0] && threadIdx.x == 0)
        a->bad[t] = 1;
    return !bad[0];
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
    uint8_t *q = tile + g * ACTS_GROUP + row * 32 + word_place(lane % 4);
    *(uint32_t *)q = q0;
    *(uint32_t *)(q + 8) = q1;
    int sum16 = (int)((uint32_t)(sum + __shfl_xor_sync(~0u, sum, 1)) << shift);
    if (lane % 2 == 0) {
        int low = (int8_t)sum16;
        tile[ACTS_LOW + row * 16 + lane / 2] = (uint8_t)low;
        tile[ACTS_HIGH + row * 16 + lane / 2] = (uint8_t)((sum16 - low) / 256);
    }
    uint32_t shifts = (uint32_t)shift << 4 * g;
    UNROLL
    for (int i = 4; i < 32; i *= 2)
        shifts |= __shfl_xor_sync(~0u, shifts, i);
    if (lane == 0) {
        *(uint32_t *)(tile + ACTS_SHIFTS + row * 4) = shifts;
        *(float *)(tile + ACTS_D + row * 4) = tiny ? 0 : a * 0x1.020408p-10f; /* 1/1016 */
    }
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

DEVICE_FN void quantize_row(const struct quantize_args *a, bool by_256)
{
    uint32_t t = blockIdx.x, n_blocks = (a->n_cols + 255) / 256, lane = threadIdx.x % 32;
    bool good = row_is_good(a, t);
    uint64_t tile_bytes = acts_tile_bytes(by_256, a->n_cols / 32), step = tile_bytes / n_blocks;
    for (uint32_t b = threadIdx.x / 32; b < n_blocks; b += blockDim.x / 32) {
        uint32_t column = b * 256 + lane * 8;
        float v[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        if (good && column < a->n_cols)
            load_row8(a, a->x + t * a->stride + column, v);
        uint8_t *tile = a->acts + t / ACTS_ROWS * tile_bytes + b * step;
        if (by_256)
            quantize_256_warp(v, tile, t % ACTS_ROWS);
        else
            quantize_32_warp(v, tile, t % ACTS_ROWS);
    }
}

KERNEL_BOUNDS(quantize_256, struct quantize_args, QUANTIZE_THREADS_MAX, 1)
{
    quantize_row(&a, true);
}

KERNEL_BOUNDS(quantize_32, struct quantize_args, QUANTIZE_THREADS_MAX, 1)
{
    quantize_row(&a, false);
}

/* Rows for F32, F16 and BF16 matrices: a copy, or zeros. */
KERNEL_BOUNDS(quantize_plain, struct quantize_args, QUANTIZE_THREADS_MAX, 1)
{
    uint32_t t = blockIdx.x;
    bool good = row_is_good(&a, t);
    float *to = (float *)a.acts + (uint64_t)t * a.n_cols;
    for (uint32_t i = threadIdx.x; t < a.n_rows && i < a.n_cols; i += blockDim.x)
        to[i] = good ? a.x[t * a.stride + i] : 0.0f;
}
