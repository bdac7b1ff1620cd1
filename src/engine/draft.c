/* draft.c - guesses of the next tokens from a small model. */
#include "engine/draft.h"

#include <string.h>

#include "base/mem.h"
#include "model/profile.h"

enum { WAIT_MIN = 32, WAIT_MAX = 512 };

/* ---- opening -------------------------------------------------------------------------------- */

/* GGUF files list their tokens; of folders only the size is known here. Models pad their
 * vocabularies differently. */
static enum err check_vocabulary(const struct table *draft, uint32_t n_draft,
                                 const struct table *target, uint32_t n_target,
                                 struct err_note *note)
{
    const struct meta_array *a, *b;
    uint32_t n_more = n_draft > n_target ? n_draft - n_target : n_target - n_draft;
    if (n_more > n_target / 256)
        return err_set(note, ERR_USAGE,
                       "%s cannot guess for %s: its vocabulary has %u tokens, the other's %u",
                       draft->path, target->path, n_draft, n_target);
    enum err rc = table_array(draft, "tokenizer.ggml.tokens", META_STRING, &a, note);
    if (!rc)
        rc = table_array(target, "tokenizer.ggml.tokens", META_STRING, &b, note);
    if (rc || !a || !b)
        return rc;
    for (size_t i = 0; i < a->n_items && i < b->n_items; i++)
        if (!str_eq(a->strings[i], b->strings[i]))
            return err_set(note, ERR_USAGE,
                           "%s cannot guess for %s: token %zu is \"%.*s\" in one vocabulary and "
                           "\"%.*s\" in the other",
                           draft->path, target->path, i, STR_ARG(a->strings[i]),
                           STR_ARG(b->strings[i]));
    return ERR_OK;
}

static enum err open_scratch(struct draft *d, uint32_t n_vocab, struct err_note *note)
{
    const struct model_info *info = model_info(d->model);
    uint32_t n_pages = (d->n_ctx + KV_PAGE - 1) / KV_PAGE;
    uint32_t n_both = n_vocab < d->n_vocab ? n_vocab : d->n_vocab;
    uint32_t n_larger = n_vocab > d->n_vocab ? n_vocab : d->n_vocab;
    d->tokens = mem_array(d->n_ctx, sizeof d->tokens[0]);
    d->bases = mem_array(n_pages, sizeof d->bases[0]);
    d->rows = mem_array(d->n_rows_max, sizeof d->rows[0]);
    d->bad = mem_array(d->n_rows_max, sizeof d->bad[0]);
    d->logits = mem_array(n_larger, sizeof d->logits[0]);
    d->allowed = mem_array(((size_t)n_larger + 31) / 32, sizeof d->allowed[0]);
    if (!d->tokens || !d->bases || !d->rows || !d->bad || !d->logits || !d->allowed ||
        !mul_ok(n_pages, info->kv_page_bytes, &d->n_bytes_memory))
        return err_set(note, ERR_MEMORY, "out of memory for the draft model's cache");
    void *memory;
    enum err rc = d->device->ops->mem_take(d->device, d->n_bytes_memory, "the draft model's cache",
                                           &memory, note);
    if (rc)
        return rc;
    d->memory = memory;
    for (uint32_t i = 0; i < n_pages; i++)
        d->bases[i] = d->memory + i * info->kv_page_bytes;
    for (uint32_t i = 0; i < n_both; i++)
        d->allowed[i / 32] |= 1u << i % 32;
    return sampler_init(&d->sampler, n_larger, d->n_ctx, note);
}

/* It reads no further than it was trained to. */
static void limit(struct model_limits *limits, const struct model_info *plan)
{
    limits->n_logits_max = 1;
    if (limits->n_ctx_max > plan->n_ctx_train)
        limits->n_ctx_max = plan->n_ctx_train;
}

enum err draft_needs(const struct table *table, struct device *device, struct model_limits limits,
                     uint64_t *n_bytes, struct err_note *note)
{
    struct model_needs needs;
    struct model_info plan = {0};
    enum err rc =
        model_plan(table, (struct model_limits){.n_rows_max = limits.n_rows_max}, &plan, note);
    limit(&limits, &plan);
    if (!rc)
        rc = profile_choose(NULL, table, device, &limits.is_fast, NULL);
    if (!rc)
        rc = model_needs_find(table, device, limits, &needs, note);
    if (rc)
        return rc;
    uint64_t n_pages = (needs.info.n_ctx + KV_PAGE - 1) / KV_PAGE;
    *n_bytes = needs.own.packed_bytes + needs.own.vector_bytes + needs.own.scratch_bytes +
               n_pages * needs.info.kv_page_bytes;
    return ERR_OK;
}

enum err draft_open(struct draft *d, const struct table *table, const struct table *target,
                    struct device *device, uint32_t n_vocab, struct model_limits limits,
                    struct err_note *note)
{
    struct model_info plan = {0};
    *d = (struct draft){.device = device, .n_rows_max = limits.n_rows_max};
    enum err rc =
        model_plan(table, (struct model_limits){.n_rows_max = limits.n_rows_max}, &plan, note);
    if (!rc)
        rc = check_vocabulary(table, plan.n_vocab, target, n_vocab, note);
    limit(&limits, &plan);
    if (!rc)
        rc = profile_choose(NULL, table, device, &limits.is_fast, NULL);
    if (!rc)
        rc = model_open(table, device, limits, NULL, NULL, &d->model, note);
    if (rc)
        return rc;
    d->n_vocab = plan.n_vocab;
    d->n_ctx = model_info(d->model)->n_ctx;
    if (plan.rope_border && plan.rope_border < d->n_ctx)
        d->n_ctx = plan.rope_border; /* beyond it, it would read all again */
    for (int i = 0; i < GUESSES_MAX; i++)
        d->chance[i] = 0.7f;
    return open_scratch(d, n_vocab, note);
}

void draft_close(struct draft *d)
{
    if (d->model)
        model_close(d->model);
    sampler_release(&d->sampler);
    if (d->memory)
        d->device->ops->mem_give(d->device, d->memory, d->n_bytes_memory);
    mem_free(d->tokens);
    mem_free(d->bases);
    mem_free(d->rows);
    mem_free(d->bad);
    mem_free(d->logits);
    mem_free(d->allowed);
    *d = (struct draft){0};
}

/* ---- guessing ------------------------------------------------------------------------------- */

void draft_forget(struct draft *d, const void *owner)
{
    if (d->owner == owner)
        d->owner = NULL;
}

void draft_learn(struct draft *d, const void *owner, const int32_t *tokens, uint32_t n_tokens)
{
    uint32_t n = d->owner == owner ? d->n_guessed : 0;
    d->n_guessed = 0;
    for (uint32_t i = 0; i < n && d->guessed_at + i < n_tokens; i++) {
        bool came_true = d->tokens[d->guessed_at + i] == tokens[d->guessed_at + i];
        d->chance[i] += ((float)came_true - d->chance[i]) / 16;
        if (!came_true)
            return;
    }
}

bool draft_is_due(struct draft *d)
{
    if (++d->n_steps_off < d->n_steps_wait)
        return false;
    d->n_steps_off = 0;
    d->n_steps_wait *= 2;
    d->n_steps_wait = d->n_steps_wait < WAIT_MIN ? WAIT_MIN : d->n_steps_wait;
    d->n_steps_wait = d->n_steps_wait > WAIT_MAX ? WAIT_MAX : d->n_steps_wait;
    return true;
}

/* The cache keeps what it shares with the timeline. In an owner's own, only guesses may differ. */
static void keep_common(struct draft *d, const void *owner, const int32_t *tokens,
                        uint32_t n_tokens)
{
    uint32_t n = d->n_kv < n_tokens ? d->n_kv : n_tokens;
    uint32_t same = d->owner == owner && d->n_kv > GUESSES_MAX ? d->n_kv - GUESSES_MAX : 0;
    same = same < n ? same : n;
    while (same < n && d->tokens[same] == tokens[same])
        same++;
    d->owner = owner;
    d->n_kv = same;
}

/* Reads tokens[n_kv..n) and leaves the logits after the last of them. false: it cannot. */
static bool read_up_to(struct draft *d, const int32_t *tokens, uint32_t n)
{
    while (d->n_kv < n) {
        uint32_t n_rows = n - d->n_kv < d->n_rows_max ? n - d->n_kv : d->n_rows_max;
        const uint32_t last = n_rows - 1;
        const struct batch b = {.n_rows = n_rows,
                                .token = tokens + d->n_kv,
                                .rows = d->rows,
                                .logit_rows = &last,
                                .n_logits = d->n_kv + n_rows == n,
                                .logits = d->logits,
                                .bad = d->bad};
        for (uint32_t i = 0; i < n_rows; i++) {
            if ((uint32_t)b.token[i] >= d->n_vocab)
                return false;
            d->rows[i] = (struct kv_row){.pages = d->bases, .position = d->n_kv + i};
            d->bad[i] = 0;
        }
        model_forward(d->model, &b);
        if (d->device->ops->status(d->device, NULL) != ERR_OK)
            return false;
        for (uint32_t i = 0; i < n_rows; i++)
            if (d->bad[i])
                return false;
        memcpy(d->tokens + d->n_kv, b.token, n_rows * sizeof b.token[0]);
        d->n_kv += n_rows;
    }
    return true;
}

uint32_t draft_guess(struct draft *d, const void *owner, const struct iso_sampling *p, float mu,
                     int32_t *tokens, uint32_t n_tokens, uint32_t border, uint32_t n)
{
    struct sampler_row row = {.sampling = p,
                              .logits = d->logits,
                              .tokens = tokens,
                              .n_tokens = n_tokens,
                              .border = border,
                              .allowed = d->allowed,
                              .mu = &mu};
    uint32_t i = 0;
    keep_common(d, owner, tokens, n_tokens);
    if (d->n_kv == n_tokens) /* the logits after the last token are wanted */
        d->n_kv--;
    for (; i < n && row.n_tokens < d->n_ctx && read_up_to(d, tokens, row.n_tokens); i++) {
        int32_t token = sampler_choose(&d->sampler, &row);
        if (token < 0)
            break;
        tokens[row.n_tokens] = token;
        d->tokens[row.n_tokens] = token; /* not read yet, but to be compared with what comes */
        row.n_tokens++;
    }
    d->guessed_at = n_tokens;
    d->n_guessed = i;
    return i;
}
