/* usage.c - how far a call is: for the front, which lists and counts calls, and as prompt progress
 * for clients that ask for it. */
#include "base/clock.h"
#include "server/worker_int.h"

enum { SAY_NS = 250000000 };

struct call_usage usage_now(const struct call *c)
{
    struct call_usage u = {.state = CALL_QUEUED};
    for (uint32_t i = 0; i < c->n_choices; i++) {
        const struct choice *k = &c->choices[i];
        u.n_answer += k->n_tokens;
        if (k->n_read > 0 && u.state == CALL_QUEUED)
            u.state = CALL_PROMPT;
        if (i % c->api.n != 0) /* choices of one prompt share it */
            continue;
        u.n_prompt += (uint32_t)k->prompt.n_ids;
        u.n_read += k->n_read;
        u.n_cached += k->n_cached;
    }
    if (u.n_answer > 0)
        u.state = CALL_ANSWER;
    return u;
}

void usage_say(struct call *c, bool at_once)
{
    struct call_usage u = usage_now(c);
    uint64_t now_ns = clock_ns();
    bool is_news = memcmp(&u, &c->told, sizeof u) != 0;
    if (!at_once && (!is_news || (u.state == c->told.state && now_ns - c->told_ns < SAY_NS)))
        return;
    c->told = u;
    c->told_ns = now_ns;
    frames_send(c->worker->frames, FRAME_USAGE, c->id, STR(""), (struct str){(char *)&u, sizeof u});
}

void usage_progress(struct call *c, const struct reply_head *head, struct buf *events)
{
    if (!c->progressed || !c->api.return_progress || !c->dialect->progress)
        return;
    struct call_usage u = usage_now(c);
    struct reply_progress p = {u.n_prompt, u.n_cached, u.n_read, clock_ns() - c->begin_ns};
    c->dialect->progress(events, c->stream_state, head, &p);
    c->progressed = false;
}
