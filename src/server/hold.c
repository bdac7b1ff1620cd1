/* hold.c - what is held back of an answer until its receipts are on the disk.
 *
 * A worker sends a call's receipts, unsigned, before the last frames of its answer. Each goes to
 * the thread that signs (receipts.h); what the worker sends meanwhile waits here and goes on when
 * the last one is back. A receipt that could not be kept makes its answer fail. */
#include <inttypes.h>

#include "base/check.h"
#include "base/entropy.h"
#include "base/mem.h"
#include "server/front_int.h"
#include "server/receipts.h"

enum { FRAMES_BYTES_MAX = 256 << 20, LIST_BYTES_MAX = 64 << 20, RECEIPT_BYTES_MAX = 16 << 20 };

struct hold {
    size_t n_pending;
    bool failed;
    char why[256];
    struct buf frames; /* struct held and its bytes, one after another */
    struct buf list;   /* {"id", "index", "receipt"} of each, with commas between */
};

struct held {
    uint32_t kind, n_bytes;
};

/* A receipt on its way. */
struct giving {
    struct errand errand;
    struct ledger_entry entry;
    struct front *front;
    uint64_t ticket;
    uint32_t index;
    char bytes[]; /* body, then bundle */
};

void hold_release(struct hold *h)
{
    if (!h)
        return;
    buf_release(&h->frames);
    buf_release(&h->list);
    mem_free(h);
}

static struct hold *hold_of(struct ticket *t)
{
    if (t->hold)
        return t->hold;
    t->hold = mem_zalloc(sizeof *t->hold);
    CHECK(t->hold);
    buf_init(&t->hold->frames, FRAMES_BYTES_MAX);
    buf_init(&t->hold->list, LIST_BYTES_MAX);
    return t->hold;
}

void hold_name(const struct ticket *t, uint32_t index, char id[LEDGER_ID_BYTES])
{
    if (index == 0)
        snprintf(id, LEDGER_ID_BYTES, "%s", t->receipt_id);
    else
        snprintf(id, LEDGER_ID_BYTES, "%s.%" PRIu32, t->receipt_id, index);
}

/* ---- going on ----------------------------------------------------------------------------- */

static void go_on(struct front *f, struct ticket *t)
{
    struct hold *h = t->hold;
    struct buf frames = h->frames;
    uint64_t id = t->id;
    struct held head;
    buf_init(&h->frames, FRAMES_BYTES_MAX);
    if (h->failed && t->sink) {
        const struct sink *sink = t->sink;
        struct api_error e;
        t->sink = NULL;
        api_fail(&e, 503, NULL, "no receipt could be given: %s", h->why);
        sink->fail(t->to, &e);
    }
    for (size_t at = 0; at < frames.n_bytes; at += sizeof head + head.n_bytes) {
        memcpy(&head, frames.bytes + at, sizeof head);
        ticket_frame(f, (uint8_t)head.kind, id,
                     (struct str){frames.bytes + at + sizeof head, head.n_bytes});
    }
    buf_release(&frames);
}

static void add_to_list(struct hold *h, const struct giving *g)
{
    if (h->list.n_bytes > 0)
        buf_char(&h->list, ',');
    buf_printf(&h->list, "{\"id\":\"%s\",\"index\":%" PRIu32 ",\"receipt\":", g->entry.id,
               g->index);
    buf_add(&h->list, g->entry.receipt.bytes, g->entry.receipt.n_bytes);
    buf_char(&h->list, '}');
}

static void given(struct errand *e, bool closing)
{
    struct giving *g = (struct giving *)e;
    struct ticket *t = closing ? NULL : ticket_find(g->front, g->ticket);
    if (e->rc && !closing)
        front_say(g->front, "no receipt %s: %s", g->entry.id, e->note.text);
    if (t) {
        struct hold *h = t->hold;
        if (e->rc && !h->failed)
            snprintf(h->why, sizeof h->why, "%.250s", e->note.text);
        h->failed |= e->rc != ERR_OK;
        if (!e->rc)
            add_to_list(h, g);
        if (--h->n_pending == 0)
            go_on(g->front, t);
    }
    buf_release(&g->entry.receipt);
    mem_free(g);
}

/* ---- holding ------------------------------------------------------------------------------ */

void hold_receipt(struct front *f, struct ticket *t, struct str bytes)
{
    struct receipt_head head;
    CHECK(f->receipts && bytes.len >= sizeof head);
    memcpy(&head, bytes.ptr, sizeof head);
    bytes = str_sub(bytes, sizeof head, bytes.len);
    CHECK(head.n_body <= bytes.len);
    struct giving *g = mem_alloc(sizeof *g + bytes.len);
    CHECK(g);
    *g = (struct giving){.front = f, .ticket = t->id, .index = head.index};
    memcpy(g->bytes, bytes.ptr, bytes.len);
    g->errand.entry = &g->entry;
    g->errand.done = given;
    g->entry.body = (struct str){g->bytes, head.n_body};
    g->entry.bundle = (struct str){g->bytes + head.n_body, bytes.len - head.n_body};
    buf_init(&g->entry.receipt, RECEIPT_BYTES_MAX);
    hold_name(t, head.index, g->entry.id);
    snprintf(g->entry.owner, sizeof g->entry.owner, "%s", t->key ? t->key->id : "");
    hold_of(t)->n_pending++;
    receipts_run(f->receipts, &g->errand);
}

bool hold_takes(struct ticket *t, uint8_t kind, struct str bytes)
{
    struct held head = {kind, (uint32_t)bytes.len};
    if (!t->hold || t->hold->n_pending == 0)
        return false;
    buf_add(&t->hold->frames, &head, sizeof head);
    buf_add(&t->hold->frames, bytes.ptr, bytes.len);
    CHECK(!t->hold->frames.failed);
    return true;
}

struct str hold_fill(const struct ticket *t, struct str bytes, struct buf *filled)
{
    const char *at = t->receipt_id[0] ? memchr(bytes.ptr, DIALECT_RECEIPTS_HERE, bytes.len) : NULL;
    if (!at)
        return bytes;
    size_t n = (size_t)(at - bytes.ptr);
    buf_add(filled, bytes.ptr, n);
    buf_char(filled, '[');
    if (t->hold)
        buf_add(filled, t->hold->list.bytes, t->hold->list.n_bytes);
    buf_char(filled, ']');
    buf_add(filled, at + 1, bytes.len - n - 1);
    CHECK(!filled->failed);
    return (struct str){filled->bytes, filled->n_bytes};
}
