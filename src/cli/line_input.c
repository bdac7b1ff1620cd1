/* line_input.c - lines through libedit. */
#include "cli/line_input.h"

#include <histedit.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/generate.h"

enum { HISTORY_LINES = 1000, INPUT_BYTES_MAX = 64 << 20 };

struct line_input {
    EditLine *edit; /* NULL: standard input is no terminal */
    History *history;
    char history_path[PATH_MAX];
    bool continues;  /* the prompt is that of a further line */
    struct buf line; /* without a terminal: the line that was read */
};

static char *prompt(EditLine *edit)
{
    static char first[] = "> ", further[] = ". ";
    struct line_input *in;
    el_get(edit, EL_CLIENTDATA, &in);
    return in->continues ? further : first;
}

static void open_editor(struct line_input *in)
{
    HistEvent event;
    const char *home = getenv("HOME");
    in->edit = el_init("isobit", stdin, stdout, stderr);
    in->history = history_init();
    if (!in->edit || !in->history)
        return;
    el_set(in->edit, EL_CLIENTDATA, in);
    el_set(in->edit, EL_PROMPT, prompt);
    el_set(in->edit, EL_EDITOR, "emacs");
    el_set(in->edit, EL_HIST, history, in->history);
    el_source(in->edit, NULL); /* the user's ~/.editrc */
    history(in->history, &event, H_SETSIZE, HISTORY_LINES);
    history(in->history, &event, H_SETUNIQUE, 1);
    if (home && snprintf(in->history_path, PATH_MAX, "%s/.isobit_history", home) < PATH_MAX)
        history(in->history, &event, H_LOAD, in->history_path);
    else
        in->history_path[0] = 0;
}

struct line_input *line_input_open(void)
{
    struct line_input *in = mem_zalloc(sizeof *in);
    if (!in)
        return NULL;
    buf_init(&in->line, INPUT_BYTES_MAX);
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
        open_editor(in);
    return in;
}

bool line_input_is_terminal(const struct line_input *in)
{
    return in->edit != NULL;
}

/* One line with its newline, or NULL at the end or on an interrupt. */
static const char *read_line(struct line_input *in, size_t *length)
{
    if (in->edit) {
        int n = 0;
        const char *line = el_gets(in->edit, &n);
        *length = n > 0 ? (size_t)n : 0;
        return n > 0 ? line : NULL;
    }
    buf_clear(&in->line);
    for (int c = 0; c != '\n' && (c = getc(stdin)) != EOF;)
        buf_char(&in->line, (char)c);
    *length = in->line.n_bytes;
    return in->line.n_bytes ? in->line.bytes : NULL;
}

static bool ends_with(const struct buf *b, const char *end)
{
    size_t n = strlen(end);
    return b->n_bytes >= n && memcmp(b->bytes + b->n_bytes - n, end, n) == 0;
}

static void drop(struct buf *b, size_t n)
{
    b->n_bytes -= n;
    b->bytes[b->n_bytes] = 0;
}

/* Adds a line; whether the input goes on. */
static bool add_line(struct buf *text, const char *line, size_t n, bool *quoted, bool is_first)
{
    if (n && line[n - 1] == '\n')
        n--;
    if (is_first && n >= 3 && memcmp(line, "\"\"\"", 3) == 0) {
        *quoted = true;
        line += 3;
        n -= 3;
    }
    buf_add(text, line, n);
    if (text->failed)
        return false;
    if (*quoted) {
        if (!ends_with(text, "\"\"\"")) {
            buf_char(text, '\n');
            return true;
        }
        drop(text, 3);
        return false;
    }
    if (!ends_with(text, "\\"))
        return false;
    drop(text, 1);
    buf_char(text, '\n');
    return true;
}

static void remember(struct line_input *in, const struct buf *text)
{
    HistEvent event;
    if (in->edit && text->n_bytes && !strchr(text->bytes, '\n'))
        history(in->history, &event, H_ENTER, text->bytes);
}

enum line_event line_input_read(struct line_input *in, struct buf *text)
{
    bool quoted = false, more = true;
    size_t n;
    buf_clear(text);
    for (in->continues = false; more; in->continues = true) {
        interrupt_catch();
        const char *line = read_line(in, &n);
        bool interrupted = interrupt_seen();
        interrupt_clear();
        if (interrupted) {
            putchar('\n');
            return LINE_INTERRUPTED;
        }
        if (!line)
            return in->continues && text->n_bytes ? LINE_TEXT : LINE_END;
        more = add_line(text, line, n, &quoted, !in->continues);
    }
    remember(in, text);
    return LINE_TEXT;
}

void line_input_close(struct line_input *in)
{
    HistEvent event;
    if (!in)
        return;
    if (in->history && in->history_path[0])
        history(in->history, &event, H_SAVE, in->history_path);
    if (in->history)
        history_end(in->history);
    if (in->edit)
        el_end(in->edit);
    buf_release(&in->line);
    mem_free(in);
}
