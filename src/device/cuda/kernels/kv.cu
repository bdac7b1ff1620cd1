/* kv.cu - heads of queries and keys normed and rotated; keys and values into their page. */
#include "device/cuda/kernels/heads.h"
#include "device/cuda/kernels/lanes.h"

DEVICE_FN void *page_of(const struct kv_row *row)
{
    return row->pages[row->position / KV_PAGE];
}

DEVICE_FN bool same_page(const struct kv_row *a, const struct kv_row *b)
{
    return a->position / KV_PAGE == b->position / KV_PAGE && page_of(a) == page_of(b);
}

/* RMSNorm of x [n], the warp's own, by w. */
DEVICE_FN void warp_norm(float *x, const float *w, uint32_t n, float eps)
{
    uint32_t lane = threadIdx.x % 32;
    float sums[LANE_PARTS];
    UNROLL
    for (uint32_t k = 0; k < LANE_PARTS; k++) {
        uint32_t i = lane + 32 * k, j = i + LANES;
        float a = i < n ? x[i] : 0.0f, b = j < n ? x[j] : 0.0f;
        sums[k] = 0.0f + a * a + b * b;
    }
    float r = num_rsqrt(lanes_fold(sums) * num_recip((float)n) + eps);
    for (uint32_t i = lane; i < n; i += 32)
        x[i] = x[i] * r * w[i];
    __syncwarp();
}

/* A head of row t, to x [E], the warp's own in shared memory: normed and rotated, here and where it
 * lies. */
DEVICE_FN void warp_turn(const struct write_args *a, uint32_t t, float *head, const float *w,
                         float *x)
{
    uint32_t e = a->head_size, lane = threadIdx.x % 32;
    for (uint32_t i = lane; i < e; i += 32)
        x[i] = head[i];
    __syncwarp();
    if (w)
        warp_norm(x, w, e, a->eps);
    for (uint32_t i = lane; i < a->half; i += 32) {
        uint32_t p = a->is_interleaved ? 2 * i : i, q = a->is_interleaved ? p + 1 : i + a->half;
        float c = a->cos[(uint64_t)t * a->half + i], s = a->sin[(uint64_t)t * a->half + i];
        float u = x[p] * c - x[q] * s, v = x[p] * s + x[q] * c;
        x[p] = u;
        x[q] = v;
    }
    __syncwarp();
    if (w || a->half)
        for (uint32_t i = lane; i < e; i += 32)
            head[i] = x[i];
}

/* The key's and the value's scale; the key first, whose vector is rotated. */
DEVICE_FN void write_row(const struct write_args *a, uint32_t t, float *x, uint8_t *part)
{
    uint32_t e = a->head_size, slot = a->rows[t].position % KV_PAGE, lane = threadIdx.x % 32;
    const float *v = a->v + t * a->stride_v + blockIdx.y * e;
    warp_turn(a, t, a->k + t * a->stride_k + blockIdx.y * e, a->k_norm, x);
    warp_hadamard(x, e);
    float largest = warp_largest(x, e), per = levels_per(largest);
    for (uint32_t i = lane; i < e / 2; i += 32)
        *(uint32_t *)(part + kv_key_at(e, slot, 2 * i)) =
            (uint32_t)(level_of(x[2 * i], per) & 0xffff) | (uint32_t)level_of(x[2 * i + 1], per)
                                                               << 16;
    float v_largest = warp_largest(v, e), v_per = levels_per(v_largest);
    for (uint32_t i = lane; i < e; i += 32)
        *(int16_t *)(part + kv_value_at(e, slot, i)) = (int16_t)level_of(v[i], v_per);
    if (lane == 0) {
        float *scales = kv_scales(part, e);
        scales[slot] = per == 0 ? 0.0f : largest * HEAD_UNIT;
        scales[KV_PAGE + slot] = v_per == 0 ? 0.0f : v_largest * HEAD_UNIT;
        if (!(largest < NUM_LIMIT) || !(v_largest < NUM_LIMIT))
            a->bad[t] = 1;
    }
    __syncwarp();
}

/* The rows of row t's page, by slot: the row's number + 1, or 0. False: row t is not the first, and
 * the block of the first writes them all, since each running maximum needs the one before. */
DEVICE_FN bool page_rows(const struct write_args *a, uint32_t t, uint32_t row_of[KV_PAGE])
{
    SHARED(uint32_t, has_first, 1);
    if (t > 0 && same_page(&a->rows[t], &a->rows[t - 1]))
        return false;
    if (threadIdx.x < KV_PAGE)
        row_of[threadIdx.x] = 0;
    if (threadIdx.x == 0)
        has_first[0] = 0;
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < a->n_rows; i += WRITE_THREADS)
        if (same_page(&a->rows[i], &a->rows[t])) {
            row_of[a->rows[i].position % KV_PAGE] = i + 1;
            if (i < t)
                has_first[0] = 1;
        }
    __syncthreads();
    return !has_first[0];
}

DEVICE_FN void write_page(const struct write_args *a, uint32_t t, float *x)
{
    SHARED(uint32_t, row_of, KV_PAGE);
    uint32_t e = a->head_size;
    if (!page_rows(a, t, row_of))
        return;
    uint8_t *part =
        (uint8_t *)page_of(&a->rows[t]) + a->layer_offset + blockIdx.y * kv_head_bytes(e);
    for (uint32_t slot = threadIdx.x / 32; slot < KV_PAGE; slot += WRITE_THREADS / 32)
        if (row_of[slot])
            write_row(a, row_of[slot] - 1, x, part);
    __syncthreads();
    if (threadIdx.x > 0)
        return;
    float *scales = kv_scales(part, e), largest = 0;
    for (uint32_t slot = a->rows[t].position % KV_PAGE; slot < KV_PAGE; slot++)
        if (row_of[slot]) {
            if (slot > 0 && !row_of[slot - 1])
                largest = scales[2 * KV_PAGE + slot - 1];
            largest = num_max(scales[KV_PAGE + slot], largest);
            scales[2 * KV_PAGE + slot] = largest;
        }
}

KERNEL_BOUNDS(kv_write, struct write_args, WRITE_THREADS, 2)
{
    DYNAMIC_SHARED(float, vectors); /* [warps][E] */
    float *x = vectors + threadIdx.x / 32 * a.head_size;
    uint32_t t = blockIdx.x;
    if (blockIdx.y < a.n_kv_heads) {
        write_page(&a, t, x);
        return;
    }
    uint32_t h = (blockIdx.y - a.n_kv_heads) * (WRITE_THREADS / 32) + threadIdx.x / 32;
    if (h < a.n_heads)
        warp_turn(&a, t, a.q + t * a.stride_q + h * a.head_size, a.q_norm, x);
}
