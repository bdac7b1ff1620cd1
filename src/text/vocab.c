/* vocab.c - the two indexes over token texts: exact, and all tokens that begin a text. */
#include "text/tokenizer_int.h"

#include <stdlib.h>

#include "base/check.h"

static uint64_t text_hash(struct str s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.ptr[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

enum err vocab_init(struct vocab *v, size_t n_tokens, struct err_note *note)
{
    if (n_tokens == 0 || n_tokens > VOCAB_TOKENS_MAX)
        return err_set(note, ERR_LIMIT, "a vocabulary of %zu tokens; 1 to %d are supported",
                       n_tokens, VOCAB_TOKENS_MAX);
    v->texts = mem_array(n_tokens, sizeof *v->texts);
    v->types = mem_array(n_tokens, 1);
    v->in_model = mem_array(n_tokens, sizeof *v->in_model);
    v->n_tokens = n_tokens;
    if (!v->texts || !v->types || !v->in_model)
        return err_set(note, ERR_MEMORY, "no memory for %zu tokens", n_tokens);
    memset(v->types, TOKEN_UNUSED, n_tokens);
    return ERR_OK;
}

static size_t vocab_slot(const struct vocab *v, struct str text)
{
    size_t i = text_hash(text) & (v->n_slots - 1);
    while (v->slots[i] && !str_eq(v->texts[v->slots[i] - 1], text))
        i = (i + 1) & (v->n_slots - 1);
    return i;
}

enum err vocab_index(struct vocab *v, struct err_note *note)
{
    v->n_slots = 16;
    while (v->n_slots < 2 * v->n_tokens)
        v->n_slots *= 2;
    v->slots = mem_array(v->n_slots, sizeof *v->slots);
    if (!v->slots)
        return err_set(note, ERR_MEMORY, "no memory to index %zu tokens", v->n_tokens);
    for (size_t id = 0; id < v->n_tokens; id++) {
        struct str text = v->texts[id];
        if (text.len == 0)
            continue;
        size_t slot = vocab_slot(v, text);
        if (v->slots[slot])
            return err_set(note, ERR_FORMAT, "tokens %u and %zu are both \"%.*s\"",
                           v->slots[slot] - 1, id, STR_ARG(text));
        v->slots[slot] = (uint32_t)id + 1;
    }
    return ERR_OK;
}

int32_t vocab_find(const struct vocab *v, struct str text)
{
    return text.len ? (int32_t)v->slots[vocab_slot(v, text)] - 1 : TOKEN_NONE;
}

int32_t vocab_find_model(const struct vocab *v, struct str text)
{
    int32_t id = vocab_find(v, text);
    return id != TOKEN_NONE && v->in_model[id] ? id : TOKEN_NONE;
}

int32_t vocab_find_byte(const struct vocab *v, unsigned char byte)
{
    static const char digits[] = "0123456789ABCDEF";
    char text[] = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
    return vocab_find(v, (struct str){text, sizeof text});
}

void vocab_release(struct vocab *v)
{
    mem_free(v->texts);
    mem_free(v->types);
    mem_free(v->scores);
    mem_free(v->in_model);
    mem_free(v->slots);
    *v = (struct vocab){0};
}

enum err prefix_set_init(struct prefix_set *s, size_t n_entries_max, struct err_note *note)
{
    s->entries = mem_array(n_entries_max, sizeof *s->entries);
    s->n_entries = 0;
    if (!s->entries)
        return err_set(note, ERR_MEMORY, "no memory for %zu tokens", n_entries_max);
    return ERR_OK;
}

void prefix_set_add(struct prefix_set *s, struct str text, int32_t id)
{
    CHECK(text.len > 0);
    s->entries[s->n_entries++] = (struct prefix_entry){text, id};
}

static int entry_compare(const void *a, const void *b)
{
    const struct prefix_entry *x = a, *y = b;
    size_t n = x->text.len < y->text.len ? x->text.len : y->text.len;
    int order = memcmp(x->text.ptr, y->text.ptr, n);
    if (order == 0 && x->text.len != y->text.len)
        order = x->text.len < y->text.len ? -1 : 1;
    return order ? order : x->id < y->id ? -1 : x->id > y->id;
}

void prefix_set_sort(struct prefix_set *s)
{
    if (s->n_entries)
        qsort(s->entries, s->n_entries, sizeof *s->entries, entry_compare);
    size_t i = 0;
    for (unsigned b = 0; b < 257; b++) {
        while (i < s->n_entries && (unsigned char)s->entries[i].text.ptr[0] < b)
            i++;
        s->first[b] = (uint32_t)i;
    }
    s->first[256] = (uint32_t)s->n_entries;
}

void prefix_set_release(struct prefix_set *s)
{
    mem_free(s->entries);
    *s = (struct prefix_set){0};
}

/* The first entry of [lo, hi) whose byte at depth is at least byte; those end at or before depth
 * come first. */
static size_t lower_bound(const struct prefix_set *s, size_t lo, size_t hi, size_t depth, int byte)
{
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        struct str t = s->entries[mid].text;
        int c = t.len > depth ? (unsigned char)t.ptr[depth] : -1;
        if (c < byte)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct prefix_entry *prefix_next(struct prefix_walk *w, struct str text)
{
    const struct prefix_set *s = w->set;
    while (w->depth < text.len) {
        unsigned char byte = (unsigned char)text.ptr[w->depth];
        if (w->depth == 0) {
            w->lo = s->first[byte];
            w->hi = s->first[byte + 1];
        } else {
            w->lo = lower_bound(s, w->lo, w->hi, w->depth, byte);
            w->hi = lower_bound(s, w->lo, w->hi, w->depth, byte + 1);
        }
        if (w->lo == w->hi) {
            w->depth = text.len;
            return NULL;
        }
        w->depth++;
        if (s->entries[w->lo].text.len == w->depth)
            return &s->entries[w->lo];
    }
    return NULL;
}
