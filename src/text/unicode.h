/* unicode.h - characters as `tokenizers` sees them, whatever the machine's libraries know. */
#ifndef TEXT_UNICODE_H
#define TEXT_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

bool unicode_is_space(uint32_t c);       /* White_Space */
bool unicode_is_number(uint32_t c);      /* Nd, Nl, No */
bool unicode_is_punctuation(uint32_t c); /* P, and ASCII's symbols */
bool unicode_is_mark(uint32_t c);        /* what StripAccents strips */
bool unicode_is_nonspacing(uint32_t c);  /* what BertNormalizer strips */
bool unicode_is_other(uint32_t c);       /* Cc, Cf, Co except tab, newline, return */
bool unicode_is_word(uint32_t c);        /* a letter, mark, digit, connector or joiner */
bool unicode_is_ideograph(uint32_t c);   /* BERT's "Chinese character" */
bool unicode_is_frozen(uint32_t c);      /* normal forms leave it alone, in place */
bool unicode_nmt_drops(uint32_t c);      /* the NMT rules of SentencePiece: removed */
bool unicode_nmt_space(uint32_t c);      /* ... or made a space */

/* One character; U+0130 has two and is the caller's. */
uint32_t unicode_lower(uint32_t c);
/* For characters newer than Unicode 14, one of the same class and UTF-8 length; else c. */
uint32_t unicode_stand_in(uint32_t c);

#endif
