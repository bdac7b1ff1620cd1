/* cost.h - how long a step will take, learned from the steps before it.
 *
 * A step costs base(rows) + slope * depth, where depth is the sum over its rows of the positions
 * before each. base is a mean for each class of row counts, because it is not a line: few rows cost
 * what reading the weights costs, many what multiplying costs, in tiles. Between known classes it
 * is interpolated, beyond the largest known one taken as proportional. slope comes from how times
 * vary within classes, as far as that stands out of the noise.
 * What else runs on the machine only adds: of the first samples the least counts, later ones move a
 * mean by a part, upwards by a small one. A class unseen for COST_STEPS_FRESH steps is forgotten,
 * so that nothing wrong stays.
 * Pure: time comes in as numbers. Units: nanoseconds. */
#ifndef ENGINE_COST_H
#define ENGINE_COST_H

#include <stdbool.h>
#include <stdint.h>

enum { COST_EXACT = 32, COST_CLASSES = COST_EXACT + 48, COST_SAMPLES_SURE = 2 };
enum { COST_STEPS_FRESH = 96 };

struct cost_class {
    double rows, depth, ns; /* means */
    uint32_t n_samples;     /* 0: unknown */
    uint64_t last_step;
};

struct cost {
    struct cost_class classes[COST_CLASSES];
    /* Of the last hundred or so: products of how depth and time differ from their class's means, as
     * parts of the time. */
    double n, depth_depth, depth_ns, ns_ns;
    uint64_t n_steps;
};

/* cost_observe - a step of n_rows >= 1 rows took ns. */
void cost_observe(struct cost *c, uint32_t n_rows, uint64_t depth, double ns);

/* cost_of - what such a step is expected to take; 0: nothing is known yet. For one depth it does
 * not fall as rows grow. */
double cost_of(const struct cost *c, uint32_t n_rows, uint64_t depth);

/* cost_was_tried - steps of about so many rows were seen often enough, at whatever time. */
bool cost_was_tried(const struct cost *c, uint32_t n_rows);
/* cost_is_sure - steps of about so many rows were seen often enough, and not long ago. */
bool cost_is_sure(const struct cost *c, uint32_t n_rows);

#endif
