/* heads.h - one head's vector: Hadamard rotation, 12-bit integers, and its place in a page. */
#include <string.h>

#include "device/cpu/panel/func.h"
#include "device/cpu/scalar.h"

/* A head's floats, padded with zeros to whole vectors. */
struct head {
    _Alignas(64) float x[HEAD_SIZE_MAX];
    _Alignas(64) int16_t q[HEAD_SIZE_MAX];
};

static uint32_t round_lanes(uint32_t n)
{
    return (n + LANES - 1) / LANES * LANES;
}

static void head_load(struct head *h, const float *x, uint32_t n)
{
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vf_store(h->x + i, vf_load(x + i));
    for (; i < round_lanes(n); i++)
        h->x[i] = i < n ? x[i] : 0.0f;
}

static void head_hadamard(struct head *h, uint32_t n)
{
    uint32_t size = hadamard_size(n);
    float *x = h->x;
    for (uint32_t i = 0; i < n; i += LANES) {
        VF v = vf_load(x + i);
        if (size > 1)
            v = vf_butterfly(v, 1);
        if (size > 2)
            v = vf_butterfly(v, 2);
        if (LANES > 4 && size > 4)
            v = vf_butterfly(v, 4);
        if (LANES > 8 && size > 8)
            v = vf_butterfly(v, 8);
        vf_store(x + i, v);
    }
    for (uint32_t step = LANES; step < size; step *= 2)
        for (uint32_t i = 0; i < n; i += LANES)
            if (!(i & step)) {
                VF a = vf_load(x + i), b = vf_load(x + i + step);
                vf_store(x + i, vf_add(a, b));
                vf_store(x + i + step, vf_sub(a, b));
            }
}

/* 12-bit integers with one scale; false if a value is not finite. */
static bool head_quantize(struct head *h, uint32_t n, float *scale)
{
    VF a = vf_zero();
    bool ok = true;
    for (uint32_t i = 0; i < n; i += LANES) {
        VF v = vf_load(h->x + i);
        a = vf_max(vf_abs(v), a);
        ok = ok && vf_all_below(v, NUM_LIMIT);
    }
    float top = vf_top(a);
    *scale = 0;
    if (!ok || top < NUM_TINY) {
        memset(h->q, 0, round_lanes(n) * sizeof h->q[0]);
        return ok;
    }
    *scale = top * HEAD_UNIT;
    VF inverse = vf_set1(num_recip(top) * (float)HEAD_LEVELS);
    for (uint32_t i = 0; i < n; i += LANES) {
        VF v = vf_clamp(vf_mul(vf_load(h->x + i), inverse), -HEAD_LEVELS, HEAD_LEVELS);
        vi_store_i16(h->q + i, vf_to_i(v));
    }
    return true;
}

static bool row_quantize_head(float *x, uint32_t n, int16_t *q, float *scale)
{
    struct head h;
    head_load(&h, x, n);
    head_hadamard(&h, n);
    bool ok = head_quantize(&h, n, scale);
    memcpy(x, h.x, n * sizeof *x);
    memcpy(q, h.q, n * sizeof *q);
    return ok;
}

enum { AHEAD = 4 }; /* rows are far apart: no machine fetches the next one by itself */

static void head_fetch(const float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 16)
        prefetch(x + i);
}

static void rows_kv_write(const struct kv_write_args *a, uint32_t kv_head)
{
    uint32_t e = a->shape.head_size;
    size_t head_offset = a->layer_offset + kv_head * kv_head_bytes(e);
    struct head h;
    for (uint32_t t = 0; t < a->n_rows; t++) {
        uint32_t slot = a->rows[t].position % KV_PAGE;
        uint8_t *part = (uint8_t *)a->rows[t].pages[a->rows[t].position / KV_PAGE] + head_offset;
        float *scales = kv_scales(part, e);
        if (t + AHEAD < a->n_rows) {
            head_fetch(a->k + (t + AHEAD) * a->stride_k + kv_head * e, e);
            head_fetch(a->v + (t + AHEAD) * a->stride_v + kv_head * e, e);
        }
        head_load(&h, a->k + t * a->stride_k + kv_head * e, e);
        head_hadamard(&h, e);
        bool ok = head_quantize(&h, e, &scales[slot]);
        for (uint32_t d = 0; d < e; d += 2)
            memcpy(part + kv_key_at(e, slot, d), h.q + d, 4);
        head_load(&h, a->v + t * a->stride_v + kv_head * e, e);
        ok &= head_quantize(&h, e, &scales[KV_PAGE + slot]);
        for (uint32_t d = 0; d < e; d++)
            memcpy(part + kv_value_at(e, slot, d), &h.q[d], sizeof h.q[d]);
        if (!ok)
            a->bad[t] = 1;
        float before = slot ? scales[2 * KV_PAGE + slot - 1] : 0.0f;
        scales[2 * KV_PAGE + slot] = num_max(scales[KV_PAGE + slot], before);
    }
}
