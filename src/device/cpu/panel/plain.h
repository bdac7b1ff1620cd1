/* plain.h - products of F16, BF16 and F32 matrices with rows of floats.
 *
 * F16 and BF16: LANES rows side by side, each lane one chain of fused multiply-adds per segment.
 * F32: the 256 lanes of reduce.h, row by row. */
#include "device/cpu/panel/each.h"
#include "device/cpu/panel/lanes.h"
#include "device/cpu/panel/panel.h"

static inline VF load_halves(bool is_f16, const uint8_t *p)
{
    return is_f16 ? vf_load_f16(p) : vi_as_f(vi_sll(vi_load_u16(p), 16));
}

#define HALF_SUM(t)  VF s##t = vf_zero();
#define HALF_STEP(t) s##t = vf_fma(w, vf_set1(x[t * n_cols + k]), s##t);
#define HALF_KEEP(t) f[t] = s##t;
/* One panel times TOKENS rows. */
#define HALF_TILE(width)                                                                           \
    static inline __attribute__((always_inline)) void half_tile_##width(                           \
        bool is_f16, const uint8_t *panel, const float *x, const struct segments *segments,        \
        size_t n_cols, VF *f)                                                                      \
    {                                                                                              \
        size_t k = 0;                                                                              \
        for (uint32_t s = 0; s < segments->n; s++) {                                               \
            size_t end = 256 * (size_t)segments->at[s].end;                                        \
            EACH_##width(HALF_SUM) for (end = end < n_cols ? end : n_cols; k < end; k++)           \
            {                                                                                      \
                const VF w = load_halves(is_f16, panel + 2 * LANES * k);                           \
                prefetch(panel + 2 * LANES * k + PREFETCH_AHEAD);                                  \
                EACH_##width(HALF_STEP)                                                            \
            }                                                                                      \
            EACH_##width(HALF_KEEP) f += width;                                                    \
            for (uint32_t m = 0; m < segments->at[s].n_merges; m++) {                              \
                f -= width;                                                                        \
                for (int i = 0; i < width; i++)                                                    \
                    f[i - width] = vf_add(f[i - width], f[i]);                                     \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void f16_tile_##width(const uint8_t *panel, const float *x, const struct segments *s,   \
                                 size_t n_cols, VF *f)                                             \
    {                                                                                              \
        half_tile_##width(true, panel, x, s, n_cols, f);                                           \
    }                                                                                              \
    static void bf16_tile_##width(const uint8_t *panel, const float *x, const struct segments *s,  \
                                  size_t n_cols, VF *f)                                            \
    {                                                                                              \
        half_tile_##width(false, panel, x, s, n_cols, f);                                          \
    }
HALF_TILE(1)
HALF_TILE(2)
HALF_TILE(4)
HALF_TILE(8)

typedef void half_fn(const uint8_t *panel, const float *x, const struct segments *s, size_t n_cols,
                     VF *f);

static void matmul_halves(const struct matmul_args *m, uint32_t row0, uint32_t row1)
{
    static half_fn *const f16[9] = {NULL, f16_tile_1, f16_tile_2, NULL,      f16_tile_4,
                                    NULL, NULL,       NULL,       f16_tile_8};
    static half_fn *const bf16[9] = {NULL, bf16_tile_1, bf16_tile_2, NULL,       bf16_tile_4,
                                     NULL, NULL,        NULL,        bf16_tile_8};
    half_fn *const *kernels = m->w->dtype == DTYPE_F16 ? f16 : bf16;
    uint32_t n_cols = m->w->n_cols, n_tokens = m->a->n_rows;
    struct segments segments;
    ISA_NAME(segments_init)(&segments, (n_cols + 255) / 256);
    VF f[STACK_DEPTH * 8];
    for (uint32_t n = row0; n < row1; n += LANES) {
        const uint8_t *panel = (const uint8_t *)m->w->data + 2 * (size_t)n * n_cols;
        for (uint32_t t = 0, width; t < n_tokens; t += width) {
            uint32_t rest = n_tokens - t;
            width = rest >= 8 ? 8 : rest >= 4 ? 4 : rest >= 2 ? 2 : 1;
            kernels[width](panel, (const float *)m->a->data + (size_t)t * n_cols, &segments, n_cols,
                           f);
            store_panel(m, f, n, row1, t, width);
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
