/* top_view.c - models with bars, then requests in a table. */
#include "cli/top_view.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/check.h"
#include "base/str.h"

enum { BAR_CELLS = 24, TEXT_CELLS = 28, LINE_BYTES_MAX = 4096 };

struct screen {
    struct buf *out;
    const struct top_view *view;
    int n_rows;
};

/* ---- numbers from JSON -------------------------------------------------------------------- */

static double number(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

/* A name that others chose: as many cells as fit, nothing that moves the cursor. */
static const char *text(const json_t *object, const char *name, char out[TEXT_CELLS * 4 + 1])
{
    const char *s = json_string_value(json_object_get(object, name));
    size_t n = 0, n_bytes = s ? strlen(s) : 0;
    int n_cells = 0;
    for (size_t i = 0; i < n_bytes && n_cells < TEXT_CELLS; n_cells++) {
        uint32_t c;
        int k = utf8_decode(s + i, n_bytes - i, &c);
        bool shows = k > 0 && c >= ' ' && (c < 0x7f || c > 0xa0);
        for (int j = 0; shows && j < k; j++)
            out[n++] = s[i + (size_t)j];
        if (!shows)
            out[n++] = '?';
        i += k > 0 ? (size_t)k : 1;
    }
    out[n] = 0;
    return n ? out : "-";
}

static int n_cells_of(const char *s)
{
    int n = 0;
    for (; *s; s++)
        n += (*s & 0xc0) != 0x80;
    return n;
}

/* ---- lines -------------------------------------------------------------------------------- */

static bool has_room(const struct screen *s)
{
    return s->view->n_rows == 0 || s->n_rows < s->view->n_rows;
}

/* A line, cut at the screen's width. Bold lines are headings. */
__attribute__((format(printf, 3, 4))) static void line(struct screen *s, bool bold,
                                                       const char *format, ...)
{
    char bytes[LINE_BYTES_MAX];
    va_list arguments;
    if (!has_room(s))
        return;
    va_start(arguments, format);
    vsnprintf(bytes, sizeof bytes, format, arguments);
    va_end(arguments);
    size_t n = 0;
    for (int n_cells = 0; bytes[n]; n++) {
        n_cells += (bytes[n] & 0xc0) != 0x80;
        if (n_cells > s->view->n_columns)
            break;
    }
    if (bold && s->view->color)
        buf_str(s->out, "\x1b[1m");
    buf_add(s->out, bytes, n);
    if (bold && s->view->color)
        buf_str(s->out, "\x1b[0m");
    buf_char(s->out, '\n');
    s->n_rows++;
}

/* part of whole as cells; what is not nothing shows at least one. */
static const char *bar(double part, double whole, char out[BAR_CELLS * 3 + 1])
{
    int n = whole > 0 ? (int)lround(BAR_CELLS * fmin(part / whole, 1)) : 0;
    if (part > 0 && n == 0)
        n = 1;
    out[0] = 0;
    for (int i = 0; i < BAR_CELLS; i++)
        memcpy(out + 3 * i, i < n ? "\xe2\x96\x88" : "\xe2\x96\x91", 3);
    out[BAR_CELLS * 3] = 0;
    return out;
}

static const char *duration(double s, char out[24])
{
    if (s < 0.0995)
        snprintf(out, 24, "%.1f ms", s * 1e3);
    else if (s < 9.95)
        snprintf(out, 24, "%.2f s", s);
    else if (s < 600)
        snprintf(out, 24, "%.0f s", s);
    else if (s < 36000)
        snprintf(out, 24, "%.0f min", s / 60);
    else
        snprintf(out, 24, "%.1f h", s / 3600);
    return out;
}

/* ---- models ------------------------------------------------------------------------------- */

static const json_t *model_before(const struct screen *s, const json_t *model)
{
    const char *id = json_string_value(json_object_get(model, "id"));
    json_t *item;
    size_t i;
    if (!s->view->before || !id)
        return NULL;
    json_array_foreach (json_object_get(s->view->before->metrics, "models"), i, item) {
        const char *other = json_string_value(json_object_get(item, "id"));
        if (other && strcmp(id, other) == 0)
            return item;
    }
    return NULL;
}

static void percentiles(struct screen *s, const char *title, const json_t *h)
{
    char p50[24], p95[24], p99[24];
    if (number(h, "count") > 0)
        line(s, false, "  %-12s p50 %-9s p95 %-9s p99 %-9s of %.0f", title,
             duration(number(h, "p50"), p50), duration(number(h, "p95"), p95),
             duration(number(h, "p99"), p99), number(h, "count"));
}

static void model(struct screen *s, const json_t *m)
{
    char name[TEXT_CELLS * 4 + 1], cells[BAR_CELLS * 3 + 1], rates[80] = "";
    const json_t *before = model_before(s, m);
    double hits = number(m, "cache_hits"), looks = hits + number(m, "cache_misses");
    if (before && s->view->seconds > 0)
        snprintf(rates, sizeof rates, "%.1f tokens/s out, %.1f in",
                 (number(m, "generated_tokens") - number(before, "generated_tokens")) /
                     s->view->seconds,
                 (number(m, "prompt_tokens") - number(before, "prompt_tokens")) /
                     s->view->seconds);
    text(m, "id", name);
    line(s, true, "%s%*s  %s  %s", name, TEXT_CELLS - n_cells_of(name), "",
         json_is_true(json_object_get(m, "ready")) ? "ready    " : "not ready", rates);
    line(s, false, "  batch %s %.0f of %.0f, %.0f waiting",
         bar(number(m, "requests_running"), number(m, "batch_places"), cells),
         number(m, "requests_running"), number(m, "batch_places"),
         number(m, "requests_waiting"));
    line(s, false, "  pages %s %.0f of %.0f, %.0f remembered",
         bar(number(m, "kv_pages_used"), number(m, "kv_pages"), cells),
         number(m, "kv_pages_used"), number(m, "kv_pages"), number(m, "kv_pages_remembered"));
    line(s, false, "  cache %s %.1f %% of %.0f prompts, %.1f %% of their tokens",
         bar(hits, looks, cells), looks > 0 ? 100 * hits / looks : 0, looks,
         number(m, "prompt_tokens") > 0
             ? 100 * number(m, "cached_tokens") / number(m, "prompt_tokens")
             : 0);
    percentiles(s, "queue", json_object_get(m, "queue_seconds"));
    percentiles(s, "first token", json_object_get(m, "time_to_first_token_seconds"));
    percentiles(s, "next tokens", json_object_get(m, "time_per_output_token_seconds"));
}

/* ---- requests ----------------------------------------------------------------------------- */

static void request(struct screen *s, const json_t *r)
{
    char id[TEXT_CELLS * 4 + 1], name[TEXT_CELLS * 4 + 1], state[TEXT_CELLS * 4 + 1], age[24];
    text(r, "id", id);
    text(r, "model", name);
    line(s, false, "  %s%*s %s%*s %-7s %7.0f %7.0f %7.0f %9s", id, TEXT_CELLS - n_cells_of(id), "",
         name, 20 - n_cells_of(name) > 0 ? 20 - n_cells_of(name) : 0, "", text(r, "state", state),
         number(r, "prompt_tokens"), number(r, "read_tokens"), number(r, "generated_tokens"),
         duration(number(r, "age_ms") / 1e3, age));
}

static void requests(struct screen *s)
{
    const json_t *all = json_object_get(s->view->now->requests, "data");
    size_t n = json_array_size(all);
    if (!s->view->now->requests)
        return;
    line(s, false, "%s", "");
    line(s, true, "  %-*s %-20s %-7s %7s %7s %7s %9s", TEXT_CELLS, "REQUEST", "MODEL", "STATE",
         "PROMPT", "READ", "ANSWER", "AGE");
    for (size_t i = 0; i < n && has_room(s); i++) {
        int n_left = s->view->n_rows - s->n_rows;
        if (s->view->n_rows > 0 && n_left == 1 && n - i > 1)
            line(s, false, "  and %zu more", n - i);
        else
            request(s, json_array_get(all, i));
    }
    if (n == 0)
        line(s, false, "  nothing runs");
}

void top_draw(struct buf *out, const struct top_view *v)
{
    struct screen s = {.out = out, .view = v};
    const json_t *m = v->now->metrics, *work = json_object_get(m, "requests");
    const json_t *times = json_object_get(m, "response_times");
    char up[24], p50[24], p95[24], p99[24];
    json_t *item;
    size_t i;
    CHECK(v->n_columns > 0);
    line(&s, true, "%s  up %s, %.0f connections", v->url,
         duration(number(m, "uptime_seconds"), up), number(m, "connections"));
    line(&s, false, "%.0f requests, %.0f failed (%.1f %%)  p50 %s  p95 %s  p99 %s",
         number(work, "total"), number(work, "failed"),
         number(json_object_get(m, "errors"), "rate_percent"),
         duration(number(times, "p50_ms") / 1e3, p50),
         duration(number(times, "p95_ms") / 1e3, p95),
         duration(number(times, "p99_ms") / 1e3, p99));
    json_array_foreach (json_object_get(m, "models"), i, item) {
        line(&s, false, "%s", "");
        model(&s, item);
    }
    requests(&s);
}
