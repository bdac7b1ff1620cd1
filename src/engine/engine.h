/* engine.h - what the program's own tools may ask of an engine beyond include/isobit.h. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/err.h"
#include "isobit.h"

struct device;
struct model;
struct model_tap;
struct table;

/* engine_open - iso_engine_open for tables that are open already and outlive the engine. draft: in
 * place of options.draft_path, a model that guesses what the engine's will choose; NULL: none.
 * ERR_USAGE: their vocabularies differ. */
enum err engine_open(const struct table *table, const struct table *draft,
                     const struct iso_engine_options *options, struct iso_engine **engine,
                     struct err_note *note);

/* engine_open_on - the same on this device, which is closed with the engine, and on error. */
enum err engine_open_on(const struct table *table, const struct table *draft,
                        const struct iso_engine_options *options, struct device *device,
                        struct iso_engine **engine, struct err_note *note);

/* engine_plan - what engine_open would take with these options, and what is available (plan.h). */
struct plan;
enum err engine_plan(const struct table *table, const struct table *draft,
                     const struct iso_engine_options *options, struct plan *plan,
                     struct err_note *note);

/* A tap for isobit trace: sees every operation's result from the next step on. It may not
 * allocate: a step is guarded. */
void engine_set_tap(struct iso_engine *engine, struct model_tap tap);

/* Guesses in place of the engine's own, for tests: whatever they are, the tokens are the same.
 * fn writes at most n_max tokens that may follow the session's; it returns how many. */
struct guesser {
    uint32_t (*fn)(void *context, const struct iso_session *session, int32_t *guesses,
                   uint32_t n_max);
    void *context;
};
void engine_set_guesser(struct iso_engine *engine, struct guesser guesser);

/* What computes, for those who want to know its cost. Until the next step: a device may be lost. */
const struct model *engine_model(const struct iso_engine *engine);
struct device *engine_device(const struct iso_engine *engine);

/* session_cached - positions of the session whose keys and values are in its pages: during a step,
 * the position of the pass's first row of this session. */
uint32_t session_cached(const struct iso_session *session);

/* engine_model_key - a hash of the weights, the model's configuration and the arithmetic: equal
 * keys, equal pages. Zeros in an engine without cache_dir. */
const uint8_t *engine_model_key(const struct iso_engine *engine);

#endif
