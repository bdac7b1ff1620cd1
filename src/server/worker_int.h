/* worker_int.h - what a worker's files share: the worker, its calls, and the choices of each.
 *
 * A CALL is one HTTP request; a CHOICE is one answer of it to be made. A call lives until all its
 * choices have finished, also when its client has left; then it is freed. */
#ifndef SERVER_WORKER_INT_H
#define SERVER_WORKER_INT_H

#include "api/dialect.h"
#include "api/embed.h"
#include "base/taken.h"
#include "format/identity.h"
#include "net/frames.h"
#include "proof/verify.h"
#include "server/answers.h"
#include "server/protocol.h"
#include "server/rest.h"
#include "server/sampling.h"
#include "server/shape.h"
#include "server/speech.h"
#include "server/vectors.h"
#include "server/worker.h"
#include "text/answer_text.h"

struct event;
struct event_base;
struct parameters;
struct receipt_vectors;

/* What a receipt says of a call beside its answers. Begins as zeros. */
struct receipt_ask {
    bool wanted;
    char *request; /* [n_request] as it came; owned */
    size_t n_request, n_request_bytes; /* those of a bundle's text of it */
    uint64_t started_ms;
    struct taken begun;
};

struct worker {
    struct worker_options options;
    struct event_base *loop;
    struct frames *frames;
    struct speech speech;
    struct iso_engine *engine;
    bool may_load, front_gone;
    struct iso_engine_info info; /* of an embedder as much as it has */
    uint32_t n_running; /* answers that advance together */
    struct answers *answers;
    struct call *calls; /* open ones */
    /* A model that makes vectors has these instead of engine and answers. */
    struct iso_embedder *embedder;
    struct vectors *vectors;
    uint32_t n_dims;          /* of a vector; with ranks, scores of a pair */
    bool ranks, knows_pairs;  /* a cross-encoder; it tells a pair's texts apart */
    enum iso_pooling pooling; /* LAST where the model generates */
    struct embedding *embeddings; /* open calls */
    struct verification *verifications; /* the same */
    struct nonces *nonces; /* proof of compute; NULL: none was asked for yet */
    struct grammar_vocab *vocabs[2]; /* without marks, with; NULL until a shape is asked for */
    struct identity_job *identity; /* on its way, or there; NULL: none */
    struct event *look;            /* for it */
    char weights_hex[2 * SHA256_BYTES + 1]; /* "": not known yet */
    char fingerprint[48];
    bool is_ready; /* the front has been told */
    struct rest rest;
};

/* A token that is to be shown with its probability or its id. */
struct shown {
    int32_t id;
    float logprob;
    uint32_t rank; /* of a prompt's token */
    uint32_t n_top;
    struct iso_logprob top[ISO_LOGPROBS_MAX];
};

struct choice {
    struct answer answer;
    struct call *call;
    uint32_t index;
    struct token_list prompt;
    struct matcher *matcher; /* NULL: any text */
    struct iso_constraint constraint;
    struct answer_text says; /* its parts: not yet sent */
    int reasoning; /* whether its prompt has begun it (1), or ended it (-1) */
    struct shown *shown;    /* [n_shown] not yet sent */
    size_t n_shown, n_shown_reserved;
    struct shown *read; /* [n_read_shown] the prompt's tokens but the first, if wanted */
    size_t n_read_shown, n_read_reserved;
    int32_t *forced; /* an enforced answer */
    size_t n_forced;
    uint32_t n_cached, n_read; /* of the prompt's tokens: remembered; those and what was read */
    struct maker maker;     /* where the answer has it */
    struct buf prompt_text; /* for its receipt; of the first of those that share a prompt */
    enum iso_finish ended;  /* why, as the engine has it */
    int32_t *ids;      /* [n_ids] chosen, without an end token */
    size_t n_ids, n_ids_reserved;
    uint32_t n_tokens; /* chosen, up to the end */
    uint32_t n_reasoning; /* of these */
    uint32_t text_offset;
    bool said, finished;
    struct api_error *failed; /* each_alone; owned */
    enum reply_finish finish; /* not yet sent */
};

struct call {
    struct worker *worker;
    struct call *next, **link;
    uint64_t id, tenant;
    const struct dialect *dialect;
    void *stream_state; /* the dialect's */
    bool gone, streaming, may_verify;
    bool owes_end; /* it was cancelled, and its receipts come first */
    int32_t priority;
    struct api_generate api;
    struct shape shape;
    struct sampling sampling;
    char answer_id[40];
    int64_t created_s;
    uint64_t begin_ns, first_ns; /* it arrived; its first token came (0: not yet) */
    struct choice *choices; /* [n_choices] */
    uint32_t n_choices, n_submitted, n_begun, n_finished;
    bool progressed; /* more of a prompt was read than the client has been told */
    struct call_usage told;
    uint64_t told_ns;
    int32_t stops[ISO_STOPS_MAX];
    uint32_t n_stops;
    struct receipt_ask receipt;
};

/* completions.c: generated text, in any dialect. */
void completion_begin(struct worker *w, uint64_t id, const struct call_head *head,
                      const struct dialect *dialect, struct str body);
void completion_take(const struct news *news);
/* completion_read - what a request means to the model, without answering it; NULL: e says why it
 * means nothing. clock_s: what its template is told. completion_forget: frees it. */
struct call *completion_read(struct worker *w, const struct dialect *dialect, struct str body,
                             int64_t clock_s, struct api_error *e);
void completion_forget(struct call *c);
/* completion_flush - sends what the news of one step made certain. */
void completion_flush(struct worker *w);
void completion_cancel(struct worker *w, uint64_t id);
void completions_release(struct worker *w);

/* reading.c: how a choice's text becomes parts. */
void reading_begin(struct choice *k);

/* usage.c: how far a call is, for the front and for clients that ask for it. */
struct call_usage usage_now(const struct call *c);
void usage_say(struct call *c, bool at_once); /* at most each quarter of a second, or at once */
void usage_progress(struct call *c, const struct reply_head *head, struct buf *events);
/* text_calls.c: calls about text alone. They answer at once. */
void call_tokenize(struct worker *w, uint64_t id, struct str path, struct str body);
void call_detokenize(struct worker *w, uint64_t id, struct str path, struct str body);
void call_apply_template(struct worker *w, uint64_t id, struct str path, struct str body);
void call_count_tokens(struct worker *w, uint64_t id, struct str path, struct str body);
void call_props(struct worker *w, uint64_t id, struct str path, struct str body);
/* show.c: Ollama's /api/show. */
void call_show(struct worker *w, uint64_t id, struct str path, struct str body);

/* embeddings.c: vectors and scores of texts. */
void embedding_begin(struct worker *w, uint64_t id, const struct call_head *head,
                     enum embed_kind kind, struct str path, struct str body);
/* embedding_again - the vectors of a request that a receipt names, in the gaps of serving, until
 * that time: verification_made is told. false: e says why the request means none, or 500. */
bool embedding_again(struct worker *w, uint64_t id, enum embed_kind kind, struct str body,
                     struct verification *again, uint64_t until_ns, struct api_error *e);
void embedding_take(const struct news *news); /* of answers with hidden */
void embeddings_done(struct worker *w); /* answers the calls whose vectors are there */
bool embedding_cancel(struct worker *w, uint64_t id); /* false: no such call */
void embeddings_release(struct worker *w);

/* nonces.c: artifacts of proof of compute. */
enum { NONCES_FLIGHTS_MAX = 8 }; /* with the engine at once */
void nonces_begin(struct worker *w, uint64_t id, struct str body);
bool nonces_take(struct worker *w, const struct news *news); /* false: not of a nonce */
bool nonces_cancel(struct worker *w, uint64_t id);           /* false: no such call */
void nonces_release(struct worker *w);

/* show - keeps a token that is to be shown with its probability. */
void show(struct choice *k, const struct news *news);

/* receipt_make.c: receipts of a call's choices. */
/* receipt_begin - whether a call's are wanted, as its request asks or the mode says; false: they
 * cannot be had. */
bool receipt_begin(struct worker *w, struct receipt_ask *ask, enum receipts_mode mode, bool asked,
                   struct str request, struct api_error *e);
/* receipt_fill - of what every receipt says: model, machine, times; device: the text of that. */
enum { RECEIPT_DEVICE_BYTES = 160 };
enum err receipt_fill(const struct worker *w, const struct receipt_ask *ask, bool has_tools,
                      char device[RECEIPT_DEVICE_BYTES], struct receipt *r, struct err_note *note);
/* receipt_send - to the front; body and bundle are released. false: they were not made, rc and note
 * tell why, or are too large. */
bool receipt_send(struct worker *w, uint64_t id, uint32_t index, struct buf *body,
                  struct buf *bundle, enum err rc, struct err_note *note, struct api_error *e);
/* receipts_place - a whole answer with the place for its receipts, in its last object. */
struct str receipts_place(const struct buf *json, struct buf *out);
/* receipt_watch - before it is submitted. false: its answer could become too long for a receipt. */
bool receipt_watch(struct choice *k, struct api_error *e);
/* receipts_send - all of them, once all choices have finished. false: one could not be made. */
bool receipts_send(struct call *c, struct api_error *e);
uint32_t receipts_count_of(const struct call *c);
/* receipt_name_model - the hashes of the model's parts. */
enum err receipt_name_model(const struct worker *w, bool has_tools, struct receipt *r,
                            struct err_note *note);
/* receipt_follows - whether prompt and parameters (p, as read) are what the bundle's request means.
 * made, if not NULL: the choice whose they are, with its constraint unused; the caller forgets its
 * call. false: e, 400: they are not. */
bool receipt_follows(struct worker *w, const struct verify_case *about, const struct parameters *p,
                     struct choice **made, struct api_error *e);
/* verify_call.c: POST /v1/verify. */
void call_verify(struct worker *w, uint64_t id, struct str path, struct str body);
void verification_take(const struct news *news);
bool verification_cancel(struct worker *w, uint64_t id); /* false: no such call */
/* verification_made - the vectors that were wanted are there; now NULL: why says why not, or they
 * took too long. gone: nobody is there to be told. It is over then. */
const struct salt *verification_salt(const struct verification *v);
void verification_made(struct verification *v, const struct receipt_vectors *now, bool gone,
                       const char *why);
void verifications_release(struct worker *w);

/* enforce.c: answers that are given (scope verify), prompts that are said again. */
bool is_enforced(const struct call *c);
bool enforce_check(const struct call *c, struct api_error *e);
bool enforce(struct choice *k, struct api_error *e); /* once its request is filled in */
void echo(struct choice *k);

/* fingerprint.c */
void fingerprint_begin(struct worker *w);
void fingerprint_end(struct worker *w);

/* worker.c */
void worker_say_facts(struct worker *w, enum frame_kind kind); /* READY, FACTS */
/* unknown: [line->n_unknown]. */
void worker_reply_line(struct worker *w, uint64_t id, const struct reply_line *line,
                       const char *unknown, struct str body);
void worker_reply(struct worker *w, uint64_t id, int status, struct str unknown, struct str body);
void worker_fail(struct worker *w, uint64_t id, struct str path, const struct api_error *e);

#endif
