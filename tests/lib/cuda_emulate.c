/* cuda_emulate.c - threads of a block as fibres: each runs until it waits for the others. */
#include "lib/cuda_emulate.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

/* Sanitizers are told of each change of stacks. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#include <sanitizer/common_interface_defs.h>
#define FIBRE_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
#define FIBRE_TSAN 1
#endif
#endif

enum { THREADS_MAX = 1024, STACK_BYTES = 256 * 1024, SHARED_MAX = 16 };
enum fibre_state { FIBRE_READY, FIBRE_IN_WARP, FIBRE_IN_BLOCK, FIBRE_DONE };

struct fibre {
    ucontext_t context; /* for its first run */
    jmp_buf at;
    bool has_run;
    struct cuda_thread thread;
    enum fibre_state state;
    uint32_t n_exchanges;
    size_t n_exchanged; /* bytes given to the last one */
    void *stack;
    void *tsan;
};

/* What the lanes of a warp give: two places in turns, since a fast lane may be one ahead. */
struct warp_place {
    uint8_t bytes[2][32 * CUDA_EXCHANGE_BYTES];
};

extern const struct kernel_entry __start_cuda_kernels[] __attribute__((weak));
extern const struct kernel_entry __stop_cuda_kernels[] __attribute__((weak));

bool cuda_emulate_backwards;
struct cuda_thread *cuda_thread;
static struct fibre fibres[THREADS_MAX], *running;
static struct warp_place warps[THREADS_MAX / 32];
static const void *scheduler_stack;
static size_t scheduler_stack_bytes;
static void *scheduler_tsan;
#ifdef FIBRE_TSAN
static ucontext_t scheduler_context;
#else
static jmp_buf scheduler;
#endif
static const struct kernel_entry *kernel;
static const void *kernel_args;
static struct {
    const void *key;
    void *bytes;
} shared[SHARED_MAX];
static int n_shared;

const struct kernel_entry *kernel_named(const char *name)
{
    for (const struct kernel_entry *k = __start_cuda_kernels; k < __stop_cuda_kernels; k++)
        if (strcmp(k->name, name) == 0)
            return k;
    return NULL;
}

static void broken(const char *what)
{
    fprintf(stderr, "%s: block %u %u, thread %u: %s\n", kernel->name, cuda_thread->block.x,
            cuda_thread->block.y, cuda_thread->thread.x, what);
    abort();
}

/* Before and after a change of stacks: `fake` keeps what AddressSanitizer hands out. */
static void leave_stack(void **fake, const void *to, size_t n_bytes, void *tsan)
{
#ifdef FIBRE_ASAN
    __sanitizer_start_switch_fiber(fake, to, n_bytes);
#endif
#ifdef FIBRE_TSAN
    __tsan_switch_to_fiber(tsan, 0);
#endif
    (void)fake, (void)to, (void)n_bytes, (void)tsan;
}
static void reach_stack(void *fake, const void **from, size_t *n_bytes)
{
#ifdef FIBRE_ASAN
    __sanitizer_finish_switch_fiber(fake, from, n_bytes);
#endif
    (void)fake, (void)from, (void)n_bytes;
}

/* Back to the scheduler, which comes back when all that are waited for have come. */
static void fibre_wait(enum fibre_state state)
{
    struct fibre *self = running;
    void *fake = NULL;
    self->state = state;
    leave_stack(state == FIBRE_DONE ? NULL : &fake, scheduler_stack, scheduler_stack_bytes,
                scheduler_tsan);
#ifdef FIBRE_TSAN /* which does not know of jumps between stacks */
    swapcontext(&self->context, &scheduler_context);
#else
    if (_setjmp(self->at) == 0)
        _longjmp(scheduler, 1);
#endif
    reach_stack(fake, &scheduler_stack, &scheduler_stack_bytes);
}

static void fibre_main(void)
{
    reach_stack(NULL, &scheduler_stack, &scheduler_stack_bytes);
    kernel->entry(kernel_args);
    fibre_wait(FIBRE_DONE);
}

void cuda_sync_block(void)
{
    fibre_wait(FIBRE_IN_BLOCK);
}

const void *cuda_exchange(const void *mine, size_t n_bytes)
{
    uint32_t lane = cuda_thread->thread.x % 32;
    struct warp_place *place = &warps[cuda_thread->thread.x / 32];
    uint8_t *bytes = place->bytes[running->n_exchanges++ % 2];
    if (n_bytes > CUDA_EXCHANGE_BYTES)
        broken("too much exchanged");
    running->n_exchanged = n_bytes;
    memcpy(bytes + lane * n_bytes, mine, n_bytes);
    fibre_wait(FIBRE_IN_WARP);
    return bytes;
}

void *cuda_shared(const void *key, size_t n_bytes)
{
    for (int i = 0; i < n_shared; i++)
        if (shared[i].key == key)
            return shared[i].bytes;
    if (n_shared == SHARED_MAX)
        broken("too many shared arrays");
    /* Ends where it ends: aligned for vectors, no slack behind it. */
    void *bytes = NULL;
    if (posix_memalign(&bytes, 64, n_bytes ? n_bytes : 1) != 0)
        broken("out of memory");
    memset(bytes, 0x7f, n_bytes);
    memset(bytes, 0xff, n_bytes / 2);
    shared[n_shared].key = key;
    shared[n_shared++].bytes = bytes;
    return bytes;
}

static size_t dynamic_bytes;
void *cuda_dynamic_shared(void)
{
    static const char key;
    return cuda_shared(&key, dynamic_bytes);
}

static void fibre_run(struct fibre *f)
{
    void *fake = NULL;
    running = f;
    cuda_thread = &f->thread;
    f->state = FIBRE_READY;
    leave_stack(&fake, f->stack, STACK_BYTES, f->tsan);
#ifdef FIBRE_TSAN
    swapcontext(&scheduler_context, &f->context);
#else
    if (_setjmp(scheduler) == 0) {
        if (f->has_run)
            _longjmp(f->at, 1);
        f->has_run = true;
        setcontext(&f->context);
    }
#endif
    reach_stack(fake, NULL, NULL);
}

/* How many of fibres [from, to) are in a state. */
static uint32_t count(uint32_t from, uint32_t to, enum fibre_state state)
{
    uint32_t n = 0;
    for (uint32_t i = from; i < to; i++)
        n += fibres[i].state == state;
    return n;
}

static void fibre_start(struct fibre *f, const uint32_t grid[3], uint32_t n_threads, uint32_t i,
                        const uint32_t block[3])
{
    f->thread = (struct cuda_thread){
        {i, 0, 0}, {block[0], block[1], block[2]}, {n_threads, 1, 1}, {grid[0], grid[1], grid[2]}};
    f->state = FIBRE_READY;
    f->n_exchanges = 0;
    f->has_run = false;
    if (!f->stack)
        f->stack = aligned_alloc(64, STACK_BYTES);
#ifdef FIBRE_TSAN
    if (!f->tsan)
        f->tsan = __tsan_create_fiber(0);
#endif
    if (!f->stack || getcontext(&f->context) != 0)
        abort();
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK_BYTES;
    f->context.uc_link = NULL;
    makecontext(&f->context, fibre_main, 0);
}

/* Stacks live as long as the library that the emulation is part of. */
__attribute__((destructor)) static void release_stacks(void)
{
    for (uint32_t i = 0; i < THREADS_MAX; i++) {
        free(fibres[i].stack);
        fibres[i].stack = NULL;
    }
}

/* A warp runs until all of it waits for the block or is done. */
static void warp_run(uint32_t from)
{
    for (;;) {
        for (uint32_t i = from; i < from + 32; i++)
            if (fibres[i].state != FIBRE_IN_BLOCK && fibres[i].state != FIBRE_DONE)
                fibre_run(&fibres[i]);
        uint32_t n = count(from, from + 32, FIBRE_IN_WARP);
        if (n == 0)
            return;
        if (n != 32)
            broken("a collective that not every lane reaches");
        for (uint32_t i = from; i < from + 32; i++)
            if (fibres[i].n_exchanged != fibres[from].n_exchanged)
                broken("two collectives met at once");
    }
}

static void block_run(const uint32_t grid[3], uint32_t n_threads, const uint32_t block[3])
{
    for (uint32_t i = 0; i < n_threads; i++)
        fibre_start(&fibres[i], grid, n_threads, i, block);
    for (;;) {
        for (uint32_t i = 0; i < n_threads; i += 32)
            warp_run(i);
        uint32_t n = count(0, n_threads, FIBRE_IN_BLOCK);
        if (n == 0)
            break;
        if (n != n_threads)
            broken("a barrier that not every thread reaches");
        for (uint32_t i = 0; i < n_threads; i++)
            fibres[i].state = FIBRE_READY;
    }
    for (int i = 0; i < n_shared; i++)
        free(shared[i].bytes);
    n_shared = 0;
}

void cuda_emulate(const struct kernel_entry *k, const uint32_t grid[3], uint32_t n_threads,
                  size_t shared_bytes, const void *args)
{
    kernel = k;
    kernel_args = args;
    dynamic_bytes = shared_bytes;
#ifdef FIBRE_TSAN
    scheduler_tsan = __tsan_get_current_fiber();
#endif
    if (n_threads % 32 || n_threads > THREADS_MAX || n_threads == 0) {
        fprintf(stderr, "%s: %u threads in a block\n", k->name, n_threads);
        abort();
    }
    uint64_t n_blocks = (uint64_t)grid[0] * grid[1] * grid[2];
    for (uint64_t i = 0; i < n_blocks; i++) {
        uint64_t at = cuda_emulate_backwards ? n_blocks - 1 - i : i;
        uint32_t block[3] = {(uint32_t)(at % grid[0]), (uint32_t)(at / grid[0] % grid[1]),
                             (uint32_t)(at / grid[0] / grid[1])};
        block_run(grid, n_threads, block);
    }
}

void cuda_emulate_launch(const struct launch *l)
{
    const struct kernel_entry *k = kernel_named(l->kernel);
    if (!k) {
        fprintf(stderr, "no kernel %s\n", l->kernel);
        abort();
    }
    cuda_emulate(k, l->grid, l->block, l->shared_bytes, l->args);
}
