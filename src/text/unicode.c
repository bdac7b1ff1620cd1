/* unicode.c - look-ups in the tables of characters. */
#include "text/unicode.h"

#include <stddef.h>

#include "text/unicode_tables.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* Whether c lies in one of n sorted ranges. */
static bool within(const struct code_range *ranges, size_t n, uint32_t c)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (ranges[mid].last < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && ranges[lo].first <= c;
}

bool unicode_is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

bool unicode_is_number(uint32_t c)
{
    return within(unicode_number, COUNT(unicode_number), c);
}

bool unicode_is_punctuation(uint32_t c)
{
    return within(unicode_punctuation, COUNT(unicode_punctuation), c);
}

bool unicode_is_mark(uint32_t c)
{
    return within(unicode_mark, COUNT(unicode_mark), c);
}

bool unicode_is_nonspacing(uint32_t c)
{
    return within(unicode_nonspacing, COUNT(unicode_nonspacing), c);
}

bool unicode_is_other(uint32_t c)
{
    return within(unicode_other, COUNT(unicode_other), c);
}

bool unicode_is_word(uint32_t c)
{
    return within(unicode_word, COUNT(unicode_word), c);
}

bool unicode_is_frozen(uint32_t c)
{
    return within(unicode_frozen, COUNT(unicode_frozen), c);
}

bool unicode_is_ideograph(uint32_t c)
{
    static const struct code_range ranges[] = {
        {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xf900, 0xfaff},   {0x20000, 0x2a6df},
        {0x2a700, 0x2b73f}, {0x2b740, 0x2b81f}, {0x2b920, 0x2ceaf}, {0x2f800, 0x2fa1f},
    };
    return within(ranges, COUNT(ranges), c);
}

bool unicode_nmt_drops(uint32_t c)
{
    return (c >= 1 && c <= 8) || c == 0x0b || (c >= 0x0e && c <= 0x1f) || c == 0x7f || c == 0x8f ||
           c == 0x9f;
}

bool unicode_nmt_space(uint32_t c)
{
    return c == 9 || c == 0x0a || c == 0x0c || c == 0x0d || c == 0x1680 ||
           (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
           c == 0xfeff || c == 0xfffd;
}

uint32_t unicode_lower(uint32_t c)
{
    size_t lo = 0, hi = COUNT(unicode_lower_case);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (unicode_lower_case[mid].last < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == COUNT(unicode_lower_case))
        return c;
    const struct code_case *k = &unicode_lower_case[lo];
    bool member = k->first <= c && (c - k->first) % k->step == 0;
    return member ? (uint32_t)((int32_t)c + k->delta) : c;
}

uint32_t unicode_stand_in(uint32_t c)
{
    size_t lo = 0, hi = COUNT(unicode_stand_ins);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (unicode_stand_ins[mid].last < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    bool found = lo < COUNT(unicode_stand_ins) && unicode_stand_ins[lo].first <= c;
    return found ? unicode_stand_ins[lo].stand_in : c;
}
