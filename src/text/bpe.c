/* bpe.c - byte-pair encoding: the merge of lowest rank first, leftmost among equals.
 *
 * Symbols form a linked list; a heap holds the merges that were possible when they were pushed. A
 * merge that is no longer there, or now makes another token, is skipped when it surfaces, so a
 * piece of n characters costs O(n log n). */
#include "text/tokenizer_int.h"

#include "base/check.h"

struct symbol {
    int32_t id;     /* TOKEN_NONE: merged into its left neighbour */
    uint32_t prev, next;
};
enum { NO_SYMBOL = UINT32_MAX };

struct merge {
    uint32_t rank, at, merged;
};

struct merger {
    const struct bpe *bpe;
    struct symbol *symbols;
    size_t n_symbols, n_symbols_max;
    struct merge *heap;
    size_t n_heap;
};

static size_t pair_slot(const struct bpe *b, uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    size_t i = (h ^ h >> 32) & (b->n_slots - 1);
    while (b->pairs[i].merged != UINT32_MAX &&
           (b->pairs[i].left != left || b->pairs[i].right != right))
        i = (i + 1) & (b->n_slots - 1);
    return i;
}

enum err bpe_init(struct bpe *b, size_t n_pairs_max, struct err_note *note)
{
    b->n_slots = 16;
    while (b->n_slots < 2 * n_pairs_max)
        b->n_slots *= 2;
    b->pairs = mem_array(b->n_slots, sizeof *b->pairs);
    if (!b->pairs)
        return err_set(note, ERR_MEMORY, "no memory for %zu merges", n_pairs_max);
    for (size_t i = 0; i < b->n_slots; i++)
        b->pairs[i].merged = UINT32_MAX;
    return ERR_OK;
}

void bpe_add(struct bpe *b, int32_t left, int32_t right, uint32_t rank, int32_t merged)
{
    size_t slot = pair_slot(b, (uint32_t)left, (uint32_t)right);
    if (b->pairs[slot].merged != UINT32_MAX)
        return;
    CHECK(2 * b->n_pairs < b->n_slots);
    b->pairs[slot] = (struct bpe_pair){(uint32_t)left, (uint32_t)right, rank, (uint32_t)merged};
    b->n_pairs++;
}

const struct bpe_pair *bpe_find(const struct bpe *b, int32_t left, int32_t right)
{
    const struct bpe_pair *p = &b->pairs[pair_slot(b, (uint32_t)left, (uint32_t)right)];
    return p->merged == UINT32_MAX ? NULL : p;
}

void bpe_release(struct bpe *b)
{
    mem_free(b->pairs);
    *b = (struct bpe){0};
}

static bool merge_before(struct merge a, struct merge b)
{
    return a.rank != b.rank ? a.rank < b.rank : a.at < b.at;
}

static void heap_push(struct merger *m, struct merge x)
{
    size_t i = m->n_heap++;
    while (i > 0 && merge_before(x, m->heap[(i - 1) / 2])) {
        m->heap[i] = m->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    m->heap[i] = x;
}

static struct merge heap_pop(struct merger *m)
{
    struct merge top = m->heap[0], x = m->heap[--m->n_heap];
    size_t i = 0;
    for (size_t child = 1; child < m->n_heap; child = 2 * i + 1) {
        if (child + 1 < m->n_heap && merge_before(m->heap[child + 1], m->heap[child]))
            child++;
        if (!merge_before(m->heap[child], x))
            break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = x;
    return top;
}

/* The pair of symbol at and its right neighbour, NULL if it does not merge. */
static const struct bpe_pair *pair_at(const struct merger *m, uint32_t at)
{
    const struct symbol *left = &m->symbols[at];
    if (left->id == TOKEN_NONE || left->next == NO_SYMBOL)
        return NULL;
    return bpe_find(m->bpe, left->id, m->symbols[left->next].id);
}

static void consider(struct merger *m, uint32_t at)
{
    const struct bpe_pair *p = pair_at(m, at);
    if (p)
        heap_push(m, (struct merge){p->rank, at, p->merged});
}

static void merge_all(struct merger *m)
{
    for (uint32_t i = 0; i + 1 < m->n_symbols; i++)
        consider(m, i);
    while (m->n_heap) {
        struct merge top = heap_pop(m);
        const struct bpe_pair *p = pair_at(m, top.at);
        if (!p || p->merged != top.merged)
            continue;
        struct symbol *left = &m->symbols[top.at], *right = &m->symbols[left->next];
        left->id = (int32_t)top.merged;
        left->next = right->next;
        right->id = TOKEN_NONE;
        if (right->next != NO_SYMBOL)
            m->symbols[right->next].prev = top.at;
        if (left->prev != NO_SYMBOL)
            consider(m, left->prev);
        consider(m, top.at);
    }
}

static void add_symbol(struct merger *m, int32_t id)
{
    CHECK(m->n_symbols < m->n_symbols_max);
    uint32_t i = (uint32_t)m->n_symbols++;
    m->symbols[i] = (struct symbol){id, i ? i - 1 : NO_SYMBOL, NO_SYMBOL};
    if (i)
        m->symbols[i - 1].next = i;
}

/* The <0xHH> tokens of s; false, adding none, if the vocabulary lacks one. */
static bool add_bytes(struct merger *m, const struct vocab *v, struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (vocab_find_byte(v, (unsigned char)s.ptr[i]) == TOKEN_NONE)
            return false;
    for (size_t i = 0; i < s.len; i++)
        add_symbol(m, vocab_find_byte(v, (unsigned char)s.ptr[i]));
    return true;
}

/* The token of one character, with the prefix or suffix that its place asks for. */
static int32_t find_character(const struct tokenizer *t, struct str c, bool first, bool last)
{
    const struct bpe *b = &t->bpe;
    struct str prefix = first ? STR("") : b->prefix;
    struct str suffix = last ? b->suffix : STR("");
    if (prefix.len + suffix.len == 0)
        return vocab_find_model(&t->vocab, c);
    char text[2 * 64 + 4];
    CHECK(prefix.len <= 64 && suffix.len <= 64);
    memcpy(text, prefix.ptr, prefix.len);
    memcpy(text + prefix.len, c.ptr, c.len);
    memcpy(text + prefix.len + c.len, suffix.ptr, suffix.len);
    return vocab_find_model(&t->vocab, (struct str){text, prefix.len + c.len + suffix.len});
}

/* Characters to symbols. An unknown token waits for its neighbours, to be fused with them. */
static void split_characters(struct merger *m, const struct tokenizer *t, struct str piece)
{
    bool unk_waits = false;
    for (size_t i = 0; i < piece.len;) {
        uint32_t code_point;
        size_t n = (size_t)utf8_decode(piece.ptr + i, piece.len - i, &code_point);
        CHECK(n > 0);
        struct str c = str_sub(piece, i, i + n);
        int32_t id = find_character(t, c, i == 0, i + n == piece.len);
        i += n;
        if (id != TOKEN_NONE) {
            if (unk_waits)
                add_symbol(m, t->unk);
            unk_waits = false;
            add_symbol(m, id);
        } else if (!(t->bpe.byte_fallback && add_bytes(m, &t->vocab, c)) && t->unk != TOKEN_NONE) {
            if (unk_waits && !t->bpe.fuse_unk)
                add_symbol(m, t->unk);
            unk_waits = true;
        }
    }
    if (unk_waits)
        add_symbol(m, t->unk);
}

enum { SMALL_PIECE = 128 };

static enum err encode_with(struct merger *m, const struct tokenizer *t, struct str piece,
                            struct token_list *out)
{
    split_characters(m, t, piece);
    merge_all(m);
    for (uint32_t i = 0; i < m->n_symbols; i++)
        if (m->symbols[i].id != TOKEN_NONE && !token_list_add(out, m->symbols[i].id))
            return ERR_LIMIT;
    return ERR_OK;
}

/* At most one symbol per byte; every merge pushes at most two and removes one symbol, after at
 * most one push per neighbouring pair: 3 n bounds the heap. */
enum err bpe_encode(const struct tokenizer *t, struct str piece, struct token_list *out)
{
    if (t->bpe.ignore_merges) {
        int32_t id = vocab_find_model(&t->vocab, piece);
        if (id != TOKEN_NONE)
            return token_list_add(out, id) ? ERR_OK : ERR_LIMIT;
    }
    if (piece.len >= UINT32_MAX / 4)
        return ERR_LIMIT;
    struct merger m = {.bpe = &t->bpe, .n_symbols_max = piece.len};
    if (piece.len <= SMALL_PIECE) {
        struct symbol symbols[SMALL_PIECE];
        struct merge heap[3 * SMALL_PIECE];
        m.symbols = symbols;
        m.heap = heap;
        return encode_with(&m, t, piece, out);
    }
    m.symbols = mem_array(piece.len, sizeof *m.symbols);
    m.heap = mem_array(3 * piece.len, sizeof *m.heap);
    enum err rc = m.symbols && m.heap ? encode_with(&m, t, piece, out) : ERR_MEMORY;
    mem_free(m.symbols);
    mem_free(m.heap);
    return rc;
}
