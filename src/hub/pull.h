/* pull.h - from a reference to a model in a folder: found, fetched, verified, put in place.
 *
 * One file becomes FOLDER/NAME.gguf; several (a split file, a folder of safetensors) become
 * FOLDER/NAME/, which is called NAME.partial/ until all of it is there. What has come is kept when
 * a pull ends early, and the same pull goes on there. Thread: one. */
#ifndef HUB_PULL_H
#define HUB_PULL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "hub/name.h"

struct pull_options {
    const char *reference; /* name.h, hub_reference_parse */
    const char *folder;
    const char *name;     /* instead of the file's own; or NULL */
    const char *sha256;   /* what the one file must have; or NULL */
    const char *endpoint; /* NULL: https://huggingface.co */
    const char *token;    /* for the endpoint alone; or NULL */
    uint32_t n_retries;   /* of a request in a row that brings nothing */
    const atomic_bool *stop;
    /* Both may be NULL; on the caller's thread. Bytes of the whole model. */
    void (*progress)(void *context, uint64_t done, uint64_t total);
    void (*say)(void *context, const char *line);
    void *context;
};

struct pull_result {
    char name[HUB_NAME_MAX];
    char path[4096];
    uint64_t n_bytes;
    uint32_t n_files;
    bool was_there;          /* nothing had to be fetched */
    bool is_verified;        /* against a digest that was known before */
    char sha256[SHA256_HEX]; /* of one file; "" of several */
};

/* pull - ERR_CANCELLED: *stop became true. */
enum err pull(const struct pull_options *o, struct pull_result *result, struct err_note *note);

#endif
