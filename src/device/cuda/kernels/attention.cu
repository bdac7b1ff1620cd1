/* attention.cu - attention over pages (docs/arithmetic.md, "Attention").
 *
 * A block of 4 warps has a tile of queries that share a kv head: heads of one row, or of rows side
 * by side that share their pages (a prompt). It goes over pages in order, three steps each:
 *
 *   scores   warp w has the 16 positions of quarter w. Keys come as they lie, 8 bytes a lane: of
 * two neighbouring positions the integers of two elements. Their bytes are a fragment of an int8
 * tensor product with 32 "columns" k: low and high byte of 16 elements. Four columns n belong to a
 * query: (low, high byte of the key) x (low, high plane of the query), zeros between. An integer as
 * 2048 more has no sign, which makes its bytes unsigned; 2048 times the sum of the query is taken
 * off in the end. weights  a warp has a query, a lane two positions: m, l and the weights in 14
 * bits. values   the same product, with elements for positions and pairs of positions for pairs of
 *            elements: a warp has every fourth 16 elements.
 *
 * Sums are exact, so nothing of this changes a bit. Per page of E = 128 and 2 queries: 64 tensor
 * products of 16 x 8 x 32 beside 32 KiB read, 1 per 512 bytes; an SM of an H200 gets 21 bytes a
 * clock and does one product in 2, which leaves room for 12 such pairs of queries at the memory's
 * speed. The next page is asked for (into the second cache) when this one is begun.
 *
 * Long texts: a block has one group of 8 pages; the last block of a tile to end combines the groups
 * in order. */
#include "device/cuda/kernels/heads.h"

enum { WARPS = ATTEND_THREADS / 32, QUERY_BITS = 6, WEIGHT_BITS = 7, JOIN_GROUPS = 8 };

/* A tile of queries in shared memory; n of them. */
struct tile {
    struct query *query;
    uint32_t *keys;    /* planes of q, [n][key_stride] */
    uint32_t *weights; /* planes of a page's weights, [n][WEIGHT_STRIDE] */
    int32_t *score;    /* [n][KV_PAGE] */
    float *o, *all_o;  /* [n][E16] */
    uint32_t n;
};

DEVICE_FN struct tile tile_at(uint4 *shared, uint32_t n, uint32_t e)
{
    struct tile s;
    s.n = n;
    s.query = (struct query *)shared;
    s.o = (float *)(s.query + n);
    s.all_o = s.o + n * kv_round16(e);
    s.score = (int32_t *)(s.all_o + n * kv_round16(e));
    s.weights = (uint32_t *)(s.score + n * KV_PAGE);
    s.keys = s.weights + n * WEIGHT_STRIDE;
    return s;
}

/* ---- queries ------------------------------------------------------------------------------ */

/* Row and head of a query of the tile, whose rows begin at row0 and heads at head0. */
DEVICE_FN uint32_t row_of(const struct attend_args *a, uint32_t row0, uint32_t i)
{
    return row0 + i / a->tile_heads;
}
DEVICE_FN uint32_t head_of(const struct attend_args *a, uint32_t head0, uint32_t i)
{
    return head0 + i % a->tile_heads;
}

/* Whether query i of a tile from row0 to row1 exists. */
DEVICE_FN bool is_query(const struct attend_args *a, uint32_t row0, uint32_t row1, uint32_t n_heads,
                        uint32_t i)
{
    return row_of(a, row0, i) < row1 && i % a->tile_heads < n_heads &&
           i / a->tile_heads < a->tile_rows;
}

/* Query i by a warp: x is its place for a vector. */
DEVICE_FN void query_read(const struct attend_args *a, struct tile *s, uint32_t i, uint32_t t,
                          uint32_t h, bool is_there, float *x)
{
    uint32_t e = a->head_size, lane = threadIdx.x % 32, sum = 0,
             *planes = s->keys + i * key_stride(e);
    for (uint32_t d = lane; d < e; d += 32)
        x[d] = is_there ? a->q[t * a->stride_q + (uint64_t)h * e + d] : 0.0f;
    warp_hadamard(x, e);
    float largest = warp_largest(x, e), per = levels_per(largest);
    for (uint32_t d = lane; d < key_stride(e); d += 32) {
        int u = 2 * d < e ? level_of(x[2 * d], per) : 0;
        int v = 2 * d < e ? level_of(x[2 * d + 1], per) : 0;
        planes[d] = planes_of(u, v, QUERY_BITS);
        sum += (uint32_t)u + (uint32_t)v;
    }
    sum = warp_add(sum);
    if (lane == 0) {
        struct query q = {0};
        q.is_there = is_there;
        q.scale = (per == 0 ? 0.0f : largest * HEAD_UNIT) * a->score_scale;
        q.bias = sum * 2048;
        if (is_there) {
            q.last = a->rows[t].position;
            q.first = kv_first(q.last, a->window);
        }
        s->query[i] = q;
        if (is_there && !(largest < NUM_LIMIT))
            a->bad[t] = 1;
    }
    __syncwarp();
}

/* ---- products ----------------------------------------------------------------------------- */

/* Two 12-bit integers, each made 2048 more. */
DEVICE_FN uint32_t unsign(uint32_t pair)
{
    return (pair ^ 0x08000800u) & 0x0fff0fffu;
}

/* The bytes of a word of planes that this lane's column n takes, and where: 4 is a zero. */
DEVICE_FN uint32_t column_choice(void)
{
    uint32_t c = threadIdx.x / 4 % 4;
    return c == 0 ? 0x4140u : c == 1 ? 0x4342u : c == 2 ? 0x1404u : 0x3424u;
}

/* acc[j] += the products of 16 rows (positions or elements) at `from` with queries 2j and 2j + 1:
 * n_k pairs, `step` bytes from one to the next. */
DEVICE_FN void products(int (*acc)[4], const int n_tiles, const uint8_t *from, uint64_t step,
                        uint32_t n_k, const uint32_t *planes, uint32_t plane_stride)
{
    uint32_t lane = threadIdx.x % 32, choice = column_choice();
    const uint32_t *mine = planes + lane / 16 * plane_stride + lane % 4;
    from += lane / 4 * 8;
    for (uint32_t k0 = 0; k0 < n_k; k0 += 32) {
        uint2 v[8];
        UNROLL
        for (uint32_t i = 0; i < 8; i++) {
            uint32_t k = k0 + 4 * i + lane % 4;
            v[i].x = 0, v[i].y = 0;
            if (k < n_k)
                v[i] = *(const uint2 *)(from + k * step);
        }
        UNROLL
        for (uint32_t i = 0; i < 8; i += 2) {
            uint32_t k = k0 + 4 * i;
            if (k >= n_k)
                break;
            uint32_t rows[4] = {unsign(v[i].x), unsign(v[i].y), unsign(v[i + 1].x),
                                unsign(v[i + 1].y)};
            UNROLL
            for (int j = 0; j < n_tiles; j++) {
                const uint32_t *p = mine + 2 * (uint32_t)j * plane_stride + k;
                uint32_t columns[2] = {byte_perm(p[0], 0, choice), byte_perm(p[4], 0, choice)};
                mma_u8s8_m16n8k32(acc[j], rows, columns);
            }
        }
    }
}

/* This lane's sum: of row 2 (lane / 4) + lane % 2, and query lane % 4 / 2 of the two. */
DEVICE_FN int32_t product_sum(const int acc[4], int bits, uint32_t bias)
{
    uint32_t x = (uint32_t)acc[0] + ((uint32_t)acc[1] << bits);
    uint32_t y = (uint32_t)acc[2] + ((uint32_t)acc[3] << bits);
    bool odd = threadIdx.x % 2;
    if (odd)
        x <<= 8, y <<= 8;
    uint32_t other = __shfl_xor_sync(~0u, odd ? x : y, 1);
    return (int32_t)((odd ? y : x) + other - bias);
}

DEVICE_FN void clear(int (*acc)[4], const int n_tiles)
{
    UNROLL
    for (int j = 0; j < n_tiles; j++)
        acc[j][0] = acc[j][1] = acc[j][2] = acc[j][3] = 0;
}

/* ---- one page ----------------------------------------------------------------------------- */

DEVICE_FN void page_scores(const struct attend_args *a, struct tile *s, const int n_tiles,
                           const uint8_t *part)
{
    uint32_t e = a->head_size, lane = threadIdx.x % 32, quarter = threadIdx.x / 32;
    int acc[8][4];
    clear(acc, n_tiles);
    products(acc, n_tiles, part + (uint64_t)quarter * 32 * e, 64, e / 2, s->keys, key_stride(e));
    UNROLL
    for (int j = 0; j < n_tiles; j++) {
        uint32_t i = 2 * (uint32_t)j + lane % 4 / 2;
        s->score[i * KV_PAGE + quarter * 16 + lane / 4 * 2 + lane % 2] =
            product_sum(acc[j], QUERY_BITS, s->query[i].bias);
    }
}

/* From (m, l) so far and those of what is new: what vectors are multiplied by. */
DEVICE_FN uint32_t combine(float *m, float *l, uint32_t *has, float new_m, float new_l, float *keep,
                           float *take)
{
    if (!*has) {
        *has = 1, *m = new_m, *l = new_l;
        *keep = 0, *take = 1;
        return STEP_FIRST;
    }
    float top = num_max(*m, new_m);
    *keep = softmax_rescale(*m, top), *take = softmax_rescale(new_m, top);
    *l = *l * *keep + new_l * *take;
    *m = top;
    return STEP_COMBINE;
}

DEVICE_FN float score_of(const struct attend_args *a, const struct query *q, int32_t sum, float ks)
{
    float s = (float)sum * ks * q->scale;
    if (a->softcap != 0)
        return num_tanh(s * a->per_cap) * (a->softcap * 0x1.715476p+0f);
    return num_min(num_max(s, -SCORE_MAX), SCORE_MAX);
}

/* Query i, by a warp, and a page of which it sees at least one position. */
DEVICE_FN void page_weights(const struct attend_args *a, struct tile *s, uint32_t i, uint32_t page,
                            const float *scales)
{
    struct query *q = &s->query[i];
    uint32_t lane = threadIdx.x % 32, first = page * KV_PAGE;
    uint32_t lo = q->first > first ? q->first - first : 0;
    uint32_t hi = q->last - first < KV_PAGE ? q->last - first : KV_PAGE - 1;
    float v_max = scales[2 * KV_PAGE + hi], score[2], top = -3e38f;
    float unit = v_max < NUM_TINY ? 0.0f : num_recip(v_max) * (float)W_MAX;
    int w[2] = {0, 0};
    uint32_t l = 0;
    UNROLL
    for (uint32_t k = 0; k < 2; k++) {
        uint32_t p = 2 * lane + k;
        if (p < lo || p > hi)
            continue;
        score[k] = score_of(a, q, s->score[i * KV_PAGE + p], scales[p]);
        top = num_max(score[k], top);
    }
    top = warp_max(top);
    float m = num_round(top);
    m = m < top ? m + 1.0f : m;
    UNROLL
    for (uint32_t k = 0; k < 2; k++) {
        uint32_t p = 2 * lane + k;
        if (p < lo || p > hi)
            continue;
        float part = num_exp2(score[k] - m);
        l += (uint32_t)num_to_int(part * (float)(1 << P_BITS));
        w[k] = num_to_int(part * (scales[KV_PAGE + p] * unit));
    }
    s->weights[i * WEIGHT_STRIDE + lane] = planes_of(w[0], w[1], WEIGHT_BITS);
    l = warp_add(l);
    uint32_t sum = warp_add((uint32_t)w[0] + (uint32_t)w[1]);
    if (lane == 0) {
        q->weight_bias = sum * 2048;
        q->unit = v_max * W_UNIT;
        q->step = combine(&q->m, &q->l, &q->has_group, m, (float)(int32_t)l * 0x1p-24f, &q->keep,
                          &q->take);
    }
}

DEVICE_FN bool sees(const struct query *q, uint32_t page)
{
    return q->is_there && page >= q->first / KV_PAGE && page <= q->last / KV_PAGE;
}

DEVICE_FN void tile_weights(const struct attend_args *a, struct tile *s, uint32_t page,
                            const uint8_t *part)
{
    const float *scales = (const float *)(part + kv_head_bytes(a->head_size)) - 3 * KV_PAGE;
    for (uint32_t i = threadIdx.x / 32; i < s->n; i += WARPS) {
        if (sees(&s->query[i], page)) {
            page_weights(a, s, i, page, scales);
        } else {
            s->weights[i * WEIGHT_STRIDE + threadIdx.x % 32] = 0;
            if (threadIdx.x % 32 == 0)
                s->query[i].step = STEP_NONE, s->query[i].weight_bias = 0;
        }
    }
}

DEVICE_FN void page_values(const struct attend_args *a, struct tile *s, const int n_tiles,
                           const uint8_t *part)
{
    uint32_t e = a->head_size, e16 = kv_round16(e), lane = threadIdx.x % 32;
    const uint8_t *values = part + (uint64_t)KV_PAGE * 2 * e;
    for (uint32_t d0 = threadIdx.x / 32 * 16; d0 < e16; d0 += WARPS * 16) {
        int acc[8][4];
        clear(acc, n_tiles);
        products(acc, n_tiles, values + d0 * 4, e16 * 4, KV_PAGE / 2, s->weights, WEIGHT_STRIDE);
        UNROLL
        for (int j = 0; j < n_tiles; j++) {
            uint32_t i = 2 * (uint32_t)j + lane % 4 / 2;
            const struct query *q = &s->query[i];
            float *o = s->o + i * e16 + d0 + lane / 4 * 2 + lane % 2;
            float new_o = (float)product_sum(acc[j], WEIGHT_BITS, q->weight_bias) * q->unit;
            if (q->step == STEP_FIRST)
                *o = new_o;
            else if (q->step == STEP_COMBINE)
                *o = *o * q->keep + new_o * q->take;
        }
    }
}

/* ---- groups, and the end ------------------------------------------------------------------ */

/* The group that ends goes into all. */
DEVICE_FN void group_end(const struct attend_args *a, struct tile *s)
{
    uint32_t e16 = kv_round16(a->head_size);
    if (threadIdx.x < s->n) {
        struct query *q = &s->query[threadIdx.x];
        q->step = STEP_NONE;
        if (q->has_group)
            q->step = combine(&q->all_m, &q->all_l, &q->has_all, q->m, q->l, &q->keep, &q->take);
        q->has_group = 0;
    }
    __syncthreads();
    for (uint32_t f = threadIdx.x; f < s->n * e16; f += ATTEND_THREADS) {
        const struct query *q = &s->query[f / e16];
        if (q->step == STEP_FIRST)
            s->all_o[f] = s->o[f];
        else if (q->step == STEP_COMBINE)
            s->all_o[f] = s->all_o[f] * q->keep + s->o[f] * q->take;
    }
    __syncthreads();
}

/* A sink is one more score without a value: what o is multiplied by, and the new l. */
DEVICE_FN float sink_keep(float m, float *l, float sink, float *take)
{
    float score = sink * 0x1.715476p+0f;
    float sink_m = num_round(num_min(num_max(score, -SCORE_MAX), SCORE_MAX));
    sink_m = sink_m < score ? sink_m + 1.0f : sink_m;
    float sink_l = num_exp2(score - sink_m), top = num_max(m, sink_m);
    float keep = softmax_rescale(m, top);
    *take = softmax_rescale(sink_m, top);
    *l = *l * keep + sink_l * *take;
    return keep;
}

DEVICE_FN float with_sink(float o, float keep, float take)
{
    return o * keep + 0.0f * take;
}

/* The outputs of a tile that went through all groups. */
DEVICE_FN void tile_end(const struct attend_args *a, struct tile *s, uint32_t row0, uint32_t head0)
{
    uint32_t e = a->head_size, e16 = kv_round16(e);
    for (uint32_t i = threadIdx.x / 32; i < s->n; i += WARPS) {
        const struct query *q = &s->query[i];
        if (!q->is_there)
            continue;
        uint32_t h = head_of(a, head0, i);
        float l = q->all_l, keep = 1, take = 0;
        if (a->sinks)
            keep = sink_keep(q->all_m, &l, a->sinks[h], &take);
        float r = num_recip(l);
        float *out = a->out + row_of(a, row0, i) * a->stride_out + (uint64_t)h * e;
        for (uint32_t d = threadIdx.x % 32; d < e; d += 32) {
            float o = s->all_o[i * e16 + d];
            out[d] = (a->sinks ? with_sink(o, keep, take) : o) * r;
        }
    }
}

/* ---- groups as the work of blocks ----------------------------------------------------------- */

/* Where the part of a query and group lies, in part_ml and part_o. */
DEVICE_FN uint64_t part_at(const struct attend_args *a, uint32_t t, uint32_t h, uint32_t group)
{
    return ((uint64_t)t * a->n_heads + h) * a->n_groups + group;
}

/* What a group gathered, for the block that joins. */
DEVICE_FN void tile_keep(const struct attend_args *a, struct tile *s, uint32_t row0, uint32_t head0)
{
    uint32_t e = a->head_size, e16 = kv_round16(e);
    for (uint32_t i = threadIdx.x / 32; i < s->n; i += WARPS) {
        const struct query *q = &s->query[i];
        if (!q->is_there || !q->has_group)
            continue;
        uint64_t at = part_at(a, row_of(a, row0, i), head_of(a, head0, i), blockIdx.z);
        for (uint32_t d = threadIdx.x % 32; d < e; d += 32)
            a->part_o[at * e + d] = s->o[i * e16 + d];
        if (threadIdx.x % 32 == 0)
            a->part_ml[2 * at] = q->m, a->part_ml[2 * at + 1] = q->l;
    }
}

/* How the n groups from `at` on enter what is there, whose largest score was *m: factors[k] for
 * the old, the new, and the new l. By a warp. */
DEVICE_FN void join_factors(const struct attend_args *a, uint64_t at, uint32_t n, float *m,
                            float (*factors)[4])
{
    uint32_t lane = threadIdx.x % 32;
    if (lane < n)
        factors[lane][3] = a->part_ml[2 * (at + lane)];
    __syncwarp();
    float before = *m, top = *m;
    for (uint32_t k = 0; k < n; k++) {
        if (k < lane)
            before = num_max(before, factors[k][3]);
        top = num_max(top, factors[k][3]);
    }
    *m = top;
    if (lane < n) {
        float new_m = factors[lane][3], own = num_max(before, new_m);
        float take = softmax_rescale(new_m, own);
        factors[lane][0] = softmax_rescale(before, own);
        factors[lane][1] = take;
        factors[lane][2] = a->part_ml[2 * (at + lane) + 1] * take;
    }
    __syncwarp();
}

/* Query i of the tile, row t and head h, by a warp: the groups that it sees, in order. */
DEVICE_FN void query_join(const struct attend_args *a, struct tile *s, uint32_t i, uint32_t t,
                          uint32_t h)
{
    uint32_t e = a->head_size, lane = threadIdx.x % 32, last = a->rows[t].position;
    uint32_t group0 = kv_first(last, a->window) / KV_PAGE / KV_PAGES_PER_GROUP;
    uint32_t group1 = last / KV_PAGE / KV_PAGES_PER_GROUP;
    float(*factors)[4] = (float(*)[4])(s->score + i * KV_PAGE);
    for (uint32_t d0 = lane; d0 < e + lane; d0 += 4 * 32) {
        float all[4] = {0, 0, 0, 0}, m = -3e38f, l = 0;
        for (uint32_t g = group0; g <= group1; g += JOIN_GROUPS) {
            uint32_t n = group1 - g + 1 < JOIN_GROUPS ? group1 - g + 1 : JOIN_GROUPS;
            uint64_t at = part_at(a, t, h, g);
            float o[JOIN_GROUPS][4];
            UNROLL
            for (uint32_t k = 0; k < JOIN_GROUPS; k++)
                UNROLL
            for (uint32_t c = 0; c < 4; c++)
                o[k][c] = k < n && d0 + 32 * c < e ? a->part_o[(at + k) * e + d0 + 32 * c] : 0.0f;
            join_factors(a, at, n, &m, factors);
            UNROLL
            for (uint32_t k = 0; k < JOIN_GROUPS; k++) {
                if (k >= n)
                    continue;
                const float *f = factors[k];
                l = l * f[0] + f[2];
                UNROLL
                for (uint32_t c = 0; c < 4; c++)
                    all[c] = g + k == group0 ? o[k][c] : all[c] * f[0] + o[k][c] * f[1];
            }
            __syncwarp();
        }
        UNROLL
        for (uint32_t c = 0; c < 4; c++)
            if (d0 + 32 * c < e)
                s->all_o[i * kv_round16(e) + d0 + 32 * c] = all[c];
        s->query[i].all_m = m, s->query[i].all_l = l; /* the same by every lane */
    }
}

/* Whether this is the last block of its tile to come here: then all groups' parts are there. */
DEVICE_FN bool is_last_group(const struct attend_args *a, const struct tile *s)
{
    uint32_t *ticket = a->tickets + blockIdx.y * gridDim.x + blockIdx.x;
    uint32_t *n_before = &s->query[0].step; /* for all threads; no longer used otherwise */
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        *n_before = atomicAdd(ticket, 1);
        if (*n_before == gridDim.z - 1)
            *ticket = 0; /* for the next launch */
    }
    __syncthreads();
    __threadfence();
    return *n_before == gridDim.z - 1;
}

/* ---- the kernel --------------------------------------------------------------------------- */

/* A page's part on its way while something else is computed. */
DEVICE_FN void ask_for(const uint8_t *part, uint32_t n_bytes)
{
    for (uint32_t i = threadIdx.x * 128; i < n_bytes; i += ATTEND_THREADS * 128)
        prefetch_line(part + i);
}

/* Rows [row0, row1), which share their pages. */
DEVICE_FN void attend_rows(const struct attend_args *a, struct tile *s, const int n_tiles,
                           uint32_t row0, uint32_t row1, uint32_t head0, uint32_t n_heads)
{
    uint32_t e = a->head_size, n_shared = a->n_heads / a->n_kv_heads, warp = threadIdx.x / 32;
    uint64_t offset = a->layer_offset + head0 / n_shared * kv_head_bytes(e);
    void *const *pages = a->rows[row0].pages;
    uint32_t from = ~0u, to = 0;
    for (uint32_t t = row0; t < row1; t++) {
        uint32_t first = kv_first(a->rows[t].position, a->window) / KV_PAGE;
        uint32_t last = a->rows[t].position / KV_PAGE;
        from = first < from ? first : from;
        to = last > to ? last : to;
    }
    if (a->part_o) {
        uint32_t group0 = blockIdx.z * KV_PAGES_PER_GROUP, group1 = group0 + KV_PAGES_PER_GROUP - 1;
        if (to < group0 || from > group1)
            return;
        from = from > group0 ? from : group0;
        to = to < group1 ? to : group1;
    }
    ask_for((const uint8_t *)pages[from] + offset, (uint32_t)kv_head_bytes(e));
    for (uint32_t i = warp; i < s->n; i += WARPS)
        query_read(a, s, i, row_of(a, row0, i), head_of(a, head0, i),
                   is_query(a, row0, row1, n_heads, i), s->o + warp * e);
    __syncthreads();
    for (uint32_t page = from; page <= to; page++) {
        const uint8_t *part = (const uint8_t *)pages[page] + offset;
        if (page < to)
            ask_for((const uint8_t *)pages[page + 1] + offset, (uint32_t)kv_head_bytes(e));
        page_scores(a, s, n_tiles, part);
        __syncthreads();
        tile_weights(a, s, page, part);
        __syncthreads();
        page_values(a, s, n_tiles, part);
        __syncthreads();
        if (!a->part_o && (page == to || page % KV_PAGES_PER_GROUP == KV_PAGES_PER_GROUP - 1))
            group_end(a, s);
    }
    if (a->part_o)
        tile_keep(a, s, row0, head0);
    else
        tile_end(a, s, row0, head0);
    __syncthreads();
}

/* Tiles of rows from the last to the first, since the last see most. In a tile rows that share
 * their pages go together, whatever the launch expected. */
DEVICE_FN void attend(const struct attend_args *a, uint4 *shared, const int n_tiles)
{
    struct tile s = tile_at(shared, 2 * (uint32_t)n_tiles, a->head_size);
    uint32_t n_shared = a->n_heads / a->n_kv_heads;
    uint32_t n_head_tiles = (n_shared + a->tile_heads - 1) / a->tile_heads;
    uint32_t head = blockIdx.y % n_head_tiles * a->tile_heads;
    uint32_t n_heads = n_shared - head < a->tile_heads ? n_shared - head : a->tile_heads;
    uint32_t head0 = blockIdx.y / n_head_tiles * n_shared + head;
    uint32_t row0 = (gridDim.x - 1 - blockIdx.x) * a->tile_rows, row1 = row0 + a->tile_rows;
    row1 = row1 < a->n_rows ? row1 : a->n_rows;
    for (uint32_t t = row0, end; t < row1; t = end) {
        end = t + 1;
        while (end < row1 && a->rows[end].pages == a->rows[t].pages)
            end++;
        attend_rows(a, &s, n_tiles, t, end, head0, n_heads);
    }
    if (!a->part_o || !is_last_group(a, &s))
        return;
    for (uint32_t i = threadIdx.x / 32; i < s.n; i += WARPS) {
        s.query[i].is_there = is_query(a, row0, row1, n_heads, i);
        if (s.query[i].is_there)
            query_join(a, &s, i, row_of(a, row0, i), head_of(a, head0, i));
    }
    tile_end(a, &s, row0, head0);
}

KERNEL_BOUNDS(attend_2, struct attend_args, ATTEND_THREADS, 6)
{
    DYNAMIC_SHARED(uint4, shared);
    attend(&a, shared, 1);
}
KERNEL_BOUNDS(attend_4, struct attend_args, ATTEND_THREADS, 6)
{
    DYNAMIC_SHARED(uint4, shared);
    attend(&a, shared, 2);
}
KERNEL_BOUNDS(attend_8, struct attend_args, ATTEND_THREADS, 5)
{
    DYNAMIC_SHARED(uint4, shared);
    attend(&a, shared, 4);
}
KERNEL_BOUNDS(attend_16, struct attend_args, ATTEND_THREADS, 4)
{
    DYNAMIC_SHARED(uint4, shared);
    attend(&a, shared, 8);
}
