/* dispute.c - where two receipts part. */
#include "proof/dispute.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- the same request --------------------------------------------------------------------- */

/* How the prompt came to be does not matter: its tokens are compared. */
static const struct canon_node *that_counts(const struct canon_doc *doc, const struct canon_node *m)
{
    while (m && (str_is(m->key, "clock") || str_is(m->key, "interface")))
        m = canon_next(doc, doc->nodes, m);
    return m;
}

static void compare_parameters(struct str a, struct str b, struct verify_report *r)
{
    struct canon_doc x = {0}, y = {0};
    char expected[VERIFY_TEXT] = "nothing", found[VERIFY_TEXT] = "nothing";
    if (canon_read(a, &x, NULL) || canon_read(b, &y, NULL)) {
        verify_differ(r, "parameters", "an object", "none", "they cannot be read");
    } else {
        const struct canon_node *m = that_counts(&x, canon_first(x.nodes));
        const struct canon_node *n = that_counts(&y, canon_first(y.nodes));
        while (m && n && str_eq(m->key, n->key) && str_eq(m->raw, n->raw)) {
            m = that_counts(&x, canon_next(&x, x.nodes, m));
            n = that_counts(&y, canon_next(&y, y.nodes, n));
        }
        if (m)
            snprintf(expected, sizeof expected, "%.*s: %.*s", STR_ARG(m->key), STR_ARG(m->raw));
        if (n)
            snprintf(found, sizeof found, "%.*s: %.*s", STR_ARG(n->key), STR_ARG(n->raw));
        if (m || n)
            verify_differ(r, "parameters", expected, found, "another");
    }
    canon_release(&x);
    canon_release(&y);
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
    compare_parameters(x->parameters, y->parameters, r);
    return r->first == NULL;
}

/* ---- the first difference ----------------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The answer's tokens in pages 0 to k. */
static size_t tokens_to(const struct bundle *b, size_t k)
{
    return (k + 1) * ISO_PAGE_POSITIONS - b->n_prompt_ids % ISO_PAGE_POSITIONS;
}

bool dispute_find(const struct verify_case *a, const struct verify_case *b, struct dispute *d)
{
    const struct bundle *x = a->bundle, *y = b->bundle;
    size_t n_pages = least(x->n_pages, y->n_pages), n_shared = 0;
    size_t n_records = least(x->n_positions, y->n_positions), i = 0, k = 0;
    while (i < n_records && position_equal(&x->positions[i], &y->positions[i]))
        i++;
    while (n_pages > 0 && tokens_to(x, n_pages - 1) >= n_records)
        n_pages--; /* the shorter answer cannot have filled it */
    while (k < n_pages && merkle_equal(&x->pages[k], &y->pages[k]))
        k++;
    while (n_shared < n_records && x->output_ids[n_shared] == y->output_ids[n_shared])
        n_shared++;
    *d = (struct dispute){.page = k < n_pages ? k : DISPUTE_NONE,
                          .record = i < n_records ? i : DISPUTE_NONE};
    if (k < n_pages && tokens_to(x, k) <= n_shared) {
        d->n_pages = k + 1;
        d->n_records = tokens_to(x, k);
        d->n_output = d->n_records + 1; /* a page is filled by reading, not by choosing */
    } else if (i < n_records) {
        d->n_records = d->n_output = i + 1;
        while (d->n_pages < n_pages && tokens_to(x, d->n_pages) <= i)
            d->n_pages++;
    }
    return d->n_output > 0;
}

/* ---- who is right ------------------------------------------------------------------------- */

struct dispute_fault dispute_fault(const struct dispute *d, const struct bundle *of,
                                   const struct verify_replay *now)
{
    struct dispute_fault f = {0, 0};
    while (f.page < d->n_pages && f.page < now->n_pages &&
           merkle_equal(&of->pages[f.page], &now->pages[f.page]))
        f.page++;
    while (f.record < d->n_records && f.record < now->n_records &&
           position_equal(&of->positions[f.record], &now->records[f.record]))
        f.record++;
    f.page = f.page < d->n_pages ? f.page : DISPUTE_NONE;
    f.record = f.record < d->n_records ? f.record : DISPUTE_NONE;
    return f;
}
