/* lookup.c - guesses of the next tokens from the timeline itself. */
#include "engine/lookup.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

static const uint32_t gram[2] = {LOOKUP_LONG, LOOKUP_SHORT};

enum err lookup_init(struct lookup *l, uint32_t n_ctx, struct err_note *note)
{
    static const float chance[LOOKUP_CLASSES] = {.2f, .3f, .4f, .5f, .6f, .7f, .8f, .9f};
    *l = (struct lookup){.n_slots = 64};
    memcpy(l->chance, chance, sizeof chance);
    while (l->n_slots / 2 < n_ctx && l->n_slots < 1u << 30)
        l->n_slots *= 2;
    for (int i = 0; i < 2; i++)
        l->table[i] = mem_array(l->n_slots, sizeof l->table[i][0]);
    if (l->table[0] && l->table[1])
        return ERR_OK;
    lookup_release(l);
    return err_set(note, ERR_MEMORY, "out of memory for the index of a timeline");
}

void lookup_release(struct lookup *l)
{
    mem_free(l->table[0]);
    mem_free(l->table[1]);
    *l = (struct lookup){0};
}

static void begin(struct lookup *l, const void *owner)
{
    for (int i = 0; l->n_tokens && i < 2; i++)
        memset(l->table[i], 0, l->n_slots * sizeof l->table[i][0]);
    l->owner = owner;
    l->n_tokens = l->source = l->n_match = 0;
}

void lookup_forget(struct lookup *l, const void *owner)
{
    if (l->owner == owner)
        begin(l, NULL);
}

static uint32_t *slot_of(const struct lookup *l, int which, const int32_t *end)
{
    uint64_t hash = 0;
    for (uint32_t i = gram[which]; i > 0; i--)
        hash = (hash ^ (uint32_t)end[-(int64_t)i]) * 0x9e3779b97f4a7c15ull;
    return &l->table[which][hash >> 33 & (l->n_slots - 1)];
}

static uint32_t length_of_match(const int32_t *tokens, uint32_t place, uint32_t n)
{
    uint32_t m = 0;
    while (m < place && m < LOOKUP_MATCH_MAX && tokens[place - 1 - m] == tokens[n - 1 - m])
        m++;
    return m;
}

/* The class of a match: 2, 3, 4, 5.., 8.., 16.., 32.., 64. */
static int class_of(uint32_t n_match)
{
    if (n_match < 5)
        return n_match < LOOKUP_SHORT ? 0 : (int)n_match - LOOKUP_SHORT;
    int octave = 31 - __builtin_clz(n_match);
    return octave < 6 ? octave + 1 : LOOKUP_CLASSES - 1;
}

static void learn(struct lookup *l, bool came_true)
{
    float *chance = &l->chance[class_of(l->n_match)];
    *chance += ((float)came_true - *chance) / 16;
}

/* One more token of the timeline, tokens[n_tokens]. */
static void add(struct lookup *l, const int32_t *tokens, bool is_chosen)
{
    if (l->source) {
        bool came_true = tokens[l->source] == tokens[l->n_tokens];
        if (is_chosen)
            learn(l, came_true);
        l->n_match += came_true && l->n_match < LOOKUP_MATCH_MAX;
        l->source = came_true ? l->source + 1 : 0;
    }
    uint32_t n = ++l->n_tokens;
    for (int i = n < LOOKUP_LONG; i < 2 && n >= LOOKUP_SHORT; i++) {
        uint32_t *slot = slot_of(l, i, tokens + n);
        uint32_t place = *slot;
        *slot = n;
        if (l->source || place == 0 || place >= n)
            continue;
        l->n_match = length_of_match(tokens, place, n);
        if (l->n_match >= LOOKUP_SHORT)
            l->source = place;
    }
}

void lookup_follow(struct lookup *l, const void *owner, const int32_t *tokens, uint32_t n_tokens,
                   uint32_t border)
{
    if (l->owner != owner || l->n_tokens > n_tokens)
        begin(l, owner);
    while (l->n_tokens < n_tokens)
        add(l, tokens, l->n_tokens >= border);
}

uint32_t lookup_chances(const struct lookup *l, uint32_t n, float *chance)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t n_match = l->n_match + i;
        chance[i] = l->chance[class_of(n_match < LOOKUP_MATCH_MAX ? n_match : LOOKUP_MATCH_MAX)];
    }
    return l->source ? n : 0;
}

void lookup_guess(const struct lookup *l, int32_t *tokens, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) /* the source may run into the guesses: a period */
        tokens[l->n_tokens + i] = tokens[l->source + i];
}
