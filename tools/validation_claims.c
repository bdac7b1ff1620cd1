/* validation_claims.c - answers of a model to many requests, as isobit validate takes them.
 *
 * usage: validation_claims MODEL <prompts.jsonl >claims.jsonl
 *
 * For tools/validation_curves.py: what a node gives that has other weights than it says. Each line
 * of the input is {"prompt": [ids], "seed": S}; the answer has 128 tokens, drawn at temperature 1,
 * past every end, with the 5 best log-probabilities. Answers advance 32 together. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isobit.h"

enum { SESSIONS = 32, ANSWER = 128, TOP = 5, PROMPT_MAX = 512, LINES_MAX = 1 << 16 };

struct lane {
    struct iso_session *session;
    json_t *request, *content; /* what was asked; the answer's tokens so far */
    size_t line;
    int32_t prompt[PROMPT_MAX];
};

static void fail(const char *why)
{
    fprintf(stderr, "validation_claims: %s\n", why);
    exit(1);
}

static json_t *token_of(int32_t token, float logprob)
{
    char name[16];
    snprintf(name, sizeof name, "%d", token);
    return json_pack("{s:s,s:f}", "token", name, "logprob", (double)logprob);
}

static void add_token(struct lane *l, const struct iso_event *e)
{
    json_t *item = token_of(e->token, e->logprob), *top = json_array();
    for (uint32_t i = 0; i < e->n_logprobs; i++)
        json_array_append_new(top, token_of(e->logprobs[i].token, e->logprobs[i].logprob));
    json_object_set_new(item, "top_logprobs", top);
    json_array_append_new(l->content, item);
}

/* The whole line of an answer. */
static char *line_of(const struct lane *l)
{
    json_t *all = json_pack("{s:O,s:{s:[{s:i,s:{s:O}}]}}", "request", l->request, "answer",
                            "choices", "index", 0, "logprobs", "content", l->content);
    char *text = json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(8));
    json_decref(all);
    if (!text)
        fail("out of memory");
    return text;
}

static void submit(struct lane *l, json_t *request, size_t line)
{
    const json_t *ids = json_object_get(request, "prompt");
    struct iso_note note = {""};
    struct iso_request r = iso_request_default();
    l->request = request;
    l->content = json_array();
    l->line = line;
    r.n_tokens = (uint32_t)json_array_size(ids);
    if (r.n_tokens == 0 || r.n_tokens > PROMPT_MAX)
        fail("a line without a prompt of 1 to 512 tokens");
    for (size_t i = 0; i < r.n_tokens; i++)
        l->prompt[i] = (int32_t)json_integer_value(json_array_get(ids, i));
    r.tokens = l->prompt;
    r.n_answer_max = ANSWER;
    r.n_logprobs = TOP;
    r.want_logprob = r.no_cache = true;
    r.sampling.temperature = r.sampling.top_p = 1;
    r.sampling.top_k = 0;
    r.sampling.min_p = 0;
    r.sampling.seed = (uint64_t)json_integer_value(json_object_get(request, "seed"));
    r.user = l;
    iso_session_cut(l->session, 0);
    if (iso_session_submit(l->session, &r, &note))
        fail(note.text);
}

static json_t *read_request(void)
{
    json_error_t error;
    json_t *request = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, &error);
    if (!request && !feof(stdin))
        fail(error.text);
    return request;
}

int main(int argc, char **argv)
{
    static struct lane lanes[SESSIONS];
    static char *lines[LINES_MAX];
    const struct iso_engine_options options = {.n_sessions = SESSIONS, .n_ctx = 1024};
    struct iso_engine *engine;
    struct iso_note note = {""};
    const struct iso_event *events;
    size_t n = 0;
    if (argc != 2 || iso_engine_open(argv[1], &options, &engine, &note))
        fail(argc != 2 ? "usage: validation_claims MODEL <prompts.jsonl >claims.jsonl" : note.text);
    for (int i = 0; i < SESSIONS; i++) {
        if (iso_session_open(engine, &lanes[i].session, &note))
            fail(note.text);
        json_t *request = read_request();
        if (request)
            submit(&lanes[i], request, n++);
    }
    for (size_t n_events; (n_events = iso_engine_step(engine, &events)) > 0;)
        for (size_t i = 0; i < n_events; i++) {
            struct lane *l = events[i].request->user;
            if (events[i].kind == ISO_EVENT_TOKEN)
                add_token(l, &events[i]);
            if (events[i].kind != ISO_EVENT_FINISH)
                continue;
            if (events[i].err)
                fail(events[i].note);
            lines[l->line] = line_of(l);
            json_decref(l->request);
            json_decref(l->content);
            json_t *request = n < LINES_MAX ? read_request() : NULL;
            if (request)
                submit(l, request, n++);
        }
    for (size_t i = 0; i < n; i++) {
        puts(lines[i]);
        free(lines[i]);
    }
    iso_engine_close(engine);
    return fflush(stdout) || ferror(stdout);
}
