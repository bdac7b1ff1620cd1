/* embed.h - requests for vectors and scores of texts, and their answers: OpenAI's /v1/embeddings,
 * Jina's /rerank as vLLM and llama-server have it, vLLM's /score. */
#ifndef API_EMBED_H
#define API_EMBED_H

#include "api/fields.h"

enum { API_TEXTS_MAX = 2048 };

/* Ollama's two are read as VECTORS. */
enum embed_kind {
    EMBED_VECTORS,
    EMBED_RERANK,
    EMBED_SCORE,
    EMBED_OLLAMA,     /* /api/embed */
    EMBED_OLLAMA_ONE, /* /api/embeddings, the older one */
};

/* A request: n_inputs texts (VECTORS), or n_pairs pairs of them. Pair i is of texts left[i] and
 * right[i] of all n_inputs, which are named once each. */
struct api_embed {
    json_t *root;      /* the rest points into it */
    struct buf unknown; /* names of unknown fields */
    enum embed_kind kind; /* VECTORS, RERANK, SCORE */
    enum embed_kind shape; /* of the answer: as asked */
    struct str model;
    size_t n_inputs;
    struct embed_input {
        const json_t *value; /* a text, or an array of token ids */
        char field[40];      /* its name in the request */
    } *inputs;
    bool base64;     /* vectors as base64 of little-endian binary32 */
    uint32_t n_dims; /* the first so many, made of length 1 again; 0: all */
    size_t n_pairs;
    uint32_t n_top;        /* RERANK: so many of the best; 0: all */
    bool return_documents; /* RERANK */
    bool receipt;          /* a receipt is wanted, with the answer */
};

/* embed_kind_of - false: path is none of these endpoints. */
bool embed_kind_of(struct str path, enum embed_kind *kind);

/* api_embed_parse - false with e filled; release r in any case. */
bool api_embed_parse(enum embed_kind kind, struct str body, struct api_embed *r,
                     struct api_error *e);
void api_embed_release(struct api_embed *r);
/* The texts of pair i, as indexes of inputs. */
void api_embed_pair(const struct api_embed *r, size_t i, size_t *left, size_t *right);

/* What an answer says beside its numbers. */
struct embed_head {
    const char *id;
    int64_t created_s;
    struct str model;
    uint64_t n_tokens;
};

/* vectors [n_inputs, n_dims]. */
void reply_vectors(struct buf *out, const struct embed_head *h, const struct api_embed *r,
                   const float *vectors, uint32_t n_dims);
/* scores [n_pairs]: by falling score, as RERANK, or in their order. */
void reply_scores(struct buf *out, const struct embed_head *h, const struct api_embed *r,
                  const float *scores);

#endif
