/* node.c - opens the store and the socket, starts the threads, sends what is owed. */
#include "node/node_int.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>
#include <event2/event.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/room.h"
#include "net/host.h"

enum {
    CLAIMS_MAX = 4000000, /* nonces; 16 bytes each */
    CHECKS_MAX = 2000000,
    RESULTS_MAX = 2000000,
    SEND_NONCES_MAX = 50000,
    KEEP_S = 24 * 3600,
    TICK_S = 60,
    SENDER_MS = 100,
};

void node_say(struct node *n, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    n->options.say(n->options.context, line);
}

uint64_t node_now_ms(void)
{
    return clock_ns() / 1000000;
}

void node_tell_losses(struct node *n)
{
    struct desk_stats s;
    struct err_note note = {""};
    if (desk_stats(n->desk, &s, &note))
        return;
    if (s.lost.n_claims > n->told.n_claims || s.lost.n_results > n->told.n_results)
        node_say(n,
                 "dropped, for nobody took them: %llu claims and the validation of %llu nonces",
                 (unsigned long long)(s.lost.n_claims - n->told.n_claims),
                 (unsigned long long)(s.lost.n_results - n->told.n_results));
    if (s.lost.n_checks > n->told.n_checks)
        node_say(n, "dropped, as their block's work ended: %llu nonces that were to be validated",
                 (unsigned long long)(s.lost.n_checks - n->told.n_checks));
    n->told = s.lost;
}

/* ---- fitting ------------------------------------------------------------------------------ */

struct poc_settings node_settings(const struct node *n, const struct init_request *r,
                                  int n_threads, uint32_t n_batch)
{
    return (struct poc_settings){.params = r->params,
                                 .profile = n->options.exact ? POC_EXACT : POC_COMPATIBLE,
                                 .block_hash = r->block_hash,
                                 .pool_fraction = n->options.pool_fraction,
                                 .n_threads = n_threads,
                                 .isa = n->options.isa,
                                 .n_batch = n_batch};
}

enum err node_fit(const struct node *n, const struct init_request *r, uint32_t *n_batch,
                  struct err_note *note)
{
    uint32_t n_max = n->options.n_batch ? n->options.n_batch : NODE_BATCH_MAX;
    struct mem_room room = mem_room_find();
    uint64_t n_bytes = room.n_bytes / n->n_workers + n->n_bytes_held / n->n_workers;
    *n_batch = n_max;
    for (size_t i = 0; i < n->n_workers; i++) {
        struct poc_settings s = node_settings(n, r, n->workers[i].n_threads, 1);
        struct poc_need need;
        enum err rc = poc_compute_need(&s, &need, note);
        if (rc)
            return rc;
        need.n_fixed += need.n_weights / n->n_workers; /* they share them */
        uint32_t fits = batch_size_of(n_bytes, need.n_fixed, need.n_nonce, n_max);
        if (fits == 0 || fits < n->options.n_batch)
            return err_set(note, ERR_MEMORY,
                           "each of %zu groups needs %.2f GiB for these params; nine tenths of "
                           "its share of what is free (%s) are %.2f GiB", n->n_workers,
                           (double)(need.n_fixed + need.n_nonce *
                                    (n->options.n_batch ? n->options.n_batch : 1)) / 0x1p30,
                           room.from, (double)n_bytes * 0.9 / 0x1p30);
        if (fits < *n_batch)
            *n_batch = fits;
    }
    return ERR_OK;
}

/* The cores that this process may use, cut into groups. */
static enum err make_groups(struct node *n, struct err_note *note)
{
    cpu_set_t all;
    int cores[CPU_SETSIZE];
    size_t n_cores = 0, n_groups = n->options.n_groups ? n->options.n_groups : 1;
    struct group groups[CPU_SETSIZE];
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return err_set(note, ERR_IO, "which cores there are is unknown: %s", strerror(errno));
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &all) && (!n->options.n_threads || n_cores < n->options.n_threads))
            cores[n_cores++] = i;
    if (n->options.n_group_bytes_min) {
        uint64_t n_bytes[CPU_SETSIZE];
        for (size_t i = 0; i < n_cores; i++)
            n_bytes[i] = mem_room_find().n_bytes / n_cores;
        n_groups = groups_make(n_bytes, n_cores, n->options.n_group_bytes_min, groups);
        if (n_groups == 0)
            return err_set(note, ERR_LIMIT, "no 1, 2, 4 or 8 cores have %.1f GiB together; lower "
                           "--group-memory", (double)n->options.n_group_bytes_min / 0x1p30);
    } else {
        if (n_groups > n_cores)
            return err_set(note, ERR_LIMIT, "--groups %zu, but there are %zu cores", n_groups,
                           n_cores);
        groups_split(n_cores, n_groups, groups);
    }
    if (n_groups > DESK_GROUPS_MAX)
        return err_set(note, ERR_LIMIT, "%zu groups, at most %d", n_groups, DESK_GROUPS_MAX);
    n->workers = mem_array(n_groups, sizeof n->workers[0]);
    if (!n->workers)
        return err_set(note, ERR_MEMORY, "no memory for %zu groups", n_groups);
    n->n_workers = n_groups;
    for (size_t i = 0; i < n_groups; i++) {
        struct node_worker *w = &n->workers[i];
        *w = (struct node_worker){.node = n, .group = i, .n_threads = (int)groups[i].n};
        CPU_ZERO(&w->cores);
        for (size_t j = 0; j < groups[i].n; j++)
            CPU_SET(cores[groups[i].first + j], &w->cores);
    }
    return ERR_OK;
}

/* ---- sending ------------------------------------------------------------------------------ */

/* Waits for a delivery; the lock is held, but not while there is none. One sender at a time. */
static bool next_delivery(struct node *n, struct desk_delivery *x)
{
    bool found = false;
    while (n->has_lookout && !atomic_load(&n->stop))
        pthread_cond_wait(&n->vacant, &n->lock);
    n->has_lookout = true;
    while (!found && !atomic_load(&n->stop)) {
        struct err_note note = {""};
        found = desk_deliver(n->desk, node_now_ms(), x, &note);
        if (note.text[0])
            node_say(n, "%s", note.text);
        if (!found) {
            pthread_mutex_unlock(&n->lock);
            nanosleep(&(struct timespec){.tv_nsec = SENDER_MS * 1000000L}, NULL);
            pthread_mutex_lock(&n->lock);
        }
    }
    n->has_lookout = false;
    pthread_cond_signal(&n->vacant);
    return found;
}

static void *sender_main(void *context)
{
    struct node *n = context;
    struct desk_delivery x;
    struct callback *c = callback_new(&n->options.callbacks, CALLBACK_MS, &n->stop);
    CHECK(c);
    pthread_mutex_lock(&n->lock);
    while (next_delivery(n, &x)) {
        struct err_note note = {""};
        pthread_mutex_unlock(&n->lock);
        enum err rc = callback_post(c, x.url, (struct str){x.body.bytes, x.body.n_bytes}, &note);
        if (rc && rc != ERR_CANCELLED)
            node_say(n, "%.200s is not delivered, and tried again later: %s", x.url, note.text);
        pthread_mutex_lock(&n->lock);
        if (desk_delivered(n->desk, &x, rc == ERR_OK, node_now_ms(), &note))
            node_say(n, "%s", note.text);
        buf_release(&x.body);
    }
    pthread_mutex_unlock(&n->lock);
    callback_free(c);
    return NULL;
}

/* ---- running ------------------------------------------------------------------------------ */

static void on_stop(int signal, short what, void *context)
{
    struct node *n = context;
    (void)signal, (void)what;
    event_base_loopbreak(n->loop);
}

static void on_tick(int fd, short what, void *context)
{
    struct node *n = context;
    struct err_note note = {""};
    (void)fd, (void)what;
    pthread_mutex_lock(&n->lock);
    if (desk_forget(n->desk, time(NULL), &note))
        node_say(n, "%s", note.text);
    node_tell_losses(n);
    pthread_mutex_unlock(&n->lock);
}

static enum err check_options(const struct node_options *o, struct err_note *note)
{
    if (!o->signer && !o->compat_open && !host_is_loopback(str_from(o->host)))
        return err_set(note, ERR_USAGE, "whoever reaches %s could give this node work; name who "
                       "may (SIGNER_PUBKEY), or let everybody (--poc-compat-open)", o->host);
    return ERR_OK;
}

/* What the store held is gone on with, if it still fits. */
static void resume(struct node *n)
{
    struct err_note note = {""};
    if (!desk_job(n->desk))
        return;
    node_say(n, "going on with block %.100s", desk_request(n->desk)->block_hash);
    if (node_fit(n, desk_request(n->desk), &n->n_batch, &note) == ERR_OK)
        return;
    node_say(n, "it is given up: %s", note.text);
    snprintf(n->failure, sizeof n->failure, "%s", note.text);
    if (desk_stop(n->desk, time(NULL), &note))
        node_say(n, "%s", note.text);
    node_tell_losses(n);
}

static enum err start_threads(struct node *n, struct err_note *note)
{
    for (; n->n_senders < DESK_COURIERS; n->n_senders++)
        if (pthread_create(&n->senders[n->n_senders], NULL, sender_main, n) != 0)
            return err_set(note, ERR_MEMORY, "no thread for sending");
    for (; n->n_started < n->n_workers; n->n_started++)
        if (pthread_create(&n->workers[n->n_started].thread, NULL, node_worker_main,
                           &n->workers[n->n_started]) != 0)
            return err_set(note, ERR_MEMORY, "no thread for group %zu", n->n_started);
    return ERR_OK;
}

static enum err open_node(struct node *n, struct err_note *note)
{
    const struct node_options *o = &n->options;
    const struct http_server_options http = {.host = o->host,
                                             .port = o->port,
                                             .tls_cert = o->tls_cert,
                                             .tls_key = o->tls_key,
                                             .n_body_bytes_max = PROOF_TEXT_BYTES_MAX,
                                             .n_connections_max = 256,
                                             .handle = node_route,
                                             .context = n};
    struct timeval each = {.tv_sec = TICK_S};
    struct desk_options desk = {.path = o->data,
                                .exact = o->exact,
                                .limits = {CLAIMS_MAX, CHECKS_MAX, RESULTS_MAX},
                                .n_send_max = SEND_NONCES_MAX,
                                .interval_ms = o->interval_ms,
                                .keep_s = KEEP_S};
    enum err rc = o->signer ? signer_new(o->signer, &n->signer, note) : ERR_OK;
    rc = rc ? rc : make_groups(n, note);
    desk.n_groups = n->n_workers;
    rc = rc ? rc : desk_open(&desk, &n->desk, note);
    if (rc)
        return rc;
    resume(n);
    n->loop = event_base_new();
    n->on_int = n->loop ? evsignal_new(n->loop, SIGINT, on_stop, n) : NULL;
    n->on_term = n->loop ? evsignal_new(n->loop, SIGTERM, on_stop, n) : NULL;
    n->on_tick = n->loop ? event_new(n->loop, -1, EV_PERSIST, on_tick, n) : NULL;
    if (!n->on_int || !n->on_term || !n->on_tick)
        return err_set(note, ERR_MEMORY, "no memory for the server");
    rc = http_server_open(n->loop, &http, &n->server, note);
    rc = rc ? rc : start_threads(n, note);
    event_add(n->on_int, NULL);
    event_add(n->on_term, NULL);
    event_add(n->on_tick, &each);
    return rc;
}

static void close_node(struct node *n)
{
    struct event *const events[] = {n->on_int, n->on_term, n->on_tick};
    atomic_store(&n->stop, true);
    pthread_mutex_lock(&n->lock);
    pthread_cond_broadcast(&n->changed);
    pthread_cond_broadcast(&n->vacant);
    pthread_mutex_unlock(&n->lock);
    for (size_t i = 0; i < n->n_started; i++)
        pthread_join(n->workers[i].thread, NULL);
    for (size_t i = 0; i < n->n_senders; i++)
        pthread_join(n->senders[i], NULL);
    http_server_close(n->server);
    for (size_t i = 0; i < COUNT_OF(events); i++)
        if (events[i])
            event_free(events[i]);
    if (n->loop) {
        event_base_loop(n->loop, EVLOOP_NONBLOCK); /* what was freed is closed there */
        event_base_free(n->loop);
    }
    desk_close(n->desk);
    signer_free(n->signer);
    mem_free(n->workers);
    pthread_cond_destroy(&n->vacant);
    pthread_cond_destroy(&n->changed);
    pthread_mutex_destroy(&n->lock);
}

enum err node_run(const struct node_options *o, struct err_note *note)
{
    struct node n = {.options = *o};
    pthread_condattr_t monotonic;
    enum err rc = check_options(o, note);
    if (rc)
        return rc;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return err_set(note, ERR_MEMORY, "no memory for the client");
    pthread_mutex_init(&n.lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&n.changed, &monotonic);
    pthread_cond_init(&n.vacant, NULL);
    pthread_condattr_destroy(&monotonic);
    rc = open_node(&n, note);
    if (!rc) {
        node_say(&n, "%zu group%s of cores", n.n_workers, n.n_workers == 1 ? "" : "s");
        node_say(&n, "listening on http%s://%s:%u", o->tls_cert ? "s" : "", o->host,
                 http_server_port(n.server));
        event_base_dispatch(n.loop);
    }
    close_node(&n);
    curl_global_cleanup();
    return rc;
}
