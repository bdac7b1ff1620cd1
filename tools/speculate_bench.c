/* speculate_bench.c - how much faster text comes with speculation: one model, the same forced text
 * with and without it, turn by turn.
 *
 * A constraint forces each token, so that any model, even a random one, writes any text: what a
 * step costs depends on the model's shape, what is guessed on the text.
 *
 * usage: speculate_bench MODEL PROMPT_FILE ANSWER_FILE [ROUNDS] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "format/table.h"
#include "text/tokenizer.h"

enum { ROUNDS_MAX = 100 };

/* The answer that is to come. */
struct script {
    const struct token_list *tokens;
    size_t n_done, n_words;
};

static bool script_mask(void *context, uint32_t *bits, struct iso_note *note)
{
    const struct script *s = context;
    (void)note;
    memset(bits, 0, s->n_words * sizeof bits[0]);
    uint32_t token = (uint32_t)s->tokens->ids[s->n_done % s->tokens->n_ids];
    bits[token / 32] |= 1u << token % 32;
    return true;
}

static void script_accept(void *context, int32_t token)
{
    struct script *s = context;
    (void)token;
    s->n_done++;
}

static void die(const char *what, const struct err_note *note)
{
    fprintf(stderr, "%s: %s\n", what, note->text);
    exit(1);
}

static void read_tokens(const struct tokenizer *t, const char *path, struct token_list *out)
{
    struct err_note note = {""};
    char *text;
    size_t n_bytes;
    out->n_ids_max = INT32_MAX;
    if (file_read(path, 1 << 24, &text, &n_bytes, &note) ||
        tokenizer_encode(t, (struct str){text, n_bytes}, 0, out, &note))
        die(path, &note);
    mem_free(text);
}

/* Seconds from the first token to the last, in a session of its own. */
static double answer(struct iso_engine *e, const struct token_list *prompt,
                     const struct token_list *text)
{
    struct script script = {text, 0, (iso_engine_info(e).n_vocab + 31) / 32};
    const struct iso_constraint c = {&script, script_mask, script_accept, NULL};
    struct iso_request r = iso_request_default();
    struct iso_session *s;
    struct iso_note note = {""};
    const struct iso_event *events;
    uint64_t first = 0;
    r.tokens = prompt->ids;
    r.n_tokens = (uint32_t)prompt->n_ids;
    r.n_answer_max = (uint32_t)text->n_ids;
    r.constraint = &c;
    r.no_cache = true;
    if (iso_session_open(e, &s, &note) || iso_session_submit(s, &r, &note))
        die("request", (struct err_note *)&note);
    for (size_t n; (n = iso_engine_step(e, &events)) > 0;)
        for (size_t i = 0; i < n && !first; i++)
            if (events[i].kind == ISO_EVENT_TOKEN)
                first = clock_ns();
    double seconds = (double)(clock_ns() - first) * 1e-9;
    iso_session_close(s);
    return seconds;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
    struct table table;
    struct tokenizer *t;
    struct err_note note = {""};
    struct token_list prompt = {0}, text = {0};
    struct iso_engine *e[2];
    double seconds[2] = {0};
    double ratios[ROUNDS_MAX];
    long n_rounds = argc > 4 ? strtol(argv[4], NULL, 10) : 3;
    if (argc < 4 || n_rounds < 1 || n_rounds > ROUNDS_MAX)
        return fputs("usage: speculate_bench MODEL PROMPT_FILE ANSWER_FILE [ROUNDS]\n", stderr), 2;
    if (table_open(argv[1], &table, &note) || tokenizer_from_table(&table, &t, &note))
        die(argv[1], &note);
    read_tokens(t, argv[2], &prompt);
    read_tokens(t, argv[3], &text);
    for (int on = 0; on < 2; on++) {
        const struct iso_engine_options o = {.n_ctx = (uint32_t)(prompt.n_ids + text.n_ids),
                                             .no_speculation = !on};
        if (engine_open(&table, NULL, &o, &e[on], &note))
            die("engine", &note);
        answer(e[on], &prompt, &text); /* costs and chances are learned */
    }
    for (long round = 0; round < n_rounds; round++) {
        for (int on = 0; on < 2; on++)
            seconds[on] = answer(e[on], &prompt, &text);
        ratios[round] = seconds[0] / seconds[1];
    }
    qsort(ratios, (size_t)n_rounds, sizeof ratios[0], by_size);
    struct iso_engine_stats stats = iso_engine_stats(e[1]);
    printf(
        "%zu tokens after %zu: %.1f/s with; times without, of %ld turns: least %.2f, median %.2f, "
        "most %.2f; %" PRIu64 " of %" PRIu64 " guesses came true\n",
        text.n_ids, prompt.n_ids, (double)text.n_ids / seconds[1], n_rounds, ratios[0],
        ratios[n_rounds / 2], ratios[n_rounds - 1], stats.n_guesses_true, stats.n_guesses);
    return 0;
}
