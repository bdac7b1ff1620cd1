/* child.c - a shell command between two pipes. */
#include "cli/child.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"

extern char **environ;

enum { TAIL_BYTES = 1024, READ_BYTES = 65536 };

struct child {
    pid_t pid;
    int out, err;          /* our ends; -1: closed */
    char tail[TAIL_BYTES]; /* the end of what it wrote to standard error */
    size_t n_tail;
};

/* ---- starting ---- */

static bool is_dropped(const char *variable, const char *const *drop)
{
    for (; *drop; drop++)
        if (strncmp(variable, *drop, strlen(*drop)) == 0)
            return true;
    return false;
}

/* The variables that stay, for mem_free; the strings are the environment's own. */
static char **environment_without(const char *const *drop)
{
    size_t n = 0, n_kept = 0;
    while (environ[n])
        n++;
    char **kept = mem_array(n + 1, sizeof kept[0]);
    for (size_t i = 0; kept && i < n; i++)
        if (!is_dropped(environ[i], drop))
            kept[n_kept++] = environ[i];
    return kept;
}

static int spawn(const char *command, char **environment, int out, int err, pid_t *pid)
{
    char shell[] = "/bin/sh", option[] = "-c", *copy = mem_strdup(command);
    char *argv[] = {shell, option, copy, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t defaults; /* what this program ignores, others expect */
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGXFSZ);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    int rc = copy ? posix_spawn(pid, shell, &files, &attributes, argv, environment) : ENOMEM;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    mem_free(copy);
    return rc;
}

static enum err start(struct child *c, const char *command, const char *const *drop,
                      struct err_note *note)
{
    int out[2], err[2], rc = 0;
    char **environment = environment_without(drop);
    if (!environment)
        return err_set(note, ERR_MEMORY, "out of memory");
    if (pipe2(out, O_CLOEXEC) != 0) {
        mem_free(environment);
        return err_set(note, ERR_IO, "cannot make a pipe: %s", strerror(errno));
    }
    if (pipe2(err, O_CLOEXEC) != 0) {
        rc = errno;
    } else {
        rc = spawn(command, environment, out[1], err[1], &c->pid);
        close(err[1]);
        c->err = err[0];
    }
    close(out[1]);
    c->out = out[0];
    mem_free(environment);
    return rc ? err_set(note, ERR_IO, "cannot run a shell: %s", strerror(rc)) : ERR_OK;
}

/* ---- listening ---- */

static void keep_tail(struct child *c, const char *bytes, size_t n)
{
    if (n > TAIL_BYTES) {
        bytes += n - TAIL_BYTES;
        n = TAIL_BYTES;
    }
    size_t n_keep = c->n_tail + n > TAIL_BYTES ? TAIL_BYTES - n : c->n_tail;
    memmove(c->tail, c->tail + c->n_tail - n_keep, n_keep);
    memcpy(c->tail + n_keep, bytes, n);
    c->n_tail = n_keep + n;
}

/* Closes *fd at its end. */
static void listen_to(struct child *c, int *fd, struct buf *out)
{
    char bytes[READ_BYTES];
    ssize_t n = read(*fd, bytes, sizeof bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        close(*fd);
        *fd = -1;
    } else if (out) {
        buf_add(out, bytes, (size_t)n);
    } else {
        keep_tail(c, bytes, (size_t)n);
    }
}

static void listen_all(struct child *c, struct buf *out)
{
    while (c->out >= 0 || c->err >= 0) {
        struct pollfd fds[2] = {{c->out, POLLIN, 0}, {c->err, POLLIN, 0}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        if (c->out >= 0 && fds[0].revents)
            listen_to(c, &c->out, out);
        if (c->err >= 0 && fds[1].revents)
            listen_to(c, &c->err, NULL);
        if (out->failed) {
            kill(c->pid, SIGKILL);
            return;
        }
    }
}

static void close_pipes(struct child *c)
{
    if (c->out >= 0)
        close(c->out);
    if (c->err >= 0)
        close(c->err);
}

/* The last line with something on it, its bytes printable. */
static const char *last_line(struct child *c, char out[200])
{
    size_t end = c->n_tail;
    while (end > 0 && isspace((unsigned char)c->tail[end - 1]))
        end--;
    size_t from = end;
    while (from > 0 && c->tail[from - 1] != '\n' && end - from < 199)
        from--;
    for (size_t i = from; i < end; i++)
        out[i - from] = isprint((unsigned char)c->tail[i]) ? c->tail[i] : ' ';
    out[end - from] = 0;
    return out;
}

enum err child_run(const char *command, const char *const *drop, struct buf *out,
                   struct err_note *note)
{
    struct child c = {.out = -1, .err = -1};
    int status = 0;
    char line[200];
    enum err rc = start(&c, command, drop, note);
    if (rc) {
        close_pipes(&c);
        return rc;
    }
    listen_all(&c, out);
    close_pipes(&c);
    while (waitpid(c.pid, &status, 0) < 0 && errno == EINTR)
        ;
    last_line(&c, line);
    const char *colon = line[0] ? ": " : "";
    if (out->failed)
        return err_set(note, ERR_IO, "\"%.80s\" wrote more than %zu bytes", command,
                       out->n_bytes_max);
    if (WIFSIGNALED(status))
        return err_set(note, ERR_IO, "\"%.80s\" was ended by signal %d%s%s", command,
                       WTERMSIG(status), colon, line);
    if (WEXITSTATUS(status) != 0)
        return err_set(note, ERR_IO, "\"%.80s\" failed with exit status %d%s%s", command,
                       WEXITSTATUS(status), colon, line);
    return ERR_OK;
}
