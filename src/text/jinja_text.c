/* jinja_text.c - case and classes of characters as Python's str has them. */
#include "text/jinja_text.h"

#include <stdlib.h>

#include <utf8proc.h>

#include "base/check.h"
#include "text/unicode_case.h"

struct range {
    uint32_t first, last;
};

static bool in_ranges(const struct range *ranges, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

static utf8proc_category_t category(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c);
}

bool uc_is_alpha(uint32_t c)
{
    return category(c) >= UTF8PROC_CATEGORY_LU && category(c) <= UTF8PROC_CATEGORY_LO;
}

bool uc_is_decimal(uint32_t c)
{
    return category(c) == UTF8PROC_CATEGORY_ND;
}

bool uc_is_alnum(uint32_t c)
{
    return uc_is_alpha(c) ||
           (category(c) >= UTF8PROC_CATEGORY_ND && category(c) <= UTF8PROC_CATEGORY_NO);
}

/* Numeric_Type=Digit besides the decimal digits: superscripts, circled digits... */
bool uc_is_digit(uint32_t c)
{
    static const struct range digits[] = {
        {0xb2, 0xb3},       {0xb9, 0xb9},       {0x1369, 0x1371},   {0x19da, 0x19da},
        {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
        {0x2474, 0x247c},   {0x2488, 0x2490},   {0x24ea, 0x24ea},   {0x24f5, 0x24fd},
        {0x24ff, 0x24ff},   {0x2776, 0x277e},   {0x2780, 0x2788},   {0x278a, 0x2792},
        {0x10a40, 0x10a43}, {0x10e60, 0x10e68}, {0x11052, 0x1105a}, {0x1f100, 0x1f10a},
    };
    return uc_is_decimal(c) || in_ranges(digits, COUNT_OF(digits), c);
}

bool uc_is_lower(uint32_t c)
{
    static const struct range others[] = {
        {0xaa, 0xaa},       {0xba, 0xba},       {0x2b0, 0x2b8},     {0x2c0, 0x2c1},
        {0x2e0, 0x2e4},     {0x345, 0x345},     {0x37a, 0x37a},     {0x1d2c, 0x1d6a},
        {0x1d78, 0x1d78},   {0x1d9b, 0x1dbf},   {0x2071, 0x2071},   {0x207f, 0x207f},
        {0x2090, 0x209c},   {0x2170, 0x217f},   {0x24d0, 0x24e9},   {0x2c7c, 0x2c7d},
        {0xa69c, 0xa69d},   {0xa770, 0xa770},   {0xa7f8, 0xa7f9},   {0xab5c, 0xab5f},
        {0x10780, 0x10780}, {0x10783, 0x10785}, {0x10787, 0x107b0}, {0x107b2, 0x107ba},
    };
    return category(c) == UTF8PROC_CATEGORY_LL || in_ranges(others, COUNT_OF(others), c);
}

bool uc_is_upper(uint32_t c)
{
    static const struct range others[] = {{0x2160, 0x216f},
                                          {0x24b6, 0x24cf},
                                          {0x1f130, 0x1f149},
                                          {0x1f150, 0x1f169},
                                          {0x1f170, 0x1f189}};
    return category(c) == UTF8PROC_CATEGORY_LU || in_ranges(others, COUNT_OF(others), c);
}

static bool is_cased(uint32_t c)
{
    return uc_is_lower(c) || uc_is_upper(c) || category(c) == UTF8PROC_CATEGORY_LT;
}

/* Case_Ignorable, as far as it decides the final sigma. */
static bool is_case_ignorable(uint32_t c)
{
    utf8proc_category_t kind = category(c);
    return kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_ME ||
           kind == UTF8PROC_CATEGORY_CF || kind == UTF8PROC_CATEGORY_LM ||
           kind == UTF8PROC_CATEGORY_SK || c == '\'' || c == '.' || c == ':' || c == 0xb7 ||
           c == 0x2018 || c == 0x2019 || c == 0x2024 || c == 0x2027;
}

static uint32_t at(struct str s, size_t *i)
{
    uint32_t c = 0;
    *i += (size_t)utf8_decode(s.ptr + *i, s.len - *i, &c);
    return c;
}

/* A capital sigma at byte i ends a word: cased before it, not cased behind it. */
static bool is_final_sigma(struct str s, size_t i)
{
    bool before = false, after = false;
    for (size_t k = 0; k < i;) {
        uint32_t c = at(s, &k);
        before = is_case_ignorable(c) ? before : is_cased(c);
    }
    for (size_t k = i + 2; k < s.len;) {
        uint32_t c = at(s, &k);
        if (!is_case_ignorable(c)) {
            after = is_cased(c);
            break;
        }
    }
    return before && !after;
}

static int compare_case(const void *key, const void *entry)
{
    uint32_t a = *(const uint32_t *)key, b = *(const uint32_t *)entry;
    return a < b ? -1 : a > b;
}

static bool add_char(struct jrun *r, uint32_t c)
{
    char text[4];
    return jtext_add(r, (struct str){text, (size_t)utf8_encode(c, text)});
}

static bool add_mapped(struct jrun *r, struct str s, size_t i, uint32_t c, enum jcase kind)
{
    utf8proc_int32_t code = (utf8proc_int32_t)c;
    if (kind == JCASE_LOWER) {
        if (c == 0x130)
            return jtext_add(r, STR("i\u0307"));
        if (c == 0x3a3)
            return jrun_step(r, s.len) && add_char(r, is_final_sigma(s, i) ? 0x3c2 : 0x3c3);
        return add_char(r, (uint32_t)utf8proc_tolower(code));
    }
    if (c < 0x80)
        return add_char(r, c >= 'a' && c <= 'z' ? c - 32 : c);
    const void *found = bsearch(&c, unicode_case, COUNT_OF(unicode_case), sizeof *unicode_case,
                                compare_case);
    if (found) {
        size_t k = (size_t)((const char *)found - (const char *)unicode_case) /
                   sizeof *unicode_case;
        return jtext_add(r, str_from(kind == JCASE_UPPER ? unicode_case[k].upper
                                                         : unicode_case[k].title));
    }
    return add_char(r, (uint32_t)(kind == JCASE_UPPER ? utf8proc_toupper(code)
                                                      : utf8proc_totitle(code)));
}

bool jtext_case(struct jrun *r, struct jval v, enum jcase kind, struct jval *out)
{
    struct str s = jval_text(v);
    size_t mark = jtext_begin(r);
    bool after_cased = false;
    for (size_t i = 0; i < s.len;) {
        size_t start = i;
        uint32_t c = at(s, &i);
        enum jcase now = kind;
        if (kind == JCASE_CAPITALIZE)
            now = start == 0 ? JCASE_TITLE : JCASE_LOWER;
        else if (kind == JCASE_TITLE)
            now = after_cased ? JCASE_LOWER : JCASE_TITLE;
        else if (kind == JCASE_SWAP)
            now = uc_is_upper(c) ? JCASE_LOWER : JCASE_UPPER;
        if (kind == JCASE_SWAP && !uc_is_upper(c) && !uc_is_lower(c)) {
            if (!add_char(r, c))
                return false;
        } else if (!add_mapped(r, s, start, c, now)) {
            return false;
        }
        after_cased = is_cased(c);
    }
    if (!jtext_end(r, mark, out))
        return false;
    out->markup = v.markup;
    return true;
}

bool jtext_is_case(struct jrun *r, struct jval v, bool upper, struct jval *out)
{
    struct str s = jval_text(v);
    bool any = false, all = true;
    for (size_t i = 0; i < s.len && all;) {
        uint32_t c = at(s, &i);
        bool is = upper ? uc_is_upper(c) : uc_is_lower(c);
        any |= is;
        all = is || !is_cased(c);
    }
    *out = jval_bool(any && all);
    return jrun_step(r, s.len / 64);
}
