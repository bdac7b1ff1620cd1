/* plain.h - products of F16, BF16 and F32 matrices with rows of floats.
 *
 * F16 and BF16: LANES rows side by side, each lane one chain of fused multiply-adds per segment.
 * F32: the 256 lanes of reduce.h, row by row. */
#include "device/cpu/panel/each.h"
#include "device/cpu/panel/lanes.h"
#include "device/cpu/panel/panel.h"

/* Bytes that all panels of a tile together are read ahead of their use. */
enum { HALF_AHEAD = 7168 };

static inline VF load_halves(bool is_f16, const uint8_t *p)
{
    return is_f16 ? vf_load_f16(p) : vi_as_f(vi_sll(vi_load_u16(p), 16));
}

/* PANELS panels `stride` bytes apart times TOKENS rows: cell c is token c / PANELS, panel
 * c % PANELS. Sums are left in f as [PANELS][TOKENS]. */
#define HALF_SUM(c) VF s##c = vf_zero();
#define HALF_STEP(c)                                                                               \
    x = (c) % P == 0 ? vf_set1(rows[(c) / P * n_cols + k]) : x;                                    \
    s##c = vf_fma(w[(c) % P], x, s##c);
#define HALF_KEEP(c) f[(c) % P * T + (c) / P] = s##c;
#define HALF_TILE(PANELS, TOKENS, EACH_CELL)                                                       \
    static inline __attribute__((always_inline)) void half_tile_##PANELS##x##TOKENS(               \
        bool is_f16, const uint8_t *panel, size_t stride, const float *rows,                       \
        const struct segments *segments, size_t n_cols, VF *f)                                     \
    {                                                                                              \
        enum { P = PANELS, T = TOKENS };                                                           \
        size_t k = 0;                                                                              \
        for (uint32_t s = 0; s < segments->n; s++) {                                               \
            size_t end = 256 * (size_t)segments->at[s].end;                                        \
            EACH_CELL(HALF_SUM)                                                                    \
            for (end = end < n_cols ? end : n_cols; k < end; k++) {                                \
                VF w[P], x = vf_zero();                                                            \
                for (size_t i = 0; i < P; i++) {                                                   \
                    w[i] = load_halves(is_f16, panel + i * stride + 2 * LANES * k);                \
                    prefetch(panel + i * stride + 2 * LANES * k + HALF_AHEAD / P);                 \
                }                                                                                  \
                EACH_CELL(HALF_STEP)                                                               \
            }                                                                                      \
            EACH_CELL(HALF_KEEP)                                                                   \
            f += P * T;                                                                            \
            for (uint32_t m = 0; m < segments->at[s].n_merges; m++) {                              \
                f -= P * T;                                                                        \
                for (int i = 0; i < P * T; i++)                                                    \
                    f[i - P * T] = vf_add(f[i - P * T], f[i]);                                     \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void f16_tile_##PANELS##x##TOKENS(const uint8_t *panel, size_t stride,                  \
                                             const float *rows, const struct segments *s,          \
                                             size_t n_cols, VF *f)                                 \
    {                                                                                              \
        half_tile_##PANELS##x##TOKENS(true, panel, stride, rows, s, n_cols, f);                    \
    }                                                                                              \
    static void bf16_tile_##PANELS##x##TOKENS(const uint8_t *panel, size_t stride,                 \
                                              const float *rows, const struct segments *s,         \
                                              size_t n_cols, VF *f)                                \
    {                                                                                              \
        half_tile_##PANELS##x##TOKENS(false, panel, stride, rows, s, n_cols, f);                   \
    }
HALF_TILES(HALF_TILE)

typedef void half_fn(const uint8_t *panel, size_t stride, const float *rows,
                     const struct segments *s, size_t n_cols, VF *f);

/* The tiles of a set, those for most panels and tokens first. */
struct half_tile {
    uint8_t n_panels, n_tokens;
    half_fn *f16, *bf16;
};
#define HALF_ENTRY(PANELS, TOKENS, EACH_CELL)                                                      \
    {PANELS, TOKENS, f16_tile_##PANELS##x##TOKENS, bf16_tile_##PANELS##x##TOKENS},
static const struct half_tile half_tiles[] = {HALF_TILES(HALF_ENTRY)};

static const struct half_tile *half_tile_for(uint32_t n_panels, uint32_t n_tokens)
{
    const struct half_tile *t = half_tiles;
    while (t->n_panels > n_panels || t->n_tokens > n_tokens)
        t++;
    return t;
}

static void matmul_halves(const struct matmul_args *m, uint32_t row0, uint32_t row1)
{
    uint32_t n_cols = m->w->n_cols, n_tokens = m->a->n_rows, n_panels;
    size_t stride = 2 * (size_t)LANES * n_cols;
    struct segments segments;
    ISA_NAME(segments_init)(&segments, (n_cols + 255) / 256);
    VF f[STACK_DEPTH * HALF_CELLS];
    for (uint32_t n = row0; n < row1; n += n_panels * LANES) {
        const uint8_t *panel = (const uint8_t *)m->w->data + n / LANES * stride;
        uint32_t n_left = (row1 - n + LANES - 1) / LANES;
        n_panels = half_tile_for(n_left, n_tokens)->n_panels;
        for (uint32_t t = 0, width; t < n_tokens; t += width) {
            const struct half_tile *tile = half_tile_for(n_panels, n_tokens - t);
            const float *rows = (const float *)m->a->data + (size_t)t * n_cols;
            width = tile->n_tokens;
            for (uint32_t p = 0; p < n_panels; p += tile->n_panels) {
                half_fn *fn = m->w->dtype == DTYPE_F16 ? tile->f16 : tile->bf16;
                fn(panel + p * stride, stride, rows, &segments, n_cols, f);
                for (uint32_t i = 0; i < tile->n_panels; i++)
                    store_panel(m, f + i * width, n + (p + i) * LANES, row1, t, width);
            }
        }
    }
}

void ISA_NAME(matmul_plain)(const struct matmul_args *m, uint32_t row0, uint32_t row1)
{
    if (m->w->dtype != DTYPE_F32) {
        matmul_halves(m, row0, row1);
        return;
    }
    uint32_t n_cols = m->w->n_cols;
    for (uint32_t n = row0; n < row1; n++)
        for (uint32_t t = 0; t < m->a->n_rows; t++) {
            float y = dot_lanes((const float *)m->w->data + (size_t)n * n_cols,
                                (const float *)m->a->data + (size_t)t * n_cols, n_cols);
            m->y[t * m->stride + n] = m->bias ? y + m->bias[n] : y;
        }
}
