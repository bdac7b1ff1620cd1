/* jinja_filter.c - the filters of single values: text, numbers, JSON. */
#include "text/jinja_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "text/jinja_lex.h"

/* The string method of a name, applied to soft_str(v) with the arguments bound. */
static bool apply_method(struct jrun *r, const char *name, struct jval v, struct jcall *call,
                         struct jval *out)
{
    struct jval s;
    return jval_soft_str(r, v, &s) &&
           jmethod_find(J_STR, str_from(name))->apply(r, s, call, out);
}

static bool filter_upper(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    return apply_method(r, "upper", v, call, out);
}

static bool filter_lower(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    return apply_method(r, "lower", v, call, out);
}

static bool filter_capitalize(struct jrun *r, struct jval v, struct jcall *call,
                              struct jval *out)
{
    return apply_method(r, "capitalize", v, call, out);
}

static bool filter_trim(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    return apply_method(r, "strip", v, call, out);
}

static bool filter_center(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    if (call->bound[0].kind == J_MISSING)
        call->bound[0] = jval_int(80);
    call->bound[1] = jval_missing();
    return apply_method(r, "center", v, call, out);
}

static bool filter_replace(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    if (call->bound[2].kind == J_NONE)
        call->bound[2] = jval_missing();
    return jval_str(r, v, &v) && jval_str(r, call->bound[0], &call->bound[0]) &&
           jval_str(r, call->bound[1], &call->bound[1]) &&
           apply_method(r, "replace", v, call, out);
}

static bool is_word_border(uint32_t c)
{
    return uc_is_space(c) || (c < 0x80 && c && strchr("-({[<", (int)c));
}

/* Words begin after spaces and opening brackets: their first letter is raised, the rest lowered. */
static bool filter_title(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jval s, part;
    size_t mark = jtext_begin(r), i = 0;
    (void)call;
    if (!jval_str(r, v, &s))
        return false;
    struct str text = jval_text(s);
    while (i < text.len) {
        uint32_t c;
        size_t first = i, rest = i + (size_t)utf8_decode(text.ptr + i, text.len - i, &c);
        bool border = is_word_border(c);
        for (i = rest; i < text.len;) {
            int n = utf8_decode(text.ptr + i, text.len - i, &c);
            if (is_word_border(c) != border)
                break;
            i += (size_t)n;
        }
        if (!jtext_str(r, str_sub(text, first, rest), &part) ||
            !jtext_case(r, part, JCASE_UPPER, &part) || !jtext_add(r, jval_text(part)) ||
            !jtext_str(r, str_sub(text, rest, i), &part) ||
            !jtext_case(r, part, JCASE_LOWER, &part) || !jtext_add(r, jval_text(part)))
            return false;
    }
    return jtext_end(r, mark, out);
}

static bool filter_string(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    (void)call;
    return jval_soft_str(r, v, out);
}

static bool filter_safe(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    (void)call;
    bool ok = jval_str(r, v, out);
    out->markup = ok;
    return ok;
}

static bool filter_escape(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    (void)call;
    return jtext_escape(r, v, out);
}

static bool filter_forceescape(struct jrun *r, struct jval v, struct jcall *call,
                               struct jval *out)
{
    (void)call;
    return jval_str(r, v, &v) && jtext_escape(r, v, out);
}

static bool filter_indent(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jval lines, width = call->bound[0];
    bool first = call->bound[1].kind != J_MISSING && jval_truth(call->bound[1]);
    bool blank = call->bound[2].kind != J_MISSING && jval_truth(call->bound[2]);
    int64_t n = 4;
    struct jcall none = {.bound[0] = jval_missing()};
    if (v.kind != J_STR)
        return v.kind == J_UNDEFINED ? jrun_fail_undefined(r, v)
                                     : jrun_fail(r, "indent() takes a str");
    if (width.kind != J_STR && !jcall_int(r, width, 4, &n))
        return false;
    if (!jmethod_find(J_STR, STR("splitlines"))->apply(r, v, &none, &lines))
        return false;
    struct str text = jval_text(v);
    if ((text.len == 0 || text.ptr[text.len - 1] == '\n') &&
        (!jtext_literal(r, "", &none.bound[0]) || !jlist_add(r, lines.l, none.bound[0])))
        return false;
    size_t mark = jtext_begin(r);
    for (size_t i = 0; i < lines.l->n; i++) {
        struct str line = jval_text(lines.l->items[i]);
        bool indented = i == 0 ? first : blank || line.len > 0;
        if (i > 0 && !jtext_add(r, STR("\n")))
            return false;
        if (indented && width.kind == J_STR && !jtext_add(r, jval_text(width)))
            return false;
        for (int64_t k = 0; indented && width.kind != J_STR && k < n; k++)
            if (!jtext_add(r, STR(" ")))
                return false;
        if (!jtext_add(r, line))
            return false;
    }
    if (!jtext_end(r, mark, out))
        return false;
    out->markup = v.markup;
    return true;
}

static bool filter_truncate(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jval end = call->bound[2], cut, pieces;
    int64_t length, leeway, n;
    bool kill = call->bound[1].kind != J_MISSING && jval_truth(call->bound[1]);
    if (end.kind == J_MISSING && !jtext_literal(r, "...", &end))
        return false;
    if (end.kind != J_STR)
        return jrun_fail(r, "truncate() takes a str");
    if (call->bound[3].kind == J_NONE)
        call->bound[3] = jval_missing();
    if (!jcall_int(r, call->bound[0], 255, &length) || !jcall_int(r, call->bound[3], 5, &leeway))
        return false;
    int64_t n_end = (int64_t)end.s->n_chars;
    if (length < n_end || leeway < 0)
        return jrun_fail(r, "truncate() needs a length of at least %lld", (long long)n_end);
    *out = v;
    if (!jval_length(r, v, &n))
        return false;
    if (leeway > INT64_MAX - length || n <= length + leeway)
        return true;
    if (v.kind != J_STR)
        return jrun_fail(r, "truncate() takes a str");
    if (!jtext_sub(r, v, 0, (size_t)(length - n_end), &cut))
        return false;
    cut.markup = v.markup;
    if (!kill) {
        struct jcall split = {.bound = {jval_missing(), jval_int(1)}};
        if (!jtext_literal(r, " ", &split.bound[0]) ||
            !jmethod_find(J_STR, STR("rsplit"))->apply(r, cut, &split, &pieces))
            return false;
        cut = pieces.l->items[0];
    }
    return jval_binary(r, JN_ADD, cut, end, out);
}

static bool filter_wordcount(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jval s;
    bool inside = false;
    int64_t n = 0;
    (void)call;
    if (!jval_soft_str(r, v, &s))
        return false;
    struct str text = jval_text(s);
    for (size_t i = 0; i < text.len;) {
        uint32_t c;
        i += (size_t)utf8_decode(text.ptr + i, text.len - i, &c);
        bool is = c == '_' || uc_is_alnum(c);
        n += is && !inside;
        inside = is;
    }
    *out = jval_int(n);
    return jrun_step(r, text.len / 16);
}

static bool filter_format(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    bool named = call->kwargs && call->kwargs->n > 0;
    struct jlist *args = jrun_alloc(r, sizeof *args);
    if (!args)
        return false;
    *args = (struct jlist){.items = call->args, .n = call->n_args};
    if (named && call->n_args > 0)
        return jrun_fail(r, "format takes arguments by position or by name, not both");
    return jval_soft_str(r, v, &v) &&
           jformat_percent(r, v, named ? jval_of_dict(call->kwargs) : jval_of_tuple(args), out);
}

/* ---- numbers ---- */

static struct str trim_spaces(struct jrun *r, struct jval v)
{
    struct jcall none = {.bound[0] = jval_missing()};
    struct jval out = v;
    jmethod_find(J_STR, STR("strip"))->apply(r, v, &none, &out);
    return jval_text(out);
}

/* The text without the underscores that Python allows between digits; false: misplaced ones. */
static bool drop_underscores(struct str s, char *out, size_t size, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '_') {
            if (i == 0 || i + 1 >= s.len || s.ptr[i - 1] == '_' ||
                !strchr("0123456789abcdefABCDEFxXoO", s.ptr[i - 1]))
                return false;
            continue;
        }
        if (*n + 1 >= size)
            return false;
        out[(*n)++] = s.ptr[i];
    }
    out[*n] = 0;
    return *n > 0;
}

static int digit_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'z' ? c - 'a' + 10
           : c >= 'A' && c <= 'Z' ? c - 'A' + 10
                                  : 99;
}

/* Python's int(text, base): 1 parsed, 0 no such number, -1 error (beyond 64 bits). */
static int parse_int(struct jrun *r, struct jval v, int64_t base, int64_t *out)
{
    char text[128], *p = text;
    size_t n;
    if (!drop_underscores(trim_spaces(r, v), text, sizeof text, &n))
        return r->err == ERR_OK ? 0 : -1;
    bool negative = *p == '-';
    p += *p == '-' || *p == '+';
    int64_t named = *p == '0' ? (p[1] | 32) : 0;
    int64_t of_prefix = named == 'x' ? 16 : named == 'o' ? 8 : named == 'b' ? 2 : 0;
    if (of_prefix && (base == of_prefix || base == 0)) {
        base = of_prefix;
        p += 2;
    } else if (base == 0) {
        if (*p == '0' && strspn(p, "0") != strlen(p))
            return 0;
        base = 10;
    }
    if (!*p)
        return 0;
    for (*out = 0; *p; p++) {
        int digit = digit_value(*p);
        if (digit >= base)
            return 0;
        if (__builtin_mul_overflow(*out, base, out) ||
            __builtin_sub_overflow(*out, digit, out)) { /* downwards: INT64_MIN has no opposite */
            jrun_fail(r, "an integer goes beyond 64 bits");
            return -1;
        }
    }
    if (!negative && __builtin_sub_overflow(0, *out, out)) {
        jrun_fail(r, "an integer goes beyond 64 bits");
        return -1;
    }
    return 1;
}

/* Python's float(text): false where it is no number. */
static bool parse_float(struct jrun *r, struct jval v, double *out)
{
    char text[512], *p = text, *end;
    size_t n;
    struct str s = trim_spaces(r, v);
    if (memchr(s.ptr, 0, s.len) || !drop_underscores(s, text, sizeof text, &n))
        return false;
    p += *p == '-' || *p == '+';
    bool is_name = strcasecmp(p, "inf") == 0 || strcasecmp(p, "infinity") == 0 ||
                   strcasecmp(p, "nan") == 0;
    if (!is_name && p[strspn(p, "0123456789.eE+-")])
        return false;
    *out = strtod(text, &end);
    return end == text + n;
}

static bool int_of_double(struct jrun *r, double f, struct jval otherwise, struct jval *out)
{
    *out = otherwise;
    if (!isfinite(f))
        return true;
    if (!(f > -0x1p63 && f < 0x1p63))
        return jrun_fail(r, "an integer goes beyond 64 bits");
    *out = jval_int((int64_t)f);
    return true;
}

static bool filter_int(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    int64_t base, i;
    double f;
    struct jval otherwise = call->bound[0].kind == J_MISSING ? jval_int(0) : call->bound[0];
    if (v.kind == J_UNDEFINED)
        return jrun_fail_undefined(r, v);
    *out = otherwise;
    if (v.kind == J_STR) {
        base = 10;
        bool valid = (call->bound[1].kind == J_MISSING || jval_as_int(call->bound[1], &base)) &&
                     (base == 0 || (base >= 2 && base <= 36));
        int parsed = valid ? parse_int(r, v, base, &i) : 0;
        if (parsed > 0)
            *out = jval_int(i);
        if (parsed != 0)
            return parsed > 0;
        return !parse_float(r, v, &f) || int_of_double(r, f, otherwise, out);
    }
    if (jval_as_int(v, &i))
        *out = jval_int(i);
    else if (v.kind == J_FLOAT && isinf(v.f))
        return jrun_fail(r, "cannot convert float infinity to integer");
    else if (v.kind == J_FLOAT)
        return int_of_double(r, v.f, otherwise, out);
    return true;
}

static bool filter_float(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    double f;
    if (v.kind == J_UNDEFINED)
        return jrun_fail_undefined(r, v);
    bool is = v.kind == J_STR ? parse_float(r, v, &f) : jval_as_double(v, &f);
    *out = is ? jval_float(f)
              : call->bound[0].kind == J_MISSING ? jval_float(0) : call->bound[0];
    return r->err == ERR_OK;
}

static bool filter_abs(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    int64_t i;
    (void)call;
    if (v.kind == J_UNDEFINED)
        return jrun_fail_undefined(r, v);
    if (jval_as_int(v, &i)) {
        bool lost = i < 0 && __builtin_sub_overflow(0, i, &i);
        *out = jval_int(i);
        return !lost || jrun_fail(r, "an integer goes beyond 64 bits");
    }
    *out = jval_float(fabs(v.f));
    return v.kind == J_FLOAT || jrun_fail(r, "bad operand type for abs(): '%s'", jval_type(v));
}

/* To a multiple of 10^n, halves to the even one. */
static bool round_int(struct jrun *r, int64_t i, int64_t n, struct jval *out)
{
    int64_t unit = 1, rest, down;
    for (int64_t k = 0; k < n; k++)
        if (__builtin_mul_overflow(unit, 10, &unit)) {
            *out = jval_int(0);
            return true;
        }
    rest = i % unit;
    rest += rest < 0 ? unit : 0;
    if (__builtin_sub_overflow(i, rest, &down))
        return jrun_fail(r, "an integer goes beyond 64 bits");
    bool up = rest > unit - rest || (rest == unit - rest && down / unit % 2 != 0 && unit > 1);
    if (up && __builtin_add_overflow(down, unit, &down))
        return jrun_fail(r, "an integer goes beyond 64 bits");
    *out = jval_int(down);
    return true;
}

/* Python's round(f, n): through the decimal digits, which are exact. */
static double round_double(double f, int64_t n)
{
    char text[512];
    if (!isfinite(f) || n > 323)
        return f;
    if (n < -308)
        return copysign(0, f);
    if (n >= 0) {
        snprintf(text, sizeof text, "%.*f", (int)n, f);
        return strtod(text, NULL);
    }
    /* So many digits before the point: written with an exponent, cut there. */
    int exponent = f == 0 ? 0 : (int)floor(log10(fabs(f)));
    if (exponent + n < -1)
        return copysign(0, f);
    if (exponent + n < 0) /* it may round up to one unit */
        return fabs(f) > 5 * pow(10, (double)-n - 1) ? copysign(pow(10, (double)-n), f)
                                                     : copysign(0, f);
    snprintf(text, sizeof text, "%.*e", (int)(exponent + n), f);
    return strtod(text, NULL);
}

static bool filter_round(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    int64_t n, i;
    double f;
    struct jval method = call->bound[1];
    if (!jcall_int(r, call->bound[0], 0, &n))
        return false;
    if (v.kind == J_UNDEFINED)
        return jrun_fail_undefined(r, v);
    if (!jval_as_double(v, &f))
        return jrun_fail(r, "type %s cannot be rounded", jval_type(v));
    if (method.kind == J_MISSING || jval_is_text(method, "common")) {
        if (jval_as_int(v, &i)) {
            *out = jval_int(i);
            return n >= 0 || round_int(r, i, -n, out);
        }
        *out = jval_float(round_double(f, n));
        return true;
    }
    if (!jval_is_text(method, "ceil") && !jval_is_text(method, "floor"))
        return jrun_fail(r, "method must be common, ceil or floor");
    double scale = pow(10, (double)n), scaled = f * scale;
    if (!isfinite(scaled))
        return jrun_fail(r, "cannot round what is not finite");
    double whole = jval_is_text(method, "ceil") ? ceil(scaled) : floor(scaled);
    *out = jval_float((whole + 0.0) / scale); /* Python's is an integer: no negative zero */
    return true;
}

/* ---- anything ---- */

static bool filter_default(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    bool falsy = call->bound[1].kind != J_MISSING && jval_truth(call->bound[1]) && !jval_truth(v);
    *out = v;
    if (v.kind != J_UNDEFINED && !falsy)
        return true;
    *out = call->bound[0];
    return out->kind != J_MISSING || jtext_literal(r, "", out);
}

static bool filter_length(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    int64_t n = 0;
    (void)call;
    bool ok = jval_length(r, v, &n);
    *out = jval_int(n);
    return ok;
}

static bool filter_attr(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jval name = call->bound[0];
    if (name.kind != J_STR)
        return jrun_fail(r, "attr() takes a str");
    if (v.kind == J_UNDEFINED)
        return jrun_fail_undefined(r, v);
    if (jmethod_find(v.kind, jval_text(name)) || v.kind == J_NAMESPACE || v.kind == J_LOOP)
        return jval_getattr(r, v, name, out);
    return jundef_of(r, v, name, out);
}

static bool json_separators(struct jrun *r, struct jval v, struct jjson_style *style)
{
    struct jlist *l;
    if (v.kind == J_MISSING || v.kind == J_NONE)
        return true;
    if (!jval_copy_list(r, v, &l))
        return false;
    if (l->n != 2 || l->items[0].kind != J_STR || l->items[1].kind != J_STR)
        return jrun_fail(r, "separators must be two strings");
    style->item_separator = jval_text(l->items[0]);
    style->key_separator = jval_text(l->items[1]);
    return true;
}

static bool filter_tojson(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jval ascii = call->bound[0], indent = call->bound[1], sort = call->bound[3], spaces;
    struct jjson_style style = {.item_separator = STR(", "), .key_separator = STR(": ")};
    int64_t n;
    style.ascii = ascii.kind != J_MISSING && jval_truth(ascii);
    style.sort_keys = sort.kind != J_MISSING && jval_truth(sort);
    style.has_indent = indent.kind != J_MISSING && indent.kind != J_NONE;
    if (style.has_indent) {
        style.item_separator = STR(",");
        if (indent.kind == J_STR) {
            style.indent = jval_text(indent);
        } else {
            if (!jcall_int(r, indent, 0, &n) || !jtext_literal(r, " ", &spaces) ||
                !jval_binary(r, JN_MUL, spaces, jval_int(n), &spaces))
                return false;
            style.indent = jval_text(spaces);
        }
    }
    if (!json_separators(r, call->bound[2], &style))
        return false;
    size_t mark = jtext_begin(r);
    return jjson_print(r, v, &style) && jtext_end(r, mark, out);
}

static bool filter_refused(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    (void)v;
    (void)call;
    *out = jval_none();
    return jrun_fail(r, "this filter of Jinja2 is not supported in chat templates");
}

const struct jfilter *jfilter_find(struct str name)
{
    static const struct jfilter filters[] = {
        {"tojson", "ensure_ascii? indent? separators? sort_keys?", filter_tojson},
        {"trim", "chars?", filter_trim},
        {"length", "", filter_length},
        {"count", "", filter_length},
        {"default", "default_value? boolean?", filter_default},
        {"d", "default_value? boolean?", filter_default},
        {"string", "", filter_string},
        {"safe", "", filter_safe},
        {"escape", "", filter_escape},
        {"e", "", filter_escape},
        {"forceescape", "", filter_forceescape},
        {"upper", "", filter_upper},
        {"lower", "", filter_lower},
        {"capitalize", "", filter_capitalize},
        {"title", "", filter_title},
        {"center", "width?", filter_center},
        {"replace", "old new count?", filter_replace},
        {"indent", "width? first? blank?", filter_indent},
        {"truncate", "length? killwords? end? leeway?", filter_truncate},
        {"wordcount", "", filter_wordcount},
        {"format", NULL, filter_format},
        {"int", "default? base?", filter_int},
        {"float", "default?", filter_float},
        {"abs", "", filter_abs},
        {"round", "precision? method?", filter_round},
        {"attr", "name", filter_attr},
        {"filesizeformat", NULL, filter_refused},
        {"pprint", NULL, filter_refused},
        {"random", NULL, filter_refused},
        {"striptags", NULL, filter_refused},
        {"urlencode", NULL, filter_refused},
        {"urlize", NULL, filter_refused},
        {"wordwrap", NULL, filter_refused},
        {"xmlattr", NULL, filter_refused},
        {0},
    };
    const struct jfilter *const tables[] = {filters, jfilters_of_sequences};
    for (int i = 0; i < 2; i++)
        for (const struct jfilter *f = tables[i]; f->name; f++)
            if (str_is(name, f->name))
                return f;
    return NULL;
}
