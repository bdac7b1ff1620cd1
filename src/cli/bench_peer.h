/* bench_peer.h - figures that another benchmark printed.
 *
 * Understood: llama-bench -o json or jsonl, llama-batched-bench --output-format jsonl, and
 * isobit bench --json. */
#ifndef CLI_BENCH_PEER_H
#define CLI_BENCH_PEER_H

#include "base/err.h"
#include "base/str.h"
#include "bench/test.h"

struct bench_peer_row {
    struct bench_test test;   /* n_threads 0: it does not say */
    double tokens_per_second; /* the median where it gives several, finite and above 0 */
};

struct bench_peer {
    struct bench_peer_row *rows;
    size_t n_rows;
    char name[80]; /* "llama.cpp 1652066", or "" */
};

/* bench_peer_parse - ERR_FORMAT: text is none of these, or holds no test; ERR_LIMIT: more than
 * 4096 tests. Tests that mix reading and generating are left out. */
enum err bench_peer_parse(struct bench_peer *p, struct str text, struct err_note *note);
void bench_peer_release(struct bench_peer *p);

/* The row of a test, NULL if there is none. */
const struct bench_peer_row *bench_peer_find(const struct bench_peer *p,
                                             const struct bench_test *t);

#endif
