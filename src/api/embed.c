/* embed.c - the tables of the fields, and the answers. */
#include "api/embed.h"

#include <stdlib.h>

#include "api/ollama.h"
#include "api/tables.h"
#include "api/write.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/mem.h"

enum { UNKNOWN_BYTES_MAX = 1 << 16, VECTOR_BYTES_MAX = 1 << 22 };

/* What the tables fill beside the request itself. */
struct raw {
    struct api_embed r;
    const json_t *input, *prompt, *query, *documents, *texts, *text_1, *text_2, *queries;
    struct str encoding;
};

#define FIELD(member) offsetof(struct raw, member)
#define SERVES_ALL                                                                                 \
    {"model", API_TEXT, FIELD(r.model), 0, 0, "which model; absent: the first one"},               \
        {"user", API_NO_EFFECT, 0, 0, 0, "who asks"},                                              \
        {"priority", API_NO_EFFECT, 0, 0, 0, "vLLM's; requests take turns"},                       \
        {"receipt", API_BOOL, FIELD(r.receipt), 0, 0,                                              \
         "its receipt with the answer, where the server gives receipts"},                          \
    {                                                                                              \
        "truncate_prompt_tokens", API_REFUSED, 0, 0, 0,                                            \
            "a text that is too long is an error: cut it before"                                   \
    }

static const struct api_field vector_fields[] = {
    SERVES_ALL,
    {"input", API_VALUE, FIELD(input), 0, 0,
     "a text, texts, token ids, or several arrays of token ids; at most 2048"},
    {"encoding_format", API_TEXT, FIELD(encoding), 0, 0, "float (the default) or base64"},
    {"dimensions", API_U32, FIELD(r.n_dims), 1, 1 << 20,
     "only the first so many, made of length 1 again"},
};

#define OF_OLLAMA                                                                                  \
    {"model", API_TEXT, FIELD(r.model), 0, 0, "which model; absent: the first one"},               \
        {"truncate", API_NO_EFFECT, 0, 0, 0, "a text that is too long is an error, never cut"},    \
        {"options", API_NO_EFFECT, 0, 0, 0, "how a model is loaded"},                              \
        {"receipt", API_BOOL, FIELD(r.receipt), 0, 0,                                              \
         "its receipt with the answer, where the server gives receipts"},                          \
    {                                                                                              \
        "keep_alive", API_NO_EFFECT, 0, 0, 0, "the server decides how long models stay"            \
    }

static const struct api_field ollama_fields[] = {
    OF_OLLAMA,
    {"input", API_VALUE, FIELD(input), 0, 0, "a text, or up to 2048 texts"},
    {"dimensions", API_U32, FIELD(r.n_dims), 1, 1 << 20,
     "only the first so many, made of length 1 again"},
};

static const struct api_field ollama_one_fields[] = {
    OF_OLLAMA,
    {"prompt", API_VALUE, FIELD(prompt), 0, 0, "a text"},
};

static const struct api_field rerank_fields[] = {
    SERVES_ALL,
    {"query", API_VALUE, FIELD(query), 0, 0, "what the documents are compared with"},
    {"documents", API_VALUE, FIELD(documents), 0, 0, "texts, or objects {text}; at most 2047"},
    {"texts", API_VALUE, FIELD(texts), 0, 0, "the same by another name"},
    {"top_n", API_U32, FIELD(r.n_top), 0, 1 << 20, "so many of the best; absent or 0: all"},
    {"return_documents", API_BOOL, FIELD(r.return_documents), 0, 0,
     "the documents' texts too (true)"},
};

static const struct api_field score_fields[] = {
    SERVES_ALL,
    {"text_1", API_VALUE, FIELD(text_1), 0, 0, "a text, or as many texts as text_2 has"},
    {"text_2", API_VALUE, FIELD(text_2), 0, 0, "a text or texts"},
    {"queries", API_VALUE, FIELD(queries), 0, 0, "text_1 by another name"},
    {"documents", API_VALUE, FIELD(documents), 0, 0, "text_2 by another name"},
    {"encoding_format", API_NO_EFFECT, 0, 0, 0, "scores are numbers"},
};

const struct api_table api_vectors_table = {"EmbeddingsRequest", vector_fields,
                                            COUNT_OF(vector_fields), "input"},
                       api_rerank_table = {"RerankRequest", rerank_fields, COUNT_OF(rerank_fields),
                                           "query"},
                       api_ollama_embed_table = {"OllamaEmbedRequest", ollama_fields,
                                                 COUNT_OF(ollama_fields), "input"},
                       api_ollama_embed_one_table = {"OllamaEmbeddingsRequest", ollama_one_fields,
                                                     COUNT_OF(ollama_one_fields), "prompt"},
                       api_score_table = {"ScoreRequest", score_fields, COUNT_OF(score_fields),
                                          NULL};

static const struct {
    const char *path;
    enum embed_kind kind;
} paths[] = {
    {"/v1/embeddings", EMBED_VECTORS}, {"/rerank", EMBED_RERANK}, {"/v1/rerank", EMBED_RERANK},
    {"/api/embed", EMBED_OLLAMA},      {"/api/embeddings", EMBED_OLLAMA_ONE},
    {"/v2/rerank", EMBED_RERANK},      {"/score", EMBED_SCORE},   {"/v1/score", EMBED_SCORE},
};

bool embed_kind_of(struct str path, enum embed_kind *kind)
{
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        if (str_is(path, paths[i].path)) {
            *kind = paths[i].kind;
            return true;
        }
    return false;
}

/* ---- requests ----------------------------------------------------------------------------- */

static bool add_input(struct api_embed *r, const json_t *value, const char *field, size_t i,
                      bool is_item, struct api_error *e)
{
    struct embed_input *input = &r->inputs[r->n_inputs++];
    input->value = value;
    if (is_item)
        snprintf(input->field, sizeof input->field, "%s[%zu]", field, i);
    else
        snprintf(input->field, sizeof input->field, "%s", field);
    if (r->kind == EMBED_RERANK && json_is_object(value))
        input->value = json_object_get(value, "text");
    bool ids = r->kind == EMBED_VECTORS && json_is_array(input->value);
    for (size_t k = 0; ids && k < json_array_size(input->value); k++)
        ids = json_is_integer(json_array_get(input->value, k));
    return json_is_string(input->value) || (ids && json_array_size(input->value) > 0) ||
           api_fail(e, 400, input->field,
                    r->kind == EMBED_VECTORS ? "%s is neither a text nor an array of token ids"
                                             : "%s is not a text",
                    input->field);
}

/* One text or array of ids, or several. */
static bool add_inputs(struct api_embed *r, const json_t *value, const char *field,
                       struct api_error *e)
{
    size_t n = json_array_size(value);
    const json_t *first = json_array_get(value, 0);
    if (!value)
        return api_fail(e, 400, field, "%s is missing", field);
    if (!json_is_array(value) || json_is_integer(first))
        return add_input(r, value, field, 0, false, e);
    if (n == 0)
        return api_fail(e, 400, field, "%s is empty", field);
    if (r->n_inputs + n > API_TEXTS_MAX)
        return api_fail(e, 400, field, "%zu texts; at most %d", r->n_inputs + n, API_TEXTS_MAX);
    for (size_t i = 0; i < n; i++)
        if (!add_input(r, json_array_get(value, i), field, i, true, e))
            return false;
    return true;
}

static bool take_vectors(struct raw *raw, struct api_error *e)
{
    raw->r.base64 = str_is(raw->encoding, "base64");
    if (raw->encoding.len && !raw->r.base64 && !str_is(raw->encoding, "float"))
        return api_fail(e, 400, "encoding_format", "encoding_format is neither float nor base64");
    return add_inputs(&raw->r, raw->input, "input", e);
}

static bool take_ollama_one(struct raw *raw, struct api_error *e)
{
    if (!json_is_string(raw->prompt))
        return api_fail(e, 400, "prompt", "prompt must be a text");
    return add_inputs(&raw->r, raw->prompt, "prompt", e);
}

static bool take_rerank(struct raw *raw, struct api_error *e)
{
    const char *name = raw->documents || !raw->texts ? "documents" : "texts";
    const json_t *documents = raw->documents ? raw->documents : raw->texts;
    if (!json_is_string(raw->query))
        return api_fail(e, 400, "query", raw->query ? "query must be a text" : "query is missing");
    if (documents && !json_is_array(documents))
        return api_fail(e, 400, name, "%s must be an array", name);
    bool ok =
        add_inputs(&raw->r, raw->query, "query", e) && add_inputs(&raw->r, documents, name, e);
    raw->r.n_pairs = raw->r.n_inputs - 1;
    return ok;
}

/* One text is compared with each of the others; two lists item by item. */
static bool take_score(struct raw *raw, struct api_error *e)
{
    const char *left = raw->text_1 || !raw->queries ? "text_1" : "queries";
    const char *right = raw->text_2 || !raw->documents ? "text_2" : "documents";
    struct api_embed *r = &raw->r;
    if (!add_inputs(r, raw->text_1 ? raw->text_1 : raw->queries, left, e))
        return false;
    size_t n = r->n_inputs;
    if (!add_inputs(r, raw->text_2 ? raw->text_2 : raw->documents, right, e))
        return false;
    r->n_pairs = r->n_inputs - n;
    return n == 1 || n == r->n_pairs ||
           api_fail(e, 400, right, "%s has %zu texts, %s has %zu", right, r->n_pairs, left, n);
}

void api_embed_pair(const struct api_embed *r, size_t i, size_t *left, size_t *right)
{
    size_t n_left = r->n_inputs - r->n_pairs;
    *left = n_left == 1 ? 0 : i;
    *right = n_left + i;
}

bool api_embed_parse(enum embed_kind kind, struct str body, struct api_embed *r,
                     struct api_error *e)
{
    static const struct {
        const struct api_field *fields;
        size_t n_fields;
        bool (*take)(struct raw *raw, struct api_error *e);
    } kinds[] = {
        [EMBED_VECTORS] = {vector_fields, COUNT_OF(vector_fields), take_vectors},
        [EMBED_RERANK] = {rerank_fields, COUNT_OF(rerank_fields), take_rerank},
        [EMBED_SCORE] = {score_fields, COUNT_OF(score_fields), take_score},
        [EMBED_OLLAMA] = {ollama_fields, COUNT_OF(ollama_fields), take_vectors},
        [EMBED_OLLAMA_ONE] = {ollama_one_fields, COUNT_OF(ollama_one_fields), take_ollama_one},
    };
    bool is_ollama = kind == EMBED_OLLAMA || kind == EMBED_OLLAMA_ONE;
    struct raw raw = {.r = {.kind = is_ollama ? EMBED_VECTORS : kind,
                            .shape = kind,
                            .return_documents = true}};
    buf_init(&raw.r.unknown, UNKNOWN_BYTES_MAX);
    raw.r.root = api_parse(body, e);
    bool ok = raw.r.root && api_read(raw.r.root, "", kinds[kind].fields, kinds[kind].n_fields, &raw,
                                     NULL, &raw.r.unknown, e);
    if (ok) {
        raw.r.inputs = mem_array(API_TEXTS_MAX + 1, sizeof *raw.r.inputs);
        ok = raw.r.inputs ? kinds[kind].take(&raw, e)
                          : api_fail(e, 500, NULL, "out of memory for a request");
    }
    *r = raw.r;
    return ok;
}

void api_embed_release(struct api_embed *r)
{
    buf_release(&r->unknown);
    mem_free(r->inputs);
    json_decref(r->root);
    *r = (struct api_embed){0};
}

/* ---- answers ------------------------------------------------------------------------------ */

static void write_usage(struct writer *w, uint64_t n_tokens)
{
    write_key(w, "usage");
    write_open(w, '{');
    write_key_int(w, "prompt_tokens", (int64_t)n_tokens);
    write_key_int(w, "total_tokens", (int64_t)n_tokens);
    write_close(w, '}');
}

static void write_base64(struct writer *w, const float *x, uint32_t n)
{
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "vectors are little-endian");
    struct buf text;
    buf_init(&text, VECTOR_BYTES_MAX * 4);
    base64_encode(&text, x, n * sizeof *x);
    CHECK(!text.failed);
    write_text(w, (struct str){text.bytes, text.n_bytes});
    buf_release(&text);
}

static void write_vector(struct writer *w, const float *x, uint32_t n_dims)
{
    write_open(w, '[');
    for (uint32_t k = 0; k < n_dims; k++)
        write_float(w, x[k]);
    write_close(w, ']');
}

static void reply_ollama(struct buf *out, const struct embed_head *h, const struct api_embed *r,
                         const float *vectors, uint32_t n_dims)
{
    struct writer w;
    write_begin(&w, out);
    write_open(&w, '{');
    if (r->shape == EMBED_OLLAMA_ONE) {
        write_key(&w, "embedding");
        write_vector(&w, vectors, n_dims);
    } else {
        ollama_write_name(&w, "model", h->model);
        write_key(&w, "embeddings");
        write_open(&w, '[');
        for (size_t i = 0; i < r->n_inputs; i++)
            write_vector(&w, vectors + i * n_dims, n_dims);
        write_close(&w, ']');
        write_key_int(&w, "prompt_eval_count", (int64_t)h->n_tokens);
    }
    write_close(&w, '}');
}

void reply_vectors(struct buf *out, const struct embed_head *h, const struct api_embed *r,
                   const float *vectors, uint32_t n_dims)
{
    struct writer w;
    if (r->shape == EMBED_OLLAMA || r->shape == EMBED_OLLAMA_ONE) {
        reply_ollama(out, h, r, vectors, n_dims);
        return;
    }
    write_begin(&w, out);
    write_open(&w, '{');
    write_key_text(&w, "object", STR("list"));
    write_key(&w, "data");
    write_open(&w, '[');
    for (size_t i = 0; i < r->n_inputs; i++) {
        const float *x = vectors + i * n_dims;
        write_open(&w, '{');
        write_key_text(&w, "object", STR("embedding"));
        write_key_int(&w, "index", (int64_t)i);
        write_key(&w, "embedding");
        if (r->base64) {
            write_base64(&w, x, n_dims);
        } else {
            write_vector(&w, x, n_dims);
        }
        write_close(&w, '}');
    }
    write_close(&w, ']');
    write_key_text(&w, "model", h->model);
    write_usage(&w, h->n_tokens);
    write_close(&w, '}');
}

struct ranked {
    size_t index;
    float score;
};

/* The best first; equal ones in their order. */
static int by_score(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static void write_result(struct writer *w, const struct api_embed *r, struct ranked ranked)
{
    size_t left, right;
    api_embed_pair(r, ranked.index, &left, &right);
    const json_t *text = r->inputs[right].value;
    write_open(w, '{');
    write_key_int(w, "index", (int64_t)ranked.index);
    if (r->kind == EMBED_SCORE) {
        write_key_text(w, "object", STR("score"));
        write_key(w, "score");
        write_float(w, ranked.score);
    } else {
        if (r->return_documents) {
            write_key(w, "document");
            write_open(w, '{');
            write_key_text(w, "text",
                           (struct str){json_string_value(text), json_string_length(text)});
            write_close(w, '}');
        }
        write_key(w, "relevance_score");
        write_float(w, ranked.score);
    }
    write_close(w, '}');
}

void reply_scores(struct buf *out, const struct embed_head *h, const struct api_embed *r,
                  const float *scores)
{
    struct writer w;
    size_t n = r->n_pairs;
    struct ranked *ranked = mem_array(n, sizeof *ranked);
    CHECK(ranked);
    for (size_t i = 0; i < n; i++)
        ranked[i] = (struct ranked){i, scores[i]};
    if (r->kind == EMBED_RERANK) {
        qsort(ranked, n, sizeof *ranked, by_score);
        n = r->n_top && r->n_top < n ? r->n_top : n;
    }
    write_begin(&w, out);
    write_open(&w, '{');
    write_key_text(&w, "id", str_from(h->id));
    write_key_text(&w, "object", STR("list"));
    write_key_int(&w, "created", h->created_s);
    write_key_text(&w, "model", h->model);
    write_key(&w, r->kind == EMBED_RERANK ? "results" : "data");
    write_open(&w, '[');
    for (size_t i = 0; i < n; i++)
        write_result(&w, r, ranked[i]);
    write_close(&w, ']');
    write_usage(&w, h->n_tokens);
    write_close(&w, '}');
    mem_free(ranked);
}
