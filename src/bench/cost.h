/* cost.h - what a test must read and multiply, counted from the model's matrices.
 *
 * Counted are the products with weights, two operations for each multiply-add, and the bytes of
 * weights and cache that a forward pass reads, each once. Attention's own multiplications, norms
 * and sampling are not counted: what they take shows as distance from the roof. Of a mixture of
 * experts, those that rows chosen evenly would reach. */
#ifndef BENCH_COST_H
#define BENCH_COST_H

#include "bench/test.h"
#include "model/model.h"

struct bench_cost {
    double n_bytes, int8_ops, f32_ops;
};

/* n_chunk: rows of one forward pass, at most. */
struct bench_cost bench_cost(const struct model *m, const struct model_product *products,
                             size_t n_products, const struct bench_test *t, uint32_t n_chunk);

/* What the machine can do in a second. */
struct bench_limits {
    double read, int8, f32;
};

enum bench_bound { BENCH_BOUND_READ, BENCH_BOUND_COMPUTE };
/* The least seconds that the cost takes, and which limit says so. */
double bench_cost_seconds(const struct bench_cost *c, const struct bench_limits *l,
                          enum bench_bound *bound);

#endif
