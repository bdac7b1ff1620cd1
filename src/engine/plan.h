/* plan.h - what an engine would take of memory, and what of it fits, before anything is taken.
 *
 * On the CPU weights come last: what does not fit beside the cache and the working memory stays in
 * the file and is read at every step (model.h), so only cache and working memory can be too much.
 * A device with memory of its own has the last layers and the head: as many layers as were asked
 * for, else as many as fit. Those before them and the embedding are the CPU's. */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include "base/room.h"
#include "isobit.h"
#include "model/model.h"
#include "model/profile.h"

/* What is taken of one memory. */
struct plan_part {
    const char *device;   /* its name; NULL: nothing is taken there, and all is 0 */
    struct mem_room room; /* available; a part is left to others */
    uint64_t n_bytes_usable;
    uint64_t n_bytes_context; /* taken there already, by the device for itself */
    uint64_t n_bytes_packed;  /* matrices, */
    uint64_t n_bytes_weights; /* those of them that find room: on a GPU, all must */
    uint64_t n_bytes_vectors; /* norms, biases; on a GPU the embedding, if it is there */
    uint64_t n_bytes_page;    /* of the cache, with what is kept of each page */
    uint64_t n_bytes_cache;
    uint64_t n_bytes_working; /* activations, logits, the sampler */
    uint64_t n_bytes_draft;   /* a draft model, with its cache */
};

struct plan {
    struct model_info info;
    uint32_t n_sessions, n_kv_pages;
    bool is_fast;               /* the profile, and what a person should know of it, or "" */
    struct err_note said;
    uint32_t n_gpu_layers;      /* 0: none; one more than info.n_layers: the embedding too */
    uint32_t n_gpu_layers_fit;  /* the most that would fit */
    uint64_t n_bytes_in_file;   /* weights that the CPU has no room for */
    struct plan_part cpu, gpu;
};

/* plan_make - of an engine on d, with a draft model (or NULL) beside it; lower: the CPU, where d
 * has memory of its own, else NULL. o: with its defaults filled in. ERR_LIMIT where the numbers
 * make no sense. A plan that does not fit is no error here. */
enum err plan_make(const struct table *t, const struct table *draft, struct device *d,
                   struct device *lower, const struct iso_engine_options *o, struct plan *plan,
                   struct err_note *note);
bool plan_fits(const struct plan *p);
/* plan_check - ERR_MEMORY says what does not fit and what would. */
enum err plan_check(const struct plan *p, struct err_note *note);
/* plan_limits - the model's, as plan_make was asked for it. */
struct model_limits plan_limits(const struct plan *p, struct device *lower,
                                const struct iso_engine_options *o);

/* plan_part_bytes - all that is taken there. */
uint64_t plan_part_bytes(const struct plan_part *part);

/* The most positions that each of n_sessions may have, at most what the model was trained for; 0:
 * none. With the weights in the CPU's memory too, or with what is left to them. */
uint32_t plan_ctx_max(const struct plan *p, uint32_t n_sessions, bool with_weights);

#endif
