/* identity.h - what a model is, as two hashes: of its weights and of the metadata that its forward
 * pass reads. Split and merged files agree, and so do files with other tokenizers or comments.
 * The canonical bytes are defined in docs/formats/identity.md. */
#ifndef FORMAT_IDENTITY_H
#define FORMAT_IDENTITY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/hash.h"
#include "format/table.h"

struct threads;

struct identity {
    uint8_t weights[SHA256_BYTES];
    uint8_t config[SHA256_BYTES];
};

/* identity_of - reads every byte of the weights once. threads may be NULL; progress may be NULL and
 * is called on the caller's thread, in bytes. Errors: memory, reading. */
enum err identity_of(const struct table *t, struct threads *threads,
                     void (*progress)(void *context, uint64_t done, uint64_t total), void *context,
                     struct identity *out, struct err_note *note);

/* A cache of identities: a small file for each model in $XDG_CACHE_HOME/isobit (or ~/.cache), kept
 * by the path, size, time of change and inode of every file that the weights lie in. What is
 * damaged or no longer true is ignored and replaced. Weights in memory alone are never found there.
 * identity_recall - false: not there. identity_keep - what cannot be written is left. */
bool identity_recall(const struct table *t, struct identity *out);
void identity_keep(const struct table *t, const struct identity *identity);

/* identity_find - recalled, else hashed as identity_of does and kept. */
enum err identity_find(const struct table *t, struct threads *threads,
                       void (*progress)(void *context, uint64_t done, uint64_t total),
                       void *context, struct identity *out, struct err_note *note);

/* An identity on its way: recalled at once, or hashed by a thread of the lowest priority, which
 * runs where no other wants the processor. The table outlives the job. identity_wait - once hashed;
 * any number of times. identity_end - stops the hashing where it is. */
struct identity_job;
enum err identity_begin(const struct table *t, struct identity_job **job, struct err_note *note);
enum err identity_wait(struct identity_job *job, struct identity *out, struct err_note *note);
bool identity_known(const struct identity_job *job); /* identity_wait would not wait */
void identity_end(struct identity_job *job); /* NULL is nothing */

/* identity_config_of - the second hash alone: cheap. */
enum err identity_config_of(const struct table *t, uint8_t config[SHA256_BYTES],
                            struct err_note *note);

/* identity_hash - identity_of that ends with ERR_CANCELLED once *stop is true. */
enum err identity_hash(const struct table *t, struct threads *threads, const atomic_bool *stop,
                       void (*progress)(void *context, uint64_t done, uint64_t total),
                       void *context, struct identity *out, struct err_note *note);

#endif
