/* jinja_bind.c - decides, as Jinja2's compiler does, where each name of a template lives.
 *
 * A frame (the template, a loop's body, a macro, a captured block...) owns the names assigned in
 * it; they are known before its first statement runs, and what they hold on entry follows from
 * where the name was first met: looked up in the context, copied from an outer frame, or undefined.
 * This is visible to templates (a name that is assigned later on hides the context's), so it is
 * repeated here exactly. Branches of an if belong to the frame around them. */
#include "text/jinja_ast.h"

#include "base/check.h"
#include "text/jinja_run.h"

enum { FRAME_NAMES_MAX = 4096 };

struct jbind {
    struct jinja *t;
    enum err err;
    struct err_note *note;
};

static bool bind_fail(struct jbind *b, const struct jnode *node, const char *what)
{
    if (b->err == ERR_OK)
        b->err = err_set(b->note, ERR_FORMAT, "template line %d: %s", node->line, what);
    return false;
}

static bool bind_no_memory(struct jbind *b)
{
    if (b->err == ERR_OK)
        b->err = err_set(b->note, ERR_LIMIT, "a template takes more memory than %zu bytes",
                         b->t->arena.n_bytes_max);
    return false;
}

static struct jframe *frame_new(struct jbind *b, struct jframe *parent)
{
    struct jframe *frame = arena_alloc(&b->t->arena, sizeof *frame);
    if (!frame)
        bind_no_memory(b);
    else
        frame->parent = parent;
    return frame;
}

static int frame_find(const struct jframe *frame, struct str name)
{
    for (int i = 0; i < frame->n_decls; i++)
        if (str_eq(frame->decls[i].name, name))
            return i;
    return -1;
}

/* Where name lives, seen from frame: false if nowhere. */
static bool frame_resolve(const struct jframe *frame, struct str name, int *hops, int *slot)
{
    *hops = 0;
    for (; frame; frame = frame->parent) {
        *slot = frame_find(frame, name);
        if (*slot >= 0)
            return true;
        *hops += frame->n_decls > 0;
    }
    return false;
}

static struct jdecl *frame_declare(struct jbind *b, struct jframe *frame, struct str name,
                                   enum jload load)
{
    int i = frame_find(frame, name);
    if (i < 0) {
        if (frame->n_decls >= FRAME_NAMES_MAX && b->err == ERR_OK)
            b->err = err_set(b->note, ERR_LIMIT, "a template uses more than %d names in one scope",
                             FRAME_NAMES_MAX);
        if (b->err != ERR_OK)
            return NULL;
        if (frame->n_decls == frame->n_reserved) {
            int n = frame->n_reserved ? frame->n_reserved * 2 : 8;
            struct jdecl *decls = arena_alloc(&b->t->arena, (size_t)n * sizeof *decls);
            if (!decls) {
                bind_no_memory(b);
                return NULL;
            }
            if (frame->n_decls)
                memcpy(decls, frame->decls, (size_t)frame->n_decls * sizeof *decls);
            frame->decls = decls;
            frame->n_reserved = n;
        }
        i = frame->n_decls++;
    }
    frame->decls[i] = (struct jdecl){.name = name, .load = load};
    return &frame->decls[i];
}

static void see_load(struct jbind *b, struct jframe *frame, struct str name)
{
    int hops, slot;
    if (!frame_resolve(frame, name, &hops, &slot))
        frame_declare(b, frame, name, JLOAD_RESOLVE);
}

static void see_store(struct jbind *b, struct jframe *frame, struct str name, bool in_branch)
{
    int hops = 0, slot = 0;
    if (frame_find(frame, name) >= 0)
        return;
    bool is_outer = frame->parent && frame_resolve(frame->parent, name, &hops, &slot);
    struct jdecl *decl = frame_declare(
        b, frame, name, is_outer ? JLOAD_ALIAS : in_branch ? JLOAD_RESOLVE : JLOAD_UNDEFINED);
    if (decl) {
        decl->hops = hops;
        decl->slot = slot;
    }
}

static void see_parameter_target(struct jbind *b, struct jframe *frame, const struct jnode *target)
{
    if (target->kind == JN_NAME)
        frame_declare(b, frame, target->name, JLOAD_PARAMETER);
    for (const struct jnode *item = target->kind == JN_TUPLE ? target->a : NULL; item;
         item = item->next)
        see_parameter_target(b, frame, item);
}

static void see_list(struct jbind *b, struct jframe *frame, const struct jnode *node,
                     bool in_branch);

static void see_target(struct jbind *b, struct jframe *frame, const struct jnode *target,
                       bool in_branch)
{
    if (target->kind == JN_NAME)
        see_store(b, frame, target->name, in_branch);
    else if (target->kind == JN_NSREF)
        see_load(b, frame, target->name);
    for (const struct jnode *item = target->kind == JN_TUPLE ? target->a : NULL; item;
         item = item->next)
        see_target(b, frame, item, in_branch);
}

/* The names that a statement or expression reads or assigns in its own frame: what lies in inner
 * frames is seen when these are bound. */
static void see(struct jbind *b, struct jframe *frame, const struct jnode *node, bool in_branch)
{
    switch (node->kind) {
    case JN_NAME:
        see_load(b, frame, node->name);
        return;
    case JN_IF:
        see_list(b, frame, node->a, in_branch);
        see_list(b, frame, node->b, true);
        see_list(b, frame, node->c, true);
        return;
    case JN_SET:
        see_list(b, frame, node->b, in_branch);
        see_target(b, frame, node->a, in_branch);
        return;
    case JN_SETBLOCK:
        see_target(b, frame, node->a, in_branch);
        return;
    case JN_MACRO:
        see_store(b, frame, node->a->name, in_branch);
        return;
    case JN_FOR:
    case JN_WITH:
    case JN_FILTERBLOCK:
        see_list(b, frame, node->b, in_branch);
        return;
    case JN_CALLBLOCK:
        see_list(b, frame, node->a, in_branch);
        return;
    case JN_BLOCK:
    case JN_GENERATION:
        return;
    default:
        see_list(b, frame, node->a, in_branch);
        see_list(b, frame, node->b, in_branch);
        see_list(b, frame, node->c, in_branch);
        see_list(b, frame, node->d, in_branch);
        see_list(b, frame, node->e, in_branch);
    }
}

static void see_list(struct jbind *b, struct jframe *frame, const struct jnode *node,
                     bool in_branch)
{
    for (; node && b->err == ERR_OK; node = node->next)
        see(b, frame, node, in_branch);
}

/* What surrounds a node: is it in an if, where unknown filters may stand as long as they are not
 * reached; in a loop, where break may stand. */
struct jsurround {
    bool soft, in_loop;
};

static void bind(struct jbind *b, struct jframe *frame, struct jnode *node, struct jsurround in);

static void bind_list(struct jbind *b, struct jframe *frame, struct jnode *node,
                      struct jsurround in)
{
    for (; node && b->err == ERR_OK; node = node->next)
        bind(b, frame, node, in);
}

static void bind_name(struct jbind *b, const struct jframe *frame, struct jnode *node)
{
    CHECK(b->err != ERR_OK || frame_resolve(frame, node->name, &node->hops, &node->slot));
}

static bool stores_loop(const struct jnode *node)
{
    for (; node; node = node->next) {
        bool has_target = node->kind == JN_FOR || node->kind == JN_SET ||
                          node->kind == JN_SETBLOCK;
        if (has_target && node->a->kind == JN_NAME && str_is(node->a->name, "loop"))
            return true;
        if (node->kind >= JN_DATA &&
            (stores_loop(node->c) || stores_loop(node->d) ||
             (node->kind == JN_IF && stores_loop(node->b))))
            return true;
    }
    return false;
}

static void bind_for(struct jbind *b, struct jframe *frame, struct jnode *node,
                     struct jsurround in)
{
    struct jsurround body = {.in_loop = true}, other = {.in_loop = in.in_loop};
    if (stores_loop(node->c) || stores_loop(node->d) ||
        (node->a->kind == JN_NAME && str_is(node->a->name, "loop")))
        bind_fail(b, node, "loop cannot be assigned to in a for loop");
    bind_list(b, frame, node->b, in);
    node->frame = frame_new(b, frame);
    node->frame_else = frame_new(b, frame);
    node->frame_test = frame_new(b, frame);
    if (b->err != ERR_OK)
        return;
    /* The target comes first in both frames, so that its slots are the same in both. */
    see_parameter_target(b, node->frame, node->a);
    see_parameter_target(b, node->frame_test, node->a);
    frame_declare(b, node->frame, STR("loop"), JLOAD_PARAMETER);
    see_list(b, node->frame, node->c, false);
    see_list(b, node->frame_else, node->d, false);
    see_list(b, node->frame_test, node->e, false);
    if (b->err != ERR_OK)
        return;
    node->slots_used[0] = frame_find(node->frame, STR("loop"));
    bind(b, node->frame, node->a, body);
    bind_list(b, node->frame, node->c, body);
    bind_list(b, node->frame_else, node->d, other);
    bind_list(b, node->frame_test, node->e, other);
}

/* Does the body read the name before it assigns it, inner frames included? 1 yes, 0 not met, -1
 * it is assigned first. */
static int reads(const struct jnode *node, struct str name)
{
    for (; node; node = node->next) {
        int found = 0;
        if (node->kind == JN_BLOCK)
            return -1;
        if (node->kind == JN_NAME && str_eq(node->name, name))
            return 1;
        bool has_target = node->kind == JN_SET || node->kind == JN_SETBLOCK ||
                          node->kind == JN_FOR || node->kind == JN_WITH;
        bool is_macro = node->kind == JN_MACRO || node->kind == JN_CALLBLOCK;
        for (const struct jnode *p = has_target ? node->a : is_macro ? node->b : NULL; p;
             p = p->next)
            if (p->kind == JN_NAME && str_eq(p->name, name))
                return -1;
        const struct jnode *children[] = {has_target || node->kind == JN_MACRO ? NULL : node->a,
                                          node->b, node->c, node->d, node->e};
        for (int i = 0; i < 5 && found == 0; i++)
            found = reads(children[i], name);
        if (found != 0)
            return found;
    }
    return 0;
}

/* A macro, or the body of a call block, which is one. */
static void bind_macro(struct jbind *b, struct jframe *frame, struct jnode *node)
{
    static const struct str special[] = {{"caller", 6}, {"kwargs", 6}, {"varargs", 7}};
    struct jsurround inside = {0};
    struct jframe *inner = node->frame = frame_new(b, frame);
    if (!inner)
        return;
    for (struct jframe *f = frame; f; f = f->parent)
        f->has_closure = true;
    for (struct jnode *p = node->b; p; p = p->next)
        frame_declare(b, inner, p->name, JLOAD_PARAMETER);
    for (int i = 0; i < 3; i++) {
        const struct jnode *p = node->b;
        bool is_used = reads(node->c, special[i]) == 1;
        while (p && !str_eq(p->name, special[i]))
            p = p->next;
        if (p && i == 0 && is_used && !p->a) {
            bind_fail(b, node, "the parameter caller needs a default");
            return;
        }
        node->uses[i] = is_used && (!p || i == 0);
        if (is_used && !p)
            frame_declare(b, inner, special[i], JLOAD_PARAMETER);
        node->slots_used[i] = is_used && !p ? frame_find(inner, special[i]) : -1;
    }
    for (struct jnode *p = node->b; p; p = p->next)
        see_list(b, inner, p->a, false);
    see_list(b, inner, node->c, false);
    for (struct jnode *p = node->b; p && b->err == ERR_OK; p = p->next) {
        bind_name(b, inner, p);
        bind_list(b, inner, p->a, inside);
    }
    bind_list(b, inner, node->c, inside);
}

/* A body with its own frame: filter and set blocks, generation, with, block. */
static void bind_body(struct jbind *b, struct jframe *frame, struct jnode *node,
                      struct jsurround in)
{
    struct jframe *inner = node->frame = frame_new(b, frame);
    if (!inner)
        return;
    if (node->kind == JN_WITH)
        for (struct jnode *target = node->a; target; target = target->next)
            see_parameter_target(b, inner, target);
    if (node->kind == JN_FILTERBLOCK || node->kind == JN_SETBLOCK)
        see_list(b, inner, node->b, false);
    see_list(b, inner, node->c, false);
    if (node->kind == JN_WITH)
        bind_list(b, inner, node->a, in);
    if (node->kind == JN_FILTERBLOCK || node->kind == JN_SETBLOCK)
        bind_list(b, inner, node->b, in);
    bind_list(b, inner, node->c, in);
}

static void bind_children(struct jbind *b, struct jframe *frame, struct jnode *node,
                          struct jsurround in)
{
    bind_list(b, frame, node->a, in);
    bind_list(b, frame, node->b, in);
    bind_list(b, frame, node->c, in);
    bind_list(b, frame, node->d, in);
    bind_list(b, frame, node->e, in);
}

static void bind(struct jbind *b, struct jframe *frame, struct jnode *node, struct jsurround in)
{
    struct jsurround inner = {.in_loop = in.in_loop}, none = {0};
    switch (node->kind) {
    case JN_NAME:
    case JN_NSREF:
        bind_name(b, frame, node);
        return;
    case JN_FILTER:
    case JN_TEST:
        if (!in.soft && (node->kind == JN_FILTER ? !node->filter : !node->test))
            b->err = err_set(b->note, ERR_FORMAT, "template line %d: no %s named '%.*s'",
                             node->line, node->kind == JN_FILTER ? "filter" : "test",
                             STR_ARG(node->name));
        bind_children(b, frame, node, in);
        return;
    case JN_COND:
    case JN_IF:
        in.soft = true;
        bind_children(b, frame, node, in);
        return;
    case JN_FOR:
        bind_for(b, frame, node, in);
        return;
    case JN_SETBLOCK:
        node->flag = frame == b->t->frame;
        bind(b, frame, node->a, in);
        bind_body(b, frame, node, inner);
        return;
    case JN_MACRO:
        node->flag = frame == b->t->frame;
        bind(b, frame, node->a, in);
        bind_macro(b, frame, node);
        return;
    case JN_CALLBLOCK:
        bind(b, frame, node->a, in);
        bind_macro(b, frame, node);
        return;
    case JN_WITH:
        bind_list(b, frame, node->b, in);
        bind_body(b, frame, node, inner);
        return;
    case JN_FILTERBLOCK:
        bind_body(b, frame, node, inner);
        return;
    case JN_GENERATION:
        bind_body(b, frame, node, none);
        return;
    case JN_BLOCK:
        bind_body(b, NULL, node, none);
        return;
    case JN_BREAK:
    case JN_CONTINUE:
        if (!in.in_loop)
            bind_fail(b, node, "break or continue outside a loop");
        return;
    case JN_SET:
        node->flag = frame == b->t->frame;
        bind_children(b, frame, node, in);
        return;
    default:
        bind_children(b, frame, node, in);
    }
}

enum err jinja_bind(struct jinja *t, struct err_note *note)
{
    struct jbind b = {.t = t, .note = note};
    t->frame = frame_new(&b, NULL);
    if (t->frame) {
        see_list(&b, t->frame, t->body, false);
        bind_list(&b, t->frame, t->body, (struct jsurround){0});
    }
    return b.err;
}
