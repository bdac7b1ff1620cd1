/* poc_distances.c - distances of the chain's parameter sets, for comparing with others.
 *
 * usage: poc_distances SET FIRST COUNT [ISA [BATCH [THREADS [FRACTION [PROFILE]]]]]
 * Prints "nonce distance" lines as tools/poc_oracle.py does (block and key "test"); times and the
 * memory that was resident go to stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/threads.h"
#include "poc/compute.h"
#include "poc/weights.h"

struct progress {
    const uint64_t *nonces;
    const double *dist;
    size_t n_said;
};

static bool say(void *context, size_t n_done)
{
    struct progress *p = context;
    for (; p->n_said < n_done; p->n_said++)
        printf("%llu %.17g\n", (unsigned long long)p->nonces[p->n_said], p->dist[p->n_said]);
    fflush(stdout);
    return true;
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static double seconds(uint64_t from)
{
    return (double)(clock_ns() - from) * 1e-9;
}

int main(int argc, char **argv)
{
    const struct poc_params *params = argc > 3 ? poc_params_named(argv[1]) : NULL;
    if (!params) {
        fprintf(stderr, "usage: poc_distances SET FIRST COUNT "
                        "[ISA [BATCH [THREADS [FRACTION [PROFILE]]]]]\n");
        return 2;
    }
    uint64_t first = strtoull(argv[2], NULL, 10), n = strtoull(argv[3], NULL, 10);
    struct poc_settings s = {
        .params = *params,
        .block_hash = "test",
        .profile = argc > 8 && strcmp(argv[8], "exact") == 0 ? POC_EXACT : POC_COMPATIBLE,
        .isa = argc > 4 ? argv[4] : NULL,
        .n_batch = argc > 5 ? (uint32_t)strtoul(argv[5], NULL, 10) : 1,
        .n_threads = argc > 6 ? (int)strtol(argv[6], NULL, 10) : threads_online(),
        .pool_fraction = argc > 7 ? strtod(argv[7], NULL) : POC_POOL_FRACTION,
    };
    struct poc_compute *c;
    struct err_note note;
    uint64_t start = clock_ns();
    uint64_t *nonces = mem_array(n, sizeof *nonces);
    double *dist = mem_array(n, sizeof *dist);
    if (!nonces || !dist || poc_compute_open(&c, &s, &note) != ERR_OK) {
        fprintf(stderr, "poc_distances: %s\n", nonces && dist ? note.text : "no memory");
        return 1;
    }
    fprintf(stderr, "%s: ready after %.2f s (%s, batch %u, %d threads)\n", argv[1], seconds(start),
            poc_compute_isa(c), s.n_batch, s.n_threads);
    for (uint64_t i = 0; i < n; i++)
        nonces[i] = first + i;
    struct progress p = {nonces, dist, 0};
    start = clock_ns();
    enum err rc = poc_compute_run(c, "test", nonces, n, dist, say, &p, &note);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    fprintf(stderr, "%s: %llu nonces in %.2f s, %.2f s of processors; %.2f GiB resident at most\n",
            argv[1], (unsigned long long)n, seconds(start),
            seconds_of(used.ru_utime) + seconds_of(used.ru_stime),
            (double)used.ru_maxrss / 1048576);
    poc_compute_close(c);
    mem_free(nonces);
    mem_free(dist);
    return rc == ERR_OK ? 0 : 1;
}
