/* frames.c - length, kind, number, bytes; in the machine's byte order, for both ends are here. */
#include "net/frames.h"

#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/mem.h"

struct header {
    uint64_t id;
    uint32_t n_bytes; /* after the header */
    uint32_t kind;
};

struct frames {
    struct bufferevent *bev; /* NULL: closed */
    size_t n_bytes_max;
    frames_fn *on_frame;
    frames_closed_fn *on_closed;
    void *context;
};

/* libevent closes the socket when its loop next runs; the peer is told now. */
static void let_go(struct frames *f)
{
    if (!f->bev)
        return;
    shutdown(bufferevent_getfd(f->bev), SHUT_RDWR);
    bufferevent_free(f->bev);
    f->bev = NULL;
}

static void close_now(struct frames *f)
{
    let_go(f);
    f->on_closed(f->context);
}

static void on_read(struct bufferevent *bev, void *context)
{
    struct frames *f = context;
    struct evbuffer *in = bufferevent_get_input(bev);
    struct header h;
    while (evbuffer_copyout(in, &h, sizeof h) == sizeof h) {
        if (h.n_bytes > f->n_bytes_max || h.kind > UINT8_MAX) {
            close_now(f);
            return;
        }
        if (evbuffer_get_length(in) < sizeof h + h.n_bytes)
            break;
        evbuffer_drain(in, sizeof h);
        const char *bytes = h.n_bytes ? (const char *)evbuffer_pullup(in, h.n_bytes) : "";
        f->on_frame(f->context, (uint8_t)h.kind, h.id, (struct str){bytes, h.n_bytes});
        evbuffer_drain(in, h.n_bytes);
    }
}

static void on_event(struct bufferevent *bev, short what, void *context)
{
    (void)bev;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        close_now(context);
}

struct frames *frames_new(struct event_base *loop, int fd, size_t n_bytes_max, frames_fn *on_frame,
                          frames_closed_fn *on_closed, void *context)
{
    struct frames *f = mem_zalloc(sizeof *f);
    if (!f)
        return NULL;
    *f = (struct frames){.n_bytes_max = n_bytes_max,
                         .on_frame = on_frame,
                         .on_closed = on_closed,
                         .context = context};
    evutil_make_socket_nonblocking(fd);
    f->bev = bufferevent_socket_new(loop, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!f->bev) {
        mem_free(f);
        return NULL;
    }
    bufferevent_setcb(f->bev, on_read, NULL, on_event, f);
    bufferevent_enable(f->bev, EV_READ | EV_WRITE);
    return f;
}

void frames_free(struct frames *f)
{
    if (!f)
        return;
    let_go(f);
    mem_free(f);
}

void frames_send(struct frames *f, uint8_t kind, uint64_t id, struct str head, struct str body)
{
    if (!f->bev)
        return;
    struct header h = {.id = id, .n_bytes = (uint32_t)(head.len + body.len), .kind = kind};
    struct evbuffer *out = bufferevent_get_output(f->bev);
    evbuffer_add(out, &h, sizeof h);
    evbuffer_add(out, head.ptr, head.len);
    evbuffer_add(out, body.ptr, body.len);
}

size_t frames_unsent(const struct frames *f)
{
    return f->bev ? evbuffer_get_length(bufferevent_get_output(f->bev)) : 0;
}
