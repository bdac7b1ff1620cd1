/* rotate.c - frequencies, stretched where the parameters say so; their angles. */
#include "poc/rotate.h"

#include <math.h>

#include "tensor/half.h"

/* The reference's "scaled" rotation, which Llama 3.1 brought: long waves are stretched. */
static double stretched(double frequency)
{
    const double factor = 8, low = 1, high = 4, old_context = 8192;
    double wave = 6.283185307179586 / frequency;
    if (wave < old_context / high)
        return frequency;
    if (wave > old_context / low)
        return frequency / factor;
    double smooth = (old_context / wave - low) / (high - low);
    return (1 - smooth) * frequency / factor + smooth * frequency;
}

void poc_rotations(const struct poc_params *p, uint16_t *cosines, uint16_t *sines)
{
    uint32_t half = poc_head_dim(p) / 2;
    for (uint32_t i = 0; i < half; i++) {
        double power = (float)pow(p->rope_theta, (double)((float)(2 * i) / (float)(2 * half)));
        float frequency = (float)(1 / power);
        if (p->use_scaled_rope)
            frequency = (float)stretched(frequency);
        for (uint32_t t = 0; t < p->seq_len; t++) {
            float angle = (float)t * frequency;
            cosines[t * half + i] = f16_round((float)cos(angle));
            sines[t * half + i] = f16_round((float)sin(angle));
        }
    }
}
