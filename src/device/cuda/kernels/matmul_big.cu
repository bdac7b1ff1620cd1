/* matmul_big.cu - products with many rows of activations, on the tensor cores.
 *
 * A block has 128 rows of weights and 64 of activations, each of its 4 warps 32 by 64: no two warps
 * open the same weights. Activations come half a block of K ahead into shared memory, in the order
 * in which they lie, and with them the scales of the weights; codes go to registers, several
 * groups ahead (tile.h). K is walked in order, so that one sum per result is under way; the tree of
 * segments keeps up to three more: two in shared memory, each thread its own, and that of the first
 * four segments in y itself. Two blocks of up to 255 registers a thread fill an SM.
 *
 * 93 KiB: cards whose blocks may not have them (before 8.0) multiply by matmul_mid. */
#include "device/cuda/kernels/tile.h"

enum {
    BIG_RESULTS = BIG_ROWS * BIG_COLS / BIG_THREADS, /* of a thread */
};

/* A block of threads on its way; where this thread's 16 bytes of what is fetched lie. */
struct big {
    float *kept;
    uint8_t *acts, *scales;                           /* shared: two places each, in turns */
    const uint8_t *next_acts, *next_head, *next_tail; /* of the half and of the block to come */
    uint64_t tile_bytes;
    uint32_t row, t; /* first of the block of threads */
    uint32_t n_halves;
};

DEVICE_FN struct big big_at(int format, const struct product_args *a, const uint8_t *w, float *kept)
{
    struct format f = format_of(format);
    struct big b;
    b.kept = kept;
    b.acts = (uint8_t *)kept + BIG_KEPT_BYTES;
    b.scales = b.acts + 2 * (BIG_COLS / ACTS_ROWS) * BIG_HALF_BYTES;
    b.row = blockIdx.y * BIG_ROWS;
    b.t = blockIdx.x * BIG_COLS;
    b.n_halves = (a->n_groups + BLOCK_GROUPS - 1) / BLOCK_GROUPS * 2;
    b.tile_bytes = acts_tile_bytes(f.group_len != 0, a->n_groups);
    b.next_acts = a->acts + b.t / ACTS_ROWS * b.tile_bytes + threadIdx.x * 16;
    const uint8_t *panel = tile_panel(a, w, b.row, threadIdx.x / PANEL_ROWS);
    b.next_head = panel + a->planes.head + threadIdx.x % PANEL_ROWS * 16;
    b.next_tail = panel + a->planes.tail + threadIdx.x % PANEL_ROWS * 16;
    return b;
}

/* Half `half`, the next: its activations, and before the first of a block the scales of its
 * weights. */
DEVICE_FN void big_fetch(int format, struct big *b, uint32_t half)
{
    struct format f = format_of(format);
    const uint32_t step = 16 * BIG_THREADS, n_head = (uint32_t)f.head_bytes * PANEL_ROWS,
                   n_tail = (uint32_t)f.tail_bytes * PANEL_ROWS, at = threadIdx.x % PANEL_ROWS * 16,
                   odd = half % 2;
    const uint32_t n = !f.group_len ? HALF_GROUPS * ACTS32_BYTES
                       : odd        ? ACTS_HALF + ACTS_TAIL_BYTES
                                    : ACTS_HALF;
    uint8_t *to = b->acts + odd * (2 * BIG_HALF_BYTES) + threadIdx.x * 16;
    const uint8_t *from = b->next_acts;
    UNROLL
    for (int i = 0; i < BIG_COLS / ACTS_ROWS; i++, to += BIG_HALF_BYTES, from += b->tile_bytes) {
        copy_ahead16_or_0(to, from, true);
        copy_ahead16_or_0(to + step, from + step, true);
        if (2 * step + threadIdx.x * 16 < n)
            copy_ahead16_or_0(to + 2 * step, from + 2 * step, true);
    }
    b->next_acts += n;
    if (odd)
        return;
    to = b->scales + half / 2 % 2 * BIG_SCALES_BYTES +
         threadIdx.x / PANEL_ROWS * (n_head + n_tail) + at;
    UNROLL
    for (uint32_t i = 0; i < n_head; i += 128)
        if (i + at < n_head)
            copy_ahead16_or_0(to + i, b->next_head + i, true);
    if (at < n_tail)
        copy_ahead16_or_0(to + n_head, b->next_tail, true);
    b->next_head += n_head;
    b->next_tail += n_tail;
}

/* Sums of the first or of all segments to where they belong: with the first four in y, and the
 * bias. */
DEVICE_FN void big_out(const struct product_args *a, const struct big *b, bool all,
                       const struct tile_sums *sum)
{
    const uint32_t lane = threadIdx.x % 32, t = not_before(b->t),
                   out0 = not_before(b->row) + threadIdx.x / 32 * 32 + lane / 4;
    const float *all_bias = expert_bias(&a->choice, t, a->bias, a->n_out);
    float bias[4] = {0, 0, 0, 0};
    UNROLL
    for (uint32_t k = 0; k < 4; k++)
        if (all && all_bias && out0 + k * 8 < a->n_out)
            bias[k] = all_bias[out0 + k * 8];
    UNROLL
    for (uint32_t i = 0; i < 2 * TILE_N_MAX; i++) {
        uint32_t column = t + i / 2 * 8 + lane % 4 * 2 + i % 2;
        float *y = a->y + column * a->stride + out0;
        UNROLL
        for (uint32_t k = 0; k < 4; k++) {
            if (column >= a->n_rows || out0 + k * 8 >= a->n_out)
                continue;
            float v = sum->v[k / 2][i / 2][k % 2 * 2 + i % 2];
            if (all) {
                v = y[k * 8] + v;
                v = all_bias ? v + bias[k] : v;
            }
            y[k * 8] = v;
        }
    }
}

/* After segment s (0 to 7): s joins its pair, the pair the other, as R4's tree has them. The sums
 * begin again. */
DEVICE_FN void big_join(const struct product_args *a, const struct big *b, uint32_t s,
                        struct tile_sums *sum)
{
    float *pair = b->kept + threadIdx.x, *four = pair + BIG_RESULTS * BIG_THREADS;
    float(*v)[TILE_N_MAX][4] = sum->v;
    UNROLL
    for (int i = 0; i < BIG_RESULTS && s % 2 == 1; i++)
        v[i / 32][i / 4 % 8][i % 4] = pair[i * BIG_THREADS] + v[i / 32][i / 4 % 8][i % 4];
    UNROLL
    for (int i = 0; i < BIG_RESULTS && s % 4 == 3; i++)
        v[i / 32][i / 4 % 8][i % 4] = four[i * BIG_THREADS] + v[i / 32][i / 4 % 8][i % 4];
    float *to = s % 2 == 0 ? pair : four;
    if (s % 4 == 3)
        big_out(a, b, s == 7, sum);
    UNROLL
    for (int i = 0; i < BIG_RESULTS; i++) {
        to[i * BIG_THREADS] = v[i / 32][i / 4 % 8][i % 4];
        v[i / 32][i / 4 % 8][i % 4] = 0;
    }
}

/* Half `half`, which has come. */
DEVICE_FN void big_half(int format, const struct product_args *a, const struct big *b,
                        uint32_t half, struct tile_place *p, struct tile_words *slots,
                        struct tile_sums *sum)
{
    struct format f = format_of(format);
    const uint32_t row = threadIdx.x % 32 / 4, row_bytes = (uint32_t)(f.head_bytes + f.tail_bytes);
    const uint8_t *acts = b->acts + half % 2 * (2 * BIG_HALF_BYTES);
    const uint8_t *panel =
        b->scales + half / 2 % 2 * BIG_SCALES_BYTES + threadIdx.x / 32 * (32 * row_bytes);
    struct tile_scales scales;
    UNROLL
    for (uint32_t i = 0; i < 4; i++, panel += PANEL_ROWS * row_bytes) {
        scales.head[i] = panel + row * (uint32_t)f.head_bytes;
        scales.tail[i] = panel + PANEL_ROWS * (uint32_t)f.head_bytes + row * (uint32_t)f.tail_bytes;
    }
    tile_half(format, 2, 8, a, p, half * HALF_GROUPS, a->n_groups, slots, acts, BIG_HALF_BYTES,
              &scales, sum);
    if (f.group_len && half % 2)
        tile_finish_k(format, 2, 8, acts + ACTS_HALF, BIG_HALF_BYTES, &scales, sum);
}

DEVICE_FN void matmul_big(int format, const struct product_args *a)
{
    DYNAMIC_SHARED(float, kept);
    if (!has_expert(&a->choice, blockIdx.x * BIG_COLS))
        return;
    const uint8_t *w = a->w + expert_offset(&a->choice, blockIdx.x * BIG_COLS);
    struct big b = big_at(format, a, w, kept);
    struct tile_place p = tile_at(2, a, w, b.row + threadIdx.x / 32 * 32, 0);
    struct tile_words slots[TILE_SLOTS_MAX];
    struct tile_sums sum = {{{{0}}}, {{{0}}}};
    big_fetch(format, &b, 0);
    copy_ahead_commit();
    UNROLL
    for (int i = 0; i < tile_slots(format); i++)
        tile_load(format, 2, &p, (uint32_t)i, (uint32_t)i < a->n_groups, &slots[i]);
    uint32_t s = 0;
    NO_UNROLL
    for (uint32_t half = 0;; half++) {
        NO_UNROLL
        for (; s < SEGMENTS && 2 * segment_at(b.n_halves / 2, s + 1) == half; s++)
            big_join(a, &b, s, &sum);
        if (half == b.n_halves)
            break;
        copy_ahead_wait(0);
        __syncthreads(); /* all have this half, and are done with the one before */
        if (half + 1 < b.n_halves)
            big_fetch(format, &b, half + 1);
        copy_ahead_commit();
        big_half(format, a, &b, half, &p, slots, &sum);
    }
}

#define BIG(type, ...)                                                                             \
    KERNEL_BOUNDS(matmul_big_##type, struct product_args, BIG_THREADS, 2)                          \
    {                                                                                              \
        matmul_big(FORMAT_##type, &a);                                                             \
    }
CUDA_FORMATS(BIG)
