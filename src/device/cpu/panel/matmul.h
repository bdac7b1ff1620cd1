/* matmul.h - a product as tiles: panels outside, tiles of activations inside, so that a panel's
 * weights are read from memory once and stay in the nearest cache. */
#include "device/cpu/panel/panel.h"

void ISA_NAME(segments_init)(struct segments *s, uint32_t n_blocks)
{
    bool full[MATMUL_SEGMENTS];
    s->n = 0;
    for (int i = 0; i < MATMUL_SEGMENTS; i++) {
        full[i] = segment_begin(n_blocks, i) < segment_begin(n_blocks, i + 1);
        if (full[i]) {
            s->at[s->n].end = segment_begin(n_blocks, i + 1);
            s->at[s->n].n_merges = 0;
            s->n++;
        }
        /* A node is complete after its last leaf; it merges if both of its halves are there. */
        for (int size = 2; (i + 1) % size == 0 && s->n > 0; size *= 2) {
            bool left = false, right = false;
            for (int k = 0; k < size / 2; k++) {
                left = left || full[i + 1 - size + k];
                right = right || full[i + 1 - size / 2 + k];
            }
            s->at[s->n - 1].n_merges += left && right;
        }
    }
}

/* sums: [tokens][LANES] of the panel that begins at row n, for tokens t0 on. */
static void store_panel(const struct matmul_args *m, const VF *sums, uint32_t n, uint32_t row1,
                        uint32_t t0, uint32_t n_tokens)
{
    uint32_t n_lanes = row1 - n < LANES ? row1 - n : LANES;
    for (uint32_t t = 0; t < n_tokens; t++) {
        float *y = m->y + (t0 + t) * m->stride + n;
        if (n_lanes == LANES) {
            vf_store(y, m->bias ? vf_add(sums[t], vf_load(m->bias + n)) : sums[t]);
            continue;
        }
        float lane[LANES];
        vf_store(lane, sums[t]);
        for (uint32_t i = 0; i < n_lanes; i++)
            y[i] = m->bias ? lane[i] + m->bias[n + i] : lane[i];
    }
}

#ifdef WIDE
#include "device/cpu/panel/wide_matmul.h"
#endif

void ISA_NAME(matmul)(const struct matmul_args *m, uint32_t row0, uint32_t row1)
{
    const struct tile_table *kernels = ISA_NAME(tile_table)(m->w->dtype);
    if (!kernels) {
        ISA_NAME(matmul_plain)(m, row0, row1);
        return;
    }
    VF out[TILE_SMALL_MAX * STACK_DEPTH];
    struct segments segments;
    ISA_NAME(segments_init)(&segments, (m->w->n_cols + 255) / 256);
    size_t panel_bytes = ISA_NAME(matrix_bytes)(m->w->dtype, LANES, m->w->n_cols);
    size_t token_bytes = acts_words(m->a->kind, m->w->n_cols) * sizeof(int32_t);
    struct tile tile = {.segments = &segments, .n_cols = m->w->n_cols, .out = out};
    uint32_t n_tokens = m->a->n_rows, n_step;
    for (uint32_t n = row0; n < row1; n += n_step) {
#ifdef WIDE
        if (n_tokens > TILE_ROWS_FEW && n + LANES < row1) {
            n_step = wide_matmul(m, &segments, n, row1);
            continue;
        }
#endif
        n_step = LANES;
        tile.w = (const uint8_t *)m->w->data + n / LANES * panel_bytes;
        for (uint32_t t = 0, width; t < n_tokens; t += width) {
            width = tile_width(n_tokens, t);
            tile.x = (const uint8_t *)m->a->data + t * token_bytes;
            kernels->by_tokens[width](&tile);
            store_panel(m, out, n, row1, t, n_tokens - t < width ? n_tokens - t : width);
        }
    }
}
