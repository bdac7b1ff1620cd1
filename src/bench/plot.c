/* plot.c - scales, lines, bars and their colours. */
#include "bench/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    WIDTH = 760,
    LEFT = 70,
    RIGHT = 520, /* the plot's right edge; the legend is beyond */
    TOP = 40,    /* above the plot, for its title */
    HEIGHT = 240,
    BOTTOM = 60,
    LINE = 18,
    MARGIN = 16,
    TICKS = 5,
};

static const char style[] =
    "<style>\n"
    "text{font:12px system-ui,sans-serif;fill:#1f2937}\n"
    ".head{font-weight:600}.ground{fill:#fff}.grid{stroke:#e2e5ea}.axis{stroke:#6b7280}\n"
    ".line{fill:none;stroke-width:2}.limit{fill:none;stroke-width:1.5;stroke-dasharray:6 4}\n"
    ".c0{stroke:#0b6bcb;fill:#0b6bcb}.c1{stroke:#c2410c;fill:#c2410c}\n"
    ".c2{stroke:#15803d;fill:#15803d}.c3{stroke:#7e22ce;fill:#7e22ce}\n"
    ".c4{stroke:#b91c1c;fill:#b91c1c}.c5{stroke:#0e7490;fill:#0e7490}\n"
    ".c6{stroke:#a16207;fill:#a16207}.c7{stroke:#475569;fill:#475569}\n"
    "@media(prefers-color-scheme:dark){text{fill:#e5e7eb}.ground{fill:#14171c}\n"
    ".grid{stroke:#2c323b}.axis{stroke:#9ca3af}\n"
    ".c0{stroke:#60a5fa;fill:#60a5fa}.c1{stroke:#fb923c;fill:#fb923c}\n"
    ".c2{stroke:#4ade80;fill:#4ade80}.c3{stroke:#c084fc;fill:#c084fc}\n"
    ".c4{stroke:#f87171;fill:#f87171}.c5{stroke:#22d3ee;fill:#22d3ee}\n"
    ".c6{stroke:#facc15;fill:#facc15}.c7{stroke:#94a3b8;fill:#94a3b8}}\n"
    ".line,.limit{fill:none}.hollow{fill:none}\n"
    "</style>\n";

/* ---- text ---- */

static void add_text(struct buf *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        switch (text[i]) {
        case '<':
            buf_str(out, "&lt;");
            break;
        case '>':
            buf_str(out, "&gt;");
            break;
        case '&':
            buf_str(out, "&amp;");
            break;
        default: /* XML has no place for control characters */
            buf_char(out, (unsigned char)text[i] < ' ' ? ' ' : text[i]);
        }
    }
}

static void put_text(struct buf *out, double x, double y, const char *attributes, const char *text,
                     size_t n)
{
    buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, attributes);
    add_text(out, text, n);
    buf_str(out, "</text>\n");
}

static void label(struct buf *out, double x, double y, const char *attributes, const char *text)
{
    put_text(out, x, y, attributes, text, strlen(text));
}

/* ---- scales ---- */

struct frame {
    const struct plot *plot;
    double top, y_max; /* the plot's upper edge; the value there */
};

static double y_of(const struct frame *f, double value)
{
    return f->top + HEIGHT * (1 - value / f->y_max);
}

static double x_of(const struct frame *f, size_t place)
{
    double step = (double)(RIGHT - LEFT) / (double)f->plot->n_places;
    return LEFT + step * ((double)place + 0.5);
}

/* A round number for the axis' end, at or above x: TICKS times 1, 2, 2.5 or 5 of some ten. */
static double round_up(double x)
{
    static const double steps[] = {1, 2, 2.5, 5, 10};
    if (!(x > 0))
        return 1;
    double ten = pow(10, floor(log10(x / TICKS)));
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (steps[i] * ten * TICKS >= x)
            return steps[i] * ten * TICKS;
    return 10 * ten * TICKS;
}

static double largest(const struct plot *p)
{
    double max = 0;
    for (size_t s = 0; s < p->n_series; s++)
        for (size_t i = 0; i < p->n_places; i++) {
            const struct plot_point *at = &p->series[s].at[i];
            max = fmax(max, fmax(at->y, at->max));
        }
    return max;
}

static void draw_axes(struct buf *out, const struct frame *f)
{
    char text[32];
    for (int i = 0; i <= TICKS; i++) {
        double value = f->y_max * i / TICKS, y = y_of(f, value);
        buf_printf(out, "<line class=\"%s\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>\n",
                   i ? "grid" : "axis", LEFT, y, RIGHT, y);
        snprintf(text, sizeof text, "%.6g", value);
        label(out, LEFT - 8, y + 4, " text-anchor=\"end\"", text);
    }
    for (size_t i = 0; i < f->plot->n_places; i++) {
        snprintf(text, sizeof text, "%u", f->plot->x[i]);
        label(out, x_of(f, i), f->top + HEIGHT + 18, " text-anchor=\"middle\"", text);
    }
    label(out, (LEFT + RIGHT) / 2.0, f->top + HEIGHT + 38, " text-anchor=\"middle\"",
          f->plot->x_label);
}

/* ---- series ---- */

static void draw_spread(struct buf *out, const struct frame *f, const struct plot_series *s,
                        const struct plot_point *at, double x)
{
    if (at->max > at->min)
        buf_printf(out, "<line class=\"c%d\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                   s->colour, x, y_of(f, at->min), x, y_of(f, at->max));
}

static void draw_line(struct buf *out, const struct frame *f, const struct plot_series *s)
{
    buf_printf(out, "<polyline class=\"c%d %s\" points=\"", s->colour,
               s->style == PLOT_LIMIT ? "limit" : "line");
    for (size_t i = 0; i < f->plot->n_places; i++)
        if (s->at[i].y > 0)
            buf_printf(out, "%.1f,%.1f ", x_of(f, i), y_of(f, s->at[i].y));
    buf_str(out, "\"/>\n");
    for (size_t i = 0; s->style != PLOT_LIMIT && i < f->plot->n_places; i++) {
        if (!(s->at[i].y > 0))
            continue;
        draw_spread(out, f, s, &s->at[i], x_of(f, i));
        buf_printf(out, "<circle class=\"c%d%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>\n", s->colour,
                   s->style == PLOT_OTHER ? " hollow" : "", x_of(f, i), y_of(f, s->at[i].y));
    }
}

/* The only place: bars side by side, each limit above the bar of its colour. */
static void draw_bars(struct buf *out, const struct frame *f)
{
    const struct plot *p = f->plot;
    size_t n_bars = 0, bar = 0;
    double left[PLOT_COLOURS] = {0};
    for (size_t i = 0; i < p->n_series; i++)
        n_bars += p->series[i].style != PLOT_LIMIT;
    double step = (double)(RIGHT - LEFT) / (double)(n_bars ? n_bars : 1);
    double width = fmin(step * 0.6, 70);
    for (size_t i = 0; i < p->n_series; i++) {
        const struct plot_series *s = &p->series[i];
        if (s->style == PLOT_LIMIT)
            continue;
        double x = LEFT + step * ((double)bar++ + 0.5) - width / 2, y = y_of(f, s->at[0].y);
        if (s->style == PLOT_MEASURED)
            left[s->colour] = x;
        buf_printf(out,
                   "<rect class=\"c%d%s\" fill-opacity=\"0.75\" x=\"%.1f\" y=\"%.1f\" "
                   "width=\"%.1f\" height=\"%.1f\"/>\n",
                   s->colour, s->style == PLOT_OTHER ? " hollow" : "", x, y, width,
                   f->top + HEIGHT - y);
        draw_spread(out, f, s, &s->at[0], x + width / 2);
    }
    for (size_t i = 0; i < p->n_series; i++) {
        const struct plot_series *s = &p->series[i];
        double x = left[s->colour], y = y_of(f, s->at[0].y);
        if (s->style == PLOT_LIMIT && s->at[0].y > 0)
            buf_printf(out,
                       "<line class=\"c%d limit\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" "
                       "y2=\"%.1f\"/>\n",
                       s->colour, x - 8, y, x + width + 8, y);
    }
}

static void draw_legend(struct buf *out, const struct frame *f)
{
    for (size_t i = 0; i < f->plot->n_series; i++) {
        const struct plot_series *s = &f->plot->series[i];
        double y = f->top + 8 + LINE * (double)i;
        buf_printf(out, "<line class=\"c%d %s\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>\n",
                   s->colour, s->style == PLOT_LIMIT ? "limit" : "line", RIGHT + 20, y, RIGHT + 48,
                   y);
        if (s->style != PLOT_LIMIT)
            buf_printf(out, "<circle class=\"c%d%s\" cx=\"%d\" cy=\"%.1f\" r=\"4\"/>\n", s->colour,
                       s->style == PLOT_OTHER ? " hollow" : "", RIGHT + 34, y);
        label(out, RIGHT + 56, y + 4, "", s->name);
    }
}

static void draw_plot(struct buf *out, const struct plot *p, double top)
{
    struct frame f = {p, top + TOP, round_up(largest(p))};
    label(out, LEFT, top + TOP - 16, " class=\"head\"", p->title);
    draw_axes(out, &f);
    if (p->n_places == 1)
        draw_bars(out, &f);
    for (size_t i = 0; p->n_places > 1 && i < p->n_series; i++)
        draw_line(out, &f, &p->series[i]);
    draw_legend(out, &f);
}

/* A legend may be longer than its plot. */
static double height_of(const struct plot *p)
{
    double legend = LINE * ((double)p->n_series + 1);
    return TOP + BOTTOM + (legend > HEIGHT ? legend : HEIGHT);
}

void plot_svg(struct buf *out, const char *heading, const struct plot *plots, size_t n_plots)
{
    double height = 2 * MARGIN, y = MARGIN + LINE;
    for (const char *c = heading; *c; c++)
        height += *c == '\n' ? LINE : 0;
    height += LINE;
    for (size_t i = 0; i < n_plots; i++)
        height += height_of(&plots[i]);
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" "
               "viewBox=\"0 0 %d %.0f\">\n%s<rect class=\"ground\" width=\"100%%\" "
               "height=\"100%%\"/>\n",
               WIDTH, height, WIDTH, height, style);
    for (const char *at = heading; *at; y += LINE) {
        size_t n = strcspn(at, "\n");
        put_text(out, MARGIN, y, "", at, n);
        at += n + (at[n] == '\n');
    }
    for (size_t i = 0; i < n_plots; i++) {
        draw_plot(out, &plots[i], y);
        y += height_of(&plots[i]);
    }
    buf_str(out, "</svg>\n");
}
