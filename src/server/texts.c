/* texts.c - texts and pairs of them to tokens; vectors to scores, answers and a root. */
#include "server/texts.h"

#include "base/check.h"
#include "base/mem.h"
#include "server/prompt.h"

void texts_release(struct texts *t)
{
    for (size_t i = 0; t->lists && i < t->n_items; i++)
        token_list_release(&t->lists[i]);
    api_embed_release(&t->api);
    mem_free(t->lists);
    mem_free(t->items);
    *t = (struct texts){0};
}

/* ---- a body in ---------------------------------------------------------------------------- */

bool texts_parse(struct texts *t, const struct texts_model *m, enum embed_kind kind,
                 struct str body, struct api_error *e)
{
    if (!api_embed_parse(kind, body, &t->api, e))
        return false;
    if (m->ranks && t->api.kind == EMBED_VECTORS)
        return api_fail(e, 400, "model", "%s ranks pairs of texts and makes no vectors", m->name);
    if (m->ranks && m->n_dims != 1)
        return api_fail(e, 400, "model", "%s has %u labels; one is a score", m->name, m->n_dims);
    if (t->api.n_dims > m->n_dims)
        return api_fail(e, 400, "dimensions", "dimensions is %u; vectors of %s have %u",
                        t->api.n_dims, m->name, m->n_dims);
    return true;
}

static bool read_input(const struct texts *t, const struct texts_model *m, size_t i,
                       struct token_list *out, struct api_error *e)
{
    const struct embed_input *input = &t->api.inputs[i];
    return prompt_value(m->speech, input->value,
                        json_is_string(input->value) ? ENCODE_ADD_SPECIAL : 0u, input->field, out,
                        e);
}

/* Both texts as a cross-encoder reads them: BERT "[CLS] a [SEP] b [SEP]", the second of another
 * kind; RoBERTa, which knows one kind, "<s> a </s> </s> b </s>". */
static bool read_pair(struct texts *t, const struct texts_model *m, size_t i, struct api_error *e)
{
    struct token_list *out = &t->lists[i], second = {0};
    size_t left, right;
    api_embed_pair(&t->api, i, &left, &right);
    bool ok = read_input(t, m, left, out, e) && read_input(t, m, right, &second, e);
    size_t n = out->n_ids, skip = m->knows_pairs ? 1 : 0;
    if (ok && n > 0 && second.n_ids > skip) {
        int32_t *ids = mem_resize(out->ids, (n + second.n_ids) * sizeof *ids);
        CHECK(ids);
        out->ids = ids;
        out->n_ids = out->n_reserved = n + second.n_ids - skip;
        memcpy(ids + n, second.ids + skip, (second.n_ids - skip) * sizeof *ids);
        if (skip == 0)
            ids[n] = ids[n - 1]; /* in place of the second text's beginning */
    }
    t->items[i].n_first = skip ? (uint32_t)n : 0;
    token_list_release(&second);
    return ok;
}

/* A text that is too long is an error with both numbers. */
static bool check_text(const struct texts *t, const struct texts_model *m, size_t i,
                       const char *field, struct api_error *e)
{
    const struct iso_text *text = &t->items[i];
    if (text->n_tokens == 0)
        return api_fail(e, 400, field, "%s has no tokens", field);
    for (uint32_t k = 0; k < text->n_tokens; k++)
        if (text->tokens[k] < 0 || (uint32_t)text->tokens[k] >= m->n_vocab)
            return api_fail(e, 400, field, "%s: %d is no token of this model", field,
                            text->tokens[k]);
    if (t->lists[i].n_ids <= m->n_ctx)
        return true;
    api_fail(e, 400, field, "%s has %zu tokens, but this model reads %u at most", field,
             t->lists[i].n_ids, m->n_ctx);
    e->code = "context_length_exceeded";
    return false;
}

bool texts_read(struct texts *t, const struct texts_model *m, struct api_error *e)
{
    t->n_items = m->ranks ? t->api.n_pairs : t->api.n_inputs;
    t->lists = mem_array(t->n_items, sizeof *t->lists);
    t->items = mem_array(t->n_items, sizeof *t->items);
    if (!t->lists || !t->items)
        return api_fail(e, 500, NULL, "out of memory for %zu texts", t->n_items);
    for (size_t i = 0; i < t->n_items; i++) {
        size_t left = i, right = i;
        if (m->ranks)
            api_embed_pair(&t->api, i, &left, &right);
        if (!(m->ranks ? read_pair(t, m, i, e) : read_input(t, m, i, &t->lists[i], e)))
            return false;
        t->items[i].tokens = t->lists[i].ids;
        t->items[i].n_tokens = (uint32_t)t->lists[i].n_ids;
        t->n_tokens += t->items[i].n_tokens;
        if (!check_text(t, m, i, t->api.inputs[right].field, e))
            return false;
    }
    return true;
}

/* ---- vectors out -------------------------------------------------------------------------- */

/* A pair's score: the cosine of its vectors, or of a cross-encoder the probability that its head's
 * one label means. */
static float *make_scores(const struct texts *t, const struct texts_model *m, const float *vectors)
{
    float *scores = mem_array(t->api.n_pairs, sizeof *scores);
    CHECK(scores);
    for (size_t i = 0; i < t->api.n_pairs; i++) {
        size_t left, right;
        api_embed_pair(&t->api, i, &left, &right);
        scores[i] = m->ranks ? iso_probability(vectors[i])
                             : iso_cosine(vectors + left * m->n_dims, vectors + right * m->n_dims,
                                          m->n_dims);
    }
    return scores;
}

/* The first dimensions of each vector, close together, their length 1 again. */
static uint32_t cut_vectors(const struct texts *t, float *vectors, uint32_t n_dims)
{
    uint32_t n = t->api.n_dims;
    if (n == 0 || n == n_dims)
        return n_dims;
    for (size_t i = 0; i < t->n_items; i++) {
        memmove(vectors + i * n, vectors + i * n_dims, n * sizeof *vectors);
        iso_normalize(vectors + i * n, n);
    }
    return n;
}

void texts_reply(const struct texts *t, const struct texts_model *m, const struct embed_head *head,
                 float *vectors, struct buf *out)
{
    if (t->api.kind == EMBED_VECTORS) {
        uint32_t n_dims = cut_vectors(t, vectors, m->n_dims);
        reply_vectors(out, head, &t->api, vectors, n_dims);
        return;
    }
    float *scores = make_scores(t, m, vectors);
    reply_scores(out, head, &t->api, scores);
    mem_free(scores);
}

struct merkle_hash texts_commit(const struct texts *t, const struct salt *salt,
                                const float *vectors, uint32_t n_dims)
{
    struct merkle tree = {0};
    for (size_t i = 0; i < t->n_items; i++) {
        const struct iso_text *x = &t->items[i];
        const struct vector_record record = {(const uint32_t *)x->tokens, x->n_tokens, x->n_first,
                                             vectors + i * n_dims, n_dims};
        struct merkle_hash leaf = commitment_vector(salt, i, &record);
        merkle_add(&tree, &leaf);
    }
    return merkle_root(&tree);
}
