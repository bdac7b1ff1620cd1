/* once.c - answers by name, oldest first to go. */
#include "server/once.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"

enum { BYTES_MAX = 64 << 20, ANSWER_BYTES_MAX = 8 << 20, ENTRIES_MAX = 65536 };

struct once_entry {
    struct once_entry *next_here;      /* in its place of the table */
    struct once_entry *newer, **older; /* by age; older: what points to this one */
    uint8_t name[SHA256_BYTES], content[SHA256_BYTES];
    uint64_t begun_s;
    bool open, lost; /* lost: too large to be kept */
    int status;
    char type[ONCE_TYPE_BYTES];
    struct buf body;
};

struct once {
    struct once_options options;
    struct once_entry *places[ONCE_PLACES];
    struct once_entry *oldest, **newest; /* newest: where the next one goes */
    size_t n_entries, n_bytes;
};

struct once *once_new(const struct once_options *o)
{
    struct once *new = mem_zalloc(sizeof *new);
    if (!new)
        return NULL;
    new->options = *o;
    new->newest = &new->oldest;
    if (o->n_bytes_max == 0)
        new->options.n_bytes_max = BYTES_MAX;
    if (o->n_answer_bytes_max == 0)
        new->options.n_answer_bytes_max = ANSWER_BYTES_MAX;
    if (o->n_entries_max == 0)
        new->options.n_entries_max = ENTRIES_MAX;
    return new;
}

static struct once_entry **place_of(struct once *o, const uint8_t name[SHA256_BYTES])
{
    uint32_t hash;
    memcpy(&hash, name, sizeof hash);
    return &o->places[hash % ONCE_PLACES];
}

static void drop(struct once *o, struct once_entry *e)
{
    struct once_entry **at = place_of(o, e->name);
    while (*at != e)
        at = &(*at)->next_here;
    *at = e->next_here;
    *e->older = e->newer;
    if (e->newer)
        e->newer->older = e->older;
    else
        o->newest = e->older;
    o->n_entries--;
    o->n_bytes -= e->body.n_bytes;
    buf_release(&e->body);
    mem_free(e);
}

void once_free(struct once *o)
{
    if (!o)
        return;
    while (o->oldest) {
        CHECK(!o->oldest->open);
        drop(o, o->oldest);
    }
    mem_free(o);
}

/* Makes room, from the oldest answer on; open ones stay. false: there is none to be made. */
static bool make_room(struct once *o, size_t n_entries, size_t n_bytes)
{
    for (struct once_entry *e = o->oldest, *newer; e; e = newer) {
        if (o->n_entries + n_entries <= o->options.n_entries_max &&
            o->n_bytes + n_bytes <= o->options.n_bytes_max)
            break;
        newer = e->newer;
        if (!e->open)
            drop(o, e);
    }
    return o->n_entries + n_entries <= o->options.n_entries_max &&
           o->n_bytes + n_bytes <= o->options.n_bytes_max;
}

static void drop_old(struct once *o, uint64_t now_s)
{
    for (struct once_entry *e = o->oldest, *newer; e && now_s - e->begun_s >= ONCE_S_MAX;
         e = newer) {
        newer = e->newer;
        if (!e->open)
            drop(o, e);
    }
}

static struct once_entry *add(struct once *o, const uint8_t name[SHA256_BYTES],
                              const uint8_t content[SHA256_BYTES], uint64_t now_s)
{
    struct once_entry **place = place_of(o, name);
    struct once_entry *e = make_room(o, 1, 0) ? mem_zalloc(sizeof *e) : NULL;
    if (!e)
        return NULL;
    memcpy(e->name, name, sizeof e->name);
    memcpy(e->content, content, sizeof e->content);
    e->begun_s = now_s;
    e->open = true;
    buf_init(&e->body, o->options.n_answer_bytes_max);
    e->next_here = *place;
    *place = e;
    e->older = o->newest;
    *o->newest = e;
    o->newest = &e->newer;
    o->n_entries++;
    return e;
}

enum once_found once_begin(struct once *o, const uint8_t name[SHA256_BYTES],
                           const uint8_t content[SHA256_BYTES], uint64_t now_s,
                           struct once_entry **entry)
{
    drop_old(o, now_s);
    *entry = NULL;
    for (struct once_entry *e = *place_of(o, name); e; e = e->next_here) {
        if (memcmp(e->name, name, sizeof e->name) != 0)
            continue;
        if (memcmp(e->content, content, sizeof e->content) != 0)
            return ONCE_DIFFERENT;
        if (e->open)
            return ONCE_OPEN;
        *entry = e;
        return ONCE_DONE;
    }
    *entry = add(o, name, content, now_s);
    return ONCE_NEW;
}

void once_add(struct once *o, struct once_entry *e, const char *type, struct str bytes)
{
    CHECK(e->open);
    if (type)
        snprintf(e->type, sizeof e->type, "%s", type);
    if (e->lost)
        return;
    size_t before = e->body.n_bytes;
    if (bytes.len <= o->options.n_answer_bytes_max - before && make_room(o, 0, bytes.len))
        buf_add(&e->body, bytes.ptr, bytes.len);
    else
        e->lost = true;
    if (e->lost || e->body.failed) {
        e->lost = true;
        buf_release(&e->body);
        o->n_bytes -= before;
    } else {
        o->n_bytes += bytes.len;
    }
}

void once_end(struct once *o, struct once_entry *e, int status, bool keep)
{
    CHECK(e->open);
    e->open = false;
    e->status = status;
    if (!keep || e->lost)
        drop(o, e);
}

int once_status(const struct once_entry *e)
{
    return e->status;
}

const char *once_type(const struct once_entry *e)
{
    return e->type;
}

struct str once_body(const struct once_entry *e)
{
    return (struct str){e->body.n_bytes ? e->body.bytes : "", e->body.n_bytes};
}

size_t once_bytes(const struct once *o)
{
    return o->n_bytes;
}
