/* attention.c - one page of attention with the dot product: scores of 16 positions, then values of
 * 16 elements at a time, in the page's own layout. */
#include <arm_neon.h>
#include <string.h>

#include "device/cpu/arm_neon/neon.h"
#include "device/cpu/scalar.h"
#include "numeric/func.h"

/* sum + two products of int16 in each of 4 lanes; `two` is the same pair for all. */
static int32x4_t dot_2(int32x4_t sum, const uint8_t *bytes, int32_t two)
{
    int16x8_t a = vreinterpretq_s16_u8(vld1q_u8(bytes)),
              b = vreinterpretq_s16_s32(vdupq_n_s32(two));
    int32x4_t low = vmull_s16(vget_low_s16(a), vget_low_s16(b)), high = vmull_high_s16(a, b);
    return vaddq_s32(sum, vpaddq_s32(low, high));
}

/* Integer scores of the 16 positions of a quarter of the page. */
static void quarter_scores(const uint8_t *keys, const int16_t *q, uint32_t e, int32_t out[16])
{
    int32x4_t sum[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    for (uint32_t d = 0; d < e; d += 2, keys += 64) {
        int32_t two;
        memcpy(&two, q + d, 4);
        for (int i = 0; i < 4; i++)
            sum[i] = dot_2(sum[i], keys + 16 * i, two);
    }
    for (int i = 0; i < 4; i++)
        vst1q_s32(out + 4 * i, sum[i]);
}

static void neon_page(const struct head_query *h, const uint8_t *part, uint32_t lo, uint32_t hi,
                      struct gathered *g)
{
    uint32_t e = h->job->args->shape.head_size, e16 = kv_round16(e);
    const uint8_t *values = part + (size_t)KV_PAGE * 2 * e;
    const float *scales = (const float *)(values + (size_t)KV_PAGE * 2 * e16);
    int32_t isum[KV_PAGE];
    int16_t w[KV_PAGE];
    for (uint32_t k = lo / 16; k <= hi / 16; k++)
        quarter_scores(part + (size_t)k * 32 * e, h->q, e, isum + 16 * k);
    page_weights(h, isum, scales, lo, hi, w, g);
    float unit = scales[2 * KV_PAGE + hi] * W_UNIT;
    for (uint32_t d = 0; d < e; d += 4) {
        int32x4_t o = vdupq_n_s32(0);
        for (uint32_t k = lo / 2; k <= hi / 2; k++) {
            int32_t two;
            memcpy(&two, w + 2 * k, 4);
            o = dot_2(o, values + ((size_t)k * (e16 / 16) + d / 16) * 64 + d % 16 * 4, two);
        }
        vst1q_f32(g->o + d, vmulq_n_f32(vcvtq_f32_s32(o), unit));
    }
}

void neon_attention(const struct attention_unit *u)
{
    attention_by_page(u, neon_page);
}
