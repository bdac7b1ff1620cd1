/* vectors.h - the thread that owns an embedder.
 *
 * A JOB is some texts whose vectors are wanted, made and freed by its owner; between vectors_submit
 * and its return by vectors_done the thread may read it. Jobs that are there at once share passes,
 * a text of each in turn.
 * Threads: submit, leave and done are the owner's; the embedder is the thread's alone. */
#ifndef SERVER_VECTORS_H
#define SERVER_VECTORS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"
#include "isobit.h"
#include "server/stats.h"

struct vectors;

struct vector_job {
    const struct iso_text *texts; /* [n_texts] checked: 1 to n_ctx tokens of the vocabulary */
    size_t n_texts;
    float *out; /* [n_texts, n_dims] */
    void *owner;
    atomic_bool leave; /* nobody wants it any more */
    /* For who can wait: it runs when nothing else is there, up to then. 0: like all others. */
    uint64_t until_ns;
    /* Of the thread, and then the owner's: */
    bool is_late; /* it was not done by then */
    enum iso_err err;
    struct iso_note note;
    struct vector_job *next;
    size_t n_taken;
    uint64_t submitted_ns;
};

/* vectors_start - the thread takes the embedder over; it stays the caller's to close after
 * vectors_stop. *fd becomes readable when jobs are done. */
enum err vectors_start(struct iso_embedder *embedder, struct vectors **v, int *fd,
                       struct err_note *note);
void vectors_stop(struct vectors *v); /* after its pass. NULL is nothing */
void vectors_submit(struct vectors *v, struct vector_job *job);
/* vectors_done - a job that has ended, or NULL. */
struct vector_job *vectors_done(struct vectors *v);
/* vectors_stats - whether there are newer ones than at the last call. */
bool vectors_stats(struct vectors *v, struct stats *out);

#endif
