/* str.h - borrowed pieces of text: a pointer with a length, never owning, not NUL-ended. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *ptr;
    size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
/* For printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)((s).len > 0x7fffffff ? 0x7fffffff : (s).len), (s).ptr

static inline struct str str_from(const char *s)
{
    return (struct str){s, strlen(s)};
}
static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline bool str_is(struct str a, const char *b)
{
    return str_eq(a, str_from(b));
}
static inline bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && memcmp(s.ptr, prefix.ptr, prefix.len) == 0;
}
static inline bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len && memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len) == 0;
}
static inline struct str str_sub(struct str s, size_t from, size_t to)
{
    return (struct str){s.ptr + from, to - from};
}

/* Strict numbers: the whole of s, no spaces, in range; otherwise false and *out unset. */
bool str_to_u64(struct str s, uint64_t *out);
bool str_to_i64(struct str s, int64_t *out);
bool str_to_f64(struct str s, double *out); /* finite only */

/* utf8_decode - one code point of s[0..len): returns its length 1..4, or 0 if s does not start
 * with a well-formed sequence (overlong, surrogate, beyond U+10FFFF, cut). */
int utf8_decode(const char *s, size_t len, uint32_t *code_point);
int utf8_encode(uint32_t code_point, char out[4]);
bool utf8_valid(const char *s, size_t len);

#endif
