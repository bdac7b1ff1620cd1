/* stream.c - ids to text as they come. */
#include "text/stream.h"

#include "text/tokenizer_int.h"
#include "text/utf8.h"

void stream_init(struct stream *s, const struct tokenizer *t, unsigned flags)
{
    *s = (struct stream){.tokenizer = t, .flags = flags, .n_strip = decode_n_strip(t, flags)};
}

/* Whether s, at most 3 bytes, may still become one character: a lead byte and fewer continuations
 * than it asks, the first of them in the range that the lead allows. */
static bool unfinished(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t need = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    unsigned char lo = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char hi = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[0] < 0xc2 || p[0] > 0xf4 || s.len >= need)
        return false;
    return (s.len < 2 || (p[1] >= lo && p[1] <= hi)) && (s.len < 3 || (p[2] & 0xc0) == 0x80);
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
