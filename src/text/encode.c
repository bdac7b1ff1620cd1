/* encode.c - the walk from text to ids. */
#include "text/tokenizer_int.h"

#include "base/check.h"
#include "text/unicode.h"
#include "text/utf8.h"

/* A text may grow this much while it is normalised. */
enum { GROWTH_MAX = 64, GROWTH_MIN = 1 << 16 };

/* One call of tokenizer_encode. */
struct encoder {
    const struct tokenizer *t;
    unsigned flags;
    struct token_list *out;
    struct err_note *note;
    size_t n_bytes_max;
};

static enum err encode_piece(struct encoder *e, struct str piece)
{
    switch (e->t->model) {
    case MODEL_UNIGRAM:
        return unigram_encode(e->t, piece, e->out);
    case MODEL_WORDPIECE:
        return wordpiece_encode(e->t, piece, e->out);
    default:
        return bpe_encode(e->t, piece, e->out);
    }
}

/* Text without added tokens, already normalised. */
static enum err encode_plain(struct encoder *e, struct str text, bool first)
{
    if (text.len == 0)
        return ERR_OK;
    struct pieces p;
    pieces_init(&p, e->n_bytes_max);
    buf_add(&p.text, text.ptr, text.len);
    bool ok = !p.text.failed && pieces_add(&p, (struct piece){0, text.len, first});
    enum err rc = ok ? pretokenize(e->t->pre, e->t->n_pre, &p, e->note)
                     : err_set(e->note, ERR_MEMORY, "no memory to encode %zu bytes", text.len);
    for (size_t i = 0; rc == ERR_OK && i < p.n_items; i++) {
        const struct piece *x = &p.items[i];
        rc = encode_piece(e, (struct str){p.text.bytes + x->from, x->to - x->from});
        if (rc != ERR_OK)
            err_set(e->note, rc, "the text has more than %zu tokens, or no memory is left",
                    e->out->n_ids_max);
    }
    pieces_release(&p);
    return rc;
}

static bool word_before(struct str text, size_t at)
{
    uint32_t c;
    if (at == 0)
        return false;
    do
        at--;
    while (at > 0 && ((unsigned char)text.ptr[at] & 0xc0) == 0x80);
    return utf8_decode(text.ptr + at, text.len - at, &c) && unicode_is_word(c);
}

static bool word_after(struct str text, size_t at)
{
    uint32_t c;
    return at < text.len && utf8_decode(text.ptr + at, text.len - at, &c) && unicode_is_word(c);
}

static size_t spaces_before(struct str text, size_t at)
{
    for (;;) {
        size_t i = at;
        uint32_t c;
        if (i == 0)
            return at;
        do
            i--;
        while (i > 0 && ((unsigned char)text.ptr[i] & 0xc0) == 0x80);
        if (!utf8_decode(text.ptr + i, text.len - i, &c) || !unicode_is_space(c))
            return at;
        at = i;
    }
}

static size_t spaces_after(struct str text, size_t at)
{
    uint32_t c;
    int n;
    while (at < text.len && (n = utf8_decode(text.ptr + at, text.len - at, &c)) > 0 &&
           unicode_is_space(c))
        at += (size_t)n;
    return at;
}

/* The longest added token that begins text, NULL if none does. */
static const struct prefix_entry *longest(const struct prefix_set *set, struct str text)
{
    struct prefix_walk w = {.set = set};
    const struct prefix_entry *found = NULL, *next;
    while ((next = prefix_next(&w, text)))
        found = next;
    return found;
}

typedef enum err part_fn(struct encoder *e, struct str part, bool first);

/* Cut text at the added tokens of set: their ids go out, the rest to plain. A token that is found
 * but may not match here (special, or inside a word) hides what it covers, as in `tokenizers`. */
static enum err cut_at_added(struct encoder *e, const struct prefix_set *set, struct str text,
                             bool first, part_fn *plain)
{
    size_t done = 0, i = 0;
    enum err rc = ERR_OK;
    while (rc == ERR_OK && set->n_entries && i < text.len) {
        const struct prefix_entry *hit = longest(set, str_sub(text, i, text.len));
        if (!hit) {
            i++;
            continue;
        }
        const struct added_token *a = &e->t->added[hit->id];
        size_t start = i, end = i + hit->text.len;
        i = end;
        if ((a->special && !(e->flags & ENCODE_PARSE_SPECIAL)) ||
            (a->single_word && (word_before(text, start) || word_after(text, end))))
            continue;
        if (a->lstrip) {
            start = spaces_before(text, start);
            start = start < done ? done : start;
        }
        if (a->rstrip)
            end = spaces_after(text, end);
        if (done < start)
            rc = plain(e, str_sub(text, done, start), first && done == 0);
        if (rc == ERR_OK && !token_list_add(e->out, a->id))
            rc = err_set(e->note, ERR_LIMIT, "the text has more than %zu tokens",
                         e->out->n_ids_max);
        done = end;
    }
    if (rc == ERR_OK && done < text.len)
        rc = plain(e, str_sub(text, done, text.len), first && done == 0);
    return rc;
}

/* Text between added tokens that match as written. */
static enum err encode_raw(struct encoder *e, struct str text, bool first)
{
    struct buf b;
    if (e->t->n_norm == 0)
        return cut_at_added(e, &e->t->added_norm, text, first, encode_plain);
    buf_init(&b, e->n_bytes_max);
    enum err rc = normalize(e->t->norm, e->t->n_norm, text, &b, e->note);
    if (rc == ERR_OK)
        rc = cut_at_added(e, &e->t->added_norm, (struct str){b.bytes, b.n_bytes}, first,
                          encode_plain);
    buf_release(&b);
    return rc;
}

static enum err add_all(struct encoder *e, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!token_list_add(e->out, ids[i]))
            return err_set(e->note, ERR_LIMIT, "the text has more than %zu tokens",
                           e->out->n_ids_max);
    return ERR_OK;
}

enum err tokenizer_encode(const struct tokenizer *t, struct str text, unsigned flags,
                          struct token_list *out, struct err_note *note)
{
    struct buf repaired;
    size_t n_before = out->n_ids;
    bool special = flags & ENCODE_ADD_SPECIAL;
    if (text.len > SIZE_MAX / (4 * GROWTH_MAX) - GROWTH_MIN)
        return err_set(note, ERR_LIMIT, "a text of %zu bytes is too long", text.len);
    buf_init(&repaired, 3 * text.len);
    if (text.len && !utf8_valid(text.ptr, text.len)) {
        utf8_repair(text, &repaired);
        if (repaired.failed)
            return err_set(note, ERR_MEMORY, "no memory to encode %zu bytes", text.len);
        text = (struct str){repaired.bytes, repaired.n_bytes};
    }
    struct encoder e = {t, flags, out, note, GROWTH_MAX * text.len + GROWTH_MIN};
    enum err rc = special ? add_all(&e, t->before, t->n_before) : ERR_OK;
    if (rc == ERR_OK && text.len)
        rc = cut_at_added(&e, &t->added_raw, text, true, encode_raw);
    if (rc == ERR_OK && special)
        rc = add_all(&e, t->after, t->n_after);
    if (rc != ERR_OK)
        out->n_ids = n_before;
    buf_release(&repaired);
    return rc;
}
