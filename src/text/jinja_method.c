/* jinja_method.c - the methods of str. */
#include "text/jinja_text.h"

#include "text/jinja_lex.h"

static bool need_str(struct jrun *r, struct jval v, struct str *out)
{
    *out = v.kind == J_STR ? jval_text(v) : STR("");
    return v.kind == J_STR || jrun_fail(r, "a str is needed, not %s", jval_type(v));
}

static bool piece(struct jrun *r, struct jval self, size_t from, size_t to, struct jval *out)
{
    bool ok = jtext_str(r, str_sub(jval_text(self), from, to), out);
    out->markup = self.markup;
    return ok;
}

static bool method_upper(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    (void)call;
    return jtext_case(r, self, JCASE_UPPER, out);
}

static bool method_lower(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    (void)call;
    return jtext_case(r, self, JCASE_LOWER, out);
}

static bool method_title(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    (void)call;
    return jtext_case(r, self, JCASE_TITLE, out);
}

static bool method_capitalize(struct jrun *r, struct jval self, struct jcall *call,
                              struct jval *out)
{
    (void)call;
    return jtext_case(r, self, JCASE_CAPITALIZE, out);
}

static bool method_swapcase(struct jrun *r, struct jval self, struct jcall *call,
                            struct jval *out)
{
    (void)call;
    return jtext_case(r, self, JCASE_SWAP, out);
}

/* Is the character to be stripped: a space, or one of chars? */
static bool is_stripped(uint32_t c, const struct str *chars)
{
    if (!chars)
        return uc_is_space(c);
    for (size_t i = 0; i < chars->len;) {
        uint32_t other;
        i += (size_t)utf8_decode(chars->ptr + i, chars->len - i, &other);
        if (other == c)
            return true;
    }
    return false;
}

static struct str strip(struct str s, const struct str *chars, bool left, bool right)
{
    size_t from = 0, to = 0;
    bool started = !left;
    for (size_t i = 0; i < s.len;) {
        uint32_t c;
        size_t start = i;
        i += (size_t)utf8_decode(s.ptr + i, s.len - i, &c);
        if (is_stripped(c, chars))
            continue;
        from = started ? from : start;
        started = true;
        to = i;
    }
    if (!started)
        return str_sub(s, s.len, s.len);
    return str_sub(s, from, right ? (to > from ? to : from) : s.len);
}

static bool strip_method(struct jrun *r, struct jval self, struct jcall *call, bool left,
                         bool right, struct jval *out)
{
    struct str chars, s = jval_text(self);
    bool has_chars = call->bound[0].kind != J_MISSING && call->bound[0].kind != J_NONE;
    if (has_chars && !need_str(r, call->bound[0], &chars))
        return false;
    if (has_chars && !jrun_step(r, s.len / 64 * (1 + chars.len)))
        return false;
    bool ok = jtext_str(r, strip(s, has_chars ? &chars : NULL, left, right), out);
    out->markup = self.markup;
    return ok;
}

static bool method_strip(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    return strip_method(r, self, call, true, true, out);
}

static bool method_lstrip(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    return strip_method(r, self, call, true, false, out);
}

static bool method_rstrip(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    return strip_method(r, self, call, false, true, out);
}

/* The first (or last) occurrence of part in s at or after from, as a byte offset; SIZE_MAX: none.
 * For the last, from is where it must end. */
static size_t find_text(struct str s, struct str part, size_t from, bool is_last)
{
    if (!is_last) {
        if (part.len == 0)
            return from;
        const char *found = memmem(s.ptr + from, s.len - from, part.ptr, part.len);
        return found ? (size_t)(found - s.ptr) : SIZE_MAX;
    }
    for (size_t i = from; i + 1 > part.len; i--)
        if (memcmp(s.ptr + i - part.len, part.ptr, part.len) == 0)
            return i - part.len;
    return SIZE_MAX;
}

/* Charges a search, which from the right may compare the part at every place. */
static bool charge_search(struct jrun *r, struct str s, struct str part, bool is_last)
{
    return jrun_step(r, s.len / 64 * (1 + (is_last ? part.len / 64 : 0)));
}

static bool add_piece(struct jrun *r, struct jlist *l, struct jval self, size_t from, size_t to)
{
    struct jval v;
    return piece(r, self, from, to, &v) && jlist_add(r, l, v);
}

static bool split_spaces(struct jrun *r, struct jval self, int64_t n_max, struct jlist *l)
{
    struct str s = jval_text(self);
    size_t i = 0, start = 0;
    uint32_t c;
    for (;;) {
        while (i < s.len) {
            int n = utf8_decode(s.ptr + i, s.len - i, &c);
            if (!uc_is_space(c))
                break;
            i += (size_t)n;
        }
        if (i >= s.len)
            return true;
        if (n_max == 0)
            return add_piece(r, l, self, i, s.len);
        for (start = i; i < s.len;) {
            int n = utf8_decode(s.ptr + i, s.len - i, &c);
            if (uc_is_space(c))
                break;
            i += (size_t)n;
        }
        if (!add_piece(r, l, self, start, i))
            return false;
        n_max -= n_max > 0;
    }
}

static size_t char_before(struct str s, size_t i, uint32_t *c)
{
    do
        i--;
    while (i > 0 && ((unsigned char)s.ptr[i] & 0xc0) == 0x80);
    utf8_decode(s.ptr + i, s.len - i, c);
    return i;
}

/* From the right; the pieces come out last first. */
static bool rsplit_spaces(struct jrun *r, struct jval self, int64_t n_max, struct jlist *l)
{
    struct str s = jval_text(self);
    size_t i = s.len, end, before;
    uint32_t c;
    for (;;) {
        while (i > 0 && (before = char_before(s, i, &c), uc_is_space(c)))
            i = before;
        if (i == 0)
            return true;
        if (n_max == 0)
            return add_piece(r, l, self, 0, i);
        for (end = i; i > 0 && (before = char_before(s, i, &c), !uc_is_space(c));)
            i = before;
        if (!add_piece(r, l, self, i, end))
            return false;
        n_max -= n_max > 0;
    }
}

static bool split_at(struct jrun *r, struct jval self, struct str sep, int64_t n_max,
                     bool is_last, struct jlist *l)
{
    struct str s = jval_text(self);
    size_t at = is_last ? s.len : 0, found;
    while (n_max != 0 && (found = find_text(s, sep, at, is_last)) != SIZE_MAX) {
        if (!add_piece(r, l, self, is_last ? found + sep.len : at, is_last ? at : found))
            return false;
        at = is_last ? found : found + sep.len;
        n_max -= n_max > 0;
    }
    return add_piece(r, l, self, is_last ? 0 : at, is_last ? at : s.len);
}

static bool split_method(struct jrun *r, struct jval self, struct jcall *call, bool is_last,
                         struct jval *out)
{
    struct jlist *l = jlist_new(r, 0);
    struct str sep;
    int64_t n_max;
    bool ok;
    if (!l || !jcall_int(r, call->bound[1], -1, &n_max) || !jrun_step(r, self.s->n_bytes / 64))
        return false;
    if (call->bound[0].kind == J_MISSING || call->bound[0].kind == J_NONE) {
        ok = is_last ? rsplit_spaces(r, self, n_max, l) : split_spaces(r, self, n_max, l);
    } else {
        if (!need_str(r, call->bound[0], &sep))
            return false;
        if (sep.len == 0)
            return jrun_fail(r, "empty separator");
        if (!charge_search(r, jval_text(self), sep, is_last))
            return false;
        ok = split_at(r, self, sep, n_max, is_last, l);
    }
    for (size_t i = 0; is_last && i < l->n / 2; i++) {
        struct jval v = l->items[i];
        l->items[i] = l->items[l->n - 1 - i];
        l->items[l->n - 1 - i] = v;
    }
    *out = jval_of_list(l);
    return ok;
}

static bool method_split(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    return split_method(r, self, call, false, out);
}

static bool method_rsplit(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    return split_method(r, self, call, true, out);
}

static bool is_line_end(uint32_t c)
{
    return (c >= 10 && c <= 13) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
}

static bool method_splitlines(struct jrun *r, struct jval self, struct jcall *call,
                              struct jval *out)
{
    struct str s = jval_text(self);
    struct jlist *l = jlist_new(r, 0);
    int64_t keep;
    size_t start = 0;
    if (!l || !jcall_int(r, call->bound[0], 0, &keep))
        return false;
    *out = jval_of_list(l);
    for (size_t i = 0; i < s.len;) {
        uint32_t c;
        size_t end = i;
        i += (size_t)utf8_decode(s.ptr + i, s.len - i, &c);
        if (!is_line_end(c))
            continue;
        i += c == '\r' && i < s.len && s.ptr[i] == '\n';
        if (!add_piece(r, l, self, start, keep ? i : end))
            return false;
        start = i;
    }
    return start == s.len || add_piece(r, l, self, start, s.len);
}

/* The bytes of self[start:end] as str.find and str.startswith take them; false in *in_range where
 * start lies behind the end of the string. */
static bool text_range(struct jrun *r, struct jval self, struct jval start, struct jval end,
                       size_t *from, size_t *to, bool *in_range)
{
    int64_t n = (int64_t)self.s->n_chars, a = 0, b = n;
    if (start.kind != J_MISSING && start.kind != J_NONE && !jcall_int(r, start, 0, &a))
        return false;
    if (end.kind != J_MISSING && end.kind != J_NONE && !jcall_int(r, end, 0, &b))
        return false;
    b = b > n ? n : b < 0 ? (b + n < 0 ? 0 : b + n) : b;
    a = a < 0 ? (a + n < 0 ? 0 : a + n) : a;
    *in_range = a <= b;
    *from = jstr_offset(self.s, (size_t)(a < n ? a : n));
    *to = jstr_offset(self.s, (size_t)b);
    return jrun_step(r, self.s->n_bytes / 64);
}

static bool find_method(struct jrun *r, struct jval self, struct jcall *call, bool is_last,
                        bool must, struct jval *out)
{
    struct str part, s = jval_text(self);
    size_t from, to, found = SIZE_MAX;
    bool in_range;
    if (!need_str(r, call->bound[0], &part) ||
        !text_range(r, self, call->bound[1], call->bound[2], &from, &to, &in_range))
        return false;
    if (in_range) {
        if (!charge_search(r, s, part, is_last))
            return false;
        found = find_text(str_sub(s, from, to), part, is_last ? to - from : 0, is_last);
        found = found == SIZE_MAX ? found : from + found;
    }
    *out = jval_int(found == SIZE_MAX ? -1 : (int64_t)utf8_count(str_sub(s, 0, found)));
    return found != SIZE_MAX || !must || jrun_fail(r, "substring not found");
}

static bool method_find(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    return find_method(r, self, call, false, false, out);
}

static bool method_rfind(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    return find_method(r, self, call, true, false, out);
}

static bool method_index(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    return find_method(r, self, call, false, true, out);
}

static bool method_rindex(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    return find_method(r, self, call, true, true, out);
}

static bool method_count(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    struct str part, s;
    size_t from, to;
    bool in_range;
    int64_t n = 0;
    if (!need_str(r, call->bound[0], &part) ||
        !text_range(r, self, call->bound[1], call->bound[2], &from, &to, &in_range))
        return false;
    s = str_sub(jval_text(self), from, to);
    if (in_range && part.len == 0)
        n = (int64_t)utf8_count(s) + 1;
    for (size_t i = 0; in_range && part.len > 0 && (i = find_text(s, part, i, false)) != SIZE_MAX;
         i += part.len)
        n++;
    *out = jval_int(n);
    return true;
}

static bool affix_method(struct jrun *r, struct jval self, struct jcall *call, bool at_end,
                         struct jval *out)
{
    struct jval one = call->bound[0];
    size_t n = one.kind == J_TUPLE ? one.l->n : 1, from, to;
    bool in_range;
    *out = jval_bool(false);
    if (!text_range(r, self, call->bound[1], call->bound[2], &from, &to, &in_range))
        return false;
    struct str part, s = in_range ? str_sub(jval_text(self), from, to) : STR("");
    for (size_t i = 0; i < n; i++) {
        if (!need_str(r, one.kind == J_TUPLE ? one.l->items[i] : one, &part))
            return false;
        out->b |= in_range && (at_end ? str_ends(s, part) : str_starts(s, part));
    }
    return true;
}

static bool method_startswith(struct jrun *r, struct jval self, struct jcall *call,
                              struct jval *out)
{
    return affix_method(r, self, call, false, out);
}

static bool method_endswith(struct jrun *r, struct jval self, struct jcall *call,
                            struct jval *out)
{
    return affix_method(r, self, call, true, out);
}

static bool method_removeprefix(struct jrun *r, struct jval self, struct jcall *call,
                                struct jval *out)
{
    struct str part;
    if (!need_str(r, call->bound[0], &part))
        return false;
    return piece(r, self, str_starts(jval_text(self), part) ? part.len : 0, self.s->n_bytes, out);
}

static bool method_removesuffix(struct jrun *r, struct jval self, struct jcall *call,
                                struct jval *out)
{
    struct str part;
    if (!need_str(r, call->bound[0], &part))
        return false;
    size_t cut = str_ends(jval_text(self), part) ? part.len : 0;
    return piece(r, self, 0, self.s->n_bytes - cut, out);
}

static bool partition(struct jrun *r, struct jval self, struct jcall *call, bool is_last,
                      struct jval *out)
{
    struct str sep, s = jval_text(self);
    struct jlist *l = jlist_new(r, 3);
    if (!l || !need_str(r, call->bound[0], &sep) || !charge_search(r, s, sep, is_last))
        return false;
    if (sep.len == 0)
        return jrun_fail(r, "empty separator");
    size_t found = find_text(s, sep, is_last ? s.len : 0, is_last), end = found + sep.len;
    if (found == SIZE_MAX)
        found = end = is_last ? 0 : s.len;
    *out = jval_of_tuple(l);
    return add_piece(r, l, self, 0, found) && add_piece(r, l, self, found, end) &&
           add_piece(r, l, self, end, s.len);
}

static bool method_partition(struct jrun *r, struct jval self, struct jcall *call,
                             struct jval *out)
{
    return partition(r, self, call, false, out);
}

static bool method_rpartition(struct jrun *r, struct jval self, struct jcall *call,
                              struct jval *out)
{
    return partition(r, self, call, true, out);
}

static bool method_replace(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    struct str old, new, s = jval_text(self);
    int64_t n_max;
    if (!need_str(r, call->bound[0], &old) || !need_str(r, call->bound[1], &new) ||
        !jcall_int(r, call->bound[2], -1, &n_max))
        return false;
    if (self.markup) {
        if (!jtext_escape(r, call->bound[1], &call->bound[1]))
            return false;
        new = jval_text(call->bound[1]);
    }
    size_t mark = jtext_begin(r), i = 0, found;
    while (n_max != 0 && (found = find_text(s, old, i, false)) != SIZE_MAX) {
        uint32_t c;
        size_t next = old.len ? found + old.len
                              : found + (size_t)utf8_decode(s.ptr + i, s.len - i, &c);
        if (!jtext_add(r, str_sub(s, i, found)) || !jtext_add(r, new) || !jrun_step(r, 1))
            return false;
        if (old.len == 0 && !jtext_add(r, str_sub(s, found, next)))
            return false;
        n_max -= n_max > 0;
        if (old.len == 0 && next == found)
            break;
        i = next;
    }
    if (!jtext_add(r, str_sub(s, i, s.len)) || !jtext_end(r, mark, out))
        return false;
    out->markup = self.markup;
    return true;
}

static bool method_join(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    struct jlist *items;
    if (!jval_copy_list(r, call->bound[0], &items))
        return false;
    for (size_t i = 0; self.markup && i < items->n; i++)
        if (!jtext_escape(r, items->items[i], &items->items[i]))
            return false;
    size_t mark = jtext_begin(r);
    for (size_t i = 0; i < items->n; i++) {
        if (items->items[i].kind != J_STR)
            return jrun_fail(r, "sequence item %zu: expected str instance, %s found", i,
                             jval_type(items->items[i]));
        if ((i > 0 && !jtext_add(r, jval_text(self))) ||
            !jtext_add(r, jval_text(items->items[i])))
            return false;
    }
    if (!jtext_end(r, mark, out))
        return false;
    out->markup = self.markup;
    return true;
}

static bool method_format(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    return jformat_braces(r, self, call, out);
}

static bool method_format_map(struct jrun *r, struct jval self, struct jcall *call,
                              struct jval *out)
{
    if (call->bound[0].kind != J_DICT)
        return jrun_fail(r, "format_map() takes a mapping");
    return jformat_braces(r, self, &(struct jcall){.kwargs = call->bound[0].d}, out);
}

/* Fills up to a width in characters: n_left of the fill go before the text. */
static bool pad_text(struct jrun *r, struct jval self, struct jcall *call, int side,
                     struct jval *out)
{
    struct str fill = STR(" ");
    int64_t width, n = (int64_t)self.s->n_chars;
    size_t mark = jtext_begin(r);
    if (!jcall_int(r, call->bound[0], 0, &width))
        return false;
    if (call->bound[1].kind != J_MISSING) {
        if (!need_str(r, call->bound[1], &fill))
            return false;
        if (call->bound[1].s->n_chars != 1)
            return jrun_fail(r, "the fill character must be exactly one character long");
        if (self.markup) {
            if (!jtext_escape(r, call->bound[1], &call->bound[1]))
                return false;
            fill = jval_text(call->bound[1]);
        }
    }
    int64_t n_pad = width > n ? width - n : 0;
    int64_t left = side < 0 ? 0 : side > 0 ? n_pad : n_pad / 2 + (n_pad & width & 1);
    for (int64_t i = 0; i < n_pad; i++) {
        if (i == left && !jtext_add(r, jval_text(self)))
            return false;
        if (!jtext_add(r, fill) || !jrun_step(r, 1))
            return false;
    }
    if ((left == n_pad && !jtext_add(r, jval_text(self))) || !jtext_end(r, mark, out))
        return false;
    out->markup = self.markup;
    return true;
}

static bool method_center(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    return pad_text(r, self, call, 0, out);
}

static bool method_ljust(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    return pad_text(r, self, call, -1, out);
}

static bool method_rjust(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    return pad_text(r, self, call, 1, out);
}

static bool method_zfill(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    struct str s = jval_text(self);
    int64_t width;
    size_t mark = jtext_begin(r), sign = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+');
    if (!jcall_int(r, call->bound[0], 0, &width) || !jtext_add(r, str_sub(s, 0, sign)))
        return false;
    for (int64_t i = (int64_t)self.s->n_chars; i < width; i++)
        if (!jtext_add(r, STR("0")) || !jrun_step(r, 1))
            return false;
    if (!jtext_add(r, str_sub(s, sign, s.len)) || !jtext_end(r, mark, out))
        return false;
    out->markup = self.markup;
    return true;
}

/* True if there are characters and all are of the class. */
static bool all_chars(struct jrun *r, struct jval self, bool (*is)(uint32_t c), struct jval *out)
{
    struct str s = jval_text(self);
    bool all = s.len > 0;
    for (size_t i = 0; i < s.len && all;) {
        uint32_t c;
        i += (size_t)utf8_decode(s.ptr + i, s.len - i, &c);
        all = is(c);
    }
    *out = jval_bool(all);
    return jrun_step(r, s.len / 64);
}

static bool method_isalpha(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    (void)call;
    return all_chars(r, self, uc_is_alpha, out);
}

static bool method_isalnum(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    (void)call;
    return all_chars(r, self, uc_is_alnum, out);
}

static bool method_isdecimal(struct jrun *r, struct jval self, struct jcall *call,
                             struct jval *out)
{
    (void)call;
    return all_chars(r, self, uc_is_decimal, out);
}

static bool method_isdigit(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    (void)call;
    return all_chars(r, self, uc_is_digit, out);
}

static bool method_isspace(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    (void)call;
    return all_chars(r, self, uc_is_space, out);
}

static bool method_isascii(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    (void)call;
    *out = jval_bool(self.s->n_bytes == self.s->n_chars);
    return jrun_step(r, 1);
}

static bool method_isupper(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    (void)call;
    return jtext_is_case(r, self, true, out);
}

static bool method_islower(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    (void)call;
    return jtext_is_case(r, self, false, out);
}

const struct jmethod_def jmethods_of_str[] = {
    {"strip", "/chars?", method_strip},
    {"lstrip", "/chars?", method_lstrip},
    {"rstrip", "/chars?", method_rstrip},
    {"split", "sep? maxsplit?", method_split},
    {"rsplit", "sep? maxsplit?", method_rsplit},
    {"splitlines", "keepends?", method_splitlines},
    {"startswith", "/prefix start? end?", method_startswith},
    {"endswith", "/suffix start? end?", method_endswith},
    {"replace", "/old new count?", method_replace},
    {"upper", "", method_upper},
    {"lower", "", method_lower},
    {"title", "", method_title},
    {"capitalize", "", method_capitalize},
    {"swapcase", "", method_swapcase},
    {"find", "/sub start? end?", method_find},
    {"rfind", "/sub start? end?", method_rfind},
    {"index", "/sub start? end?", method_index},
    {"rindex", "/sub start? end?", method_rindex},
    {"count", "/sub start? end?", method_count},
    {"join", "/iterable", method_join},
    {"format", NULL, method_format},
    {"format_map", "/mapping", method_format_map},
    {"removeprefix", "/prefix", method_removeprefix},
    {"removesuffix", "/suffix", method_removesuffix},
    {"partition", "/sep", method_partition},
    {"rpartition", "/sep", method_rpartition},
    {"center", "/width fillchar?", method_center},
    {"ljust", "/width fillchar?", method_ljust},
    {"rjust", "/width fillchar?", method_rjust},
    {"zfill", "/width", method_zfill},
    {"isalpha", "", method_isalpha},
    {"isalnum", "", method_isalnum},
    {"isdecimal", "", method_isdecimal},
    {"isdigit", "", method_isdigit},
    {"isspace", "", method_isspace},
    {"isascii", "", method_isascii},
    {"isupper", "", method_isupper},
    {"islower", "", method_islower},
    {0},
};
