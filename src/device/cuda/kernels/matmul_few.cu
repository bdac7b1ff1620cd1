/* matmul_few.cu - products with 1 to 4 rows of activations: the weights once, by dp4a.
 *
 * A block of two warps takes one panel: thread = row of the panel (8) x segment (8). A thread opens
 * whole groups of its row and adds its segment's blocks in order, so that nothing is exchanged
 * until the 8 segments meet in shared memory at the end. Neighbouring lanes read 16 bytes each of
 * one 128-byte line of weights; activations come through the first cache, one address per 8 lanes.
 *
 * Arithmetic of it for Q4_K and one row, per lane and block of 256: 9 loads of 16 bytes (8 of
 * codes, head) and 20 of activations, 96 operations to open 32 words, 72 dp4a, 24 for sub-scales
 * and shifts; 309 instructions in all by disassembly. An SM issues 128 lanes per clock: 106
 * weights; at 4.3 TB/s an H200's SM gets 33 weights a clock (4.5 bits, 1.75 GHz). So instructions
 * take 0.31 of the time that memory does, and rows of weights 0.8 of its bandwidth once enough are
 * under way. In flight: the next step is loaded before this one is used: 128 bytes of codes per
 * lane and step, 4 KiB per warp, and both steps at the start. 4096 rows are 1,024 warps, 8 per SM:
 * 32 to 64 KiB, where 26 KiB are needed (4.3 TB/s x 0.8 us / 132). Short matrices are bound by
 * their start: 9.4 MB take 2.2 us at full speed, the first load 0.8 us. */
#include "device/cuda/kernels/codes.h"

enum { FEW_THREADS = SEGMENTS * PANEL_ROWS, FEW_ROWS_MAX = 4 };

/* What a lane loads for one step: 8 groups, or 4 where they or what opens them need more registers;
 * and the scales of their block. */
struct few_step {
    uint4 nibbles[8], twos[4], ones[2], bytes[8], head[2];
    uint32_t tail;
};

/* Where one lane's row lies. */
struct few_row {
    const uint8_t *nibbles, *twos, *ones, *bytes, *head, *tail;
};

enum { UNIT = 16 * PANEL_ROWS }; /* bytes between units of one row */

DEVICE_FN int few_groups(int format)
{
    struct format f = format_of(format);
    return f.bits == 4 || f.bits == 2 ? 8 : 4;
}

/* This block's first row of activations: with experts, each has a tile of its own. */
DEVICE_FN uint32_t few_row0(const struct product_args *a)
{
    return blockIdx.y * a->choice.tile_rows;
}
DEVICE_FN const uint8_t *few_acts(int format, const struct product_args *a)
{
    return a->acts + blockIdx.y * acts_tile_bytes(format_of(format).group_len != 0, a->n_groups);
}

DEVICE_FN struct few_row few_row_of(int format, const struct product_args *a, uint32_t panel,
                                    uint32_t row)
{
    struct format f = format_of(format);
    const uint8_t *base =
        a->w + expert_offset(&a->choice, few_row0(a)) + (uint64_t)panel * a->planes.n_bytes;
    struct few_row r;
    r.nibbles = base + a->planes.nibbles + row * 16;
    r.twos = base + a->planes.twos + row * 16;
    r.ones = base + a->planes.ones + row * 16;
    r.bytes = base + a->planes.bytes + row * 16;
    r.head = base + a->planes.head + row * (uint32_t)f.head_bytes;
    r.tail = base + a->planes.tail + row * (uint32_t)f.tail_bytes;
    return r;
}

/* Groups [group, group + few_groups) as far as n_groups, and the scales of their block (twice where
 * a block is two steps: the second time from the cache). One address per plane: the rest are
 * distances that the instructions hold. */
DEVICE_FN void few_load(int format, const struct few_row *r, uint32_t group, uint32_t n_groups,
                        struct few_step *s)
{
    struct format f = format_of(format);
    const uint32_t n = (uint32_t)few_groups(format);
    const uint64_t block = group / BLOCK_GROUPS;
    const uint8_t *nibbles = r->nibbles + (uint64_t)group * UNIT;
    const uint8_t *twos = r->twos + (uint64_t)(group / 2) * UNIT;
    const uint8_t *ones = r->ones + (uint64_t)(group / 4) * UNIT;
    const uint8_t *bytes = r->bytes + (uint64_t)group * (2 * UNIT);
    const uint8_t *head = r->head + block * (uint64_t)(PANEL_ROWS * f.head_bytes);
    UNROLL
    for (uint32_t i = 0; i < n; i++) {
        bool is_there = group + (f.group_len ? 0 : i) < n_groups; /* K types: whole blocks */
        if (f.nibbles)
            s->nibbles[i] = load_once16(nibbles + i * UNIT, is_there);
        if (f.twos && i % 2 == 0)
            s->twos[i / 2] = load_once16(twos + i / 2 * UNIT, is_there);
        if (f.ones && i % 4 == 0)
            s->ones[i / 4] = load_once16(ones + i / 4 * UNIT, is_there);
        if (f.bytes) {
            s->bytes[2 * i] = load_once16(bytes + i * (2 * UNIT), is_there);
            s->bytes[2 * i + 1] = load_once16(bytes + i * (2 * UNIT) + UNIT, is_there);
        }
    }
    s->head[0] = load_head(format, head, group < n_groups);
    if (f.head_bytes == 32)
        s->head[1] = load_ahead16(head + 16, group < n_groups);
    s->tail = load_tail(format, r->tail + block * (uint64_t)(PANEL_ROWS * f.tail_bytes),
                        group < n_groups);
}

DEVICE_FN uint32_t word_of(uint4 v, int i)
{
    return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

/* The integers of a group. Levels for one row of activations are cheapest in two sums, of those
 * that are positive and of those that are negative: `less` has the magnitudes of these. */
struct few_words {
    uint32_t low[4], high[4], less_low[4], less_high[4];
};

DEVICE_FN bool few_splits(int format, int n_max)
{
    return format_of(format).levels && n_max == 1;
}

/* The 8 words of codes of group i of a step. */
DEVICE_FN struct few_words few_codes(int format, int n_max, const struct few_step *s, int i,
                                     const uint32_t table[4])
{
    struct format f = format_of(format);
    struct few_words out;
    UNROLL
    for (int w = 0; w < 4; w++) {
        if (few_splits(format, n_max)) {
            uint32_t plus[2], less[2];
            levels_split(format, word_of(s->nibbles[i], w), table, plus, less);
            out.low[w] = plus[0], out.high[w] = plus[1];
            out.less_low[w] = less[0], out.less_high[w] = less[1];
            continue;
        }
        struct code_words c = {0, {0, 0}, 0, {0, 0}};
        if (f.nibbles)
            c.nibbles = word_of(s->nibbles[i], w);
        if (f.twos) {
            c.twos[0] = word_of(s->twos[i / 2], i % 2 * 2);
            c.twos[1] = word_of(s->twos[i / 2], i % 2 * 2 + 1);
        }
        if (f.ones)
            c.ones = word_of(s->ones[i / 4], i % 4);
        if (f.bytes) {
            c.bytes[0] = word_of(s->bytes[2 * i], w);
            c.bytes[1] = word_of(s->bytes[2 * i + 1], w);
        }
        open_codes(format, &c, (uint32_t)w, table, &out.low[w], &out.high[w]);
    }
    return out;
}

/* Products of 16 columns each with q's words in their order 0 4 1 5 2 6 3 7. */
DEVICE_FN int few_dot4(const uint32_t w[4], uint32_t a, uint32_t b, uint32_t c, uint32_t d,
                       int start)
{
    return dp4a(w[3], d, dp4a(w[2], c, dp4a(w[1], b, dp4a(w[0], a, start))));
}
DEVICE_FN void few_dot(const struct few_words *w, bool splits, const uint8_t *q, int start,
                       int *first, int *second)
{
    uint4 x = load16(q), y = load16(q + 16);
    *first = few_dot4(w->low, x.x, x.z, y.x, y.z, start);
    *second = few_dot4(w->high, x.y, x.w, y.y, y.w, 0);
    if (splits) {
        *first -= few_dot4(w->less_low, x.x, x.z, y.x, y.z, 0);
        *second -= few_dot4(w->less_high, x.y, x.w, y.y, y.w, 0);
    }
}

/* Sums of activations times sub-minima (or sub-scales) of a block. */
DEVICE_FN int few_sums(int format, uint4 head, const uint8_t *tail, uint32_t t)
{
    uint4 low = load16(tail + ACTS_LOW + t * 16), high = load16(tail + ACTS_HIGH + t * 16);
    int j = 0, k = 0;
    UNROLL
    for (int w = 0; w < 4; w++) {
        uint32_t m = sum_factors(format, head, (uint32_t)w);
        j = dp4a(m, word_of(low, w), j);
        k = dp4a(m, word_of(high, w), k);
    }
    return j + k * 256;
}

/* K types: one step of a block of 256, whose integer sums stand in i1. */
DEVICE_FN void few_step_k(int format, int n_max, const struct product_args *a,
                          const struct few_step *s, uint32_t group, uint32_t i1[FEW_ROWS_MAX],
                          float sum[FEW_ROWS_MAX])
{
    struct format f = format_of(format);
    const int n = few_groups(format);
    const uint8_t *acts = few_acts(format, a) + (uint64_t)(group / BLOCK_GROUPS) * ACTS_BLOCK_BYTES;
    const uint32_t first_group = n == BLOCK_GROUPS ? 0 : group % BLOCK_GROUPS;
    const uint8_t *half = acts + first_group / 4 * ACTS_HALF, *tail = acts + ACTS_TAIL;
    uint32_t sc[4];
    sub_scales(format, s->head[0], sc);
    UNROLL
    for (int i = 0; i < n; i++) {
        const int at = (int)first_group + i;
        struct few_words w = few_codes(format, n_max, s, i, a->levels);
        UNROLL
        for (int t = 0; t < n_max; t++)
            if (n_max == 1 || (uint32_t)t < a->n_rows) {
                int first, second;
                few_dot(&w, few_splits(format, n_max), half + acts_group((uint32_t)i) + t * 32, 0,
                        &first, &second);
                uint32_t shifts = load4(half + i / 4 * ACTS_HALF + ACTS_SHIFTS + t * 4);
                uint32_t part =
                    f.group_len == 16
                        ? (uint32_t)(first * byte_of(sc, 2 * at) + second * byte_of(sc, 2 * at + 1))
                    : f.bytes ? (uint32_t)(first + second)
                              : (uint32_t)((first + second) * byte_of(sc, at));
                i1[t] += shift_left(part, shifts >> 8 * (i % 4));
            }
    }
    if (first_group + (uint32_t)n < BLOCK_GROUPS)
        return;
    float d, dmin;
    block_scales(format, s->head[0], s->tail, &d, &dmin);
    UNROLL
    for (int t = 0; t < n_max; t++)
        if (n_max == 1 || (uint32_t)t < a->n_rows) {
            int j = has_sums(format) ? few_sums(format, s->head[0], tail, (uint32_t)t) : 0;
            float dx = bits_float(load4(tail + ACTS_D + t * 4));
            sum[t] =
                add_term(sum[t], (int)(i1[t] - (uint32_t)(f.bias * j)), d, f.minima, j, dmin, dx);
            i1[t] = 0;
        }
}

/* Types with a scale per 32 or 64: each group is a term, that of an absent group 0. */
DEVICE_FN void few_step_32(int format, int n_max, const struct product_args *a,
                           const struct few_step *s, uint32_t group, float sum[FEW_ROWS_MAX])
{
    struct format f = format_of(format);
    const int n = few_groups(format);
    const int first_group = n == BLOCK_GROUPS ? 0 : (int)(group % BLOCK_GROUPS);
    const uint8_t *acts = few_acts(format, a) + (uint64_t)group * ACTS32_BYTES;
    UNROLL
    for (int i = 0; i < n; i++, acts += ACTS32_BYTES) {
        struct few_words w = few_codes(format, n_max, s, i, a->levels);
        int at = first_group + i, word = scale_word(format, at);
        float d, m;
        group_scales(format,
                     f.head_bytes == 32 && word >= 4 ? word_of(s->head[1], word - 4)
                                                     : word_of(s->head[0], word),
                     at, a->unit, &d, &m);
        UNROLL
        for (int t = 0; t < n_max; t++)
            if (n_max == 1 || (uint32_t)t < a->n_rows) {
                int total = (int)load4(acts + ACTS32_SUM + t * 4), first, second;
                few_dot(&w, few_splits(format, n_max), acts + t * 32, -f.bias * total, &first,
                        &second);
                sum[t] = add_term(sum[t], first + second, d, f.minima, -total, m,
                                  bits_float(load4(acts + ACTS32_D + t * 4)));
            }
    }
}

/* One segment of one row. */
DEVICE_FN void few_segment(int format, int n_max, const struct product_args *a,
                           const struct few_row *r, uint32_t block0, uint32_t block1,
                           float sum[FEW_ROWS_MAX])
{
    struct format f = format_of(format);
    const uint32_t n = (uint32_t)few_groups(format);
    uint32_t i1[FEW_ROWS_MAX] = {0}, end = block1 * BLOCK_GROUPS;
    if (end > a->n_groups)
        end = a->n_groups;
    uint32_t group = block0 * BLOCK_GROUPS;
    if (group >= end)
        return;
    struct few_step now, next;
    few_load(format, r, group, end, &now);
    NO_UNROLL
    for (; group < end; group += n) {
        few_load(format, r, group + n, end, &next);
        if (f.group_len)
            few_step_k(format, n_max, a, &now, group, i1, sum);
        else
            few_step_32(format, n_max, a, &now, group, sum);
        now = next;
    }
}

DEVICE_FN void matmul_few(int format, int n_max, const struct product_args *a)
{
    SHARED(float, part, SEGMENTS *FEW_ROWS_MAX *PANEL_ROWS);
    uint32_t row = threadIdx.x % PANEL_ROWS, segment = threadIdx.x / PANEL_ROWS;
    uint32_t n_blocks = (a->n_groups + BLOCK_GROUPS - 1) / BLOCK_GROUPS;
    float sum[FEW_ROWS_MAX] = {0};
    if (!has_expert(&a->choice, few_row0(a)))
        return;
    struct few_row r = few_row_of(format, a, blockIdx.x, row);
    few_segment(format, n_max, a, &r, segment_at(n_blocks, segment),
                segment_at(n_blocks, segment + 1), sum);
    UNROLL
    for (int t = 0; t < n_max; t++)
        part[(segment * FEW_ROWS_MAX + (uint32_t)t) * PANEL_ROWS + row] = sum[t];
    __syncthreads();
    uint32_t t = segment, out = blockIdx.x * PANEL_ROWS + row; /* the same threads, other work */
    if (t < a->n_rows && t < (uint32_t)n_max && out < a->n_out) {
        float y = segments_sum(part + t * PANEL_ROWS + row, FEW_ROWS_MAX * PANEL_ROWS);
        const float *bias = expert_bias(&a->choice, few_row0(a), a->bias, a->n_out);
        a->y[(few_row0(a) + t) * a->stride + out] = bias ? y + bias[out] : y;
    }
}

#define FEW(type, ...)                                                                             \
    KERNEL_BOUNDS(matmul_few1_##type, struct product_args, FEW_THREADS, 8)                         \
    {                                                                                              \
        matmul_few(FORMAT_##type, 1, &a);                                                          \
    }                                                                                              \
    KERNEL_BOUNDS(matmul_few4_##type, struct product_args, FEW_THREADS, 6)                         \
    {                                                                                              \
        matmul_few(FORMAT_##type, FEW_ROWS_MAX, &a);                                               \
    }
CUDA_FORMATS(FEW)
