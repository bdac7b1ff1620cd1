/* receipt_calls.c - GET /v1/receipts: receipts for who asked for them, their log for everybody; and
 * to which worker POST /v1/verify goes. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "server/front_int.h"
#include "server/query.h"
#include "server/receipts.h"

enum {
    BODY_BYTES_MAX = 64 << 20,
    FILE_BYTES_MAX = 64 << 10,
    ASKS_MAX = 256, /* errands that wait, from which on nobody else may ask */
    HEADS_SHOWN = 100,
    NAMES_SHOWN_MAX = 10000,
    SERIALS_MAX = 100000,
    VERIFY_BYTES_MAX = CANON_BYTES_MAX,
    VERIFY_MAX = 16, /* at once */
};

/* A question on its way to the ledger and back. */
struct ask {
    struct errand errand;
    struct front *front;
    struct http_exchange *x; /* NULL: its client has left */
    char id[64], owner[KEY_ID_BYTES];
    bool is_anybodys; /* the asker may see everybody's */
    uint64_t epoch, from, to;
    bool has_to;
    struct merkle_hash name;
    struct buf body;
};

static void on_gone(void *context, struct http_exchange *x)
{
    struct ask *a = context;
    a->x = NULL;
    http_stream_end(x);
}

static void answer(struct errand *e, bool closing)
{
    struct ask *a = (struct ask *)e;
    if (!closing && a->x && e->rc) {
        struct api_error error;
        int status = e->rc == ERR_NOT_FOUND ? 404 : e->rc == ERR_USAGE ? 400 : 500;
        api_fail(&error, status, NULL, "%s", e->note.text);
        if (status == 404)
            error.code = "receipt_not_found";
        front_fail(a->x, &error);
    } else if (!closing && a->x) {
        http_reply(a->x, 200, "application/json", (struct str){a->body.bytes, a->body.n_bytes});
    }
    buf_release(&a->body);
    mem_free(a);
}

/* NULL: it was answered, with why not. */
static struct ask *ask_new(struct front *f, struct http_exchange *x,
                           void (*work)(struct errand *e, struct ledger *l))
{
    struct api_error e = {0};
    struct ask *a = NULL;
    if (!f->receipts)
        api_fail(&e, 404, NULL, "this server gives no receipts; isobit serve --receipts makes it");
    else if (receipts_waiting(f->receipts) >= ASKS_MAX)
        api_fail(&e, 503, NULL, "%d questions about receipts wait already; try again", ASKS_MAX);
    else if (!(a = mem_zalloc(sizeof *a)))
        api_fail(&e, 503, NULL, "out of memory for a question; try again");
    if (!a) {
        front_fail(x, &e);
        return NULL;
    }
    a->front = f;
    a->x = x;
    a->errand.work = work;
    a->errand.done = answer;
    buf_init(&a->body, BODY_BYTES_MAX);
    return a;
}

static void ask_go(struct ask *a)
{
    http_on_gone(a->x, on_gone, a);
    receipts_run(a->front->receipts, &a->errand);
}

static void ask_fail(struct ask *a, const struct api_error *e)
{
    front_fail(a->x, e);
    buf_release(&a->body);
    mem_free(a);
}

static enum err body_done(const struct ask *a, struct err_note *note)
{
    return a->body.failed ? err_set(note, ERR_MEMORY, "out of memory for the answer") : ERR_OK;
}

/* ---- one receipt -------------------------------------------------------------------------- */

static void find_receipt(struct errand *e, struct ledger *l)
{
    struct ask *a = (struct ask *)e;
    struct buf receipt, bundle;
    buf_init(&receipt, BODY_BYTES_MAX);
    buf_init(&bundle, BODY_BYTES_MAX);
    e->rc = ledger_receipt(l, a->id, a->is_anybodys ? NULL : a->owner, &receipt, &bundle, &e->note);
    if (!e->rc) {
        buf_str(&a->body, "{\"bundle\":");
        buf_add(&a->body, bundle.bytes, bundle.n_bytes);
        buf_str(&a->body, ",\"receipt\":");
        buf_add(&a->body, receipt.bytes, receipt.n_bytes);
        buf_str(&a->body, "}");
        e->rc = body_done(a, &e->note);
    }
    buf_release(&receipt);
    buf_release(&bundle);
}

void get_receipt(struct front *f, struct http_exchange *x)
{
    const struct visit *v = visit_of(x);
    struct ask *a = ask_new(f, x, find_receipt);
    if (!a)
        return;
    snprintf(a->id, sizeof a->id, "%.63s", v->id);
    snprintf(a->owner, sizeof a->owner, "%s", v->key ? v->key->id : "");
    a->is_anybodys = key_has(v->key, KEY_ADMIN);
    ask_go(a);
}

/* ---- the log ------------------------------------------------------------------------------ */

static void put_int(struct canon_writer *w, const char *key, uint64_t value)
{
    canon_key(w, key);
    canon_int(w, value);
}

static void put_proof(struct canon_writer *w, const struct merkle_proof *p)
{
    canon_key(w, "proof");
    canon_array(w);
    for (uint32_t i = 0; i < p->n_hashes; i++)
        canon_hex(w, p->hashes[i].bytes, SHA256_BYTES);
    canon_end(w);
}

static void put_head(void *writer, struct str head)
{
    canon_raw(writer, head);
}

/* FOLDER/WHAT-1.json and on: what the identity has published. */
static void put_published(struct canon_writer *w, const char *folder, const char *what,
                          uint64_t n_serials)
{
    for (uint64_t serial = 1; serial <= n_serials; serial++) {
        char path[PATH_MAX], *text;
        size_t n_bytes;
        snprintf(path, sizeof path, "%s/%s-%" PRIu64 ".json", folder, what, serial);
        if (!file_exists(path) || file_read(path, FILE_BYTES_MAX, &text, &n_bytes, NULL))
            continue;
        struct certificate c;
        struct revocation r;
        if (!certificate_read((struct str){text, n_bytes}, &c, NULL) ||
            !revocation_read((struct str){text, n_bytes}, &r, NULL))
            canon_raw(w, (struct str){text, n_bytes});
        mem_free(text);
    }
}

static uint64_t count_serials(const char *folder)
{
    char path[PATH_MAX];
    uint64_t serial = 0;
    do
        snprintf(path, sizeof path, "%s/certificate-%" PRIu64 ".json", folder, ++serial);
    while (serial < SERIALS_MAX && file_exists(path));
    return serial - 1;
}

static void read_log(struct errand *e, struct ledger *l)
{
    struct ask *a = (struct ask *)e;
    const struct receipts_options *o = &a->front->options.receipts;
    uint64_t n_serials = count_serials(o->folder);
    struct canon_writer w;
    bool more = false;
    canon_begin(&w, &a->body);
    canon_object(&w);
    canon_key(&w, "certificates");
    canon_array(&w);
    put_published(&w, o->folder, "certificate", n_serials);
    canon_end(&w);
    canon_key(&w, "has_more");
    struct buf heads;
    struct canon_writer list;
    buf_init(&heads, BODY_BYTES_MAX);
    canon_begin(&list, &heads);
    canon_array(&list);
    e->rc = ledger_heads(l, a->from, HEADS_SHOWN, &more, put_head, &list, &e->note);
    canon_end(&list);
    canon_bool(&w, more);
    canon_key(&w, "heads");
    canon_raw(&w, (struct str){heads.bytes, heads.n_bytes});
    canon_key(&w, "kept");
    canon_object(&w);
    put_int(&w, "bytes", o->limits.n_bytes_max);
    put_int(&w, "seconds", o->limits.age_s_max);
    canon_end(&w);
    canon_key(&w, "revocations");
    canon_array(&w);
    put_published(&w, o->folder, "revocation", n_serials);
    canon_end(&w);
    canon_end(&w);
    a->body.failed |= heads.failed;
    buf_release(&heads);
    e->rc = e->rc ? e->rc : body_done(a, &e->note);
}

static void put_name(void *writer, const struct merkle_hash *name)
{
    canon_hex(writer, name->bytes, SHA256_BYTES);
}

static void read_names(struct errand *e, struct ledger *l)
{
    struct ask *a = (struct ask *)e;
    struct canon_writer w;
    struct buf head;
    uint64_t count;
    buf_init(&head, BODY_BYTES_MAX);
    e->rc = ledger_head(l, a->epoch, &head, &count, &e->note);
    buf_release(&head);
    if (e->rc)
        return;
    canon_begin(&w, &a->body);
    canon_object(&w);
    put_int(&w, "count", count);
    put_int(&w, "epoch", a->epoch);
    put_int(&w, "from", a->from);
    canon_key(&w, "names");
    canon_array(&w);
    e->rc = ledger_names(l, a->epoch, a->from, (uint32_t)(a->to - a->from), put_name, &w, &e->note);
    canon_end(&w);
    canon_end(&w);
    e->rc = e->rc ? e->rc : body_done(a, &e->note);
}

/* What is said beside a proof: the epoch's last head, or none where another size was asked for. */
static void put_proved(struct ask *a, const struct buf *head, const char *key, uint64_t value,
                       uint64_t count, const struct merkle_proof *p)
{
    struct canon_writer w;
    canon_begin(&w, &a->body);
    canon_object(&w);
    put_int(&w, "count", count);
    put_int(&w, "epoch", a->epoch);
    if (strcmp(key, "from") == 0)
        put_int(&w, key, value);
    if (!a->has_to) {
        canon_key(&w, "head");
        canon_raw(&w, (struct str){head->bytes, head->n_bytes});
    }
    if (strcmp(key, "index") == 0)
        put_int(&w, key, value);
    put_proof(&w, p);
    canon_end(&w);
    a->errand.rc = body_done(a, &a->errand.note);
}

static void prove_leaf(struct errand *e, struct ledger *l)
{
    struct ask *a = (struct ask *)e;
    struct merkle_proof p;
    struct buf head;
    uint64_t index, count = a->to;
    buf_init(&head, BODY_BYTES_MAX);
    e->rc = ledger_find(l, &a->name, &a->epoch, &index, &e->note);
    if (!e->rc && !a->has_to)
        e->rc = ledger_head(l, a->epoch, &head, &count, &e->note);
    if (!e->rc)
        e->rc = ledger_prove_leaf(l, a->epoch, index, count, &p, &e->note);
    if (!e->rc)
        put_proved(a, &head, "index", index, count, &p);
    buf_release(&head);
}

static void prove_prefix(struct errand *e, struct ledger *l)
{
    struct ask *a = (struct ask *)e;
    struct merkle_proof p;
    struct buf head;
    uint64_t count = a->to;
    buf_init(&head, BODY_BYTES_MAX);
    if (!a->has_to)
        e->rc = ledger_head(l, a->epoch, &head, &count, &e->note);
    if (!e->rc)
        e->rc = ledger_prove_prefix(l, a->epoch, a->from, count, &p, &e->note);
    if (!e->rc)
        put_proved(a, &head, "from", a->from, count, &p);
    buf_release(&head);
}

/* A whole number of the query; absent: *out stays. given may be NULL. */
static bool read_number(struct http_exchange *x, const char *name, uint64_t *out, bool *given,
                        struct api_error *e)
{
    char text[32];
    uint64_t n;
    if (!query_text(http_query(x), name, text, sizeof text, e))
        return false;
    if (given)
        *given = text[0] != 0;
    if (!text[0])
        return true;
    if (!str_to_u64(str_from(text), &n) || n > INT64_MAX)
        return api_fail(e, 400, name, "%s is %s; it must be a whole number", name, text);
    *out = n;
    return true;
}

void get_receipt_log(struct front *f, struct http_exchange *x)
{
    struct api_error e;
    struct ask *a = ask_new(f, x, read_log);
    if (!a)
        return;
    if (read_number(x, "before", &a->from, NULL, &e))
        ask_go(a);
    else
        ask_fail(a, &e);
}

void get_receipt_names(struct front *f, struct http_exchange *x)
{
    struct api_error e;
    struct ask *a = ask_new(f, x, read_names);
    if (!a)
        return;
    bool ok = read_number(x, "epoch", &a->epoch, NULL, &e) &&
              read_number(x, "from", &a->from, NULL, &e) &&
              read_number(x, "to", &a->to, &a->has_to, &e);
    if (ok && !a->has_to)
        a->to = a->from + NAMES_SHOWN_MAX;
    if (ok && (a->to < a->from || a->to - a->from > NAMES_SHOWN_MAX))
        ok = api_fail(&e, 400, "to", "to must be from \"from\" to %d above it", NAMES_SHOWN_MAX);
    if (ok)
        ask_go(a);
    else
        ask_fail(a, &e);
}

static bool read_name(struct http_exchange *x, struct merkle_hash *name, struct api_error *e)
{
    char text[SHA256_HEX];
    if (!query_text(http_query(x), "name", text, sizeof text, e))
        return false;
    const struct canon_node node = {.type = CANON_TEXT, .text = str_from(text)};
    return canon_bytes(&node, name->bytes, SHA256_BYTES) ||
           api_fail(e, 400, "name", "name must be a receipt's: 64 hex digits");
}

void get_receipt_inclusion(struct front *f, struct http_exchange *x)
{
    struct api_error e;
    struct ask *a = ask_new(f, x, prove_leaf);
    if (!a)
        return;
    if (read_name(x, &a->name, &e) && read_number(x, "count", &a->to, &a->has_to, &e))
        ask_go(a);
    else
        ask_fail(a, &e);
}

void get_receipt_consistency(struct front *f, struct http_exchange *x)
{
    struct api_error e;
    struct ask *a = ask_new(f, x, prove_prefix);
    if (!a)
        return;
    if (read_number(x, "epoch", &a->epoch, NULL, &e) &&
        read_number(x, "from", &a->from, NULL, &e) && read_number(x, "to", &a->to, &a->has_to, &e))
        ask_go(a);
    else
        ask_fail(a, &e);
}

/* ---- computing anew ----------------------------------------------------------------------- */

/* The model whose weights the receipt names, among those that are there and the key may use. */
static struct process *model_with(struct front *f, const struct key *key, const json_t *root,
                                  struct api_error *e)
{
    const char *keys[] = {"receipt", "body", "model", "weights"};
    const json_t *at = root;
    char fact[128];
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        at = json_object_get(at, keys[i]);
    if (json_string_length(at) != 2 * SHA256_BYTES) {
        api_fail(e, 400, "receipt", "receipt names no weights");
        return NULL;
    }
    snprintf(fact, sizeof fact, "\"weights_sha256\":\"%s\"", json_string_value(at));
    for (size_t i = 0; i < f->options.n_models; i++) {
        struct process *p = &f->processes[i];
        if (p->facts && strstr(p->facts, fact) && model_is_shown(p, key))
            return route_model(f, key, str_from(p->model->name), e);
    }
    api_fail(e, 404, "receipt", "no model that is loaded here has the weights %.12s...",
             json_string_value(at));
    return NULL;
}

static size_t count_verifications(const struct front *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_tickets; i++)
        n += f->tickets[i]->used && strcmp(f->tickets[i]->path, VERIFY_PATH) == 0;
    return n;
}

static struct process *verifier(struct front *f, struct http_exchange *x, struct api_error *e)
{
    const struct key *key = visit_of(x)->key;
    struct process *p = NULL;
    if (!key_has(key, KEY_VERIFY))
        api_fail(e, 403, NULL, "computing receipts anew wants a key with the scope verify");
    else if (http_body(x).len > VERIFY_BYTES_MAX)
        api_fail(e, 413, NULL, "a receipt with its bundle has at most %d MiB",
                 VERIFY_BYTES_MAX >> 20);
    else if (count_verifications(f) >= VERIFY_MAX)
        api_fail(e, 429, NULL, "%d receipts are being computed anew, the most at once", VERIFY_MAX);
    else {
        json_t *root = api_parse(http_body(x), e);
        const json_t *model = json_object_get(root, "model");
        const struct str name = {json_string_value(model), json_string_length(model)};
        if (root)
            p = name.len ? route_model(f, key, name, e) : model_with(f, key, root, e);
        json_decref(root);
    }
    return p;
}

void post_verify(struct front *f, struct http_exchange *x)
{
    struct api_error e = {0};
    struct process *p = verifier(f, x, &e);
    if (p)
        relay_open(f, p, x, http_body(x));
    else
        front_fail(x, &e);
}
