/* pull_int.h - what the parts of a pull share: what is to be fetched, and how one file is. */
#ifndef HUB_PULL_INT_H
#define HUB_PULL_INT_H

#include <stddef.h>

#include "hub/digest.h"
#include "hub/fetch.h"
#include "hub/pull.h"

struct piece {
    char *url;
    char *path;   /* inside the model's folder; checked */
    char *source; /* what the bytes are, for the partial file */
    uint64_t n_bytes;
    struct digest digest; /* DIGEST_NONE: not known */
};

enum { PIECES_MAX = 2000 };

struct pull {
    const struct pull_options *options;
    struct hub_reference reference;
    char endpoint[300];
    struct fetch *fetch;
    struct piece *pieces; /* [n_pieces] */
    size_t n_pieces;
    bool is_folder; /* pieces become a folder */
    char name[HUB_NAME_MAX];
    uint64_t n_bytes, n_bytes_done; /* all pieces; those that are in place */
    unsigned n_failures;            /* in a row */
};

/* pull_plan.c: asks the hub, or the server of a URL, what there is. */
enum err pull_plan(struct pull *p, struct err_note *note);

/* pull_file.c */
/* pull_file - a piece to its path, whole and verified. */
enum err pull_file(struct pull *p, const struct piece *piece, const char *path,
                   struct err_note *note);
/* pull_has - whether path is that piece already. */
bool pull_has(const struct piece *piece, const char *path);
/* pull_retry - after a FETCH_AGAIN: waits, or says in note that it has been enough. */
enum err pull_retry(struct pull *p, const struct fetch_reply *reply, struct err_note *note);

#endif
