/* wide_kernels.h - the functions of wide_ops.h over vectors; each instruction set includes it once.
 *
 * A tile is TILE_ROWS outputs of one panel (two vectors): its sums stay in registers over RUN
 * columns. Its weights are widened just before into a block that stays in the first cache, and
 * used for all panels, whose inputs of the run come from the second one. The including file gives
 * vec.h's macros, TILE_ROWS, EACH_ROW, and vf_round_f16. */
#include <math.h>
#include <string.h>

#include "poc/wide_ops.h"

enum {
    PANEL = 2 * LANES,
    RUN = 512,         /* columns */
    STRIDE = RUN + 16, /* floats between rows of the block: no two in one set of the cache */
    PANELS_BESIDE = 8, /* their runs of inputs are 512 KiB at most */
    BLOCK = TILE_ROWS * STRIDE,
};

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)

/* y[n_rows][PANEL] (+)= block times x[n_run][PANEL]. */
static void tile(const float *block, const float *x, uint32_t n_run, uint32_t n_rows, bool begin,
                 bool end, float *y)
{
#define CLEAR(r) VF low##r = vf_zero(), high##r = vf_zero();
    EACH_ROW(CLEAR)
#undef CLEAR
    if (!begin) {
#define LOAD(r)                                                                                    \
    if (r < n_rows) {                                                                              \
        low##r = vf_load(y + r * PANEL);                                                           \
        high##r = vf_load(y + r * PANEL + LANES);                                                  \
    }
        EACH_ROW(LOAD)
#undef LOAD
    }
    for (uint32_t k = 0; k < n_run; k++) {
        VF x0 = vf_load(x + (size_t)k * PANEL), x1 = vf_load(x + (size_t)k * PANEL + LANES), w;
#define STEP(r)                                                                                    \
    w = vf_set1(block[r * STRIDE + k]);                                                            \
    low##r = vf_fma(w, x0, low##r);                                                                \
    high##r = vf_fma(w, x1, high##r);
        __builtin_prefetch(x + (size_t)(k + 8) * PANEL);
        __builtin_prefetch(x + (size_t)(k + 8) * PANEL + LANES);
        EACH_ROW(STEP)
#undef STEP
    }
    if (end) {
#define ROUND(r)                                                                                   \
    low##r = vf_round_f16(low##r);                                                                 \
    high##r = vf_round_f16(high##r);
        EACH_ROW(ROUND)
#undef ROUND
    }
#define STORE(r)                                                                                   \
    if (r < n_rows) {                                                                              \
        vf_store(y + r * PANEL, low##r);                                                           \
        vf_store(y + r * PANEL + LANES, high##r);                                                  \
    }
    EACH_ROW(STORE)
#undef STORE
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void widen(const uint16_t *in, uint32_t n, float *out)
{
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vf_store(out + i, vf_load_f16(in + i));
    if (i < n) {
        uint16_t rest[LANES] = {0};
        memcpy(rest, in + i, (n - i) * sizeof *in);
        vf_store(out + i, vf_load_f16(rest));
    }
}

/* Before tile i of n: its part of what the block after this one is widened from. */
static void fetch(const struct wide_product *p, uint32_t row, uint32_t k, uint32_t n_run,
                  uint32_t i, uint32_t n)
{
    if (row + TILE_ROWS >= p->n_rows) {
        row = 0;
        k += n_run;
    } else {
        row += TILE_ROWS;
    }
    uint32_t n_rows = lesser(TILE_ROWS, p->n_rows - row), end = lesser(k + RUN, p->n_columns);
    for (uint32_t r = i * n_rows / n; r < (i + 1) * n_rows / n; r++)
        for (uint32_t at = k; at < end; at += 32)
            __builtin_prefetch(p->rows + (uint64_t)(row + r) * p->n_columns + at, 0, 2);
}

static void product(const struct wide_product *p, float *block)
{
    for (uint32_t panel0 = 0; panel0 < p->n_panels; panel0 += PANELS_BESIDE)
        for (uint32_t k = 0; k < p->n_columns; k += RUN)
            for (uint32_t row = 0; row < p->n_rows; row += TILE_ROWS) {
                uint32_t n_run = lesser(RUN, p->n_columns - k);
                uint32_t n_rows = lesser(TILE_ROWS, p->n_rows - row);
                for (uint32_t r = 0; r < n_rows; r++)
                    widen(p->rows + (uint64_t)(row + r) * p->n_columns + k, n_run,
                          block + r * STRIDE);
                uint32_t panel1 = lesser(panel0 + PANELS_BESIDE, p->n_panels);
                for (uint32_t panel = panel0; panel < panel1; panel++) {
                    fetch(p, row, k, n_run, panel - panel0, panel1 - panel0);
                    tile(block, p->x + ((uint64_t)panel * p->n_columns + k) * PANEL, n_run, n_rows,
                         k == 0, k + n_run == p->n_columns,
                         p->y + panel * p->y_stride + (uint64_t)row * PANEL);
                }
            }
}

/* The same with few rows of binary32 for one panel. */
static void small_product(const float *rows, uint32_t stride, uint32_t n_rows, uint32_t n_columns,
                          const float *x, float *y, float *block)
{
    for (uint32_t row = 0; row < n_rows; row += TILE_ROWS)
        for (uint32_t k = 0; k < n_columns; k += RUN) {
            uint32_t n_run = lesser(RUN, n_columns - k), n_tile = lesser(TILE_ROWS, n_rows - row);
            for (uint32_t r = 0; r < n_tile; r++)
                memcpy(block + r * STRIDE, rows + (size_t)(row + r) * stride + k,
                       n_run * sizeof *rows);
            tile(block, x + (size_t)k * PANEL, n_run, n_tile, k == 0, k + n_run == n_columns,
                 y + (size_t)row * PANEL);
        }
}

/* Infinity for itself, and NaN for NaN: what overflowed stays visible. */
static VF vf_exp(VF x)
{
    return vf_less(x, vf_set1(INFINITY), vf_exp2(vf_mul(x, vf_set1(0x1.715476p+0f))), x);
}

/* Down each column: scaled scores to shares of 1; a column's position sees itself and before. */
static void softmax(float *scores, uint32_t first, uint32_t n_rows, float scale)
{
    static const float lanes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (uint32_t half = 0; half < PANEL; half += LANES) {
        float *s = scores + half;
        VF at = vf_add(vf_load(lanes), vf_set1((float)(first + half))), most = vf_set1(-INFINITY);
        VF sum = vf_zero();
        for (uint32_t r = 0; r < n_rows; r++) {
            VF x = vf_round_f16(vf_mul(vf_load(s + (size_t)r * PANEL), vf_set1(scale)));
            x = vf_less(at, vf_set1((float)r), vf_set1(-INFINITY), x);
            most = vf_max(x, most);
            vf_store(s + (size_t)r * PANEL, x);
        }
        for (uint32_t r = 0; r < n_rows; r++) {
            VF x = vf_load(s + (size_t)r * PANEL);
            x = vf_less(at, vf_set1((float)r), vf_zero(), vf_exp(vf_sub(x, most)));
            sum = vf_add(sum, x);
            vf_store(s + (size_t)r * PANEL, x);
        }
        for (uint32_t r = 0; r < n_rows; r++)
            vf_store(s + (size_t)r * PANEL, vf_round_f16(vf_load(s + (size_t)r * PANEL) / sum));
    }
}

static void attend(const struct wide_head *h, float *block)
{
    float scale = 1 / (float)sqrt(h->size);
    for (uint32_t first = 0; first < h->n_seen; first += PANEL) {
        uint32_t n = lesser(first + PANEL, h->n_seen);
        size_t at = (size_t)first * h->size;
        small_product(h->k, h->size, n, h->size, h->q + at, h->scores, block);
        softmax(h->scores, first, n, scale);
        small_product(h->v, h->n, h->size, n, h->scores, h->out + at, block);
    }
}

static void add_norm(float *x, const float *y, const uint16_t *weight, float eps, uint32_t n,
                     float *out)
{
    VF wide;
    for (uint32_t half = 0; half < PANEL; half += LANES) {
        VF sums[4] = {vf_zero(), vf_zero(), vf_zero(), vf_zero()};
        for (uint32_t i = 0; i < n; i++) {
            float *at = x + (size_t)i * PANEL + half;
            wide = vf_load(at);
            if (y) {
                wide = vf_round_f16(vf_add(wide, vf_load(y + (size_t)i * PANEL + half)));
                vf_store(at, wide);
            }
            sums[i % 4] = vf_fma(wide, wide, sums[i % 4]);
        }
        float scales[LANES];
        vf_store(scales, vf_add(vf_add(sums[0], sums[1]), vf_add(sums[2], sums[3])));
        for (uint32_t i = 0; i < LANES; i++)
            scales[i] = 1 / sqrtf(scales[i] / (float)n + eps);
        VF scale = vf_load(scales);
        for (uint32_t i = 0; i < n; i++) {
            wide = vf_round_f16(vf_mul(vf_load(x + (size_t)i * PANEL + half), scale));
            wide = vf_mul(wide, vf_set1(f16_widen(weight[i])));
            vf_store(out + (size_t)i * PANEL + half, vf_round_f16(wide));
        }
    }
}

static void glu(float *gate, const float *up, uint64_t n)
{
    for (uint64_t i = 0; i < n; i += LANES) {
        VF g = vf_load(gate + i);
        VF silu = vf_round_f16(g / vf_add(vf_set1(1), vf_exp(vf_sub(vf_zero(), g))));
        vf_store(gate + i, vf_round_f16(vf_mul(silu, vf_load(up + i))));
    }
}

static void round_all(float *x, uint64_t n)
{
    for (uint64_t i = 0; i < n; i += LANES)
        vf_store(x + i, vf_round_f16(vf_load(x + i)));
}

const struct wide_ops JOIN(wide_, WIDE_NAME) = {
    .isa = WIDE_TEXT,
    .panel = PANEL,
    .n_rows = TILE_ROWS,
    .n_floats = BLOCK,
    .product = product,
    .attend = attend,
    .add_norm = add_norm,
    .glu = glu,
    .round = round_all,
};
