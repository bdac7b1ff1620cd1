/* cmd_validate.c - isobit validate: whether an answer of another engine fits this model. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "api/generate.h"
#include "base/check.h"
#include "base/file.h"
#include "cli/args.h"
#include "cli/claim.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/number_list.h"
#include "cli/reread.h"
#include "cli/say.h"
#include "server/prompt.h"
#include "server/sampling.h"

enum { FILE_BYTES_MAX = 1 << 30, CHUNK_DEFAULT = 256, EXIT_UNMEASURED = 3 };

/* ---- measures ----------------------------------------------------------------------------- */

enum measure {
    SIMILARITY,
    DISTANCE2,
    MATCHES,
    FILL,
    EXPONENTS_OFF,
    MANTISSA_MEAN,
    MANTISSA_MEDIAN,
    N_MEASURES,
};

static const struct {
    const char *name, *about;
    bool more_is_better;
} measures[N_MEASURES] = {
    [SIMILARITY] = {"similarity", "Gonka's", true},
    [DISTANCE2] = {"distance2", "of its benchmarks", false},
    [MATCHES] = {"matches", "alternatives that are the same", true},
    [FILL] = {"fill", "mean probability of the answer's tokens", true},
    [EXPONENTS_OFF] = {"exponents-off", "after TOPLOC, the worst 32 positions", false},
    [MANTISSA_MEAN] = {"mantissa-mean", "the same, of 128", false},
    [MANTISSA_MEDIAN] = {"mantissa-median", "the same, of 128", false},
};

struct limits {
    bool given[N_MEASURES];
    double at[N_MEASURES];
};

static bool within(const struct limits *l, enum measure m, double value)
{
    return !l->given[m] || (measures[m].more_is_better ? value > l->at[m] : value < l->at[m]);
}

/* NAME=X. */
static enum err add_limit(struct limits *l, const char *text, struct err_note *note)
{
    const char *equals = strchr(text, '=');
    struct str name = {text, equals ? (size_t)(equals - text) : strlen(text)};
    int m = 0;
    while (m < N_MEASURES && !str_is(name, measures[m].name))
        m++;
    if (m == N_MEASURES || !equals || !str_to_f64(str_from(equals + 1), &l->at[m]))
        return err_set(note, ERR_USAGE,
                       "--limit is \"%s\"; write NAME=NUMBER, where NAME is similarity, distance2, "
                       "matches, fill, exponents-off, mantissa-mean or mantissa-median",
                       text);
    l->given[m] = true;
    return ERR_OK;
}

static void measure(const struct stat_answer *claimed, const struct stat_answer *recomputed,
                    double out[N_MEASURES])
{
    struct stat_distance2 d = stat_distance2(claimed, recomputed);
    struct stat_blocks b = stat_blocks(claimed, recomputed);
    out[SIMILARITY] = stat_similarity(claimed, recomputed);
    out[DISTANCE2] = d.distance;
    out[MATCHES] = d.matches;
    out[FILL] = stat_fill(recomputed);
    out[EXPONENTS_OFF] = b.exponents_off;
    out[MANTISSA_MEAN] = b.mantissa_mean;
    out[MANTISSA_MEDIAN] = b.mantissa_median;
}

/* ---- findings ----------------------------------------------------------------------------- */

struct validate {
    struct model_options model;
    const char *request_file, *names, *positions;
    struct arg_texts limits_told;
    bool seeded, json, quiet;

    enum claim_names how_named;
    struct number_list lengths; /* none: the whole */
    struct limits limits;
    json_t *request; /* of request_file, or NULL */
    struct loaded loaded;
    struct speech speech;
    struct token_names token_names;
    struct sampler sampler;
    size_t n_answers, n_failed, n_unmeasured;
};

enum verdict { PASSED, FAILED, UNMEASURED };
static const char *const verdict_words[] = {"pass", "fail", "not measured"};
static const char *const seed_words[] = {"open", "shown", "refuted"};

/* What came of one choice of one answer. */
struct finding {
    enum verdict verdict;
    struct err_note why; /* of FAILED the limits that were passed; of UNMEASURED what is missing */
    bool measured;
    size_t n_positions;
    double values[N_MEASURES];
    bool has_seed;
    enum stat_seed seed;
    uint32_t n_matches;
    double evidence;
};

static void add_why(struct finding *f, const char *what)
{
    size_t n = strlen(f->why.text);
    snprintf(f->why.text + n, sizeof f->why.text - n, "%s%s", n ? ", " : "", what);
}

static void judge(const struct validate *v, struct finding *f)
{
    f->verdict = PASSED;
    for (int m = 0; m < N_MEASURES; m++)
        if (!within(&v->limits, (enum measure)m, f->values[m])) {
            f->verdict = FAILED;
            add_why(f, measures[m].name);
        }
    if (v->seeded && f->seed == STAT_SEED_REFUTED) {
        f->verdict = FAILED;
        add_why(f, "the seed");
    } else if (v->seeded && f->seed == STAT_SEED_OPEN && f->verdict == PASSED) {
        f->verdict = UNMEASURED;
        add_why(f, "too few uncertain tokens to tell the seed");
    }
}

/* ---- what is said ------------------------------------------------------------------------- */

static void print_text(const struct validate *v, const struct finding *f, size_t i)
{
    printf("answer %zu, choice %zu: %s%s%s\n", v->n_answers, i, verdict_words[f->verdict],
           f->why.text[0] ? ": " : "", f->why.text);
    for (int m = 0; f->measured && m < N_MEASURES; m++) {
        printf("  %-16s %-10.6f %s", measures[m].name, f->values[m], measures[m].about);
        if (v->limits.given[m])
            printf("; wants %s than %g", measures[m].more_is_better ? "more" : "less",
                   v->limits.at[m]);
        putchar('\n');
    }
    if (f->has_seed)
        printf("  %-16s %-10s it chooses %u of %zu tokens; evidence %.1f\n", "seed",
               seed_words[f->seed], f->n_matches, f->n_positions, f->evidence);
}

static void print_json(const struct validate *v, const struct finding *f, size_t i)
{
    json_t *all = json_pack("{s:I,s:I,s:s}", "answer", (json_int_t)v->n_answers, "choice",
                            (json_int_t)i, "verdict", verdict_words[f->verdict]);
    if (f->why.text[0])
        json_object_set_new(all, "why", json_string(f->why.text));
    if (f->measured)
        json_object_set_new(all, "positions", json_integer((json_int_t)f->n_positions));
    for (int m = 0; f->measured && m < N_MEASURES; m++)
        json_object_set_new(all, measures[m].name, json_real(f->values[m]));
    if (f->has_seed)
        json_object_set_new(all, "seed",
                            json_pack("{s:s,s:I,s:f}", "verdict", seed_words[f->seed], "matches",
                                      (json_int_t)f->n_matches, "evidence", f->evidence));
    json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(all);
}

static void found(struct validate *v, const struct finding *f, size_t i)
{
    v->n_failed += f->verdict == FAILED;
    v->n_unmeasured += f->verdict == UNMEASURED;
    (v->json ? print_json : print_text)(v, f, i);
}

/* ---- an answer against the model ------------------------------------------------------------- */

/* Why a seed cannot be played again; NULL: it can. */
static const char *no_draws(const struct api_generate *api)
{
    return !api->has_seed               ? "the request names no seed"
           : api->sampling.temperature == 0 ? "at temperature 0 no seed is used"
           : api->sampling.mirostat     ? "mirostat's choices depend on its own before"
           : api->shape != API_SHAPE_ANY ? "the answer had a form to keep"
                                        : NULL;
}

/* The request's own reading, as the server does it. */
struct asked {
    struct api_generate api;
    struct sampling sampling;
    struct token_list prompt;
};

static enum err of_api(const struct api_error *e, struct err_note *note)
{
    return err_set(note, ERR_FORMAT, "the request: %s", e->message);
}

static enum err read_request(const struct validate *v, const json_t *request, uint32_t index,
                             struct asked *a, struct err_note *note)
{
    struct api_error e = {0};
    bool is_chat = json_object_get(request, "messages") != NULL;
    struct buf body;
    buf_init(&body, FILE_BYTES_MAX);
    bool ok = api_dump(request, &body) ||
              api_fail(&e, 500, NULL, "out of memory for it");
    struct str text = {body.bytes, body.n_bytes};
    ok = ok && (is_chat ? api_chat_parse : api_completion_parse)(text, &a->api, &e) &&
         api_tools_read(&a->api, &e) && sampling_open(&a->sampling, &v->speech, &a->api, &e);
    buf_release(&body);
    if (!ok)
        return of_api(&e, note);
    size_t n_prompts = a->api.prompts ? json_array_size(a->api.prompts) : 1;
    if (index / a->api.n >= n_prompts)
        return err_set(note, ERR_FORMAT, "choice %u: the request asks for %zu", index,
                       n_prompts * a->api.n);
    if (!prompt_of(&v->speech, &a->api, index / a->api.n, &a->prompt, NULL, &e))
        return of_api(&e, note);
    a->api.sampling.choice = index % a->api.n;
    return a->prompt.n_ids > 0 ? ERR_OK : err_set(note, ERR_FORMAT, "the prompt is empty");
}

static void asked_release(struct asked *a)
{
    sampling_close(&a->sampling);
    api_generate_release(&a->api);
    token_list_release(&a->prompt);
}

/* An answer's first n tokens, as if they were all of it. */
static void judge_first(struct validate *v, const struct claim *c, const struct reread *r, size_t n,
                        size_t i)
{
    struct finding f = {.measured = true, .n_positions = n, .has_seed = v->seeded};
    const struct stat_answer claimed = {c->answer.at, n}, recomputed = {r->answer.at, n};
    measure(&claimed, &recomputed, f.values);
    for (size_t k = 0; v->seeded && k < n; k++) {
        f.n_matches += stat_draw_matches(&r->draws[k]);
        f.evidence += stat_draw_evidence(&r->draws[k]);
    }
    f.seed = stat_seed_of(f.evidence);
    judge(v, &f);
    found(v, &f, i);
}

/* A claim and its request against this model. */
static enum err reread_claim(struct validate *v, const struct claim *c, const struct asked *a,
                             size_t i, struct err_note *note)
{
    const struct number_list *l = &v->lengths;
    struct stat_answer claimed = c->answer;
    struct reread r;
    size_t n_max = 0;
    for (size_t k = 0; k < l->n_items; k++)
        n_max = l->items[k] > n_max ? l->items[k] : n_max;
    if (n_max > 0 && claimed.n > n_max)
        claimed.n = n_max;
    if (claimed.n == 0)
        return err_set(note, ERR_FORMAT, "the answer has no tokens");
    if (c->n_top == 0)
        return err_set(note, ERR_FORMAT, "the answer tells no alternatives; ask with top_logprobs");
    const struct reread_order order = {
        .prompt = a->prompt.ids,
        .n_prompt = (uint32_t)a->prompt.n_ids,
        .answer = &claimed,
        .n_top = c->n_top < ISO_LOGPROBS_MAX ? (uint32_t)c->n_top : ISO_LOGPROBS_MAX,
        .processed = a->api.processed_logprobs,
        .draws = v->seeded,
        .sampling = &a->api.sampling,
        .stops = v->speech.stops,
        .n_stops = v->speech.n_stops,
        .n_min = a->api.ignore_eos ? UINT32_MAX : a->api.n_min,
    };
    enum err rc = reread_run(&r, v->loaded.engine, v->loaded.session, &v->sampler, &order, note);
    for (size_t k = 0; !rc && k < l->n_items; k++)
        if (l->items[k] < claimed.n)
            judge_first(v, c, &r, l->items[k], i);
    if (!rc)
        judge_first(v, c, &r, claimed.n, i);
    reread_release(&r);
    return rc;
}

static void take_choice(struct validate *v, const json_t *request, const json_t *answer, size_t i)
{
    struct asked a = {0};
    struct claim c;
    struct finding f = {.verdict = UNMEASURED};
    struct err_note *note = &f.why;
    enum err rc = claim_read(&c, answer, i, &v->token_names, v->how_named, note);
    if (!rc && !json_is_object(request))
        rc = err_set(note, ERR_NOT_FOUND, "what was asked is not told; give --request FILE");
    if (!rc)
        rc = read_request(v, request, c.index, &a, note);
    if (!rc && v->seeded && no_draws(&a.api))
        rc = err_set(note, ERR_UNSUPPORTED, "--seeded: %s", no_draws(&a.api));
    if (!rc)
        rc = reread_claim(v, &c, &a, i, note);
    if (rc)
        found(v, &f, i);
    asked_release(&a);
    claim_release(&c);
}

/* An answer, or {"request", "answer"}: all its choices. */
static void take_item(struct validate *v, const json_t *item)
{
    const json_t *answer = json_object_get(item, "answer");
    const json_t *request = json_object_get(item, "request");
    answer = answer ? answer : item;
    request = request ? request : v->request;
    size_t n = json_array_size(json_object_get(answer, "choices"));
    for (size_t i = 0; i < (n > 0 ? n : 1); i++)
        take_choice(v, request, answer, i);
    v->n_answers++;
}

/* One JSON value after another. */
static enum err take_file(struct validate *v, const char *path, struct err_note *note)
{
    char *text;
    size_t n_bytes, at = 0;
    enum err rc = file_read(path, FILE_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    while (!rc && at + strspn(text + at, " \t\r\n") < n_bytes) {
        json_error_t error;
        json_t *item = json_loadb(text + at, n_bytes - at, JSON_DISABLE_EOF_CHECK, &error);
        if (item)
            take_item(v, item);
        else
            rc = err_set(note, ERR_FORMAT, "%s: answer %zu: line %d: %s", path, v->n_answers,
                         error.line, error.text);
        at += item ? (size_t)error.position : 0;
        json_decref(item);
    }
    mem_free(text);
    if (!rc && v->n_answers == 0)
        rc = err_set(note, ERR_FORMAT, "%s holds no answer", path);
    return rc;
}

/* ---- the command -------------------------------------------------------------------------- */

static enum err read_options(struct validate *v, struct err_note *note)
{
    static const char *const names[] = {"guess", "ids", "texts"};
    int how = 0;
    enum err rc = ERR_OK;
    v->limits.given[SIMILARITY] = true;
    v->limits.at[SIMILARITY] = STAT_SIMILARITY;
    for (size_t i = 0; !rc && i < v->limits_told.n_items; i++)
        rc = add_limit(&v->limits, v->limits_told.items[i], note);
    while (!rc && v->names && how < 3 && strcmp(v->names, names[how]) != 0)
        how++;
    if (!rc && how == 3)
        rc = err_set(note, ERR_USAGE, "--names is \"%s\"; guess, ids or texts", v->names);
    v->how_named = (enum claim_names)how;
    if (!rc && v->positions)
        rc = number_list_parse("positions", v->positions, 1, UINT32_MAX, &v->lengths, note);
    return rc;
}

static enum err read_request_file(struct validate *v, struct err_note *note)
{
    char *text;
    size_t n_bytes;
    json_error_t error;
    enum err rc = file_read(v->request_file, FILE_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    v->request = json_loadb(text, n_bytes, 0, &error);
    mem_free(text);
    return json_is_object(v->request)
               ? ERR_OK
               : err_set(note, ERR_FORMAT, "%s: %s", v->request_file,
                         v->request ? "no JSON object" : error.text);
}

static enum err open_all(struct validate *v, struct err_note *note)
{
    const struct iso_engine_options o = {.n_logits = v->model.n_chunk};
    enum err rc = v->request_file ? read_request_file(v, note) : ERR_OK;
    if (!rc)
        rc = load_file(&v->loaded, v->model.path, note);
    if (!rc)
        rc = speech_open(&v->speech, v->loaded.table.path, NULL, NULL, note);
    if (!rc)
        rc = token_names_open(&v->token_names, v->speech.tokenizer, note);
    if (!rc)
        rc = load_engine(&v->loaded, &v->model, &o, note);
    if (rc)
        return rc;
    struct iso_engine_info info = iso_engine_info(v->loaded.engine);
    return sampler_init(&v->sampler, info.n_vocab, info.n_ctx, note);
}

static void close_all(struct validate *v)
{
    sampler_release(&v->sampler);
    token_names_close(&v->token_names);
    speech_close(&v->speech);
    load_close(&v->loaded);
    json_decref(v->request);
}

static enum err run(struct validate *v, int argc, char **argv, bool *help, struct err_note *note)
{
    const struct arg_option options[] = {
        OPT_HEADING("What is judged"),
        OPT_TEXT(0, "request", "FILE", &v->request_file,
                 "what was asked, where the answer does not say it"),
        OPT_TEXT(0, "names", "HOW", &v->names,
                 "tokens are named by their ids, or texts (default: guess)"),
        OPT_TEXT('n', "positions", "LIST", &v->positions,
                 "the first N tokens, as if they were the answer; several:\n"
                 "each is judged (default: all)"),
        OPT_HEADING("How"),
        OPT_TEXTS(0, "limit", "NAME=X", &v->limits_told,
                  "another measure must be within X too; may be repeated\n"
                  "(default: similarity=0.99)"),
        OPT_FLAG(0, "seeded", &v->seeded,
                 "isobit's sampler, with the request's seed, chose the tokens"),
        OPT_HEADING("Model"),
        MODEL_OPTION(v->model),
        CONTEXT_OPTION(v->model),
        COMPUTE_OPTIONS(v->model),
        OPT_U32(0, "chunk", "N", &v->model.n_chunk, 1, 1 << 16,
                "tokens read in one pass (default: 256)"),
        OPT_HEADING("Output"),
        OPT_FLAG(0, "json", &v->json, "a JSON object a line for each answer"),
        OPT_FLAG('q', "quiet", &v->quiet, "say nothing but results and errors"),
    };
    const struct arg_command command = {
        .name = "validate",
        .summary = "judge an answer of another engine by its log-probabilities",
        .usage = "validate ANSWER [-m MODEL] [--request FILE] [options]",
        .about =
            "ANSWER is an answer of OpenAI's API with logprobs and top_logprobs, or a file of\n"
            "lines {\"request\": {...}, \"answer\": {...}}; -: standard input. Prompt and answer\n"
            "are read at once, nothing is generated. docs/validation.md says what each measure\n"
            "can tell. Exit status: 0 all pass, 1 one fails, 3 one could not be measured, 2 wrong\n"
            "usage.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit validate answer.json --request request.json -m model.gguf\n"
                    "isobit validate answers.jsonl --json --limit matches=0.9\n"
                    "isobit validate answer.json --request request.json --seeded",
        .n_positional_min = 1,
        .n_positional_max = 1,
    };
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, note);
    *help = !rc && args.help;
    if (*help)
        args_help(&command, stdout);
    if (rc || *help)
        return rc;
    say_quiet(v->quiet);
    rc = read_options(v, note);
    if (!rc)
        rc = open_all(v, note);
    return rc ? rc : take_file(v, args.positional[0], note);
}

/* What was not measured never counts as judged: neither as passed nor as failed. */
int cmd_validate(int argc, char **argv)
{
    struct validate v = {.model.n_chunk = CHUNK_DEFAULT};
    struct err_note note = {""};
    bool help = false;
    enum err rc = run(&v, argc, argv, &help, &note);
    close_all(&v);
    if (rc)
        return say_error(rc, &note) == EXIT_USAGE ? EXIT_USAGE : EXIT_UNMEASURED;
    return v.n_failed ? EXIT_FAILED : v.n_unmeasured ? EXIT_UNMEASURED : EXIT_OK;
}
