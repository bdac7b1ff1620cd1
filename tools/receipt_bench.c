/* receipt_bench.c - what receipts cost: the same answers with them and without, turn by turn.
 *
 * usage: receipt_bench MODEL.gguf [N_STREAMS [ROUNDS [N_ANSWER [N_THREADS]]]]
 * A round answers N_STREAMS prompts at once, N_ANSWER tokens each, once without receipts and once
 * with them: records, hashes of pages, commitments, body, bundle and signature. Which comes first
 * changes from round to round. Prints the ratios of wall and of processor time, and what the parts
 * take by themselves against a step. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/taken.h"
#include "engine/engine_int.h"
#include "proof/maker.h"
#include "proof/parameters.h"
#include "proof/sign.h"

enum { STREAMS_MAX = 64, ROUNDS_MAX = 200, PROMPT = 32, PART_TIMES = 100 };

static struct iso_engine *engine;
static uint32_t n_streams = 1, n_answer = 192;
static int32_t prompts[STREAMS_MAX][PROMPT];
static struct sign_pair pair;
static uint64_t n_bytes_written, n_steps;

static void die(const struct iso_note *note)
{
    fprintf(stderr, "%s\n", note->text);
    exit(1);
}

static struct iso_request request_of(uint32_t i, uint32_t round, bool receipts)
{
    struct iso_request r = iso_request_default();
    for (uint32_t k = 0; k < PROMPT; k++)
        prompts[i][k] = (int32_t)(10 + (round * 7919 + i * 101 + k * 31) % 200);
    r.tokens = prompts[i];
    r.n_tokens = PROMPT;
    r.n_answer_max = n_answer;
    r.no_cache = true;
    r.sampling.seed = round;
    r.sampling.choice = i;
    r.want_records = r.want_pages = receipts;
    return r;
}

static void finish(struct maker *m, const struct iso_request *request)
{
    struct bundle b = {.request = STR("{}"), .prompt = STR("What?"), .n_prompt_ids = PROMPT};
    struct receipt r = {.arithmetic = STR(ISO_ARITHMETIC),
                        .device = STR("cpu"),
                        .finish_reason = STR("length")};
    struct parameters p = {.request = *request, .interface = STR("run")};
    struct buf parameters, body, text, bundle;
    b.prompt_ids = (const uint32_t *)(const void *)request->tokens;
    b.has[BUNDLE_REQUEST] = b.has[BUNDLE_PROMPT] = b.has[BUNDLE_PROMPT_IDS] = true;
    buf_init(&parameters, CANON_BYTES_MAX);
    buf_init(&body, CANON_BYTES_MAX);
    buf_init(&text, CANON_BYTES_MAX);
    buf_init(&bundle, CANON_BYTES_MAX);
    CHECK(maker_fill(m, &b, &r, NULL) == ERR_OK);
    parameters_write(&p, &parameters);
    r.parameters = (struct str){parameters.bytes, parameters.n_bytes};
    receipt_write(&r, &body);
    sign_write(SIGN_RECEIPT, (struct str){body.bytes, body.n_bytes}, &pair, &text);
    bundle_write(&b, &bundle);
    CHECK(!text.failed && !bundle.failed);
    n_bytes_written += text.n_bytes + bundle.n_bytes;
    buf_release(&parameters);
    buf_release(&body);
    buf_release(&text);
    buf_release(&bundle);
}

/* One half of a round; what it took. */
static struct taken answer(struct iso_session **s, uint32_t round, bool receipts)
{
    struct maker makers[STREAMS_MAX];
    struct iso_request requests[STREAMS_MAX];
    const struct iso_event *events;
    struct iso_note note;
    struct taken begin = taken_now();
    for (uint32_t i = 0; i < n_streams; i++) {
        iso_session_cut(s[i], 0);
        requests[i] = request_of(i, round, receipts);
        maker_init(&makers[i]);
        if (iso_session_submit(s[i], &requests[i], &note))
            die(&note);
    }
    for (size_t n; (n = iso_engine_step(engine, &events)) > 0; n_steps++)
        for (size_t k = 0; k < n && receipts; k++)
            maker_take(&makers[events[k].session - engine->sessions], &events[k]);
    for (uint32_t i = 0; i < n_streams; i++) {
        if (receipts)
            finish(&makers[i], &requests[i]);
        maker_release(&makers[i]);
    }
    struct taken end = taken_now();
    return (struct taken){end.wall_ns - begin.wall_ns, end.cpu_ns - begin.cpu_ns, 0};
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double least_of(const double *x, int n)
{
    double least = x[0];
    for (int i = 1; i < n; i++)
        least = x[i] < least ? x[i] : least;
    return least;
}

static void print_ratios(const char *what, const double *with, const double *without, int n)
{
    double ratio[ROUNDS_MAX];
    for (int i = 0; i < n; i++)
        ratio[i] = with[i] / without[i];
    qsort(ratio, (size_t)n, sizeof ratio[0], by_value);
    printf("%s: with / without: median %.4f (quartiles %.4f to %.4f), least / least %.4f\n", what,
           ratio[n / 2], ratio[n / 4], ratio[3 * n / 4], least_of(with, n) / least_of(without, n));
}

/* The least of many, in microseconds of the processor. */
#define LEAST_US(out, statement)                                                                   \
    do {                                                                                           \
        out = 1e30;                                                                                \
        for (int time_i = 0; time_i < PART_TIMES; time_i++) {                                      \
            struct taken part_begin = taken_now();                                                 \
            statement;                                                                             \
            double us = (double)(taken_now().cpu_ns - part_begin.cpu_ns) / 1e3;                    \
            out = us < out ? us : out;                                                             \
        }                                                                                          \
    } while (0)

/* What one token costs by the parts, against its share of a step without receipts. */
static void print_parts(struct iso_session *s, double step_cpu_us)
{
    struct iso_record record;
    uint8_t digest[SHA256_BYTES];
    struct maker m;
    struct iso_request request = request_of(0, 0, true);
    double best_us, page_us, end_us, add_us;
    uint32_t n_vocab = engine->sampler.n_vocab;
    LEAST_US(best_us, sampler_best(engine->logits, n_vocab, &record));
    LEAST_US(page_us, model_kv_digest(engine->model, session_page(s, 0), digest));
    sampler_best(engine->logits, n_vocab, &record);
    const struct iso_event event = {.kind = ISO_EVENT_TOKEN, .record = &record};
    maker_init(&m);
    for (uint32_t i = 0; i < n_answer; i++)
        maker_take(&m, &event);
    LEAST_US(end_us, finish(&m, &request));
    maker_release(&m);
    add_us = best_us + page_us / ISO_PAGE_POSITIONS + end_us / n_answer;
    printf("a token: best logits %.1f us, page %.1f us / 64 = %.1f us, receipt %.1f us / %u = "
           "%.1f us; %.1f us of the processor\n",
           best_us, page_us, page_us / ISO_PAGE_POSITIONS, end_us, n_answer, end_us / n_answer,
           add_us);
    printf("a step of %u: %.1f us of the processor; receipts are %.2f %% of it\n", n_streams,
           step_cpu_us, 100 * add_us * n_streams / step_cpu_us);
}

int main(int argc, char **argv)
{
    static double wall[2][ROUNDS_MAX], cpu[2][ROUNDS_MAX];
    struct iso_session *s[STREAMS_MAX];
    struct iso_note note;
    int n_rounds = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 9;
    n_streams = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : n_streams;
    n_answer = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : n_answer;
    if (argc < 2 || n_streams < 1 || n_streams > STREAMS_MAX || n_rounds < 1 ||
        n_rounds > ROUNDS_MAX || n_answer < 33) {
        fprintf(stderr, "usage: receipt_bench MODEL.gguf [N_STREAMS [ROUNDS [N_ANSWER "
                        "[N_THREADS]]]]\n");
        return 2;
    }
    const struct iso_engine_options o = {.n_threads = argc > 5 ? (int)strtol(argv[5], NULL, 10) : 0,
                                         .n_ctx = PROMPT + n_answer,
                                         .n_sessions = n_streams,
                                         .no_speculation = true};
    if (iso_engine_open(argv[1], &o, &engine, &note))
        die(&note);
    for (uint32_t i = 0; i < n_streams; i++)
        if (iso_session_open(engine, &s[i], &note))
            die(&note);
    sign_pair_make(&pair);
    answer(s, 0, true); /* warms up */
    for (int round = 0; round < n_rounds; round++)
        for (int half = 0; half < 2; half++) {
            int with = half ^ (round & 1);
            struct taken t = answer(s, (uint32_t)round, with);
            wall[with][round] = (double)t.wall_ns;
            cpu[with][round] = (double)t.cpu_ns;
        }
    printf("%s, %u streams, %u tokens each, %d rounds in turns, %s, %d threads\n", argv[1],
           n_streams, n_answer, n_rounds, engine->isa, engine->n_threads);
    print_ratios("wall time", wall[1], wall[0], n_rounds);
    print_ratios("processor time", cpu[1], cpu[0], n_rounds);
    print_parts(s[0], least_of(cpu[0], n_rounds) / 1e3 / n_answer);
    iso_engine_close(engine);
    return 0;
}
