/* bench_peer.c - other benchmarks' JSON. */
#include "cli/bench_peer.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "bench/measure.h"
#include "bench/stats.h"

enum { ROWS_MAX = 4096, SAMPLES_MAX = 1000 };

void bench_peer_release(struct bench_peer *p)
{
    mem_free(p->rows);
    *p = (struct bench_peer){0};
}

const struct bench_peer_row *bench_peer_find(const struct bench_peer *p, const struct bench_test *t)
{
    for (size_t i = 0; i < p->n_rows; i++) {
        struct bench_test theirs = p->rows[i].test;
        if (theirs.n_threads == 0)
            theirs.n_threads = t->n_threads;
        if (bench_test_equal(&theirs, t))
            return &p->rows[i];
    }
    return NULL;
}

/* A count that a test may have; absent: fallback. */
static bool get_count(const json_t *o, const char *key, uint32_t fallback, uint32_t *out)
{
    const json_t *value = json_object_get(o, key);
    json_int_t n = json_integer_value(value);
    *out = value ? (uint32_t)n : fallback;
    return !value || (json_is_integer(value) && n >= 0 && n <= BENCH_TOKENS_MAX);
}

static bool is_rate(double x)
{
    return isfinite(x) && x > 0;
}

/* The median of an array of rates, or else one rate. */
static bool get_rate(const json_t *o, const char *array, const char *single, double *out)
{
    const json_t *list = json_object_get(o, array);
    size_t n = json_array_size(list);
    double x[SAMPLES_MAX];
    if (n == 0 || n > SAMPLES_MAX) {
        *out = json_number_value(json_object_get(o, single));
        return is_rate(*out);
    }
    for (size_t i = 0; i < n; i++) {
        x[i] = json_number_value(json_array_get(list, i));
        if (!is_rate(x[i]))
            return false;
    }
    stats_sort(x, n);
    *out = stats_median(x, n);
    return true;
}

static enum err add_row(struct bench_peer *p, struct bench_test t, double rate,
                        struct err_note *note)
{
    if (p->n_rows == ROWS_MAX)
        return err_set(note, ERR_LIMIT, "more than %d tests", ROWS_MAX);
    struct bench_peer_row *rows = mem_resize(p->rows, (p->n_rows + 1) * sizeof rows[0]);
    if (!rows)
        return err_set(note, ERR_MEMORY, "out of memory for %zu tests", p->n_rows);
    p->rows = rows;
    rows[p->n_rows++] = (struct bench_peer_row){t, rate};
    return ERR_OK;
}

static enum err not_understood(struct err_note *note, const char *what)
{
    return err_set(note, ERR_FORMAT, "%s without the numbers of a test", what);
}

/* One object of llama-bench. */
static enum err add_llama(struct bench_peer *p, const json_t *o, struct err_note *note)
{
    uint32_t n_prompt, n_gen;
    struct bench_test t = {.n_batch = 1};
    double rate;
    if (!get_count(o, "n_prompt", 0, &n_prompt) || !get_count(o, "n_gen", 0, &n_gen) ||
        !get_count(o, "n_depth", 0, &t.n_depth) || !get_count(o, "n_threads", 0, &t.n_threads) ||
        !get_rate(o, "samples_ts", "avg_ts", &rate))
        return not_understood(note, "an entry of llama-bench");
    const char *commit = json_string_value(json_object_get(o, "build_commit"));
    snprintf(p->name, sizeof p->name, "llama.cpp%s%.40s", commit ? " " : "", commit ? commit : "");
    if ((n_prompt > 0) == (n_gen > 0))
        return ERR_OK;
    t.kind = n_gen > 0 ? BENCH_GEN : BENCH_PROMPT;
    t.n_tokens = n_gen > 0 ? n_gen : n_prompt;
    return add_row(p, t, rate, note);
}

/* One line of llama-batched-bench: pl sequences read pp tokens each, then generate tg each. */
static enum err add_batched(struct bench_peer *p, const json_t *o, struct err_note *note)
{
    uint32_t pp, tg, pl, n_threads;
    double prompt = json_number_value(json_object_get(o, "speed_pp"));
    double gen = json_number_value(json_object_get(o, "speed_tg"));
    if (!get_count(o, "pp", 0, &pp) || !get_count(o, "tg", 0, &tg) || !get_count(o, "pl", 0, &pl) ||
        !get_count(o, "n_threads", 0, &n_threads) || pl == 0)
        return not_understood(note, "a line of llama-batched-bench");
    snprintf(p->name, sizeof p->name, "llama.cpp");
    enum err rc = ERR_OK;
    if (pp > 0 && is_rate(prompt))
        rc = add_row(p, (struct bench_test){BENCH_PROMPT, n_threads, pp, pl, 0}, prompt, note);
    if (!rc && tg > 0 && is_rate(gen))
        rc = add_row(p, (struct bench_test){BENCH_GEN, n_threads, tg, pl, pp}, gen, note);
    return rc;
}

static enum err add_isobit(struct bench_peer *p, const json_t *all, struct err_note *note)
{
    const json_t *results = json_object_get(all, "results");
    const char *commit = json_string_value(json_object_get(all, "commit"));
    snprintf(p->name, sizeof p->name, "isobit%s%.40s", commit ? " " : "", commit ? commit : "");
    enum err rc = ERR_OK;
    for (size_t i = 0; !rc && i < json_array_size(results); i++) {
        const json_t *o = json_array_get(results, i);
        const char *kind = json_string_value(json_object_get(o, "kind"));
        struct bench_test t;
        double rate;
        if (!kind || !get_count(o, "n_tokens", 0, &t.n_tokens) ||
            !get_count(o, "n_threads", 0, &t.n_threads) ||
            !get_count(o, "n_batch", 1, &t.n_batch) || !get_count(o, "n_depth", 0, &t.n_depth) ||
            !get_rate(o, "samples", "tokens_per_second", &rate) || t.n_tokens == 0)
            return not_understood(note, "a result of isobit bench");
        t.kind = strcmp(kind, "gen") == 0 ? BENCH_GEN : BENCH_PROMPT;
        rc = add_row(p, t, rate, note);
    }
    return rc;
}

static enum err add_value(struct bench_peer *p, const json_t *value, struct err_note *note)
{
    enum err rc = ERR_OK;
    for (size_t i = 0; !rc && i < json_array_size(value); i++)
        rc = add_llama(p, json_array_get(value, i), note);
    if (json_is_array(value))
        return rc;
    if (json_object_get(value, "results"))
        return add_isobit(p, value, note);
    if (json_object_get(value, "pl"))
        return add_batched(p, value, note);
    if (json_object_get(value, "n_prompt"))
        return add_llama(p, value, note);
    return err_set(note, ERR_FORMAT, "JSON that is of no benchmark known here");
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && isspace((unsigned char)*at))
        at++;
    return at;
}

static enum err no_benchmark(struct str text, struct err_note *note)
{
    char begin[41];
    const char *end = text.ptr + text.len, *at = skip_space(text.ptr, end);
    size_t n = (size_t)(end - at) < 40 ? (size_t)(end - at) : 40;
    for (size_t i = 0; i < n; i++)
        begin[i] = isprint((unsigned char)at[i]) ? at[i] : ' ';
    begin[n] = 0;
    return err_set(note, ERR_FORMAT,
                   "it printed %s%s%s, not the JSON of llama-bench -o json, llama-batched-bench "
                   "--output-format jsonl or isobit bench --json",
                   n ? "\"" : "nothing", begin, n ? "...\"" : "");
}

/* One JSON value, or several behind one another. */
enum err bench_peer_parse(struct bench_peer *p, struct str text, struct err_note *note)
{
    const char *at = text.ptr, *end = text.ptr + text.len;
    enum err rc = ERR_OK;
    *p = (struct bench_peer){0};
    while (!rc && (at = skip_space(at, end)) < end) {
        json_error_t error;
        json_t *value = json_loadb(at, (size_t)(end - at), JSON_DISABLE_EOF_CHECK, &error);
        rc = value ? add_value(p, value, note) : no_benchmark(text, note);
        if (value)
            at += error.position;
        json_decref(value);
    }
    if (!rc && p->n_rows == 0)
        rc = no_benchmark(text, note);
    if (rc)
        bench_peer_release(p);
    return rc;
}
