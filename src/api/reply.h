/* reply.h - answers of OpenAI's /v1/chat/completions and /v1/completions, whole and in pieces. */
#ifndef API_REPLY_H
#define API_REPLY_H

#include "api/fields.h"
#include "api/write.h"
#include "isobit.h"

/* What every part of one answer repeats. */
struct reply_head {
    bool is_chat;
    const char *id; /* "chatcmpl-..." */
    int64_t created_s;
    struct str model;
    const char *fingerprint; /* weights and arithmetic */
};

struct reply_usage {
    uint32_t n_prompt, n_answer, n_cached;
};

/* A chosen token as logprobs show it; text is its bytes, which need not be whole characters. */
struct reply_token {
    int32_t id;
    float logprob;
    struct str bytes;
    struct str *top_bytes;         /* [n_top] */
    const struct iso_logprob *top; /* [n_top] */
    uint32_t n_top;
};

/* One choice: whole, or what is new of it. */
struct reply_choice {
    uint32_t index;
    struct str text;
    bool is_first;             /* in pieces: the role is said */
    const char *finish_reason; /* NULL: not yet */
    const struct reply_token *tokens;
    size_t n_tokens;
    bool logprobs, token_ids; /* whether tokens are shown as either */
    uint32_t text_offset;     /* completions' logprobs: characters before the first token */
};

/* reply_whole - choices in order. */
void reply_whole(struct buf *out, const struct reply_head *h, const struct reply_choice *choices,
                 size_t n_choices, const struct reply_usage *usage);
/* reply_piece - one choice's news, without the event's frame around it. usage: NULL: the field is
 * left out; wants_usage: it is null. */
void reply_piece(struct buf *out, const struct reply_head *h, const struct reply_choice *c,
                 bool wants_usage);
/* reply_usage_piece - the last one when usage was asked for: no choices. */
void reply_usage_piece(struct buf *out, const struct reply_head *h,
                       const struct reply_usage *usage);
/* reply_error - {"error": {message, type, param, code}} */
void reply_error(struct buf *out, const struct api_error *e);

#endif
