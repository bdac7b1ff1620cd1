/* regex.h - regular expressions of tokenizers: Oniguruma's dialect, matched by PCRE2.
 *
 * Published tokenizers write patterns for Oniguruma with Unicode 16. The pattern is translated
 * (\s, \w, \h, \p{Han}, && and {n,m}+ mean other things in PCRE2), and characters newer than the
 * oldest supported PCRE2 are matched through a stand-in of the same class and length. */
#ifndef TEXT_REGEX_H
#define TEXT_REGEX_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct regex;
struct regex_scratch; /* one thread's matching state */

/* ERR_FORMAT: "regular expression '...' does not compile at N: why"; ERR_UNSUPPORTED likewise. */
enum err regex_new(struct str pattern, struct regex **out, struct err_note *note);
void regex_free(struct regex *r);

/* regex_scratch_new - NULL without memory. */
struct regex_scratch *regex_scratch_new(void);
void regex_scratch_free(struct regex_scratch *s);

/* regex_find - the first match in s at or after from. s is valid UTF-8 after regex_stand_in.
 * ERR_NOT_FOUND: none. ERR_LIMIT: the pattern needs too much work on this text. */
enum err regex_find(const struct regex *r, struct regex_scratch *scratch, struct str s, size_t from,
                    size_t *start, size_t *end, struct err_note *note);

/* regex_stand_in - what to match instead of s, of equal length: s itself, or a copy in b. */
struct str regex_stand_in(struct str s, struct buf *b);

/* The translation alone, for tests. */
enum err regex_translate(struct str pattern, struct buf *out, struct err_note *note);

#endif
