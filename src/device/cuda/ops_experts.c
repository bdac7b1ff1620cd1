/* ops_experts.c - mixtures of experts on the device: the host never learns what was chosen. Rows
 * are taken ROWS_AT_ONCE at a time, so that what lies between is bounded.
 *
 * All products are those of docs/arithmetic.md, in the profile `fast` too. */
#include "device/cuda/ops_experts.h"

#include "base/check.h"
#include "device/cuda/layout.h"
#include "device/cuda/ops_matmul.h"
#include "device/cuda/ops_rows.h"

enum { ROWS_AT_ONCE = 512, ALIGN = 256, WIDE_TILE = 64, KINDS = ACT_F32 + 1 };

struct expert_tiles expert_tiles(const struct experts_shape *s, uint32_t n_rows)
{
    uint32_t n_pairs = n_rows * s->n_used, n_met = cuda_least(n_pairs, s->n_experts);
    uint32_t tile_rows = n_pairs / s->n_experts < WIDE_TILE ? WIDE_TILE / 2 : WIDE_TILE;
    return (struct expert_tiles){
        /* each expert's last one may hold a single row */
        .n_tiles = (n_pairs + n_met * (tile_rows - 1)) / tile_rows,
        .tile_rows = tile_rows,
        .fill = n_rows <= 4 ? n_rows : tile_rows,
    };
}

struct launch choose_launch(const struct choose_args *args)
{
    uint32_t n_warps = EXPERT_THREADS / 32;
    return (struct launch){.kernel = "choose_experts",
                           .grid = {cuda_parts(args->n_rows, n_warps), 1, 1},
                           .block = EXPERT_THREADS,
                           .shared_bytes = n_warps * (args->n_experts + 2 * args->n_used) * 4,
                           .args = args,
                           .n_args_bytes = sizeof *args};
}

struct launch combine_launch(const struct combine_args *args, uint32_t n_rows)
{
    return (struct launch){.kernel = "combine_experts",
                           .grid = {cuda_parts(args->n, EXPERT_THREADS), n_rows, 1},
                           .block = EXPERT_THREADS,
                           .args = args,
                           .n_args_bytes = sizeof *args};
}

/* Arrays of some rows. P places: all tiles' rows. */
struct work {
    uint32_t *chosen, *place;    /* [T, n_used] */
    float *share;                /* [T, n_used] */
    int32_t *row_of, *expert_of; /* [P], [tiles] */
    float *ff, *rows_out;        /* [P, 2F] gate and up, [P, D] */
    void *acts[KINDS];           /* of [P, D], then of [P, F] */
};

/* Cuts one region into arrays; with base NULL it only counts. */
static void *cut(uint8_t *base, size_t *at, size_t n_bytes)
{
    void *p = base ? base + *at : NULL;
    *at += (n_bytes + ALIGN - 1) / ALIGN * ALIGN;
    return p;
}

static size_t lay_out(const struct experts_shape *s, uint32_t n_rows, uint8_t *base, struct work *w)
{
    struct expert_tiles tiles = expert_tiles(s, n_rows);
    size_t n_pairs = (size_t)n_rows * s->n_used, at = 0;
    uint32_t n_places = tiles.n_tiles * tiles.tile_rows;
    w->chosen = cut(base, &at, n_pairs * sizeof *w->chosen);
    w->place = cut(base, &at, n_pairs * sizeof *w->place);
    w->share = cut(base, &at, n_pairs * sizeof *w->share);
    w->row_of = cut(base, &at, n_places * sizeof *w->row_of);
    w->expert_of = cut(base, &at, tiles.n_tiles * sizeof *w->expert_of);
    w->ff = cut(base, &at, (size_t)n_places * 2 * s->n_ff * sizeof *w->ff);
    w->rows_out = cut(base, &at, (size_t)n_places * s->n_embd * sizeof *w->rows_out);
    for (int k = 0; k < KINDS; k++) {
        bool is_in = s->kinds_in >> k & 1, is_down = s->kinds_down >> k & 1;
        size_t in = is_in ? layout_acts_bytes((enum act_kind)k, n_places, s->n_embd) : 0;
        size_t down = is_down ? layout_acts_bytes((enum act_kind)k, n_places, s->n_ff) : 0;
        w->acts[k] = cut(base, &at, in > down ? in : down);
    }
    return at;
}

size_t cuda_experts_bytes(struct device *d, const struct experts_shape *s)
{
    struct work w;
    (void)d;
    return lay_out(s, cuda_least(s->n_rows, ROWS_AT_ONCE), NULL, &w);
}

/* One chunk on its way. */
struct chunk {
    struct cuda *cuda;
    const struct experts_args *a;
    struct expert_tiles tiles;
    struct work w;
    uint8_t *bad; /* [rows of the chunk] */
};

/* What n matrices of the next products need of rows of n_cols. */
static uint32_t acts_for(const struct chunk *c, const struct matrix *const *w, uint32_t n,
                         uint32_t n_cols, struct acts acts[KINDS])
{
    uint32_t n_acts = 0, seen = 0;
    for (uint32_t i = 0; i < n; i++) {
        enum act_kind kind = act_kind_of(w[i]->dtype);
        uint32_t n_places = c->tiles.n_tiles * c->tiles.tile_rows;
        if (!(seen >> kind & 1))
            acts[n_acts++] = (struct acts){kind, n_places, n_cols, c->w.acts[kind]};
        seen |= 1u << kind;
    }
    return n_acts;
}

/* A launch over rows becomes one over the places that may be taken. */
static void quantize_places(const struct chunk *c, struct launch l, struct quantize_args *args,
                            bool gathers)
{
    args->row_of = c->w.row_of;
    args->tile_rows = c->tiles.tile_rows;
    args->fill = c->tiles.fill;
    args->gathers = gathers;
    l.grid[0] = c->tiles.n_tiles * c->tiles.fill;
    cuda_launch(c->cuda, &l);
}

/* Every place's product with its expert's matrix. */
static void multiply(const struct chunk *c, const struct matrix *w, const float *bias, float *y,
                     size_t stride)
{
    union matmul_launch_args args;
    uint32_t n_experts = c->a->shape.n_experts, n_places = c->tiles.n_tiles * c->tiles.tile_rows;
    enum act_kind kind = act_kind_of(w->dtype);
    struct acts acts = {kind, n_places, w->n_cols, c->w.acts[kind]};
    const uint8_t *first = w[0].data, *second = n_experts > 1 ? w[1].data : first;
    struct expert_choice choice = {c->w.expert_of, (uint64_t)(second - first), c->tiles.tile_rows};
    CHECK(first + (n_experts - 1) * choice.n_bytes == w[n_experts - 1].data);
    struct launch l = expert_launch(w, &choice, c->tiles.n_tiles, c->tiles.fill, &acts, bias, y,
                                    stride, c->cuda->card.n_bytes_shared, &args);
    cuda_launch(c->cuda, &l);
}

static void run_chunk(const struct chunk *c, const float *x, const float *logits, float *out,
                      uint32_t n_rows)
{
    const struct experts_args *a = c->a;
    const struct experts_shape *s = &a->shape;
    const struct matrix *const in[] = {a->gate, a->up};
    struct acts acts[KINDS];
    struct quantize_args args;
    size_t f = s->n_ff, d = s->n_embd;
    struct choose_args choose = {
        logits,         c->w.chosen,      c->w.share,         c->w.place,  c->w.row_of,
        c->w.expert_of, c->bad,           c->cuda->tickets,   n_rows,      s->n_experts,
        s->n_used,      c->tiles.n_tiles, c->tiles.tile_rows, a->is_normed};
    struct launch l = choose_launch(&choose);
    cuda_launch(c->cuda, &l);
    for (uint32_t i = 0, n = acts_for(c, in, COUNT_OF(in), s->n_embd, acts); i < n; i++)
        quantize_places(c,
                        quantize_launch(x, a->stride_x, &acts[i], c->bad, c->cuda->tickets, &args),
                        &args, true);
    multiply(c, a->gate, a->gate_bias, c->w.ff, 2 * f);
    multiply(c, a->up, a->up_bias, c->w.ff + f, 2 * f);
    struct glu_args glu = {.fn = a->fn,
                           .gate = c->w.ff,
                           .up = c->w.ff + f,
                           .y = c->w.ff,
                           .stride_gate = 2 * f,
                           .stride_up = 2 * f,
                           .stride_y = 2 * f,
                           .n_rows = c->tiles.n_tiles * c->tiles.tile_rows,
                           .n = s->n_ff,
                           .acts = acts,
                           .n_acts = acts_for(c, &a->down, 1, s->n_ff, acts),
                           .bad = c->bad};
    quantize_places(c, glu_launch(&glu, c->cuda->tickets, &args), &args, false);
    multiply(c, a->down, a->down_bias, c->w.rows_out, d);
    struct combine_args combine = {c->w.rows_out, c->w.share, c->w.place, out, d,
                                   a->stride_out, s->n_embd,  s->n_used};
    l = combine_launch(&combine, n_rows);
    cuda_launch(c->cuda, &l);
}

void cuda_experts(struct device *d, const struct experts_args *a)
{
    struct chunk c = {.cuda = cuda_of(d), .a = a};
    CHECK(a->shape.n_experts <= EXPERTS_MAX && a->shape.n_used <= a->shape.n_experts);
    for (uint32_t t = 0; t < a->shape.n_rows; t += ROWS_AT_ONCE) {
        uint32_t n = cuda_least(a->shape.n_rows - t, ROWS_AT_ONCE);
        c.tiles = expert_tiles(&a->shape, n);
        CHECK(c.tiles.n_tiles * c.tiles.tile_rows <= CUDA_ROWS_MAX);
        lay_out(&a->shape, n, a->scratch, &c.w);
        c.bad = a->bad + t;
        run_chunk(&c, a->x + t * a->stride_x, a->logits + (size_t)t * a->shape.n_experts,
                  a->out + t * a->stride_out, n);
    }
}
