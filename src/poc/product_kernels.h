/* product_kernels.h - the functions of product_ops.h over vectors; each instruction set includes it
 * once, after vec.h.
 *
 * A panel is two vectors of LANES rows side by side: [n_columns / 4][2][LANES][4]. The sums of a
 * tile stay in registers over all columns. The including file gives PRODUCT_NAME, PRODUCT_TEXT,
 * N_TILE, EACH_TOKEN, DOT (acc, weights, inputs), and FLIP: what weights are exchanged with so that
 * DOT takes them, 0x80 where it takes them unsigned. */
#include <stdbool.h>
#include <string.h>

#include "device/cpu/isa.h"
#include "numeric/func.h"
#include "poc/product_ops.h"

enum { PANEL = 2 * LANES };

static bool quantize(const float *x, uint32_t n_columns, int8_t *q, float *scale, int32_t *sum)
{
    VF most = vf_zero(), top = vf_set1(127.0f), low = vf_set1(-127.0f);
    bool is_finite = true;
    for (uint32_t i = 0; i < n_columns; i += LANES) {
        VF v = vf_load(x + i);
        is_finite = is_finite && vf_all_below(v, NUM_LIMIT);
        most = vf_max(vf_abs(v), most);
    }
    float a = is_finite ? vf_top(most) : 0;
    bool is_zero = a < NUM_TINY;
    VF inverse = vf_set1(is_zero ? 0 : num_recip(a) * 127.0f);
    VI all = vi_zero();
    for (uint32_t i = 0; i < n_columns; i += 32) {
        int8_t part[32];
        for (uint32_t k = 0; k < 32; k += LANES) {
            VF v = is_zero ? vf_zero() : vf_mul(vf_load(x + i + k), inverse);
            VI w = vf_to_i(vf_min(vf_max(v, low), top));
            vi_store_i8(part + k, w);
            all = vi_add(all, w);
        }
        for (uint32_t k = 0; k < 8; k++)
            memcpy(q + (i / 4 + k) * 4 * N_TILE, part + 4 * k, 4);
    }
    *scale = is_zero ? 0 : a * PRODUCT_STEP;
    *sum = vi_sum(all);
    return is_finite;
}

static void lay_out(const int8_t *rows, uint32_t n_rows, uint32_t n_columns, int8_t *panel)
{
    for (uint32_t half = 0; half < 2; half++) {
        const uint8_t *row[LANES];
        for (uint32_t i = 0; i < LANES; i++) { /* behind the last one: the last again */
            uint32_t at = half * LANES + i < n_rows ? half * LANES + i : n_rows - 1;
            row[i] = (const uint8_t *)rows + (size_t)at * n_columns;
        }
        for (uint32_t k = 0; k < n_columns; k += 16) {
            VI words[4];
            vi_words(row, k, words);
            for (uint32_t i = 0; i < 4; i++)
                vi_store((VI *)(void *)panel + 2 * (k / 4 + i) + half,
                         vi_xor(words[i], vi_set1_8(FLIP)));
        }
    }
}

/* The outputs of one token, of which a panel may have fewer. */
static void put(VI a, VI b, float scale, const struct product_place *to, uint32_t token)
{
    VF each = vf_set1(scale), low = vf_mul(vi_to_f(a), each), high = vf_mul(vi_to_f(b), each);
    float *y = to->y + token * to->stride, rest[PANEL];
    bool is_whole = to->n_rows == PANEL;
    vf_store(is_whole ? y : rest, low);
    vf_store((is_whole ? y : rest) + LANES, high);
    if (!is_whole)
        memcpy(y, rest, to->n_rows * sizeof *y);
}

static void multiply(const int8_t *panel, const struct product_tile *x, uint32_t n_columns,
                     const struct product_place *to)
{
    const VI *w = (const VI *)(const void *)panel;
    const int8_t *q = x->q;
    VI sums[N_TILE][2];
#define BEGIN(t) VI a##t = vi_set1(FLIP ? -128 * x->sum[t] : 0), b##t = a##t;
    EACH_TOKEN(BEGIN)
#undef BEGIN
#pragma GCC unroll 1
    for (uint32_t k = 0; k < n_columns / 4; k++) {
        const VI wa = vi_load(w + 2 * k), wb = vi_load(w + 2 * k + 1);
#define STEP(t)                                                                                    \
    {                                                                                              \
        int32_t four;                                                                              \
        memcpy(&four, q + 4 * (t), 4);                                                             \
        const VI each = vi_set1(four);                                                             \
        a##t = DOT(a##t, wa, each);                                                                \
        b##t = DOT(b##t, wb, each);                                                                \
    }
        EACH_TOKEN(STEP)
#undef STEP
        q += 4 * N_TILE;
    }
#define KEEP(t) sums[t][0] = a##t, sums[t][1] = b##t;
    EACH_TOKEN(KEEP)
#undef KEEP
    __asm__ volatile("" ::: "memory"); /* what follows shall not claim registers above */
    for (uint32_t t = 0; t < to->n_tokens; t++)
        put(sums[t][0], sums[t][1], x->scale[t], to, t);
}

const struct product_ops PRODUCT_NAME = {
    .isa = PRODUCT_TEXT,
    .n_panel = PANEL,
    .n_tile = N_TILE,
    .quantize = quantize,
    .lay_out = lay_out,
    .multiply = multiply,
};
