/* pow_report.c - what is sent to who asked: artifacts of the generation each few seconds, and what
 * jobs come to. */
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "server/pow_int.h"

enum {
    REPORT_BYTES_MAX = 64 << 20,
    REPORT_NONCES_MAX = 50000,  /* of one delivery */
    BUFFER_NONCES_MAX = 1000000, /* the oldest are dropped beyond */
    INTERVAL_S = 5,
};
#define SECOND_NS UINT64_C(1000000000)

/* Artifacts of one chunk. */
struct pow_block {
    struct pow_block *next;
    size_t n;
    uint64_t nonces[POW_CHUNK_NONCES];
    char texts[POW_CHUNK_NONCES][ARTIFACT_TEXT_MAX];
};

static void drop_block(struct pow_generation *g)
{
    struct pow_block *b = g->blocks;
    g->blocks = b->next;
    if (!g->blocks)
        g->last_block = NULL;
    g->n_buffered -= b->n;
    mem_free(b);
}

void pow_report_drop(struct pow_generation *g)
{
    while (g->blocks)
        drop_block(g);
}

void pow_report_keep(struct pow *p, const struct pow_chunk *c, const json_t *texts)
{
    struct pow_generation *g = &p->generation;
    if (g->r.url.len == 0)
        return;
    struct pow_block *b = mem_zalloc(sizeof *b);
    CHECK(b);
    for (size_t i = 0; i < c->n; i++) {
        const char *text = json_string_value(json_array_get(texts, i));
        if (!text)
            continue;
        b->nonces[b->n] = c->nonces[i];
        snprintf(b->texts[b->n++], sizeof b->texts[0], "%s", text);
    }
    *(g->last_block ? &g->last_block->next : &g->blocks) = b;
    g->last_block = b;
    g->n_buffered += b->n;
    while (g->n_buffered > BUFFER_NONCES_MAX) {
        p->n_dropped += g->blocks->n;
        drop_block(g);
    }
}

/* ---- bodies ------------------------------------------------------------------------------- */

static void write_head(struct writer *w, const struct api_pow *r)
{
    write_key_text(w, "public_key", r->public_key);
    write_key_text(w, "block_hash", r->block_hash);
    write_key_int(w, "block_height", r->block_height);
    write_key_int(w, "node_id", r->node_id);
}

static void post(struct pow *p, uint64_t owner, const struct api_pow *r, const char *what,
                 struct buf *body)
{
    char url[POW_URL_BYTES_MAX + 16];
    snprintf(url, sizeof url, "%s/%s", r->url.ptr, what);
    if (body->failed)
        p->n_dropped++;
    else
        pow_send(p->sender, owner, url, body);
    buf_release(body);
}

/* The oldest artifacts that wait, as one delivery of the generation, or of nobody. */
static void flush(struct pow *p, uint64_t owner)
{
    struct pow_generation *g = &p->generation;
    struct buf body;
    struct writer w;
    buf_init(&body, REPORT_BYTES_MAX);
    write_begin(&w, &body);
    write_open(&w, '{');
    write_head(&w, &g->r);
    write_key(&w, "artifacts");
    write_open(&w, '[');
    for (size_t n = 0; g->blocks && n < REPORT_NONCES_MAX; drop_block(g)) {
        for (size_t i = 0; i < g->blocks->n; i++, n++)
            pow_write_artifact(&w, g->blocks->nonces[i], g->blocks->texts[i]);
    }
    write_close(&w, ']');
    pow_write_encoding(&w, g->r.k_dim);
    write_close(&w, '}');
    post(p, owner, &g->r, "generated", &body);
}

void pow_report_end(struct pow *p)
{
    while (p->generation.blocks)
        flush(p, 0);
    pow_sender_orphan(p->sender, p->generation.epoch);
}

void pow_report_tick(struct pow *p, uint64_t now_ns)
{
    struct pow_generation *g = &p->generation;
    struct err_note why;
    size_t n_lost = pow_sender_lost(p->sender, &why);
    if (n_lost)
        front_say(p->front, "proof of compute: %zu deliveries were given up: %s", n_lost,
                  why.text);
    if (p->n_dropped)
        front_say(p->front, "proof of compute: %zu artifacts were dropped: nobody took them",
                  p->n_dropped);
    p->n_dropped = 0;
    if (!g->blocks || now_ns - g->sent_ns < INTERVAL_S * SECOND_NS ||
        pow_sender_has(p->sender, g->epoch))
        return;
    g->sent_ns = now_ns;
    flush(p, g->epoch);
}

void pow_report_job(struct pow *p, const struct pow_job *j)
{
    struct buf body;
    struct writer w;
    if (j->r.url.len == 0)
        return;
    buf_init(&body, REPORT_BYTES_MAX);
    write_begin(&w, &body);
    write_open(&w, '{');
    write_key_text(&w, "request_id", str_from(j->id));
    write_head(&w, &j->r);
    pow_write_findings(&w, j);
    write_close(&w, '}');
    post(p, 0, &j->r, j->r.validates ? "validated" : "generated", &body);
}
