/* sampler_penalties.c - penalties on tokens that occurred: on each, and (DRY) on those that would
 * go on with a repetition. */
#include "engine/sampler_int.h"

uint32_t penalty_counts(struct sampler *s, const struct sampler_row *row, const int32_t **window)
{
    const struct iso_sampling *p = row->sampling;
    uint32_t n = p->n_penalty_window < row->n_tokens ? p->n_penalty_window : row->n_tokens;
    const uint32_t from = row->n_tokens - n, count_from = p->penalise_answer ? row->border : 0;
    const int32_t *tokens = row->tokens + from;
    for (uint32_t i = 0; i < n; i++)
        s->count[tokens[i]] = (s->count[tokens[i]] | OCCURS) + (from + i >= count_from);
    *window = tokens;
    return n;
}

void stage_penalties(struct sampler *s, const struct sampler_row *row)
{
    const struct iso_sampling *p = row->sampling;
    const int32_t *window;
    if (p->repeat_penalty == 1 && p->frequency_penalty == 0 && p->presence_penalty == 0)
        return;
    uint32_t n = penalty_counts(s, row, &window);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t count = s->count[window[i]];
        int64_t c = count ? candidate_of(s, window[i]) : -1;
        if (c >= 0)
            s->logit[c] = sample_penalised(s->logit[c], count & ~OCCURS, p->repeat_penalty,
                                           p->frequency_penalty, p->presence_penalty);
        s->count[window[i]] = 0;
    }
}

/* ---- DRY ------------------------------------------------------------------------------------ */

/* Of the breakers with this head, the first; *n is how many there are. */
static const struct iso_breaker *breakers_of(const struct iso_sampling *p, int32_t head, size_t *n)
{
    const struct iso_breaker *at = p->dry_breakers;
    size_t left = p->n_dry_breakers;
    while (left > 0) {
        size_t half = left / 2;
        bool is_before = at[half].head < head;
        at += is_before ? half + 1 : 0;
        left = is_before ? left - half - 1 : half;
    }
    *n = 0;
    left = p->n_dry_breakers ? (size_t)(p->dry_breakers + p->n_dry_breakers - at) : 0;
    while (*n < left && at[*n].head == head)
        ++*n;
    return at;
}

/* Whether the breaker's tail is at the front of tokens[0..n). */
static bool tail_fits(const struct iso_breaker *b, const int32_t *tokens, uint32_t n)
{
    if (b->n_tail > n)
        return false;
    for (uint32_t i = 0; i < b->n_tail; i++)
        if (b->tail[i] != tokens[i])
            return false;
    return true;
}

/* How many tokens follow the last place of the window where a breaker begins, without the longest
 * breaker that is there; n where none is. */
static uint32_t repeat_limit(const struct iso_sampling *p, const int32_t *window, uint32_t n)
{
    for (uint32_t after = 0; after < n; after++) {
        size_t n_breakers;
        const int32_t *head = &window[n - 1 - after];
        const struct iso_breaker *b = breakers_of(p, *head, &n_breakers);
        int64_t longest = -1;
        for (size_t i = 0; i < n_breakers; i++)
            if (b[i].n_tail > longest && tail_fits(&b[i], head + 1, after))
                longest = b[i].n_tail;
        if (longest >= 0)
            return after - (uint32_t)longest;
    }
    return n;
}

/* repeat[k] for 0 < k < n: how many tokens before the place k from the end equal the last ones. The
 * Z-algorithm on the reversed window: [from, from + length) is the match that reaches furthest. */
static void count_repeats(const int32_t *window, uint32_t n, uint32_t *repeat)
{
    const int32_t *last = window + n - 1;
    uint32_t from = 0, end = 0;
    for (uint32_t k = 1; k < n; k++) {
        uint32_t r = 0;
        if (k < end) {
            r = repeat[k - from];
            if (r < end - k) {
                repeat[k] = r;
                continue;
            }
            r = end - k;
        }
        while (k + r < n && *(last - r) == *(last - k - r))
            r++;
        repeat[k] = r;
        from = k;
        end = k + r;
    }
}

static float power(float base, uint32_t exponent)
{
    float x = 1;
    for (int bit = 31; bit >= 0; bit--) {
        x = num_min(x * x, SAMPLE_LOGIT_MAX);
        if (exponent >> bit & 1)
            x = num_min(x * base, SAMPLE_LOGIT_MAX);
    }
    return x;
}

static bool breaks_alone(const struct iso_sampling *p, int32_t token)
{
    size_t n;
    const struct iso_breaker *b = breakers_of(p, token, &n);
    for (size_t i = 0; i < n; i++)
        if (b[i].n_tail == 0)
            return true;
    return false;
}

void stage_dry(struct sampler *s, const struct sampler_row *row)
{
    const struct iso_sampling *p = row->sampling;
    uint32_t n = p->n_dry_window < row->n_tokens ? p->n_dry_window : row->n_tokens;
    uint32_t allowed = p->dry_allowed_length;
    if (p->dry_multiplier == 0 || n <= allowed)
        return;
    const int32_t *window = row->tokens + row->n_tokens - n;
    uint32_t limit = repeat_limit(p, window, n);
    if (limit < allowed)
        return;
    count_repeats(window, n, s->repeat);
    for (uint32_t k = 1; k < n; k++) { /* the longest for each token, plus 1 */
        uint32_t r = s->repeat[k] < limit ? s->repeat[k] : limit;
        uint32_t *longest = &s->count[window[n - k]];
        if (r >= allowed && r + 1 > *longest)
            *longest = r + 1;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t longest = s->count[window[i]];
        s->count[window[i]] = 0;
        int64_t c = longest ? candidate_of(s, window[i]) : -1;
        if (c >= 0 && !breaks_alone(p, window[i]))
            s->logit[c] = sample_clamp(s->logit[c] - p->dry_multiplier *
                                                         power(p->dry_base, longest - 1 - allowed));
    }
}
