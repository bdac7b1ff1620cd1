/* reread.h - what this model makes of an answer that somebody else gave: prompt and answer are read
 * at once, nothing is generated. */
#ifndef CLI_REREAD_H
#define CLI_REREAD_H

#include "base/mem.h"
#include "engine/sampler.h"
#include "isobit.h"
#include "proof/statistics.h"

/* A prompt and the answer's tokens, and how they were sampled. */
struct reread_order {
    const int32_t *prompt; /* [n_prompt], at least 1 */
    uint32_t n_prompt;
    const struct stat_answer *answer; /* its tokens; [n] at least 1 */
    uint32_t n_top;                   /* alternatives wanted, at most ISO_LOGPROBS_MAX */
    bool processed; /* log-probabilities among what sampling's stages left */
    bool draws;     /* play the seed again; temperature above 0 */
    const struct iso_sampling *sampling; /* with processed or draws */
    const int32_t *stops;                /* that sampling did not take before n_min tokens */
    uint32_t n_stops, n_min;
};

struct reread {
    struct stat_answer answer;
    struct stat_draw *draws; /* [answer.n] with draws */
    struct arena memory;     /* of both */
};

/* reread_run - session is idle and is cut to nothing first; the sampler is of its vocabulary. The
 * engine needs n_logits as large as n_chunk. ERR_LIMIT: longer than the context; ERR_USAGE: a token
 * that the vocabulary lacks; ERR_MEMORY. To be released in any case. */
enum err reread_run(struct reread *r, struct iso_engine *engine, struct iso_session *session,
                    struct sampler *sampler, const struct reread_order *o, struct err_note *note);
void reread_release(struct reread *r);

#endif
