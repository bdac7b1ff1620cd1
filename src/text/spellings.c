/* spellings.c - spells every token once. */
#include "text/spellings.h"

#include "base/mem.h"

static bool is_silent(const struct tokenizer *t, int32_t id)
{
    enum token_type type = tokenizer_token_type(t, id);
    return type == TOKEN_CONTROL || type == TOKEN_UNKNOWN || type == TOKEN_UNUSED ||
           tokenizer_is_eog(t, id);
}

static bool is_among(int32_t id, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* Lengths first, in tokens[i].len: bytes may still move. */
static enum err spell(struct spellings *s, const struct tokenizer *t, const int32_t *marks,
                      size_t n_marks, struct err_note *note)
{
    enum err rc = ERR_OK;
    for (uint32_t i = 0; i < s->n_tokens && !rc; i++) {
        int32_t id = (int32_t)i;
        size_t begin = s->bytes.n_bytes;
        bool marked = !tokenizer_is_eog(t, id) && is_among(id, marks, n_marks);
        if (marked || !is_silent(t, id))
            rc = tokenizer_decode(t, &id, 1, DECODE_CONTINUE | (marked ? DECODE_SPECIAL : 0u),
                                  &s->bytes, note);
        s->tokens[i].len = s->bytes.n_bytes - begin;
        if (tokenizer_is_eog(t, id))
            s->ends[s->n_ends++] = id;
    }
    return rc || !s->bytes.failed ? rc : err_set(note, ERR_MEMORY, "out of memory for the tokens");
}

enum err spellings_make(struct spellings *s, const struct tokenizer *t, uint32_t n_vocab,
                        const int32_t *marks, size_t n_marks, struct err_note *note)
{
    size_t n_tokens = tokenizer_n_tokens(t), at = 0;
    *s = (struct spellings){.n_tokens = n_tokens < n_vocab ? (uint32_t)n_tokens : n_vocab};
    s->tokens = mem_array(s->n_tokens + 1, sizeof s->tokens[0]);
    s->ends = mem_array(s->n_tokens + 1, sizeof s->ends[0]);
    buf_init(&s->bytes, 1 << 30);
    enum err rc = s->tokens && s->ends
                      ? spell(s, t, marks, n_marks, note)
                      : err_set(note, ERR_MEMORY, "out of memory for %u tokens", s->n_tokens);
    for (uint32_t i = 0; i < s->n_tokens && !rc; i++) {
        s->tokens[i].ptr = s->bytes.bytes + at;
        at += s->tokens[i].len;
    }
    if (rc)
        spellings_release(s);
    return rc;
}

void spellings_release(struct spellings *s)
{
    mem_free(s->tokens);
    mem_free(s->ends);
    buf_release(&s->bytes);
    *s = (struct spellings){0};
}
