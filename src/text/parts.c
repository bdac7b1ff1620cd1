/* parts.c - an answer's parts. */
#include "text/parts.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum { TEXT_BYTES_MAX = 1 << 30, NAME_BYTES_MAX = 1 << 16 };

void parts_init(struct parts *p)
{
    *p = (struct parts){0};
}

static void release(struct part *part)
{
    buf_release(&part->text);
    buf_release(&part->name);
}

void parts_release(struct parts *p)
{
    for (size_t i = 0; i < p->n; i++)
        release(&p->items[i]);
    mem_free(p->items);
    *p = (struct parts){0};
}

/* Without memory for a part an answer would have holes. */
static struct part *add(struct parts *p, enum part_kind kind)
{
    if (p->n == p->n_reserved) {
        p->n_reserved = p->n_reserved ? 2 * p->n_reserved : 2;
        p->items = mem_resize(p->items, p->n_reserved * sizeof p->items[0]);
        CHECK(p->items);
    }
    struct part *part = &p->items[p->n++];
    *part = (struct part){.kind = kind};
    buf_init(&part->text, TEXT_BYTES_MAX);
    buf_init(&part->name, NAME_BYTES_MAX);
    return part;
}

void parts_text(struct parts *p, enum part_kind kind, struct str text)
{
    CHECK(kind != PART_CALL);
    if (text.len == 0)
        return;
    struct part *last = p->n ? &p->items[p->n - 1] : NULL;
    if (!last || last->kind != kind)
        last = add(p, kind);
    buf_add(&last->text, text.ptr, text.len);
    CHECK(!last->text.failed);
}

void parts_call(struct parts *p, struct str id, struct str name)
{
    struct part *part = add(p, PART_CALL);
    CHECK(id.len < sizeof part->id);
    memcpy(part->id, id.ptr, id.len);
    buf_add(&part->name, name.ptr, name.len);
    part->i_call = p->n_calls++;
}

void parts_arguments(struct parts *p, struct str text)
{
    struct part *last = p->n ? &p->items[p->n - 1] : NULL;
    CHECK(last && last->kind == PART_CALL);
    buf_add(&last->text, text.ptr, text.len);
    CHECK(!last->text.failed);
}

void parts_taken(struct parts *p)
{
    if (p->n == 0)
        return;
    for (size_t i = 0; i + 1 < p->n; i++)
        release(&p->items[i]);
    p->items[0] = p->items[p->n - 1];
    p->n = 1;
    p->items[0].said = true;
    buf_clear(&p->items[0].text);
}

bool parts_waiting(const struct parts *p)
{
    return p->n > 1 || (p->n == 1 && (!p->items[0].said || p->items[0].text.n_bytes > 0));
}
