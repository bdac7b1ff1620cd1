/* sampling_check.c - whether parameters of sampling make sense. */
#include "base/check.h"
#include "engine/sampler_int.h"

static enum err check_range(const char *name, float value, float min, float max,
                            struct err_note *note)
{
    if (value >= min && value <= max)
        return ERR_OK;
    return err_set(note, ERR_USAGE, "%s is %g; it must be from %g to %g", name, (double)value,
                   (double)min, (double)max);
}

static enum err check_ranges(const struct iso_sampling *p, struct err_note *note)
{
    const struct {
        const char *name;
        float value, min, max;
    } ranges[] = {
        {"temperature", p->temperature, p->temperature > 0 ? 0.001f : 0, 100},
        {"top_p", p->top_p, 0, 1},
        {"min_p", p->min_p, 0, 1},
        {"typical_p", p->typical_p, 0, 1},
        {"repeat_penalty", p->repeat_penalty, 0.01f, 100},
        {"frequency_penalty", p->frequency_penalty, -100, 100},
        {"presence_penalty", p->presence_penalty, -100, 100},
        {"dry_multiplier", p->dry_multiplier, 0, 100},
        {"dry_base", p->dry_base, p->dry_multiplier != 0 ? 1 : -100, 100},
        {"xtc_probability", p->xtc_probability, 0, 1},
        {"xtc_threshold", p->xtc_threshold, 0, 1},
        {"mirostat", (float)p->mirostat, 0, 2},
        {"mirostat_tau", p->mirostat_tau, 0, 100},
        {"mirostat_eta", p->mirostat_eta, 0, 1},
    };
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        enum err rc =
            check_range(ranges[i].name, ranges[i].value, ranges[i].min, ranges[i].max, note);
        if (rc)
            return rc;
    }
    return ERR_OK;
}

static enum err check_order(const uint8_t order[ISO_ORDER_MAX], struct err_note *note)
{
    unsigned seen = 0;
    for (int i = 0; i < ISO_ORDER_MAX; i++) {
        if (order[i] == ISO_STAGE_END)
            return ERR_OK;
        if (order[i] >= ISO_STAGE_COUNT || (seen & 1u << order[i]))
            return err_set(note, ERR_USAGE, "the order of stages is wrong at its place %d", i);
        seen |= 1u << order[i];
    }
    return err_set(note, ERR_USAGE, "the order of stages has no end");
}

static enum err check_bias(const struct iso_sampling *p, uint32_t n_vocab, struct err_note *note)
{
    for (size_t i = 0; i < p->n_bias; i++) {
        struct iso_bias b = p->bias[i];
        if (b.token < 0 || (uint32_t)b.token >= n_vocab)
            return err_set(note, ERR_USAGE, "bias of token %d, but the vocabulary has %u", b.token,
                           n_vocab);
        if (i > 0 && b.token <= p->bias[i - 1].token)
            return err_set(note, ERR_USAGE, "biases must be in ascending order of token; %d is not",
                           b.token);
        if (!(num_abs(b.bias) <= SAMPLE_LOGIT_MAX || b.bias == BANNED))
            return err_set(note, ERR_USAGE, "bias of token %d must be finite or -infinity",
                           b.token);
    }
    return ERR_OK;
}

static enum err check_breakers(const struct iso_sampling *p, struct err_note *note)
{
    for (size_t i = 1; i < p->n_dry_breakers; i++)
        if (p->dry_breakers[i].head < p->dry_breakers[i - 1].head)
            return err_set(note, ERR_USAGE,
                           "DRY's breakers must be in ascending order of head; %d is not",
                           p->dry_breakers[i].head);
    return ERR_OK;
}

enum err sampling_check(const struct iso_sampling *p, uint32_t n_vocab, struct err_note *note)
{
    enum err rc = check_ranges(p, note);
    if (!rc)
        rc = check_order(p->order, note);
    if (!rc)
        rc = check_bias(p, n_vocab, note);
    return rc ? rc : check_breakers(p, note);
}
