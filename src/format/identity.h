/* identity.h - what a model is, as two hashes: of its weights and of the metadata that its forward
 * pass reads. Split and merged files agree, and so do files with other tokenizers or comments.
 * The canonical bytes are defined in docs/formats/identity.md. */
#ifndef FORMAT_IDENTITY_H
#define FORMAT_IDENTITY_H

#include "base/hash.h"
#include "format/table.h"

struct threads;

struct identity {
    uint8_t weights[SHA256_BYTES];
    uint8_t config[SHA256_BYTES];
};

/* identity_of - reads every byte of the weights once. threads may be NULL; progress may be NULL and
 * is called on the caller's thread, in bytes. Errors: memory. */
enum err identity_of(const struct table *t, struct threads *threads,
                     void (*progress)(void *context, uint64_t done, uint64_t total), void *context,
                     struct identity *out, struct err_note *note);

/* identity_config_of - the second hash alone: cheap. */
enum err identity_config_of(const struct table *t, uint8_t config[SHA256_BYTES],
                            struct err_note *note);

#endif
