/* verify_bench.c - what checking an answer costs beside reading the same tokens and writing them,
 * in turns, in processor time.
 *
 * usage: verify_bench MODEL ROUNDS PROMPT ANSWER    (tokens of the prompt and of the answer) */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "isobit.h"
#include "proof/replay.h"

enum { ROUNDS_MAX = 99, N_KINDS = 3 };

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
    const struct iso_engine_options o = {
        .n_threads = 1, .n_ctx = n + 1, .n_logits = 512, .no_speculation = true};
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
    replay_release(&written);
    mem_free(tokens);
    iso_engine_close(e);
    return 0;
}
