/* name.h - names that others give us: references, files of a repository, what a file name says. */
#ifndef HUB_NAME_H
#define HUB_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* A part of a path leaves room for what is added while it is incomplete. */
enum { HUB_NAME_MAX = 200, HUB_PATH_MAX = 400, HUB_URL_MAX = 2000 };

/* What pull is asked for. */
struct hub_reference {
    bool is_url;
    char repo[HUB_NAME_MAX]; /* "OWNER/REPO" */
    char want[HUB_PATH_MAX]; /* a quantisation, or a file of the repository; "": any */
    char url[HUB_URL_MAX];
};
/* hub_reference_parse - "hf:OWNER/REPO[:QUANT]" ("hf.co/" in place of "hf:" too), or an http or
 * https URL. ERR_USAGE says what is wrong with it. */
enum err hub_reference_parse(const char *text, struct hub_reference *r, struct err_note *note);

/* name_check - whether a relative path of '/'-separated names stays inside the folder that it is
 * put into, and can be a file there: no "..", no name that is empty, hidden, too long or not plain
 * text. */
enum err name_check(struct str path, struct err_note *note);

/* name_of_url - the last part of a URL's path, without its escapes; checked as one name. */
enum err name_of_url(const char *url, char out[HUB_NAME_MAX], struct err_note *note);

struct str name_last(struct str path); /* after the last '/' */

/* name_has_word - whether a file name holds word between '-', '.', '_' and '/' (after it: not '_'),
 * in any case: "Q4_K_M" is in "llama.q4_k_m.gguf", "Q4_K" is not. */
bool name_has_word(struct str path, struct str word);
/* name_quant - the quantisation that a file name spells, or nothing. */
struct str name_quant(struct str path);

/* A part of a split file: "STEM-00001-of-00003.gguf". */
struct name_split {
    uint32_t part, n_parts; /* from 1; 1 of 1: not split */
    struct str stem;        /* without ".gguf"; with its folders */
};
/* false: does not end in .gguf. */
bool name_split(struct str path, struct name_split *out);

#endif
