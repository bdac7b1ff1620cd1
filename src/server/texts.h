/* texts.h - what a request for vectors or scores means to a model: texts as its tokens; and what
 * is answered with their vectors, and committed to. Pure, but for memory. */
#ifndef SERVER_TEXTS_H
#define SERVER_TEXTS_H

#include "api/embed.h"
#include "proof/commitment.h"
#include "server/speech.h"

/* Of a model, what texts depend on. */
struct texts_model {
    const struct speech *speech;
    const char *name;
    uint32_t n_ctx, n_vocab;
    uint32_t n_dims;         /* of a vector; with ranks, scores of a pair */
    bool ranks, knows_pairs; /* a cross-encoder; it tells a pair's texts apart */
};

/* For a cross-encoder the items are pairs. */
struct texts {
    struct api_embed api;
    struct token_list *lists; /* [n_items] */
    struct iso_text *items;   /* [n_items], tokens of lists */
    size_t n_items;
    uint64_t n_tokens;
};

/* texts_parse - the body, for a model that can answer it; t is zeros. texts_read - after that: its
 * tokens. Both return false with e filled; release t in any case. */
bool texts_parse(struct texts *t, const struct texts_model *m, enum embed_kind kind,
                 struct str body, struct api_error *e);
bool texts_read(struct texts *t, const struct texts_model *m, struct api_error *e);
void texts_release(struct texts *t);

/* texts_reply - the answer: vectors [n_items, n_dims], which are cut where the request says so. */
void texts_reply(const struct texts *t, const struct texts_model *m, const struct embed_head *head,
                 float *vectors, struct buf *out);
/* texts_commit - the root over every text's tokens and vector, [n_items, n_dims]. */
struct merkle_hash texts_commit(const struct texts *t, const struct salt *salt,
                                const float *vectors, uint32_t n_dims);

#endif
