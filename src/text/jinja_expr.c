/* jinja_expr.c - the parser of expressions, with Jinja2's precedences. */
#include "text/jinja_parse.h"

#include "text/jinja_run.h"

static struct jnode *binary(struct jparse *p, enum jnode_kind kind, struct jnode *a,
                            struct jnode *b)
{
    if (!a || !b)
        return NULL;
    struct jnode *node = jparse_node(p, kind, a->line);
    if (!node)
        return NULL;
    node->a = a;
    node->b = b;
    return jparse_done(p, node);
}

static struct jnode *constant(struct jparse *p, struct jval value, int line)
{
    struct jnode *node = jparse_node(p, JN_CONST, line);
    if (node)
        node->value = value;
    return node;
}

static struct jnode *text_constant(struct jparse *p, struct str text, int line)
{
    struct jstr *s = jstr_make(&p->t->arena, text);
    if (!s)
        return jparse_fail(p, "no memory");
    return constant(p, (struct jval){.kind = J_STR, .s = s}, line);
}

/* Adjacent literals are one. */
static struct jnode *parse_strings(struct jparse *p)
{
    int line = p->token.line;
    struct str text = p->token.text;
    jparse_next(p);
    while (p->err == ERR_OK && p->token.kind == JT_STRING) {
        struct str more = p->token.text;
        char *both = arena_alloc(&p->t->arena, text.len + more.len + 1);
        if (!both)
            return jparse_fail(p, "no memory");
        memcpy(both, text.ptr, text.len);
        memcpy(both + text.len, more.ptr, more.len);
        text = (struct str){both, text.len + more.len};
        jparse_next(p);
    }
    return p->err == ERR_OK ? text_constant(p, text, line) : NULL;
}

static struct jnode *parse_name(struct jparse *p, bool with_namespace)
{
    int line = p->token.line;
    struct str name = p->token.text, attribute;
    jparse_next(p);
    if (str_is(name, "true") || str_is(name, "True"))
        return constant(p, jval_bool(true), line);
    if (str_is(name, "false") || str_is(name, "False"))
        return constant(p, jval_bool(false), line);
    if (str_is(name, "none") || str_is(name, "None"))
        return constant(p, jval_none(), line);
    bool is_ref = with_namespace && jparse_skip(p, '.');
    struct jnode *node = jparse_node(p, is_ref ? JN_NSREF : JN_NAME, line);
    if (!node)
        return NULL;
    node->name = name;
    if (is_ref) {
        if (!jparse_take_name(p, &attribute))
            return NULL;
        node->b = text_constant(p, attribute, line);
    }
    return p->err == ERR_OK ? node : NULL;
}

/* Items to the closing bracket, a comma at the end allowed. */
static struct jnode *parse_items(struct jparse *p, enum jnode_kind kind, char close)
{
    struct jnode *node = jparse_node(p, kind, p->token.line), **tail = node ? &node->a : NULL;
    jparse_next(p);
    while (p->err == ERR_OK && !jparse_is(p, close)) {
        if (node->a && (!jparse_expect(p, ',') || jparse_is(p, close)))
            break;
        struct jnode *item = jparse_expression(p, true);
        if (kind == JN_DICT) {
            if (!jparse_expect(p, ':'))
                return NULL;
            item = binary(p, JN_PAIR, item, jparse_expression(p, true));
        }
        if (!item)
            return NULL;
        *tail = item;
        tail = &item->next;
    }
    return jparse_expect(p, close) ? jparse_done(p, node) : NULL;
}

struct jnode *jparse_primary(struct jparse *p, bool with_namespace)
{
    struct jtoken *t = &p->token;
    int line = t->line;
    struct jnode *node;
    if (p->err != ERR_OK)
        return NULL;
    switch (t->kind) {
    case JT_NAME:
        return parse_name(p, with_namespace);
    case JT_STRING:
        return parse_strings(p);
    case JT_INTEGER:
    case JT_FLOAT:
        node = constant(p, t->kind == JT_FLOAT ? jval_float(t->f) : jval_int(t->i), line);
        jparse_next(p);
        return p->err == ERR_OK ? node : NULL;
    case JT_OPERATOR:
        if (t->op == '(') {
            jparse_next(p);
            node = jparse_tuple(p, (struct jtuple_rules){.parenthesised = true});
            return jparse_expect(p, ')') ? node : NULL;
        }
        if (t->op == '[')
            return parse_items(p, JN_LIST, ']');
        if (t->op == '{')
            return parse_items(p, JN_DICT, '}');
        return jparse_fail(p, "an operator where a value is expected");
    default:
        return jparse_fail(p, "a value is expected");
    }
}

static bool is_tuple_end(const struct jparse *p, const char *end_name)
{
    return p->token.kind == JT_VARIABLE_END || p->token.kind == JT_BLOCK_END ||
           jparse_is(p, ')') || (end_name && jparse_is_name(p, end_name));
}

struct jnode *jparse_tuple(struct jparse *p, struct jtuple_rules rules)
{
    struct jnode *first = NULL, **tail = &first, *node;
    int line = p->token.line;
    bool is_tuple = false;
    while (p->err == ERR_OK) {
        if (first && !jparse_expect(p, ','))
            return NULL;
        if (is_tuple_end(p, rules.end_name))
            break;
        struct jnode *item = rules.simplified ? jparse_primary(p, rules.with_namespace)
                                              : jparse_expression(p, !rules.without_cond);
        if (!item)
            return NULL;
        *tail = item;
        tail = &item->next;
        if (!jparse_is(p, ','))
            break;
        is_tuple = true;
    }
    if (p->err != ERR_OK)
        return NULL;
    if (!is_tuple && first)
        return first;
    if (!is_tuple && !rules.parenthesised)
        return jparse_fail(p, "an expression is expected");
    node = jparse_node(p, JN_TUPLE, line);
    if (!node)
        return NULL;
    node->a = first;
    return jparse_done(p, node);
}

/* The parts of start:stop:step, or an index. */
static struct jnode *parse_subscript_part(struct jparse *p)
{
    struct jnode *start = NULL, *node;
    if (!jparse_is(p, ':')) {
        start = jparse_expression(p, true);
        if (!start || !jparse_is(p, ':'))
            return start;
    }
    node = jparse_node(p, JN_SLICE, p->token.line);
    jparse_next(p);
    if (!node || p->err != ERR_OK)
        return NULL;
    node->a = start;
    if (!jparse_is(p, ':') && !jparse_is(p, ']') && !jparse_is(p, ','))
        node->b = jparse_expression(p, true);
    if (p->err == ERR_OK && jparse_skip(p, ':') && !jparse_is(p, ']') && !jparse_is(p, ','))
        node->c = jparse_expression(p, true);
    return p->err == ERR_OK ? jparse_done(p, node) : NULL;
}

static struct jnode *parse_subscript(struct jparse *p, struct jnode *object)
{
    int line = p->token.line;
    if (jparse_skip(p, '.')) {
        if (p->token.kind == JT_NAME) {
            struct jnode *name = text_constant(p, p->token.text, line);
            jparse_next(p);
            return binary(p, JN_GETATTR, object, name);
        }
        if (p->token.kind != JT_INTEGER)
            return jparse_fail(p, "a name or a number is expected after a dot");
        struct jnode *index = constant(p, jval_int(p->token.i), line);
        jparse_next(p);
        return binary(p, JN_GETITEM, object, index);
    }
    struct jnode *first = NULL, **tail = &first, *tuple;
    jparse_next(p);
    while (p->err == ERR_OK && !jparse_is(p, ']')) {
        if (first && !jparse_expect(p, ','))
            return NULL;
        struct jnode *part = parse_subscript_part(p);
        if (!part)
            return NULL;
        *tail = part;
        tail = &part->next;
    }
    if (!jparse_expect(p, ']'))
        return NULL;
    if (first && !first->next)
        return binary(p, JN_GETITEM, object, first);
    for (struct jnode *part = first; part; part = part->next)
        if (part->kind == JN_SLICE)
            return jparse_fail(p, "slices in several dimensions are not supported");
    if (!(tuple = jparse_node(p, JN_TUPLE, line)))
        return NULL;
    tuple->a = first;
    return binary(p, JN_GETITEM, object, jparse_done(p, tuple));
}

/* One argument: into b (by position), c (by name), d (*) or e (**) of the node. */
static bool parse_argument(struct jparse *p, struct jnode *node, struct jnode ***tail_args,
                           struct jnode ***tail_kwargs)
{
    bool in_order;
    if (jparse_skip(p, '*')) {
        in_order = !node->d && !node->e;
        node->d = jparse_expression(p, true);
    } else if (jparse_skip(p, JOP_POW)) {
        in_order = !node->e;
        node->e = jparse_expression(p, true);
    } else if (p->token.kind == JT_NAME && jparse_look(p)->kind == JT_OPERATOR &&
               jparse_look(p)->op == '=') {
        struct jnode *keyword = jparse_node(p, JN_KEYWORD, p->token.line);
        in_order = !node->e;
        if (!keyword)
            return false;
        keyword->name = p->token.text;
        jparse_next(p);
        jparse_next(p);
        keyword->a = jparse_expression(p, true);
        **tail_kwargs = jparse_done(p, keyword);
        *tail_kwargs = &keyword->next;
    } else {
        in_order = !node->d && !node->e && !node->c;
        struct jnode *value = jparse_expression(p, true);
        if (!value)
            return false;
        **tail_args = value;
        *tail_args = &value->next;
    }
    if (!in_order)
        jparse_fail(p, "an argument out of order");
    return p->err == ERR_OK;
}

static bool parse_arguments(struct jparse *p, struct jnode *node)
{
    struct jnode **args = &node->b, **kwargs = &node->c;
    bool is_first = true;
    if (!jparse_expect(p, '('))
        return false;
    while (p->err == ERR_OK && !jparse_is(p, ')')) {
        if (!is_first && (!jparse_expect(p, ',') || jparse_is(p, ')')))
            break;
        is_first = false;
        if (!parse_argument(p, node, &args, &kwargs))
            return false;
    }
    return jparse_expect(p, ')');
}

static struct jnode *parse_call(struct jparse *p, struct jnode *callee)
{
    struct jnode *node = jparse_node(p, JN_CALL, p->token.line);
    if (!node)
        return NULL;
    node->a = callee;
    return parse_arguments(p, node) ? jparse_done(p, node) : NULL;
}

static struct jnode *parse_postfix(struct jparse *p, struct jnode *node)
{
    while (node && p->err == ERR_OK) {
        if (jparse_is(p, '.') || jparse_is(p, '['))
            node = parse_subscript(p, node);
        else if (jparse_is(p, '('))
            node = parse_call(p, node);
        else
            break;
    }
    return node;
}

/* A name with dots, as filters and tests may have. */
static bool parse_dotted(struct jparse *p, struct str *name)
{
    struct str part;
    if (!jparse_take_name(p, name))
        return false;
    while (jparse_skip(p, '.')) {
        if (!jparse_take_name(p, &part))
            return false;
        char *both = arena_alloc(&p->t->arena, name->len + part.len + 2);
        if (!both)
            return jparse_fail(p, "no memory") != NULL;
        memcpy(both, name->ptr, name->len);
        both[name->len] = '.';
        memcpy(both + name->len + 1, part.ptr, part.len);
        *name = (struct str){both, name->len + 1 + part.len};
    }
    return true;
}

struct jnode *jparse_filter(struct jparse *p, struct jnode *input, bool starts_inline)
{
    while (p->err == ERR_OK && (starts_inline || jparse_is(p, '|'))) {
        struct jnode *node = jparse_node(p, JN_FILTER, p->token.line);
        if (!starts_inline)
            jparse_next(p);
        starts_inline = false;
        if (!node || !parse_dotted(p, &node->name))
            return NULL;
        node->a = input;
        node->filter = jfilter_find(node->name);
        if (jparse_is(p, '(') && !parse_arguments(p, node))
            return NULL;
        input = jparse_done(p, node);
    }
    return p->err == ERR_OK ? input : NULL;
}

/* An argument may follow a test without parentheses. */
static bool starts_test_argument(const struct jparse *p)
{
    if (p->token.kind == JT_NAME)
        return !jparse_is_name(p, "else") && !jparse_is_name(p, "or") && !jparse_is_name(p, "and");
    return p->token.kind == JT_STRING || p->token.kind == JT_INTEGER ||
           p->token.kind == JT_FLOAT || jparse_is(p, '[') || jparse_is(p, '{');
}

static struct jnode *parse_test(struct jparse *p, struct jnode *input)
{
    struct jnode *node = jparse_node(p, JN_TEST, p->token.line), *negated;
    jparse_next(p);
    bool is_not = jparse_skip_name(p, "not");
    if (!node || !parse_dotted(p, &node->name))
        return NULL;
    node->a = input;
    node->test = jtest_find(node->name);
    if (jparse_is(p, '(')) {
        if (!parse_arguments(p, node))
            return NULL;
    } else if (starts_test_argument(p)) {
        if (jparse_is_name(p, "is"))
            return jparse_fail(p, "tests with is cannot be chained");
        node->b = parse_postfix(p, jparse_primary(p, false));
    }
    if (p->err != ERR_OK)
        return NULL;
    node = jparse_done(p, node);
    if (!is_not || !node)
        return node;
    if (!(negated = jparse_node(p, JN_NOT, node->line)))
        return NULL;
    negated->a = node;
    return jparse_done(p, negated);
}

static struct jnode *parse_unary(struct jparse *p, bool with_filter)
{
    struct jnode *node;
    if (jparse_is(p, '-') || jparse_is(p, '+')) {
        node = jparse_node(p, jparse_is(p, '-') ? JN_NEG : JN_POS, p->token.line);
        jparse_next(p);
        if (!node || !jparse_enter(p))
            return NULL;
        node->a = parse_unary(p, false);
        jparse_leave(p);
        node = node->a ? jparse_done(p, node) : NULL;
    } else {
        node = jparse_primary(p, false);
    }
    node = parse_postfix(p, node);
    while (with_filter && node && p->err == ERR_OK) {
        if (jparse_is(p, '|'))
            node = jparse_filter(p, node, false);
        else if (jparse_is_name(p, "is"))
            node = parse_test(p, node);
        else if (jparse_is(p, '('))
            node = parse_call(p, node);
        else
            break;
    }
    return p->err == ERR_OK ? node : NULL;
}

static struct jnode *parse_pow(struct jparse *p)
{
    struct jnode *left = parse_unary(p, true);
    while (left && jparse_skip(p, JOP_POW))
        left = binary(p, JN_POW, left, parse_unary(p, true));
    return left;
}

static struct jnode *parse_product(struct jparse *p)
{
    struct jnode *left = parse_pow(p);
    while (left) {
        enum jnode_kind kind = jparse_skip(p, '*')            ? JN_MUL
                               : jparse_skip(p, '/')          ? JN_DIV
                               : jparse_skip(p, JOP_FLOORDIV) ? JN_FLOORDIV
                               : jparse_skip(p, '%')          ? JN_MOD
                                                              : JN_CONST;
        if (kind == JN_CONST)
            break;
        left = binary(p, kind, left, parse_pow(p));
    }
    return left;
}

static struct jnode *parse_concat(struct jparse *p)
{
    struct jnode *first = parse_product(p), *node;
    if (!first || !jparse_is(p, '~'))
        return first;
    if (!(node = jparse_node(p, JN_CONCAT, first->line)))
        return NULL;
    node->a = first;
    for (struct jnode **tail = &first->next; jparse_skip(p, '~'); tail = &(*tail)->next)
        if (!(*tail = parse_product(p)))
            return NULL;
    return jparse_done(p, node);
}

static struct jnode *parse_sum(struct jparse *p)
{
    struct jnode *left = parse_concat(p);
    while (left && (jparse_is(p, '+') || jparse_is(p, '-'))) {
        enum jnode_kind kind = jparse_is(p, '+') ? JN_ADD : JN_SUB;
        jparse_next(p);
        left = binary(p, kind, left, parse_concat(p));
    }
    return left;
}

/* The comparison that the current tokens name, taken; or -1. */
static int take_comparison(struct jparse *p)
{
    static const char ops[] = {JOP_EQ, JOP_NE, '<', JOP_LE, '>', JOP_GE};
    for (int i = 0; i < (int)sizeof ops; i++)
        if (jparse_skip(p, ops[i]))
            return JC_EQ + i;
    if (jparse_skip_name(p, "in"))
        return JC_IN;
    if (!jparse_is_name(p, "not"))
        return -1;
    const struct jtoken *ahead = jparse_look(p);
    if (ahead->kind != JT_NAME || !str_is(ahead->text, "in"))
        return -1;
    jparse_next(p);
    jparse_next(p);
    return JC_NOTIN;
}

static struct jnode *parse_comparison(struct jparse *p)
{
    struct jnode *first = parse_sum(p), *node = NULL, **tail = NULL;
    int op;
    while (first && (op = take_comparison(p)) >= 0) {
        if (!node) {
            node = jparse_node(p, JN_COMPARE, first->line);
            if (!node)
                return NULL;
            node->a = first;
            tail = &node->b;
        }
        struct jnode *operand = jparse_node(p, JN_OPERAND, first->line);
        if (!operand || !(operand->a = parse_sum(p)))
            return NULL;
        operand->op = (uint8_t)op;
        *tail = jparse_done(p, operand);
        tail = &operand->next;
    }
    if (p->err != ERR_OK)
        return NULL;
    return node ? jparse_done(p, node) : first;
}

static struct jnode *parse_not(struct jparse *p)
{
    if (!jparse_is_name(p, "not"))
        return parse_comparison(p);
    struct jnode *node = jparse_node(p, JN_NOT, p->token.line);
    jparse_next(p);
    if (!node || !jparse_enter(p))
        return NULL;
    node->a = parse_not(p);
    jparse_leave(p);
    return node->a ? jparse_done(p, node) : NULL;
}

static struct jnode *parse_and(struct jparse *p)
{
    struct jnode *left = parse_not(p);
    while (left && jparse_skip_name(p, "and"))
        left = binary(p, JN_AND, left, parse_not(p));
    return left;
}

static struct jnode *parse_or(struct jparse *p)
{
    struct jnode *left = parse_and(p);
    while (left && jparse_skip_name(p, "or"))
        left = binary(p, JN_OR, left, parse_and(p));
    return left;
}

struct jnode *jparse_expression(struct jparse *p, bool with_cond)
{
    if (!jparse_enter(p))
        return NULL;
    struct jnode *value = parse_or(p);
    while (with_cond && value && jparse_skip_name(p, "if")) {
        struct jnode *node = jparse_node(p, JN_COND, value->line);
        if (!node)
            return NULL;
        node->b = value;
        if (!(node->a = parse_or(p)))
            return NULL;
        if (jparse_skip_name(p, "else") && !(node->c = jparse_expression(p, true)))
            return NULL;
        value = jparse_done(p, node);
    }
    jparse_leave(p);
    return p->err == ERR_OK ? value : NULL;
}
