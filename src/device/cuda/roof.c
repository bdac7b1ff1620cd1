/* roof.c - kernels of kernels/roof.cu by the card's own clock. */
#include "device/cuda/roof.h"

#include "device/cuda/cuda_int.h"
#include "device/cuda/kernels/args_roof.h"

enum { REPEATS = 5, BLOCKS_PER_MULTIPROCESSOR = 4, M = 16, N = 8, K_INT8 = 32, K_BF16 = 16 };

struct clock {
    struct CUevent_st *begin, *end;
};

/* Seconds of one launch; 0 where the device is lost. */
static double time_launch(struct cuda *c, const struct clock *t, const struct launch *l)
{
    const struct driver *v = &c->driver;
    float ms = 0;
    if (cuda_enter(c))
        cuda_did(c, v->cuEventRecord(t->begin, c->stream), "cuEventRecord");
    cuda_leave(c);
    cuda_launch(c, l);
    if (cuda_enter(c) && cuda_did(c, v->cuEventRecord(t->end, c->stream), "cuEventRecord") &&
        cuda_did(c, v->cuEventSynchronize(t->end), "cuEventSynchronize"))
        cuda_did(c, v->cuEventElapsedTime(&ms, t->begin, t->end), "cuEventElapsedTime");
    cuda_leave(c);
    return (double)ms * 1e-3;
}

/* The middle of REPEATS, after one that does not count. */
static double time_kernel(struct cuda *c, const struct clock *t, const char *kernel,
                          const struct roof_args *args)
{
    double seconds[REPEATS];
    const struct launch l = {.kernel = kernel,
                             .grid = {BLOCKS_PER_MULTIPROCESSOR * c->card.n_multiprocessors, 1, 1},
                             .block = ROOF_THREADS,
                             .args = args,
                             .n_args_bytes = sizeof *args};
    time_launch(c, t, &l);
    for (int i = 0; i < REPEATS; i++) {
        double x = time_launch(c, t, &l);
        int k = i;
        for (; k > 0 && seconds[k - 1] > x; k--)
            seconds[k] = seconds[k - 1];
        seconds[k] = x;
    }
    return seconds[REPEATS / 2];
}

static double rate(double n, double seconds)
{
    return seconds > 0 ? n / seconds : 0;
}

static void find(struct cuda *c, const struct clock *t, struct roof_args *args, size_t n_bytes,
                 struct cuda_roof *roof)
{
    double n_products = (double)BLOCKS_PER_MULTIPROCESSOR * c->card.n_multiprocessors *
                        (ROOF_THREADS / 32) * ROOF_PRODUCTS * args->n_rounds;
    /* What is left over at the end is not read. */
    uint64_t step =
        8 * (uint64_t)BLOCKS_PER_MULTIPROCESSOR * c->card.n_multiprocessors * ROOF_THREADS;
    args->n_words = n_bytes / 16 / step * step;
    roof->read_bytes = rate(16.0 * (double)args->n_words, time_kernel(c, t, "roof_read", args));
    roof->int8_ops = rate(2.0 * M * N * K_INT8 * n_products, time_kernel(c, t, "roof_int8", args));
    if (c->card.capability >= 80)
        roof->bf16_ops =
            rate(2.0 * M * N * K_BF16 * n_products, time_kernel(c, t, "roof_bf16", args));
}

enum err cuda_roof_find(struct device *d, size_t n_bytes, uint32_t n_rounds, struct cuda_roof *roof,
                        struct err_note *note)
{
    struct cuda *c = cuda_of(d);
    struct clock t = {0};
    struct roof_args args = {.n_rounds = n_rounds};
    void *bytes = NULL, *out = NULL;
    *roof = (struct cuda_roof){0};
    enum err rc = d->ops->mem_take(d, n_bytes, "measuring", &bytes, note);
    rc = rc ? rc : d->ops->mem_take(d, sizeof args.out[0], "measuring", &out, note);
    if (!rc && cuda_enter(c) &&
        cuda_did(c, c->driver.cuEventCreate(&t.begin, CU_EVENT_DEFAULT), "cuEventCreate"))
        cuda_did(c, c->driver.cuEventCreate(&t.end, CU_EVENT_DEFAULT), "cuEventCreate");
    if (!rc)
        cuda_leave(c);
    args.bytes = bytes;
    args.out = out;
    if (!rc && !d->ops->status(d, note))
        find(c, &t, &args, n_bytes, roof);
    if (t.begin)
        (void)c->driver.cuEventDestroy(t.begin);
    if (t.end)
        (void)c->driver.cuEventDestroy(t.end);
    d->ops->mem_give(d, bytes, n_bytes);
    d->ops->mem_give(d, out, sizeof args.out[0]);
    return rc ? rc : d->ops->status(d, note);
}
