/* grammar_bench.c - how long masks take: a schema, a vocabulary, and a text that follows the
 * schema.
 *
 * usage: grammar_bench MODEL KIND FILE [TEXT...]     KIND: schema, gbnf, regex, json
 * The texts are cut into the model's tokens; for each token the mask before it is timed, then the
 * token is accepted, which is timed too. Prints percentiles in microseconds over all tokens. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/constrain.h"
#include "cli/load.h"

enum { TIMES_MAX = 1 << 20 };

static double mask_us[TIMES_MAX], accept_us[TIMES_MAX];
static size_t n_times;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_percentiles(const char *what, double *us)
{
    double sum = 0;
    qsort(us, n_times, sizeof us[0], by_value);
    for (size_t i = 0; i < n_times; i++)
        sum += us[i];
    printf("%-7s %zu tokens: mean %.1f us, p50 %.1f, p90 %.1f, p99 %.1f, max %.1f\n", what, n_times,
           sum / (double)n_times, us[n_times / 2], us[n_times * 9 / 10], us[n_times * 99 / 100],
           us[n_times - 1]);
}

static enum err run_text(struct constrained *c, const struct tokenizer *t, const char *path,
                         uint32_t *bits, struct err_note *note)
{
    char *text;
    size_t n_bytes;
    struct token_list tokens = {.n_ids_max = 1 << 20};
    enum err rc = file_read(path, 1 << 24, &text, &n_bytes, note);
    if (!rc)
        rc = tokenizer_encode(t, (struct str){text, n_bytes}, 0, &tokens, note);
    matcher_reset(c->matcher);
    for (size_t i = 0; i < tokens.n_ids && !rc && n_times < TIMES_MAX; i++) {
        uint64_t start = clock_ns();
        rc = matcher_mask(c->matcher, bits, note);
        uint64_t between = clock_ns();
        bool ok = !rc && (bits[tokens.ids[i] / 32] >> tokens.ids[i] % 32 & 1) &&
                  matcher_accept(c->matcher, tokens.ids[i]);
        mask_us[n_times] = (double)(between - start) * 1e-3;
        accept_us[n_times++] = (double)(clock_ns() - between) * 1e-3;
        if (!rc && !ok)
            rc = err_set(note, ERR_FORMAT, "%s: token %zu is not allowed", path, i);
    }
    if (!rc && !matcher_may_end(c->matcher))
        rc = err_set(note, ERR_FORMAT, "%s ends before the grammar does", path);
    token_list_release(&tokens);
    mem_free(text);
    return rc;
}

int main(int argc, char **argv)
{
    struct loaded l = {0};
    struct constrained c = {0};
    struct constrain_options o = {0};
    struct iso_request request = {0};
    struct err_note note = {""};
    if (argc < 5)
        return 2;
    if (argv[2][0] == 's')
        o.json_schema = argv[3];
    else if (argv[2][0] == 'g')
        o.grammar = argv[3];
    else if (argv[2][0] == 'r')
        o.regex = argv[3];
    else
        o.json_object = true;
    enum err rc = load_tokenizer(&l, argv[1], &note);
    uint32_t n_vocab = rc ? 0 : (uint32_t)tokenizer_n_tokens(l.tokenizer);
    uint64_t start = clock_ns();
    if (!rc)
        rc = constrain_grammar(&o, &c.grammar, &note);
    double compile_ms = (double)(clock_ns() - start) * 1e-6;
    uint32_t n_states = rc ? 0 : grammar_n_states(c.grammar);
    grammar_free(c.grammar);
    c.grammar = NULL;
    start = clock_ns();
    if (!rc)
        rc = constrain_open(&c, &o, l.tokenizer, n_vocab, &request, &note);
    if (!rc)
        printf("%u tokens; %u states compiled in %.1f ms; opened in %.1f ms\n", n_vocab, n_states,
               compile_ms, (double)(clock_ns() - start) * 1e-6);
    uint32_t *bits = mem_array(n_vocab / 32 + 1, sizeof bits[0]);
    for (int i = 4; i < argc && !rc; i++)
        rc = run_text(&c, l.tokenizer, argv[i], bits, &note);
    if (rc) {
        fprintf(stderr, "grammar_bench: %s\n", note.text);
    } else {
        print_percentiles("mask", mask_us);
        print_percentiles("accept", accept_us);
    }
    mem_free(bits);
    constrain_close(&c);
    load_close(&l);
    return rc ? 1 : 0;
}
