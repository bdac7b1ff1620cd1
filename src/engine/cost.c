/* cost.c - means by classes of row counts, and a slope for depth. */
#include "engine/cost.h"

#include "base/check.h"

/* Row counts up to 16 are a class each, larger ones four to an octave. */
static uint32_t class_of(uint32_t n_rows)
{
    uint32_t octave = 31 - (uint32_t)__builtin_clz(n_rows);
    if (octave < 4)
        return n_rows - 1;
    return 15 + (octave - 4) * 4 + (n_rows >> (octave - 2) & 3);
}

static bool is_known(const struct cost *c, const struct cost_class *k)
{
    return k->n_samples > 0 && c->n_steps - k->last_step < COST_STEPS_FRESH;
}

/* Least squares, drawn to 0 where the depth explains less than noise might. */
static double slope_of(const struct cost *c)
{
    if (!(c->depth_ns > 0 && c->depth_depth > 0))
        return 0;
    double slope = c->depth_ns / c->depth_depth, explained = slope * c->depth_ns;
    double noise = c->ns_ns > explained ? 4 * (c->ns_ns - explained) / c->n : 0;
    return slope * explained / (explained + noise);
}

static void learn_slope(struct cost *c, double d_depth, double d_ns)
{
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

/* What so many rows cost at depth 0; 0: nothing is known. */
static double base_of(const struct cost *c, double slope, double n_rows)
{
    double rows = 0, base = 0; /* of the largest known class below n_rows */
    for (uint32_t i = 0; i < COST_CLASSES; i++) {
        const struct cost_class *k = &c->classes[i];
        if (!is_known(c, k))
            continue;
        double k_base = k->ns - slope * k->depth;
        k_base = k_base > k->ns / 4 ? k_base : k->ns / 4; /* depth is never all of it */
        k_base = k_base > base ? k_base : base;
        if (k->rows >= n_rows)
            return base + (k_base - base) * (n_rows - rows) / (k->rows - rows);
        rows = k->rows;
        base = k_base;
    }
    return rows > 0 ? base * n_rows / rows : 0;
}

void cost_observe(struct cost *c, uint32_t n_rows, uint64_t depth, double ns)
{
    struct cost_class *k = &c->classes[class_of(n_rows)];
    CHECK(n_rows > 0 && class_of(n_rows) < COST_CLASSES);
    double x = (double)depth;
    if (!is_known(c, k)) {
        *k = (struct cost_class){.rows = n_rows, .depth = x, .ns = ns, .n_samples = 1};
    } else if (k->n_samples < COST_SAMPLES_SURE) { /* the least: disturbances only add */
        if (ns < k->ns)
            *k = (struct cost_class){n_rows, x, ns, k->n_samples, 0};
        k->n_samples++;
    } else {
        double d_depth = x - k->depth, slope = slope_of(c);
        double expected = clamp(k->ns + slope * d_depth, k->ns / 2, k->ns * 2);
        ns = clamp(ns, expected / 1.5, expected * 1.5);
        double d_base = base_of(c, slope, n_rows) - base_of(c, slope, k->rows);
        learn_slope(c, d_depth, ns - k->ns - d_base);
        k->rows += (n_rows - k->rows) / 4;
        k->depth += d_depth / 4;
        k->ns += (ns - k->ns) / 4;
        k->n_samples++;
    }
    k->last_step = c->n_steps++;
}

double cost_of(const struct cost *c, uint32_t n_rows, uint64_t depth)
{
    double slope = slope_of(c), base = base_of(c, slope, n_rows);
    return base > 0 ? base + slope * (double)depth : 0;
}

bool cost_is_sure(const struct cost *c, uint32_t n_rows)
{
    const struct cost_class *k = &c->classes[class_of(n_rows)];
    return k->n_samples >= COST_SAMPLES_SURE && c->n_steps - k->last_step < COST_STEPS_FRESH / 2;
}
