/* unicode.h - classes of characters as the Rust code of `tokenizers` sees them. */
#ifndef TEXT_UNICODE_H
#define TEXT_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

bool unicode_is_space(uint32_t c);      /* White_Space */
bool unicode_is_mark(uint32_t c);       /* M */
bool unicode_is_nonspacing(uint32_t c); /* Mn */
bool unicode_is_other(uint32_t c);      /* Cc Cf Co, except tab, newline, return */
bool unicode_is_word(uint32_t c);       /* Rust's \w: Alphabetic, M, Nd, Pc, joiners */
bool unicode_is_ideograph(uint32_t c);  /* BERT's "Chinese character" */
bool unicode_nmt_drops(uint32_t c);     /* the NMT rules of SentencePiece: removed */
bool unicode_nmt_space(uint32_t c);     /* ... or made a space */

#endif
