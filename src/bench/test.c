/* test.c - names of tests. */
#include "bench/test.h"

#include <stdio.h>

const char *bench_test_name(const struct bench_test *t, char out[BENCH_NAME])
{
    int n =
        snprintf(out, BENCH_NAME, "%s %u", t->kind == BENCH_GEN ? "gen" : "prompt", t->n_tokens);
    if (t->n_batch > 1)
        n += snprintf(out + n, (size_t)(BENCH_NAME - n), " x%u", t->n_batch);
    if (t->n_depth > 0)
        snprintf(out + n, (size_t)(BENCH_NAME - n), " @%u", t->n_depth);
    return out;
}

bool bench_test_equal(const struct bench_test *a, const struct bench_test *b)
{
    return a->kind == b->kind && a->n_threads == b->n_threads && a->n_tokens == b->n_tokens &&
           a->n_batch == b->n_batch && a->n_depth == b->n_depth;
}
