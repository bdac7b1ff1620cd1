/* fuzz_bench_peer.c - the reader of other benchmarks' output takes any bytes. */
#include <math.h>

#include "base/check.h"
#include "cli/bench_peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bench_peer p;
    struct err_note note = {""};
    enum err rc = bench_peer_parse(&p, (struct str){(const char *)data, size}, &note);
    if (rc) {
        CHECK(note.text[0] && !p.rows);
        return 0;
    }
    CHECK(p.n_rows > 0);
    for (size_t i = 0; i < p.n_rows; i++) {
        CHECK(isfinite(p.rows[i].tokens_per_second) && p.rows[i].tokens_per_second > 0);
        CHECK(p.rows[i].test.n_tokens > 0);
        CHECK(bench_peer_find(&p, &p.rows[i].test));
    }
    bench_peer_release(&p);
    return 0;
}
