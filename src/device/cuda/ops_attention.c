/* ops_attention.c - keys and values, attention and digests of pages on the device. */
#include "device/cuda/ops_attention.h"

#include "base/check.h"
#include "device/cpu/scalar.h"

enum {
    SHARED_BYTES = 48 << 10, /* what every card gives without being asked */
};

struct launch kv_write_launch(const struct kv_write_args *a, const struct kv_row *rows,
                              struct write_args *args)
{
    bool turns = a->n_rot || a->q_norm;
    *args = (struct write_args){.q = a->q,
                                .k = a->k,
                                .v = a->v,
                                .q_norm = a->q_norm,
                                .k_norm = a->k_norm,
                                .cos = a->cos,
                                .sin = a->sin,
                                .rows = rows,
                                .bad = a->bad,
                                .stride_q = a->stride_q,
                                .stride_k = a->stride_k,
                                .stride_v = a->stride_v,
                                .layer_offset = a->layer_offset,
                                .n_rows = a->n_rows,
                                .n_heads = a->n_heads,
                                .n_kv_heads = a->shape.n_kv_heads,
                                .head_size = a->shape.head_size,
                                .half = a->n_rot / 2,
                                .is_interleaved = a->interleaved,
                                .eps = a->eps};
    uint32_t n_query_blocks = turns ? cuda_parts(a->n_heads, WRITE_THREADS / 32) : 0;
    return (struct launch){.kernel = "kv_write",
                           .grid = {a->n_rows, args->n_kv_heads + n_query_blocks, 1},
                           .block = WRITE_THREADS,
                           .shared_bytes = WRITE_THREADS / 32 * args->head_size * 4,
                           .args = args,
                           .n_args_bytes = sizeof *args};
}

struct launch kv_digest_launch(const struct digest_args *args, uint32_t n_layers)
{
    return (struct launch){.kernel = "kv_digest",
                           .grid = {n_layers, 1, 1},
                           .block = DIGEST_THREADS,
                           .args = args,
                           .n_args_bytes = sizeof *args};
}

/* Queries of a block: a power of two from 2 to 16, as many as are there and as shared memory takes.
 */
static uint32_t block_queries(uint32_t n_wanted, uint32_t head_size)
{
    uint32_t n = 2;
    while (n < 16 && n < n_wanted && attend_shared_bytes(2 * n, head_size) <= SHARED_BYTES)
        n *= 2;
    return n;
}

static uint32_t tile_queries(const struct attend_args *args)
{
    return block_queries(args->tile_rows * args->tile_heads, args->head_size);
}

static uint32_t head_tiles(const struct attend_args *args)
{
    return args->n_kv_heads * cuda_parts(args->n_heads / args->n_kv_heads, args->tile_heads);
}

size_t attend_plan(const struct attention_args *a, bool rows_share, uint32_t n_pages,
                   struct attend_args *args)
{
    uint32_t e = a->shape.head_size, n_shared = a->n_heads / a->shape.n_kv_heads;
    uint32_t n_queries = block_queries(rows_share ? 16 : n_shared, e);
    *args = (struct attend_args){.q = a->q,
                                 .sinks = a->sinks,
                                 .out = a->out,
                                 .bad = a->bad,
                                 .stride_q = a->stride_q,
                                 .stride_out = a->stride_out,
                                 .layer_offset = a->layer_offset,
                                 .n_rows = a->n_rows,
                                 .n_heads = a->n_heads,
                                 .n_kv_heads = a->shape.n_kv_heads,
                                 .head_size = e,
                                 .window = a->window,
                                 .n_groups = cuda_parts(n_pages, KV_PAGES_PER_GROUP),
                                 .tile_heads = cuda_least(n_shared, n_queries),
                                 .tile_rows = 1,
                                 .score_scale = attention_scale(a),
                                 .softcap = a->softcap,
                                 .per_cap = a->softcap != 0 ? num_recip(a->softcap) : 0.0f};
    if (rows_share)
        args->tile_rows = n_queries / args->tile_heads;
    uint32_t n_blocks = cuda_parts(a->n_rows, args->tile_rows) * head_tiles(args);
    /* So many fill the largest card: several for each of 132 to 160 SMs. */
    if (args->n_groups == 1 || n_blocks >= ATTEND_SPLIT_MAX)
        return 0;
    return (size_t)a->n_heads * args->n_groups * (e + 2);
}

struct launch attend_launch(const struct attend_args *args)
{
    uint32_t n = tile_queries(args);
    CHECK(args->tile_rows * args->tile_heads <= n);
    return (struct launch){.kernel = n == 2   ? "attend_2"
                                     : n == 4 ? "attend_4"
                                     : n == 8 ? "attend_8"
                                              : "attend_16",
                           .grid = {cuda_parts(args->n_rows, args->tile_rows), head_tiles(args),
                                    args->part_o ? args->n_groups : 1},
                           .block = ATTEND_THREADS,
                           .shared_bytes = attend_shared_bytes(n, args->head_size),
                           .args = args,
                           .n_args_bytes = sizeof *args};
}

void cuda_kv_write(struct device *d, const struct kv_write_args *a)
{
    struct cuda *c = cuda_of(d);
    struct write_args args;
    struct launch l = kv_write_launch(a, cuda_rows(c, a->rows, a->n_rows), &args);
    cuda_launch(c, &l);
}

/* Rows [t, t + n) of an attention. */
static void attend_rows(struct cuda *c, const struct attend_args *all, uint32_t t, uint32_t n)
{
    struct attend_args args = *all;
    args.q += t * args.stride_q;
    args.out += t * args.stride_out;
    args.rows += t;
    args.bad += t;
    args.n_rows = n;
    struct launch l = attend_launch(&args);
    cuda_launch(c, &l);
}

/* As many rows at a time as have room for their parts; without parts where one has not. */
void cuda_attention(struct device *d, const struct attention_args *a)
{
    struct cuda *c = cuda_of(d);
    struct attend_args args;
    bool rows_share = a->n_rows > 1 && a->rows[0].pages == a->rows[1].pages;
    size_t row_floats = attend_plan(a, rows_share, c->n_pages_longest, &args);
    size_t n_fit = row_floats ? CUDA_SCRATCH_BYTES / sizeof(float) / row_floats : 0;
    uint32_t n_step = n_fit && n_fit < a->n_rows ? (uint32_t)n_fit : a->n_rows;
    args.rows = cuda_rows(c, a->rows, a->n_rows);
    if (n_fit) {
        args.part_ml = (float *)(void *)c->scratch;
        args.part_o = args.part_ml + 2 * (size_t)n_step * args.n_heads * args.n_groups;
        args.tickets = c->tickets;
    }
    for (uint32_t t = 0; t < a->n_rows; t += n_step)
        attend_rows(c, &args, t, cuda_least(n_step, a->n_rows - t));
}

void cuda_kv_digest(struct device *d, const void *page, struct kv_shape s, uint32_t n_layers,
                    uint8_t (*digests)[SHA256_BYTES])
{
    struct digest_args args = {page, digests[0], s.n_kv_heads, s.head_size};
    struct launch l = kv_digest_launch(&args, n_layers);
    cuda_launch(cuda_of(d), &l);
}
