/* jinja_text.h - Python's case mappings and classes of characters. */
#ifndef TEXT_JINJA_TEXT_H
#define TEXT_JINJA_TEXT_H

#include "text/jinja_run.h"

enum jcase { JCASE_UPPER, JCASE_LOWER, JCASE_TITLE, JCASE_CAPITALIZE, JCASE_SWAP };

/* str.upper() and its kin; a markup stays one. */
bool jtext_case(struct jrun *r, struct jval s, enum jcase kind, struct jval *out);

/* str.isupper() or str.islower(): of the characters that have case, all have this one. */
bool jtext_is_case(struct jrun *r, struct jval s, bool upper, struct jval *out);

bool uc_is_alpha(uint32_t c);
bool uc_is_alnum(uint32_t c);
bool uc_is_decimal(uint32_t c);
bool uc_is_digit(uint32_t c);
bool uc_is_lower(uint32_t c);
bool uc_is_upper(uint32_t c);

#endif
