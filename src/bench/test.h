/* test.h - what is measured: a prompt read or tokens generated, by so many sequences at once. */
#ifndef BENCH_TEST_H
#define BENCH_TEST_H

#include <stdbool.h>
#include <stdint.h>

enum bench_kind { BENCH_PROMPT, BENCH_GEN };

struct bench_test {
    enum bench_kind kind;
    uint32_t n_threads;
    uint32_t n_tokens; /* that each sequence reads or generates */
    uint32_t n_batch;  /* sequences */
    uint32_t n_depth;  /* tokens that each has behind it already */
};

enum { BENCH_NAME = 64 };
/* "prompt 512", "gen 128 x16", "gen 128 @3072" */
const char *bench_test_name(const struct bench_test *t, char out[BENCH_NAME]);
bool bench_test_equal(const struct bench_test *a, const struct bench_test *b);

#endif
