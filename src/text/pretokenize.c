/* pretokenize.c - cutting a text into the pieces that the model sees one by one. */
#include "text/tokenizer_int.h"

#include "base/check.h"
#include "text/unicode.h"

void pieces_init(struct pieces *p, size_t n_bytes_max)
{
    *p = (struct pieces){0};
    buf_init(&p->text, n_bytes_max);
}

bool pieces_add(struct pieces *p, struct piece piece)
{
    if (piece.from == piece.to)
        return true;
    if (p->n_items == p->n_reserved) {
        size_t n = p->n_reserved ? 2 * p->n_reserved : 64;
        struct piece *items = mem_resize(p->items, n * sizeof *items);
        if (!items)
            return false;
        p->items = items;
        p->n_reserved = n;
    }
    p->items[p->n_items++] = piece;
    return true;
}

void pieces_release(struct pieces *p)
{
    buf_release(&p->text);
    mem_free(p->items);
    *p = (struct pieces){0};
}

/* The pieces of one piece, before the behaviour has merged or removed any. A merging behaviour
 * looks at no more than the last match, so the next span alone is kept. */
struct splitter {
    const struct pre_step *step;
    struct pieces *out;
    struct piece parent;
    size_t first_item;       /* of this parent in out */
    bool previous, any;      /* whether the last span matched; whether there was one */
    bool last_match_waiting; /* MERGED_NEXT: out's last item is a match that wants the next span */
};

static bool append(struct splitter *s, size_t from, size_t to)
{
    bool first = s->parent.first && from == s->parent.from;
    return pieces_add(s->out, (struct piece){from, to, first});
}

static bool extend(struct splitter *s, size_t to)
{
    s->out->items[s->out->n_items - 1].to = to;
    return true;
}

/* Matches of a run pair up from its end with MERGED_NEXT, so there the run is resolved when it
 * ends: of its matches only the last joins the text after it. */
static bool span(struct splitter *s, size_t from, size_t to, bool match)
{
    bool has_last = s->out->n_items > s->first_item, ok = true;
    switch (s->step->behaviour) {
    case SPLIT_ISOLATED:
        ok = append(s, from, to);
        break;
    case SPLIT_REMOVED:
        ok = match || append(s, from, to);
        break;
    case SPLIT_MERGED_PREVIOUS:
        ok = match && !s->previous && has_last ? extend(s, to) : append(s, from, to);
        break;
    case SPLIT_MERGED_NEXT:
        ok = !match && s->last_match_waiting ? extend(s, to) : append(s, from, to);
        s->last_match_waiting = match && from < to;
        break;
    case SPLIT_CONTIGUOUS:
        ok = s->any && match == s->previous && has_last ? extend(s, to) : append(s, from, to);
        break;
    }
    s->previous = match;
    s->any = true;
    return ok;
}

/* All matches in the parent, the text between them, and the rest. An empty match cuts without
 * taking anything; like Oniguruma's iterator, none directly after another match. */
static enum err split_one(struct splitter *s, struct str text, struct regex_scratch *scratch,
                          struct err_note *note)
{
    struct str part = str_sub(text, s->parent.from, s->parent.to);
    size_t done = 0, from = 0, start, end, last_end = SIZE_MAX;
    bool ok = true;
    while (ok && from <= part.len) {
        enum err rc = regex_find(s->step->regex, scratch, part, from, &start, &end, note);
        if (rc == ERR_NOT_FOUND)
            break;
        if (rc != ERR_OK)
            return rc;
        if (start != end || end != last_end) {
            if (done != start)
                ok = span(s, s->parent.from + done, s->parent.from + start, s->step->invert);
            ok = ok && span(s, s->parent.from + start, s->parent.from + end, !s->step->invert);
            done = last_end = end;
        }
        from = end;
        if (start == end) { /* on to the next character */
            uint32_t c;
            from += end < part.len ? (size_t)utf8_decode(part.ptr + end, part.len - end, &c) : 1;
        }
    }
    if (ok && done != part.len)
        ok = span(s, s->parent.from + done, s->parent.to, s->step->invert);
    return ok ? ERR_OK : err_set(note, ERR_MEMORY, "no memory to split a text");
}

static bool in_class(enum char_class k, uint32_t c)
{
    switch (k) {
    case CLASS_SPACE:
        return unicode_is_space(c);
    case CLASS_NUMBER:
        return unicode_is_number(c);
    case CLASS_PUNCTUATION:
        return unicode_is_punctuation(c);
    default:
        CHECK(k == CLASS_WORD);
        return unicode_is_word(c);
    }
}

/* The same at single characters of a class. */
static enum err split_at_class(struct splitter *s, struct str text, struct err_note *note)
{
    size_t done = s->parent.from, at = done, n;
    bool ok = true;
    for (; ok && at < s->parent.to; at += n) {
        uint32_t c;
        n = (size_t)utf8_decode(text.ptr + at, text.len - at, &c);
        if (!in_class(s->step->char_class, c))
            continue;
        if (done != at)
            ok = span(s, done, at, s->step->invert);
        ok = ok && span(s, at, at + n, !s->step->invert);
        done = at + n;
    }
    if (ok && done != s->parent.to)
        ok = span(s, done, s->parent.to, s->step->invert);
    return ok ? ERR_OK : err_set(note, ERR_MEMORY, "no memory to split a text");
}

static enum err split_all(const struct pre_step *step, struct pieces *p, struct err_note *note)
{
    struct pieces out;
    struct buf copy;
    pieces_init(&out, 0);
    buf_init(&copy, p->text.n_bytes);
    struct str original = {p->text.bytes, p->text.n_bytes};
    struct str text = step->regex ? regex_stand_in(original, &copy) : original;
    struct regex_scratch *scratch = regex_scratch_new();
    enum err rc = scratch && !copy.failed
                      ? ERR_OK
                      : err_set(note, ERR_MEMORY, "no memory for a regular expression");
    for (size_t i = 0; rc == ERR_OK && i < p->n_items; i++) {
        struct splitter s = {step, &out, p->items[i], out.n_items, false, false, false};
        rc = step->regex ? split_one(&s, text, scratch, note) : split_at_class(&s, original, note);
    }
    regex_scratch_free(scratch);
    buf_release(&copy);
    mem_free(p->items);
    p->items = out.items;
    p->n_items = out.n_items;
    p->n_reserved = out.n_reserved;
    return rc;
}

static void replace_spaces(struct str s, struct str with, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == ' ')
            buf_add(out, with.ptr, with.len);
        else
            buf_char(out, s.ptr[i]);
    }
}

/* One piece through a step that rewrites text. */
static void rewrite_one(const struct pre_step *step, struct str s, bool first, struct buf *out)
{
    if (step->kind == PRE_PREFIX_SPACE) {
        if (s.ptr[0] != ' ')
            buf_char(out, ' ');
        buf_add(out, s.ptr, s.len);
    } else if (step->kind == PRE_BYTE_MAP) {
        byte_map_text(s, out);
    } else {
        bool has = s.ptr[0] == ' ' || str_starts(s, step->text);
        bool wants = step->scheme == METASPACE_FIRST ? first : step->scheme == METASPACE_ALWAYS;
        if (wants && !has)
            buf_add(out, step->text.ptr, step->text.len);
        replace_spaces(s, step->text, out);
    }
}

static enum err rewrite_all(const struct pre_step *step, struct pieces *p, struct err_note *note)
{
    struct buf out;
    buf_init(&out, p->text.n_bytes_max);
    for (size_t i = 0; i < p->n_items; i++) {
        struct piece *piece = &p->items[i];
        struct str s = {p->text.bytes + piece->from, piece->to - piece->from};
        piece->from = out.n_bytes;
        rewrite_one(step, s, piece->first, &out);
        piece->to = out.n_bytes;
    }
    bool failed = out.failed;
    buf_release(&p->text);
    p->text = out;
    return failed ? err_set(note, ERR_LIMIT, "a text grows beyond %zu bytes", out.n_bytes_max)
                  : ERR_OK;
}

enum err pretokenize(const struct pre_step *steps, size_t n_steps, struct pieces *p,
                     struct err_note *note)
{
    enum err rc = ERR_OK;
    for (size_t i = 0; rc == ERR_OK && i < n_steps; i++)
        rc = steps[i].kind == PRE_SPLIT ? split_all(&steps[i], p, note)
                                        : rewrite_all(&steps[i], p, note);
    return rc;
}
