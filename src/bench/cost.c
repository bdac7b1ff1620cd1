/* cost.c - passes of a test, and what one pass costs. */
#include "bench/cost.h"

/* Of n alike, how many are reached when each of n_rows takes n_used of them evenly. */
static double reached(double n, double n_used, uint32_t n_rows)
{
    double missed = 1;
    for (uint32_t i = 0; i < n_rows && missed > 1e-9; i++)
        missed *= 1 - n_used / n;
    return n * (1 - missed);
}

static void add_pass(struct bench_cost *c, const struct model_product *products, size_t n_products,
                     uint32_t n_rows, uint32_t n_logits)
{
    for (size_t i = 0; i < n_products; i++) {
        const struct model_product *p = &products[i];
        const struct matrix *w = p->matrix;
        uint32_t rows = p->is_head ? n_logits : n_rows;
        double ops = 2.0 * w->n_rows * w->n_cols * rows * p->n_used;
        c->n_bytes += (double)w->n_bytes * reached(p->n_alike, p->n_used, rows);
        if (act_kind_of(w->dtype) == ACT_F32)
            c->f32_ops += ops;
        else
            c->int8_ops += ops;
    }
}

struct bench_cost bench_cost(const struct model *m, const struct model_product *products,
                             size_t n_products, const struct bench_test *t, uint32_t n_chunk)
{
    struct bench_cost c = {0};
    uint64_t n_all = t->kind == BENCH_GEN ? t->n_tokens : (uint64_t)t->n_tokens * t->n_batch;
    uint32_t n_pass = t->kind == BENCH_GEN ? 1 : n_chunk;
    for (uint64_t at = 0; at < n_all; at += n_pass) {
        uint32_t n = n_all - at < n_pass ? (uint32_t)(n_all - at) : n_pass;
        bool last = at + n == n_all;
        if (t->kind == BENCH_GEN) {
            add_pass(&c, products, n_products, t->n_batch, t->n_batch);
            c.n_bytes += (double)model_cache_bytes(m, t->n_depth + (uint32_t)at + 1) * t->n_batch;
        } else {
            add_pass(&c, products, n_products, n, last ? t->n_batch : 0);
            c.n_bytes +=
                (double)model_cache_bytes(m, t->n_depth + (uint32_t)((at + n) / t->n_batch));
        }
    }
    return c;
}

double bench_cost_seconds(const struct bench_cost *c, const struct bench_limits *l,
                          enum bench_bound *bound)
{
    double compute =
        (c->int8_ops > 0 ? c->int8_ops / l->int8 : 0) + (c->f32_ops > 0 ? c->f32_ops / l->f32 : 0);
    double read = c->n_bytes / l->read;
    *bound = read > compute ? BENCH_BOUND_READ : BENCH_BOUND_COMPUTE;
    return read > compute ? read : compute;
}
