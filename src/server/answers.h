/* answers.h - the thread that owns the engine.
 *
 * An ANSWER is one request to the engine, made and freed by its owner; between answers_submit and
 * the news that it is finished the thread may read it. News come in order, all of a step's at once.
 * Threads: submit, leave and news are the owner's; the engine is the thread's alone. */
#ifndef SERVER_ANSWERS_H
#define SERVER_ANSWERS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"
#include "isobit.h"
#include "proof/maker.h"
#include "proof/replay.h"
#include "server/stats.h"

struct answers;

struct answer {
    struct iso_request request; /* what it points to is kept until the end */
    void *owner;
    struct replay *replay; /* the same, until it is over; it ends the answer then */
    struct maker *maker;   /* is told what happens, until the end; NULL: no receipt is wanted */
    float *hidden;    /* [n_embd] gets the row that the first choice is made of; NULL: not wanted */
    atomic_int leave; /* enum iso_finish: end it for this reason; 0: go on */
    /* The thread's own: */
    struct answer *next;
    struct iso_session *session;
    bool began;                     /* its prompt is being read */
    uint32_t n_cached;              /* prompt tokens that were not computed again */
    uint64_t submitted_ns, last_ns; /* last: of a token; 0: none yet */
    uint64_t i_step;                /* the last step that it was part of */
    uint64_t i_over;                /* the step in which replay was over */
};

enum news_kind {
    NEWS_BEGIN,  /* the engine has taken it */
    NEWS_PROMPT, /* more of its prompt was read */
    NEWS_READ,   /* with want_logits_prompt: the prompt's next token, and how likely it was */
    NEWS_TOKEN,
    NEWS_FINISH, /* the last of this answer */
};

struct news {
    struct answer *answer;
    enum news_kind kind;
    int32_t token;
    bool is_stop;
    uint32_t n_cached, n_read; /* PROMPT: tokens not computed again; those and what was read */
    float logprob;
    uint32_t rank; /* READ: tokens that are as likely or more, itself included */
    uint32_t n_top;
    struct iso_logprob top[ISO_LOGPROBS_MAX];
    enum iso_finish finish;
    enum iso_err err;
    struct iso_note *note; /* FINISH with an error: why; free it with mem_free. Else NULL */
};

/* answers_start - the thread takes engine over; it stays the caller's to close after answers_stop.
 * *fd becomes readable when there are news. */
enum err answers_start(struct iso_engine *engine, struct answers **a, int *fd,
                       struct err_note *note);
/* Ends the thread after its step. Answers under way get no further news; close the engine next, it
 * may still hold their sessions. NULL is nothing. */
void answers_stop(struct answers *a);

void answers_submit(struct answers *a, struct answer *answer);
/* answers_news - what happened since the last call: [*n], valid until the next call. */
const struct news *answers_news(struct answers *a, size_t *n);
/* answers_stats - whether there are newer ones than at the last call; *fd becomes readable for them
 * too: each quarter of a second while there is work, and when there is no more. */
bool answers_stats(struct answers *a, struct stats *out);

#endif
