/* verify_model.h - what a model at hand says of a receipt: its hashes, the prompt tokenized anew,
 * the answer computed anew, its end. */
#ifndef CLI_VERIFY_MODEL_H
#define CLI_VERIFY_MODEL_H

#include "cli/load.h"
#include "cli/verify_inputs.h"
#include "proof/replay.h"
#include "proof/verify_vectors.h"

/* Of answers that isobit run did not make. */
#define VERIFY_WHOLE_REQUEST "a prompt is not the whole request: --request FILE, as it was sent"

struct verify_compute {
    struct model_options model;
    const char *template;    /* another than the model's own; NULL: that */
    const char *tool_format; /* as a server was told it; NULL: the one that the template tells */
};

/* verify_compute - adds to the report. An error is one of the model or the machine, not of the
 * receipt. Nothing that was read before is used: no cache of pages, no remembered hashes. */
enum err verify_compute(const struct verify_case *c, const struct verify_inputs *in,
                        const struct verify_compute *o, struct verify_report *r,
                        struct err_note *note);

/* verify_vectors_compute - the same of a receipt of vectors (verify_vectors.c). */
enum err verify_vectors_compute(const struct verify_case *c, const struct receipt_vectors *told,
                                const struct verify_inputs *in, const struct verify_compute *o,
                                struct verify_report *r, struct err_note *note);

/* Its parts, for other judges. verify_hash_weights - weights and metadata, whatever hash of them is
 * remembered. verify_open_engine - for replays of so many positions. verify_run - to the end of a
 * replay that was begun; an error is what the engine refused, or p->err. */
enum err verify_hash_weights(const struct loaded *l, struct verify_model *m, struct err_note *note);
enum err verify_open_engine(struct loaded *l, struct model_options m, uint32_t n_ctx,
                            struct err_note *note);
enum err verify_run(struct loaded *l, struct replay *p, struct err_note *note);

#endif
