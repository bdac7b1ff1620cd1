/* cmd_poc_bench.c - isobit poc bench: nonces per minute, as the chain's rate test counts them,
 * beside what the machine could do. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/threads.h"
#include "bench/machine.h"
#include "bench/roof_loops.h"
#include "bench/stats.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "poc/compute.h"
#include "poc/proof.h"
#include "poc/weights.h"

enum { BATCHES_MAX = 1 << 16, ROOFS = 5 /* measurements, of which the best counts */ };
static const double R_TARGET = 1.4013564660458173, REPORT_SECONDS = 15;

struct poc_bench {
    const char *params, *isa;
    uint32_t n_threads, n_batch, n_seconds;
    float pool_fraction;
    bool exact, help;

    struct poc_compute *compute;
    const struct roof_loops *loops;
    uint64_t n_nonces, n_valid, *nonces;
    double *dist, *shares, *peaks; /* of each batch */
    size_t n_shares;
    double seconds; /* computing, without the roof's */
};

static enum err parse(struct poc_bench *b, int argc, char **argv, struct poc_settings *s,
                      struct err_note *note)
{
    const struct arg_option options[] = {
        OPT_TEXT(0, "params", "SET", &b->params,
                 "testnet, mainnet, default, go-default, go-test or\ntest (default: testnet)"),
        OPT_FLAG(0, "exact", &b->exact, "the exact profile: the same distances on every machine"),
        OPT_TEXT(0, "isa", "NAME", &b->isa, "instruction set (default: the best here)"),
        OPT_U32('t', "threads", "N", &b->n_threads, 1, 1024, "default: every core"),
        OPT_U32('b', "batch", "N", &b->n_batch, 1, 4096, "nonces at once (default: 8)"),
        OPT_U32(0, "seconds", "N", &b->n_seconds, 1, 86400, "how long (default: 90)"),
        OPT_FLOAT(0, "pool-fraction", "X", &b->pool_fraction, 0, 1,
                  "of the weights' pool; 0: in sequence, as the chain\nbegan (default: 0.05)"),
    };
    const struct arg_command command = {
        .name = "poc bench",
        .summary = "nonces per minute, and the share of the machine's peak",
        .usage = "poc bench [options]",
        .about = "The payload of the chain's rate test (block hash and public key \"test\"), with\n"
                 "its line every 15 seconds. The peak is what a thread does with operands in\n"
                 "registers, measured before and after every batch: multiply-adds of binary32\n"
                 "(compatible) or of bytes (exact). Shares are of processors' time, whoever else\n"
                 "uses the machine; only operations that nobody can leave out count.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit poc bench --params testnet --seconds 90\n"
                    "isobit poc bench --params test --exact --batch 64",
    };
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, note);
    b->help = !rc && args.help;
    if (b->help)
        args_help(&command, stdout);
    const struct poc_params *p = poc_params_named(b->params);
    if (!rc && !p)
        rc = err_set(note, ERR_USAGE, "--params: there is no set \"%s\"", b->params);
    if (!rc)
        *s = (struct poc_settings){.params = *p,
                                   .profile = b->exact ? POC_EXACT : POC_COMPATIBLE,
                                   .block_hash = "test",
                                   .pool_fraction =
                                       args.given[6] ? (double)b->pool_fraction : POC_POOL_FRACTION,
                                   .n_threads = (int)b->n_threads,
                                   .isa = b->isa,
                                   .n_batch = b->n_batch};
    return rc;
}

static double processor_seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Operations of one thread per second of its processor. */
static double peak(const struct poc_bench *b)
{
    double least = INFINITY, n_ops = b->exact ? b->loops->int8_ops : b->loops->f32_ops;
    for (int i = 0; i < ROOFS; i++) {
        double start = processor_seconds(CLOCK_THREAD_CPUTIME_ID);
        (b->exact ? b->loops->int8 : b->loops->f32)();
        least = fmin(least, processor_seconds(CLOCK_THREAD_CPUTIME_ID) - start);
    }
    return n_ops * ROOF_ROUNDS / least;
}

/* The line that the chain's test reads. */
static void report(const struct poc_bench *b)
{
    char line[RATE_LINE_BYTES];
    rate_line(line, 0, b->n_valid, b->n_nonces, b->seconds / 60);
    printf("%s\n", line);
    fflush(stdout);
}

static enum err run_batch(struct poc_bench *b, double n_ops, struct err_note *note)
{
    for (uint32_t i = 0; i < b->n_batch; i++)
        b->nonces[i] = b->n_nonces + i;
    double before = peak(b), processor = processor_seconds(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t start = clock_ns();
    enum err rc =
        poc_compute_run(b->compute, "test", b->nonces, b->n_batch, b->dist, NULL, NULL, note);
    double seconds = (double)(clock_ns() - start) * 1e-9;
    processor = processor_seconds(CLOCK_PROCESS_CPUTIME_ID) - processor;
    double after = peak(b);
    if (rc != ERR_OK)
        return rc;
    if (b->n_shares < BATCHES_MAX) {
        double mean = (before + after) / 2;
        b->peaks[b->n_shares] = mean;
        b->shares[b->n_shares++] = n_ops * b->n_batch / processor / mean;
    }
    b->seconds += seconds;
    b->n_nonces += b->n_batch;
    for (uint32_t i = 0; i < b->n_batch; i++)
        b->n_valid += b->dist[i] < R_TARGET;
    return ERR_OK;
}

static void conclude(struct poc_bench *b, double ready)
{
    struct machine m;
    struct rusage used; /* KiB */
    machine_read(&m);
    getrusage(RUSAGE_SELF, &used);
    stats_sort(b->shares, b->n_shares);
    stats_sort(b->peaks, b->n_shares);
    printf("%s: %s, %s, %s, %u threads, batch %u, %zu batches\n", m.cpu, b->params,
           b->exact ? "exact" : "compatible", poc_compute_isa(b->compute), b->n_threads, b->n_batch,
           b->n_shares);
    printf(
        "ready after %.2f s; %.2f nonces/min; %.1f %% of the measured peak (median; %.1f to %.1f "
        "%%) of %.0f G%s/s a thread; %.2f GiB resident at most\n",
        ready, (double)b->n_nonces / (b->seconds / 60), 100 * stats_median(b->shares, b->n_shares),
        100 * b->shares[0], 100 * b->shares[b->n_shares - 1],
        stats_median(b->peaks, b->n_shares) * 1e-9, b->exact ? "OP" : "FLOP",
        (double)used.ru_maxrss * 0x1p-20);
}

static enum err run(struct poc_bench *b, const struct poc_settings *s, struct err_note *note)
{
    uint64_t start = clock_ns();
    enum err rc = poc_compute_open(&b->compute, s, note);
    double ready = (double)(clock_ns() - start) * 1e-9, said = 0;
    if (rc == ERR_OK) {
        b->loops = roof_loops_find(poc_compute_isa(b->compute));
        CHECK(b->loops);
    }
    b->nonces = mem_array(b->n_batch, sizeof *b->nonces);
    b->dist = mem_array(b->n_batch, sizeof *b->dist);
    b->shares = mem_array(BATCHES_MAX, sizeof *b->shares);
    b->peaks = mem_array(BATCHES_MAX, sizeof *b->peaks);
    if (!rc && (!b->nonces || !b->dist || !b->shares || !b->peaks))
        rc = err_set(note, ERR_MEMORY, "no memory for a batch of %u", b->n_batch);
    while (!rc && b->seconds < b->n_seconds) {
        rc = run_batch(b, poc_n_ops(&s->params), note);
        if (!rc && b->seconds - said >= REPORT_SECONDS) {
            said = b->seconds;
            report(b);
        }
    }
    if (!rc && said < b->seconds)
        report(b);
    if (!rc)
        conclude(b, ready);
    poc_compute_close(b->compute);
    mem_free(b->nonces);
    mem_free(b->dist);
    mem_free(b->shares);
    mem_free(b->peaks);
    return rc;
}

int cmd_poc_bench(int argc, char **argv)
{
    struct poc_bench b = {.params = "testnet",
                          .n_threads = (uint32_t)threads_online(),
                          .n_batch = 8,
                          .n_seconds = 90};
    struct poc_settings s;
    struct err_note note = {""};
    enum err rc = parse(&b, argc, argv, &s, &note);
    if (rc == ERR_OK && !b.help)
        rc = run(&b, &s, &note);
    return rc == ERR_OK ? EXIT_OK : say_error(rc, &note);
}
