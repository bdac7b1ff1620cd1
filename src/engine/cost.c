/* cost.c - means by classes of row counts, and a slope for depth. */
#include "engine/cost.h"

#include "base/check.h"

/* Row counts up to COST_EXACT are a class each, larger ones four to an octave. */
static uint32_t class_of(uint32_t n_rows)
{
    uint32_t octave = 31 - (uint32_t)__builtin_clz(n_rows);
    if (n_rows <= COST_EXACT)
        return n_rows - 1;
    return COST_EXACT + (octave - 5) * 4 + (n_rows >> (octave - 2) & 3);
}

static bool is_fresh(const struct cost *c, const struct cost_class *k)
{
    return k->n_samples > 0 && c->n_steps - k->last_step < COST_STEPS_FRESH;
}

/* A class that was seen once or twice may have been disturbed: it counts if nothing better does. */
static uint32_t samples_that_count(const struct cost *c)
{
    for (uint32_t i = 0; i < COST_CLASSES; i++)
        if (c->classes[i].n_samples >= COST_SAMPLES_SURE && is_fresh(c, &c->classes[i]))
            return COST_SAMPLES_SURE;
    return 1;
}

/* Least squares, drawn to 0 where depth explains less than noise might, or hardly any of the time:
 * a decoder's position grows by one a step, a prompt's rows are thousands apart. */
static double slope_of(const struct cost *c)
{
    if (!(c->depth_ns > 0 && c->depth_depth > 0))
        return 0;
    double slope = c->depth_ns / c->depth_depth, explained = slope * c->depth_ns;
    double noise = c->ns_ns > explained ? 4 * (c->ns_ns - explained) / c->n : 0;
    noise += c->n * 0.05 * 0.05;
    return slope * explained / (explained + noise);
}

static void learn_slope(struct cost *c, double d_depth, double d_ns, double ns)
{
    d_depth /= ns;
    d_ns /= ns;
    const double keep = 127.0 / 128;
    c->n = c->n * keep + 1;
    c->depth_depth = c->depth_depth * keep + d_depth * d_depth;
    c->depth_ns = c->depth_ns * keep + d_depth * d_ns;
    c->ns_ns = c->ns_ns * keep + d_ns * d_ns;
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* More rows cost at most in proportion, but for this: a tile that is begun costs as much as a full
 * one. So what was once measured in a bad moment is tried again. */
static const double tiles = 1.4;

struct point {
    double rows, base;
};

/* What is known, at depth 0, by ascending rows. */
static uint32_t known_points(const struct cost *c, double slope, struct point *points)
{
    uint32_t n = 0, n_samples = samples_that_count(c);
    for (uint32_t i = 0; i < COST_CLASSES; i++) {
        const struct cost_class *k = &c->classes[i];
        if (k->n_samples < n_samples || !is_fresh(c, k))
            continue;
        double base = k->ns - slope * k->depth;
        base = base > k->ns / 4 ? base : k->ns / 4; /* depth is never all of it */
        double most = n ? tiles * points[n - 1].base * k->rows / points[n - 1].rows : base;
        points[n++] = (struct point){k->rows, base < most ? base : most};
    }
    return n;
}

static double between(struct point a, struct point b, double rows)
{
    return a.base + (b.base - a.base) * (rows - a.rows) / (b.rows - a.rows);
}

/* The least that any known point below and the next above suggest: few rows that were not seen yet
 * are taken to fill their tiles. */
static double least_between(const struct point *points, uint32_t n_below, double rows)
{
    double least = between(points[n_below - 1], points[n_below], rows);
    for (uint32_t i = 0; i < n_below && rows <= COST_EXACT; i++) {
        double ns = between(points[i], points[n_below], rows);
        least = ns < least ? ns : least;
    }
    return least;
}

/* What so many rows cost at depth 0; 0: nothing is known. */
static double base_of(const struct cost *c, double slope, double rows)
{
    struct point points[COST_CLASSES];
    uint32_t n = known_points(c, slope, points), n_below = 0;
    double most_below = 0, base;
    for (; n_below < n && points[n_below].rows < rows; n_below++)
        most_below = points[n_below].base > most_below ? points[n_below].base : most_below;
    if (n == 0)
        return 0;
    if (n_below == n || n_below == 0 || points[n_below].rows == rows) {
        struct point p = points[n_below == n ? n - 1 : n_below];
        base = p.base * rows / p.rows;
    } else {
        base = least_between(points, n_below, rows);
    }
    return base > most_below ? base : most_below;
}

void cost_observe(struct cost *c, uint32_t n_rows, uint64_t depth, double ns)
{
    struct cost_class *k = &c->classes[class_of(n_rows)];
    CHECK(n_rows > 0 && class_of(n_rows) < COST_CLASSES);
    double x = (double)depth;
    if (!is_fresh(c, k)) {
        *k = (struct cost_class){.rows = n_rows, .depth = x, .ns = ns, .n_samples = 1};
    } else if (k->n_samples < COST_SAMPLES_SURE) { /* the least: disturbances only add */
        if (ns < k->ns)
            *k = (struct cost_class){n_rows, x, ns, k->n_samples, 0};
        k->n_samples++;
    } else {
        double slope = slope_of(c), d_depth = x - k->depth;
        double d_base = base_of(c, slope, n_rows) - base_of(c, slope, k->rows);
        double expected = clamp(k->ns + d_base + slope * d_depth, k->ns / 2, k->ns * 2);
        ns = clamp(ns, expected / 1.5, expected * 1.5);
        learn_slope(c, d_depth, ns - k->ns - d_base, k->ns);
        double part = ns < expected ? 0.5 : 0.125;
        k->rows += (n_rows - k->rows) * part;
        k->depth += d_depth * part;
        k->ns += (ns - k->ns) * part;
        k->n_samples++;
    }
    k->last_step = c->n_steps++;
}

double cost_of(const struct cost *c, uint32_t n_rows, uint64_t depth)
{
    double slope = slope_of(c), base = base_of(c, slope, n_rows);
    return base > 0 ? base + slope * (double)depth : 0;
}

bool cost_was_tried(const struct cost *c, uint32_t n_rows)
{
    return c->classes[class_of(n_rows)].n_samples >= COST_SAMPLES_SURE;
}

bool cost_is_sure(const struct cost *c, uint32_t n_rows)
{
    const struct cost_class *k = &c->classes[class_of(n_rows)];
    return k->n_samples >= COST_SAMPLES_SURE && is_fresh(c, k);
}
