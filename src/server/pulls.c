/* pulls.c - POST /api/pull: isobit pull as a process of its own, its lines as the answer. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "api/pull.h"
#include "base/check.h"
#include "base/mem.h"
#include "server/front_int.h"

enum { PULLS_MAX = 4, LINE_BYTES_MAX = 1 << 16 };

struct pulling {
    struct pulling *next, **link; /* of the front's */
    struct front *front;
    struct http_exchange *x; /* NULL: the client has left or been answered */
    pid_t pid;
    int fd; /* what it says */
    struct event *readable;
    struct buf line;      /* not yet whole */
    bool stream, streams; /* was asked for; has begun */
};

static void close_pulling(struct pulling *p)
{
    if (p->readable)
        event_free(p->readable);
    if (p->fd >= 0)
        close(p->fd);
    if (p->pid > 0)
        waitpid(p->pid, NULL, 0); /* it has closed its output: it is at its end */
    if (p->link)
        *p->link = p->next;
    if (p->next)
        p->next->link = p->link;
    buf_release(&p->line);
    mem_free(p);
}

/* ---- the answer --------------------------------------------------------------------------- */

static void send_lines(struct pulling *p, const struct buf *lines)
{
    if (!p->streams)
        http_stream_begin(p->x, 200, "application/x-ndjson");
    p->streams = true;
    http_stream_send(p->x, (struct str){lines->bytes, lines->n_bytes});
}

static void fail(struct pulling *p, const struct api_error *e)
{
    struct buf line;
    if (!p->x)
        return;
    if (p->streams) {
        buf_init(&line, LINE_BYTES_MAX);
        dialect_error(&line, http_path(p->x), e);
        buf_char(&line, '\n');
        http_stream_send(p->x, (struct str){line.bytes, line.n_bytes});
        buf_release(&line);
        http_stream_end(p->x);
    } else {
        front_fail(p->x, e);
    }
    p->x = NULL;
}

static void take_line(struct pulling *p, struct str line)
{
    struct api_error e = {0};
    struct buf out;
    buf_init(&out, LINE_BYTES_MAX);
    enum api_pull_news news = api_pull_line(line, &out, &e);
    if (news == API_PULL_DONE) {
        p->front->scanned_ns = 0;
        models_scan(p->front);
    }
    if (news == API_PULL_FAILED) {
        fail(p, &e);
    } else if (p->x && p->stream && news != API_PULL_NOTHING) {
        send_lines(p, &out);
        if (news == API_PULL_DONE)
            http_stream_end(p->x);
    } else if (p->x && news == API_PULL_DONE) {
        http_reply(p->x, 200, "application/json", STR("{\"status\":\"success\"}"));
    }
    if (news == API_PULL_DONE)
        p->x = NULL;
    buf_release(&out);
}

static void on_gone(void *context, struct http_exchange *x)
{
    struct pulling *p = context;
    p->x = NULL;
    kill(p->pid, SIGTERM); /* what has come is kept */
    http_stream_end(x);
}

/* ---- the process -------------------------------------------------------------------------- */

static void on_readable(int fd, short what, void *context)
{
    (void)what;
    struct pulling *p = context;
    struct api_error e = {0};
    char bytes[4096];
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] != '\n') {
            buf_char(&p->line, bytes[i]);
            continue;
        }
        if (!p->line.failed)
            take_line(p, (struct str){p->line.bytes ? p->line.bytes : "", p->line.n_bytes});
        buf_clear(&p->line);
    }
    if (n > 0)
        return;
    api_fail(&e, 500, NULL, "the pull ended early; the same request goes on from there");
    fail(p, &e);
    close_pulling(p);
}

static bool spawn(struct pulling *p, const char *model, int out)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    const char *const argv[] = {"isobit", "pull", "--json", "--into", p->front->options.models_dir,
                                "--",     model,  NULL};
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setpgroup(&attributes, 0); /* Ctrl-C stays the front's to handle */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    int rc =
        posix_spawn(&p->pid, "/proc/self/exe", &files, &attributes, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    p->pid = rc ? 0 : p->pid;
    return rc == 0;
}

static bool start(struct pulling *p, const char *model)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return false;
    p->fd = fds[0];
    bool good = fcntl(p->fd, F_SETFL, O_NONBLOCK) == 0 && spawn(p, model, fds[1]);
    close(fds[1]);
    if (good)
        p->readable = event_new(p->front->loop, p->fd, EV_READ | EV_PERSIST, on_readable, p);
    return p->readable && event_add(p->readable, NULL) == 0;
}

static size_t count(const struct front *f)
{
    size_t n = 0;
    for (const struct pulling *p = f->pulls; p; p = p->next)
        n++;
    return n;
}

static struct pulling *open_pulling(struct front *f, const struct api_pull *a,
                                    struct http_exchange *x)
{
    struct pulling *p = mem_zalloc(sizeof *p);
    if (!p)
        return NULL;
    p->front = f;
    p->fd = -1;
    p->stream = a->stream;
    buf_init(&p->line, LINE_BYTES_MAX);
    if (!start(p, a->model.ptr)) {
        close_pulling(p);
        return NULL;
    }
    p->x = x;
    p->next = f->pulls;
    p->link = &f->pulls;
    if (p->next)
        p->next->link = &p->next;
    f->pulls = p;
    http_on_gone(x, on_gone, p);
    return p;
}

void post_pull(struct front *f, struct http_exchange *x)
{
    struct api_pull a;
    struct api_error e = {0};
    bool ok = api_pull_parse(http_body(x), &a, &e);
    if (ok && !f->options.models_dir)
        ok = api_fail(&e, 400, NULL,
                      "the server has no folder to pull into: start it with --models-dir DIR");
    if (ok && count(f) >= PULLS_MAX)
        ok = api_fail(&e, 429, NULL, "%d pulls are under way", PULLS_MAX);
    if (ok && a.unknown.n_bytes)
        http_reply_header(x, "x-unknown-fields", a.unknown.bytes);
    if (ok && !open_pulling(f, &a, x))
        ok = api_fail(&e, 503, NULL, "no process for a pull; try again");
    if (!ok)
        front_fail(x, &e);
    api_pull_release(&a);
}

void pulls_release(struct front *f)
{
    while (f->pulls) {
        struct pulling *p = f->pulls;
        kill(p->pid, SIGTERM);
        close_pulling(p);
    }
}
