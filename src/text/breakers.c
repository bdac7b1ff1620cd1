/* breakers.c - the token sequences in which a text may appear. */
#include "text/breakers.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

enum { ITEMS_MAX = 1 << 24 };

/* tails.ids[from..] of what is left of a text after its first n bytes. */
struct rest {
    uint32_t from, n;
};

static enum err encode_rests(const struct tokenizer *t, struct str text, struct breakers *b,
                             struct rest rests[BREAKER_BYTES_MAX], struct err_note *note)
{
    for (size_t n = 1; n < text.len; n++) {
        rests[n].from = (uint32_t)b->tails.n_ids;
        enum err rc = tokenizer_encode(t, str_sub(text, n, text.len), 0, &b->tails, note);
        if (rc)
            return rc;
        rests[n].n = (uint32_t)b->tails.n_ids - rests[n].from;
    }
    return ERR_OK;
}

static bool is_known(const struct breakers *b, int32_t head, struct rest tail)
{
    const int32_t *ids = b->tails.ids;
    for (size_t i = b->n_items; i-- > 0 && b->items[i].head == head;)
        if (b->items[i].n_tail == tail.n &&
            (tail.n == 0 ||
             memcmp(ids + b->items[i].tail, ids + tail.from, tail.n * sizeof ids[0]) == 0))
            return true;
    return false;
}

static enum err add(struct breakers *b, int32_t head, struct rest tail, struct err_note *note)
{
    if (is_known(b, head, tail))
        return ERR_OK;
    if (b->n_items == b->n_reserved) {
        size_t n = b->n_reserved ? 2 * b->n_reserved : 256;
        struct breaker *items = n <= ITEMS_MAX ? mem_resize(b->items, n * sizeof items[0]) : NULL;
        if (!items)
            return err_set(note, ERR_MEMORY, "out of memory for the texts that break repetitions");
        b->items = items;
        b->n_reserved = n;
    }
    b->items[b->n_items++] = (struct breaker){head, tail.from, tail.n};
    return ERR_OK;
}

/* What one token, spelling `word`, has to do with one text. */
static enum err add_token(struct breakers *b, int32_t id, struct str word, struct str text,
                          const struct rest *rests, struct err_note *note)
{
    if (memmem(word.ptr, word.len, text.ptr, text.len))
        return add(b, id, (struct rest){0}, note);
    for (size_t from = 0; from < word.len; from++) {
        size_t n = word.len - from;
        if (n >= text.len || memcmp(word.ptr + from, text.ptr, n) != 0)
            continue;
        enum err rc = add(b, id, rests[n], note);
        if (rc)
            return rc;
    }
    return ERR_OK;
}

static enum err check(const struct str *texts, size_t n_texts, struct err_note *note)
{
    for (size_t i = 0; i < n_texts; i++) {
        if (texts[i].len == 0)
            return err_set(note, ERR_USAGE, "a text that breaks repetitions is empty");
        if (texts[i].len > BREAKER_BYTES_MAX)
            return err_set(note, ERR_USAGE,
                           "a text that breaks repetitions has %zu bytes; at most %d", texts[i].len,
                           BREAKER_BYTES_MAX);
    }
    return ERR_OK;
}

static enum err add_all(const struct tokenizer *t, const struct str *texts, size_t n_texts,
                        struct rest (*rests)[BREAKER_BYTES_MAX], struct breakers *b,
                        struct err_note *note)
{
    enum err rc = ERR_OK;
    struct buf word;
    buf_init(&word, 1 << 20);
    for (size_t i = 0; i < n_texts && !rc; i++)
        rc = encode_rests(t, texts[i], b, rests[i], note);
    for (int32_t id = 0; !rc && (size_t)id < tokenizer_n_tokens(t); id++) {
        buf_clear(&word);
        rc = tokenizer_decode(t, &id, 1, DECODE_SPECIAL | DECODE_CONTINUE, &word, note);
        for (size_t i = 0; i < n_texts && !rc && word.n_bytes; i++)
            rc = add_token(b, id, (struct str){word.bytes, word.n_bytes}, texts[i], rests[i], note);
    }
    buf_release(&word);
    return rc;
}

enum err breakers_find(const struct tokenizer *t, const struct str *texts, size_t n_texts,
                       struct breakers *out, struct err_note *note)
{
    *out = (struct breakers){.tails.n_ids_max = INT32_MAX};
    enum err rc = check(texts, n_texts, note);
    if (rc || n_texts == 0)
        return rc;
    struct rest(*rests)[BREAKER_BYTES_MAX] = mem_array(n_texts, sizeof rests[0]);
    if (!rests)
        return err_set(note, ERR_MEMORY, "out of memory for the texts that break repetitions");
    rc = add_all(t, texts, n_texts, rests, out, note);
    mem_free(rests);
    if (rc)
        breakers_release(out);
    return rc;
}

void breakers_release(struct breakers *b)
{
    mem_free(b->items);
    token_list_release(&b->tails);
    *b = (struct breakers){0};
}
