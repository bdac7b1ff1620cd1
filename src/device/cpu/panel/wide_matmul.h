/* wide_matmul.h - many tokens times pairs of panels, block by block of columns.
 *
 * A block of a few panels is opened, then multiplied by every tile. Every tile's sums wait on their
 * own stacks for the next block. While a tile is multiplied, what comes next is fetched: the next
 * tile, a share of the next block's packed weights, and the places of its results. */
#include "device/cpu/panel/wide.h"

enum {
    WIDE_TILES = 86, /* whose sums are kept at once */
    WIDE_PAIRS = 2,  /* of panels, opened at once */
};
/* A level of the stacks of all tiles: the blocks pass by one level or two at a time. */
typedef VF wide_sums[WIDE_TILES][WIDE_PAIRS][2 * TILE_WIDE];

/* Tokens [t0, t1), from the beginning of a tile, times n_pairs pairs of panels from row n on. */
struct wide_run {
    const struct matmul_args *m;
    const struct wide_format *format;
    const uint8_t *panels;
    size_t panel_bytes, tile_words; /* of a whole row */
    uint32_t n_blocks, n, n_pairs, row1, t0, t1;
};

/* A block, opened: where its sums are on their stacks, and how many are complete after it. */
struct wide_block {
    VI (*opened)[WIDE_VECTORS]; /* [n_pairs] */
    uint32_t block, depth, n_merges;
    bool is_first; /* of its segment */
};

static void wide_tiles(const struct wide_run *r, const struct wide_block *b, wide_sums *level)
{
    static const VF zero[2 * TILE_WIDE];
    const struct matmul_args *m = r->m;
    const uint32_t n_tiles = (r->t1 - r->t0 + TILE_WIDE - 1) / TILE_WIDE;
    const uint32_t n_panels = 2 * r->n_pairs;
    const bool is_end = b->block + 1 == r->n_blocks;
    const size_t block_bytes = r->panel_bytes / r->n_blocks;
    const size_t n_lines = block_bytes / 64 / n_tiles + 1;
    const uint8_t *fetch =
        r->panels + (is_end ? n_panels * r->panel_bytes : (b->block + 1) * block_bytes);
    const uint32_t n_groups = m->w->n_cols / 32 - 8 * b->block;
    struct wide wide = {.ahead = r->tile_words * 4,
                        .n_groups = n_groups < 8 ? n_groups : 8,
                        .n_merges = b->n_merges,
                        .down = sizeof *level / sizeof(VF)};
    wide.x = (const int32_t *)m->a->data + r->t0 / TILE_WIDE * r->tile_words +
             b->block * (r->tile_words / r->n_blocks);
    for (uint32_t i = 0, t = r->t0; i < n_tiles; i++, t += TILE_WIDE, wide.x += r->tile_words) {
        const uint32_t n_real = r->t1 - t < TILE_WIDE ? r->t1 - t : TILE_WIDE;
        for (uint32_t k = 0; is_end && k < n_real; k++)
            for (uint32_t p = 0; p < n_panels; p++)
                prefetch_write(m->y + (t + k) * m->stride + r->n + p * LANES);
        for (size_t k = 0; k < n_lines; k++, fetch += 64)
            for (uint32_t p = 0; p < n_panels; p++)
                prefetch_far(fetch + p * r->panel_bytes);
        for (uint32_t p = 0; p < r->n_pairs; p++) {
            wide.w = b->opened[p];
            VF *f = level[b->depth][i][p];
            wide.from = b->is_first ? zero : f;
            wide.to = level[b->depth - b->n_merges][i][p];
            r->format->multiply(&wide);
            for (uint32_t k = 0; is_end && k < 2; k++)
                store_panel(m, wide.to + k * TILE_WIDE, r->n + (2 * p + k) * LANES, r->row1, t,
                            n_real);
        }
    }
}

static void wide_blocks(const struct wide_run *r, const struct segments *segments)
{
    VI opened[WIDE_PAIRS][WIDE_VECTORS];
    struct wide_block b = {.opened = opened, .is_first = true};
    wide_sums level[STACK_DEPTH];
    for (uint32_t segment = 0; b.block < r->n_blocks; b.block++) {
        for (uint32_t p = 0; p < 2 * r->n_pairs; p++)
            r->format->open(r->panels + p * r->panel_bytes, r->m->w->n_cols, b.block,
                            b.opened[p / 2] + p % 2);
        const bool is_last = b.block + 1 == segments->at[segment].end;
        b.n_merges = is_last ? segments->at[segment].n_merges : 0;
        wide_tiles(r, &b, level);
        b.depth += is_last ? 1u - b.n_merges : 0;
        b.is_first = is_last;
        segment += is_last;
    }
}

/* Some panels from row n on; returns how many rows they hold. */
static uint32_t wide_matmul(const struct matmul_args *m, const struct segments *segments,
                            uint32_t n, uint32_t row1)
{
    const uint32_t n_pairs = (row1 - n + LANES - 1) / (2 * LANES), n_tokens = m->a->n_rows;
    struct wide_run r = {m, ISA_NAME(wide_format)(m->w->dtype)};
    r.panel_bytes = ISA_NAME(matrix_bytes)(m->w->dtype, LANES, m->w->n_cols);
    r.panels = (const uint8_t *)m->w->data + n / LANES * r.panel_bytes;
    r.tile_words = TILE_WIDE * acts_words(m->a->kind, m->w->n_cols);
    r.n_blocks = (m->w->n_cols + 255) / 256;
    r.n = n;
    r.row1 = row1;
    r.n_pairs = n_pairs < WIDE_PAIRS ? n_pairs : WIDE_PAIRS;
    for (; r.t0 < n_tokens; r.t0 = r.t1) {
        const uint32_t n_left = n_tokens - r.t0, n_most = WIDE_TILES * TILE_WIDE;
        r.t1 = r.t0 + (n_left < n_most ? n_left : n_most);
        wide_blocks(&r, segments);
    }
    return 2 * LANES * r.n_pairs;
}
