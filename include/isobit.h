/* isobit.h - the public library: language models with one exact arithmetic.
 *
 * Two nouns. An ENGINE is a model loaded on a device, with a fixed pool of memory for what it
 * has read. A SESSION is one timeline of tokens inside an engine: it grows at the end, can be cut
 * back, and can be forked; the work done for its tokens is kept in pages of 64 positions that forks
 * share.
 *
 * Two more make them talk. A REQUEST appends prompt tokens to a session and says how to choose the
 * tokens that follow. EVENTS come back from iso_engine_step: each step runs one forward pass over
 * every session that has work, so that many sessions advance together in one batch.
 *
 *     struct iso_engine *engine;
 *     struct iso_session *session;
 *     struct iso_note note;
 *     if (iso_engine_open("model.gguf", NULL, &engine, &note)) { puts(note.text); return 1; }
 *     if (iso_session_open(engine, &session, &note)) ...
 *     struct iso_request request = iso_request_default();
 *     request.tokens = prompt; request.n_tokens = n_prompt; request.n_answer_max = 100;
 *     if (iso_session_submit(session, &request, &note)) ...
 *     const struct iso_event *events;
 *     for (size_t n; (n = iso_engine_step(engine, &events)) > 0;)
 *         for (size_t i = 0; i < n; i++)
 *             if (events[i].kind == ISO_EVENT_TOKEN) use(events[i].token);
 *     iso_engine_close(engine);
 *
 * The promise: a token and its logits depend on the weights file, the tokens before it, the request
 * and the arithmetic's version. They do not depend on the batch, the chunks a prompt was read in,
 * threads, instruction set or machine.
 *
 * The engine speaks token ids. Text (tokenizers, chat templates, stop strings) is above it.
 * Thread: an engine and its sessions belong to one thread at a time. Nothing here prints or exits.
 * Memory is reserved by iso_engine_open and iso_session_open; a step allocates nothing, but for
 * that in which a device is lost and the CPU takes over. */
#ifndef ISOBIT_H
#define ISOBIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the arithmetic: equal strings, equal bits. And the name of what promises no bits:
 * F16 and BF16 weights on a GPU's tensor cores (iso_engine_options.profile). */
#define ISO_ARITHMETIC      "exact-1"
#define ISO_ARITHMETIC_FAST "fast"

enum {
    ISO_PAGE_POSITIONS = 64,
    ISO_DIGEST_BYTES = 32,
    ISO_LOGPROBS_MAX = 20,
    ISO_BEST_MAX = 16,
    ISO_STOPS_MAX = 64,
    ISO_ORDER_MAX = 16,
};

/* Errors that a caller can act on. Bugs abort. */
enum iso_err {
    ISO_OK,
    ISO_ERR_USAGE,       /* the call makes no sense: a parameter out of range */
    ISO_ERR_IO,          /* the system refused: disk, permissions */
    ISO_ERR_NOT_FOUND,   /* no such file, tensor or key */
    ISO_ERR_FORMAT,      /* malformed file */
    ISO_ERR_UNSUPPORTED, /* well-formed, but not something this program does */
    ISO_ERR_LIMIT,       /* longer than the context, more than the pool */
    ISO_ERR_MEMORY,      /* the machine has not enough */
    ISO_ERR_NUMERIC,     /* a value that is not finite appeared */
    ISO_ERR_CANCELLED,
    ISO_ERR_BUSY, /* the session has a request already, no session is free, the queue is full */
};

/* One line for a person: what happened, to which name or number, what to do about it. */
struct iso_note {
    char text[512];
};

/* ---- engine ------------------------------------------------------------------------------- */

struct iso_engine;

struct iso_engine_options {
    int n_threads;       /* 0: the processors that this process may use */
    const char *isa;     /* "scalar", "avx2", "avx512", "neon"; NULL: the best that works here.
                            Kept until the engine is closed */
    const char *gpu;     /* "cpu", "cuda", "cuda:1"; "auto", NULL: a GPU that works, else the CPU.
                            One that is named and is not there is an error */
    uint64_t n_bytes_gpu; /* of its memory that may be taken; 0: 80 % of it */
    /* "exact": the same bits on every machine. "fast": F16 and BF16 weights on a GPU's tensor
     * cores, close to that, the same again only for the same passes on the same kind of GPU. NULL:
     * fast where the weights are F16 or BF16 and a GPU computes, which notice tells; else exact. */
    const char *profile;
    /* So many of the model's last layers and its head on the GPU, the others and the embedding on
     * the CPU: the same bits. More than it has: the embedding too. ISO_ERR_MEMORY where they do not
     * fit. 0: as many as fit. */
    uint32_t n_gpu_layers;
    uint32_t n_ctx;      /* positions of one session; 0: what the model was trained for */
    uint32_t n_chunk;    /* rows of one forward pass; 0: 512 */
    uint32_t n_sessions; /* open at once, at most; 0: 1 */
    uint32_t n_running;  /* requests in one batch, at most; 0: n_sessions */
    uint32_t n_queue;    /* requests that wait beyond those, at most; 0: any number */
    uint32_t n_kv_pages; /* the pool, which holds one session of n_ctx positions at least; 0:
                            enough for n_sessions of them */
    uint32_t n_logits;   /* rows of one pass whose logits are wanted; 0: n_running,
                            and what speculation needs */
    bool no_speculation; /* the same text, slower where it repeats itself */
    const char *draft_path; /* a smaller model of the same vocabulary that guesses what this one
                               will choose: the same text, sooner; NULL: none */
    float stretch;       /* a step that reads prompts lasts at most so many times what its answers
                            alone would take; above 1; 0: 2.7 */
    /* Monotonic nanoseconds: times steps, ends requests at their deadlines. NULL: the machine's. */
    uint64_t (*clock_ns)(void *context);
    void *clock_context;
    /* Pages that leave memory go to files in this folder, and are there after a restart. Only this
     * process may use it meanwhile. NULL: no files. What was said can be read from them: the folder
     * is 0700, the files 0600. Opening hashes the weights. */
    const char *cache_dir;
    uint64_t n_cache_bytes; /* its size; the files used least recently go; 0: the pool's size */
    /* What the engine may take; 0: what the system has available. Weights that find no room beside
     * cache and working memory are read from the file at every step: slow, with the same bits. */
    size_t n_bytes_memory;
    /* Called while weights are laid out; may be NULL. */
    void (*progress)(void *context, uint64_t n_bytes_done, uint64_t n_bytes);
    void *progress_context;
    /* One line for a person when the engine goes on in another way than was asked for: with the CPU
     * in place of a device that was lost in mid-work (the tokens stay the same, unless the profile
     * was fast), or in a profile that it chose. May be NULL. */
    void (*notice)(void *context, const char *text);
    void *notice_context;
};

/* What became of work done before. Counters run from the engine's opening. */
struct iso_cache_info {
    uint64_t n_hits, n_misses;     /* requests that found remembered positions, or none */
    uint64_t n_positions_recalled; /* positions that were not computed again: from memory, */
    uint64_t n_positions_restored; /* and from cache_dir */
    uint64_t n_evicted;            /* remembered pages given up for others */
    /* cache_dir: what it holds; pages read from it and written; files that were damaged, and that
     * made room for others; the first thing that went wrong, in one line, or "". */
    uint64_t n_files, n_bytes, n_pages_read, n_pages_written, n_files_bad, n_files_removed;
    const char *note;
};

/* What lies in a memory. */
struct iso_memory {
    uint64_t n_bytes; /* that may be taken there, beside the device's own */
    uint64_t n_bytes_context; /* the device's own */
    uint64_t n_bytes_weights, n_bytes_cache;
    uint64_t n_bytes_working; /* activations */
    uint64_t n_bytes_draft;   /* the draft model, with its cache */
};

/* What is known of an open engine. Strings live as long as it. */
struct iso_engine_info {
    const char *arch;       /* "llama", "qwen3", ... */
    const char *arithmetic; /* ISO_ARITHMETIC; or ISO_ARITHMETIC_FAST, as it was opened */
    const char *isa;        /* the instruction set that computes, where the CPU does */
    const char *device;     /* what computes: "cpu", ... */
    int n_threads;
    uint32_t n_vocab, n_embd, n_layers, n_ctx, n_ctx_train, n_sessions, n_running, n_chunk;
    uint32_t n_gpu_layers; /* of n_layers; one more: the embedding too */
    struct iso_memory gpu; /* the GPU's; zeros where there is none */
    uint64_t n_params;
    size_t n_bytes_weights, n_bytes_kv_page;
    size_t n_bytes_kv_file; /* of iso_session_page_read */
    size_t n_bytes_in_file; /* weights for which memory had no room */
    uint32_t n_kv_pages;
    uint32_t n_kv_pages_free;       /* what sessions may still take */
    uint32_t n_kv_pages_remembered; /* those among them that hold what earlier requests read */
    struct iso_cache_info cache;
};

/* iso_engine_open - load a model: a GGUF file, the first part of a split one, or a Hugging Face
 * folder. options may be NULL. On error *engine is NULL and note (may be NULL) says why. */
enum iso_err iso_engine_open(const char *path, const struct iso_engine_options *options,
                             struct iso_engine **engine, struct iso_note *note);
/* Closes its sessions too. NULL is nothing. */
void iso_engine_close(struct iso_engine *engine);
struct iso_engine_info iso_engine_info(const struct iso_engine *engine);
/* iso_engine_save - writes the whole pages in memory that cache_dir lacks; closing does it too. */
void iso_engine_save(struct iso_engine *engine);

/* What it does now, and did since it was opened. */
struct iso_engine_stats {
    uint32_t n_waiting, n_running;           /* requests now */
    uint32_t n_kv_pages_used;                /* by sessions, now */
    uint64_t n_requests, n_finished;         /* submitted, over for whatever reason */
    uint64_t n_preempted;                    /* times that a request went back to wait */
    uint64_t n_steps, n_rows;                /* forward passes, and what went through them */
    uint64_t n_tokens_read, n_tokens_chosen; /* of prompts read to their end; of answers */
    uint64_t n_guesses, n_guesses_true;      /* tokens computed ahead, and those chosen indeed */
    uint64_t busy_ns;                        /* spent in steps */
};
struct iso_engine_stats iso_engine_stats(const struct iso_engine *engine);

/* ---- request ------------------------------------------------------------------------------ */

/* The stages between logits and a token; iso_sampling.order runs them one after another. */
enum iso_stage {
    ISO_STAGE_END, /* the order's terminator */
    ISO_STAGE_PENALTIES,
    ISO_STAGE_DRY,
    ISO_STAGE_TOP_K,
    ISO_STAGE_TYPICAL,
    ISO_STAGE_TOP_P,
    ISO_STAGE_MIN_P,
    ISO_STAGE_XTC,
    ISO_STAGE_TEMPERATURE,
    ISO_STAGE_COUNT,
};

struct iso_bias {
    int32_t token;
    float bias; /* added to the token's logit before every stage; -INFINITY: never chosen */
};

/* A sequence of tokens that DRY sees no repetition across: head, then tail[0..n_tail). */
struct iso_breaker {
    int32_t head;
    uint32_t n_tail;
    const int32_t *tail;
};

/* How a token is chosen. The choice is a function of this, the logits and the session's tokens:
 * probabilities are integers of 40 bits, ties go to the lower token id, and randomness is
 * Philox4x32-10 keyed by (seed, choice, position). */
struct iso_sampling {
    float temperature;           /* 0: the most likely token */
    uint32_t top_k;              /* keep the k most likely; 0: off */
    float top_p;                 /* keep the fewest that together reach p; 1: off */
    float min_p;                 /* keep those at least p times as likely as the first; 0: off */
    float typical_p;             /* keep the most typical that together reach p; 1: off */
    float repeat_penalty;        /* divides positive, multiplies negative logits; 1: off */
    float frequency_penalty;     /* subtracted once for each time a token occurred; 0: off */
    float presence_penalty;      /* subtracted once if it occurred; 0: off */
    uint32_t n_penalty_window;   /* the last tokens that penalties look at */
    bool penalise_answer;        /* frequency and presence: among those, the answer's alone */
    float dry_multiplier;        /* of the penalty on going on with a repetition; 0: off */
    float dry_base;              /* it grows by this factor with each token of the repetition */
    uint32_t dry_allowed_length; /* repetitions shorter than this go free */
    uint32_t n_dry_window;       /* the last tokens in which repetitions are sought */
    float xtc_probability;       /* of leaving out all but the last of the top choices; 0: off */
    float xtc_threshold;         /* a top choice has at least this probability */
    uint32_t mirostat;           /* 1, 2: its version; replaces every stage that drops; 0: off */
    float mirostat_tau;          /* the surprise aimed at, in bits */
    float mirostat_eta;          /* how fast it gets there */
    uint64_t seed;
    uint32_t choice;              /* tells answers to the same prompt apart */
    uint8_t order[ISO_ORDER_MAX]; /* enum iso_stage, ended by ISO_STAGE_END; each at most once */
    /* The caller keeps both until the request finishes. */
    const struct iso_bias *bias; /* ascending token ids */
    size_t n_bias;
    const struct iso_breaker *dry_breakers; /* ascending heads */
    size_t n_dry_breakers;
};

/* What the answer's tokens may be, step by step: a grammar, for one answer. The engine asks before
 * each choice and reports each choice; tokens that are not allowed are no candidates for any stage.
 * The state begins where the answer begins. Called within a step: must not allocate. */
struct iso_constraint {
    void *context;
    /* Sets exactly the bits of the tokens that may come next: token t is bit t % 32 of
     * bits[t / 32], [(n_vocab + 31) / 32]. false: every token may, bits are as they were. With no
     * bit set the request ends with ISO_ERR_UNSUPPORTED and the note's sentence. */
    bool (*mask)(void *context, uint32_t *bits, struct iso_note *note);
    void (*accept)(void *context, int32_t token);
    /* Takes the last n accepted tokens back, as speculation does; n at most 256. */
    void (*rollback)(void *context, uint32_t n_tokens);
};

struct iso_request {
    const int32_t *tokens; /* appended to the session; copied */
    uint32_t n_tokens;     /* 0: continue the session's last token */
    uint32_t n_answer_max; /* 0: only read; UINT32_MAX: to the context's end */
    /* The answer's first tokens, whatever the sampler would choose; without a constraint; kept
     * until the request finishes. */
    const int32_t *forced; /* [n_forced] */
    uint32_t n_forced;
    /* What the answer is thought to be, kept until the request finishes. It is read with the
     * prompt, in passes as large, instead of a token a step, and each token is chosen as always:
     * the answer is the same whatever is expected, the sooner the more of its beginning is right.
     * So an answer that is known is checked. A pass has at most n_logits rows of it. */
    const int32_t *expected; /* [n_expected] */
    uint32_t n_expected;
    /* So many of the timeline's last tokens, prompt included, are the answer's beginning already:
     * it goes on there, as if they had been chosen. Not under mirostat or a constraint, whose state
     * is not in the tokens. */
    uint32_t n_answered;
    uint32_t n_answer_min; /* none of the stops is chosen before this many tokens are */
    const int32_t *stops;  /* a chosen token of this set ends the answer; copied */
    uint32_t n_stops;      /* at most ISO_STOPS_MAX */
    bool ignore_stops;     /* none of the stops is ever chosen */
    struct iso_sampling sampling;
    const struct iso_constraint *constraint; /* NULL: none; kept until the request finishes */
    int32_t priority;                        /* higher goes first */
    /* Rows that are none of a text, in place of tokens (then NULL): proof of compute. They enter
     * the first layer as they are; after each layer x -= 2 (v . x) v with that layer's v, unless
     * mirrors is NULL. The session is empty before and after. With want_hidden and no_cache, and
     * without an answer or logits. Kept until the request finishes. */
    const float *rows;    /* [n_tokens, n_embd]; NULL: the request has tokens */
    const float *mirrors; /* [n_layers, n_embd] */
    bool in_gaps; /* it goes last, whatever its priority: a step that others are in lasts a tenth
                     longer for it at most, a step of such requests alone is a short one */
    uint32_t deadline_ms;    /* ends the request so long after it was submitted; 0: never */
    uint32_t n_logprobs;     /* alternatives reported with each token, at most 20 */
    bool want_logprob;       /* of the chosen token; with want_logits_prompt of the prompt's too */
    bool processed_logprobs; /* of chosen tokens: among what the stages left; -9999: dropped */
    bool want_logits_prompt; /* an ISO_EVENT_LOGITS for each token that is read */
    bool want_hidden;        /* in ISO_EVENT_BORDER: the prompt's last row, for its embedding */
    bool want_logits;        /* TOKEN events show their logits, wherever they are computed */
    bool want_digests;       /* SHA-256 of each row of logits */
    bool want_records;       /* with each row of logits an iso_record */
    /* An ISO_EVENT_PAGE for each page of which the answer fills the last position; with
     * want_logits_prompt, for each of which a token that is read does, too. */
    bool want_pages;
    /* Rows of a pass and places in the batch are shared equally among tenants.
     * Tokens that a session of the same tenant has read before are not computed again (but with
     * want_logits_prompt). Another tenant's are never looked at: how fast an answer begins would
     * tell what others asked. Requests that name the same pool share it, whoever sends them. A
     * session keeps what it has read; where its requests differ in tenant or pool, nobody else
     * gets it. */
    uint64_t tenant;
    uint64_t cache_pool; /* 0: the tenant's own */
    bool no_cache;       /* neither use nor leave anything */
    void *user;          /* the caller's; events show it in their request */
};

struct iso_request iso_request_default(void);

/* ---- session ------------------------------------------------------------------------------ */

struct iso_session;

/* Why a request ended. */
enum iso_finish {
    ISO_FINISH_NONE,    /* it has not */
    ISO_FINISH_STOP,    /* a stop token, or the caller saw a stop string */
    ISO_FINISH_LENGTH,  /* n_answer_max */
    ISO_FINISH_CONTEXT, /* the context is full; nothing is ever shifted out */
    ISO_FINISH_CANCELLED,
    ISO_FINISH_ERROR, /* see err and note */
    ISO_FINISH_DEADLINE,
};

/* ISO_ERR_BUSY when n_sessions are open already. */
enum iso_err iso_session_open(struct iso_engine *engine, struct iso_session **session,
                              struct iso_note *note);
void iso_session_close(struct iso_session *session);

/* iso_session_submit - a request goes in line; steps admit and run it. ISO_ERR_LIMIT, and nothing
 * changed, when the session's tokens and the prompt do not fit the context, ISO_ERR_BUSY when too
 * many requests wait already; the note has both numbers. Never truncates.
 * Where a request must make room for others, it waits and goes on later: its tokens are the same,
 * PROMPT events tell what is read again. */
enum iso_err iso_session_submit(struct iso_session *session, const struct iso_request *request,
                                struct iso_note *note);
/* End the request; the next step reports ISO_EVENT_FINISH with this reason, and its place is free.
 * One step may report several tokens: a caller that ends an answer at one of them, because it saw a
 * stop string, cuts the idle session back to that token's position + 1.
 * Pages stay with the session until another needs them, as with every request that ends. */
void iso_session_cancel(struct iso_session *session, enum iso_finish reason);

/* Cut the timeline back to its first n tokens (n <= its length). The session must be idle. */
void iso_session_cut(struct iso_session *session, uint32_t n_tokens);
/* Several answers to one prompt: read all of it but its last token (n_answer_max 0), fork, submit
 * that token to each with another `choice`. So no position is computed in vain, and each answer has
 * the bits of a run of its own.
 *
 * A new session with the same tokens that shares this one's pages. Both must be idle. */
enum iso_err iso_session_fork(struct iso_session *session, struct iso_session **copy,
                              struct iso_note *note);

/* The timeline: every token read or chosen so far. Valid until the session changes. */
const int32_t *iso_session_tokens(const struct iso_session *session, uint32_t *n_tokens);
bool iso_session_idle(const struct iso_session *session);

/* ---- pages -------------------------------------------------------------------------------- */

/* iso_session_page_hash - of the page of positions 64 page to 64 page + 63, as PAGE events tell it;
 * between steps. false: the session does not hold all of them now, or its device was lost. Cost:
 * one hash over its bytes, unless it was asked for before. */
bool iso_session_page_hash(const struct iso_session *session, uint32_t page,
                           uint8_t hash[ISO_DIGEST_BYTES]);
/* iso_session_page_read - its n_bytes_kv_file canonical bytes (docs/formats/kv-page.md). */
bool iso_session_page_read(const struct iso_session *session, uint32_t page, uint8_t *bytes);
/* iso_session_page_add - appends 64 tokens with the keys and values that somebody has computed for
 * them, to an idle session of nothing but whole pages. Whether they are the right ones is the
 * caller's to know (iso_session_page_hash); bytes that no computation leaves are ISO_ERR_FORMAT.
 * The session is remembered by nobody. ISO_ERR_LIMIT: no room; ISO_ERR_IO: the device was lost.
 * Where such a page is lost later, with its device or to others, requests end with ISO_ERR_IO: what
 * the engine would compute in its place is not what was given. */
enum iso_err iso_session_page_add(struct iso_session *session, const int32_t *tokens,
                                  const uint8_t *bytes, struct iso_note *note);

/* ---- events ------------------------------------------------------------------------------- */

enum iso_event_kind {
    ISO_EVENT_PROMPT, /* tokens were read: n_done of n_total that the session's pages lacked */
    ISO_EVENT_LOGITS, /* the logits after a token that was read (want_logits_prompt) */
    ISO_EVENT_BORDER, /* the prompt ends here: position is that of the first chosen token */
    ISO_EVENT_TOKEN,  /* a token was chosen and appended */
    ISO_EVENT_PAGE,   /* positions position to position + 63 have their keys and values */
    ISO_EVENT_FINISH, /* the request is over; the session is idle */
};

struct iso_logprob {
    int32_t token;
    float logprob; /* natural logarithm of the model's own probability, before any stage */
};

/* What a token was chosen from, as receipts commit to it. */
struct iso_record {
    /* Of the integer weights that the sampler drew from; 0 where it took the largest logit, where
     * the token was forced, and in LOGITS events. */
    uint64_t sum;
    uint32_t n_best; /* ISO_BEST_MAX, or the vocabulary where it is smaller */
    struct {
        int32_t token;
        float logit; /* of the model, before any stage; never -0 */
    } best[ISO_BEST_MAX]; /* the largest logits, falling; of equals the lower token first */
};

struct iso_event {
    enum iso_event_kind kind;
    struct iso_session *session;
    const struct iso_request *request;  /* the parameters in force, in the engine's own copy */
    uint32_t position;                  /* of the token in the session */
    int32_t token;                      /* LOGITS: the token read; TOKEN: the token chosen */
    bool is_stop;                       /* TOKEN: it is one of the request's stops */
    uint32_t n_done, n_total;           /* PROMPT */
    /* With want_logprob: of the chosen token; LOGITS: of the prompt's next one, 0 at its end. */
    float logprob;
    const struct iso_logprob *logprobs; /* LOGITS, TOKEN: n_logprobs of them, most likely first */
    uint32_t n_logprobs;
    const float *hidden;    /* BORDER, with want_hidden: n_embd values, after the last norm */
    /* LOGITS, TOKEN: the n_vocab values the event comes from. Of TOKEN, without want_logits: NULL
     * where they stayed on a device. */
    const float *logits;
    /* LOGITS, TOKEN: SHA-256 of the logits as little-endian f32, or NULL. PAGE: the page's hash,
     * the same on every machine (docs/formats/kv-page.md). */
    const uint8_t *digest;
    const struct iso_record *record; /* LOGITS, TOKEN: with want_records */
    enum iso_finish finish; /* FINISH */
    enum iso_err err;
    const char *note;
};

/* iso_engine_step - one forward pass over the requests that run. Returns the number of
 * events it made, 0 when every session is idle. Events and what they point to are valid until the
 * next call on this engine. */
size_t iso_engine_step(struct iso_engine *engine, const struct iso_event **events);

/* Natural log-probability of a token in a row of n_vocab logits, by the exact arithmetic. */
float iso_logprob(const float *logits, uint32_t n_vocab, int32_t token);

/* ---- embedder ------------------------------------------------------------------------------ */

/* A model that turns texts into vectors: an encoder (the BERT family), or any generating model
 * whose rows are pooled. It keeps nothing between calls. Texts share passes without padding, and a
 * text's vector has the same bits whatever else is in the pass. */
struct iso_embedder;

/* How the rows of a text become its vector. */
enum iso_pooling {
    ISO_POOLING_MODEL, /* as the file says; says it nothing, an encoder's mean, else the last row */
    ISO_POOLING_MEAN,
    ISO_POOLING_CLS, /* the first row */
    ISO_POOLING_LAST,
    ISO_POOLING_RANK, /* a cross-encoder: its head's scores, in place of a vector */
};

struct iso_embedder_options {
    int n_threads;   /* 0: the processors that this process may use */
    const char *isa; /* as in iso_engine_options, */
    const char *gpu; /* this too, */
    uint64_t n_bytes_gpu; /* this, */
    const char *profile;  /* this too, */
    uint32_t n_gpu_layers; /* and this: all or, with gpu "cpu", none; else ISO_ERR_UNSUPPORTED */
    uint32_t n_ctx;  /* tokens of one text; 0: what the model was trained for, at most 8192 */
    uint32_t n_rows; /* texts share a pass up to so many; 0: 128 for each thread, 256 to 2048 */
    enum iso_pooling pooling;
    bool no_normalize;     /* vectors keep their length; else it is 1. Scores are as they are */
    size_t n_bytes_memory; /* as in iso_engine_options */
    void (*progress)(void *context, uint64_t n_bytes_done, uint64_t n_bytes);
    void *progress_context;
    void (*notice)(void *context, const char *text); /* as in iso_engine_options */
    void *notice_context;
};

struct iso_embedder_info {
    const char *arch, *arithmetic, *isa, *device;
    int n_threads;
    uint32_t n_vocab, n_layers, n_ctx, n_ctx_train, n_rows;
    uint32_t n_dims; /* of a vector; with ISO_POOLING_RANK, how many scores */
    enum iso_pooling pooling; /* the one in force */
    bool is_encoder;
    uint32_t n_types; /* kinds of tokens that it tells apart; 0: it does not */
    uint64_t n_params;
    size_t n_bytes_weights;
    struct iso_memory gpu; /* as in iso_engine_info */
};

struct iso_text {
    const int32_t *tokens; /* with what the model wants around a text: [CLS], [SEP] */
    uint32_t n_tokens;     /* 1 to n_ctx */
    uint32_t n_first;      /* tokens from here on are of the second kind: a pair's second text. 0 or
                              n_tokens: there are none */
};

/* iso_embedder_open - as iso_engine_open. */
enum iso_err iso_embedder_open(const char *path, const struct iso_embedder_options *options,
                               struct iso_embedder **embedder, struct iso_note *note);
void iso_embedder_close(struct iso_embedder *embedder); /* NULL is nothing */
struct iso_embedder_info iso_embedder_info(const struct iso_embedder *embedder);

/* iso_embed - the vectors of n_texts texts, in as few passes as they fit, in their order:
 * out [n_texts, n_dims]. ISO_ERR_LIMIT: a text has more tokens than n_ctx; the note has its index
 * and both numbers, and nothing was computed. ISO_ERR_USAGE: it has none, or one that is not in the
 * vocabulary. ISO_ERR_NUMERIC: the vectors of some texts are not finite; theirs are all NaN, the
 * others are right. Allocates nothing, but where a device is lost and the CPU takes over. */
enum iso_err iso_embed(struct iso_embedder *embedder, const struct iso_text *texts, size_t n_texts,
                       float *out, struct iso_note *note);

/* Makes the length of a vector 1, as iso_embed does: also of its first n dimensions, for models
 * that were trained to have them cut. One that is 0 stays. */
void iso_normalize(float *x, size_t n);

/* The cosine of two vectors of length 1; what a single score means: 1 / (1 + e^-score). */
float iso_cosine(const float *a, const float *b, size_t n);
float iso_probability(float score);

const char *iso_pooling_text(enum iso_pooling pooling);

const char *iso_err_text(enum iso_err err);
const char *iso_finish_text(enum iso_finish finish);

#ifdef __cplusplus
}
#endif

#endif
