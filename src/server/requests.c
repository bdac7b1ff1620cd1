/* requests.c - GET /v1/requests: the calls that workers are at; DELETE /v1/requests/{id}.
 *
 * Never what was said. A key sees and ends its own calls, one with the scope admin everybody's;
 * where there are no keys, everybody is one. */
#include "base/clock.h"
#include "server/front_int.h"
#include "server/keys.h"

enum { BODY_BYTES_MAX = 16 << 20 };

static bool is_shown(const struct ticket *t, const struct key *viewer)
{
    return t->used && t->sink && (t->key == viewer || key_has(viewer, KEY_ADMIN));
}

static void write_ticket(struct writer *w, const struct ticket *t, uint64_t now_ns)
{
    static const char *const states[] = {
        [CALL_QUEUED] = "queued", [CALL_PROMPT] = "prompt", [CALL_ANSWER] = "answer"};
    write_open(w, '{');
    write_key_text(w, "id", str_from(t->request_id));
    write_key_text(w, "object", STR("request"));
    write_key_text(w, "model", str_from(t->process->model->name));
    write_key_text(w, "endpoint", str_from(t->path));
    if (t->key && t->key->id[0])
        write_key_text(w, "key", str_from(t->key->id));
    else
        write_key_word(w, "key", "null");
    write_key_text(w, "state", str_from(states[t->usage.state]));
    write_key_word(w, "stream", t->streams ? "true" : "false");
    write_key_int(w, "prompt_tokens", t->usage.n_prompt);
    write_key_int(w, "read_tokens", t->usage.n_read);
    write_key_int(w, "cached_tokens", t->usage.n_cached);
    write_key_int(w, "generated_tokens", t->usage.n_answer);
    write_key_int(w, "age_ms", (int64_t)((now_ns - t->begun_ns) / 1000000));
    write_close(w, '}');
}

void get_requests(struct front *f, struct http_exchange *x)
{
    const struct key *viewer = visit_of(x)->key;
    uint64_t now_ns = clock_ns();
    struct buf body;
    struct writer w;
    buf_init(&body, BODY_BYTES_MAX);
    write_begin(&w, &body);
    write_open(&w, '{');
    write_key_text(&w, "object", STR("list"));
    write_key(&w, "data");
    write_open(&w, '[');
    for (size_t i = 0; i < f->n_tickets; i++)
        if (is_shown(f->tickets[i], viewer))
            write_ticket(&w, f->tickets[i], now_ns);
    write_close(&w, ']');
    write_close(&w, '}');
    reply_json(x, 200, &body);
}

/* Ids are clients' own where they sent one: all calls of that id end. */
static size_t abort_calls(struct front *f, const char *id, const struct key *viewer)
{
    struct api_error e;
    size_t n = 0;
    api_fail(&e, 499, NULL, "the request was cancelled");
    e.code = "request_cancelled";
    for (size_t i = 0; i < f->n_tickets; i++) {
        struct ticket *t = f->tickets[i];
        if (!is_shown(t, viewer) || strcmp(t->request_id, id) != 0)
            continue;
        ticket_abort(t, &e);
        n++;
    }
    return n;
}

void delete_request(struct front *f, struct http_exchange *x)
{
    struct visit *v = visit_of(x);
    struct api_error e;
    struct buf body;
    struct writer w;
    size_t n = abort_calls(f, v->id, v->key);
    if (n == 0) {
        api_fail(&e, 404, NULL, "no request \"%.100s\" runs now", v->id);
        front_fail(x, &e);
        return;
    }
    buf_init(&body, BODY_BYTES_MAX);
    write_begin(&w, &body);
    write_open(&w, '{');
    write_key_text(&w, "id", str_from(v->id));
    write_key_text(&w, "object", STR("request"));
    write_key_int(&w, "cancelled", (int64_t)n);
    write_close(&w, '}');
    reply_json(x, 200, &body);
}
