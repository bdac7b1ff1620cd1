/* verify_parts.c - what a bundle shows, and what was computed anew, against a receipt. */
#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "proof/verify.h"

/* ---- parts -------------------------------------------------------------------------------- */

void verify_count(struct verify_report *r, const char *field, uint64_t expected, uint64_t found,
                  enum verify_status status)
{
    char a[24], b[24];
    snprintf(a, sizeof a, "%" PRIu64, expected);
    snprintf(b, sizeof b, "%" PRIu64, found);
    if (expected == found)
        verify_say(r, field, status, "%s", a);
    else
        verify_differ(r, field, a, b, "counted");
}

void verify_request(const struct verify_case *c, struct str request, struct verify_report *r)
{
    const struct bundle *b = c->bundle;
    bool is_told = request.ptr != NULL;
    if (!b->has[BUNDLE_SALT]) {
        verify_say(r, "salt", VERIFY_MISSING, "without it the receipt's hashes tell nothing");
        return;
    }
    if (!is_told && b->has[BUNDLE_REQUEST])
        request = b->request;
    if (!request.ptr) {
        verify_say(r, "request", VERIFY_MISSING, "no request to compare with");
        return;
    }
    struct merkle_hash h = commitment_of(&b->salt, SALT_REQUEST, 0, request.ptr, request.len);
    verify_hash(r, "request", &h, &c->receipt.request, is_told ? VERIFY_CHECKED : VERIFY_MISSING,
                is_told ? "the one that was sent"
                        : "the one in the bundle; no other to compare it with");
}

static void check_ids(const struct verify_case *c, struct verify_report *r)
{
    const struct bundle *b = c->bundle;
    if (b->has[BUNDLE_PROMPT_IDS]) {
        struct merkle_hash h =
            commitment_of_ids(&b->salt, SALT_PROMPT_IDS, b->prompt_ids, b->n_prompt_ids);
        verify_count(r, "prompt.count", b->n_prompt_ids, c->receipt.n_prompt, VERIFY_RECOMPUTED);
        verify_hash(r, "prompt.ids", &h, &c->receipt.prompt_ids, VERIFY_ASSERTED,
                    "the ones in the bundle");
    }
    if (b->has[BUNDLE_OUTPUT_IDS]) {
        struct merkle_hash h =
            commitment_of_ids(&b->salt, SALT_OUTPUT_IDS, b->output_ids, b->n_output_ids);
        verify_count(r, "output.count", b->n_output_ids, c->receipt.n_output, VERIFY_RECOMPUTED);
        verify_hash(r, "output.ids", &h, &c->receipt.output_ids, VERIFY_ASSERTED,
                    "the ones in the bundle");
    }
}

static struct merkle_hash root_of(const struct salt *salt, const struct position_record *records,
                                  size_t n_records)
{
    struct merkle tree = {0};
    for (size_t i = 0; i < n_records; i++) {
        struct merkle_hash leaf = commitment_position(salt, i, &records[i]);
        merkle_add(&tree, &leaf);
    }
    return merkle_root(&tree);
}

static void check_positions(const struct verify_case *c, struct verify_report *r)
{
    const struct bundle *b = c->bundle;
    char expected[24], found[24];
    if (!b->has[BUNDLE_POSITIONS])
        return;
    verify_count(r, "output.count", b->n_positions, c->receipt.n_output, VERIFY_RECOMPUTED);
    struct merkle_hash root = root_of(&b->salt, b->positions, b->n_positions);
    verify_hash(r, "output.root", &root, &c->receipt.root, VERIFY_ASSERTED,
                "of the records in the bundle");
    for (size_t i = 0; b->has[BUNDLE_OUTPUT_IDS] && i < b->n_positions && i < b->n_output_ids; i++)
        if (b->positions[i].id != b->output_ids[i]) {
            snprintf(expected, sizeof expected, "%" PRIu32, b->positions[i].id);
            snprintf(found, sizeof found, "%" PRIu32, b->output_ids[i]);
            verify_differ(r, "output.ids", expected, found, "position %zu", i);
        }
}

/* The commitments of pages; field's text where all are equal. */
static void check_pages(const struct verify_case *c, const struct merkle_hash *pages,
                        size_t n_pages, enum verify_status status, const char *text,
                        struct verify_report *r)
{
    const struct receipt *of = &c->receipt;
    char expected[SHA256_HEX], found[SHA256_HEX];
    if (n_pages != of->n_pages) {
        snprintf(expected, sizeof expected, "%zu", n_pages);
        snprintf(found, sizeof found, "%zu", of->n_pages);
        verify_differ(r, "output.pages", expected, found, "the number of pages");
    }
    for (size_t i = 0; i < n_pages && i < of->n_pages; i++) {
        struct merkle_hash h =
            commitment_of(&c->bundle->salt, SALT_PAGE, i, pages[i].bytes, SHA256_BYTES);
        hex_of(h.bytes, SHA256_BYTES, expected);
        hex_of(of->pages[i].bytes, SHA256_BYTES, found);
        if (!merkle_equal(&h, &of->pages[i]))
            verify_differ(r, "output.pages", expected, found, "page %zu", i);
    }
    verify_say(r, "output.pages", status, "%s", text);
}

/* The root over the prompt's pages, where the receipt has one. */
static void check_prompt_pages(const struct verify_case *c, const struct merkle_hash *pages,
                               size_t n_pages, enum verify_status status, const char *text,
                               struct verify_report *r)
{
    uint64_t n_filled = c->receipt.n_prompt / ISO_PAGE_POSITIONS;
    char expected[24], found[24];
    if (!c->receipt.has_prompt_pages)
        return;
    if (n_pages < n_filled && status == VERIFY_RECOMPUTED) {
        verify_say(r, "prompt.pages", VERIFY_MISSING, "%zu of %" PRIu64 " were computed", n_pages,
                   n_filled);
        return;
    }
    if (n_pages != n_filled) {
        snprintf(expected, sizeof expected, "%" PRIu64, n_filled);
        snprintf(found, sizeof found, "%zu", n_pages);
        verify_differ(r, "prompt.pages", expected, found, "the number of pages");
        return;
    }
    struct merkle_hash root =
        commitment_of_hashes(&c->bundle->salt, SALT_PROMPT_PAGE, pages, n_pages);
    verify_hash(r, "prompt.pages", &root, &c->receipt.prompt_pages, status, text);
}

/* The root over the hashes of all logits, where the receipt has one; NULL: there are none. */
static void check_logits(const struct verify_case *c, const struct merkle_hash *hashes,
                         size_t n_hashes, enum verify_status status, const char *text,
                         struct verify_report *r)
{
    if (!c->receipt.has_logits)
        return;
    if (!hashes) {
        verify_say(r, "output.logits", VERIFY_MISSING, "all logits were not hashed");
        return;
    }
    struct merkle_hash root =
        commitment_of_hashes(&c->bundle->salt, SALT_LOGITS, hashes, n_hashes);
    verify_hash(r, "output.logits", &root, &c->receipt.logits, status, text);
}

/* Positions that are shown alone need no salt but their own. */
static void check_shown(const struct verify_case *c, struct verify_report *r)
{
    const struct bundle *b = c->bundle;
    char found[VERIFY_TEXT];
    for (size_t i = 0; i < b->n_shown; i++) {
        const struct bundle_shown *s = &b->shown[i];
        struct merkle_hash leaf = position_leaf(&s->salt, &s->record);
        if (!merkle_check_leaf(&leaf, s->index, c->receipt.n_output, &s->proof, &c->receipt.root)) {
            snprintf(found, sizeof found, "position %" PRIu64 ", token %" PRIu32, s->index,
                     s->record.id);
            verify_differ(r, "output.shown", "a position under the receipt's root", found,
                          "it is not under it");
        }
    }
    if (b->n_shown > 0)
        verify_say(r, "output.shown", VERIFY_ASSERTED,
                   "%zu under the receipt's root; the first: position %" PRIu64 ", token %" PRIu32,
                   b->n_shown, b->shown[0].index, b->shown[0].record.id);
}

void verify_parts(const struct verify_case *c, struct str request, struct verify_report *r)
{
    const struct bundle *b = c->bundle;
    if (c->receipt.seed_by_node)
        verify_say(r, "seed", VERIFY_MISSING,
                   "the node chose %" PRIu64 ": it may have tried several", c->receipt.seed);
    else
        verify_say(r, "seed", VERIFY_ASSERTED, "%" PRIu64 " by the requester", c->receipt.seed);
    verify_say(r, "parameters", VERIFY_MISSING, "not compared with a request");
    verify_request(c, request, r);
    check_shown(c, r);
    if (!b->has[BUNDLE_SALT])
        return;
    if (b->has[BUNDLE_PROMPT]) {
        struct merkle_hash h =
            commitment_of(&b->salt, SALT_PROMPT, 0, b->prompt.ptr, b->prompt.len);
        verify_hash(r, "prompt.text", &h, &c->receipt.prompt, VERIFY_ASSERTED,
                    "the one in the bundle");
    }
    check_ids(c, r);
    check_positions(c, r);
    if (b->has[BUNDLE_PAGES])
        check_pages(c, b->pages, b->n_pages, VERIFY_ASSERTED, "the hashes in the bundle", r);
    if (b->has[BUNDLE_LOGITS])
        check_logits(c, b->logits, b->n_logits, VERIFY_ASSERTED, "of the hashes in the bundle", r);
    if (b->has[BUNDLE_PROMPT_PAGES])
        check_prompt_pages(c, b->prompt_pages, b->n_prompt_pages, VERIFY_ASSERTED,
                           "of the hashes in the bundle", r);
}

/* ---- the model ---------------------------------------------------------------------------- */

void verify_weights(const struct verify_case *c, const struct merkle_hash *expected,
                    struct verify_report *r)
{
    verify_hash(r, "model.weights", expected, &c->receipt.model.weights, VERIFY_CHECKED,
                "the ones that you expect");
}

void verify_model(const struct verify_case *c, const struct verify_model *m,
                  struct verify_report *r)
{
    static const char same[] = "of the model at hand";
    verify_hash(r, "model.weights", &m->weights, &c->receipt.model.weights, VERIFY_RECOMPUTED,
                same);
    verify_hash(r, "model.metadata", &m->metadata, &c->receipt.model.metadata, VERIFY_RECOMPUTED,
                same);
    verify_hash(r, "model.tokenizer", &m->tokenizer, &c->receipt.model.tokenizer, VERIFY_RECOMPUTED,
                same);
    verify_hash(r, "model.template", &m->template, &c->receipt.model.template, VERIFY_RECOMPUTED,
                same);
}

/* ---- computed anew ------------------------------------------------------------------------ */

/* What of a record differs, in words. */
static void record_differs(const struct verify_case *c, size_t i, const struct position_record *now,
                           const struct position_record *then, struct verify_report *r)
{
    char a[VERIFY_TEXT], b[VERIFY_TEXT];
    const char *what = "the sum";
    snprintf(a, sizeof a, "%" PRIu64, now->sum);
    snprintf(b, sizeof b, "%" PRIu64, then->sum);
    if (now->n_best != then->n_best) {
        what = "how many logits";
        snprintf(a, sizeof a, "%" PRIu32, now->n_best);
        snprintf(b, sizeof b, "%" PRIu32, then->n_best);
    }
    for (uint32_t k = now->n_best == then->n_best ? now->n_best : 0; k-- > 0;) {
        if (now->best[k].id == then->best[k].id &&
            now->best[k].logit_bits == then->best[k].logit_bits)
            continue;
        what = "the largest logits";
        snprintf(a, sizeof a, "number %" PRIu32 ": token %" PRIu32 " with %08" PRIx32, k,
                 now->best[k].id, now->best[k].logit_bits);
        snprintf(b, sizeof b, "number %" PRIu32 ": token %" PRIu32 " with %08" PRIx32, k,
                 then->best[k].id, then->best[k].logit_bits);
    }
    verify_differ(r, "output.root", a, b, "position %zu of %" PRIu64 ": %s", i, c->receipt.n_output,
                  what);
}

/* The first token, then the first record, that is another one; false: there is one. */
static bool check_records(const struct verify_case *c, const struct verify_replay *p,
                          struct verify_report *r)
{
    const struct bundle *b = c->bundle;
    char expected[SHA256_HEX], found[SHA256_HEX];
    for (size_t i = 0; i < p->n_records; i++) {
        if (b->has[BUNDLE_OUTPUT_IDS] && i < b->n_output_ids && b->output_ids[i] != p->ids[i]) {
            snprintf(expected, sizeof expected, "%" PRIu32, p->ids[i]);
            snprintf(found, sizeof found, "%" PRIu32, b->output_ids[i]);
            verify_differ(r, "output.ids", expected, found, "token %zu of %" PRIu64, i,
                          c->receipt.n_output);
            return false;
        }
        if (b->has[BUNDLE_LOGITS] && p->logits && i < b->n_logits &&
            !merkle_equal(&p->logits[i], &b->logits[i])) {
            hex_of(p->logits[i].bytes, SHA256_BYTES, expected);
            hex_of(b->logits[i].bytes, SHA256_BYTES, found);
            verify_differ(r, "output.logits", expected, found, "position %zu of %" PRIu64, i,
                          c->receipt.n_output);
            return false;
        }
        if (b->has[BUNDLE_POSITIONS] && i < b->n_positions &&
            !position_equal(&p->records[i], &b->positions[i])) {
            record_differs(c, i, &p->records[i], &b->positions[i], r);
            return false;
        }
    }
    return true;
}

bool verify_replayed(const struct verify_case *c, const struct verify_replay *p,
                     struct verify_report *r)
{
    const struct salt *salt = &c->bundle->salt;
    if (!check_records(c, p, r))
        return false;
    struct merkle_hash ids = commitment_of_ids(salt, SALT_OUTPUT_IDS, p->ids, p->n_records);
    struct merkle_hash root = root_of(salt, p->records, p->n_records);
    verify_count(r, "output.count", p->n_records, c->receipt.n_output, VERIFY_RECOMPUTED);
    verify_hash(r, "output.ids", &ids, &c->receipt.output_ids, VERIFY_RECOMPUTED,
                "each token chosen again");
    verify_hash(r, "output.root", &root, &c->receipt.root, VERIFY_RECOMPUTED,
                "every position's largest logits and sum");
    check_pages(c, p->pages, p->n_pages, VERIFY_RECOMPUTED, "every page of keys and values", r);
    check_prompt_pages(c, p->prompt_pages, p->n_prompt_pages, VERIFY_RECOMPUTED,
                       "every page that the prompt fills", r);
    check_logits(c, p->logits, p->n_records, VERIFY_RECOMPUTED, "all logits of every position", r);
    return true;
}

/* Who asked may leave, and time may run out: then an answer that goes on ends all the same. */
static bool ends_from_outside(struct str reason)
{
    return str_is(reason, iso_finish_text(ISO_FINISH_CANCELLED)) ||
           str_is(reason, iso_finish_text(ISO_FINISH_DEADLINE));
}

void verify_finish(const struct verify_case *c, enum iso_finish ended, bool stop_text,
                   struct verify_report *r)
{
    struct str reason = c->receipt.finish_reason;
    char found[VERIFY_TEXT];
    const char *expected = iso_finish_text(stop_text ? ISO_FINISH_STOP : ended);
    snprintf(found, sizeof found, "%.*s", STR_ARG(reason));
    if (str_is(reason, expected))
        verify_say(r, "finish_reason", VERIFY_RECOMPUTED, "%s", expected);
    else if (ended == ISO_FINISH_NONE && !stop_text && ends_from_outside(reason))
        verify_say(r, "finish_reason", VERIFY_ASSERTED, "%s", found);
    else
        verify_differ(r, "finish_reason",
                      ended == ISO_FINISH_NONE && !stop_text ? "none: the answer goes on"
                                                             : expected,
                      found, "why the answer ended");
}

void verify_end(const struct verify_case *c, const struct verify_replay *p, enum iso_finish ended,
                size_t n_said, bool said, struct verify_report *r)
{
    char expected[24], found[24];
    if (n_said < p->n_records) {
        snprintf(expected, sizeof expected, "%zu", n_said);
        snprintf(found, sizeof found, "%zu", p->n_records);
        verify_differ(r, "output.count", expected, found, "what it says had ended the answer");
    }
    verify_finish(c, ended, said, r);
}

/* ---- the request -------------------------------------------------------------------------- */

static const struct canon_node *that_counts(const struct canon_doc *doc, const struct canon_node *m,
                                            bool (*counts)(struct str key))
{
    while (m && counts && !counts(m->key))
        m = canon_next(doc, doc->nodes, m);
    return m;
}

void verify_members(struct str expected, struct str found, bool (*counts)(struct str key),
                    const char *text, struct verify_report *r)
{
    struct canon_doc a = {0}, b = {0};
    char x_text[VERIFY_TEXT] = "nothing", y_text[VERIFY_TEXT] = "nothing";
    if (canon_read(expected, &a, NULL) || canon_read(found, &b, NULL)) {
        verify_differ(r, "parameters", "an object", "none", "they cannot be read");
    } else {
        const struct canon_node *x = that_counts(&a, canon_first(a.nodes), counts);
        const struct canon_node *y = that_counts(&b, canon_first(b.nodes), counts);
        while (x && y && str_eq(x->key, y->key) && str_eq(x->raw, y->raw)) {
            x = that_counts(&a, canon_next(&a, a.nodes, x), counts);
            y = that_counts(&b, canon_next(&b, b.nodes, y), counts);
        }
        if (x)
            snprintf(x_text, sizeof x_text, "%.*s: %.*s", STR_ARG(x->key), STR_ARG(x->raw));
        if (y)
            snprintf(y_text, sizeof y_text, "%.*s: %.*s", STR_ARG(y->key), STR_ARG(y->raw));
        if (x || y)
            verify_differ(r, "parameters", x_text, y_text, "%s", text);
    }
    canon_release(&a);
    canon_release(&b);
}

void verify_parameters(const struct verify_case *c, struct str asked, struct verify_report *r)
{
    if (str_eq(asked, c->receipt.parameters))
        verify_say(r, "parameters", VERIFY_RECOMPUTED, "from the request");
    else
        verify_members(asked, c->receipt.parameters, NULL, "the request asks for others", r);
}

void verify_seed(const struct verify_case *c, const uint64_t *given, struct verify_report *r)
{
    char expected[32] = "none", found[32];
    snprintf(found, sizeof found, "%" PRIu64, c->receipt.seed);
    if (given)
        snprintf(expected, sizeof expected, "%" PRIu64, *given);
    if (!given && c->receipt.seed_by_node)
        return; /* it stays unmeasured */
    if (given && *given == c->receipt.seed && !c->receipt.seed_by_node)
        verify_say(r, "seed", VERIFY_CHECKED, "%s, the request's", found);
    else
        verify_differ(r, "seed", expected, found, "the requester's seed");
}

void verify_prompt(const struct verify_case *c, struct str text, const int32_t *ids, size_t n_ids,
                   struct verify_report *r)
{
    const struct salt *salt = &c->bundle->salt;
    struct merkle_hash h = commitment_of(salt, SALT_PROMPT, 0, text.ptr, text.len);
    verify_hash(r, "prompt.text", &h, &c->receipt.prompt, VERIFY_RECOMPUTED,
                "rendered anew from the request");
    h = commitment_of_ids(salt, SALT_PROMPT_IDS, (const uint32_t *)ids, n_ids);
    verify_hash(r, "prompt.ids", &h, &c->receipt.prompt_ids, VERIFY_RECOMPUTED,
                "the request's, tokenized anew");
    verify_count(r, "prompt.count", n_ids, c->receipt.n_prompt, VERIFY_RECOMPUTED);
}
