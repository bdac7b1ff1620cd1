/* normals.c - waves of chunks: read in parallel, mended in order, copied in parallel. */
#include "poc/normals.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "poc/ziggurat.h"
#include "tensor/half.h"

enum { CHUNK_RAWS = 1 << 15, WAVE_CHUNKS = 64 };

struct normals_chunk {
    uint64_t n_values;
    uint64_t n_over; /* raw draws of the next chunk that the last value took */
};

/* Values that begin at raw draws n_entry..CHUNK_RAWS-1 of a chunk. */
static void chunk_read(struct normals *s, size_t i, uint64_t n_entry)
{
    struct normals_chunk *chunk = &s->chunks[i];
    struct pcg64 rng = s->rng;
    pcg64_advance(&rng, (pcg_word)i * CHUNK_RAWS + n_entry);
    uint16_t *out = s->values + i * CHUNK_RAWS;
    uint64_t n_raws = n_entry, n = 0;
    while (n_raws < CHUNK_RAWS)
        out[n++] = f16_round((float)(s->scale * ziggurat_next(&rng, &n_raws)));
    *chunk = (struct normals_chunk){n, n_raws - CHUNK_RAWS};
}

static void chunk_task(void *context, size_t task_i, int worker)
{
    (void)worker;
    chunk_read(context, task_i, 0);
}

static void wave_read(struct normals *s)
{
    threads_run(s->threads, WAVE_CHUNKS, chunk_task, s);
    uint64_t n_entry = s->n_entry;
    for (size_t i = 0; i < WAVE_CHUNKS; i++) {
        if (n_entry > 0)
            chunk_read(s, i, n_entry);
        n_entry = s->chunks[i].n_over;
    }
    s->n_entry = n_entry;
    pcg64_advance(&s->rng, (pcg_word)WAVE_CHUNKS * CHUNK_RAWS);
    s->chunk = 0;
    s->n_behind = 0;
}

enum err normals_init(struct normals *s, const struct pcg64 *rng, double scale,
                      struct threads *threads, struct err_note *note)
{
    *s = (struct normals){.threads = threads, .rng = *rng, .scale = scale, .chunk = WAVE_CHUNKS};
    s->chunks = mem_array(WAVE_CHUNKS, sizeof *s->chunks);
    s->values = mem_array((size_t)WAVE_CHUNKS * CHUNK_RAWS, sizeof *s->values);
    if (s->chunks && s->values)
        return ERR_OK;
    normals_release(s);
    return err_set(note, ERR_MEMORY, "no memory for a wave of random values (4 MiB)");
}

void normals_release(struct normals *s)
{
    mem_free(s->chunks);
    mem_free(s->values);
    *s = (struct normals){0};
}

/* What each chunk of the wave gives to one call: values [first, first + n) to out + at. */
struct copy {
    const struct normals *s;
    uint16_t *out;
    struct copy_part {
        uint64_t first, n, at;
    } parts[WAVE_CHUNKS];
};

static void copy_task(void *context, size_t task_i, int worker)
{
    (void)worker;
    const struct copy *c = context;
    const struct copy_part *p = &c->parts[task_i];
    memcpy(c->out + p->at, c->s->values + task_i * CHUNK_RAWS + p->first, p->n * sizeof *c->out);
}

void normals_read(struct normals *s, uint64_t n, uint16_t *out)
{
    while (n > 0) {
        if (s->chunk == WAVE_CHUNKS)
            wave_read(s);
        struct copy copy = {.s = s, .out = out};
        uint64_t at = 0;
        while (s->chunk < WAVE_CHUNKS && at < n) {
            uint64_t left = s->chunks[s->chunk].n_values - s->n_behind;
            uint64_t take = left < n - at ? left : n - at;
            copy.parts[s->chunk] = (struct copy_part){s->n_behind, take, at};
            at += take;
            s->n_behind += take;
            if (take == left) {
                s->chunk++;
                s->n_behind = 0;
            }
        }
        threads_run(s->threads, WAVE_CHUNKS, copy_task, &copy);
        out += at;
        n -= at;
    }
}

void normals_draw(struct pcg64 *rng, double scale, uint64_t n, uint16_t *out)
{
    uint64_t n_raws = 0;
    for (uint64_t i = 0; i < n; i++)
        out[i] = f16_round((float)(scale * ziggurat_next(rng, &n_raws)));
}
