/* visit.c - what the front keeps of an HTTP exchange from its first moment to its last: which
 * endpoint it meant, since when, its id. At its end it is counted. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/entropy.h"
#include "base/mem.h"
#include "server/front_int.h"

/* The client's own, if it is printable and short; else a new one. */
static void choose_request_id(struct visit *v, const struct http_exchange *x)
{
    struct str given = http_header(x, "x-request-id");
    bool good = given.len > 0 && given.len < sizeof v->request_id;
    for (size_t i = 0; good && i < given.len; i++)
        good = given.ptr[i] > ' ' && given.ptr[i] < 127;
    if (good)
        snprintf(v->request_id, sizeof v->request_id, "%.*s", STR_ARG(given));
    else
        snprintf(v->request_id, sizeof v->request_id, "req-%016" PRIx64, entropy_u64());
}

struct visit *visit_open(struct http_exchange *x)
{
    struct visit *v = mem_zalloc(sizeof *v);
    if (!v)
        return NULL;
    v->begun_ns = clock_ns();
    v->method = http_method(x);
    snprintf(v->path, sizeof v->path, "%.*s", STR_ARG(http_path(x)));
    choose_request_id(v, x);
    http_set_user(x, v);
    http_reply_header(x, "x-request-id", v->request_id);
    if (str_starts(http_path(x), STR("/v1/messages"))) /* Anthropic's name of it */
        http_reply_header(x, "request-id", v->request_id);
    return v;
}

struct visit *visit_of(const struct http_exchange *x)
{
    return http_user(x);
}

void visit_ended(void *context, struct http_exchange *x)
{
    struct front *f = context;
    struct visit *v = visit_of(x);
    if (!v)
        return;
    size_t n;
    const struct endpoint *all = route_endpoints(&n);
    size_t place = v->endpoint ? (size_t)(v->endpoint - all) : METRICS_ENDPOINTS_MAX - 1;
    uint64_t ns = clock_ns() - v->begun_ns;
    repeat_ended(f, x, v);
    metrics_count(&f->metrics, place, v->endpoint && strcmp(v->endpoint->method, "POST") == 0,
                  http_status(x), ns);
    if (f->options.log_requests)
        log_visit(f, v, http_status(x), ns);
    mem_free(v);
}
