/* plan.h - what an engine would take of memory, and what of it fits, before anything is taken.
 *
 * Weights come last: what does not fit beside the cache and the working memory stays in the file
 * and is read at every step (model.h). So only cache and working memory can be too much. */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include "base/room.h"
#include "isobit.h"
#include "model/model.h"
#include "model/profile.h"

struct plan {
    const char *device;   /* its name, where it has memory of its own; else NULL */
    struct mem_room room; /* available, there; a part is left to others */
    uint64_t n_bytes_usable;
    uint32_t n_ctx, n_sessions, n_kv_pages;
    bool is_fast;         /* the profile, and what a person should know of it, or "" */
    struct err_note said;
    struct model_needs model;
    uint64_t n_bytes_weights; /* in memory */
    uint64_t n_bytes_in_file; /* weights that no room was found for: a device with memory of its
                                 own cannot work so */
    uint64_t n_bytes_page;    /* of the cache, with what is kept of each page */
    uint64_t n_bytes_cache;
    uint64_t n_bytes_working; /* activations, logits, the sampler; of a device with memory of its
                                 own, what lies there */
};

/* plan_make - o: with its defaults filled in. ERR_LIMIT where the numbers make no sense. A plan
 * that does not fit is no error here. */
enum err plan_make(const struct table *t, struct device *d, const struct iso_engine_options *o,
                   struct plan *plan, struct err_note *note);
bool plan_fits(const struct plan *p);
/* plan_check - ERR_MEMORY says what does not fit and what would. */
enum err plan_check(const struct plan *p, struct err_note *note);

/* The most positions that each of n_sessions may have, at most what the model was trained for; 0:
 * none. With the weights in memory too, or with what is left to them. */
uint32_t plan_ctx_max(const struct plan *p, uint32_t n_sessions, bool with_weights);

#endif
