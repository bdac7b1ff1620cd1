/* normals.h - one long sequence of normal values in binary16, drawn by all threads at once.
 *
 * The values are those of one reader of one generator, whatever the number of threads. The sequence
 * of raw draws is cut into chunks; each is read as if a value began at its first draw. Where the
 * chunk before it ended later (1 of 80), it is read again from there. Double to single to half, as
 * the contract's tensors round. One wave of chunks is held: 4 MiB. */
#ifndef POC_NORMALS_H
#define POC_NORMALS_H

#include "base/err.h"
#include "base/threads.h"
#include "poc/pcg64.h"

struct normals {
    struct threads *threads;
    struct pcg64 rng; /* at the first raw draw of the next wave */
    double scale;
    struct normals_chunk *chunks;
    uint16_t *values;  /* of the wave, chunk by chunk with gaps */
    int chunk;         /* the next value is values[chunk's first + used] */
    uint64_t n_behind; /* values of this chunk that were given out */
    uint64_t n_entry;  /* raw draws of the next wave that the last value of this one took */
};

/* scale times N(0, 1) from rng, which is copied. Threads are borrowed. ERR_MEMORY. */
enum err normals_init(struct normals *s, const struct pcg64 *rng, double scale,
                      struct threads *threads, struct err_note *note);
void normals_release(struct normals *s);

/* The next n values. */
void normals_read(struct normals *s, uint64_t n, uint16_t *out);

/* The same for few values, by the calling thread alone; rng moves on. */
void normals_draw(struct pcg64 *rng, double scale, uint64_t n, uint16_t *out);

#endif
