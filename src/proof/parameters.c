/* parameters.c - a table of members, and how each is written and read.
 *
 * Fields of a request that are not here choose no token: the prompt and the seed, which have their
 * own places in a receipt; what is reported (n_logprobs, want_..., processed_logprobs); who asks
 * and when (priority, in_gaps, deadline_ms, tenant, cache_pool, no_cache, user); guesses
 * (expected); what makes no answer (rows, mirrors). A test compares this with include/isobit.h,
 * field by field. */
#include "proof/parameters.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

enum kind {
    F32,
    U32,
    BOOL,
    STOPS,
    FORCED,
    BIAS,
    BREAKERS,
    ORDER,
    TEXTS,
    CONSTRAINT,
    TEXT,
    CLOCK,
};

static const struct member {
    const char *key;
    enum kind kind;
    size_t at; /* of F32, U32, BOOL and TEXT in a struct parameters */
} members[] = {
#define AT(field) offsetof(struct parameters, field)
    {"bias", BIAS, 0},
    {"choice", U32, AT(request.sampling.choice)},
    {"clock", CLOCK, 0},
    {"constraint", CONSTRAINT, 0},
    {"context", U32, AT(n_ctx)},
    {"dry_allowed_length", U32, AT(request.sampling.dry_allowed_length)},
    {"dry_base", F32, AT(request.sampling.dry_base)},
    {"dry_breakers", BREAKERS, 0},
    {"dry_multiplier", F32, AT(request.sampling.dry_multiplier)},
    {"dry_window", U32, AT(request.sampling.n_dry_window)},
    {"forced", FORCED, 0},
    {"frequency_penalty", F32, AT(request.sampling.frequency_penalty)},
    {"ignore_stops", BOOL, AT(request.ignore_stops)},
    {"interface", TEXT, AT(interface)},
    {"max_tokens", U32, AT(request.n_answer_max)},
    {"min_p", F32, AT(request.sampling.min_p)},
    {"min_tokens", U32, AT(request.n_answer_min)},
    {"mirostat", U32, AT(request.sampling.mirostat)},
    {"mirostat_eta", F32, AT(request.sampling.mirostat_eta)},
    {"mirostat_tau", F32, AT(request.sampling.mirostat_tau)},
    {"order", ORDER, 0},
    {"penalise_answer", BOOL, AT(request.sampling.penalise_answer)},
    {"penalty_window", U32, AT(request.sampling.n_penalty_window)},
    {"presence_penalty", F32, AT(request.sampling.presence_penalty)},
    {"repeat_penalty", F32, AT(request.sampling.repeat_penalty)},
    {"stop_texts", TEXTS, 0},
    {"stops", STOPS, 0},
    {"temperature", F32, AT(request.sampling.temperature)},
    {"top_k", U32, AT(request.sampling.top_k)},
    {"top_p", F32, AT(request.sampling.top_p)},
    {"typical_p", F32, AT(request.sampling.typical_p)},
    {"xtc_probability", F32, AT(request.sampling.xtc_probability)},
    {"xtc_threshold", F32, AT(request.sampling.xtc_threshold)},
#undef AT
};

static const char *const stage_names[ISO_STAGE_COUNT] = {
    [ISO_STAGE_PENALTIES] = "penalties", [ISO_STAGE_DRY] = "dry",
    [ISO_STAGE_TOP_K] = "top_k",         [ISO_STAGE_TYPICAL] = "typical",
    [ISO_STAGE_TOP_P] = "top_p",         [ISO_STAGE_MIN_P] = "min_p",
    [ISO_STAGE_XTC] = "xtc",             [ISO_STAGE_TEMPERATURE] = "temperature",
};

/* ---- out ---------------------------------------------------------------------------------- */

/* The shortest decimal that is the number, with as few digits as "%g" needs. */
static void float_text(float x, char out[32])
{
    int digits = 1;
    do
        snprintf(out, 32, "%.*g", digits, (double)x);
    while (strtof(out, NULL) != x && ++digits <= 9);
}

static void write_float(struct canon_writer *w, float x, bool may_be_infinite)
{
    char text[32];
    if (!isfinite(x) && !(may_be_infinite && x < 0))
        w->out->failed = true;
    float_text(x + 0.0f, text); /* -0 is 0 */
    canon_text(w, str_from(text));
}

static void write_ids(struct canon_writer *w, const int32_t *ids, size_t n)
{
    canon_array(w);
    for (size_t i = 0; i < n; i++)
        canon_int(w, (uint64_t)ids[i]);
    canon_end(w);
}

static void write_bias(struct canon_writer *w, const struct iso_sampling *s)
{
    canon_array(w);
    for (size_t i = 0; i < s->n_bias; i++) {
        canon_array(w);
        canon_int(w, (uint64_t)s->bias[i].token);
        write_float(w, s->bias[i].bias, true);
        canon_end(w);
    }
    canon_end(w);
}

static void write_breakers(struct canon_writer *w, const struct iso_sampling *s)
{
    canon_array(w);
    for (size_t i = 0; i < s->n_dry_breakers; i++) {
        const struct iso_breaker *b = &s->dry_breakers[i];
        canon_array(w);
        canon_int(w, (uint64_t)b->head);
        for (uint32_t k = 0; k < b->n_tail; k++)
            canon_int(w, (uint64_t)b->tail[k]);
        canon_end(w);
    }
    canon_end(w);
}

static void write_order(struct canon_writer *w, const struct iso_sampling *s)
{
    canon_array(w);
    for (const uint8_t *stage = s->order; *stage != ISO_STAGE_END; stage++) {
        CHECK(*stage < ISO_STAGE_COUNT);
        canon_text(w, str_from(stage_names[*stage]));
    }
    canon_end(w);
}

static void write_constraint(struct canon_writer *w, const struct parameters *p)
{
    canon_object(w);
    canon_key(w, "hash");
    canon_hex(w, p->constraint.hash.bytes, SHA256_BYTES);
    canon_key(w, "kind");
    canon_text(w, p->constraint.kind);
    canon_end(w);
}

static bool is_left_out(const struct parameters *p, enum kind kind)
{
    return (kind == CLOCK && !p->has_clock) || (kind == CONSTRAINT && p->constraint.kind.len == 0);
}

static void write_member(struct canon_writer *w, const struct parameters *p, const struct member *m)
{
    const void *field = (const uint8_t *)p + m->at;
    canon_key(w, m->key);
    switch (m->kind) {
    case F32:
        write_float(w, *(const float *)field, false);
        break;
    case U32:
        canon_int(w, *(const uint32_t *)field);
        break;
    case BOOL:
        canon_bool(w, *(const bool *)field);
        break;
    case TEXT:
        canon_text(w, *(const struct str *)field);
        break;
    case STOPS:
        write_ids(w, p->request.stops, p->request.n_stops);
        break;
    case FORCED:
        write_ids(w, p->request.forced, p->request.n_forced);
        break;
    case BIAS:
        write_bias(w, &p->request.sampling);
        break;
    case BREAKERS:
        write_breakers(w, &p->request.sampling);
        break;
    case ORDER:
        write_order(w, &p->request.sampling);
        break;
    case TEXTS:
        canon_array(w);
        for (size_t i = 0; i < p->n_stop_texts; i++)
            canon_text(w, p->stop_texts[i]);
        canon_end(w);
        break;
    case CONSTRAINT:
        write_constraint(w, p);
        break;
    case CLOCK:
        canon_int(w, p->clock_s);
        break;
    }
}

void parameters_write(const struct parameters *p, struct buf *out)
{
    struct canon_writer w;
    canon_begin(&w, out);
    canon_object(&w);
    for (size_t i = 0; i < COUNT_OF(members); i++)
        if (!is_left_out(p, members[i].kind))
            write_member(&w, p, &members[i]);
    canon_end(&w);
}

/* ---- in ----------------------------------------------------------------------------------- */

static enum err refuse(const char *key, const char *what, struct err_note *note)
{
    return err_set(note, ERR_FORMAT, "receipt: parameters: \"%s\" must be %s", key, what);
}

static enum err read_float(const char *key, const struct canon_node *n, bool may_be_infinite,
                           float *out, struct err_note *note)
{
    char text[32], again[32];
    bool is_text = n->type == CANON_TEXT && n->text.len < sizeof text;
    struct str number = is_text ? n->text : STR("");
    snprintf(text, sizeof text, "%.*s", STR_ARG(number));
    *out = strtof(text, NULL);
    float_text(*out + 0.0f, again);
    bool is_fine = is_text && str_is(n->text, again) &&
                   (isfinite(*out) || (may_be_infinite && *out < 0));
    return is_fine ? ERR_OK : refuse(key, "a number's shortest decimal, as a text", note);
}

/* Memory for the items of an array, in *out; NULL where there are none. */
static enum err items_new(const struct canon_node *n, size_t n_bytes_each, const void *out,
                          struct err_note *note)
{
    void *items = n->n_items ? mem_array(n->n_items, n_bytes_each) : NULL;
    memcpy((void *)out, &items, sizeof items);
    return n->n_items && !items ? err_set(note, ERR_MEMORY, "out of memory for a receipt") : ERR_OK;
}

static bool is_id(const struct canon_node *n)
{
    return n && n->type == CANON_INT && n->number <= INT32_MAX;
}

static enum err read_ids(const struct canon_doc *doc, const char *key, const struct canon_node *in,
                         const int32_t **ids, uint32_t *n_ids, struct err_note *note)
{
    enum err rc = items_new(in, sizeof **ids, ids, note);
    for (const struct canon_node *n = canon_first(in); n && !rc; n = canon_next(doc, in, n)) {
        if (!is_id(n))
            return refuse(key, "an array of token ids", note);
        ((int32_t *)*ids)[(*n_ids)++] = (int32_t)n->number;
    }
    return rc;
}

static enum err read_bias(const struct canon_doc *doc, const struct canon_node *in,
                          struct iso_sampling *s, struct err_note *note)
{
    enum err rc = items_new(in, sizeof s->bias[0], &s->bias, note);
    for (const struct canon_node *n = canon_first(in); n && !rc; n = canon_next(doc, in, n)) {
        struct iso_bias *b = (struct iso_bias *)&s->bias[s->n_bias++];
        const struct canon_node *id = n->type == CANON_ARRAY && n->n_items == 2 ? canon_first(n)
                                                                                 : NULL;
        if (!is_id(id))
            return refuse("bias", "an array of [token id, bias]", note);
        b->token = (int32_t)id->number;
        rc = read_float("bias", canon_next(doc, n, id), true, &b->bias, note);
    }
    return rc;
}

static enum err read_breakers(const struct canon_doc *doc, const struct canon_node *in,
                              struct iso_sampling *s, struct err_note *note)
{
    enum err rc = items_new(in, sizeof s->dry_breakers[0], &s->dry_breakers, note);
    for (const struct canon_node *n = canon_first(in); n && !rc; n = canon_next(doc, in, n)) {
        struct iso_breaker *b = (struct iso_breaker *)&s->dry_breakers[s->n_dry_breakers++];
        uint32_t n_ids = 0;
        *b = (struct iso_breaker){0};
        if (n->type != CANON_ARRAY || n->n_items == 0)
            return refuse("dry_breakers", "an array of arrays of token ids", note);
        rc = read_ids(doc, "dry_breakers", n, &b->tail, &n_ids, note);
        if (rc)
            return rc;
        b->head = b->tail[0]; /* the others move up */
        b->n_tail = n_ids - 1;
        memmove((int32_t *)b->tail, b->tail + 1, b->n_tail * sizeof b->tail[0]);
    }
    return rc;
}

static enum err read_order(const struct canon_doc *doc, const struct canon_node *in,
                           struct iso_sampling *s, struct err_note *note)
{
    int n_stages = 0;
    memset(s->order, ISO_STAGE_END, sizeof s->order);
    for (const struct canon_node *n = canon_first(in); n; n = canon_next(doc, in, n)) {
        uint8_t stage = ISO_STAGE_END + 1;
        while (stage < ISO_STAGE_COUNT &&
               (n->type != CANON_TEXT || !str_is(n->text, stage_names[stage])))
            stage++;
        if (stage == ISO_STAGE_COUNT || n_stages == ISO_ORDER_MAX - 1)
            return refuse("order", "an array of stages, each once", note);
        s->order[n_stages++] = stage;
    }
    return ERR_OK;
}

static enum err read_texts(const struct canon_doc *doc, const struct canon_node *in,
                           struct parameters *p, struct err_note *note)
{
    enum err rc = items_new(in, sizeof p->stop_texts[0], &p->stop_texts, note);
    for (const struct canon_node *n = canon_first(in); n && !rc; n = canon_next(doc, in, n)) {
        if (n->type != CANON_TEXT)
            return refuse("stop_texts", "an array of texts", note);
        ((struct str *)p->stop_texts)[p->n_stop_texts++] = n->text;
    }
    return rc;
}

static enum err read_constraint(const struct canon_doc *doc, const struct canon_node *in,
                                struct parameters *p, struct err_note *note)
{
    static const struct canon_field fields[] = {{"hash", CANON_TEXT, false},
                                                {"kind", CANON_TEXT, false}};
    const struct canon_node *found[COUNT_OF(fields)];
    enum err rc = canon_fields(doc, in, fields, COUNT_OF(fields), found,
                               "receipt: parameters: constraint", note);
    if (rc)
        return rc;
    p->constraint.kind = found[1]->text;
    if (p->constraint.kind.len == 0 ||
        !canon_bytes(found[0], p->constraint.hash.bytes, SHA256_BYTES))
        return refuse("constraint", "a kind, and a hash of 64 hex digits", note);
    return ERR_OK;
}

static enum err read_member(const struct canon_doc *doc, const struct member *m,
                            const struct canon_node *n, struct parameters *p,
                            struct err_note *note)
{
    void *field = (uint8_t *)p + m->at;
    struct iso_request *r = &p->request;
    switch (m->kind) {
    case F32:
        return read_float(m->key, n, false, field, note);
    case U32:
        *(uint32_t *)field = (uint32_t)n->number;
        return n->number <= UINT32_MAX ? ERR_OK : refuse(m->key, "a number of 32 bits", note);
    case BOOL:
        *(bool *)field = n->number != 0;
        return ERR_OK;
    case TEXT:
        *(struct str *)field = n->text;
        return ERR_OK;
    case STOPS:
        return read_ids(doc, m->key, n, &r->stops, &r->n_stops, note);
    case FORCED:
        return read_ids(doc, m->key, n, &r->forced, &r->n_forced, note);
    case BIAS:
        return read_bias(doc, n, &r->sampling, note);
    case BREAKERS:
        return read_breakers(doc, n, &r->sampling, note);
    case ORDER:
        return read_order(doc, n, &r->sampling, note);
    case TEXTS:
        return read_texts(doc, n, p, note);
    case CONSTRAINT:
        return read_constraint(doc, n, p, note);
    case CLOCK:
        p->has_clock = true;
        p->clock_s = n->number;
        return ERR_OK;
    }
    return ERR_OK;
}

static enum canon_type type_of(enum kind kind)
{
    switch (kind) {
    case F32:
    case TEXT:
        return CANON_TEXT;
    case U32:
    case CLOCK:
        return CANON_INT;
    case BOOL:
        return CANON_BOOL;
    case CONSTRAINT:
        return CANON_OBJECT;
    default:
        return CANON_ARRAY;
    }
}

enum err parameters_read(const struct canon_doc *doc, const struct canon_node *object,
                         struct parameters *out, struct err_note *note)
{
    struct canon_field fields[COUNT_OF(members)];
    const struct canon_node *found[COUNT_OF(members)];
    for (size_t i = 0; i < COUNT_OF(members); i++)
        fields[i] = (struct canon_field){members[i].key, type_of(members[i].kind),
                                         members[i].kind == CLOCK || members[i].kind == CONSTRAINT};
    *out = (struct parameters){.request = iso_request_default()};
    enum err rc = canon_fields(doc, object, fields, COUNT_OF(members), found,
                               "receipt: parameters", note);
    for (size_t i = 0; i < COUNT_OF(members) && !rc; i++)
        if (found[i])
            rc = read_member(doc, &members[i], found[i], out, note);
    if (rc)
        parameters_release(out);
    return rc;
}

void parameters_release(struct parameters *p)
{
    struct iso_sampling *s = &p->request.sampling;
    for (size_t i = 0; i < s->n_dry_breakers; i++)
        mem_free((void *)s->dry_breakers[i].tail);
    mem_free((void *)s->dry_breakers);
    mem_free((void *)s->bias);
    mem_free((void *)p->request.stops);
    mem_free((void *)p->request.forced);
    mem_free((void *)p->stop_texts);
    *p = (struct parameters){0};
}

bool parameters_chat(const struct parameters *p)
{
    return p->has_clock && !str_is(p->interface, "run");
}
