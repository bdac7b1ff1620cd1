/* receipt.c - the fields of a receipt, out and in. */
#include "proof/receipt_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"

/* ---- out ---------------------------------------------------------------------------------- */

void receipt_write_hash(struct canon_writer *w, const char *key, const struct merkle_hash *h)
{
    canon_key(w, key);
    canon_hex(w, h->bytes, SHA256_BYTES);
}

void receipt_write_text(struct canon_writer *w, const char *key, struct str text)
{
    canon_key(w, key);
    canon_text(w, text);
}

void receipt_write_int(struct canon_writer *w, const char *key, uint64_t value)
{
    canon_key(w, key);
    canon_int(w, value);
}

void receipt_write_object(struct canon_writer *w, const char *key)
{
    canon_key(w, key);
    canon_object(w);
}

void receipt_write_model(struct canon_writer *w, const struct receipt *r)
{
    receipt_write_object(w, "model");
    canon_key(w, "adapters"); /* none are applied yet */
    canon_array(w);
    canon_end(w);
    receipt_write_hash(w, "metadata", &r->model.metadata);
    receipt_write_hash(w, "template", &r->model.template);
    receipt_write_hash(w, "tokenizer", &r->model.tokenizer);
    receipt_write_hash(w, "weights", &r->model.weights);
    canon_end(w);
}

void receipt_write_load(struct canon_writer *w, const struct receipt *r)
{
    receipt_write_object(w, "load");
    receipt_write_int(w, "memory_bytes", r->memory_bytes);
    receipt_write_int(w, "utilisation_permille", r->utilisation_permille);
    canon_end(w);
}

void receipt_write_price(struct canon_writer *w, const struct receipt *r)
{
    if (r->price.amount.len == 0)
        return;
    receipt_write_object(w, "price");
    receipt_write_text(w, "amount", r->price.amount);
    receipt_write_text(w, "currency", r->price.currency);
    canon_end(w);
}

void receipt_write_time(struct canon_writer *w, const struct receipt *r)
{
    receipt_write_object(w, "time");
    receipt_write_int(w, "ended_ms", r->ended_ms);
    receipt_write_int(w, "started_ms", r->started_ms);
    canon_end(w);
}

static void write_output(struct canon_writer *w, const struct receipt *r)
{
    receipt_write_object(w, "output");
    receipt_write_int(w, "count", r->n_output);
    receipt_write_hash(w, "ids", &r->output_ids);
    if (r->has_logits)
        receipt_write_hash(w, "logits", &r->logits);
    canon_key(w, "pages");
    canon_array(w);
    for (size_t i = 0; i < r->n_pages; i++)
        canon_hex(w, r->pages[i].bytes, SHA256_BYTES);
    canon_end(w);
    receipt_write_hash(w, "root", &r->root);
    canon_end(w);
}

void receipt_write(const struct receipt *r, struct buf *out)
{
    char seed[24];
    struct canon_writer w;
    snprintf(seed, sizeof seed, "%" PRIu64, r->seed);
    canon_begin(&w, out);
    canon_object(&w);
    receipt_write_text(&w, "arithmetic", r->arithmetic);
    receipt_write_text(&w, "device", r->device);
    receipt_write_text(&w, "finish_reason", r->finish_reason);
    receipt_write_load(&w, r);
    receipt_write_model(&w, r);
    write_output(&w, r);
    canon_key(&w, "parameters");
    canon_raw(&w, r->parameters);
    receipt_write_price(&w, r);
    receipt_write_object(&w, "prompt");
    receipt_write_int(&w, "count", r->n_prompt);
    receipt_write_hash(&w, "ids", &r->prompt_ids);
    if (r->has_prompt_pages)
        receipt_write_hash(&w, "pages", &r->prompt_pages);
    receipt_write_hash(&w, "text", &r->prompt);
    canon_end(&w);
    receipt_write_hash(&w, "request", &r->request);
    receipt_write_object(&w, "seed");
    receipt_write_text(&w, "by", r->seed_by_node ? STR("node") : STR("requester"));
    receipt_write_text(&w, "value", str_from(seed));
    canon_end(&w);
    receipt_write_time(&w, r);
    canon_end(&w);
}

/* ---- in ----------------------------------------------------------------------------------- */

enum err receipt_read_hash(const struct canon_node *node, struct merkle_hash *out,
                          struct err_note *note)
{
    if (canon_bytes(node, out->bytes, SHA256_BYTES))
        return ERR_OK;
    return err_set(note, ERR_FORMAT, "receipt: \"%.*s\" must be 64 hex digits", STR_ARG(node->key));
}

enum err receipt_read_model(const struct canon_doc *doc, const struct canon_node *in,
                           struct receipt *r, struct err_note *note)
{
    static const struct canon_field fields[] = {{"adapters", CANON_ARRAY, false},
                                                {"metadata", CANON_TEXT, false},
                                                {"template", CANON_TEXT, false},
                                                {"tokenizer", CANON_TEXT, false},
                                                {"weights", CANON_TEXT, false}};
    const struct canon_node *found[COUNT_OF(fields)];
    enum err rc = canon_fields(doc, in, fields, COUNT_OF(fields), found, "receipt: model", note);
    if (!rc && found[0]->n_items > 0)
        rc = err_set(note, ERR_FORMAT, "receipt: there are adapters, which this version has not");
    rc = rc ? rc : receipt_read_hash(found[1], &r->model.metadata, note);
    rc = rc ? rc : receipt_read_hash(found[2], &r->model.template, note);
    rc = rc ? rc : receipt_read_hash(found[3], &r->model.tokenizer, note);
    return rc ? rc : receipt_read_hash(found[4], &r->model.weights, note);
}

static enum err read_pages(const struct canon_doc *doc, const struct canon_node *in,
                           struct receipt *r, struct err_note *note)
{
    struct merkle_hash *pages = mem_array(in->n_items ? in->n_items : 1, sizeof *pages);
    size_t i = 0;
    if (!pages)
        return err_set(note, ERR_MEMORY, "no memory for a receipt of %u pages", in->n_items);
    r->pages = pages;
    r->n_pages = in->n_items;
    for (const struct canon_node *n = canon_first(in); n; n = canon_next(doc, in, n))
        if (!canon_bytes(n, pages[i++].bytes, SHA256_BYTES))
            return err_set(note, ERR_FORMAT, "receipt: pages must be of 64 hex digits each");
    return ERR_OK;
}

static enum err read_output(const struct canon_doc *doc, const struct canon_node *in,
                            struct receipt *r, struct err_note *note)
{
    static const struct canon_field fields[] = {{"count", CANON_INT, false},
                                                {"ids", CANON_TEXT, false},
                                                {"logits", CANON_TEXT, true},
                                                {"pages", CANON_ARRAY, false},
                                                {"root", CANON_TEXT, false}};
    const struct canon_node *found[COUNT_OF(fields)];
    enum err rc = canon_fields(doc, in, fields, COUNT_OF(fields), found, "receipt: output", note);
    rc = rc ? rc : receipt_read_hash(found[1], &r->output_ids, note);
    if (!rc && found[2])
        rc = receipt_read_hash(found[2], &r->logits, note);
    rc = rc ? rc : receipt_read_hash(found[4], &r->root, note);
    if (rc)
        return rc;
    r->has_logits = found[2] != NULL;
    r->n_output = found[0]->number;
    return read_pages(doc, found[3], r, note);
}

static enum err read_prompt(const struct canon_doc *doc, const struct canon_node *in,
                            struct receipt *r, struct err_note *note)
{
    static const struct canon_field fields[] = {{"count", CANON_INT, false},
                                                {"ids", CANON_TEXT, false},
                                                {"pages", CANON_TEXT, true},
                                                {"text", CANON_TEXT, false}};
    const struct canon_node *found[COUNT_OF(fields)];
    enum err rc = canon_fields(doc, in, fields, COUNT_OF(fields), found, "receipt: prompt", note);
    if (rc)
        return rc;
    r->n_prompt = found[0]->number;
    r->has_prompt_pages = found[2] != NULL;
    rc = receipt_read_hash(found[1], &r->prompt_ids, note);
    if (!rc && found[2])
        rc = receipt_read_hash(found[2], &r->prompt_pages, note);
    return rc ? rc : receipt_read_hash(found[3], &r->prompt, note);
}

static enum err read_seed(const struct canon_doc *doc, const struct canon_node *in,
                          struct receipt *r, struct err_note *note)
{
    static const struct canon_field fields[] = {{"by", CANON_TEXT, false},
                                                {"value", CANON_TEXT, false}};
    const struct canon_node *found[COUNT_OF(fields)];
    enum err rc = canon_fields(doc, in, fields, COUNT_OF(fields), found, "receipt: seed", note);
    if (rc)
        return rc;
    struct str value = found[1]->text;
    r->seed_by_node = str_is(found[0]->text, "node");
    if (!r->seed_by_node && !str_is(found[0]->text, "requester"))
        return err_set(note, ERR_FORMAT, "receipt: the seed is by \"node\" or by \"requester\"");
    if (!str_to_u64(value, &r->seed) || (value.len > 1 && value.ptr[0] == '0'))
        return err_set(note, ERR_FORMAT, "receipt: the seed must be a whole number of 64 bits");
    return ERR_OK;
}

enum err receipt_read_time(const struct canon_doc *doc, const struct canon_node *in,
                          struct receipt *r, struct err_note *note)
{
    static const struct canon_field fields[] = {{"ended_ms", CANON_INT, false},
                                                {"started_ms", CANON_INT, false}};
    const struct canon_node *found[COUNT_OF(fields)];
    enum err rc = canon_fields(doc, in, fields, COUNT_OF(fields), found, "receipt: time", note);
    if (rc)
        return rc;
    r->ended_ms = found[0]->number;
    r->started_ms = found[1]->number;
    return ERR_OK;
}

enum err receipt_read_load(const struct canon_doc *doc, const struct canon_node *in,
                          struct receipt *r, struct err_note *note)
{
    static const struct canon_field fields[] = {{"memory_bytes", CANON_INT, false},
                                                {"utilisation_permille", CANON_INT, false}};
    const struct canon_node *found[COUNT_OF(fields)];
    enum err rc = canon_fields(doc, in, fields, COUNT_OF(fields), found, "receipt: load", note);
    if (rc)
        return rc;
    r->memory_bytes = found[0]->number;
    r->utilisation_permille = found[1]->number;
    return ERR_OK;
}

/* Digits, which may have one point between them. */
static bool is_amount(struct str text)
{
    size_t n_points = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool is_point = text.ptr[i] == '.';
        if ((!is_point && (text.ptr[i] < '0' || text.ptr[i] > '9')) ||
            (is_point && (i == 0 || i + 1 == text.len)))
            return false;
        n_points += is_point;
    }
    return text.len > 0 && n_points <= 1;
}

enum err receipt_read_price(const struct canon_doc *doc, const struct canon_node *in,
                           struct receipt *r, struct err_note *note)
{
    static const struct canon_field fields[] = {{"amount", CANON_TEXT, false},
                                                {"currency", CANON_TEXT, false}};
    const struct canon_node *found[COUNT_OF(fields)];
    enum err rc = canon_fields(doc, in, fields, COUNT_OF(fields), found, "receipt: price", note);
    if (rc)
        return rc;
    r->price.amount = found[0]->text;
    r->price.currency = found[1]->text;
    return is_amount(r->price.amount)
               ? ERR_OK
               : err_set(note, ERR_FORMAT, "receipt: the price must be a decimal number");
}

static enum err read_body(const struct canon_doc *doc, const struct canon_node *body,
                          struct receipt *r, struct err_note *note)
{
    enum {
        ARITHMETIC,
        DEVICE,
        FINISH,
        LOAD,
        MODEL,
        OUTPUT,
        PARAMETERS,
        PRICE,
        PROMPT,
        REQUEST,
        SEED,
        TIME,
        N
    };
    static const struct canon_field fields[N] = {
        [ARITHMETIC] = {"arithmetic", CANON_TEXT, false},
        [DEVICE] = {"device", CANON_TEXT, false},
        [FINISH] = {"finish_reason", CANON_TEXT, false},
        [LOAD] = {"load", CANON_OBJECT, false},
        [MODEL] = {"model", CANON_OBJECT, false},
        [OUTPUT] = {"output", CANON_OBJECT, false},
        [PARAMETERS] = {"parameters", CANON_OBJECT, false},
        [PRICE] = {"price", CANON_OBJECT, true},
        [PROMPT] = {"prompt", CANON_OBJECT, false},
        [REQUEST] = {"request", CANON_TEXT, false},
        [SEED] = {"seed", CANON_OBJECT, false},
        [TIME] = {"time", CANON_OBJECT, false},
    };
    const struct canon_node *found[N];
    enum err rc = canon_fields(doc, body, fields, N, found, "receipt", note);
    if (rc)
        return rc;
    r->arithmetic = found[ARITHMETIC]->text;
    r->device = found[DEVICE]->text;
    r->finish_reason = found[FINISH]->text;
    r->parameters = found[PARAMETERS]->raw;
    rc = receipt_read_load(doc, found[LOAD], r, note);
    if (!rc && found[PRICE])
        rc = receipt_read_price(doc, found[PRICE], r, note);
    rc = rc ? rc : receipt_read_model(doc, found[MODEL], r, note);
    rc = rc ? rc : read_output(doc, found[OUTPUT], r, note);
    rc = rc ? rc : read_prompt(doc, found[PROMPT], r, note);
    rc = rc ? rc : receipt_read_hash(found[REQUEST], &r->request, note);
    rc = rc ? rc : read_seed(doc, found[SEED], r, note);
    return rc ? rc : receipt_read_time(doc, found[TIME], r, note);
}

enum err receipt_read(const struct canon_doc *doc, const struct canon_node *body,
                      struct receipt *out, struct err_note *note)
{
    *out = (struct receipt){0};
    enum err rc = read_body(doc, body, out, note);
    if (rc)
        receipt_release(out);
    return rc;
}

void receipt_release(struct receipt *r)
{
    mem_free((void *)r->pages);
    *r = (struct receipt){0};
}
