/* draft.h - guesses of the next tokens from a small model of the same vocabulary.
 *
 * The draft has a cache of its own, for one timeline at a time. It chooses its tokens as the
 * request does, with the same random numbers, so that it guesses right where its probabilities are
 * similar. What a guess costs and how often the first, second, ... comes true is learned. */
#ifndef ENGINE_DRAFT_H
#define ENGINE_DRAFT_H

#include "engine/sampler.h"
#include "model/model.h"

enum { GUESSES_MAX = 15 };

struct draft {
    struct model *model; /* NULL: there is none */
    struct sampler sampler;
    uint32_t n_ctx, n_rows_max, n_vocab;
    uint32_t *allowed; /* the bits of tokens that both vocabularies have */
    struct device *device;
    uint8_t *memory; /* pages for n_ctx positions, the device's */
    size_t n_bytes_memory;
    void **bases;        /* theirs */
    int32_t *tokens;     /* [n_ctx] those in the cache: n_kv, of the owner's timeline or guessed */
    struct kv_row *rows; /* [n_rows_max] */
    uint8_t *bad;        /* [n_rows_max] */
    float *logits;       /* of the larger vocabulary */
    const void *owner;
    uint32_t n_kv;

    uint32_t guessed_at, n_guessed;     /* the last guesses: tokens[guessed_at..] */
    float chance[GUESSES_MAX];          /* that a guess comes true when those before it do */
    double ns_each;                     /* of a guess; 0: not known */
    uint32_t n_steps_off, n_steps_wait; /* since guesses last paid; until they are tried again */
};

/* draft_open - on the device of the model it guesses for, whose vocabulary has n_vocab tokens.
 * ERR_USAGE where the vocabularies differ (padding aside): their sizes, or the first token. */
enum err draft_open(struct draft *d, const struct table *table, const struct table *target,
                    struct device *device, uint32_t n_vocab, struct model_limits limits,
                    struct err_note *note);
/* draft_needs - the memory that draft_open takes on the device, before it takes any. */
enum err draft_needs(const struct table *table, struct device *device, struct model_limits limits,
                     uint64_t *n_bytes, struct err_note *note);
void draft_close(struct draft *d);
/* The owner's timeline was cut or is gone. */
void draft_forget(struct draft *d, const void *owner);

/* draft_learn - which of the last guesses came true in the owner's timeline. */
void draft_learn(struct draft *d, const void *owner, const int32_t *tokens, uint32_t n_tokens);

/* draft_is_due - whether guesses that have not paid for a while are to be tried again in this step:
 * rarer and rarer. */
bool draft_is_due(struct draft *d);

/* draft_guess - writes up to n guesses after tokens[0..n_tokens), chosen by p; mu is mirostat's.
 * Reads what it lacks of the timeline first. Returns how many. */
uint32_t draft_guess(struct draft *d, const void *owner, const struct iso_sampling *p, float mu,
                     int32_t *tokens, uint32_t n_tokens, uint32_t border, uint32_t n);

#endif
