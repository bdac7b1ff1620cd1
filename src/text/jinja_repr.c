/* jinja_repr.c - values as text: Python's str and repr, and json.dumps. */
#include "text/jinja_run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <utf8proc.h>

/* The shortest digits that read back as f, in Python's layout. */
void jdouble_repr(double f, struct buf *out)
{
    char digits[32], *exponent_at;
    if (isnan(f) || isinf(f)) {
        buf_str(out, isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
        return;
    }
    for (int precision = 0; precision < 17; precision++) {
        snprintf(digits, sizeof digits, "%.*e", precision, fabs(f));
        if (strtod(digits, NULL) == fabs(f))
            break;
    }
    exponent_at = strchr(digits, 'e');
    int exponent = (int)strtol(exponent_at + 1, NULL, 10), n = 0;
    for (char *p = digits; p < exponent_at; p++) /* drop the point */
        if (*p != '.')
            digits[n++] = *p;
    if (signbit(f))
        buf_char(out, '-');
    if (exponent < -4 || exponent >= 16) {
        buf_char(out, digits[0]);
        if (n > 1) {
            buf_char(out, '.');
            buf_add(out, digits + 1, (size_t)n - 1);
        }
        buf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
        return;
    }
    if (exponent < 0) {
        buf_str(out, "0.");
        for (int i = -1; i > exponent; i--)
            buf_char(out, '0');
        buf_add(out, digits, (size_t)n);
        return;
    }
    for (int i = 0; i <= exponent; i++)
        buf_char(out, i < n ? digits[i] : '0');
    buf_char(out, '.');
    if (n > exponent + 1)
        buf_add(out, digits + exponent + 1, (size_t)(n - exponent - 1));
    else
        buf_char(out, '0');
}

static bool print(struct jrun *r, const char *text)
{
    return jtext_add(r, str_from(text));
}

static bool is_printable(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
        return c == ' ';
    default:
        return true;
    }
}

static bool print_text_repr(struct jrun *r, struct str s)
{
    bool has_single = memchr(s.ptr, '\'', s.len), has_double = memchr(s.ptr, '"', s.len);
    char quote = has_single && !has_double ? '"' : '\'', escape[12];
    if (!jtext_add(r, (struct str){&quote, 1}))
        return false;
    for (size_t i = 0; i < s.len;) {
        uint32_t c;
        int n = utf8_decode(s.ptr + i, s.len - i, &c);
        const char *short_form = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;
        if (short_form)
            snprintf(escape, sizeof escape, "%s", short_form);
        else if (c == '\\' || c == (unsigned char)quote)
            snprintf(escape, sizeof escape, "\\%c", (char)c);
        else if (is_printable(c))
            snprintf(escape, sizeof escape, "%.*s", n, s.ptr + i);
        else
            snprintf(escape, sizeof escape,
                     c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
        if (!print(r, escape))
            return false;
        i += (size_t)n;
    }
    return jtext_add(r, (struct str){&quote, 1});
}

static bool print_list(struct jrun *r, const struct jlist *l, const char *open, const char *close)
{
    if (!jrun_enter(r) || !print(r, open))
        return false;
    for (size_t i = 0; i < l->n; i++)
        if ((i > 0 && !print(r, ", ")) || !jval_print_repr(r, l->items[i]))
            return false;
    jrun_leave(r);
    return print(r, close);
}

static bool print_dict(struct jrun *r, const struct jdict *d)
{
    if (!jrun_enter(r) || !print(r, "{"))
        return false;
    for (size_t i = 0; i < d->n; i++)
        if ((i > 0 && !print(r, ", ")) || !jval_print_repr(r, d->items[i].key) ||
            !print(r, ": ") || !jval_print_repr(r, d->items[i].value))
            return false;
    jrun_leave(r);
    return print(r, "}");
}

static bool print_view(struct jrun *r, struct jval v)
{
    struct jlist *l;
    if (!jval_copy_list(r, v, &l) || !print(r, jval_type(v)))
        return false;
    return print_list(r, l, "([", "])");
}

static bool print_macro(struct jrun *r, const struct jmacro *m)
{
    if (m->node->kind != JN_MACRO)
        return print(r, "<Macro anonymous>");
    return print(r, "<Macro ") && print_text_repr(r, m->node->a->name) && print(r, ">");
}

static bool print_number(struct jrun *r, struct jval v)
{
    char text[40];
    struct buf b;
    if (v.kind == J_INT) {
        snprintf(text, sizeof text, "%" PRId64, v.i);
        return print(r, text);
    }
    buf_init(&b, 64);
    jdouble_repr(v.f, &b);
    bool ok = jtext_add(r, (struct str){b.bytes, b.n_bytes});
    buf_release(&b);
    return ok;
}

bool jval_print_repr(struct jrun *r, struct jval v)
{
    char text[96];
    int64_t length;
    switch (v.kind) {
    case J_UNDEFINED:
        return print(r, "Undefined");
    case J_NONE:
        return print(r, "None");
    case J_BOOL:
        return print(r, v.b ? "True" : "False");
    case J_INT:
    case J_FLOAT:
        return print_number(r, v);
    case J_STR:
        return (!v.markup || print(r, "Markup(")) && print_text_repr(r, jval_text(v)) &&
               (!v.markup || print(r, ")"));
    case J_LIST:
        return print_list(r, v.l, "[", "]");
    case J_TUPLE:
        return print_list(r, v.l, "(", v.l->n == 1 ? ",)" : ")");
    case J_DICT:
        return print_dict(r, v.d);
    case J_NAMESPACE:
        return print(r, "<Namespace ") && print_dict(r, v.d) && print(r, ">");
    case J_RANGE:
        snprintf(text, sizeof text, "range(%" PRId64 ", %" PRId64, v.range->start, v.range->stop);
        if (!print(r, text))
            return false;
        snprintf(text, sizeof text, ", %" PRId64 ")", v.range->step);
        return print(r, v.range->step == 1 ? ")" : text);
    case J_VIEW:
        return print_view(r, v);
    case J_LOOP:
        if (!jloop_length(r, v.loop, &length) || !print(r, "<LoopContext ") ||
            !jloop_attr(r, v.loop, STR("index"), &v) || !print_number(r, v))
            return false;
        snprintf(text, sizeof text, "/%" PRId64 ">", length);
        return print(r, text);
    case J_MACRO:
        return print_macro(r, v.macro);
    default:
        /* Python shows an address here, which is never the same twice. */
        return jrun_fail(r, "a %s object has no text", jval_type(v));
    }
}

bool jval_print(struct jrun *r, struct jval v)
{
    if (v.kind == J_STR)
        return jtext_add(r, jval_text(v));
    return v.kind == J_UNDEFINED || jval_print_repr(r, v);
}

bool jval_soft_str(struct jrun *r, struct jval v, struct jval *out)
{
    if (v.kind == J_STR) {
        *out = v;
        return true;
    }
    size_t mark = jtext_begin(r);
    return jval_print(r, v) && jtext_end(r, mark, out);
}

bool jval_str(struct jrun *r, struct jval v, struct jval *out)
{
    bool ok = jval_soft_str(r, v, out);
    out->markup = false;
    return ok;
}

static bool json_text(struct jrun *r, struct str s, bool ascii)
{
    char escape[16];
    size_t start = 0;
    if (!print(r, "\""))
        return false;
    for (size_t i = 0; i < s.len;) {
        uint32_t c;
        int n = utf8_decode(s.ptr + i, s.len - i, &c);
        static const char named[] = "\"\\\n\r\t\f\b", names[] = "\"\\nrtfb";
        const char *name = c < 0x80 && c ? strchr(named, (int)c) : NULL;
        if (name)
            snprintf(escape, sizeof escape, "\\%c", names[name - named]);
        else if (c < 0x20 || (ascii && c >= 0x7f && c < 0x10000))
            snprintf(escape, sizeof escape, "\\u%04x", c);
        else if (ascii && c >= 0x10000)
            snprintf(escape, sizeof escape, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10),
                     0xdc00 + (c & 0x3ff));
        else
            escape[0] = 0;
        if (escape[0]) {
            if (!jtext_add(r, str_sub(s, start, i)) || !print(r, escape))
                return false;
            start = i + (size_t)n;
        }
        i += (size_t)n;
    }
    return jtext_add(r, str_sub(s, start, s.len)) && print(r, "\"");
}

static bool json_value(struct jrun *r, struct jval v, const struct jjson_style *style, int level);

static bool json_break(struct jrun *r, const struct jjson_style *style, int level)
{
    if (!style->has_indent)
        return true;
    if (!print(r, "\n"))
        return false;
    for (int i = 0; i < level; i++)
        if (!jtext_add(r, style->indent))
            return false;
    return true;
}

static bool json_number(struct jrun *r, double f)
{
    if (isfinite(f))
        return print_number(r, jval_float(f));
    return print(r, isnan(f) ? "NaN" : f < 0 ? "-Infinity" : "Infinity");
}

static bool json_key(struct jrun *r, struct jval key, const struct jjson_style *style)
{
    if (key.kind == J_STR)
        return json_text(r, jval_text(key), style->ascii);
    if (key.kind == J_NONE || key.kind == J_BOOL || key.kind == J_INT || key.kind == J_FLOAT)
        return print(r, "\"") && json_value(r, key, style, 0) && print(r, "\"");
    return jrun_fail(r, "keys must be str, int, float, bool or None, not %s", jval_type(key));
}

static bool json_sorted(struct jrun *r, const struct jdict *d, struct jdict *out)
{
    out->items = jrun_alloc(r, (d->n + 1) * sizeof *out->items);
    if (!out->items)
        return false;
    for (out->n = 0; out->n < d->n; out->n++) {
        size_t at = out->n;
        bool before = true;
        for (; at > 0; at--) {
            if (!jrun_step(r, 1) ||
                !jval_less(r, d->items[out->n].key, out->items[at - 1].key, false, &before))
                return false;
            if (!before)
                break;
            out->items[at] = out->items[at - 1];
        }
        out->items[at] = d->items[out->n];
    }
    return true;
}

static bool json_dict(struct jrun *r, const struct jdict *d, const struct jjson_style *style,
                      int level)
{
    struct jdict sorted;
    if (d->n == 0)
        return print(r, "{}");
    if (style->sort_keys) {
        if (!json_sorted(r, d, &sorted))
            return false;
        d = &sorted;
    }
    if (!print(r, "{"))
        return false;
    for (size_t i = 0; i < d->n; i++)
        if ((i > 0 && !jtext_add(r, style->item_separator)) || !json_break(r, style, level + 1) ||
            !json_key(r, d->items[i].key, style) || !jtext_add(r, style->key_separator) ||
            !json_value(r, d->items[i].value, style, level + 1))
            return false;
    return json_break(r, style, level) && print(r, "}");
}

static bool json_list(struct jrun *r, const struct jlist *l, const struct jjson_style *style,
                      int level)
{
    if (l->n == 0)
        return print(r, "[]");
    if (!print(r, "["))
        return false;
    for (size_t i = 0; i < l->n; i++)
        if ((i > 0 && !jtext_add(r, style->item_separator)) || !json_break(r, style, level + 1) ||
            !json_value(r, l->items[i], style, level + 1))
            return false;
    return json_break(r, style, level) && print(r, "]");
}

static bool json_value(struct jrun *r, struct jval v, const struct jjson_style *style, int level)
{
    bool ok;
    if (!jrun_enter(r) || !jrun_step(r, 1))
        return false;
    switch (v.kind) {
    case J_NONE:
        ok = print(r, "null");
        break;
    case J_BOOL:
        ok = print(r, v.b ? "true" : "false");
        break;
    case J_INT:
        ok = print_number(r, v);
        break;
    case J_FLOAT:
        ok = json_number(r, v.f);
        break;
    case J_STR:
        ok = json_text(r, jval_text(v), style->ascii);
        break;
    case J_LIST:
    case J_TUPLE:
        ok = json_list(r, v.l, style, level);
        break;
    case J_DICT:
        ok = json_dict(r, v.d, style, level);
        break;
    default:
        return jrun_fail(r, "Object of type %s is not JSON serializable", jval_type(v));
    }
    jrun_leave(r);
    return ok;
}

bool jjson_print(struct jrun *r, struct jval v, const struct jjson_style *style)
{
    return json_value(r, v, style, 0);
}
