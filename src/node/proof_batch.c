/* proof_batch.c - the fields of batches, from JSON and to it. */
#include "node/proof_batch.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* ---- fields ------------------------------------------------------------------------------- */

enum err node_json(struct str text, size_t n_values, const char *what, json_t **out,
                   struct err_note *note)
{
    /* A value is a few bytes of text and 40 of memory: they are counted first. */
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == ',' || text.ptr[i] == '[' || text.ptr[i] == '{';
    *out = NULL;
    if (n > n_values)
        return err_set(note, ERR_LIMIT, "%s: over %zu values", what, n_values);
    json_error_t e;
    *out = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &e);
    if (!*out)
        return err_set(note, ERR_FORMAT, "%s: line %d: %s", what, e.line, e.text);
    if (json_is_object(*out))
        return ERR_OK;
    json_decref(*out);
    *out = NULL;
    return err_set(note, ERR_FORMAT, "%s: it must be an object", what);
}

static enum err lacks(const char *name, struct err_note *note)
{
    return err_set(note, ERR_FORMAT, "%s: field required", name);
}

enum err node_int(const json_t *object, const char *name, bool may_lack, int64_t *out,
                  struct err_note *note)
{
    const json_t *v = json_object_get(object, name);
    if (!v)
        return may_lack ? ERR_OK : lacks(name, note);
    if (!json_is_integer(v))
        return err_set(note, ERR_FORMAT, "%s: it must be an integer", name);
    *out = json_integer_value(v);
    return ERR_OK;
}

enum err node_number(const json_t *object, const char *name, bool may_lack, double *out,
                     struct err_note *note)
{
    const json_t *v = json_object_get(object, name);
    if (!v)
        return may_lack ? ERR_OK : lacks(name, note);
    if (!json_is_number(v))
        return err_set(note, ERR_FORMAT, "%s: it must be a number", name);
    *out = json_number_value(v);
    return ERR_OK;
}

enum err node_text(const json_t *object, const char *name, char *out, size_t n_bytes,
                   struct err_note *note)
{
    const json_t *v = json_object_get(object, name);
    if (!v)
        return lacks(name, note);
    if (!json_is_string(v))
        return err_set(note, ERR_FORMAT, "%s: it must be a text", name);
    size_t n = json_string_length(v);
    if (n >= n_bytes)
        return err_set(note, ERR_LIMIT, "%s: it has %zu bytes, at most %zu", name, n, n_bytes - 1);
    memcpy(out, json_string_value(v), n);
    out[n] = 0;
    return ERR_OK;
}

void node_write_text(const char *text, struct buf *out)
{
    buf_char(out, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else
            buf_char(out, *text);
    }
    buf_char(out, '"');
}

/* 1 is written 1.0, so that nobody reads an integer where a distance stands. */
static void write_number(double x, struct buf *out)
{
    char text[40];
    snprintf(text, sizeof text, "%.17g", x);
    buf_str(out, text);
    if (strspn(text, "-0123456789") == strlen(text))
        buf_str(out, ".0");
}

/* ---- ProofBatch --------------------------------------------------------------------------- */

/* An array of this name with n entries, n SIZE_MAX: any number up to the limit. */
static enum err array_of(const json_t *object, const char *name, size_t n, const json_t **out,
                         struct err_note *note)
{
    *out = json_object_get(object, name);
    if (!*out)
        return lacks(name, note);
    if (!json_is_array(*out))
        return err_set(note, ERR_FORMAT, "%s: it must be an array", name);
    size_t n_there = json_array_size(*out);
    if (n_there > PROOF_NONCES_MAX)
        return err_set(note, ERR_LIMIT, "%s: %zu entries, at most %d", name, n_there,
                       PROOF_NONCES_MAX);
    if (n != SIZE_MAX && n_there != n)
        return err_set(note, ERR_FORMAT, "%s: %zu entries for %zu nonces", name, n_there, n);
    return ERR_OK;
}

static enum err read_claims(const json_t *object, const char *dist_name, struct proof_batch *b,
                            struct err_note *note)
{
    const json_t *nonces, *dists;
    enum err rc = array_of(object, "nonces", SIZE_MAX, &nonces, note);
    if (!rc)
        rc = array_of(object, dist_name, json_array_size(nonces), &dists, note);
    if (rc)
        return rc;
    size_t n = json_array_size(nonces);
    b->claims = mem_array(n, sizeof b->claims[0]);
    if (!b->claims)
        return err_set(note, ERR_MEMORY, "no memory for %zu nonces", n);
    for (size_t i = 0; i < n; i++) {
        const json_t *nonce = json_array_get(nonces, i), *dist = json_array_get(dists, i);
        if (!json_is_integer(nonce) || json_integer_value(nonce) < 0)
            return err_set(note, ERR_FORMAT, "nonces[%zu]: it must be an integer, 0 or more", i);
        if (!json_is_number(dist))
            return err_set(note, ERR_FORMAT, "%s[%zu]: it must be a number", dist_name, i);
        b->claims[i] = (struct claim){(uint64_t)json_integer_value(nonce),
                                      json_number_value(dist)};
    }
    b->n = n;
    return ERR_OK;
}

static enum err read_head(const json_t *object, struct proof_batch *b, struct err_note *note)
{
    enum err rc = node_text(object, "public_key", b->public_key, sizeof b->public_key, note);
    if (!rc)
        rc = node_text(object, "block_hash", b->block_hash, sizeof b->block_hash, note);
    if (!rc)
        rc = node_int(object, "block_height", false, &b->block_height, note);
    return rc ? rc : node_int(object, "node_id", false, &b->node_id, note);
}

enum err proof_batch_read(struct proof_batch *b, struct str text, struct err_note *note)
{
    json_t *root;
    *b = (struct proof_batch){0};
    enum err rc = node_json(text, 2 * PROOF_NONCES_MAX + 64, "batch", &root, note);
    if (rc)
        return rc;
    rc = read_head(root, b, note);
    rc = rc ? rc : read_claims(root, "dist", b, note);
    rc = rc ? rc : claims_merge(b->claims, &b->n, note);
    json_decref(root);
    if (rc)
        proof_batch_release(b);
    return rc;
}

static void write_head(const struct proof_batch *b, struct buf *out)
{
    buf_str(out, "{\"public_key\":");
    node_write_text(b->public_key, out);
    buf_str(out, ",\"block_hash\":");
    node_write_text(b->block_hash, out);
    buf_printf(out, ",\"block_height\":%" PRId64 ",\"nonces\":[", b->block_height);
    for (size_t i = 0; i < b->n; i++)
        buf_printf(out, "%s%" PRIu64, i ? "," : "", b->claims[i].nonce);
    buf_char(out, ']');
}

static void write_claimed(const struct proof_batch *b, const char *name, struct buf *out)
{
    buf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < b->n; i++) {
        if (i)
            buf_char(out, ',');
        write_number(b->claims[i].dist, out);
    }
    buf_char(out, ']');
}

void proof_batch_write(const struct proof_batch *b, struct buf *out)
{
    write_head(b, out);
    write_claimed(b, "dist", out);
    buf_printf(out, ",\"node_id\":%" PRId64 "}", b->node_id);
}

void proof_batch_release(struct proof_batch *b)
{
    mem_free(b->claims);
    *b = (struct proof_batch){.block_height = -1, .node_id = -1};
}

enum err proof_batch_merge(struct proof_batch *out, const struct proof_batch *batches,
                           size_t n_batches, struct err_note *note)
{
    size_t n = 0;
    *out = (struct proof_batch){.block_height = -1, .node_id = -1};
    for (size_t i = 0; i < n_batches; i++) {
        const struct proof_batch *b = &batches[i];
        if (strcmp(b->block_hash, batches[0].block_hash) != 0 ||
            strcmp(b->public_key, batches[0].public_key) != 0 ||
            b->block_height != batches[0].block_height)
            return err_set(note, ERR_FORMAT, "batch %zu is of block %.40s, height %" PRId64
                           ", key %.40s; the first is of %.40s, %" PRId64 ", %.40s", i,
                           b->block_hash, b->block_height, b->public_key, batches[0].block_hash,
                           batches[0].block_height, batches[0].public_key);
        n += b->n;
        if (n > PROOF_NONCES_MAX)
            return err_set(note, ERR_LIMIT, "together the batches have over %d nonces",
                           PROOF_NONCES_MAX);
    }
    if (n_batches == 0)
        return ERR_OK;
    struct claim *claims = mem_array(n, sizeof claims[0]);
    if (!claims)
        return err_set(note, ERR_MEMORY, "no memory for %zu nonces", n);
    *out = batches[0];
    out->claims = claims;
    out->n = n;
    for (size_t i = 0, at = 0; i < n_batches; at += batches[i++].n)
        if (batches[i].n)
            memcpy(claims + at, batches[i].claims, batches[i].n * sizeof claims[0]);
    enum err rc = claims_merge(claims, &out->n, note);
    if (rc)
        proof_batch_release(out);
    return rc;
}

void proof_batch_keep_under(struct proof_batch *b, double r_target)
{
    b->n = claims_under(b->claims, b->n, r_target);
}

struct proof_batch proof_batch_part(const struct proof_batch *b, size_t i, size_t n_max)
{
    struct proof_batch part = *b;
    size_t first = i * n_max < b->n ? i * n_max : b->n;
    part.claims = b->claims + first;
    part.n = b->n - first < n_max ? b->n - first : n_max;
    return part;
}

/* ---- ValidatedBatch ----------------------------------------------------------------------- */

enum err validated_batch_judge(struct validated_batch *v, struct err_note *note)
{
    size_t n = v->claimed.n;
    double *claimed = mem_array(n, sizeof claimed[0]);
    if (!claimed)
        return err_set(note, ERR_MEMORY, "no memory for %zu distances", n);
    for (size_t i = 0; i < n; i++)
        claimed[i] = v->claimed.claims[i].dist;
    enum err rc = verdict_of(&v->verdict, claimed, v->found, n, v->r_target, v->fraud_threshold,
                             note);
    if (!rc && v->exact) {
        v->verdict.n_invalid = 0;
        for (size_t i = 0; i < n; i++)
            v->verdict.n_invalid += !(claimed[i] == v->found[i]);
        v->verdict.fraud = v->verdict.n_invalid > 0;
        v->verdict.honest = v->verdict.fraud ? 0 : 1;
    }
    mem_free(claimed);
    return rc;
}

static int claim_order(const void *a, const void *b)
{
    const struct claim *x = *(const struct claim *const *)a, *y = *(const struct claim *const *)b;
    return x->nonce != y->nonce ? (x->nonce > y->nonce) - (x->nonce < y->nonce)
                                : (x > y) - (x < y);
}

/* found in the order of the nonces too, one for each. */
static enum err read_found(const json_t *object, struct validated_batch *v, struct err_note *note)
{
    const json_t *dists;
    struct proof_batch *b = &v->claimed;
    enum err rc = array_of(object, "dist", b->n, &dists, note);
    if (rc)
        return rc;
    const struct claim **order = mem_array(b->n, sizeof order[0]);
    v->found = mem_array(b->n, sizeof v->found[0]);
    if (!order || !v->found)
        rc = err_set(note, ERR_MEMORY, "no memory for %zu distances", b->n);
    for (size_t i = 0; i < b->n && !rc; i++) {
        if (!json_is_number(json_array_get(dists, i)))
            rc = err_set(note, ERR_FORMAT, "dist[%zu]: it must be a number", i);
        order[i] = &b->claims[i];
    }
    if (!rc && b->n > 1)
        qsort(order, b->n, sizeof order[0], claim_order);
    for (size_t i = 0, n = 0; i < b->n && !rc; i++) {
        double dist = json_number_value(json_array_get(dists, (size_t)(order[i] - b->claims)));
        if (i > 0 && order[i]->nonce == order[i - 1]->nonce) {
            if (v->found[n - 1] != dist)
                rc = err_set(note, ERR_FORMAT, "nonce %" PRIu64 " was found twice, at %.17g and "
                             "%.17g", order[i]->nonce, v->found[n - 1], dist);
            continue;
        }
        v->found[n++] = dist;
    }
    mem_free(order);
    return rc;
}

static enum err read_verdict(const json_t *object, struct validated_batch *v,
                             struct err_note *note)
{
    int64_t n_invalid = -1;
    const json_t *fraud = json_object_get(object, "fraud_detected");
    enum err rc = node_number(object, "r_target", false, &v->r_target, note);
    v->verdict.honest = -1;
    if (!rc)
        rc = node_number(object, "fraud_threshold", false, &v->fraud_threshold, note);
    if (!rc)
        rc = node_int(object, "n_invalid", true, &n_invalid, note);
    if (!rc)
        rc = node_number(object, "probability_honest", true, &v->verdict.honest, note);
    if (!rc && fraud && !json_is_boolean(fraud))
        rc = err_set(note, ERR_FORMAT, "fraud_detected: it must be true or false");
    v->verdict.n = v->claimed.n;
    v->verdict.n_invalid = n_invalid < 0 ? UINT64_MAX : (uint64_t)n_invalid;
    v->verdict.fraud = json_is_true(fraud);
    return rc;
}

enum err validated_batch_read(struct validated_batch *v, struct str text, struct err_note *note)
{
    json_t *root;
    *v = (struct validated_batch){0};
    enum err rc = node_json(text, 3 * PROOF_NONCES_MAX + 64, "batch", &root, note);
    if (rc)
        return rc;
    rc = read_head(root, &v->claimed, note);
    rc = rc ? rc : read_claims(root, "received_dist", &v->claimed, note);
    rc = rc ? rc : read_found(root, v, note);
    rc = rc ? rc : claims_merge(v->claimed.claims, &v->claimed.n, note);
    rc = rc ? rc : read_verdict(root, v, note);
    json_decref(root);
    if (rc)
        validated_batch_release(v);
    return rc;
}

void validated_batch_write(const struct validated_batch *v, struct buf *out)
{
    write_head(&v->claimed, out);
    buf_str(out, ",\"dist\":[");
    for (size_t i = 0; i < v->claimed.n; i++) {
        if (i)
            buf_char(out, ',');
        write_number(isfinite(v->found[i]) ? v->found[i] : 2, out);
    }
    buf_str(out, "]");
    write_claimed(&v->claimed, "received_dist", out);
    buf_printf(out, ",\"node_id\":%" PRId64 ",\"r_target\":", v->claimed.node_id);
    write_number(v->r_target, out);
    buf_str(out, ",\"fraud_threshold\":");
    write_number(v->fraud_threshold, out);
    if (v->verdict.n_invalid == UINT64_MAX)
        buf_str(out, ",\"n_invalid\":-1");
    else
        buf_printf(out, ",\"n_invalid\":%" PRIu64, v->verdict.n_invalid);
    buf_str(out, ",\"probability_honest\":");
    write_number(v->verdict.honest, out);
    buf_printf(out, ",\"fraud_detected\":%s}", v->verdict.fraud ? "true" : "false");
}

void validated_batch_release(struct validated_batch *v)
{
    proof_batch_release(&v->claimed);
    mem_free(v->found);
    *v = (struct validated_batch){0};
}
