/* cmd_top.c - isobit top: what a server does, looked at once a second. */
#include <curl/curl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/top_view.h"

enum { REPLY_BYTES_MAX = 32 << 20, LOOK_MS = 1000, WAIT_S_MAX = 10, COLUMNS_DEFAULT = 100 };

struct top {
    const char *url, *key, *ca;
    bool once;
    CURL *curl;
};

/* ---- asking ------------------------------------------------------------------------------- */

static size_t on_body(char *bytes, size_t one, size_t n, void *context)
{
    struct buf *body = context;
    buf_add(body, bytes, one * n);
    return body->failed ? CURL_WRITEFUNC_ERROR : one * n;
}

static CURLcode perform(struct top *t, const char *url, struct buf *body)
{
    char authorization[300];
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    if (t->key) {
        snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", t->key);
        headers = curl_slist_append(headers, authorization);
    }
    curl_easy_reset(t->curl);
    curl_easy_setopt(t->curl, CURLOPT_URL, url);
    curl_easy_setopt(t->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->curl, CURLOPT_TIMEOUT, (long)WAIT_S_MAX);
    curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, body);
    if (t->ca)
        curl_easy_setopt(t->curl, CURLOPT_CAINFO, t->ca);
    CURLcode rc = headers ? curl_easy_perform(t->curl) : CURLE_OUT_OF_MEMORY;
    curl_slist_free_all(headers);
    return rc;
}

static enum err explain(const struct top *t, const char *url, long status, struct err_note *note)
{
    if (status == 401 && !t->key)
        return err_set(note, ERR_USAGE,
                       "%s wants a key: --key KEY, or ISOBIT_KEY in the environment", t->url);
    if (status == 401 || status == 403)
        return err_set(note, ERR_USAGE, "%s says %ld: this key may not look", url, status);
    return err_set(note, ERR_IO, "%s says %ld; is it isobit serve?", url, status);
}

static enum err ask(struct top *t, const char *path, json_t **out, struct err_note *note)
{
    char url[2100];
    struct buf body;
    long status = 0;
    enum err rc = ERR_OK;
    size_t n = strlen(t->url);
    *out = NULL;
    snprintf(url, sizeof url, "%.*s%s", (int)(n && t->url[n - 1] == '/' ? n - 1 : n), t->url, path);
    buf_init(&body, REPLY_BYTES_MAX);
    CURLcode code = perform(t, url, &body);
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK)
        rc = err_set(note, ERR_IO, "%s: %s", url, curl_easy_strerror(code));
    else if (status != 200)
        rc = explain(t, url, status, note);
    if (!rc)
        *out = json_loadb(body.n_bytes ? body.bytes : "", body.n_bytes, 0, NULL);
    if (!rc && !json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        rc = err_set(note, ERR_FORMAT, "%s: no JSON object; is it isobit serve?", url);
    }
    buf_release(&body);
    return rc;
}

static void forget(struct top_look *look)
{
    json_decref(look->metrics);
    json_decref(look->requests);
    *look = (struct top_look){0};
}

static enum err take_look(struct top *t, struct top_look *look, struct err_note *note)
{
    struct err_note other;
    enum err rc = ask(t, "/metrics", &look->metrics, note);
    if (!rc)
        ask(t, "/v1/requests", &look->requests, &other); /* without it there is less to see */
    return rc;
}

/* ---- the terminal ------------------------------------------------------------------------- */

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* Another screen, no cursor, keys at once; back to what it was. */
static void terminal(bool ours)
{
    static struct termios before;
    static bool changed;
    if (ours && tcgetattr(STDIN_FILENO, &before) == 0) {
        struct termios raw = before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        changed = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    } else if (!ours && changed) {
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    }
    fputs(ours ? "\x1b[?1049h\x1b[?25l" : "\x1b[?25h\x1b[?1049l", stdout);
    fflush(stdout);
}

static void show(struct top *t, const struct top_look *now, const struct top_look *before,
                 double seconds, bool is_screen)
{
    struct winsize size = {0};
    struct buf out;
    if (isatty(STDOUT_FILENO))
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    struct top_view v = {.url = t->url,
                         .now = now,
                         .before = before->metrics ? before : NULL,
                         .seconds = seconds,
                         .n_columns = size.ws_col ? size.ws_col : COLUMNS_DEFAULT,
                         .n_rows = is_screen ? size.ws_row : 0,
                         .color = is_screen};
    buf_init(&out, REPLY_BYTES_MAX);
    top_draw(&out, &v);
    if (is_screen) { /* over the last one, each line to its end */
        if (out.n_bytes > 0 && out.bytes[out.n_bytes - 1] == '\n')
            out.n_bytes--;
        fputs("\x1b[H", stdout);
        for (size_t i = 0; i < out.n_bytes; i++)
            if (out.bytes[i] == '\n')
                fputs("\x1b[K\r\n", stdout);
            else
                putchar(out.bytes[i]);
        fputs("\x1b[K\x1b[J", stdout);
    } else {
        fwrite(out.bytes, 1, out.n_bytes, stdout);
    }
    fflush(stdout);
    buf_release(&out);
}

/* A second, or a key: false: the user has had enough. */
static bool wait_a_second(void)
{
    struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
    char key = 0;
    if (poll(&keys, isatty(STDIN_FILENO) ? 1 : 0, LOOK_MS) > 0 && read(STDIN_FILENO, &key, 1) != 1)
        return false;
    return !stopped && key != 'q';
}

/* ---- the command -------------------------------------------------------------------------- */

static enum err look_once(struct top *t, struct err_note *note)
{
    struct top_look before = {0}, now = {0};
    uint64_t begun_ns = clock_ns();
    enum err rc = take_look(t, &before, note);
    if (!rc) {
        poll(NULL, 0, LOOK_MS); /* rates are of a second */
        rc = take_look(t, &now, note);
    }
    if (!rc)
        show(t, &now, &before, (double)(clock_ns() - begun_ns) * 1e-9, false);
    forget(&before);
    forget(&now);
    return rc;
}

/* A server that is gone may come back: only the first look must succeed. */
static enum err look_on(struct top *t, struct err_note *note)
{
    struct top_look before = {0}, now = {0};
    uint64_t before_ns = 0, now_ns = clock_ns();
    enum err rc = take_look(t, &now, note);
    if (rc)
        return rc;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    terminal(true);
    do {
        struct err_note trouble;
        if (now.metrics)
            show(t, &now, &before, (double)(now_ns - before_ns) * 1e-9, true);
        if (!wait_a_second())
            break;
        forget(&before);
        before = now;
        before_ns = now_ns;
        now = (struct top_look){0};
        now_ns = clock_ns();
        if (take_look(t, &now, &trouble))
            printf("\x1b[H\x1b[J%s; trying again, q ends", trouble.text);
        fflush(stdout);
    } while (!stopped);
    terminal(false);
    forget(&before);
    forget(&now);
    return ERR_OK;
}

static enum err run(struct top *t, struct err_note *note)
{
    if (!t->key)
        t->key = getenv("ISOBIT_KEY");
    if (strlen(t->url) > 2000 || (t->key && strlen(t->key) > 200))
        return err_set(note, ERR_USAGE, "the URL or the key is too long");
    t->curl = curl_easy_init();
    if (!t->curl)
        return err_set(note, ERR_MEMORY, "out of memory for libcurl");
    enum err rc = t->once || !isatty(STDOUT_FILENO) ? look_once(t, note) : look_on(t, note);
    curl_easy_cleanup(t->curl);
    return rc;
}

int cmd_top(int argc, char **argv)
{
    struct top t = {.url = "http://127.0.0.1:8080"};
    const struct arg_option options[] = {
        OPT_TEXT(0, "url", "URL", &t.url, "the server (default: http://127.0.0.1:8080)"),
        OPT_TEXT(0, "key", "KEY", &t.key,
                 "a key that may look (default: ISOBIT_KEY in the\nenvironment)"),
        OPT_TEXT(0, "ca", "FILE", &t.ca, "certificates to trust (PEM), for a server with its own"),
        OPT_FLAG(0, "once", &t.once, "print it once, of one second, and end"),
    };
    const struct arg_command command = {
        .name = "top",
        .summary = "watch a server: its batch, cache, speed and requests",
        .usage = "top [--url URL] [options]",
        .about = "Refreshed each second; q ends. Where standard output is no terminal: once.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit top\n"
                    "isobit top --url https://models.example:8443 --once",
    };
    struct err_note note = {""};
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    if (!rc)
        rc = run(&t, &note);
    return rc ? say_error(rc, &note) : EXIT_OK;
}
