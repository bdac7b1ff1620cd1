/* engine_int.h - the insides of engine and session, for engine/ alone.
 *
 * A session's timeline is tokens[0..n_tokens); the first n_kv of them have their keys and values in
 * pages. Reading a prompt, choosing a token and cutting back are all moves of these two numbers:
 * n_kv <= n_tokens <= n_ctx, and pages[0..ceil(n_kv / KV_PAGE)) are held.
 * States: free -> idle (open) -> waiting (submit) -> running (queue.h) -> idle (the step that
 * reports FINISH); from running back to waiting when others need its place or pages. */
#ifndef ENGINE_ENGINE_INT_H
#define ENGINE_ENGINE_INT_H

#include "device/device.h"
#include "engine/ahead.h"
#include "engine/engine.h"
#include "engine/kv_pages.h"
#include "engine/plan.h"
#include "engine/prefix.h"
#include "engine/queue.h"
#include "engine/sampler.h"
#include "engine/schedule.h"

#include "engine/speculate.h"
#include "engine/tier.h"
#include "model/model.h"

enum session_state { SESSION_FREE, SESSION_IDLE, SESSION_WAITING, SESSION_RUNNING };

struct iso_session {
    struct iso_engine *engine;
    enum session_state state;
    int32_t *tokens; /* [n_ctx] */
    uint32_t n_tokens, n_kv;
    uint32_t *pages; /* [n_ctx / KV_PAGE, rounded up] */
    void **bases, **lower_bases; /* the same pages' addresses, as kv_row wants them: on the engine's
                                    device, and of layers that lie elsewhere */
    uint32_t n_pages;
    uint32_t n_shared;           /* the first of them that are the prefix tree's too */
    uint32_t n_given;            /* positions whose keys and values somebody gave: the first */
    uint64_t tenant, cache_pool; /* whose prefix tree; one of them is 0 */
    bool is_private;             /* the tree neither gives nor takes */
    bool recall;                 /* remembered pages are looked for before the next pass */
    bool far;                    /* LongRoPE (model.h): its cache was computed with the far set */

    /* The request in force. */
    struct iso_request request; /* tokens and stops point into this session */
    int32_t stops[ISO_STOPS_MAX];
    uint32_t border;       /* tokens before it were read, those from it on chosen */
    float mu;              /* mirostat's state after the tokens chosen so far */
    uint32_t read_from;    /* what the request reads begins here */
    uint32_t n_told;       /* LOGITS events went out for the positions before it */
    uint32_t n_pages_told; /* pages before it are full, and told or none of the request's */
    enum iso_finish cancel;
    uint64_t ticket;      /* the order of arrival */
    uint64_t deadline_ns; /* UINT64_MAX: none */
    uint32_t place;       /* of its tenant in the queue's arrays */
    uint64_t last_used;   /* the ticket that was next when it became idle */

    struct err_note note; /* what an event points to */
};

struct iso_engine {
    struct device *device; /* has the model, or its last layers, */
    struct device *lower;  /* and the CPU beside a device with memory of its own; else NULL */
    struct plan plan;
    struct model *model;
    struct kv_pages pages;
    struct prefix prefix;
    struct tier tier;
    struct iso_cache_info cache;
    struct sampler sampler;
    struct queue queue;
    struct cost cost;
    struct speculate speculate;
    struct ahead ahead;
    uint64_t observed_ns;          /* when the last pass was over */
    struct iso_engine_stats stats; /* the counters */
    uint64_t (*clock_ns)(void *context);
    void *clock_context;
    float stretch;
    bool is_fast; /* opened in the profile `fast`: so it is called even when the CPU goes on */
    uint32_t n_ctx, n_chunk, n_logits, n_sessions;
    int n_threads;
    const char *isa;              /* borrowed from the options, or static */
    struct iso_session *sessions; /* [n_sessions] */

    /* One step's scratch. */
    int32_t *token;                   /* [n_chunk] */
    struct kv_row *rows, *lower_rows; /* [n_chunk] */
    uint8_t *bad;                     /* [n_chunk] */
    uint8_t *rope_far;                /* [n_chunk] */
    const float **input, **mirrors; /* [n_chunk] of rows that are none of a text; else NULL */
    uint32_t *logit_rows;           /* [n_logits] */
    /* Of each: whether a device chooses the token, and the logits stay there; what it is told for
     * it, and what it answers. */
    uint8_t *stays;                /* [n_logits] */
    struct sample_row *sample;     /* [n_logits] */
    struct sample_edit *edits;     /* [n_logits, MODEL_EDITS] */
    struct sample_result *results; /* [n_logits] */
    float *hidden;                 /* [n_logits, n_embd] */
    float *logits;                 /* [n_logits, n_vocab] */
    size_t n_bytes_logits;
    uint8_t (*digests)[ISO_DIGEST_BYTES];             /* [n_logits] */
    struct iso_logprob (*logprobs)[ISO_LOGPROBS_MAX]; /* [n_logits] */
    struct iso_record *records;                       /* [n_logits] */
    uint8_t (*page_digests)[ISO_DIGEST_BYTES]; /* [n_page_digests_max], n_page_digests made */
    uint32_t n_page_digests, n_page_digests_max;
    struct iso_session **turn;  /* [n_turns <= n_running] those that run, in line */
    struct schedule_need *need; /* [n_turns] theirs */
    uint32_t *n_rows;           /* [n_turns] theirs */
    uint32_t n_turns;
    struct iso_event *events; /* [n_events_max] */
    size_t n_events, n_events_max;

    /* What goes on with the CPU when the device is lost (fall_back.h). */
    struct iso_engine_options options; /* with their defaults */
    const struct table *weights, *draft_weights;
    struct model_tap tap;
    enum err lost; /* the CPU could not: requests end with this and its note */
    struct err_note lost_note;

    /* Only when opened by path: closed with the engine. */
    struct table *table, *draft_table;
    void (*table_free)(struct table *table);
};

/* The public note has the internal one's shape; errors are the same numbers. */
_Static_assert(sizeof(struct iso_note) == sizeof(struct err_note), "notes differ");
static inline struct err_note *note_of(struct iso_note *note)
{
    return (struct err_note *)note;
}

/* The arithmetic's name, and how the CPU goes on where a device that was fast is lost. */
static inline const char *engine_arithmetic(bool is_fast)
{
    return is_fast ? ISO_ARITHMETIC_FAST : ISO_ARITHMETIC;
}
#define ENGINE_GOES_ON_EXACT                                                                       \
    "in the profile exact: close to what the GPU would have made, not the same bits"

/* engine_open_model - within the memory that is planned for it; ERR_MEMORY where it does not fit.
 * engine_open_pages - the pool. lower: the CPU where the plan has layers there, beside device. */
enum err engine_open_model(const struct table *table, struct device *device, struct device *lower,
                           const struct iso_engine_options *o, const struct plan *plan,
                           struct model **model, struct err_note *note);
enum err engine_open_pages(struct kv_pages *pages, struct device *device, struct device *lower,
                           const struct plan *plan, struct err_note *note);

/* session_page - where page i of the session lies; session_set_page - that it is this one. */
struct model_page session_page(const struct iso_session *s, uint32_t i);
void session_set_page(struct iso_session *s, uint32_t i, uint32_t page);
/* Pages for so many positions. */
uint32_t session_pages(uint32_t n_positions);
/* session_lacks_given - pages that somebody gave are gone, or about to go: what would be computed
 * in their place is not what was given. */
bool session_lacks_given(const struct iso_session *s);
/* session_drop_page - the last page of a session that is not in the batch: read again later. */
void session_drop_page(struct iso_session *s);
/* session_reserve - pages for positions up to n_end, those from n_kv on exclusive. ERR_LIMIT when
 * the pool is empty; what was taken stays with the session, to be called again. */
enum err session_reserve(struct iso_session *s, uint32_t n_end, struct err_note *note);
/* session_drop_spare - a page that was taken for a position that is not read after all. */
void session_drop_spare(struct iso_session *s);
/* session_need - what the session wants from the next pass. Where it crosses LongRoPE's border, its
 * cache is dropped here, to be read again. */
struct schedule_need session_need(struct iso_session *s);

/* engine_leave_to_device - lets the device choose the token at n_tokens, from logits i of the
 * batch, if it can do all that is asked. False: nothing is asked of it, and the logits come here.
 */
bool engine_leave_to_device(struct iso_session *s, uint32_t n_tokens, uint32_t i, struct batch *b);

/* engine_event - a new event of this step, its session and request filled in. */
struct iso_event *engine_event(struct iso_session *s, enum iso_event_kind kind);

#endif
