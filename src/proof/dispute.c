/* dispute.c - where two receipts part. */
#include "proof/dispute.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- the same request --------------------------------------------------------------------- */

/* How the prompt came to be does not matter: its tokens are compared. */
static bool counts(struct str key)
{
    return !str_is(key, "clock") && !str_is(key, "interface");
}

bool dispute_same(const struct verify_case *a, const struct verify_case *b, struct verify_report *r)
{
    const struct receipt *x = &a->receipt, *y = &b->receipt;
    struct merkle_hash ids = commitment_of_ids(&a->bundle->salt, SALT_PROMPT_IDS,
                                               b->bundle->prompt_ids, b->bundle->n_prompt_ids);
    const char *text = "both";
    char expected[VERIFY_TEXT], found[VERIFY_TEXT];
    verify_hash(r, "model.weights", &x->model.weights, &y->model.weights, VERIFY_CHECKED, text);
    verify_hash(r, "model.metadata", &x->model.metadata, &y->model.metadata, VERIFY_CHECKED, text);
    verify_hash(r, "prompt.ids", &x->prompt_ids, &ids, VERIFY_CHECKED, text);
    if (!str_eq(x->arithmetic, y->arithmetic)) {
        snprintf(expected, sizeof expected, "%.*s", STR_ARG(x->arithmetic));
        snprintf(found, sizeof found, "%.*s", STR_ARG(y->arithmetic));
        verify_differ(r, "arithmetic", expected, found, "another");
    }
    if (x->seed != y->seed) {
        snprintf(expected, sizeof expected, "%" PRIu64, x->seed);
        snprintf(found, sizeof found, "%" PRIu64, y->seed);
        verify_differ(r, "seed", expected, found, "another");
    }
    verify_members(x->parameters, y->parameters, counts, "another", r);
    return r->first == NULL;
}

/* ---- the first difference ----------------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t prompt_pages(const struct bundle *b)
{
    return b->n_prompt_ids / ISO_PAGE_POSITIONS;
}

const struct merkle_hash *dispute_page(const struct bundle *b, size_t page)
{
    size_t n = prompt_pages(b);
    if (page < n)
        return page < b->n_prompt_pages ? &b->prompt_pages[page] : NULL;
    return page - n < b->n_pages ? &b->pages[page - n] : NULL;
}

int32_t dispute_token(const struct bundle *b, size_t position)
{
    size_t n = b->n_prompt_ids;
    return (int32_t)(position < n ? b->prompt_ids[position] : b->output_ids[position - n]);
}

/* Pages that end with position n at the latest. */
static size_t pages_to(size_t n)
{
    return n / ISO_PAGE_POSITIONS;
}

static bool pages_equal(const struct bundle *x, const struct bundle *y, size_t page)
{
    const struct merkle_hash *a = dispute_page(x, page), *b = dispute_page(y, page);
    return !a || !b || merkle_equal(a, b);
}

/* Records are read off the row of the position before their token's. */
static size_t row_of(const struct bundle *b, size_t record)
{
    return b->n_prompt_ids + record - 1;
}

/* What comes first in the order of positions; a page only where its tokens are agreed. */
static void settle_from_pages(const struct bundle *b, bool page_agreed, struct dispute *d)
{
    size_t start = d->page * ISO_PAGE_POSITIONS;
    d->is_page =
        page_agreed && (d->record == DISPUTE_NONE || row_of(b, d->record) >= start);
    d->n_end = d->is_page ? start + ISO_PAGE_POSITIONS : row_of(b, d->record) + 1;
    d->first_page = d->n_end ? pages_to(d->n_end - 1) : 0; /* 0: a prompt of nothing */
}

bool dispute_find(const struct verify_case *a, const struct verify_case *b, struct dispute *d)
{
    const struct bundle *x = a->bundle, *y = b->bundle;
    size_t n_prompt = x->n_prompt_ids, n_records = least(x->n_positions, y->n_positions);
    size_t n_pages = prompt_pages(x) + least(x->n_pages, y->n_pages), n_shared = 0, i = 0, k = 0;
    while (i < n_records && position_equal(&x->positions[i], &y->positions[i]))
        i++;
    /* The last token of the shorter answer was not read: no page holds its position. */
    n_pages = least(n_pages, pages_to(n_prompt + (n_records ? n_records - 1 : 0)));
    while (k < n_pages && pages_equal(x, y, k))
        k++;
    while (n_shared < n_records && x->output_ids[n_shared] == y->output_ids[n_shared])
        n_shared++;
    *d = (struct dispute){.page = k < n_pages ? k : DISPUTE_NONE,
                          .record = i < n_records ? i : DISPUTE_NONE};
    size_t n_end = (k + 1) * ISO_PAGE_POSITIONS;
    bool page_agreed = k < n_pages && n_end <= n_prompt + n_shared;
    if (page_agreed) {
        d->n_pages = k + 1;
        d->n_records = n_end > n_prompt ? n_end - n_prompt : 0;
        d->n_output = least(d->n_records + 1, n_records); /* a page is filled by reading */
    } else if (i < n_records) {
        d->n_records = d->n_output = i + 1;
        d->n_pages = least(n_pages, pages_to(n_prompt + i));
    }
    if (page_agreed || i < n_records)
        settle_from_pages(x, page_agreed, d);
    return page_agreed || i < n_records;
}

/* ---- who is right ------------------------------------------------------------------------- */

static const struct merkle_hash *page_now(const struct verify_replay *now, size_t page)
{
    if (page < now->n_prompt_pages)
        return &now->prompt_pages[page];
    page -= now->n_prompt_pages;
    return page < now->n_pages ? &now->pages[page] : NULL;
}

struct dispute_fault dispute_fault(const struct dispute *d, const struct bundle *of,
                                   const struct verify_replay *now)
{
    struct dispute_fault f = {.page = 0};
    for (; f.page < d->n_pages; f.page++) {
        const struct merkle_hash *told = dispute_page(of, f.page);
        f.page_now = page_now(now, f.page);
        if (told && (!f.page_now || !merkle_equal(told, f.page_now)))
            break;
    }
    while (f.record < d->n_records && f.record < now->n_records &&
           position_equal(&of->positions[f.record], &now->records[f.record]))
        f.record++;
    f.record_now = f.record < now->n_records ? &now->records[f.record] : NULL;
    f.page = f.page < d->n_pages ? f.page : DISPUTE_NONE;
    f.record = f.record < d->n_records ? f.record : DISPUTE_NONE;
    return f;
}
