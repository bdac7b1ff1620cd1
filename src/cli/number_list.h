/* number_list.h - "1,2,4" and ranges as numbers: 1-4 is 1,2,3,4; 0-1024+256 takes steps of 256;
 * 1-16*2 doubles. */
#ifndef CLI_NUMBER_LIST_H
#define CLI_NUMBER_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { NUMBER_LIST_MAX = 64 };

struct number_list {
    uint32_t items[NUMBER_LIST_MAX];
    size_t n_items;
};

/* number_list_parse - option is its name for the error; every number from min to max, each kept
 * once. */
enum err number_list_parse(const char *option, const char *text, uint32_t min, uint32_t max,
                           struct number_list *out, struct err_note *note);

#endif
