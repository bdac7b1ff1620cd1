/* normalize.c - the rewriting of text before it is cut into pieces. */
#include "text/tokenizer_int.h"

#include <utf8proc.h>

#include "base/check.h"
#include "text/unicode.h"

/* Code points with room to grow. */
struct points {
    int32_t *c;
    size_t n, n_reserved;
};

static bool points_reserve(struct points *p, size_t n_more)
{
    if (p->n + n_more <= p->n_reserved)
        return true;
    size_t n = 2 * (p->n + n_more);
    int32_t *c = mem_resize(p->c, n * sizeof *c);
    if (!c)
        return false;
    p->c = c;
    p->n_reserved = n;
    return true;
}

static int combining_class(int32_t c)
{
    bool inert = c < 0x300 || unicode_is_frozen((uint32_t)c);
    return inert ? 0 : utf8proc_get_property(c)->combining_class;
}

/* Sort a run of combining marks by class, stably. A counting sort, since a hostile text may be one
 * long run. */
static bool sort_run(int32_t *c, size_t n)
{
    size_t start[257] = {0};
    int32_t *copy = mem_alloc(n * sizeof *copy);
    if (!copy)
        return false;
    memcpy(copy, c, n * sizeof *copy);
    for (size_t i = 0; i < n; i++)
        start[combining_class(copy[i]) + 1]++;
    for (int k = 0; k < 256; k++)
        start[k + 1] += start[k];
    for (size_t i = 0; i < n; i++)
        c[start[combining_class(copy[i])]++] = copy[i];
    mem_free(copy);
    return true;
}

static bool sort_marks(struct points *p)
{
    for (size_t i = 0, end; i < p->n; i = end) {
        end = i + 1;
        if (combining_class(p->c[i]) == 0)
            continue;
        while (end < p->n && combining_class(p->c[end]) != 0)
            end++;
        if (end - i > 1 && !sort_run(p->c + i, end - i))
            return false;
    }
    return true;
}

static bool decompose(struct str text, bool compatible, struct points *p)
{
    int options = UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
    for (size_t i = 0; i < text.len;) {
        uint32_t c;
        int boundary = 0;
        i += (size_t)utf8_decode(text.ptr + i, text.len - i, &c);
        if (!points_reserve(p, 32))
            return false;
        utf8proc_ssize_t n = 1;
        if (unicode_is_frozen(c))
            p->c[p->n] = (int32_t)c;
        else
            n = utf8proc_decompose_char((int32_t)c, p->c + p->n, 32, options, &boundary);
        CHECK(n >= 0 && n <= 32);
        p->n += (size_t)n;
    }
    return sort_marks(p);
}

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] >= 0x80)
            return false;
    return true;
}

static void add_point(struct buf *out, uint32_t c)
{
    char bytes[4];
    buf_add(out, bytes, (size_t)utf8_encode(c, bytes));
}

/* Compose between frozen characters, which take no part. */
static void compose(struct points *p)
{
    size_t n_out = 0;
    for (size_t i = 0, end; i < p->n; i = end) {
        for (end = i; end < p->n && !unicode_is_frozen((uint32_t)p->c[end]);)
            end++;
        utf8proc_ssize_t n = 0;
        if (end > i)
            n = utf8proc_normalize_utf32(p->c + i, (utf8proc_ssize_t)(end - i),
                                         UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        memmove(p->c + n_out, p->c + i, (size_t)n * sizeof *p->c);
        n_out += (size_t)n;
        if (end < p->n)
            p->c[n_out++] = p->c[end++];
    }
    p->n = n_out;
}

static enum err normal_form(enum norm_kind kind, struct str text, struct buf *out,
                            struct err_note *note)
{
    if (is_ascii(text)) {
        buf_add(out, text.ptr, text.len);
        return ERR_OK;
    }
    struct points p = {0};
    bool ok = decompose(text, kind == NORM_NFKC || kind == NORM_NFKD, &p);
    if (ok && (kind == NORM_NFC || kind == NORM_NFKC))
        compose(&p);
    for (size_t i = 0; ok && i < p.n; i++)
        add_point(out, (uint32_t)p.c[i]);
    mem_free(p.c);
    return ok ? ERR_OK : err_set(note, ERR_MEMORY, "no memory to normalise %zu bytes", text.len);
}

/* What one character becomes under the steps that look at single characters. */
static void map_character(enum norm_kind kind, uint32_t c, struct buf *out)
{
    switch (kind) {
    case NORM_LOWERCASE:
        if (c == 0x130) /* the one character whose lower case is two */
            buf_str(out, "i\xcc\x87");
        else
            add_point(out, unicode_lower(c));
        break;
    case NORM_STRIP_ACCENTS:
        if (!unicode_is_mark(c))
            add_point(out, c);
        break;
    case NORM_STRIP_NONSPACING:
        if (!unicode_is_nonspacing(c))
            add_point(out, c);
        break;
    case NORM_CLEAN:
        if (c != 0 && c != 0xfffd && !unicode_is_other(c))
            add_point(out, unicode_is_space(c) ? ' ' : c);
        break;
    case NORM_CHINESE:
        if (unicode_is_ideograph(c))
            buf_char(out, ' ');
        add_point(out, c);
        if (unicode_is_ideograph(c))
            buf_char(out, ' ');
        break;
    default:
        CHECK(kind == NORM_NMT);
        if (!unicode_nmt_drops(c))
            add_point(out, unicode_nmt_space(c) ? ' ' : c);
    }
}

static void map_characters(enum norm_kind kind, struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.len;) {
        uint32_t c;
        i += (size_t)utf8_decode(text.ptr + i, text.len - i, &c);
        map_character(kind, c, out);
    }
}

static void strip_spaces(enum norm_kind kind, struct str s, struct buf *out)
{
    uint32_t c;
    while (kind == NORM_STRIP_LEFT && s.len) {
        size_t n = (size_t)utf8_decode(s.ptr, s.len, &c);
        if (!unicode_is_space(c))
            break;
        s = str_sub(s, n, s.len);
    }
    while (kind == NORM_STRIP_RIGHT && s.len) {
        size_t at = s.len - 1;
        while (at > 0 && ((unsigned char)s.ptr[at] & 0xc0) == 0x80)
            at--;
        utf8_decode(s.ptr + at, s.len - at, &c);
        if (!unicode_is_space(c))
            break;
        s.len = at;
    }
    buf_add(out, s.ptr, s.len);
}

static enum err replace(const struct norm_step *step, struct str text, struct buf *out,
                        struct err_note *note)
{
    struct buf copy;
    buf_init(&copy, text.len);
    struct str subject = regex_stand_in(text, &copy);
    struct regex_scratch *scratch = regex_scratch_new();
    enum err rc = scratch && !copy.failed ? ERR_OK : err_set(note, ERR_MEMORY, "no memory");
    size_t done = 0, from = 0, start, end;
    while (rc == ERR_OK && from <= text.len) {
        rc = regex_find(step->regex, scratch, subject, from, &start, &end, note);
        if (rc != ERR_OK)
            break;
        buf_add(out, text.ptr + done, start - done);
        buf_add(out, step->b.ptr, step->b.len);
        done = end;
        from = end > start ? end : end + 1;
        while (from < text.len && ((unsigned char)text.ptr[from] & 0xc0) == 0x80)
            from++;
    }
    buf_add(out, text.ptr + done, text.len - done);
    regex_scratch_free(scratch);
    buf_release(&copy);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/* A chunk through the map; false, adding nothing, if the map leaves it. */
static bool map_chunk(struct str map, struct str chunk, struct buf *out)
{
    struct str replacement;
    if (!charsmap_find(map, chunk, &replacement))
        return false;
    buf_add(out, replacement.ptr, replacement.len);
    return true;
}

/* As in `tokenizers`: a grapheme shorter than 6 bytes as a whole, else character by character. */
static void map_graphemes(struct str map, struct str text, struct buf *out)
{
    for (size_t start = 0, end; start < text.len; start = end) {
        uint32_t c, next;
        utf8proc_int32_t state = 0;
        end = start + (size_t)utf8_decode(text.ptr + start, text.len - start, &c);
        while (end < text.len) {
            size_t n = (size_t)utf8_decode(text.ptr + end, text.len - end, &next);
            if (utf8proc_grapheme_break_stateful((int32_t)c, (int32_t)next, &state))
                break;
            c = next;
            end += n;
        }
        struct str grapheme = str_sub(text, start, end);
        if (grapheme.len < 6 && map_chunk(map, grapheme, out))
            continue;
        for (size_t i = start, n; i < end; i += n) {
            n = (size_t)utf8_decode(text.ptr + i, end - i, &c);
            if (!map_chunk(map, str_sub(text, i, i + n), out))
                buf_add(out, text.ptr + i, n);
        }
    }
}

static enum err run_step(const struct norm_step *step, struct str text, struct buf *out,
                         struct err_note *note)
{
    switch (step->kind) {
    case NORM_NFC:
    case NORM_NFD:
    case NORM_NFKC:
    case NORM_NFKD:
        return normal_form(step->kind, text, out, note);
    case NORM_STRIP_LEFT:
    case NORM_STRIP_RIGHT:
        strip_spaces(step->kind, text, out);
        return ERR_OK;
    case NORM_PREPEND:
        if (text.len)
            buf_add(out, step->a.ptr, step->a.len);
        buf_add(out, text.ptr, text.len);
        return ERR_OK;
    case NORM_REPLACE:
        return replace(step, text, out, note);
    case NORM_CHARSMAP:
        map_graphemes(step->a, text, out);
        return ERR_OK;
    case NORM_BYTE_MAP:
        byte_map_text(text, out);
        return ERR_OK;
    default:
        map_characters(step->kind, text, out);
        return ERR_OK;
    }
}

enum err normalize(const struct norm_step *steps, size_t n_steps, struct str text, struct buf *out,
                   struct err_note *note)
{
    struct buf other;
    enum err rc = ERR_OK;
    buf_init(&other, out->n_bytes_max);
    buf_add(out, text.ptr, text.len);
    if (out->failed)
        rc = err_set(note, ERR_MEMORY, "no memory to normalise %zu bytes", text.len);
    for (size_t i = 0; rc == ERR_OK && i < n_steps; i++) {
        struct buf in = *out;
        buf_clear(&other);
        buf_str(&other, ""); /* never a NULL text */
        rc = run_step(&steps[i], (struct str){in.bytes, in.n_bytes}, &other, note);
        *out = other;
        other = in;
        if (rc == ERR_OK && out->failed)
            rc = err_set(note, ERR_LIMIT, "a text of %zu bytes grows beyond %zu", text.len,
                         out->n_bytes_max);
    }
    buf_release(&other);
    return rc;
}
