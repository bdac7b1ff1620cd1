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

/* Until depths have varied by so much (rows times positions), times are taken not to depend on
 * them: noise over a narrow range is no slope. */
static const double depth_doubt = 3e3 * 3e3;

static double slope_of(const struct cost *c)
{
    double slope = c->sum_depth_ns / (c->sum_depth_depth + depth_doubt);
    return slope > 0 ? slope : 0;
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
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
        double expected = k->ns + slope_of(c) * (x - k->depth);
        ns = clamp(ns, expected / 1.5, expected * 1.5);
        double d_rows = n_rows - k->rows, d_depth = x - k->depth;
        double d_ns = ns - k->ns - d_rows * k->ns / k->rows;
        c->sum_depth_ns += d_depth * d_ns - c->sum_depth_ns / 128;
        c->sum_depth_depth += d_depth * d_depth - c->sum_depth_depth / 128;
        k->rows += d_rows / 4;
        k->depth += d_depth / 4;
        k->ns += (ns - k->ns) / 4;
        k->n_samples++;
    }
    k->last_step = c->n_steps++;
}

double cost_of(const struct cost *c, uint32_t n_rows, uint64_t depth)
{
    double slope = slope_of(c), rows = 0, base = 0; /* of the largest known class below n_rows */
    for (uint32_t i = 0; i < COST_CLASSES; i++) {
        const struct cost_class *k = &c->classes[i];
        if (!is_known(c, k))
            continue;
        double k_base = k->ns - slope * k->depth;
        k_base = k_base > base ? k_base : base;
        if (k->rows >= n_rows) {
            base += (k_base - base) * (n_rows - rows) / (k->rows - rows);
            return base + slope * (double)depth;
        }
        rows = k->rows;
        base = k_base;
    }
    return rows > 0 ? base * n_rows / rows + slope * (double)depth : 0;
}

bool cost_is_sure(const struct cost *c, uint32_t n_rows)
{
    const struct cost_class *k = &c->classes[class_of(n_rows)];
    return k->n_samples >= COST_SAMPLES_SURE && c->n_steps - k->last_step < COST_STEPS_FRESH / 2;
}
