/* acts.h - quantising rows of activations into tiles (panel.h says how a tile lies). */
#include <string.h>

#include "device/cpu/panel/func.h"
#include "device/cpu/panel/panel.h"
#include "numeric/func.h"

size_t ISA_NAME(acts_bytes)(enum act_kind kind, uint32_t n_rows, uint32_t n_cols)
{
    uint32_t last = n_rows ? tile_begin(n_rows, n_rows - 1) : 0;
    uint32_t n = kind == ACT_F32 ? n_rows : last + tile_width(n_rows, last);
    return n * acts_words(kind, n_cols) * sizeof(int32_t);
}

/* A quantised block of 256 before it is spread over its tile. */
struct block_words {
    int8_t q[256];
    int32_t sum16[16];
};

/* q = rne(clamp(x * inverse * scale)), and the sums of 16, for n values (16 or 32). */
static void quantize_run(const float *x, uint32_t n, float inverse, float scale, int8_t *q,
                         int32_t *sum16)
{
    VF a = vf_set1(inverse), b = vf_set1(scale), top = vf_set1(127.0f), low = vf_set1(-127.0f);
    for (uint32_t i = 0; i < n; i += 16) {
        VI sum = vi_zero();
        for (uint32_t k = i; k < i + 16; k += LANES) {
            VF v = vf_mul(vf_mul(vf_load(x + k), a), b);
            VI w = vf_to_i(vf_min(vf_max(v, low), top));
            vi_store_i8(q + k, w);
            sum = vi_add(sum, w);
        }
        sum16[i / 16] = vi_sum(sum);
    }
}

static VF most_32(const float *x)
{
    VF a = vf_abs(vf_load(x));
    for (int i = LANES; i < 32; i += LANES)
        a = vf_max(vf_abs(vf_load(x + i)), a);
    return a;
}

static float largest_32(const float *x)
{
    return vf_top(most_32(x));
}

static void spread(int32_t *to, uint32_t step, const void *words, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        memcpy(to + i * step, (const int32_t *)words + i, 4);
}

static int32_t pair(int32_t low, int32_t high)
{
    return (int32_t)((uint32_t)(uint16_t)low | (uint32_t)high << 16);
}

/* to: this token's word 0 of the block, words `step` apart. */
static void quantize_256(const float *x, int32_t *to, uint32_t step)
{
    struct block_words b;
    int32_t words[A256_WORDS] = {0}, *shift = words + A256_SHIFT, *sum32 = words + A256_START32;
    float part[8], a = 0;
    for (int g = 0; g < 8; g++) {
        part[g] = largest_32(x + 32 * g);
        a = num_max(part[g], a);
    }
    if (!(a < NUM_TINY)) {
        float d = a * 0x1.020408p-10f, inverse = num_recip(a) * 1016.0f;
        memcpy(words + A256_D, &d, 4);
        for (int g = 0; g < 8; g++) {
            shift[g] = part[g] * 8.0f <= a   ? 0
                       : part[g] * 4.0f <= a ? 1
                       : part[g] * 2.0f <= a ? 2
                                             : 3;
            quantize_run(x + 32 * g, 32, inverse, num_pow2(-shift[g]), b.q + 32 * g,
                         b.sum16 + 2 * g);
            sum32[g] = b.sum16[2 * g] + b.sum16[2 * g + 1];
            words[A256_PAIR16 + g] =
                pair(b.sum16[2 * g] * (1 << shift[g]), b.sum16[2 * g + 1] * (1 << shift[g]));
        }
        memcpy(words + A256_Q, b.q, 256);
        for (int g = 0; g < 4; g++)
            words[A256_PAIR32 + g] = pair(sum32[2 * g] * (1 << shift[2 * g]),
                                          sum32[2 * g + 1] * (1 << shift[2 * g + 1]));
        for (int g = 0; g < 16; g++)
            words[A256_START16 + g] = -32 * b.sum16[g];
        for (int g = 0; g < 8; g++)
            sum32[g] = -128 * sum32[g];
    }
    spread(to, step, words, A256_WORDS);
}

/* q of a group of 32; the lanes' sum is the group's. */
static VI quantize_group(const float *x, float inverse, int8_t *q)
{
    VF each = vf_set1(inverse), top = vf_set1(127.0f), low = vf_set1(-127.0f);
    VI sum = vi_zero();
    for (int k = 0; k < 32; k += LANES) {
        VI w = vf_to_i(vf_min(vf_max(vf_mul(vf_load(x + k), each), low), top));
        vi_store_i8(q + k, w);
        sum = vi_add(sum, w);
    }
    return sum;
}

/* The numbers beside the integers, of 8 groups at once: fields of 8 words, in ascending order, as
 * a vector may hold more. */
static void put_numbers(int32_t *words, const float *scale, const int32_t *sum)
{
    for (int i = 0; i < 8; i += LANES)
        vf_store((float *)words + A32_D + i, vf_load(scale + i));
    static const struct {
        int at, factor;
    } starts[] = {{A32_START128, -128}, {A32_START16, -16}, {A32_START8, -8}};
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < 8; i += LANES)
            vi_store(words + starts[k].at + i,
                     vi_mul(vi_load(sum + i), vi_set1(starts[k].factor)));
    for (int i = 0; i < 8; i += LANES)
        vf_store((float *)words + A32_SUM + i, vi_to_f(vi_load(sum + i)));
}

/* Up to 8 groups of 32. */
static void quantize_32(const float *x, uint32_t n_groups, int32_t *to, uint32_t step)
{
    enum { N = LANES > 8 ? LANES : 8 };
    _Alignas(64) int32_t words[A32_WORDS + N] = {0}, sum[N] = {0};
    _Alignas(64) float most[N] = {0}, scale[N], inverse[N];
    int8_t *q = (int8_t *)words;
    uint32_t g = 0;
    for (; g + 4 <= n_groups; g += 4)
        vf_store_tops(most + g, most_32(x + 32 * g), most_32(x + 32 * g + 32),
                      most_32(x + 32 * g + 64), most_32(x + 32 * g + 96));
    for (; g < n_groups; g++)
        most[g] = vf_top(most_32(x + 32 * g));
    for (int i = 0; i < 8; i += LANES) {
        VF a = vf_load(most + i), tiny = vf_set1(NUM_TINY), zero = vf_zero();
        vf_store(inverse + i, vf_less(a, tiny, zero, vf_mul(vf_recip(a), vf_set1(127.0f))));
        vf_store(scale + i, vf_less(a, tiny, zero, vf_mul(a, vf_set1(0x1.020408p-7f))));
    }
    for (g = 0; g + 4 <= n_groups; g += 4) {
        VI s[4];
        for (int i = 0; i < 4; i++)
            s[i] = quantize_group(x + 32 * (g + i), inverse[g + i], q + 32 * (g + i));
        vi_store_sums(sum + g, s[0], s[1], s[2], s[3]);
    }
    for (; g < n_groups; g++)
        sum[g] = vi_sum(quantize_group(x + 32 * g, inverse[g], q + 32 * g));
    put_numbers(words, scale, sum);
    spread(to, step, words, A32_WORDS);
}

/* Every value below the limit of R6. */
static bool row_is_finite(const float *x, uint32_t n)
{
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        if (!vf_all_below(vf_load(x + i), NUM_LIMIT))
            return false;
    for (; i < n; i++)
        if (!(num_abs(x[i]) < NUM_LIMIT))
            return false;
    return true;
}

static void quantize_row(const float *x, struct acts *a, uint32_t t)
{
    if (a->kind == ACT_F32) {
        float *to = (float *)a->data + (size_t)t * a->n_cols;
        if (x)
            memcpy(to, x, a->n_cols * sizeof *x);
        else
            memset(to, 0, a->n_cols * sizeof *to);
        return;
    }
    uint32_t first = tile_begin(a->n_rows, t), step = tile_width(a->n_rows, first);
    uint32_t n_words = a->kind == ACT_Q256 ? A256_WORDS : A32_WORDS;
    int32_t *to = (int32_t *)a->data + first * acts_words(a->kind, a->n_cols) + (t - first);
    for (uint32_t i = 0; i < a->n_cols; i += 256, to += (size_t)n_words * step) {
        uint32_t n = a->n_cols - i < 256 ? a->n_cols - i : 256;
        if (!x)
            for (uint32_t k = 0; k < n_words; k++)
                to[k * step] = 0;
        else if (a->kind == ACT_Q256)
            quantize_256(x + i, to, step);
        else
            quantize_32(x + i, n / 32, to, step);
    }
}

void ISA_NAME(quantize)(const float *x, size_t stride, struct acts *a, uint32_t row0, uint32_t row1,
                        uint8_t *bad)
{
    for (uint32_t t = row0; t < row1; t++) {
        const float *row = x + t * stride;
        bool ok = row_is_finite(row, a->n_cols);
        if (!ok)
            bad[t] = 1;
        quantize_row(ok ? row : NULL, a, t);
    }
    if (row1 != a->n_rows || a->kind == ACT_F32)
        return;
    uint32_t last = tile_begin(a->n_rows, a->n_rows - 1);
    for (uint32_t t = row1; t < last + tile_width(a->n_rows, last); t++)
        quantize_row(NULL, a, t);
}
