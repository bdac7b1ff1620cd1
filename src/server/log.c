/* log.c - a line for each answer, in words that are easy to split: name=value after the status. */
#include <time.h>

#include "base/check.h"
#include "server/front_int.h"
#include "server/keys.h"

enum { LINE_BYTES_MAX = 1 << 30 };

static void add_time(struct buf *line)
{
    char text[32];
    time_t now = time(NULL);
    struct tm utc;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    buf_str(line, text);
}

/* What a client sent, so that it cannot look like another line or word. */
static void add_word(struct buf *line, const char *text)
{
    for (; *text; text++)
        buf_char(line, *text > ' ' && *text < 127 ? *text : '?');
}

static void say(struct front *f, struct buf *line)
{
    CHECK(!line->failed);
    if (f->options.say)
        f->options.say(f->options.context, line->bytes);
    buf_release(line);
}

void log_body(struct front *f, const char *request_id, struct str body)
{
    struct buf line;
    struct writer w;
    if (!f->options.log_prompts || body.len == 0)
        return;
    buf_init(&line, LINE_BYTES_MAX);
    add_time(&line);
    buf_str(&line, " body id=");
    add_word(&line, request_id);
    buf_char(&line, ' ');
    write_begin(&w, &line);
    if (utf8_valid(body.ptr, body.len))
        write_text(&w, body);
    else
        write_text(&w, STR("(not UTF-8)"));
    say(f, &line);
}

void log_visit(struct front *f, const struct visit *v, int status, uint64_t ns)
{
    struct buf line;
    buf_init(&line, LINE_BYTES_MAX);
    add_time(&line);
    buf_printf(&line, " %s ", v->method[0] ? v->method : "?");
    add_word(&line, v->path);
    if (status)
        buf_printf(&line, " %d", status);
    else
        buf_str(&line, " gone");
    buf_printf(&line, " ms=%.1f id=", (double)ns * 1e-6);
    add_word(&line, v->request_id);
    if (v->key && v->key->id[0])
        buf_printf(&line, " key=%s", v->key->id);
    if (v->model) {
        buf_str(&line, " model=");
        add_word(&line, v->model);
        buf_printf(&line, " prompt=%u cached=%u generated=%u", v->usage.n_prompt,
                   v->usage.n_cached, v->usage.n_answer);
    }
    say(f, &line);
}
