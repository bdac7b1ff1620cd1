/* number_list.c - parsing lists and ranges. */
#include "cli/number_list.h"

#include <stdbool.h>
#include <string.h>

#include "base/str.h"

static bool add(struct number_list *l, uint64_t value)
{
    for (size_t i = 0; i < l->n_items; i++)
        if (l->items[i] == value)
            return true;
    if (l->n_items == NUMBER_LIST_MAX)
        return false;
    l->items[l->n_items++] = (uint32_t)value;
    return true;
}

/* "first", "first-last", "first-last+step" or "first-last*times"; step and times make progress. */
struct range {
    uint64_t first, last, step, times;
};

static bool parse_range(struct str s, struct range *r)
{
    const char *dash = memchr(s.ptr, '-', s.len), *end = s.ptr + s.len;
    *r = (struct range){.step = 1, .times = 1};
    if (!dash) {
        bool ok = str_to_u64(s, &r->first);
        r->last = r->first;
        return ok;
    }
    const char *by = memchr(dash, '+', (size_t)(end - dash));
    const char *times = memchr(dash, '*', (size_t)(end - dash));
    const char *last_end = by ? by : times ? times : end;
    if (!str_to_u64((struct str){s.ptr, (size_t)(dash - s.ptr)}, &r->first) ||
        !str_to_u64((struct str){dash + 1, (size_t)(last_end - dash - 1)}, &r->last))
        return false;
    if (last_end < end) {
        struct str rest = {last_end + 1, (size_t)(end - last_end - 1)};
        r->step = 0;
        if (!str_to_u64(rest, by ? &r->step : &r->times))
            return false;
    }
    bool moves = by ? r->step > 0 : times ? r->times > 1 && r->first > 0 : true;
    return moves && r->first <= r->last;
}

enum err number_list_parse(const char *option, const char *text, uint32_t min, uint32_t max,
                           struct number_list *out, struct err_note *note)
{
    out->n_items = 0;
    for (const char *at = text;; at++) {
        struct str part = {at, strcspn(at, ",")};
        struct range r;
        if (!parse_range(part, &r) || r.first < min || r.last > max)
            return err_set(note, ERR_USAGE,
                           "--%s is \"%s\"; it must be numbers from %u to %u, such as 1,2,4 or "
                           "1-4 or 0-1024+256 or 1-16*2",
                           option, text, min, max);
        for (uint64_t v = r.first; v <= r.last; v = v * r.times + r.step * (r.times == 1))
            if (!add(out, v))
                return err_set(note, ERR_LIMIT, "--%s names more than %d numbers", option,
                               NUMBER_LIST_MAX);
        at += part.len;
        if (!*at)
            return ERR_OK;
    }
}
