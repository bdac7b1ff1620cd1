/* rest.c - the timer of a process at rest. */
#include "server/rest.h"

#include "base/mem.h"

static void on_timer(int fd, short what, void *context)
{
    (void)fd, (void)what;
    struct rest *r = context;
    if (r->stirred)
        rest_stir(r);
    else
        mem_trim();
}

bool rest_init(struct rest *r, struct event_base *loop)
{
    r->stirred = false;
    r->timer = evtimer_new(loop, on_timer, r);
    return r->timer != NULL;
}

void rest_release(struct rest *r)
{
    if (r->timer)
        event_free(r->timer);
    r->timer = NULL;
}

void rest_stir(struct rest *r)
{
    const struct timeval a_second = {.tv_sec = 1};
    r->stirred = evtimer_pending(r->timer, NULL);
    if (!r->stirred)
        evtimer_add(r->timer, &a_second);
}
