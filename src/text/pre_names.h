/* pre_names.h - the table of pre-tokenizers by GGUF name; private to text. */
#ifndef TEXT_PRE_NAMES_H
#define TEXT_PRE_NAMES_H

#include "text/tokenizer_int.h"

enum { PRE_RECIPE_STEPS = 8 };

struct pre_recipe {
    const char *names; /* separated by spaces */
    bool nfc, ignore_merges, add_bos;
    struct {
        const char *pattern; /* "" without a class: bytes are spelled here instead of after the
                              * last step; NULL ends */
        enum split_behaviour behaviour;
        enum char_class char_class;
    } steps[PRE_RECIPE_STEPS];
};

const struct pre_recipe *pre_recipe_find(struct str name); /* NULL: unknown */
/* The name of the recipe that a tokenizer's steps are, empty where no name means them. */
struct str pre_recipe_name(const struct tokenizer *t);
enum err pre_recipe_apply(const struct pre_recipe *r, struct tokenizer *t, struct err_note *note);

#endif
