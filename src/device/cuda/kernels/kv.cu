/* kv.cu - keys and values into their page, and a page's digests. */
#include "device/cuda/kernels/heads.h"

DEVICE_FN void *page_of(const struct kv_row *row)
{
    return row->pages[row->position / KV_PAGE];
}

/* Whether row t goes on where the one before it ended, in the same page. */
DEVICE_FN bool continues(const struct write_args *a, uint32_t t)
{
    return a->rows[t].position == a->rows[t - 1].position + 1 &&
           a->rows[t].position % KV_PAGE != 0 && page_of(&a->rows[t]) == page_of(&a->rows[t - 1]);
}

/* The key's and the value's scale; the key first, whose vector is rotated. */
DEVICE_FN void write_row(const struct write_args *a, uint32_t t, float *x, uint8_t *part)
{
    uint32_t e = a->head_size, slot = a->rows[t].position % KV_PAGE, lane = threadIdx.x % 32;
    const float *k = a->k + t * a->stride_k + blockIdx.y * e;
    const float *v = a->v + t * a->stride_v + blockIdx.y * e;
    for (uint32_t i = lane; i < e; i += 32)
        x[i] = k[i];
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

/* The block of a row that begins a run in a page writes all of the run, a row to a warp, and then
 * the running maxima, in order; the blocks of the others have nothing to do. */
KERNEL_BOUNDS(kv_write, struct write_args, WRITE_THREADS, 2)
{
    DYNAMIC_SHARED(float, vectors); /* [warps][E] */
    uint32_t t = blockIdx.x, end = t + 1, e = a.head_size, warp = threadIdx.x / 32;
    if (t > 0 && continues(&a, t))
        return;
    while (end < a.n_rows && continues(&a, end))
        end++;
    uint8_t *part = (uint8_t *)page_of(&a.rows[t]) + a.layer_offset + blockIdx.y * kv_head_bytes(e);
    for (uint32_t i = t + warp; i < end; i += WRITE_THREADS / 32)
        write_row(&a, i, vectors + warp * e, part);
    __syncthreads();
    if (threadIdx.x > 0)
        return;
    float *scales = kv_scales(part, e);
    uint32_t slot = a.rows[t].position % KV_PAGE;
    float largest = slot ? scales[2 * KV_PAGE + slot - 1] : 0.0f;
    for (uint32_t n = end - t; n > 0; n--, slot++) {
        largest = num_max(scales[KV_PAGE + slot], largest);
        scales[2 * KV_PAGE + slot] = largest;
    }
}
