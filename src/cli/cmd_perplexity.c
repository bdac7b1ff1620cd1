/* cmd_perplexity.c - how well a model predicts a text. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/threads.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/say.h"
#include "model/model.h"

enum { WINDOW_DEFAULT = 512 };

/* Sums over the tokens that were predicted. */
struct score {
    uint64_t n;
    double nll, nll_squared;
    /* Against the float64 yardstick: */
    double nll_f64, kl, kl_max;
    uint64_t n_same_best;
};

struct perplexity {
    struct model_options model;
    const char *prompt, *file;
    uint32_t n_windows_max;
    bool against_f64, json;

    struct loaded loaded;
    struct token_list tokens;
    uint32_t n_vocab, n_window;
    double *f64; /* [n_window, n_vocab] the yardstick's logits of this window */
    struct threads *threads;
    struct score score;
};

static double log_sum_exp(const double *x, uint32_t n, double *max)
{
    double sum = 0;
    *max = x[0];
    for (uint32_t i = 1; i < n; i++)
        *max = x[i] > *max ? x[i] : *max;
    for (uint32_t i = 0; i < n; i++)
        sum += exp(x[i] - *max);
    return *max + log(sum);
}

/* Adds one prediction: the divergence of the exact distribution from the yardstick's. */
static void compare(struct score *s, const float *exact, const double *f64, uint32_t n_vocab,
                    int32_t next)
{
    double max, sum_exact = 0, max_exact = exact[0], kl = 0;
    double log_f64 = log_sum_exp(f64, n_vocab, &max);
    uint32_t best = 0, best_f64 = 0;
    for (uint32_t i = 1; i < n_vocab; i++) {
        best = exact[i] > exact[best] ? i : best;
        best_f64 = f64[i] > f64[best_f64] ? i : best_f64;
    }
    max_exact = (double)exact[best];
    for (uint32_t i = 0; i < n_vocab; i++)
        sum_exact += exp((double)exact[i] - max_exact);
    double log_exact = max_exact + log(sum_exact);
    for (uint32_t i = 0; i < n_vocab; i++) {
        double log_p = f64[i] - log_f64;
        kl += exp(log_p) * (log_p - ((double)exact[i] - log_exact));
    }
    s->kl += kl;
    s->kl_max = kl > s->kl_max ? kl : s->kl_max;
    s->nll_f64 += log_f64 - f64[next];
    s->n_same_best += best == best_f64;
}

static void add_prediction(struct perplexity *p, const struct iso_event *e, const int32_t *window)
{
    struct score *s = &p->score;
    int32_t next = window[e->position + 1];
    double nll = -(double)iso_logprob(e->logits, p->n_vocab, next);
    s->n++;
    s->nll += nll;
    s->nll_squared += nll * nll;
    if (p->f64)
        compare(s, e->logits, p->f64 + (size_t)e->position * p->n_vocab, p->n_vocab, next);
}

/* One window, read anew; the tokens of its second half are predicted. */
static enum err run_window(struct perplexity *p, const int32_t *window, struct err_note *note)
{
    struct iso_session *session = p->loaded.session;
    struct iso_request r = iso_request_default();
    r.tokens = window;
    r.n_tokens = p->n_window;
    r.n_answer_max = 0;
    r.want_logits_prompt = true;
    enum err rc = ERR_OK;
    if (p->f64)
        rc = model_forward_f64(&p->loaded.table, window, p->n_window, p->threads, p->f64, note);
    iso_session_cut(session, 0);
    if (!rc)
        rc = (enum err)iso_session_submit(session, &r, (struct iso_note *)note);
    const struct iso_event *events;
    for (size_t n; !rc && (n = iso_engine_step(p->loaded.engine, &events)) > 0;)
        for (size_t i = 0; i < n; i++) {
            const struct iso_event *e = &events[i];
            if (e->err)
                rc = err_set(note, (enum err)e->err, "%s", e->note);
            if (e->kind == ISO_EVENT_LOGITS && e->position >= p->n_window / 2 &&
                e->position + 1 < p->n_window)
                add_prediction(p, e, window);
        }
    return rc;
}

static double perplexity_of(const struct score *s)
{
    return exp(s->nll / (double)s->n);
}

/* Standard error of the perplexity, from that of the mean surprise. */
static double error_of(const struct score *s)
{
    double mean = s->nll / (double)s->n;
    double variance = s->nll_squared / (double)s->n - mean * mean;
    return s->n > 1 ? perplexity_of(s) * sqrt(variance / (double)(s->n - 1)) : 0;
}

static void print_result(const struct perplexity *p, uint32_t n_windows)
{
    const struct score *s = &p->score;
    double n = (double)s->n;
    if (p->json) {
        json_t *all = json_pack("{s:f,s:f,s:I,s:I,s:I,s:s}", "perplexity", perplexity_of(s),
                                "error", error_of(s), "tokens_predicted", (json_int_t)s->n,
                                "windows", (json_int_t)n_windows, "window", (json_int_t)p->n_window,
                                "arithmetic", iso_engine_info(p->loaded.engine).arithmetic);
        if (p->f64) {
            json_object_set_new(all, "perplexity_f64", json_real(exp(s->nll_f64 / n)));
            json_object_set_new(all, "kl_mean", json_real(s->kl / n));
            json_object_set_new(all, "kl_max", json_real(s->kl_max));
            json_object_set_new(all, "same_best", json_real((double)s->n_same_best / n));
        }
        json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(10));
        putchar('\n');
        json_decref(all);
        return;
    }
    printf("perplexity %.4f +- %.4f over %llu tokens, %u windows of %u\n", perplexity_of(s),
           error_of(s), (unsigned long long)s->n, n_windows, p->n_window);
    if (p->f64)
        printf("float64    %.4f; divergence mean %.3e, largest %.3e; same best token %.2f %%\n",
               exp(s->nll_f64 / n), s->kl / n, s->kl_max, 100 * (double)s->n_same_best / n);
}

static enum err open_yardstick(struct perplexity *p, struct err_note *note)
{
    size_t n_floats;
    int n_threads = p->model.n_threads ? (int)p->model.n_threads : threads_online();
    if (mul_ok(p->n_window, p->n_vocab, &n_floats))
        p->f64 = mem_array(n_floats, sizeof p->f64[0]);
    p->threads = threads_new(n_threads);
    if (!p->f64 || !p->threads)
        return err_set(note, ERR_MEMORY, "out of memory for the float64 logits of %u tokens",
                       p->n_window);
    return ERR_OK;
}

static enum err open_all(struct perplexity *p, struct err_note *note)
{
    char *text;
    size_t n_bytes;
    p->tokens.n_ids_max = INT32_MAX;
    enum err rc = load_text(p->prompt, p->file, &text, &n_bytes, note);
    if (rc)
        return rc;
    rc = load_tokenizer(&p->loaded, p->model.path, note);
    if (!rc)
        rc = tokenizer_encode(p->loaded.tokenizer, (struct str){text, n_bytes}, ENCODE_ADD_SPECIAL,
                              &p->tokens, note);
    mem_free(text);
    if (rc)
        return rc;
    const struct iso_engine_options o = {.n_logits = p->model.n_chunk};
    rc = load_engine(&p->loaded, &p->model, &o, note);
    if (rc)
        return rc;
    p->n_vocab = iso_engine_info(p->loaded.engine).n_vocab;
    p->n_window = p->model.n_ctx;
    if (p->tokens.n_ids < p->n_window)
        return err_set(
            note, ERR_LIMIT,
            "the text has %zu tokens, fewer than one window of %u; -c N makes the window "
            "smaller",
            p->tokens.n_ids, p->n_window);
    return p->against_f64 ? open_yardstick(p, note) : ERR_OK;
}

static enum err work(struct perplexity *p, struct err_note *note)
{
    struct progress progress;
    enum err rc = open_all(p, note);
    if (rc)
        return rc;
    uint32_t n_windows = (uint32_t)(p->tokens.n_ids / p->n_window);
    if (p->n_windows_max && n_windows > p->n_windows_max)
        n_windows = p->n_windows_max;
    int32_t *window = mem_array(p->n_window, sizeof window[0]);
    if (!window)
        return err_set(note, ERR_MEMORY, "out of memory for a window");
    const struct tokenizer *t = p->loaded.tokenizer;
    progress_begin(&progress, "predicting");
    for (uint32_t i = 0; !rc && i < n_windows; i++) {
        memcpy(window, p->tokens.ids + (size_t)i * p->n_window, p->n_window * sizeof window[0]);
        if (tokenizer_adds_bos(t))
            window[0] = tokenizer_bos(t);
        rc = run_window(p, window, note);
        progress_show(&progress, i + 1, n_windows);
    }
    progress_end(&progress);
    mem_free(window);
    if (!rc)
        print_result(p, n_windows);
    return rc;
}

int cmd_perplexity(int argc, char **argv)
{
    struct perplexity p = {.model = {.n_ctx = WINDOW_DEFAULT, .n_chunk = 128}};
    const struct arg_option options[] = {
        OPT_HEADING("Text"),
        OPT_TEXT('f', "file", "FILE", &p.file, "the text of FILE; -: standard input"),
        OPT_TEXT('p', "prompt", "TEXT", &p.prompt, "the text itself"),
        OPT_U32('c', "ctx", "N", &p.model.n_ctx, 8, 1 << 30,
                "length of a window in tokens (default: 512)"),
        OPT_U32(0, "windows", "N", &p.n_windows_max, 1, 4294967295.0,
                "at most N windows (default: all of the text)"),
        OPT_HEADING("Model"),
        MODEL_OPTION(p.model),
        COMPUTE_OPTIONS(p.model),
        OPT_U32(0, "chunk", "N", &p.model.n_chunk, 1, 1 << 16,
                "tokens read in one pass (default: 128)"),
        OPT_HEADING("Output"),
        OPT_FLAG(0, "against-f64", &p.against_f64,
                 "also evaluate in float64 and give the divergence (slow)"),
        OPT_FLAG(0, "json", &p.json, "as one JSON object"),
    };
    const struct arg_command command = {
        .name = "perplexity",
        .summary = "measure how well a model predicts a text",
        .usage = "perplexity [-m MODEL] -f FILE [options]",
        .about =
            "The text is cut into windows; each is read on its own, and the tokens of its second\n"
            "half count. The result is exp(mean surprise): lower is better. llama.cpp counts the\n"
            "same way.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit perplexity -m model.gguf -f book.txt\n"
                    "isobit perplexity -m model.gguf -f book.txt --windows 4 --against-f64",
    };
    struct err_note note = {""};
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    if (!rc)
        rc = work(&p, &note);
    mem_free(p.f64);
    threads_free(p.threads);
    token_list_release(&p.tokens);
    load_close(&p.loaded);
    return rc ? say_error(rc, &note) : EXIT_OK;
}
