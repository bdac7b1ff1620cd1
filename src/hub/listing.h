/* listing.h - the files of a repository as the hub's API lists them, and which of them to pull.
 *
 * Source: huggingface.co/docs/hub/api, GET /api/models/OWNER/REPO/tree/REVISION. */
#ifndef HUB_LISTING_H
#define HUB_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "hub/digest.h"

enum { LISTING_FILES_MAX = 20000 };

struct listing_file {
    char *path; /* checked (name_check) */
    uint64_t n_bytes;
    struct digest digest;
    bool chosen;
};

struct listing {
    struct listing_file *files; /* [n_files], without those whose names are refused */
    size_t n_files;
};

/* listing_add - one page of the listing. Files with names that are refused are left out. */
enum err listing_add(struct listing *l, struct str json, struct err_note *note);

/* What was chosen. */
enum listing_kind {
    LISTING_GGUF,   /* one file, or all parts of a split one */
    LISTING_FOLDER, /* weights as safetensors, config.json, tokenizer */
};
/* listing_choose - marks what to pull. want: a quantisation ("": Q4_K_M, or what there is if that
 * is one), or a path. Errors say what there is instead. */
enum err listing_choose(struct listing *l, struct str want, enum listing_kind *kind,
                        struct err_note *note);

void listing_release(struct listing *l);

#endif
