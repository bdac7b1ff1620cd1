/* jinja_test.c - the tests that stand behind "is". */
#include "text/jinja_text.h"

/* What only asks for the kind of a value needs no code; an undefined value can do more in Python
 * than one would think. */
#define NUMBERS (1u << J_BOOL | 1u << J_INT | 1u << J_FLOAT)
#define SEQUENCES                                                                                  \
    (1u << J_STR | 1u << J_LIST | 1u << J_TUPLE | 1u << J_DICT | 1u << J_RANGE | 1u << J_UNDEFINED)
#define ITERABLES (SEQUENCES | 1u << J_VIEW | 1u << J_ITER | 1u << J_LOOP)
#define CALLABLES                                                                                  \
    (1u << J_MACRO | 1u << J_FUNC | 1u << J_METHOD | 1u << J_LOOP | 1u << J_JOINER |               \
     1u << J_UNDEFINED)

static bool test_true(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    (void)r;
    (void)call;
    *out = v.kind == J_BOOL && v.b;
    return true;
}

static bool test_false(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    (void)r;
    (void)call;
    *out = v.kind == J_BOOL && !v.b;
    return true;
}

static bool test_escaped(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    (void)r;
    (void)call;
    *out = v.kind == J_STR && v.markup;
    return true;
}

/* v % n == rest */
static bool has_rest(struct jrun *r, struct jval v, struct jval n, int64_t rest, bool *out)
{
    struct jval mod;
    return jval_binary(r, JN_MOD, v, n, &mod) && jval_equal(r, mod, jval_int(rest), out);
}

static bool test_odd(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    (void)call;
    return has_rest(r, v, jval_int(2), 1, out);
}

static bool test_even(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    (void)call;
    return has_rest(r, v, jval_int(2), 0, out);
}

static bool test_divisibleby(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    return has_rest(r, v, call->bound[0], 0, out);
}

static bool test_case(struct jrun *r, struct jval v, bool upper, bool *out)
{
    struct jval s, is;
    if (!jval_str(r, v, &s) || !jtext_is_case(r, s, upper, &is))
        return false;
    *out = is.b;
    return true;
}

static bool test_lower(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    (void)call;
    return test_case(r, v, false, out);
}

static bool test_upper(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    (void)call;
    return test_case(r, v, true, out);
}

static bool test_filter(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    (void)call;
    *out = v.kind == J_STR && jfilter_find(jval_text(v));
    return r->err == ERR_OK;
}

static bool test_test(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    (void)call;
    *out = v.kind == J_STR && jtest_find(jval_text(v));
    return r->err == ERR_OK;
}

static bool test_sameas(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    *out = jval_is(v, call->bound[0]);
    return r->err == ERR_OK;
}

static bool test_in(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    return jval_contains(r, v, call->bound[0], out);
}

static bool test_eq(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    return jval_compare(r, JC_EQ, v, call->bound[0], out);
}

static bool test_ne(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    return jval_compare(r, JC_NE, v, call->bound[0], out);
}

static bool test_lt(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    return jval_compare(r, JC_LT, v, call->bound[0], out);
}

static bool test_le(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    return jval_compare(r, JC_LE, v, call->bound[0], out);
}

static bool test_gt(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    return jval_compare(r, JC_GT, v, call->bound[0], out);
}

static bool test_ge(struct jrun *r, struct jval v, struct jcall *call, bool *out)
{
    return jval_compare(r, JC_GE, v, call->bound[0], out);
}

const struct jtest *jtest_find(struct str name)
{
    static const struct jtest tests[] = {
        {"defined", "", .kinds = ~(1u << J_UNDEFINED)},
        {"undefined", "", .kinds = 1u << J_UNDEFINED},
        {"none", "", .kinds = 1u << J_NONE},
        {"string", "", .kinds = 1u << J_STR},
        {"number", "", .kinds = NUMBERS},
        {"integer", "", .kinds = 1u << J_INT},
        {"float", "", .kinds = 1u << J_FLOAT},
        {"boolean", "", .kinds = 1u << J_BOOL},
        {"true", "", test_true},
        {"false", "", test_false},
        {"mapping", "", .kinds = 1u << J_DICT},
        {"sequence", "", .kinds = SEQUENCES},
        {"iterable", "", .kinds = ITERABLES},
        {"callable", "", .kinds = CALLABLES},
        {"escaped", "", test_escaped},
        {"odd", "", test_odd},
        {"even", "", test_even},
        {"divisibleby", "num", test_divisibleby},
        {"lower", "", test_lower},
        {"upper", "", test_upper},
        {"filter", "", test_filter},
        {"test", "", test_test},
        {"sameas", "other", test_sameas},
        {"in", "seq", test_in},
        {"eq", "/other", test_eq},
        {"equalto", "/other", test_eq},
        {"==", "/other", test_eq},
        {"ne", "/other", test_ne},
        {"!=", "/other", test_ne},
        {"lt", "/other", test_lt},
        {"lessthan", "/other", test_lt},
        {"<", "/other", test_lt},
        {"le", "/other", test_le},
        {"<=", "/other", test_le},
        {"gt", "/other", test_gt},
        {"greaterthan", "/other", test_gt},
        {">", "/other", test_gt},
        {"ge", "/other", test_ge},
        {">=", "/other", test_ge},
        {0},
    };
    for (const struct jtest *t = tests; t->name; t++)
        if (str_is(name, t->name))
            return t;
    return NULL;
}
