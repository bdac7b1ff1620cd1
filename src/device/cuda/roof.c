/* roof.c - kernels of kernels/roof.cu by the card's own clock. */
#include "device/cuda/roof.h"

#include "device/cuda/cuda_int.h"
#include "device/cuda/kernels/args_roof.h"

enum { REPEATS = 5, BLOCKS_PER_MULTIPROCESSOR = 4, M = 16, N = 8, K_INT8 = 32, K_BF16 = 16 };

struct clock {
    struct CUevent_st *begin, *end;
};

/* What is timed: one kernel, or one product by the library. */
struct timed {
    struct launch launch;
    struct cublas_product product;
    bool is_product;
};

static void submit(struct cuda *c, const struct timed *x)
{
    bool is_done = true;
    if (!x->is_product) {
        cuda_launch(c, &x->launch);
        return;
    }
    if (cuda_enter(c))
        c->failed = cublas_multiply(c->cublas, &x->product, c->scratch, CUDA_SCRATCH_BYTES,
                                    c->stream, &is_done, &c->failure);
    if (!is_done && !c->failed)
        c->failed = err_set(&c->failure, ERR_UNSUPPORTED, "libcublasLt has no way for halves");
    cuda_leave(c);
}

/* Seconds of one of them; 0 where the device is lost. */
static double time_once(struct cuda *c, const struct clock *t, const struct timed *x)
{
    const struct driver *v = &c->driver;
    float ms = 0;
    if (cuda_enter(c))
        cuda_did(c, v->cuEventRecord(t->begin, c->stream), "cuEventRecord");
    cuda_leave(c);
    submit(c, x);
    if (cuda_enter(c) && cuda_did(c, v->cuEventRecord(t->end, c->stream), "cuEventRecord") &&
        cuda_did(c, v->cuEventSynchronize(t->end), "cuEventSynchronize"))
        cuda_did(c, v->cuEventElapsedTime(&ms, t->begin, t->end), "cuEventElapsedTime");
    cuda_leave(c);
    return (double)ms * 1e-3;
}

/* The middle of REPEATS, after one that does not count. */
static double time_all(struct cuda *c, const struct clock *t, const struct timed *x)
{
    double seconds[REPEATS];
    time_once(c, t, x);
    for (int i = 0; i < REPEATS; i++) {
        double s = time_once(c, t, x);
        int k = i;
        for (; k > 0 && seconds[k - 1] > s; k--)
            seconds[k] = seconds[k - 1];
        seconds[k] = s;
    }
    return seconds[REPEATS / 2];
}

static double time_kernel(struct cuda *c, const struct clock *t, const char *kernel,
                          const struct roof_args *args)
{
    const struct timed x = {
        .launch = {.kernel = kernel,
                   .grid = {BLOCKS_PER_MULTIPROCESSOR * c->card.n_multiprocessors, 1, 1},
                   .block = ROOF_THREADS,
                   .args = args,
                   .n_args_bytes = sizeof *args}};
    return time_all(c, t, &x);
}

/* Halves of both signs around 1: products of zeros would cost a card less than others. */
static void fill(struct device *d, uint8_t *to, size_t n_bytes, uint16_t one)
{
    uint16_t halves[1 << 12];
    uint32_t x = 1;
    for (size_t at = 0; at < n_bytes; at += sizeof halves) {
        for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++) {
            x = x * 1664525u + 1013904223u;
            halves[i] = (uint16_t)(one ^ (x >> 16 & 0x803f));
        }
        size_t n = n_bytes - at < sizeof halves ? n_bytes - at : sizeof halves;
        d->ops->put(d, to + at, halves, n);
    }
}

/* Operations in a second of a square product by the library; 0 where there is none. */
static double find_library(struct cuda *c, const struct clock *t, uint32_t n, struct err_note *note)
{
    struct device *d = &c->base;
    bool is_brain = c->card.capability >= 80;
    size_t n_halves = (size_t)n * n * sizeof(uint16_t), n_sums = (size_t)n * n * sizeof(float);
    struct err_note why;
    void *w = NULL, *x = NULL, *y = NULL;
    double seconds = 0;
    d->ops->fast_begin(d, &why);
    if (!c->cublas)
        return 0;
    if (d->ops->mem_take(d, n_halves, "measuring", &w, note) == ERR_OK &&
        d->ops->mem_take(d, n_halves, "measuring", &x, note) == ERR_OK &&
        d->ops->mem_take(d, n_sums, "measuring", &y, note) == ERR_OK) {
        fill(d, w, n_halves, is_brain ? 0x3f80 : 0x3c00);
        fill(d, x, n_halves, is_brain ? 0x3f80 : 0x3c00);
        seconds = time_all(
            c, t,
            &(struct timed){.product = {w, x, NULL, y, n, n, n, n, is_brain}, .is_product = true});
    }
    d->ops->mem_give(d, w, n_halves);
    d->ops->mem_give(d, x, n_halves);
    d->ops->mem_give(d, y, n_sums);
    return seconds > 0 ? 2.0 * n * n * n / seconds : 0;
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

enum err cuda_roof_find(struct device *d, size_t n_bytes, uint32_t n_rounds, uint32_t n_side,
                        struct cuda_roof *roof, struct err_note *note)
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
    if (!rc && !d->ops->status(d, note))
        roof->library_ops = find_library(c, &t, n_side, note);
    if (t.begin)
        (void)c->driver.cuEventDestroy(t.begin);
    if (t.end)
        (void)c->driver.cuEventDestroy(t.end);
    d->ops->mem_give(d, bytes, n_bytes);
    d->ops->mem_give(d, out, sizeof args.out[0]);
    return rc ? rc : d->ops->status(d, note);
}
