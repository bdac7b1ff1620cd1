/* front.c - opens the socket, starts the workers, runs until it is told to stop. */
#include "server/front.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include <event2/event.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/host.h"
#include "server/front_int.h"
#include "server/response_store.h"
#include "server/sockets.h"

void front_say(struct front *f, const char *format, ...)
{
    char line[700];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (f->options.say)
        f->options.say(f->options.context, line);
}

/* Requests under way, and connections that calls come over. */
static uint32_t n_open(const struct front *f)
{
    return http_server_exchanges(f->server) + sockets_connections(f->sockets);
}

static void on_tick(int fd, short what, void *context)
{
    (void)fd, (void)what;
    struct front *f = context;
    if (n_open(f) > 0)
        rest_stir(&f->rest);
    relays_keep_alive(f);
    models_tick(f);
    pow_tick(f);
    sockets_tick(f->sockets);
    if (f->draining && n_open(f) == 0)
        event_base_loopbreak(f->loop);
}

static void on_stop(int number, short what, void *context)
{
    (void)number, (void)what;
    struct front *f = context;
    uint32_t n = n_open(f);
    if (f->draining || n == 0) {
        f->draining = true;
        event_base_loopbreak(f->loop);
        return;
    }
    f->draining = true;
    http_server_drain(f->server);
    sockets_tick(f->sockets);
    front_say(f, "stopping when %u request%s ha%s finished; once more stops at once", n,
              n == 1 ? "" : "s", n == 1 ? "s" : "ve");
}

static void on_reload(int number, short what, void *context)
{
    (void)number, (void)what;
    struct front *f = context;
    struct err_note note = {""};
    bool ok = true;
    if (http_server_reload(f->server, &note) || sockets_reload(f->sockets, &note)) {
        front_say(f, "certificates not reloaded: %s", note.text);
        ok = false;
    }
    if (f->receipts && receipts_reload(f->receipts, &note)) {
        front_say(f, "signing key not reloaded: %s", note.text);
        ok = false;
    }
    if (gate_reload(f, &note)) {
        front_say(f, "keys not reloaded: %s", note.text);
        ok = false;
    }
    if (ok)
        front_say(f, "reloaded");
}

static enum err check_options(const struct front_options *o, struct err_note *note)
{
    CHECK((o->n_models >= 1 || o->models_dir) && o->n_models <= FRONT_MODELS_MAX);
    if (o->no_auth && o->keys)
        return err_set(note, ERR_USAGE, "--no-auth and --keys exclude each other");
    if (!o->no_auth && !o->keys && !host_is_loopback(str_from(o->host)))
        return err_set(note, ERR_USAGE,
                       "--host %s lets others in; add --keys FILE (isobit key create makes one), "
                       "or --no-auth if everybody who reaches it may use it",
                       o->host);
    for (size_t i = 0; i < o->n_origins; i++)
        if (cors_check(o->origins[i], note))
            return ERR_USAGE;
    if (!o->tls_cert != !o->tls_key)
        return err_set(note, ERR_USAGE, "--tls-cert and --tls-key go together");
    for (size_t i = 0; i < o->n_models; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(o->models[i].name, o->models[k].name) == 0)
                return err_set(note, ERR_USAGE,
                               "two models are called %s; name one of them: -m NAME=FILE",
                               o->models[i].name);
    return ERR_OK;
}

/* Each connection takes a descriptor, and so do models and files: as many connections as asked for,
 * or as the system allows. */
static uint32_t reserve_descriptors(struct front *f)
{
    enum { CONNECTIONS_DEFAULT = 4096, OTHERS = 256 };
    struct rlimit limit;
    rlim_t n = f->options.n_connections_max ? f->options.n_connections_max : CONNECTIONS_DEFAULT;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= n + OTHERS)
        return (uint32_t)n;
    limit.rlim_cur = limit.rlim_max < n + OTHERS ? limit.rlim_max : n + OTHERS;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == n + OTHERS)
        return (uint32_t)n;
    uint32_t n_here = limit.rlim_cur > 2 * OTHERS ? (uint32_t)limit.rlim_cur - OTHERS
                                                  : (uint32_t)limit.rlim_cur / 2;
    front_say(f, "the system allows %u connections at once (ulimit -n)", n_here);
    return n_here;
}

static enum err open_receipts(struct front *f, struct err_note *note)
{
    struct err_note line = {""};
    if (f->options.receipts.mode == RECEIPTS_OFF)
        return ERR_OK;
    enum err rc = receipts_open(f->loop, &f->options.receipts, &f->receipts, &line, note);
    if (!rc)
        front_say(f, "%s", line.text);
    return rc;
}

static enum err open_front(struct front *f, struct err_note *note)
{
    const struct front_options *o = &f->options;
    const struct http_server_options http = {.host = o->host,
                                             .port = o->port,
                                             .tls_cert = o->tls_cert,
                                             .tls_key = o->tls_key,
                                             .n_body_bytes_max = o->n_body_bytes_max,
                                             .n_connections_max = reserve_descriptors(f),
                                             .handle = route,
                                             .ended = visit_ended,
                                             .context = f};
    struct timeval each = {.tv_sec = 1};
    f->loop = event_base_new();
    f->once = once_new(&(struct once_options){0});
    f->responses = response_store_new(&(struct response_limits){0});
    if (!f->loop || !f->once || !f->responses)
        return err_set(note, ERR_MEMORY, "out of memory for the server");
    f->tick = event_new(f->loop, -1, EV_PERSIST, on_tick, f);
    f->settle = evtimer_new(f->loop, models_settle, f);
    f->on_int = evsignal_new(f->loop, SIGINT, on_stop, f);
    f->on_term = evsignal_new(f->loop, SIGTERM, on_stop, f);
    f->on_hup = evsignal_new(f->loop, SIGHUP, on_reload, f);
    bool timed = rest_init(&f->rest, f->loop) && f->tick && f->settle;
    if (!timed || !f->on_int || !f->on_term || !f->on_hup)
        return err_set(note, ERR_MEMORY, "out of memory for the server");
    enum err rc = open_receipts(f, note);
    rc = rc ? rc : http_server_open(f->loop, &http, &f->server, note);
    if (!rc && o->has_sockets)
        rc = sockets_open(f, &f->sockets, note);
    for (size_t i = 0; !rc && i < o->n_models; i++) {
        f->processes[i] = (struct process){.front = f, .model = &f->options.models[i]};
        rc = process_start(&f->processes[i], note);
    }
    models_scan(f);
    rc = rc ? rc : pow_open(f, note);
    if (!rc)
        batches_open(f);
    event_add(f->tick, &each);
    event_add(f->on_int, NULL);
    event_add(f->on_term, NULL);
    event_add(f->on_hup, NULL);
    return rc;
}

static void close_front(struct front *f)
{
    struct event *const events[] = {f->tick, f->settle, f->on_int, f->on_term, f->on_hup};
    f->draining = true;
    sockets_close(f->sockets);
    http_server_close(f->server); /* clients that are left are gone: workers are told */
    for (size_t i = 0; i < f->options.n_models; i++)
        process_stop(&f->processes[i]);
    pulls_release(f);
    receipts_close(f->receipts); /* what is under way is still kept */
    tickets_release(f);
    pow_close(f);
    models_release(f);
    batches_close(f);
    gate_close(f);
    once_free(f->once);
    response_store_free(f->responses);
    for (size_t i = 0; i < COUNT_OF(events); i++)
        if (events[i])
            event_free(events[i]);
    rest_release(&f->rest);
    if (f->loop) {
        event_base_loop(f->loop, EVLOOP_NONBLOCK); /* what was freed is closed there */
        event_base_free(f->loop);
    }
}

enum err front_run(const struct front_options *o, struct err_note *note)
{
    struct front f = {.options = *o, .started_ns = clock_ns(), .started_s = (int64_t)time(NULL)};
    enum err rc = check_options(o, note);
    if (rc)
        return rc;
    rc = gate_open(&f, note);
    rc = rc ? rc : open_front(&f, note);
    if (!rc) {
        front_say(&f, "listening on http%s://%s:%u", o->tls_cert ? "s" : "", o->host,
                  http_server_port(f.server));
        event_base_dispatch(f.loop);
    }
    close_front(&f);
    return rc;
}
