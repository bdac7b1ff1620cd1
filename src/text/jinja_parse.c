/* jinja_parse.c - the parser of statements. */
#include "text/jinja_parse.h"

#include <stdarg.h>
#include <stdio.h>

struct jnode *jparse_fail(struct jparse *p, const char *format, ...)
{
    char what[256];
    va_list args;
    if (p->err != ERR_OK)
        return NULL;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    p->err = err_set(p->note, ERR_FORMAT, "template line %d: %s", p->token.line, what);
    return NULL;
}

struct jnode *jparse_node(struct jparse *p, enum jnode_kind kind, int line)
{
    struct jnode *node = p->err == ERR_OK ? arena_alloc(&p->t->arena, sizeof *node) : NULL;
    if (!node) {
        if (p->err == ERR_OK)
            p->err = err_set(p->note, ERR_LIMIT, "template line %d: it takes more memory than %zu "
                             "bytes", line, p->t->arena.n_bytes_max);
        return NULL;
    }
    node->kind = (uint8_t)kind;
    node->line = line;
    return node;
}

struct jnode *jparse_done(struct jparse *p, struct jnode *node)
{
    if (!node || p->err != ERR_OK)
        return NULL;
    const struct jnode *children[] = {node->a, node->b, node->c, node->d, node->e};
    for (int i = 0; i < 5; i++)
        for (const struct jnode *child = children[i]; child; child = child->next)
            if (node->depth <= child->depth)
                node->depth = (uint16_t)(child->depth + 1);
    if (node->depth > JINJA_DEPTH_MAX)
        p->err = err_set(p->note, ERR_LIMIT, "template line %d: it nests deeper than %d levels",
                         node->line, JINJA_DEPTH_MAX);
    return p->err == ERR_OK ? node : NULL;
}

bool jparse_enter(struct jparse *p)
{
    if (p->err == ERR_OK && ++p->depth > JINJA_DEPTH_MAX)
        p->err = err_set(p->note, ERR_LIMIT, "template line %d: it nests deeper than %d levels",
                         p->token.line, JINJA_DEPTH_MAX);
    return p->err == ERR_OK;
}

void jparse_leave(struct jparse *p)
{
    p->depth--;
}

void jparse_next(struct jparse *p)
{
    if (p->err != ERR_OK)
        return;
    if (p->has_ahead) {
        p->token = p->ahead;
        p->has_ahead = false;
    } else {
        p->err = jlex_next(&p->lex, &p->token);
    }
}

const struct jtoken *jparse_look(struct jparse *p)
{
    if (p->err == ERR_OK && !p->has_ahead) {
        p->err = jlex_next(&p->lex, &p->ahead);
        p->has_ahead = p->err == ERR_OK;
    }
    if (p->err != ERR_OK)
        p->ahead = (struct jtoken){.kind = JT_EOF};
    return &p->ahead;
}

bool jparse_is(const struct jparse *p, char op)
{
    return p->err == ERR_OK && p->token.kind == JT_OPERATOR && p->token.op == op;
}

bool jparse_is_name(const struct jparse *p, const char *name)
{
    return p->err == ERR_OK && p->token.kind == JT_NAME && str_is(p->token.text, name);
}

bool jparse_skip(struct jparse *p, char op)
{
    bool is = jparse_is(p, op);
    if (is)
        jparse_next(p);
    return is && p->err == ERR_OK;
}

bool jparse_skip_name(struct jparse *p, const char *name)
{
    bool is = jparse_is_name(p, name);
    if (is)
        jparse_next(p);
    return is && p->err == ERR_OK;
}

bool jparse_expect(struct jparse *p, char op)
{
    if (jparse_skip(p, op))
        return true;
    jparse_fail(p, "'%c' is expected", op);
    return false;
}

bool jparse_take_name(struct jparse *p, struct str *name)
{
    if (p->err == ERR_OK && p->token.kind != JT_NAME)
        jparse_fail(p, "a name is expected");
    *name = p->token.text;
    jparse_next(p);
    return p->err == ERR_OK;
}

static struct jnode *parse_body(struct jparse *p, const char *const *ends);

/* The end of this tag, then the body up to a tag that ends lists; NULL is an empty body or an
 * error. The end tag's name is the current token. */
static struct jnode *parse_block(struct jparse *p, const char *const *ends)
{
    jparse_skip(p, ':');
    if (p->err == ERR_OK && p->token.kind != JT_BLOCK_END)
        jparse_fail(p, "the end of the tag is expected");
    jparse_next(p);
    return parse_body(p, ends);
}

static bool can_assign(const struct jnode *target)
{
    if (target->kind != JN_TUPLE)
        return target->kind == JN_NAME || target->kind == JN_NSREF;
    for (const struct jnode *item = target->a; item; item = item->next)
        if (!can_assign(item))
            return false;
    return true;
}

static struct jnode *parse_target(struct jparse *p, const char *end_name, bool with_namespace)
{
    struct jnode *target = jparse_tuple(p, (struct jtuple_rules){
                                               .simplified = true,
                                               .end_name = end_name,
                                               .with_namespace = with_namespace,
                                           });
    if (target && !can_assign(target))
        return jparse_fail(p, "this cannot be assigned to");
    return target;
}

static struct jnode *parse_target_name(struct jparse *p)
{
    struct jnode *node = jparse_node(p, JN_NAME, p->token.line);
    if (!node || !jparse_take_name(p, &node->name))
        return NULL;
    static const char *const constants[] = {"true", "false", "none", "True", "False", "None"};
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (str_is(node->name, constants[i]))
            return jparse_fail(p, "%s cannot be assigned to", constants[i]);
    return node;
}

static struct jnode *parse_set(struct jparse *p, struct jnode *node)
{
    static const char *const ends[] = {"endset", NULL};
    if (!(node->a = parse_target(p, NULL, true)))
        return NULL;
    if (jparse_skip(p, '=')) {
        node->b = jparse_tuple(p, (struct jtuple_rules){0});
        return node;
    }
    node->kind = JN_SETBLOCK;
    node->b = jparse_filter(p, NULL, false);
    node->c = parse_block(p, ends);
    jparse_next(p);
    return node;
}

static struct jnode *parse_for(struct jparse *p, struct jnode *node)
{
    static const char *const ends[] = {"else", "endfor", NULL};
    node->a = parse_target(p, "in", false);
    if (node->a && !jparse_skip_name(p, "in"))
        return jparse_fail(p, "'in' is expected");
    node->b = jparse_tuple(p, (struct jtuple_rules){
                                  .without_cond = true, .end_name = "recursive"});
    if (jparse_skip_name(p, "if"))
        node->e = jparse_expression(p, true);
    node->flag = jparse_skip_name(p, "recursive");
    node->c = parse_block(p, ends);
    if (jparse_skip_name(p, "else"))
        node->d = parse_block(p, ends + 1);
    jparse_next(p);
    return node;
}

/* An elif is an if in the else part; the innermost takes the endif. */
static struct jnode *parse_if(struct jparse *p, struct jnode *node)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    node->a = jparse_tuple(p, (struct jtuple_rules){.without_cond = true});
    node->b = parse_block(p, ends);
    int line = p->token.line;
    if (jparse_skip_name(p, "elif")) {
        struct jnode *other = jparse_node(p, JN_IF, line);
        if (!other || !jparse_enter(p))
            return NULL;
        other = parse_if(p, other);
        jparse_leave(p);
        node->c = other ? jparse_done(p, other) : NULL;
        return node;
    }
    if (jparse_skip_name(p, "else"))
        node->c = parse_block(p, ends + 2);
    jparse_next(p);
    return node;
}

/* "(a, b=1)" after a macro's name or after call. */
static bool parse_signature(struct jparse *p, struct jnode *node)
{
    struct jnode **tail = &node->b;
    bool has_default = false;
    if (!jparse_expect(p, '('))
        return false;
    while (p->err == ERR_OK && !jparse_is(p, ')')) {
        if (node->b && !jparse_expect(p, ','))
            return false;
        struct jnode *parameter = parse_target_name(p);
        if (!parameter)
            return false;
        for (const struct jnode *other = node->b; other; other = other->next)
            if (str_eq(other->name, parameter->name))
                return jparse_fail(p, "the parameter %.*s comes twice",
                                   STR_ARG(other->name)) != NULL;
        if (jparse_skip(p, '=')) {
            has_default = true;
            parameter->a = jparse_expression(p, true);
        } else if (has_default) {
            return jparse_fail(p, "a parameter without default follows one with") != NULL;
        }
        *tail = jparse_done(p, parameter);
        tail = &parameter->next;
    }
    return jparse_expect(p, ')');
}

static struct jnode *parse_macro(struct jparse *p, struct jnode *node)
{
    static const char *const ends[] = {"endmacro", NULL};
    node->a = parse_target_name(p);
    if (!node->a || !parse_signature(p, node))
        return NULL;
    node->c = parse_block(p, ends);
    jparse_next(p);
    return node;
}

static struct jnode *parse_call_block(struct jparse *p, struct jnode *node)
{
    static const char *const ends[] = {"endcall", NULL};
    if (jparse_is(p, '(') && !parse_signature(p, node))
        return NULL;
    node->a = jparse_expression(p, true);
    if (node->a && node->a->kind != JN_CALL)
        return jparse_fail(p, "a call is expected");
    node->c = parse_block(p, ends);
    jparse_next(p);
    return node;
}

static struct jnode *parse_filter_block(struct jparse *p, struct jnode *node)
{
    static const char *const ends[] = {"endfilter", NULL};
    node->b = jparse_filter(p, NULL, true);
    node->c = parse_block(p, ends);
    jparse_next(p);
    return node;
}

static struct jnode *parse_generation(struct jparse *p, struct jnode *node)
{
    static const char *const ends[] = {"endgeneration", NULL};
    node->c = parse_block(p, ends);
    jparse_next(p);
    return node;
}

static struct jnode *parse_with(struct jparse *p, struct jnode *node)
{
    static const char *const ends[] = {"endwith", NULL};
    struct jnode **targets = &node->a, **values = &node->b;
    while (p->err == ERR_OK && p->token.kind != JT_BLOCK_END) {
        if (node->a && !jparse_expect(p, ','))
            return NULL;
        *targets = parse_target(p, NULL, false);
        if (!*targets || !jparse_expect(p, '='))
            return NULL;
        targets = &(*targets)->next;
        if (!(*values = jparse_expression(p, true)))
            return NULL;
        values = &(*values)->next;
    }
    node->c = parse_block(p, ends);
    jparse_next(p);
    return node;
}

static struct jnode *parse_block_tag(struct jparse *p, struct jnode *node)
{
    static const char *const ends[] = {"endblock", NULL};
    if (!jparse_take_name(p, &node->name))
        return NULL;
    if (jparse_is_name(p, "scoped") || jparse_is_name(p, "required"))
        return jparse_fail(p, "%.*s blocks are not supported", STR_ARG(p->token.text));
    p->t->has_blocks = true;
    node->c = parse_block(p, ends);
    jparse_next(p);
    if (p->token.kind == JT_NAME && str_eq(p->token.text, node->name))
        jparse_next(p);
    return node;
}

static struct jnode *parse_print(struct jparse *p, struct jnode *node)
{
    struct jnode *first = node;
    for (;;) {
        if (!(node->a = jparse_expression(p, true)) || !jparse_done(p, node))
            return NULL;
        if (!jparse_skip(p, ','))
            return first;
        if (!(node->next = jparse_node(p, JN_OUTPUT, p->token.line)))
            return NULL;
        node = node->next;
    }
}

static struct jnode *parse_jump(struct jparse *p, struct jnode *node)
{
    (void)p;
    return node;
}

static struct jnode *parse_statement(struct jparse *p)
{
    static const struct {
        const char *name;
        enum jnode_kind kind;
        struct jnode *(*parse)(struct jparse *p, struct jnode *node);
    } statements[] = {
        {"set", JN_SET, parse_set},
        {"for", JN_FOR, parse_for},
        {"if", JN_IF, parse_if},
        {"macro", JN_MACRO, parse_macro},
        {"call", JN_CALLBLOCK, parse_call_block},
        {"filter", JN_FILTERBLOCK, parse_filter_block},
        {"generation", JN_GENERATION, parse_generation},
        {"with", JN_WITH, parse_with},
        {"block", JN_BLOCK, parse_block_tag},
        {"print", JN_OUTPUT, parse_print},
        {"break", JN_BREAK, parse_jump},
        {"continue", JN_CONTINUE, parse_jump},
    };
    static const char *const refused[] = {"include", "import", "from", "extends", "autoescape"};
    struct str name;
    int line = p->token.line;
    if (!jparse_take_name(p, &name))
        return NULL;
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        if (!str_is(name, statements[i].name))
            continue;
        struct jnode *node = jparse_node(p, statements[i].kind, line);
        node = node ? statements[i].parse(p, node) : NULL;
        return node && p->err == ERR_OK ? jparse_done(p, node) : NULL;
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (str_is(name, refused[i]))
            return jparse_fail(p, "the tag %s is not supported in chat templates", refused[i]);
    return jparse_fail(p, "unknown tag %.*s", STR_ARG(name));
}

/* Text as it stands, or a value to print. */
static struct jnode *parse_output(struct jparse *p)
{
    bool is_data = p->token.kind == JT_DATA;
    struct jnode *node = jparse_node(p, is_data ? JN_DATA : JN_OUTPUT, p->token.line);
    if (!node)
        return NULL;
    if (is_data) {
        struct jstr *s = jstr_make(&p->t->arena, p->token.text);
        if (!s)
            return jparse_fail(p, "no memory");
        node->value = (struct jval){.kind = J_STR, .s = s};
    } else {
        jparse_next(p);
        node->a = jparse_tuple(p, (struct jtuple_rules){0});
        if (p->err == ERR_OK && p->token.kind != JT_VARIABLE_END)
            return jparse_fail(p, "the end of the expression is expected");
    }
    jparse_next(p);
    return jparse_done(p, node);
}

static bool is_end(const struct jparse *p, const char *const *ends)
{
    for (; ends && *ends; ends++)
        if (jparse_is_name(p, *ends))
            return true;
    return false;
}

static struct jnode *parse_body(struct jparse *p, const char *const *ends)
{
    struct jnode *first = NULL, **tail = &first;
    if (!jparse_enter(p))
        return NULL;
    while (p->err == ERR_OK && p->token.kind != JT_EOF) {
        if (p->token.kind == JT_BLOCK_BEGIN) {
            jparse_next(p);
            if (is_end(p, ends)) {
                jparse_leave(p);
                return first;
            }
            *tail = parse_statement(p);
            if (p->err == ERR_OK && p->token.kind != JT_BLOCK_END)
                jparse_fail(p, "the end of the tag is expected");
            jparse_next(p);
        } else {
            *tail = parse_output(p);
        }
        while (*tail)
            tail = &(*tail)->next;
    }
    for (; ends && *ends; ends++)
        if (!ends[1])
            jparse_fail(p, "the template ends where %s is expected", *ends);
    jparse_leave(p);
    return p->err == ERR_OK ? first : NULL;
}

enum err jinja_parse(struct jinja *t, struct str source, struct err_note *note)
{
    struct jparse p = {.t = t, .note = note};
    p.err = jlex_init(&p.lex, &t->arena, source, note);
    jparse_next(&p);
    t->body = parse_body(&p, NULL);
    return p.err;
}
