/* jinja_ops.c - arithmetic, with Python's types and signs. */
#include "text/jinja_run.h"

#include <math.h>

static bool overflow(struct jrun *r)
{
    return jrun_fail(r, "an integer goes beyond 64 bits");
}

static bool bad_operands(struct jrun *r, const char *op, struct jval a, struct jval b)
{
    return jrun_fail(r, "unsupported operand type(s) for %s: '%s' and '%s'", op, jval_type(a),
                     jval_type(b));
}

static bool floor_div_int(struct jrun *r, int64_t a, int64_t b, int64_t *quotient, int64_t *rest)
{
    if (b == 0)
        return jrun_fail(r, "integer division or modulo by zero");
    if (b == -1) {
        *rest = 0;
        return !__builtin_sub_overflow(0, a, quotient) || overflow(r);
    }
    *quotient = a / b;
    *rest = a % b;
    if (*rest != 0 && (*rest < 0) != (b < 0)) {
        *rest += b;
        --*quotient;
    }
    return true;
}

static bool floor_div_float(struct jrun *r, double a, double b, double *quotient, double *rest)
{
    if (b == 0)
        return jrun_fail(r, "float floor division by zero");
    double mod = fmod(a, b), div = (a - mod) / b;
    if (mod != 0) {
        if ((b < 0) != (mod < 0)) {
            mod += b;
            div -= 1;
        }
    } else {
        mod = copysign(0, b);
    }
    if (div != 0) {
        double whole = floor(div);
        div = div - whole > 0.5 ? whole + 1 : whole;
    } else {
        div = copysign(0, a / b);
    }
    *quotient = div;
    *rest = mod;
    return true;
}

static bool power_int(struct jrun *r, int64_t base, int64_t exponent, struct jval *out)
{
    int64_t value = 1;
    for (; exponent > 0; exponent >>= 1) {
        if ((exponent & 1) && __builtin_mul_overflow(value, base, &value))
            return overflow(r);
        if (exponent > 1 && __builtin_mul_overflow(base, base, &base))
            return overflow(r);
    }
    *out = jval_int(value);
    return true;
}

static bool power_float(struct jrun *r, double a, double b, struct jval *out)
{
    if (a == 0 && b < 0)
        return jrun_fail(r, "0.0 cannot be raised to a negative power");
    if (a < 0 && b != floor(b))
        return jrun_fail(r, "complex numbers are not supported");
    *out = jval_float(pow(a, b));
    return !isinf(out->f) || isinf(a) || isinf(b) ||
           jrun_fail(r, "a power is beyond the range of a double");
}

static bool binary_int(struct jrun *r, enum jnode_kind op, int64_t a, int64_t b, struct jval *out)
{
    int64_t value = 0, rest;
    switch (op) {
    case JN_ADD:
        if (__builtin_add_overflow(a, b, &value))
            return overflow(r);
        break;
    case JN_SUB:
        if (__builtin_sub_overflow(a, b, &value))
            return overflow(r);
        break;
    case JN_MUL:
        if (__builtin_mul_overflow(a, b, &value))
            return overflow(r);
        break;
    case JN_DIV:
        if (b == 0)
            return jrun_fail(r, "division by zero");
        *out = jval_float((double)a / (double)b);
        return true;
    case JN_FLOORDIV:
        if (!floor_div_int(r, a, b, &value, &rest))
            return false;
        break;
    case JN_MOD:
        if (!floor_div_int(r, a, b, &rest, &value))
            return false;
        break;
    default:
        return b < 0 ? power_float(r, (double)a, (double)b, out) : power_int(r, a, b, out);
    }
    *out = jval_int(value);
    return true;
}

static bool binary_float(struct jrun *r, enum jnode_kind op, double a, double b, struct jval *out)
{
    double value = 0, rest;
    switch (op) {
    case JN_ADD:
        value = a + b;
        break;
    case JN_SUB:
        value = a - b;
        break;
    case JN_MUL:
        value = a * b;
        break;
    case JN_DIV:
        if (b == 0)
            return jrun_fail(r, "float division by zero");
        value = a / b;
        break;
    case JN_FLOORDIV:
        if (!floor_div_float(r, a, b, &value, &rest))
            return false;
        break;
    case JN_MOD:
        if (!floor_div_float(r, a, b, &rest, &value))
            return false;
        break;
    default:
        return power_float(r, a, b, out);
    }
    *out = jval_float(value);
    return true;
}

static bool join_texts(struct jrun *r, struct jval a, struct jval b, struct jval *out)
{
    bool markup = a.markup || b.markup;
    if (markup && (!jtext_escape(r, a, &a) || !jtext_escape(r, b, &b)))
        return false;
    size_t mark = jtext_begin(r);
    if (!jtext_add(r, jval_text(a)) || !jtext_add(r, jval_text(b)) || !jtext_end(r, mark, out))
        return false;
    out->markup = markup;
    return true;
}

static bool join_lists(struct jrun *r, struct jval a, struct jval b, struct jval *out)
{
    struct jlist *l = jlist_new(r, a.l->n + b.l->n);
    for (size_t i = 0; l && i < a.l->n; i++)
        if (!jlist_add(r, l, a.l->items[i]))
            return false;
    for (size_t i = 0; l && i < b.l->n; i++)
        if (!jlist_add(r, l, b.l->items[i]))
            return false;
    *out = (struct jval){.kind = a.kind, .l = l};
    return l != NULL;
}

static bool repeat(struct jrun *r, struct jval v, int64_t n, struct jval *out)
{
    if (v.kind == J_STR) {
        size_t mark = jtext_begin(r);
        for (int64_t i = 0; i < n && v.s->n_bytes > 0; i++)
            if (!jtext_add(r, jval_text(v)) || !jrun_step(r, 1))
                return false;
        bool markup = v.markup, ok = jtext_end(r, mark, out);
        out->markup = markup;
        return ok;
    }
    struct jlist *l = jlist_new(r, 0);
    for (int64_t i = 0; l && v.l->n > 0 && i < n; i++)
        for (size_t k = 0; k < v.l->n; k++)
            if (!jlist_add(r, l, v.l->items[k]))
                return false;
    *out = (struct jval){.kind = v.kind, .l = l};
    return l != NULL;
}

static bool is_sequence(struct jval v)
{
    return v.kind == J_STR || v.kind == J_LIST || v.kind == J_TUPLE;
}

bool jval_binary(struct jrun *r, enum jnode_kind op, struct jval a, struct jval b,
                 struct jval *out)
{
    static const char *const names[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};
    int64_t i, k;
    double f, g;
    if (op == JN_MOD && a.kind == J_STR)
        return jformat_percent(r, a, b, out);
    if (a.kind == J_UNDEFINED || b.kind == J_UNDEFINED)
        return jrun_fail_undefined(r, a.kind == J_UNDEFINED ? a : b);
    if (jval_as_int(a, &i) && jval_as_int(b, &k))
        return binary_int(r, op, i, k, out);
    if (jval_as_double(a, &f) && jval_as_double(b, &g))
        return binary_float(r, op, f, g, out);
    if (op == JN_ADD && a.kind == J_STR && b.kind == J_STR)
        return join_texts(r, a, b, out);
    if (op == JN_ADD && a.kind == b.kind && (a.kind == J_LIST || a.kind == J_TUPLE))
        return join_lists(r, a, b, out);
    if (op == JN_MUL && is_sequence(a) && jval_as_int(b, &i))
        return repeat(r, a, i, out);
    if (op == JN_MUL && is_sequence(b) && jval_as_int(a, &i))
        return repeat(r, b, i, out);
    if (op == JN_ADD && a.kind == J_STR)
        return jrun_fail(r, "can only concatenate str (not \"%s\") to str", jval_type(b));
    return bad_operands(r, names[op - JN_ADD], a, b);
}
