/* process.c - starts a model's worker, learns that it is ready, starts it again when it ends.
 *
 * A worker is this program anew, with a socket in place of a network. States: loading -> ready ->
 * down -> (after a delay that doubles up to half a minute) loading; and, of models that come and go
 * (models.c), unloaded -> loading -> ready -> leaving -> unloaded. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "server/front_int.h"

enum { DELAY_S_MAX = 32, ARGUMENTS_MAX = 64, STOP_MS_MAX = 5000 };

static void on_frame(void *context, uint8_t kind, uint64_t id, struct str bytes)
{
    struct process *p = context;
    if (kind == FRAME_READY) {
        mem_free(p->facts);
        p->facts = mem_strndup(bytes.ptr, bytes.len);
        p->state = PROCESS_READY;
        p->n_failures = 0;
        p->last_used_ns = clock_ns();
        front_say(p->front, "model %s is ready", p->model->name);
        tickets_send(p);
    } else if (kind == FRAME_FACTS) {
        mem_free(p->facts);
        p->facts = mem_strndup(bytes.ptr, bytes.len);
    } else if (kind == FRAME_NEEDS) {
        CHECK(bytes.len == sizeof p->n_bytes_needed);
        memcpy(&p->n_bytes_needed, bytes.ptr, bytes.len);
        p->asks = true;
        p->asked_ns = clock_ns();
        models_settle_soon(p->front);
    } else if (kind == FRAME_FAILED) {
        snprintf(p->why, sizeof p->why, "%.*s", STR_ARG(bytes));
    } else if (kind == FRAME_STATS) {
        process_said_stats(p, bytes);
    } else {
        ticket_frame(p->front, kind, id, bytes);
    }
}

static void start_again(int fd, short what, void *context)
{
    (void)fd, (void)what;
    struct process *p = context;
    struct err_note note;
    frames_free(p->frames);
    p->frames = NULL;
    if (p->on_demand && p->why[0]) { /* it did not load: the next request tries again */
        p->state = PROCESS_UNLOADED;
        return;
    }
    p->n_restarts++;
    if (process_start(p, &note))
        front_say(p->front, "%s", note.text);
}

static const char *how_it_ended(int status, char out[64])
{
    if (WIFSIGNALED(status))
        snprintf(out, 64, "signal %d", WTERMSIG(status));
    else
        snprintf(out, 64, "exit status %d", WEXITSTATUS(status));
    return out;
}

/* What it held and counted. */
static void lose(struct process *p)
{
    p->asks = p->granted = false;
    process_lost_stats(p);
    models_settle_soon(p->front); /* there may be room for another */
}

static void start_later(struct process *p, const char *end)
{
    unsigned delay_s = 1u << (p->n_failures < 5 ? p->n_failures : 5);
    struct timeval after = {.tv_sec = delay_s < DELAY_S_MAX ? delay_s : DELAY_S_MAX};
    p->n_failures++;
    front_say(p->front, "model %s: its process ended (%s)%s%s; %s in %u s", p->model->name, end,
              p->why[0] ? ": " : "", p->why,
              p->on_demand && p->why[0] ? "it may be tried again" : "starting it again", delay_s);
    evtimer_add(p->restart, &after);
}

static void fail_tickets(struct process *p, const char *why)
{
    char message[400];
    snprintf(message, sizeof message, "model %s: %s", p->model->name, p->why[0] ? p->why : why);
    tickets_fail(p, message);
}

static void on_closed(void *context)
{
    struct process *p = context;
    struct front *f = p->front;
    char end[64] = "gone";
    int status;
    kill(p->pid, SIGKILL); /* it may hang with its socket closed */
    if (waitpid(p->pid, &status, 0) == p->pid)
        how_it_ended(status, end);
    p->pid = 0;
    p->state = PROCESS_DOWN;
    lose(p);
    fail_tickets(p, "its process ended; try again");
    if (!f->draining)
        start_later(p, end);
}

/* The worker is this program with its own arguments; nothing but the socket and the standard
 * streams is handed on, and Ctrl-C stays the front's to handle. */
static bool spawn(struct process *p, int fd)
{
    const char *argv[ARGUMENTS_MAX];
    char number[16];
    size_t n = 0;
    for (const char *const *a = p->front->options.worker; *a && n < ARGUMENTS_MAX - 8; a++)
        argv[n++] = *a;
    snprintf(number, sizeof number, "%d", fd);
    const char *const own[] = {"-m", p->model->path, "--name", p->model->name, "--fd", number};
    for (size_t i = 0; i < COUNT_OF(own); i++)
        argv[n++] = own[i];
    argv[n] = NULL;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, fd, fd); /* else it closes by itself */
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    int rc = posix_spawn(&p->pid, "/proc/self/exe", &files, &attributes, (char *const *)argv,
                         environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (rc)
        p->pid = 0;
    return rc == 0;
}

enum err process_start(struct process *p, struct err_note *note)
{
    int fds[2];
    struct front *f = p->front;
    if (p->restart)
        evtimer_del(p->restart);
    else
        p->restart = evtimer_new(f->loop, start_again, p);
    frames_free(p->frames); /* of one that ended */
    p->frames = NULL;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return err_set(note, ERR_IO, "no socket for model %s: %s", p->model->name,
                       strerror(errno));
    p->why[0] = 0;
    bool started = p->restart && spawn(p, fds[1]);
    close(fds[1]);
    if (started)
        p->frames = frames_new(f->loop, fds[0], FRAME_BYTES_MAX, on_frame, on_closed, p);
    if (!p->frames) {
        close(fds[0]);
        return err_set(note, ERR_MEMORY, "no process for model %s", p->model->name);
    }
    p->state = PROCESS_LOADING;
    return ERR_OK;
}

/* It ends after the step that it computes; one that does not is ended. */
static void end_child(pid_t pid)
{
    const struct timespec while_ns = {.tv_nsec = 10 * 1000000};
    for (int i = 0; pid > 0 && i < STOP_MS_MAX / 10; i++) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            return;
        nanosleep(&while_ns, NULL);
    }
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

void process_grant(struct process *p)
{
    p->asks = false;
    p->granted = true;
    frames_send(p->frames, FRAME_LOAD, 0, STR(""), STR(""));
}

void process_leave(struct process *p)
{
    if (p->restart)
        evtimer_del(p->restart);
    frames_free(p->frames); /* the worker leaves when its socket closes */
    p->frames = NULL;
    p->asks = false;
    p->state = PROCESS_LEAVING;
    p->left_ns = clock_ns();
    fail_tickets(p, "it was unloaded");
    models_settle_soon(p->front);
}

void process_left(struct process *p)
{
    struct err_note note;
    lose(p);
    p->state = PROCESS_UNLOADED;
    if (p->why[0] && !p->on_demand) {
        p->state = PROCESS_DOWN;
        start_later(p, "no room");
    } else if (p->waiting && process_start(p, &note)) {
        front_say(p->front, "%s", note.text);
        tickets_fail(p, note.text);
    }
}

void process_stop(struct process *p)
{
    frames_free(p->frames); /* the worker leaves when its socket closes */
    p->frames = NULL;
    end_child(p->pid);
    p->pid = 0;
    if (p->restart)
        event_free(p->restart);
    mem_free(p->facts);
}
