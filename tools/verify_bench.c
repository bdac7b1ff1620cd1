/* verify_bench.c - what checking an answer costs beside reading the same tokens and writing them,
 * alone and in batches, in turns, in processor time; and how fast memory was read meanwhile.
 *
 * usage: verify_bench MODEL ROUNDS PROMPT ANSWER    (tokens of the prompt and of the answer) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/mem.h"
#include "bench/roof.h"
#include "device/device.h"
#include "isobit.h"
#include "proof/replay.h"

enum { ROUNDS_MAX = 99, N_KINDS = 3, STREAMS_MAX = 16, MEMORY_BYTES = 512 << 20 };
static const uint32_t n_streams[] = {1, 4, STREAMS_MAX};

static double processor_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void fail(const char *what)
{
    fprintf(stderr, "verify_bench: %s\n", what);
    exit(1);
}

/* One request from its beginning; seconds of the processor. replay may be NULL. */
static double run(struct iso_engine *e, const struct iso_request *r, struct replay *replay)
{
    struct iso_session *s;
    struct iso_note note;
    const struct iso_event *events;
    bool over = false;
    if (iso_session_open(e, &s, &note))
        fail(note.text);
    double begin = processor_s();
    if (iso_session_submit(s, r, &note))
        fail(note.text);
    while (!over) {
        size_t n = iso_engine_step(e, &events);
        for (size_t i = 0; i < n; i++) {
            over |= events[i].kind == ISO_EVENT_FINISH;
            if (replay)
                over |= !replay_take(replay, &events[i]);
        }
    }
    double took = processor_s() - begin;
    iso_session_close(s);
    return took;
}

/* n answers side by side, of one prompt and n seeds; seconds of the processor for each. */
static double write_beside(struct iso_engine *e, const struct iso_request *ask, uint32_t n)
{
    struct iso_session *s[STREAMS_MAX];
    struct iso_note note;
    const struct iso_event *events;
    double begin = processor_s();
    for (uint32_t i = 0; i < n; i++) {
        struct iso_request r = *ask;
        r.sampling.seed = i + 1;
        if (iso_session_open(e, &s[i], &note) || iso_session_submit(s[i], &r, &note))
            fail(note.text);
    }
    while (iso_engine_step(e, &events) > 0)
        ;
    double took = processor_s() - begin;
    for (uint32_t i = 0; i < n; i++)
        iso_session_close(s[i]);
    return took / n;
}

/* Bytes per second that one thread reads of memory that no cache holds. */
static double read_rate(void)
{
    struct roof *roof;
    struct err_note note;
    struct roof_span span = {mem_pages(MEMORY_BYTES), MEMORY_BYTES};
    double best = 0;
    const char *const *isa = cpu_isa_names();
    while (isa[1])
        isa++;
    if (!span.bytes)
        fail("out of memory");
    memset((void *)span.bytes, 1, MEMORY_BYTES);
    if (roof_open(1, *isa, &span, 1, &roof, &note))
        fail(note.text);
    for (int i = 0; i < 5; i++) {
        double rate = roof_read(roof);
        best = rate > best ? rate : best;
    }
    roof_close(roof);
    mem_pages_free((void *)span.bytes, MEMORY_BYTES);
    return best;
}

static void print_beside(struct iso_engine *e, const struct iso_request *ask, double check_s)
{
    double before = read_rate();
    for (size_t i = 0; i < COUNT_OF(n_streams); i++) {
        double each_s = write_beside(e, ask, n_streams[i]);
        printf("written in a batch of %u: %.4f s each (%.2f times the check)\n", n_streams[i],
               each_s, each_s / check_s);
    }
    printf("one thread read memory at %.1f GB/s before, %.1f after\n", before / 1e9,
           read_rate() / 1e9);
}

int main(int argc, char **argv)
{
    struct iso_engine *e;
    struct iso_note note = {""};
    if (argc != 5)
        fail("usage: verify_bench MODEL ROUNDS PROMPT ANSWER");
    uint32_t n_rounds = (uint32_t)strtoul(argv[2], NULL, 10);
    uint32_t n_prompt = (uint32_t)strtoul(argv[3], NULL, 10);
    uint32_t n_answer = (uint32_t)strtoul(argv[4], NULL, 10), n = n_prompt + n_answer;
    if (n_rounds < 1 || n_rounds > ROUNDS_MAX || n_prompt < 1 || n_answer < 2)
        fail("1 to 99 rounds, 1 token of prompt, 2 of the answer");
    const struct iso_engine_options o = {.n_threads = 1,
                                         .n_ctx = n + 1,
                                         .n_logits = 512,
                                         .n_sessions = STREAMS_MAX,
                                         .no_speculation = true};
    if (iso_engine_open(argv[1], &o, &e, &note))
        fail(note.text);
    int32_t *tokens = mem_array(n, sizeof tokens[0]);
    for (uint32_t i = 0; i < n_prompt; i++)
        tokens[i] = (int32_t)((i * 2654435761u + 7) % iso_engine_info(e).n_vocab);
    struct iso_request ask = iso_request_default();
    ask.tokens = tokens;
    ask.n_tokens = n_prompt;
    ask.n_answer_max = n_answer;
    ask.sampling.seed = 1;
    ask.no_cache = true;
    struct replay written, checked;
    if (replay_init(&written, &ask, NULL, n_answer, iso_engine_info(e), NULL))
        fail("out of memory");
    double write_s = run(e, &written.request, &written), took[N_KINDS][ROUNDS_MAX];
    for (uint32_t i = 0; i < n_answer; i++)
        tokens[n_prompt + i] = (int32_t)written.ids[i];
    struct iso_request read = ask, read_all;
    read.n_tokens = n - 1;
    read.n_answer_max = 1;
    read_all = read;
    read_all.want_logits_prompt = true;
    for (uint32_t k = 0; k < n_rounds; k++) {
        took[0][k] = run(e, &read, NULL);
        if (replay_init(&checked, &ask, written.ids, n_answer, iso_engine_info(e), NULL))
            fail("out of memory");
        took[1][k] = run(e, &checked.request, &checked);
        if (checked.n_records != n_answer)
            fail("the answer is another one");
        replay_release(&checked);
        took[2][k] = run(e, &read_all, NULL);
    }
    for (int kind = 0; kind < N_KINDS; kind++)
        qsort(took[kind], n_rounds, sizeof took[0][0], compare);
    double plain = took[0][n_rounds / 2], check = took[1][n_rounds / 2];
    printf("read %.4f s, checked %.4f s (%.3f of it), read with all logits %.4f s (%.3f of it), "
           "written %.4f s (%.2f times the check)\n",
           plain, check, check / plain, took[2][n_rounds / 2], check / took[2][n_rounds / 2],
           write_s, write_s / check);
    print_beside(e, &ask, check);
    replay_release(&written);
    mem_free(tokens);
    iso_engine_close(e);
    return 0;
}
