/* maker.c - what an answer leaves behind, kept until its end, then committed to. */
#include "proof/maker.h"

#include <string.h>

#include "base/check.h"

_Static_assert((int)ISO_BEST_MAX == (int)COMMITMENT_BEST_MAX, "records hold as many logits");

void maker_init(struct maker *m)
{
    *m = (struct maker){0};
    salt_make(&m->salt);
    buf_init(&m->ids, SIZE_MAX / 2);
    buf_init(&m->records, SIZE_MAX / 2);
    buf_init(&m->logits, SIZE_MAX / 2);
    buf_init(&m->pages, SIZE_MAX / 2);
    buf_init(&m->prompt_pages, SIZE_MAX / 2);
    buf_init(&m->commitments, SIZE_MAX / 2);
}

void maker_release(struct maker *m)
{
    buf_release(&m->ids);
    buf_release(&m->records);
    buf_release(&m->logits);
    buf_release(&m->pages);
    buf_release(&m->prompt_pages);
    buf_release(&m->commitments);
    *m = (struct maker){0};
}

struct position_record maker_record(const struct iso_event *event)
{
    CHECK(event->record);
    struct position_record p = {.id = (uint32_t)event->token,
                                .n_best = event->record->n_best,
                                .sum = event->record->sum};
    for (uint32_t i = 0; i < p.n_best; i++) {
        p.best[i].id = (uint32_t)event->record->best[i].token;
        memcpy(&p.best[i].logit_bits, &event->record->best[i].logit, sizeof(uint32_t));
    }
    return p;
}

static void take_token(struct maker *m, const struct iso_event *event)
{
    struct position_record p = maker_record(event);
    buf_add(&m->ids, &p.id, sizeof p.id);
    buf_add(&m->records, &p, sizeof p);
    if (event->digest)
        buf_add(&m->logits, event->digest, SHA256_BYTES);
}

/* Those that are read by now: step by step, so that hashing keeps nobody waiting at the prompt's
 * end. Where a page is lost with its device, it is asked for again with the next event. */
static void take_prompt_pages(struct maker *m, const struct iso_event *event)
{
    struct merkle_hash page;
    bool reads = event->kind == ISO_EVENT_PROMPT;
    uint64_t n = (m->border ? m->border : reads ? event->position : 0) / ISO_PAGE_POSITIONS;
    for (uint64_t i = m->prompt_pages.n_bytes / SHA256_BYTES; i < n; i++) {
        if (!iso_session_page_hash(event->session, (uint32_t)i, page.bytes))
            return;
        buf_add(&m->prompt_pages, page.bytes, SHA256_BYTES);
    }
}

void maker_take(struct maker *m, const struct iso_event *event)
{
    if (event->kind == ISO_EVENT_BORDER)
        m->border = event->position;
    take_prompt_pages(m, event);
    if (event->kind == ISO_EVENT_TOKEN)
        take_token(m, event);
    else if (event->kind == ISO_EVENT_PAGE && event->position + ISO_PAGE_POSITIONS > m->border)
        buf_add(&m->pages, event->digest, SHA256_BYTES);
}

static void shorten(struct buf *b, size_t n_bytes)
{
    if (b->n_bytes > n_bytes)
        b->n_bytes = n_bytes;
}

/* The last token's position is in no page: it was never read. */
void maker_cut(struct maker *m, uint32_t n_tokens)
{
    uint64_t n_read = m->border + n_tokens - (n_tokens > 0);
    uint64_t n_pages = n_read / ISO_PAGE_POSITIONS - m->border / ISO_PAGE_POSITIONS;
    shorten(&m->ids, n_tokens * sizeof(uint32_t));
    shorten(&m->records, n_tokens * sizeof(struct position_record));
    shorten(&m->logits, n_tokens * SHA256_BYTES);
    shorten(&m->pages, n_pages * SHA256_BYTES);
}

static void commit_answer(struct maker *m, const struct bundle *b, struct receipt *r)
{
    struct merkle tree = {0};
    for (size_t i = 0; i < b->n_positions; i++) {
        struct merkle_hash leaf = commitment_position(&m->salt, i, &b->positions[i]);
        merkle_add(&tree, &leaf);
    }
    r->root = merkle_root(&tree);
    r->n_output = b->n_output_ids;
    r->output_ids =
        commitment_of_ids(&m->salt, SALT_OUTPUT_IDS, b->output_ids, b->n_output_ids);
    r->has_logits = b->has[BUNDLE_LOGITS];
    r->logits = commitment_of_hashes(&m->salt, SALT_LOGITS, b->logits, b->n_logits);
    buf_clear(&m->commitments);
    for (size_t i = 0; i < b->n_pages; i++) {
        struct merkle_hash page =
            commitment_of(&m->salt, SALT_PAGE, i, b->pages[i].bytes, SHA256_BYTES);
        buf_add(&m->commitments, &page, sizeof page);
    }
    r->pages = (const struct merkle_hash *)(const void *)m->commitments.bytes;
    r->n_pages = b->n_pages;
}

enum err maker_fill(struct maker *m, struct bundle *b, struct receipt *r, struct err_note *note)
{
    CHECK(b->has[BUNDLE_REQUEST] && b->has[BUNDLE_PROMPT] && b->has[BUNDLE_PROMPT_IDS]);
    b->output_ids = (const uint32_t *)(const void *)m->ids.bytes;
    b->n_output_ids = m->ids.n_bytes / sizeof b->output_ids[0];
    b->positions = (const struct position_record *)(const void *)m->records.bytes;
    b->n_positions = m->records.n_bytes / sizeof b->positions[0];
    b->pages = (const struct merkle_hash *)(const void *)m->pages.bytes;
    b->n_pages = m->pages.n_bytes / sizeof b->pages[0];
    b->prompt_pages = (const struct merkle_hash *)(const void *)m->prompt_pages.bytes;
    b->n_prompt_pages = m->prompt_pages.n_bytes / sizeof b->prompt_pages[0];
    b->logits = (const struct merkle_hash *)(const void *)m->logits.bytes;
    b->n_logits = m->logits.n_bytes / sizeof b->logits[0];
    b->salt = m->salt;
    b->has[BUNDLE_LOGITS] = b->n_logits > 0;
    b->has[BUNDLE_OUTPUT_IDS] = b->has[BUNDLE_POSITIONS] = true;
    b->has[BUNDLE_PAGES] = b->has[BUNDLE_SALT] = true;
    b->has[BUNDLE_PROMPT_PAGES] = r->has_prompt_pages =
        m->border > 0 && b->n_prompt_pages == m->border / ISO_PAGE_POSITIONS;
    r->request = commitment_of(&m->salt, SALT_REQUEST, 0, b->request.ptr, b->request.len);
    r->prompt = commitment_of(&m->salt, SALT_PROMPT, 0, b->prompt.ptr, b->prompt.len);
    r->prompt_ids =
        commitment_of_ids(&m->salt, SALT_PROMPT_IDS, b->prompt_ids, b->n_prompt_ids);
    r->n_prompt = b->n_prompt_ids;
    r->prompt_pages = commitment_of_hashes(&m->salt, SALT_PROMPT_PAGE, b->prompt_pages,
                                           b->n_prompt_pages);
    commit_answer(m, b, r);
    if (m->ids.failed || m->records.failed || m->logits.failed || m->pages.failed ||
        m->prompt_pages.failed || m->commitments.failed)
        return err_set(note, ERR_MEMORY, "out of memory for a receipt");
    return ERR_OK;
}
