/* response_store.c - a list of answers, oldest first, over turns that are counted. */
#include "server/response_store.h"

#include <string.h>

#include "base/mem.h"

enum { N_MAX = 4096, BYTES_MAX = 64 << 20, AGE_S_MAX = 24 * 3600 };

struct turn {
    struct turn *before;
    size_t n_refs; /* one of a stored answer, one of each turn after */
    size_t n_bytes;
    size_t n_input, n_output;
    char texts[]; /* input, then output */
};

struct stored {
    struct stored *next, **link;
    const void *owner;
    struct turn *turn;
    uint64_t begun_s;
    size_t n_bytes, n_id, n_response;
    char texts[]; /* id, then response */
};

struct response_store {
    struct response_limits limits;
    struct stored *first, **last;
    size_t n, n_bytes;
};

struct response_store *response_store_new(const struct response_limits *l)
{
    struct response_store *s = mem_zalloc(sizeof *s);
    if (!s)
        return NULL;
    s->limits = *l;
    if (s->limits.n_max == 0)
        s->limits.n_max = N_MAX;
    if (s->limits.n_bytes_max == 0)
        s->limits.n_bytes_max = BYTES_MAX;
    if (s->limits.age_s_max == 0)
        s->limits.age_s_max = AGE_S_MAX;
    s->last = &s->first;
    return s;
}

static void drop_turn(struct response_store *s, struct turn *t)
{
    while (t && --t->n_refs == 0) {
        struct turn *before = t->before;
        s->n_bytes -= t->n_bytes;
        mem_free(t);
        t = before;
    }
}

static void forget(struct response_store *s, struct stored *r)
{
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    else
        s->last = r->link;
    s->n--;
    s->n_bytes -= r->n_bytes;
    drop_turn(s, r->turn);
    mem_free(r);
}

void response_store_free(struct response_store *s)
{
    while (s && s->first)
        forget(s, s->first);
    mem_free(s);
}

static void forget_old(struct response_store *s, uint64_t now_s)
{
    while (s->first && now_s - s->first->begun_s >= s->limits.age_s_max)
        forget(s, s->first);
}

static struct stored *find(struct response_store *s, const void *owner, struct str id)
{
    for (struct stored *r = s->first; r; r = r->next)
        if (r->owner == owner && str_eq(id, (struct str){r->texts, r->n_id}))
            return r;
    return NULL;
}

static struct turn *make_turn(struct turn *before, const struct response_texts *t)
{
    size_t n_bytes = sizeof(struct turn) + t->input.len + t->output.len;
    struct turn *turn = mem_alloc(n_bytes);
    if (!turn)
        return NULL;
    *turn = (struct turn){.before = before,
                          .n_refs = 1,
                          .n_bytes = n_bytes,
                          .n_input = t->input.len,
                          .n_output = t->output.len};
    memcpy(turn->texts, t->input.ptr, t->input.len);
    memcpy(turn->texts + t->input.len, t->output.ptr, t->output.len);
    if (before)
        before->n_refs++;
    return turn;
}

static struct stored *make_stored(const void *owner, struct turn *turn,
                                  const struct response_texts *t, uint64_t now_s)
{
    size_t n_bytes = sizeof(struct stored) + t->id.len + t->response.len;
    struct stored *r = mem_alloc(n_bytes);
    if (!r)
        return NULL;
    *r = (struct stored){.owner = owner,
                         .turn = turn,
                         .begun_s = now_s,
                         .n_bytes = n_bytes,
                         .n_id = t->id.len,
                         .n_response = t->response.len};
    memcpy(r->texts, t->id.ptr, t->id.len);
    memcpy(r->texts + t->id.len, t->response.ptr, t->response.len);
    return r;
}

bool response_store_add(struct response_store *s, const void *owner, struct str before,
                        const struct response_texts *t, uint64_t now_s)
{
    forget_old(s, now_s);
    struct stored *last = before.len ? find(s, owner, before) : NULL;
    size_t n_bytes = sizeof(struct turn) + t->input.len + t->output.len + sizeof *last +
                     t->id.len + t->response.len;
    if ((before.len && !last) || n_bytes > s->limits.n_bytes_max)
        return false;
    struct turn *turn = make_turn(last ? last->turn : NULL, t);
    struct stored *r = turn ? make_stored(owner, turn, t, now_s) : NULL;
    if (!turn)
        return false;
    s->n_bytes += turn->n_bytes;
    if (!r) {
        drop_turn(s, turn);
        return false;
    }
    s->n_bytes += r->n_bytes;
    r->link = s->last;
    *s->last = r;
    s->last = &r->next;
    s->n++;
    while (s->first != r && (s->n > s->limits.n_max || s->n_bytes > s->limits.n_bytes_max))
        forget(s, s->first);
    if (s->n_bytes <= s->limits.n_bytes_max)
        return true;
    forget(s, r); /* the conversation alone is too large */
    return false;
}

const struct stored *response_store_find(struct response_store *s, const void *owner,
                                         struct str id, uint64_t now_s)
{
    forget_old(s, now_s);
    return find(s, owner, id);
}

bool response_store_remove(struct response_store *s, const void *owner, struct str id,
                           uint64_t now_s)
{
    forget_old(s, now_s);
    struct stored *r = find(s, owner, id);
    if (r)
        forget(s, r);
    return r != NULL;
}

struct str stored_response(const struct stored *r)
{
    return (struct str){r->texts + r->n_id, r->n_response};
}

struct str stored_input(const struct stored *r)
{
    return (struct str){r->turn->texts, r->turn->n_input};
}

static void add_items(struct buf *out, const char *items, size_t n_bytes)
{
    if (n_bytes == 0)
        return;
    if (out->n_bytes > 0)
        buf_char(out, ',');
    buf_add(out, items, n_bytes);
}

void stored_conversation(const struct stored *r, struct buf *out)
{
    size_t n = 0, i = 0;
    for (const struct turn *t = r->turn; t; t = t->before)
        n++;
    const struct turn **turns = mem_array(n, sizeof turns[0]);
    out->failed = out->failed || !turns;
    for (const struct turn *t = r->turn; turns && t; t = t->before)
        turns[i++] = t;
    while (i-- > 0) {
        add_items(out, turns[i]->texts, turns[i]->n_input);
        add_items(out, turns[i]->texts + turns[i]->n_input, turns[i]->n_output);
    }
    mem_free(turns);
}

size_t response_store_bytes(const struct response_store *s)
{
    return s->n_bytes;
}
