/* arrival_bench.c - what a long prompt does to answers that are under way.
 *
 * usage: arrival_bench MODEL.gguf [N_STREAMS [N_PROMPT [N_THREADS [STRETCH [REPEAT]]]]]
 * N_STREAMS answers run; then a prompt of N_PROMPT tokens arrives. Prints, for each repetition, the
 * longest wait between tokens of an answer while the prompt is read, in undisturbed steps (their
 * median just before), and the time to the prompt's first token against that of the same prompt
 * alone on an idle engine. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "isobit.h"

enum { N_STREAMS_MAX = 64, WARM_STEPS = 60, SAMPLES_MAX = 4096 };

static struct iso_engine *engine;

static void submit(struct iso_session *s, uint32_t seed, uint32_t n, uint32_t n_answer)
{
    static int32_t tokens[1 << 16];
    struct iso_request r = iso_request_default();
    struct iso_note note;
    for (uint32_t i = 0; i < n; i++)
        tokens[i] = (int32_t)(10 + (seed * 7919 + i * 104729) % 30000);
    r.tokens = tokens;
    r.n_tokens = n;
    r.n_answer_max = n_answer;
    r.no_cache = true;
    if (iso_session_submit(s, &r, &note)) {
        fprintf(stderr, "%s\n", note.text);
        exit(1);
    }
}

static double ms_of(uint64_t ns)
{
    return (double)ns / 1e6;
}

/* A step; whether it gave a token of s. A rest after it, not counted, keeps a real-time scheduling
 * class from being throttled in the midst of steps. */
static bool step_until(const struct iso_session *s, double *ms)
{
    const struct iso_event *events;
    bool chosen = false;
    uint64_t begin = clock_ns();
    size_t n = iso_engine_step(engine, &events);
    *ms = ms_of(clock_ns() - begin);
    usleep((useconds_t)(*ms * 100));
    for (size_t i = 0; i < n; i++)
        chosen |= events[i].kind == ISO_EVENT_TOKEN && events[i].session == s;
    return chosen;
}

static double solo_ms(struct iso_session *s, uint32_t seed, uint32_t n_prompt)
{
    double total = 0, ms;
    bool chosen;
    iso_session_cut(s, 0);
    submit(s, seed, n_prompt, 1);
    do {
        chosen = step_until(s, &ms);
        total += ms;
    } while (!chosen);
    return total;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void run_once(struct iso_session **streams, uint32_t n_streams, struct iso_session *late,
                     uint32_t seed, uint32_t n_prompt)
{
    static double calm[WARM_STEPS], mixed[SAMPLES_MAX];
    double solo = solo_ms(late, seed, n_prompt), ms, total = 0, worst = 0;
    uint32_t n_mixed = 0;
    for (uint32_t i = 0; i < n_streams; i++) {
        iso_session_cut(streams[i], 0);
        submit(streams[i], i + 100, 16, UINT32_MAX);
    }
    for (uint32_t i = 0; i < 8; i++)
        step_until(late, &ms);
    for (uint32_t i = 0; i < WARM_STEPS; i++)
        step_until(late, &calm[i]);
    qsort(calm, WARM_STEPS, sizeof calm[0], by_value);
    iso_session_cut(late, 0);
    submit(late, seed, n_prompt, 1);
    for (bool chosen = false; !chosen && n_mixed < SAMPLES_MAX; n_mixed++) {
        chosen = step_until(late, &ms);
        mixed[n_mixed] = ms;
        total += ms;
        worst = ms > worst ? ms : worst;
    }
    qsort(mixed, n_mixed, sizeof mixed[0], by_value);
    double step = calm[WARM_STEPS / 2];
    printf("step %.1f ms; with the prompt: %u steps, median %.2f, worst %.2f steps; first token "
           "%.0f ms, alone %.0f ms: %.2f\n",
           step, n_mixed, mixed[n_mixed / 2] / step, worst / step, total, solo, total / solo);
    for (uint32_t i = 0; i < n_streams; i++)
        iso_session_cancel(streams[i], ISO_FINISH_CANCELLED);
    step_until(late, &ms);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return fprintf(stderr, "usage: arrival_bench MODEL [STREAMS [PROMPT [THREADS [STRETCH "
                               "[REPEAT]]]]]\n"),
               2;
    double args[5] = {4, 1318, 0, 0, 3};
    for (int i = 2; i < argc && i < 7; i++)
        args[i - 2] = strtod(argv[i], NULL);
    uint32_t n_streams = (uint32_t)args[0], n_prompt = (uint32_t)args[1];
    struct iso_engine_options o = {.n_ctx = n_prompt + 2048,
                                   .n_sessions = n_streams + 1,
                                   .n_threads = (int)args[2],
                                   .stretch = (float)args[3]};
    struct iso_session *streams[N_STREAMS_MAX], *late;
    struct iso_note note;
    if (n_streams > N_STREAMS_MAX || n_prompt > 60000 ||
        iso_engine_open(argv[1], &o, &engine, &note)) {
        fprintf(stderr, "%s\n", note.text);
        return 1;
    }
    for (uint32_t i = 0; i < n_streams; i++)
        iso_session_open(engine, &streams[i], &note);
    iso_session_open(engine, &late, &note);
    for (uint32_t i = 0; i < (uint32_t)args[4]; i++)
        run_once(streams, n_streams, late, i, n_prompt);
    iso_engine_close(engine);
    return 0;
}
