/* shape_int.h - what the files of shapes share: expressions. */
#ifndef SERVER_SHAPE_INT_H
#define SERVER_SHAPE_INT_H

#include "grammar/draft.h"
#include "grammar/json_text.h"
#include "server/shape.h"

enum { SHAPE_WORDS_MAX = 8 };

/* Any text in which none of the words is; of NULL words there are none. */
uint32_t shape_without(struct draft *d, const char *const *words, size_t n);
uint32_t shape_literal(struct draft *d, const char *text); /* NULL: the empty text */
uint32_t shape_schema(struct draft *d, const json_t *schema);

/* shape_calls.c - the request's calls, in the style's form; whether it makes any is asked first.
 * Errors stick to d; field names the one at fault. */
bool shape_has_calls(const struct api_generate *api);
uint32_t shape_calls(struct draft *d, const struct api_generate *api,
                     const struct answer_form *form, char field[64]);
/* Text that is no call, for answers that may be either. */
uint32_t shape_free_text(struct draft *d, const struct answer_form *form);

#endif
