/* reply_prompt.c - how likely a prompt's tokens were, as vLLM tells it. */
#include <stdio.h>

#include "api/reply.h"

static void write_one(struct writer *w, int32_t id, float logprob, uint32_t rank, struct str bytes)
{
    char name[16];
    snprintf(name, sizeof name, "%d", id);
    write_key(w, name);
    write_open(w, '{');
    write_key(w, "logprob");
    write_float(w, logprob);
    write_key_int(w, "rank", rank);
    write_key(w, "decoded_token");
    write_bytes(w, bytes);
    write_close(w, '}');
}

void write_prompt_logprobs(struct writer *w, const struct reply_choice *c)
{
    write_key(w, "prompt_logprobs");
    write_open(w, '[');
    write_word(w, "null"); /* nothing precedes the first token */
    for (size_t i = 0; i < c->n_read; i++) {
        const struct reply_token *t = &c->read[i];
        bool is_top = false;
        write_open(w, '{');
        for (uint32_t k = 0; k < t->n_top; k++) {
            is_top |= t->top[k].token == t->id;
            write_one(w, t->top[k].token, t->top[k].logprob, k + 1, t->top_bytes[k]);
        }
        if (!is_top)
            write_one(w, t->id, t->logprob, t->rank, t->bytes);
        write_close(w, '}');
    }
    write_close(w, ']');
}
