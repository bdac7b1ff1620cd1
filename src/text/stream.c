/* stream.c - ids to text as they come. */
#include "text/stream.h"

#include "text/tokenizer_int.h"
#include "text/utf8.h"

void stream_init(struct stream *s, const struct tokenizer *t, unsigned flags)
{
    *s = (struct stream){.tokenizer = t, .flags = flags, .n_strip = decode_n_strip(t, flags)};
}

/* Whether s may still become one character: a lead byte and fewer continuations than it asks,
 * each allowed there. Trying every allowed end would be the same as the table; a repair that gives
 * one mark for the whole of s says it, because a maximal subpart is what is not yet refuted. */
static bool unfinished(struct str s)
{
    unsigned char lead = (unsigned char)s.ptr[0];
    size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || s.len >= need)
        return false;
    struct buf b;
    buf_init(&b, 16);
    utf8_repair(s, &b);
    bool one_mark = !b.failed && b.n_bytes == 3;
    buf_release(&b);
    return one_mark;
}

/* How many bytes at the end of s begin a character that is not whole yet: 0..3. */
static size_t n_unfinished(struct str s)
{
    for (size_t n = s.len < 3 ? s.len : 3; n > 0; n--)
        if (unfinished(str_sub(s, s.len - n, s.len)))
            return n;
    return 0;
}

void stream_add(struct stream *s, int32_t id, struct buf *out)
{
    const struct tokenizer *t = s->tokenizer;
    if (tokenizer_token_type(t, id) == TOKEN_CONTROL && !(s->flags & DECODE_SPECIAL))
        return;
    struct buf b;
    buf_init(&b, 64 * TOKEN_BYTES_MAX);
    buf_add(&b, s->waiting, s->n_waiting);
    token_bytes(t, id, !s->started, s->flags, &s->n_strip, &b);
    s->started = true;
    struct str text = {b.bytes, b.n_bytes};
    s->n_waiting = n_unfinished(text);
    memcpy(s->waiting, text.ptr + text.len - s->n_waiting, s->n_waiting);
    utf8_repair(str_sub(text, 0, text.len - s->n_waiting), out);
    out->failed = out->failed || b.failed;
    buf_release(&b);
}

void stream_end(struct stream *s, struct buf *out)
{
    utf8_repair((struct str){s->waiting, s->n_waiting}, out);
    s->n_waiting = 0;
}
