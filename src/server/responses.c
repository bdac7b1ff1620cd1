/* responses.c - /v1/responses at the front: what was said before joins a request on its way to the
 * worker, and what is answered is kept, unless the client does not want it. */
#include "api/responses.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "server/front_int.h"
#include "server/response_store.h"

enum {
    BODY_BYTES_MAX = 256 << 20,
    JOINED_BYTES_MAX = 64 << 20,
    ITEMS_SHOWN_MAX = 100,
    ITEMS_SHOWN = 20,
};

/* An answer on its way that is to be kept. */
struct keeper {
    struct front *front;
    const struct key *owner;
    char *before; /* the turn before, or NULL */
    json_t *input;
};

static uint64_t now_s(void)
{
    return clock_ns() / 1000000000;
}

static struct str bytes_of(const struct buf *b)
{
    return (struct str){b->n_bytes ? b->bytes : "", b->n_bytes};
}

/* ---- keeping ------------------------------------------------------------------------------ */

static void write_items(struct buf *out, const json_t *items)
{
    struct writer w;
    write_begin(&w, out);
    for (size_t i = 0; i < json_array_size(items); i++)
        write_value(&w, json_array_get(items, i));
}

static void keep(const struct keeper *k, struct str response)
{
    json_t *root = json_loadb(response.ptr, response.len, JSON_ALLOW_NUL, NULL);
    const char *id = json_string_value(json_object_get(root, "id"));
    json_t *items = id ? responses_items(k->input, id) : NULL;
    if (items) {
        struct buf input, output;
        buf_init(&input, BODY_BYTES_MAX);
        buf_init(&output, BODY_BYTES_MAX);
        write_items(&input, items);
        write_items(&output, json_object_get(root, "output"));
        const struct response_texts texts = {str_from(id), bytes_of(&input), bytes_of(&output),
                                             response};
        if (!input.failed && !output.failed)
            response_store_add(k->front->responses, k->owner,
                               k->before ? str_from(k->before) : STR(""), &texts, now_s());
        buf_release(&input);
        buf_release(&output);
    }
    json_decref(items);
    json_decref(root);
}

/* The answer in a stream's last event: {"type": ..., "response": {...}} */
static void keep_event(const struct keeper *k, struct str data)
{
    json_t *root = json_loadb(data.ptr, data.len, JSON_ALLOW_NUL, NULL);
    struct buf text;
    struct writer w;
    buf_init(&text, BODY_BYTES_MAX);
    write_begin(&w, &text);
    write_value(&w, json_object_get(root, "response"));
    if (root && !text.failed)
        keep(k, bytes_of(&text));
    buf_release(&text);
    json_decref(root);
}

static void hear(void *to, struct str bytes)
{
    static const char *const ends[] = {"event: response.completed\ndata: ",
                                       "event: response.incomplete\ndata: "};
    const struct keeper *k = to;
    if (bytes.len > 0 && bytes.ptr[0] == '{') {
        keep(k, bytes);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        const char *at = memmem(bytes.ptr, bytes.len, ends[i], strlen(ends[i]));
        if (!at)
            continue;
        at += strlen(ends[i]);
        struct str data = {at, (size_t)(bytes.ptr + bytes.len - at)};
        const char *end = memchr(at, '\n', data.len);
        if (end)
            data.len = (size_t)(end - at);
        keep_event(k, data);
    }
}

static void free_keeper(void *to)
{
    struct keeper *k = to;
    mem_free(k->before);
    json_decref(k->input);
    mem_free(k);
}

static struct keeper *make_keeper(struct front *f, const struct key *owner, const json_t *root,
                                  const char *before)
{
    struct keeper *k = mem_zalloc(sizeof *k);
    if (!k)
        return NULL;
    k->front = f;
    k->owner = owner;
    k->before = before ? mem_strdup(before) : NULL;
    k->input = json_incref(json_object_get(root, "input"));
    if (!before || k->before)
        return k;
    free_keeper(k);
    return NULL;
}

/* ---- asking ------------------------------------------------------------------------------- */

static bool not_found(struct api_error *e, const char *id, const char *field, int status)
{
    api_fail(e, status, field, "no response \"%.100s\" is kept here; it may have been forgotten",
             id);
    e->code = status == 404 ? "response_not_found" : "previous_response_not_found";
    return false;
}

/* The request with what was said before in place of its id. */
static bool join(struct front *f, const struct key *owner, const json_t *root, const char *before,
                 struct buf *out, struct api_error *e)
{
    const struct stored *r = response_store_find(f->responses, owner, str_from(before), now_s());
    struct writer w;
    const char *name;
    json_t *value;
    if (!r)
        return not_found(e, before, "previous_response_id", 400);
    struct buf items;
    buf_init(&items, JOINED_BYTES_MAX);
    stored_conversation(r, &items);
    write_begin(&w, out);
    write_open(&w, '{');
    write_key(&w, "previous");
    write_open(&w, '{');
    write_key_text(&w, "id", str_from(before));
    write_key(&w, "input");
    write_open(&w, '[');
    buf_add(out, items.bytes, items.n_bytes);
    write_close(&w, ']');
    write_close(&w, '}');
    json_object_foreach ((json_t *)root, name, value) {
        if (strcmp(name, "previous") == 0 || strcmp(name, "previous_response_id") == 0)
            continue;
        write_name(&w, str_from(name));
        write_value(&w, value);
    }
    write_close(&w, '}');
    bool failed = items.failed || out->failed;
    buf_release(&items);
    return !failed || api_fail(e, 413, "input", "the conversation is larger than %d bytes",
                               JOINED_BYTES_MAX);
}

static bool ask(struct front *f, struct http_exchange *x, const json_t *root, bool keeps,
                struct api_error *e)
{
    const struct key *owner = visit_of(x)->key;
    const json_t *id = json_object_get(root, "previous_response_id");
    const json_t *model = json_object_get(root, "model");
    const char *before = json_string_value(id);
    struct buf joined;
    if (model && !json_is_null(model) && !json_is_string(model))
        return api_fail(e, 400, "model", "model must be a text");
    if (id && !before && !json_is_null(id))
        return api_fail(e, 400, "previous_response_id", "previous_response_id must be a text");
    const struct str name = {json_string_value(model), json_string_length(model)};
    struct process *p = route_model(f, visit_of(x)->key, name, e);
    if (!p)
        return false;
    buf_init(&joined, JOINED_BYTES_MAX);
    if (before && !join(f, owner, root, before, &joined, e)) {
        buf_release(&joined);
        return false;
    }
    struct relay *r = relay_open(f, p, x, before ? bytes_of(&joined) : http_body(x));
    struct keeper *k = r && keeps ? make_keeper(f, owner, root, before) : NULL;
    if (k)
        relay_tap(r, hear, free_keeper, k);
    buf_release(&joined);
    return true;
}

static void post(struct front *f, struct http_exchange *x, bool keeps)
{
    struct api_error e = {0};
    json_t *root = api_parse(http_body(x), &e);
    if (!root || !ask(f, x, root, keeps && !json_is_false(json_object_get(root, "store")), &e))
        front_fail(x, &e);
    json_decref(root);
}

void post_responses(struct front *f, struct http_exchange *x)
{
    post(f, x, true);
}

void post_input_tokens(struct front *f, struct http_exchange *x)
{
    post(f, x, false);
}

/* ---- what is kept ------------------------------------------------------------------------- */

static const struct stored *find(struct front *f, struct http_exchange *x)
{
    const struct visit *v = visit_of(x);
    struct api_error e;
    const struct stored *r = response_store_find(f->responses, v->key, str_from(v->id), now_s());
    if (r)
        return r;
    not_found(&e, v->id, NULL, 404);
    front_fail(x, &e);
    return NULL;
}

void get_response(struct front *f, struct http_exchange *x)
{
    const struct stored *r = find(f, x);
    if (r)
        http_reply(x, 200, "application/json", stored_response(r));
}

void delete_response(struct front *f, struct http_exchange *x)
{
    const struct visit *v = visit_of(x);
    struct buf body;
    struct writer w;
    if (!find(f, x))
        return;
    response_store_remove(f->responses, v->key, str_from(v->id), now_s());
    buf_init(&body, 4096);
    write_begin(&w, &body);
    write_open(&w, '{');
    write_key_text(&w, "id", str_from(v->id));
    write_key_text(&w, "object", STR("response"));
    write_key_word(&w, "deleted", "true");
    write_close(&w, '}');
    reply_json(x, 200, &body);
}

/* The value of a name in the query; empty: it is not there. */
static struct str query_value(struct str query, const char *name)
{
    size_t n_name = strlen(name);
    while (query.len > 0) {
        const char *and = memchr(query.ptr, '&', query.len);
        size_t n = and ? (size_t)(and - query.ptr) : query.len;
        if (n > n_name && memcmp(query.ptr, name, n_name) == 0 && query.ptr[n_name] == '=')
            return str_sub(query, n_name + 1, n);
        query = str_sub(query, and ? n + 1 : n, query.len);
    }
    return STR("");
}

struct page {
    size_t n;
    bool ascending;
    struct str after;
};

static bool read_page(struct str query, struct page *page, struct api_error *e)
{
    struct str limit = query_value(query, "limit"), order = query_value(query, "order");
    uint64_t n = ITEMS_SHOWN;
    if (limit.len && (!str_to_u64(limit, &n) || n < 1 || n > ITEMS_SHOWN_MAX))
        return api_fail(e, 400, "limit", "limit must be from 1 to %d", ITEMS_SHOWN_MAX);
    if (order.len && !str_is(order, "asc") && !str_is(order, "desc"))
        return api_fail(e, 400, "order", "order must be asc or desc");
    *page = (struct page){(size_t)n, str_is(order, "asc"), query_value(query, "after")};
    return true;
}

static const json_t *id_of(const json_t *item)
{
    return json_object_get(item, "id");
}

/* Items i of n as the page has them: newest first, or oldest. */
static const json_t *item_at(const json_t *items, const struct page *page, size_t i)
{
    size_t n = json_array_size(items);
    return json_array_get(items, page->ascending ? i : n - 1 - i);
}

static void write_page(struct writer *w, const json_t *items, const struct page *page)
{
    size_t n = json_array_size(items), from = 0;
    for (size_t i = 0; page->after.len && i < n; i++)
        if (str_is(page->after, json_string_value(id_of(item_at(items, page, i)))))
            from = i + 1;
    size_t to = n - from < page->n ? n : from + page->n;
    write_open(w, '{');
    write_key_text(w, "object", STR("list"));
    write_key(w, "data");
    write_open(w, '[');
    for (size_t i = from; i < to; i++)
        write_value(w, item_at(items, page, i));
    write_close(w, ']');
    write_key(w, "first_id");
    if (from < to)
        write_value(w, id_of(item_at(items, page, from)));
    else
        write_word(w, "null");
    write_key(w, "last_id");
    if (from < to)
        write_value(w, id_of(item_at(items, page, to - 1)));
    else
        write_word(w, "null");
    write_key_word(w, "has_more", to < n ? "true" : "false");
    write_close(w, '}');
}

void get_input_items(struct front *f, struct http_exchange *x)
{
    struct api_error e;
    struct page page = {0};
    struct buf text, body;
    struct writer w;
    if (!read_page(http_query(x), &page, &e)) {
        front_fail(x, &e);
        return;
    }
    const struct stored *r = find(f, x);
    if (!r)
        return;
    buf_init(&text, BODY_BYTES_MAX);
    buf_init(&body, BODY_BYTES_MAX);
    buf_char(&text, '[');
    buf_add(&text, stored_input(r).ptr, stored_input(r).len);
    buf_char(&text, ']');
    json_t *items = text.failed ? NULL : json_loadb(text.bytes, text.n_bytes, JSON_ALLOW_NUL, NULL);
    write_begin(&w, &body);
    write_page(&w, items, &page);
    if (items && !body.failed) {
        reply_json(x, 200, &body);
    } else {
        api_fail(&e, 500, NULL, "out of memory for the items");
        front_fail(x, &e);
        buf_release(&body);
    }
    json_decref(items);
    buf_release(&text);
}
