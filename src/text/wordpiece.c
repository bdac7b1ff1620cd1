/* wordpiece.c - the longest token that begins the word, again and again. */
#include "text/tokenizer_int.h"

#include "base/check.h"

static size_t n_characters(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
    return n;
}

/* The longest token at the start of s; *n_bytes of s are used. */
static int32_t longest_token(const struct tokenizer *t, struct str s, bool first, struct buf *b,
                             size_t *n_bytes)
{
    for (size_t end = s.len; end > 0; end--) {
        if (end < s.len && ((unsigned char)s.ptr[end] & 0xc0) == 0x80)
            continue;
        buf_clear(b);
        if (!first)
            buf_add(b, t->wordpiece.prefix.ptr, t->wordpiece.prefix.len);
        buf_add(b, s.ptr, end);
        int32_t id = vocab_find_model(&t->vocab, (struct str){b->bytes, b->n_bytes});
        if (id != TOKEN_NONE) {
            *n_bytes = end;
            return id;
        }
    }
    return TOKEN_NONE;
}

/* A word that cannot be spelled whole is one unknown token. */
enum err wordpiece_encode(const struct tokenizer *t, struct str piece, struct token_list *out)
{
    size_t n_before = out->n_ids, n = 0;
    bool ok = true, known = n_characters(piece) <= t->wordpiece.n_chars_max;
    struct buf b;
    buf_init(&b, piece.len + t->wordpiece.prefix.len);
    for (size_t at = 0; known && ok && at < piece.len; at += n) {
        int32_t id = longest_token(t, str_sub(piece, at, piece.len), at == 0, &b, &n);
        known = id != TOKEN_NONE;
        ok = !known || token_list_add(out, id);
    }
    if (!known) {
        out->n_ids = n_before;
        ok = t->unk == TOKEN_NONE || token_list_add(out, t->unk);
    }
    ok = ok && !b.failed;
    buf_release(&b);
    return ok ? ERR_OK : ERR_LIMIT;
}
