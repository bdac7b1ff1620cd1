/* say.c - lines and progress bars on standard error. */
#include "cli/say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static bool is_quiet;

void say_quiet(bool quiet)
{
    is_quiet = quiet;
}

void say(const char *format, ...)
{
    va_list args;
    if (is_quiet)
        return;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int say_failed(const char *format, ...)
{
    va_list args;
    fputs("isobit: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return EXIT_FAILED;
}

int say_error(enum err rc, const struct err_note *note)
{
    say_failed("%s", note->text[0] ? note->text : err_text(rc));
    return rc == ERR_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

/* Nothing is shown before this, so that quick work stays silent. */
#define SILENT_NS UINT64_C(300000000)
#define REDRAW_NS UINT64_C(100000000)
#define PLAIN_NS  UINT64_C(5000000000)
enum { BAR_CELLS = 30 };

void progress_begin(struct progress *p, const char *verb)
{
    uint64_t now = clock_ns();
    *p = (struct progress){
        .verb = verb, .is_terminal = isatty(STDERR_FILENO), .start_ns = now, .last_ns = now};
}

/* What was there at the start took no time. */
static void draw_bar(const struct progress *p, uint64_t done, uint64_t total, double elapsed_s)
{
    double part = (double)done / (double)total;
    int cells = (int)(part * BAR_CELLS);
    double rate = elapsed_s > 0 ? (double)(done - p->done_first) / elapsed_s : 0;
    double left_s = rate > 0 ? (double)(total - done) / rate : 0;
    char text[SIZE_TEXT];
    fprintf(stderr, "\r%s [", p->verb);
    for (int i = 0; i < BAR_CELLS; i++)
        fputc(i < cells ? '=' : i == cells ? '>' : ' ', stderr);
    fprintf(stderr, "] %3.0f %%  ", part * 100);
    if (p->is_transfer)
        fprintf(stderr, "%s/s  ", size_text((uint64_t)rate, text));
    fprintf(stderr, "%.0f s left \x1b[K", left_s);
    fflush(stderr);
}

void progress_show(void *progress, uint64_t done, uint64_t total)
{
    struct progress *p = progress;
    uint64_t now = clock_ns();
    if (p->done_last == 0 || done < p->done_first)
        p->done_first = done;
    bool due = now - p->last_ns >= (p->is_terminal ? REDRAW_NS : PLAIN_NS);
    if (p->is_transfer && !p->is_terminal)
        due = total && done - p->done_first >= (total - p->done_first) / 10 &&
              done - p->done_last >= total / 10;
    if (p->done_last == 0 || done < p->done_last)
        p->done_last = done;
    if (is_quiet || !due || now - p->start_ns < SILENT_NS || total == 0)
        return;
    if (p->is_terminal)
        draw_bar(p, done, total, (double)(now - p->start_ns) * 1e-9);
    else
        fprintf(stderr, "%s: %.0f %%\n", p->verb, 100 * (double)done / (double)total);
    p->last_ns = now;
    p->done_last = done;
    p->shown = true;
}

void progress_end(struct progress *p)
{
    if (p->shown && p->is_terminal)
        fputs("\r\x1b[K", stderr);
    p->shown = false;
}

static const char *scaled(uint64_t n, double step, const char *const *units, char *out)
{
    double value = (double)n;
    int unit = 0;
    while (value >= step && unit < 4) {
        value /= step;
        unit++;
    }
    if (unit == 0)
        snprintf(out, SIZE_TEXT, "%" PRIu64 "%s%s", n, *units[0] ? " " : "", units[0]);
    else
        snprintf(out, SIZE_TEXT, value < 10 ? "%.2f %s" : "%.1f %s", value, units[unit]);
    return out;
}

const char *size_text(uint64_t n_bytes, char out[SIZE_TEXT])
{
    static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB"};
    return scaled(n_bytes, 1000, units, out);
}

const char *count_text(uint64_t n, char out[SIZE_TEXT])
{
    static const char *const units[] = {"", "thousand", "million", "billion", "trillion"};
    return scaled(n, 1000, units, out);
}
