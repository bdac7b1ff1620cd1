/* decode.c - what a token spells.
 *
 * Decoders of published tokenizers look at one token at a time, except for a rule at the very start
 * of a text (SentencePiece's added space), so that text can be shown as it comes. */
#include "text/tokenizer_int.h"

#include "base/check.h"

static void replace_all(struct str s, struct str from, struct str to, struct buf *out)
{
    for (size_t i = 0; i < s.len;) {
        if (from.len && str_starts(str_sub(s, i, s.len), from)) {
            buf_add(out, to.ptr, to.len);
            i += from.len;
        } else {
            buf_char(out, s.ptr[i++]);
        }
    }
}

/* The bytes that a byte-level spelling stands for; another spelling stands for itself. */
static void byte_level(struct str s, struct buf *out)
{
    uint32_t c;
    bool spelled = true;
    for (size_t i = 0; i < s.len && spelled;) {
        size_t n = (size_t)utf8_decode(s.ptr + i, s.len - i, &c);
        spelled = n > 0 && byte_map_byte(c) >= 0;
        i += n;
    }
    if (!spelled) {
        buf_add(out, s.ptr, s.len);
        return;
    }
    for (size_t i = 0; i < s.len;) {
        i += (size_t)utf8_decode(s.ptr + i, s.len - i, &c);
        buf_char(out, (char)byte_map_byte(c));
    }
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* <0xHH>, or -1. */
static int byte_token(struct str s)
{
    if (s.len != 6 || memcmp(s.ptr, "<0x", 3) != 0 || s.ptr[5] != '>')
        return -1;
    int hi = hex_digit(s.ptr[3]), lo = hex_digit(s.ptr[4]);
    return hi < 0 || lo < 0 ? -1 : hi * 16 + lo;
}

static void wordpiece_text(const struct decode_step *step, struct str s, bool first,
                           struct buf *out)
{
    static const char *const clean[][2] = {
        {" .", "."},     {" ?", "?"},     {" !", "!"},           {" ,", ","},    {" ' ", "'"},
        {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"},
        {" 're", "'re"},
    };
    struct buf a, b;
    buf_init(&a, out->n_bytes_max);
    buf_init(&b, out->n_bytes_max);
    if (!first && str_starts(s, step->a)) {
        s = str_sub(s, step->a.len, s.len);
    } else if (!first) {
        buf_char(&a, ' ');
    }
    buf_add(&a, s.ptr, s.len);
    for (size_t i = 0; step->flag && i < COUNT_OF(clean); i++) {
        buf_clear(&b);
        replace_all((struct str){a.bytes, a.n_bytes}, str_from(clean[i][0]), str_from(clean[i][1]),
                    &b);
        struct buf swap = a;
        a = b;
        b = swap;
    }
    buf_add(out, a.bytes, a.n_bytes);
    out->failed = out->failed || a.failed || b.failed;
    buf_release(&a);
    buf_release(&b);
}

/* One step over one token's text. */
static void decode_step(const struct decode_step *step, struct str s, bool first, struct buf *out)
{
    int byte;
    switch (step->kind) {
    case DECODE_BYTE_LEVEL:
        byte_level(s, out);
        return;
    case DECODE_REPLACE:
        replace_all(s, step->a, step->b, out);
        return;
    case DECODE_METASPACE:
        replace_all(s, step->a, first && step->flag ? STR("") : STR(" "), out);
        return;
    case DECODE_BYTE_FALLBACK:
        byte = byte_token(s);
        if (byte >= 0)
            buf_char(out, (char)byte);
        else
            buf_add(out, s.ptr, s.len);
        return;
    case DECODE_WORDPIECE:
        wordpiece_text(step, s, first, out);
        return;
    case DECODE_JOIN:
        if (!first)
            buf_char(out, ' ');
        buf_add(out, s.ptr, s.len);
        return;
    default:
        buf_add(out, s.ptr, s.len);
    }
}

int decode_n_strip(const struct tokenizer *t, unsigned flags)
{
    for (size_t i = 0; i < t->n_decode && !(flags & DECODE_CONTINUE); i++)
        if (t->decode[i].kind == DECODE_STRIP)
            return t->decode[i].n_start;
    return 0;
}

void token_bytes(const struct tokenizer *t, int32_t id, bool first, unsigned flags, int *n_strip,
                 struct buf *out)
{
    CHECK(id >= 0 && (size_t)id < t->vocab.n_tokens);
    struct str s = t->vocab.texts[id];
    enum token_type type = (enum token_type)t->vocab.types[id];
    if (type == TOKEN_CONTROL && !(flags & DECODE_SPECIAL))
        return;
    bool added = t->added_of[id] >= 0; /* text as written, not bytes in GPT-2's spelling */
    struct buf a, b;
    buf_init(&a, 64 * TOKEN_BYTES_MAX);
    buf_init(&b, 64 * TOKEN_BYTES_MAX);
    buf_add(&a, s.ptr, s.len);
    for (size_t i = 0; i < t->n_decode; i++) {
        const struct decode_step *step = &t->decode[i];
        if (added && step->kind == DECODE_BYTE_LEVEL)
            continue;
        buf_clear(&b);
        decode_step(step, (struct str){a.bytes, a.n_bytes}, first && !(flags & DECODE_CONTINUE),
                    &b);
        struct buf swap = a;
        a = b;
        b = swap;
    }
    size_t from = 0;
    while (*n_strip > 0 && from < a.n_bytes && a.bytes[from] == ' ') {
        from++;
        --*n_strip;
    }
    if (a.n_bytes > from)
        *n_strip = 0;
    if (a.n_bytes)
        buf_add(out, a.bytes + from, a.n_bytes - from);
    out->failed = out->failed || a.failed || b.failed;
    buf_release(&a);
    buf_release(&b);
}

enum err tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n_ids,
                          unsigned flags, struct buf *out, struct err_note *note)
{
    int n_strip = decode_n_strip(t, flags);
    bool first = true;
    for (size_t i = 0; i < n_ids; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= t->vocab.n_tokens)
            return err_set(note, ERR_FORMAT, "token %d is outside the vocabulary of %zu", ids[i],
                           t->vocab.n_tokens);
        if (t->vocab.types[ids[i]] == TOKEN_CONTROL && !(flags & DECODE_SPECIAL))
            continue;
        token_bytes(t, ids[i], first, flags, &n_strip, out);
        first = false;
    }
    return out->failed ? err_set(note, ERR_LIMIT, "the text of %zu tokens exceeds %zu bytes", n_ids,
                                 out->n_bytes_max)
                       : ERR_OK;
}
