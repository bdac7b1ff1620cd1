/* front_int.h - what the front's files share: tickets, workers, the front itself. */
#ifndef SERVER_FRONT_INT_H
#define SERVER_FRONT_INT_H

#include <stdarg.h>
#include <sys/types.h>

#include "api/dialect.h"
#include "net/frames.h"
#include "net/http_server.h"
#include "server/front.h"
#include "server/gate.h"
#include "server/metrics.h"
#include "server/once.h"
#include "server/protocol.h"
#include "server/rest.h"
#include "server/stats.h"

struct event;
struct event_base;
struct front;
struct hold;

enum process_state {
    PROCESS_LOADING,
    PROCESS_READY,
    PROCESS_DOWN,     /* ended; waits to be started again */
    PROCESS_UNLOADED, /* started by the first request */
    PROCESS_LEAVING,  /* told to end; then UNLOADED, or loading again if somebody waits */
};

/* One model's worker. */
struct process {
    struct front *front;
    const struct front_model *model;
    enum process_state state;
    pid_t pid;
    struct frames *frames;
    struct event *restart;
    unsigned n_failures; /* in a row */
    char *facts;         /* JSON that READY brought; owned */
    char why[256];       /* it failed */
    struct stats stats, stats_before; /* of this process, of those before it */
    uint64_t n_restarts;
    bool on_demand;     /* UNLOADED at first and when idle */
    bool is_of_folder;  /* found there: the model's path is owned */
    bool is_missing;    /* there no more: as if it were not here */
    bool asks, granted; /* its worker waits for room; has been given it */
    uint64_t n_bytes_needed; /* what its worker said */
    uint64_t asked_ns, left_ns, last_used_ns;
    size_t n_tickets;                 /* open ones */
    struct ticket *waiting, **last;   /* those that wait for it to be loaded */
};

/* SINK: who gets a worker's answer: an HTTP client, a call over a WebSocket, a line of a batch.
 * A whole answer is one reply; a stream is begin, data ..., end, which are NULL where none is asked
 * for. fail: there will be no (further) answer, the worker has died. After reply, end or fail the
 * sink hears nothing more. */
struct sink {
    void (*reply)(void *to, const struct reply_line *line, struct str unknown, struct str body);
    void (*begin)(void *to, const struct reply_line *line, struct str unknown);
    void (*data)(void *to, struct str bytes);
    void (*end)(void *to);
    void (*fail)(void *to, const struct api_error *e);
};

/* A call that a worker answers. Its number is its place and a count of uses. */
struct ticket {
    uint64_t id;
    struct process *process;
    const struct sink *sink; /* NULL: nobody wants the answer; the worker still has to END */
    void *to;
    bool used, streams, broken;
    char receipt_id[32]; /* of its first choice's receipt; "": there will be none */
    struct hold *hold;   /* NULL: it has no receipts so far */
    struct buf call;             /* waits for the model: what is to be sent; else empty */
    struct ticket *next_waiting;
    bool behind; /* everything that clients wait for */
    /* For those who look: */
    char path[64], request_id[64];
    struct key *key; /* who asked; NULL: somebody on this machine, there are no keys */
    uint64_t begun_ns;
    struct call_usage usage;
};

struct front {
    struct front_options options;
    struct event_base *loop;
    struct http_server *server;
    struct sockets *sockets; /* NULL: none asked for */
    struct process processes[FRONT_MODELS_MAX];
    struct ticket **tickets; /* [n_tickets] */
    size_t n_tickets;
    struct relay *relays; /* open ones */
    struct pulling *pulls;
    uint64_t started_ns;
    int64_t started_s; /* since 1970 */
    struct event *tick, *settle, *on_int, *on_term, *on_hup;
    uint64_t scanned_ns; /* the models' folder */
    struct rest rest;
    bool draining;
    struct keys keys;
    struct key stranger; /* whoever has none and needs none */
    struct once *once;
    struct response_store *responses;
    struct metrics metrics;
    struct batch_run *batches; /* NULL: not opened */
    struct receipts *receipts; /* NULL: none are given */
    struct pow *pow;           /* NULL: started without proof of compute */
};

/* What a method and a path mean. A path may have one "{id}", which stands for any text but "". */
struct endpoint {
    const char *method, *path;
    void (*handle)(struct front *f, struct http_exchange *x);
    enum { FOR_KEYS, FOR_ALL, FOR_ADMIN } who;
};

/* What the front keeps of an HTTP exchange from its first moment to its last. */
struct visit {
    const struct endpoint *endpoint; /* NULL: it meant none */
    uint64_t begun_ns;
    const char *method;
    char path[128]; /* as sent, for the log; cut where it is longer */
    char id[256]; /* what "{id}" stands for, decoded */
    char request_id[64];
    struct key *key; /* who asks; NULL: somebody on this machine, there are no keys */
    struct once_entry *once; /* what its answer is kept in; NULL: it is not */
    bool broken;             /* its stream ended with an error */
    /* Of the call that it became; model NULL: of none. */
    const char *model;
    struct call_usage usage;
};

void front_say(struct front *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Answers with an error, in the shape of the API that the exchange's path belongs to. */
void front_fail(struct http_exchange *x, const struct api_error *e);

/* process.c */
enum err process_start(struct process *p, struct err_note *note);
void process_stop(struct process *p);
void process_grant(struct process *p); /* its worker may load */
void process_leave(struct process *p); /* not from its own frames; it ends by itself */
void process_left(struct process *p);  /* it has ended */

/* models.c: loading on demand within a budget. */
void models_scan(struct front *f); /* new models of the folder, at most once a second */
/* model_is_shown - a key may use it (NULL: there are no keys), and it is there. */
bool model_is_shown(const struct process *p, const struct key *key);
/* models_wake - starts an unloaded model. false: e says why not. */
bool models_wake(struct process *p, struct api_error *e);
void models_tick(struct front *f);
void models_settle(int fd, short what, void *front);
void models_settle_soon(struct front *f); /* something has asked, left or become idle */
void models_release(struct front *f);
void get_model_stats(struct front *f, struct http_exchange *x);
void post_model_load(struct front *f, struct http_exchange *x);
void post_model_unload(struct front *f, struct http_exchange *x);

/* ticket.c: a call goes to a worker and its answer comes back to a sink. */
/* ticket_open - NULL without memory. key: who asks; path: the endpoint's. The process is ready, or
 * the call waits until it is (route_model sees that not too many do). */
struct ticket *ticket_open(struct front *f, struct key *key, struct process *p, struct str path,
                           struct str body, const struct sink *sink, void *to);
/* ticket_open_behind - the same, behind everything that is not; it does not count in rates. */
struct ticket *ticket_open_behind(struct front *f, struct key *key, struct process *p,
                                  struct str path, struct str body, const struct sink *sink,
                                  void *to);
struct ticket *ticket_find(struct front *f, uint64_t id); /* NULL: it has ended */
void ticket_cancel(struct ticket *t); /* the sink hears nothing more */
void ticket_abort(struct ticket *t, const struct api_error *e); /* the sink is told to fail */
void ticket_frame(struct front *f, uint8_t kind, uint64_t id, struct str bytes);
void tickets_fail(struct process *p, const char *why); /* the worker has died */
void tickets_send(struct process *p);                  /* it is ready: those that wait go */
void tickets_expire(struct process *p, uint64_t before_ns); /* those that wait since then fail */
void tickets_release(struct front *f);

/* hold.c: what is held back of an answer until its receipts are on the disk. */
/* hold_name - the id of the receipt of a choice. */
void hold_name(const struct ticket *t, uint32_t index, char id[LEDGER_ID_BYTES]);
void hold_receipt(struct front *f, struct ticket *t, struct str bytes); /* FRAME_RECEIPT */
/* hold_takes - whether the frame waits, because receipts do. */
bool hold_takes(struct ticket *t, uint8_t kind, struct str bytes);
/* hold_fill - bytes of the answer with the receipts in their place; filled: the caller's. */
struct str hold_fill(const struct ticket *t, struct str bytes, struct buf *filled);
void hold_release(struct hold *h); /* NULL is nothing */

/* receipt_calls.c: GET /v1/receipts. */
void get_receipt(struct front *f, struct http_exchange *x);
void get_receipt_log(struct front *f, struct http_exchange *x);
void get_receipt_names(struct front *f, struct http_exchange *x);
void get_receipt_inclusion(struct front *f, struct http_exchange *x);
void get_receipt_consistency(struct front *f, struct http_exchange *x);
void post_verify(struct front *f, struct http_exchange *x);

/* relay.c: an HTTP exchange that a worker answers. */
/* relay_open - NULL: it was answered with an error. */
struct relay *relay_open(struct front *f, struct process *p, struct http_exchange *x,
                         struct str body);
/* relay_tap - hear is told what the client is told, unless that is an error; done comes last. */
void relay_tap(struct relay *r, void (*hear)(void *to, struct str bytes), void (*done)(void *to),
               void *to);
void relays_keep_alive(struct front *f);

/* responses.c: /v1/responses, and what is kept of it. */
void post_responses(struct front *f, struct http_exchange *x);
void post_input_tokens(struct front *f, struct http_exchange *x);
void get_response(struct front *f, struct http_exchange *x);
void delete_response(struct front *f, struct http_exchange *x);
void get_input_items(struct front *f, struct http_exchange *x);

/* guard.c - whether the front listens to this request at all. */
bool guard_admits(const struct front *f, const struct http_exchange *x, struct api_error *e);
/* guard_admits_page - whether it may come from where its headers say; origin.ptr NULL: no page. */
bool guard_admits_page(const struct front *f, struct str host, struct str origin,
                       struct api_error *e);

/* repeat.c: Idempotency-Key. */
/* repeat_answers - whether it did: the request was made before. */
bool repeat_answers(struct front *f, struct http_exchange *x, struct visit *v);
void repeat_ended(struct front *f, struct http_exchange *x, struct visit *v);

/* cors.c: web pages from elsewhere that may use the server. */
enum err cors_check(const char *origin, struct err_note *note); /* ERR_USAGE: it is none */
bool cors_allows(const struct front *f, struct str origin);
/* cors_answers - adds what a page may see; whether it was a question about that alone. */
bool cors_answers(const struct front *f, struct http_exchange *x);

/* visit.c */
struct visit *visit_open(struct http_exchange *x); /* NULL without memory */
struct visit *visit_of(const struct http_exchange *x);
http_ended_fn visit_ended;

/* log.c - the access log. Never what was said, unless that was asked for. */
void log_body(struct front *f, const char *request_id, struct str body);
void log_visit(struct front *f, const struct visit *v, int status, uint64_t ns);

/* openapi.c */
void get_openapi(struct front *f, struct http_exchange *x);

/* requests.c - what runs now, for those who may see it. */
void get_requests(struct front *f, struct http_exchange *x);
void delete_request(struct front *f, struct http_exchange *x);

/* pulls.c: models from the hub into the models' folder. */
void post_pull(struct front *f, struct http_exchange *x);
void pulls_release(struct front *f);

/* health.c */
void get_health(struct front *f, struct http_exchange *x);
bool health_write(const struct front *f, struct buf *out); /* false: no model answers */
void get_ready(struct front *f, struct http_exchange *x);

/* ollama.c */
void get_ollama_tags(struct front *f, struct http_exchange *x);
void get_ollama_ps(struct front *f, struct http_exchange *x);

/* metrics_page.c */
void get_metrics(struct front *f, struct http_exchange *x);
void process_said_stats(struct process *p, struct str bytes);
void process_lost_stats(struct process *p); /* it has ended; what it counted is kept */

/* batches.c: files and batches of requests. */
void batches_open(struct front *f);
void batches_close(struct front *f);
void post_file(struct front *f, struct http_exchange *x);
void get_files(struct front *f, struct http_exchange *x);
void get_file(struct front *f, struct http_exchange *x);
void get_file_content(struct front *f, struct http_exchange *x);
void delete_file(struct front *f, struct http_exchange *x);
void post_batch(struct front *f, struct http_exchange *x);
void get_batches(struct front *f, struct http_exchange *x);
void get_batch(struct front *f, struct http_exchange *x);
void cancel_batch(struct front *f, struct http_exchange *x);

/* pow.c, pow_calls.c: proof of compute, version 2. */
enum err pow_open(struct front *f, struct err_note *note);
void pow_close(struct front *f);
void pow_tick(struct front *f); /* once a second */
void post_pow_init(struct front *f, struct http_exchange *x);
void post_pow_generate(struct front *f, struct http_exchange *x);
void post_pow_stop(struct front *f, struct http_exchange *x);
void get_pow_status(struct front *f, struct http_exchange *x);
void get_pow_result(struct front *f, struct http_exchange *x);

/* page.c: the web page's files. */
void get_page(struct front *f, struct http_exchange *x);

/* routes.c - what the front answers itself, and to whom the rest goes. */
void route(void *front, struct http_exchange *x);
/* route_model - the process of the model that a key's request names (empty: the first one that the
 * key may use), ready or, on demand, loading. NULL: e says why not. */
struct process *route_model(struct front *f, const struct key *key, struct str name,
                            struct api_error *e);
/* models_write - an array of those that the key may use. */
void models_write(const struct front *f, const struct key *key, struct writer *w);
/* route_find_model - the same in any state; it is not loaded for this. */
struct process *route_find_model(struct front *f, const struct key *key, struct str name,
                                 struct api_error *e);
const struct endpoint *route_endpoints(size_t *n);
void reply_json(struct http_exchange *x, int status, struct buf *body); /* releases body */

#endif
