/* reply.h - an answer as every API has it to say, and OpenAI's way: /v1/chat/completions and
 * /v1/completions, whole and in pieces. */
#ifndef API_REPLY_H
#define API_REPLY_H

#include "api/fields.h"
#include "api/write.h"
#include "isobit.h"
#include "text/parts.h"

/* What every piece of one answer repeats. */
struct reply_head {
    const char *id; /* "chatcmpl-..." */
    int64_t created_s;
    struct str model;
    const char *fingerprint; /* weights and arithmetic */
    const struct api_generate *request;
    bool receipts; /* reply_receipts has something to say: true in a call's last words alone */
};

/* reply_receipts - of an open object: "receipts" with DIALECT_RECEIPTS_HERE, if they are wanted. */
void reply_receipts(struct writer *w, const struct reply_head *h);

/* Tokens and times; a request's own times, from its arrival. */
struct reply_usage {
    uint32_t n_prompt, n_answer, n_cached;
    uint32_t n_reasoning; /* of the answer's */
    uint64_t prompt_ns; /* to the first token */
    uint64_t answer_ns; /* from there to the end */
};

/* Tokens of a prompt: all, those remembered, those and what was read since; the time since. */
struct reply_progress {
    uint32_t n_total, n_cached, n_read;
    uint64_t ns;
};

enum reply_finish {
    REPLY_GOES_ON,
    REPLY_STOP,      /* the model ended, or a stop token */
    REPLY_STOP_TEXT, /* a text of the request's stops: stop_text */
    REPLY_LENGTH,
    REPLY_CALLS, /* the model wants tools called */
};

/* A chosen token as logprobs show it; text is its bytes, which need not be whole characters. */
struct reply_token {
    int32_t id;
    float logprob;
    struct str bytes;
    struct str *top_bytes;         /* [n_top] */
    const struct iso_logprob *top; /* [n_top] */
    uint32_t n_top;
    uint32_t rank; /* of a prompt's token */
};

/* One choice: whole, or what is new of it. */
struct reply_choice {
    uint32_t index;
    const struct part *parts; /* [n_parts] */
    size_t n_parts;
    bool is_first; /* in pieces: nothing of it was sent yet */
    enum reply_finish finish;
    struct str stop_text;
    const struct api_error *failed; /* each_alone: this one did, and has no text; else NULL */
    const struct reply_token *tokens;
    size_t n_tokens;
    const struct reply_token *read; /* [n_read] the prompt's but the first, if they are wanted */
    size_t n_read;
    bool logprobs, token_ids; /* whether tokens are shown as either */
    const int32_t *prompt;    /* [usage.n_prompt] */
    const int32_t *ids;       /* [n_ids] of the whole answer so far, without its end token */
    size_t n_ids;
    struct reply_usage usage; /* of this choice alone, so far */
    uint32_t text_offset;     /* completions' logprobs: characters before the first token */
};

/* {token, logprob, bytes, top_logprobs} */
void reply_token_write(struct writer *w, const struct reply_token *t);

/* reply_error - {"error": {message, type, param, code}} */
void reply_error(struct buf *out, const struct api_error *e);

/* "invalid_request_error" and its kin. */
const char *reply_error_type(int status);
/* token, logprob, bytes: members of an open object. */
void write_reply_token(struct writer *w, struct str bytes, float logprob);
/* write_prompt_logprobs - vLLM's "prompt_logprobs", of an open object. reply_prompt.c */
void write_prompt_logprobs(struct writer *w, const struct reply_choice *c);
/* write_parts - all text of one kind in one piece. */
void write_parts(struct writer *w, const struct reply_choice *c, enum part_kind kind);

#endif
