/* init_request.c - the fields of an init request, from JSON and to it. */
#include "node/init_request.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/check.h"

static enum err read_u32(const json_t *object, const char *name, uint32_t *out,
                         struct err_note *note)
{
    int64_t value = *out;
    enum err rc = node_int(object, name, true, &value, note);
    if (!rc && (value < 0 || value > UINT32_MAX))
        rc = err_set(note, ERR_LIMIT, "params: %s is %" PRId64, name, value);
    if (!rc)
        *out = (uint32_t)value;
    return rc;
}

enum err params_read(struct poc_params *p, const json_t *object, struct err_note *note)
{
    *p = *poc_params_named("default");
    if (!json_is_object(object))
        return err_set(note, ERR_FORMAT, "params: it must be an object");
    struct {
        const char *name;
        uint32_t *to;
    } counts[] = {
        {"dim", &p->dim},
        {"n_layers", &p->n_layers},
        {"n_heads", &p->n_heads},
        {"n_kv_heads", &p->n_kv_heads},
        {"vocab_size", &p->vocab_size},
        {"multiple_of", &p->multiple_of},
        {"seq_len", &p->seq_len},
    };
    enum err rc = ERR_OK;
    for (size_t i = 0; i < COUNT_OF(counts) && !rc; i++)
        rc = read_u32(object, counts[i].name, counts[i].to, note);
    if (!rc)
        rc = node_number(object, "ffn_dim_multiplier", true, &p->ffn_dim_multiplier, note);
    if (!rc)
        rc = node_number(object, "norm_eps", true, &p->norm_eps, note);
    if (!rc)
        rc = node_number(object, "rope_theta", true, &p->rope_theta, note);
    const json_t *scaled = json_object_get(object, "use_scaled_rope");
    if (!rc && scaled && !json_is_boolean(scaled))
        rc = err_set(note, ERR_FORMAT, "use_scaled_rope: it must be true or false");
    if (scaled)
        p->use_scaled_rope = json_is_true(scaled);
    return rc ? rc : poc_params_check(p, note);
}

static enum err read_numbers(struct init_request *r, const json_t *root, struct err_note *note)
{
    r->node_id = r->node_count = -1;
    enum err rc = node_int(root, "node_id", true, &r->node_id, note);
    if (!rc)
        rc = node_int(root, "node_count", true, &r->node_count, note);
    if (!rc)
        rc = node_int(root, "block_height", false, &r->block_height, note);
    if (!rc)
        rc = node_int(root, "batch_size", false, &r->batch_size, note);
    if (!rc)
        rc = node_number(root, "r_target", false, &r->r_target, note);
    if (!rc)
        rc = node_number(root, "fraud_threshold", false, &r->fraud_threshold, note);
    if (!rc && !(r->r_target > 0))
        rc = err_set(note, ERR_LIMIT, "r_target is %g: it must be over 0", r->r_target);
    if (!rc && !(r->fraud_threshold >= 0 && r->fraud_threshold <= 1))
        rc = err_set(note, ERR_LIMIT, "fraud_threshold is %g: it must be 0 to 1",
                     r->fraud_threshold);
    struct nonce_walk walk;
    if (!rc && r->node_id != -1 && r->node_count != -1)
        rc = nonce_walk_init(&walk, r->node_id, r->node_count, 0, 1, note);
    return rc;
}

enum err init_request_read(struct init_request *r, struct str text, struct err_note *note)
{
    json_t *root;
    *r = (struct init_request){.params = *poc_params_named("default")};
    if (text.len > INIT_TEXT_BYTES_MAX)
        return err_set(note, ERR_LIMIT, "request: %zu bytes, at most %d", text.len,
                       INIT_TEXT_BYTES_MAX);
    enum err rc = node_json(text, 256, "request", &root, note);
    if (rc)
        return rc;
    rc = node_text(root, "block_hash", r->block_hash, sizeof r->block_hash, note);
    if (!rc)
        rc = node_text(root, "public_key", r->public_key, sizeof r->public_key, note);
    if (!rc)
        rc = node_text(root, "url", r->url, sizeof r->url, note);
    rc = rc ? rc : read_numbers(r, root, note);
    const json_t *params = json_object_get(root, "params");
    if (!rc && params)
        rc = params_read(&r->params, params, note);
    json_decref(root);
    return rc;
}

void init_request_write(const struct init_request *r, struct buf *out)
{
    const struct poc_params *p = &r->params;
    buf_printf(out, "{\"node_id\":%" PRId64 ",\"node_count\":%" PRId64 ",\"block_hash\":",
               r->node_id, r->node_count);
    node_write_text(r->block_hash, out);
    buf_printf(out, ",\"block_height\":%" PRId64 ",\"public_key\":", r->block_height);
    node_write_text(r->public_key, out);
    buf_printf(out, ",\"batch_size\":%" PRId64 ",\"r_target\":%.17g,\"fraud_threshold\":%.17g",
               r->batch_size, r->r_target, r->fraud_threshold);
    buf_printf(out,
               ",\"params\":{\"dim\":%u,\"n_layers\":%u,\"n_heads\":%u,\"n_kv_heads\":%u,"
               "\"vocab_size\":%u,\"ffn_dim_multiplier\":%.17g,\"multiple_of\":%u,"
               "\"norm_eps\":%.17g,\"rope_theta\":%.17g,\"use_scaled_rope\":%s,\"seq_len\":%u}",
               p->dim, p->n_layers, p->n_heads, p->n_kv_heads, p->vocab_size,
               p->ffn_dim_multiplier, p->multiple_of, p->norm_eps, p->rope_theta,
               p->use_scaled_rope ? "true" : "false", p->seq_len);
    buf_str(out, ",\"url\":");
    node_write_text(r->url, out);
    buf_char(out, '}');
}

bool init_request_equal(const struct init_request *a, const struct init_request *b)
{
    const struct poc_params *p = &a->params, *q = &b->params;
    return strcmp(a->block_hash, b->block_hash) == 0 &&
           strcmp(a->public_key, b->public_key) == 0 && strcmp(a->url, b->url) == 0 &&
           a->node_id == b->node_id && a->node_count == b->node_count &&
           a->block_height == b->block_height && a->batch_size == b->batch_size &&
           a->r_target == b->r_target && a->fraud_threshold == b->fraud_threshold &&
           p->dim == q->dim && p->n_layers == q->n_layers && p->n_heads == q->n_heads &&
           p->n_kv_heads == q->n_kv_heads && p->vocab_size == q->vocab_size &&
           p->ffn_dim_multiplier == q->ffn_dim_multiplier && p->multiple_of == q->multiple_of &&
           p->norm_eps == q->norm_eps && p->rope_theta == q->rope_theta &&
           p->use_scaled_rope == q->use_scaled_rope && p->seq_len == q->seq_len;
}
