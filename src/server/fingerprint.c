/* fingerprint.c - which weights and which arithmetic answer: "isobit-exact-1-0123456789ab".
 *
 * The weights' hash is known at once where it was computed before; else a thread of the lowest
 * priority computes it while the worker serves; until then the name ends with the arithmetic. */
#include <stdio.h>

#include <event2/event.h>

#include "base/check.h"
#include "server/worker_int.h"

enum { LOOK_MS = 100, SHOWN_HEX = 12 };

static void look(int fd, short what, void *context)
{
    (void)fd, (void)what;
    struct worker *w = context;
    const struct timeval later = {.tv_usec = LOOK_MS * 1000};
    struct identity identity;
    struct err_note note;
    if (!identity_known(w->identity)) {
        evtimer_add(w->look, &later);
        return;
    }
    bool known = identity_wait(w->identity, &identity, &note) == ERR_OK;
    for (int i = 0; known && i < SHA256_BYTES; i++)
        snprintf(w->weights_hex + 2 * i, 3, "%02x", identity.weights[i]);
    if (known)
        snprintf(w->fingerprint, sizeof w->fingerprint, "isobit-%s-%.*s", w->info.arithmetic,
                 SHOWN_HEX, w->weights_hex);
    if (known && w->is_ready)
        worker_say_facts(w, FRAME_FACTS);
}

/* Without memory for it the name stays short. */
void fingerprint_begin(struct worker *w)
{
    struct err_note note;
    snprintf(w->fingerprint, sizeof w->fingerprint, "isobit-%s", w->info.arithmetic);
    w->look = evtimer_new(w->loop, look, w);
    if (w->look && !identity_begin(&w->speech.table, &w->identity, &note))
        look(-1, 0, w);
}

void fingerprint_end(struct worker *w)
{
    identity_end(w->identity);
    if (w->look)
        event_free(w->look);
}
