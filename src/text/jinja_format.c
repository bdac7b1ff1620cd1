/* jinja_format.c - "..." % args and "...".format(...), with Python's format specifications. */
#include "text/jinja_run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WIDTH_MAX = 100000 };

struct spec {
    struct str fill;
    char align, sign, group, type;
    bool alternative, is_zero; /* is_zero: numbers are filled between sign and digits */
    int64_t width, precision; /* precision -1: none */
};

/* The text of a value, to be padded; the first n_prefix bytes (sign, 0x) stay left of zeros. */
struct body {
    struct buf text;
    size_t n_prefix;
};

static bool add_padded(struct jrun *r, struct str text, size_t n_prefix, const struct spec *spec,
                       char default_align)
{
    char align = spec->align ? spec->align : default_align;
    int64_t n = (int64_t)utf8_count(text), n_pad = spec->width > n ? spec->width - n : 0;
    int64_t left = align == '<' ? 0 : align == '^' ? n_pad / 2 : n_pad;
    struct str fill = spec->fill.len ? spec->fill : STR(" ");
    if (align == '=' && !jtext_add(r, str_sub(text, 0, n_prefix)))
        return false;
    for (int64_t i = 0; i < left; i++)
        if (!jtext_add(r, fill))
            return false;
    if (!jtext_add(r, str_sub(text, align == '=' ? n_prefix : 0, text.len)))
        return false;
    for (int64_t i = left; i < n_pad; i++)
        if (!jtext_add(r, fill))
            return false;
    return true;
}

static void body_start(struct body *b, bool negative, char sign)
{
    buf_init(&b->text, 4096);
    if (negative)
        buf_char(&b->text, '-');
    else if (sign == '+' || sign == ' ')
        buf_char(&b->text, sign);
}

static bool body_end(struct jrun *r, struct body *b, const struct spec *spec)
{
    bool ok = !b->text.failed &&
              add_padded(r, (struct str){b->text.bytes ? b->text.bytes : "", b->text.n_bytes},
                         b->n_prefix, spec, '>');
    if (b->text.failed)
        jrun_limit(r, "a formatted number is longer than %zu bytes", b->text.n_bytes_max);
    buf_release(&b->text);
    return ok;
}

/* Digits with a separator before each group counted from the right. */
static void add_grouped(struct buf *out, const char *digits, size_t n, char group, size_t size)
{
    for (size_t i = 0; i < n; i++) {
        if (group && i > 0 && (n - i) % size == 0)
            buf_char(out, group);
        buf_char(out, digits[i]);
    }
}

static bool format_int(struct jrun *r, int64_t value, const struct spec *spec)
{
    struct body b = {0};
    char digits[72];
    size_t n = sizeof digits;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    unsigned base = spec->type == 'b'                          ? 2
                    : spec->type == 'o'                        ? 8
                    : spec->type == 'x' || spec->type == 'X' ? 16
                                                               : 10;
    do {
        unsigned digit = (unsigned)(left % base);
        digits[--n] = (spec->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[digit];
        left /= base;
    } while (left > 0);
    while (spec->precision > (int64_t)(sizeof digits - n) && n > 0)
        digits[--n] = '0';
    body_start(&b, value < 0, spec->sign);
    if (spec->alternative && base != 10) {
        buf_char(&b.text, '0');
        buf_char(&b.text, spec->type);
    }
    b.n_prefix = b.text.n_bytes;
    add_grouped(&b.text, digits + n, sizeof digits - n, spec->group, base == 10 ? 3 : 4);
    return body_end(r, &b, spec);
}

/* Without a type, a precision counts digits as g does, and a point stays. */
static void general_with_point(double f, int64_t precision, struct buf *out)
{
    char text[64];
    int digits = (int)(precision > 0 ? precision : 1);
    snprintf(text, sizeof text, "%.*e", digits - 1 > 40 ? 40 : digits - 1, f);
    long exponent = strtol(strchr(text, 'e') + 1, NULL, 10);
    if (exponent < -4 || exponent >= digits - 1) {
        buf_printf(out, exponent < -4 || exponent >= digits ? "%.*g" : "%.*e",
                   exponent < -4 || exponent >= digits ? digits : digits - 1, f);
        return;
    }
    buf_printf(out, "%.*g", digits, f);
    if (!memchr(out->bytes, '.', out->n_bytes))
        buf_str(out, ".0");
}

static void float_digits(double f, const struct spec *spec, struct buf *out)
{
    int precision = (int)(spec->precision < 0 ? 6 : spec->precision);
    switch (spec->type) {
    case 'e':
    case 'E':
        buf_printf(out, spec->alternative ? "%#.*e" : "%.*e", precision, f);
        break;
    case 'f':
    case 'F':
        buf_printf(out, spec->alternative ? "%#.*f" : "%.*f", precision, f);
        break;
    case '%':
        buf_printf(out, "%.*f%%", precision, f * 100);
        break;
    case 'g':
    case 'G':
    case 'n':
        buf_printf(out, spec->alternative ? "%#.*g" : "%.*g", precision, f);
        break;
    default:
        if (spec->precision < 0)
            jdouble_repr(f, out);
        else
            general_with_point(f, spec->precision, out);
    }
}

static bool format_float(struct jrun *r, double f, const struct spec *spec)
{
    struct body b = {0};
    struct buf digits;
    if (spec->precision > 1000)
        return jrun_limit(r, "a precision beyond 1000 digits");
    buf_init(&digits, 4096);
    if (isfinite(f))
        float_digits(fabs(f), spec, &digits);
    else
        buf_str(&digits, isnan(f) ? "nan" : "inf");
    body_start(&b, signbit(f) && !isnan(f), spec->sign);
    b.n_prefix = b.text.n_bytes;
    if (!digits.failed) {
        size_t n_whole = strspn(digits.bytes, "0123456789");
        add_grouped(&b.text, digits.bytes, n_whole, spec->group, 3);
        for (char *p = digits.bytes + n_whole; *p; p++)
            buf_char(&b.text, spec->type == 'E' || spec->type == 'G' || spec->type == 'F'
                                  ? (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p)
                                  : *p);
    }
    b.text.failed |= digits.failed;
    buf_release(&digits);
    return body_end(r, &b, spec);
}

static bool format_text(struct jrun *r, struct jval s, const struct spec *spec)
{
    struct str text = jval_text(s);
    if (spec->precision >= 0)
        text.len = jstr_offset(s.s, (size_t)spec->precision);
    return add_padded(r, text, 0, spec, '<');
}

static bool take_number(struct str *s, int64_t *out)
{
    size_t n = 0;
    int64_t value = 0;
    while (n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9') {
        value = value * 10 + s->ptr[n++] - '0';
        if (value > WIDTH_MAX)
            return false;
    }
    if (n > 0)
        *out = value;
    *s = str_sub(*s, n, s->len);
    return true;
}

static bool take_char(struct str *s, const char *set, char *out)
{
    if (s->len == 0 || !s->ptr[0] || !strchr(set, s->ptr[0]))
        return false;
    *out = s->ptr[0];
    *s = str_sub(*s, 1, s->len);
    return true;
}

/* [[fill]align][sign][#][0][width][,][.precision][type] */
static bool parse_spec(struct jrun *r, struct str s, struct spec *spec)
{
    uint32_t fill;
    char mark;
    int n = utf8_decode(s.ptr, s.len, &fill);
    *spec = (struct spec){.precision = -1};
    if (n > 0 && s.len > (size_t)n && strchr("<>=^", s.ptr[n]) && s.ptr[n]) {
        spec->fill = str_sub(s, 0, (size_t)n);
        spec->align = s.ptr[n];
        s = str_sub(s, (size_t)n + 1, s.len);
    } else {
        take_char(&s, "<>=^", &spec->align);
    }
    take_char(&s, "+- ", &spec->sign);
    spec->alternative = take_char(&s, "#", &mark);
    if (!spec->fill.len && take_char(&s, "0", &mark)) {
        spec->fill = STR("0");
        spec->is_zero = !spec->align;
    }
    if (!take_number(&s, &spec->width))
        return jrun_limit(r, "a width beyond %d characters", WIDTH_MAX);
    take_char(&s, ",_", &spec->group);
    if (take_char(&s, ".", &mark) &&
        (!s.len || s.ptr[0] < '0' || s.ptr[0] > '9' || !take_number(&s, &spec->precision)))
        return jrun_fail(r, "format specifier missing precision");
    take_char(&s, "bcdeEfFgGnosxX%", &spec->type);
    return s.len == 0 || jrun_fail(r, "invalid format specifier");
}

static bool format_char(struct jrun *r, int64_t code, const struct spec *spec)
{
    char text[4];
    if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return jrun_fail(r, "a %%c of something that is no character");
    size_t n = (size_t)utf8_encode((uint32_t)code, text);
    return add_padded(r, (struct str){text, n}, 0, spec, '<');
}

/* format(v, spec) */
static bool format_value(struct jrun *r, struct jval v, struct str text)
{
    struct spec spec;
    int64_t i;
    double f;
    if (text.len == 0)
        return jval_print(r, v);
    if (!parse_spec(r, text, &spec))
        return false;
    if (v.kind == J_STR) {
        if (spec.sign || spec.align == '=' || spec.group || (spec.type && spec.type != 's'))
            return jrun_fail(r, "a format specifier that strings do not have");
        return format_text(r, v, &spec);
    }
    spec.align = spec.is_zero ? '=' : spec.align;
    bool is_int = jval_as_int(v, &i);
    if (!jval_as_double(v, &f))
        return jrun_fail(r, "unsupported format string passed to %s.__format__", jval_type(v));
    if (is_int && (!spec.type || strchr("bcdnoxX", spec.type))) {
        if (spec.precision >= 0)
            return jrun_fail(r, "precision not allowed in integer format specifier");
        if (spec.type == 'c')
            return format_char(r, i, &spec);
        return format_int(r, i, &spec);
    }
    if (spec.type && !strchr("eEfFgGn%", spec.type))
        return jrun_fail(r, "a format specifier that numbers do not have");
    if (is_int && !spec.type)
        spec.type = 'd';
    return format_float(r, f, &spec);
}

/* ---- "..." % args ---- */

struct percent {
    struct jval args;
    size_t n_used;
    bool is_mapping, markup;
};

static bool next_arg(struct jrun *r, struct percent *p, struct jval *out)
{
    size_t n = p->args.kind == J_TUPLE ? p->args.l->n : 1;
    if (p->n_used >= n)
        return jrun_fail(r, "not enough arguments for format string");
    *out = p->args.kind == J_TUPLE ? p->args.l->items[p->n_used] : p->args;
    p->n_used++;
    return true;
}

static bool percent_text(struct jrun *r, const struct percent *p, char type, struct jval v,
                         const struct spec *spec)
{
    struct jval text;
    size_t mark = jtext_begin(r);
    bool ok = type == 's' ? jval_soft_str(r, v, &text)
                          : jval_print_repr(r, v) && jtext_end(r, mark, &text);
    if (ok && p->markup)
        ok = jtext_escape(r, text, &text);
    return ok && format_text(r, text, spec);
}

static bool percent_number(struct jrun *r, char type, struct jval v, struct spec *spec)
{
    int64_t i;
    double f;
    bool is_int = jval_as_int(v, &i);
    if (v.kind == J_UNDEFINED)
        return jrun_fail_undefined(r, v);
    if (type == 'c') {
        uint32_t code;
        if (v.kind == J_STR && v.s->n_chars == 1 && utf8_decode(v.s->ptr, v.s->n_bytes, &code))
            i = code;
        else if (!is_int)
            return jrun_fail(r, "%%c requires int or char");
        return format_char(r, i, spec);
    }
    if (!jval_as_double(v, &f))
        return jrun_fail(r, "%%%c format: a number is required, not %s", type, jval_type(v));
    if (strchr("eEfFgG", type))
        return format_float(r, f, spec);
    if (!is_int && strchr("xXo", type))
        return jrun_fail(r, "%%%c format: an integer is required, not %s", type, jval_type(v));
    if (!is_int && !(f > -0x1p63 && f < 0x1p63))
        return jrun_fail(r, "%%%c format: an integer goes beyond 64 bits", type);
    spec->type = strchr("diu", type) ? 'd' : type;
    return format_int(r, is_int ? i : (int64_t)f, spec);
}

static bool percent_width(struct jrun *r, struct percent *p, struct str *s, int64_t *out)
{
    char star;
    struct jval v;
    if (!take_char(s, "*", &star))
        return take_number(s, out) || jrun_limit(r, "a width beyond %d characters", WIDTH_MAX);
    if (!next_arg(r, p, &v))
        return false;
    if (!jval_as_int(v, out))
        return jrun_fail(r, "* wants int");
    return (*out > -WIDTH_MAX && *out < WIDTH_MAX) ||
           jrun_limit(r, "a width beyond %d characters", WIDTH_MAX);
}

static bool percent_key(struct jrun *r, struct percent *p, struct str *s, struct jval *v)
{
    size_t end = 1, depth = 1;
    struct jval key;
    if (p->args.kind != J_DICT)
        return jrun_fail(r, "format requires a mapping");
    for (; end < s->len; end++) {
        depth += s->ptr[end] == '(';
        depth -= s->ptr[end] == ')';
        if (depth == 0)
            break;
    }
    if (end >= s->len)
        return jrun_fail(r, "incomplete format key");
    if (!jtext_str(r, str_sub(*s, 1, end), &key))
        return false;
    const struct jval *found = jdict_get(r, p->args.d, key);
    if (!found)
        return jrun_fail(r, "no key '%.*s' for a format", STR_ARG(jval_text(key)));
    *v = *found;
    *s = str_sub(*s, end + 1, s->len);
    return true;
}

/* One directive, s behind its percent sign; moves s on. */
static bool percent_directive(struct jrun *r, struct percent *p, struct str *s)
{
    struct spec spec = {.precision = -1};
    struct jval v = jval_missing();
    char c, type;
    if (s->len > 0 && s->ptr[0] == '(' && !percent_key(r, p, s, &v))
        return false;
    while (take_char(s, "#0- +", &c)) {
        spec.alternative |= c == '#';
        if (c == '-' || (c == '0' && spec.align != '<')) {
            spec.align = c == '-' ? '<' : '=';
            spec.fill = c == '-' ? STR(" ") : STR("0");
        }
        if (c == '+' || (c == ' ' && spec.sign != '+'))
            spec.sign = c;
    }
    if (!percent_width(r, p, s, &spec.width))
        return false;
    if (spec.width < 0) {
        spec.width = -spec.width;
        spec.align = '<';
        spec.fill = STR(" ");
    }
    if (take_char(s, ".", &c)) {
        spec.precision = 0;
        if (!percent_width(r, p, s, &spec.precision))
            return false;
        spec.precision = spec.precision < 0 ? 0 : spec.precision;
    }
    take_char(s, "hlL", &c);
    if (take_char(s, "%", &c))
        return jtext_add(r, STR("%"));
    if (!take_char(s, "srdiuoxXeEfFgGc", &type))
        return jrun_fail(r, "an unsupported or incomplete format");
    if (v.kind == J_MISSING && !next_arg(r, p, &v))
        return false;
    if (type == 's' || type == 'r') {
        if (spec.align != '<') {
            spec.align = '>';
            spec.fill = STR(" ");
        }
        return percent_text(r, p, type, v, &spec);
    }
    if (spec.align != '<' && spec.align != '=')
        spec.align = '>';
    spec.type = type;
    return percent_number(r, type, v, &spec);
}

bool jformat_percent(struct jrun *r, struct jval format, struct jval args, struct jval *out)
{
    struct percent p = {.args = args, .markup = format.markup};
    struct str s = jval_text(format);
    size_t mark = jtext_begin(r);
    p.is_mapping = args.kind == J_DICT || args.kind == J_LIST || args.kind == J_UNDEFINED ||
                   args.kind == J_RANGE;
    while (s.len > 0) {
        const char *percent = memchr(s.ptr, '%', s.len);
        size_t n = percent ? (size_t)(percent - s.ptr) : s.len;
        if (!jtext_add(r, str_sub(s, 0, n)))
            return false;
        s = str_sub(s, percent ? n + 1 : n, s.len);
        if (percent && !percent_directive(r, &p, &s))
            return false;
    }
    if (args.kind == J_TUPLE ? p.n_used < args.l->n : p.n_used == 0 && !p.is_mapping)
        return jrun_fail(r, "not all arguments converted during string formatting");
    if (!jtext_end(r, mark, out))
        return false;
    out->markup = format.markup;
    return true;
}

/* ---- "...".format(...) ---- */

struct braces {
    const struct jcall *call;
    int64_t n_auto; /* fields numbered so far; -1 once one was numbered by hand */
    bool markup;
};

static bool is_number_text(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return s.len > 0;
}

/* The argument that a field begins with. As in string.Formatter, only a field that is a number and
 * nothing else counts as numbered by hand. */
static bool braces_first(struct jrun *r, struct braces *b, struct str name, bool is_whole,
                         struct jval *out)
{
    int64_t i = 0;
    if ((name.len == 0 && !is_whole) || (name.len > 0 && !is_number_text(name))) {
        const struct jval *found =
            b->call->kwargs ? jdict_get_text(b->call->kwargs, name) : NULL;
        if (!found)
            return jrun_fail(r, "no argument '%.*s' for a format", STR_ARG(name));
        *out = *found;
        return true;
    }
    if (is_whole && (name.len == 0 ? b->n_auto < 0 : b->n_auto > 0))
        return jrun_fail(r, "cannot mix automatic and manual field numbering");
    if (name.len == 0)
        i = b->n_auto++;
    else if (is_whole)
        b->n_auto = -1;
    if ((name.len > 0 && !str_to_i64(name, &i)) || i >= (int64_t)b->call->n_args)
        return jrun_fail(r, "a format has more fields than arguments");
    *out = b->call->args[i];
    return true;
}

/* name.attribute[index]... */
static bool braces_field(struct jrun *r, struct braces *b, struct str name, struct jval *out)
{
    size_t n = 0;
    while (n < name.len && name.ptr[n] != '.' && name.ptr[n] != '[')
        n++;
    if (!braces_first(r, b, str_sub(name, 0, n), n == name.len, out))
        return false;
    while (n < name.len) {
        bool is_attribute = name.ptr[n] == '.';
        size_t start = ++n, end;
        while (n < name.len && (is_attribute ? name.ptr[n] != '.' && name.ptr[n] != '['
                                             : name.ptr[n] != ']'))
            n++;
        end = n;
        if (end == start || (!is_attribute && n++ >= name.len) ||
            (n < name.len && name.ptr[n] != '.' && name.ptr[n] != '['))
            return jrun_fail(r, "a malformed field in a format");
        struct str part = str_sub(name, start, end);
        struct jval key, object = *out;
        int64_t i;
        if (!jtext_str(r, part, &key))
            return false;
        if (!is_attribute && is_number_text(part) && str_to_i64(part, &i))
            key = jval_int(i);
        if (!(is_attribute ? jval_getattr(r, object, key, out)
                           : jval_getitem(r, object, key, out)))
            return false;
    }
    return true;
}

static bool braces_print(struct jrun *r, struct braces *b, struct str format, int depth);

/* What stands between the braces: name[!conversion][:spec]. */
static bool braces_replace(struct jrun *r, struct braces *b, struct str field, int depth)
{
    size_t n = 0, brackets = 0, mark = jtext_begin(r);
    struct jval v, spec;
    char conversion = 0;
    for (; n < field.len; n++) {
        brackets += field.ptr[n] == '[';
        brackets -= field.ptr[n] == ']' && brackets > 0;
        if (brackets == 0 && (field.ptr[n] == '!' || field.ptr[n] == ':'))
            break;
    }
    if (!braces_field(r, b, str_sub(field, 0, n), &v))
        return false;
    if (n < field.len && field.ptr[n] == '!') {
        conversion = n + 1 < field.len ? field.ptr[n + 1] : 0;
        n += 2;
        if ((conversion != 'r' && conversion != 's') || (n < field.len && field.ptr[n] != ':'))
            return jrun_fail(r, "a conversion in a format that is neither r nor s");
    }
    struct str rest = n < field.len ? str_sub(field, n + 1, field.len) : STR("");
    if (!braces_print(r, b, rest, depth + 1) || !jtext_end(r, mark, &spec))
        return false;
    if (conversion == 's' && !jval_str(r, v, &v))
        return false;
    if (conversion == 'r' && (!jval_print_repr(r, v) || !jtext_end(r, mark, &v)))
        return false;
    if (!b->markup || depth > 0)
        return format_value(r, v, jval_text(spec));
    if (v.kind == J_STR && v.markup && spec.s->n_bytes > 0)
        return jrun_fail(r, "a safe string takes no format specification");
    struct jval text;
    if (!format_value(r, v, jval_text(spec)) || !jtext_end(r, mark, &text))
        return false;
    text.markup = v.kind == J_STR && v.markup;
    return jtext_escape(r, text, &text) && jtext_add(r, jval_text(text));
}

static bool braces_print(struct jrun *r, struct braces *b, struct str s, int depth)
{
    if (depth > 2)
        return jrun_fail(r, "format fields nest too deep");
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c != '{' && c != '}') {
            size_t start = i;
            while (i + 1 < s.len && s.ptr[i + 1] != '{' && s.ptr[i + 1] != '}')
                i++;
            if (!jtext_add(r, str_sub(s, start, i + 1)))
                return false;
            continue;
        }
        if (i + 1 < s.len && s.ptr[i + 1] == c) {
            i++;
            if (!jtext_add(r, (struct str){&c, 1}))
                return false;
            continue;
        }
        if (c == '}')
            return jrun_fail(r, "single '}' encountered in format string");
        size_t start = ++i, open = 1;
        for (; i < s.len; i++) {
            open += s.ptr[i] == '{';
            open -= s.ptr[i] == '}';
            if (open == 0)
                break;
        }
        if (open > 0)
            return jrun_fail(r, "expected '}' before end of string");
        if (!braces_replace(r, b, str_sub(s, start, i), depth))
            return false;
    }
    return true;
}

bool jformat_braces(struct jrun *r, struct jval format, const struct jcall *call,
                    struct jval *out)
{
    struct braces b = {.call = call, .markup = format.markup};
    size_t mark = jtext_begin(r);
    if (!braces_print(r, &b, jval_text(format), 0) || !jtext_end(r, mark, out))
        return false;
    out->markup = format.markup;
    return true;
}
