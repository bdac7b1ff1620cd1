/* cuda.c - the CUDA device: opening, closing, launching. Memory is memory.c's, recorded passes are
 * graphs.c's, operations are the ops_*.c's. */
#include "device/cuda/cuda.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "device/cuda/cuda_int.h"

/* ---- calls of the driver ------------------------------------------------------------------ */

/* A thread's current context is the driver's notion; which device's it is, is noted here. */
static atomic_uint_fast64_t n_opened;
static _Thread_local uint64_t current;

bool cuda_did(struct cuda *c, int rc, const char *call)
{
    if (rc == 0)
        return true;
    if (!c->failed)
        c->failed = driver_error(&c->driver, rc, call, &c->failure);
    return false;
}

bool cuda_enter(struct cuda *c)
{
    pthread_mutex_lock(&c->lock);
    if (!c->failed && current != c->serial &&
        cuda_did(c, c->driver.cuCtxSetCurrent(c->context), "cuCtxSetCurrent"))
        current = c->serial;
    return !c->failed;
}

void cuda_leave(struct cuda *c)
{
    pthread_mutex_unlock(&c->lock);
}

/* ---- launches ----------------------------------------------------------------------------- */

static struct cuda_kernel *find_kernel(struct cuda *c, const char *name)
{
    char call[96];
    for (size_t i = 0; i < c->n_kernels; i++)
        if (c->kernels[i].name == name || strcmp(c->kernels[i].name, name) == 0)
            return &c->kernels[i];
    CHECK(c->n_kernels < CUDA_KERNELS_MAX);
    struct cuda_kernel *k = &c->kernels[c->n_kernels];
    *k = (struct cuda_kernel){.name = name};
    int rc = CUDA_ERROR_NOT_FOUND;
    for (size_t i = 0; i < c->n_modules && rc == CUDA_ERROR_NOT_FOUND; i++)
        rc = c->driver.cuModuleGetFunction(&k->function, c->modules[i], name);
    snprintf(call, sizeof call, "cuModuleGetFunction of %s", name);
    if (!cuda_did(c, rc, call))
        return NULL;
    c->n_kernels++;
    return k;
}

/* More dynamic shared memory than every card gives must be asked for. */
static bool allow_shared(struct cuda *c, struct cuda_kernel *k, uint32_t n_bytes)
{
    enum { FREE_BYTES = 48 << 10 };
    char call[96];
    if (n_bytes <= FREE_BYTES || n_bytes <= k->shared_bytes)
        return true;
    k->shared_bytes = n_bytes;
    snprintf(call, sizeof call, "cuFuncSetAttribute of %s for %u bytes", k->name, n_bytes);
    return cuda_did(c,
                    c->driver.cuFuncSetAttribute(
                        k->function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, (int)n_bytes),
                    call);
}

static void submit(struct cuda *c, const struct cuda_kernel *k, const struct launch *l)
{
    char call[96];
    size_t n_bytes = l->n_args_bytes;
    void *args = (void *)(uintptr_t)l->args; /* the driver only reads it */
    void *extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, args, CU_LAUNCH_PARAM_BUFFER_SIZE, &n_bytes,
                     CU_LAUNCH_PARAM_END};
    snprintf(call, sizeof call, "cuLaunchKernel of %s", k->name);
    cuda_did(c,
             c->driver.cuLaunchKernel(k->function, l->grid[0], l->grid[1], l->grid[2], l->block, 1,
                                      1, l->shared_bytes, c->stream, NULL, extra),
             call);
}

void cuda_launch(struct cuda *c, const struct launch *l)
{
    if (l->grid[0] == 0 || l->grid[1] == 0 || l->grid[2] == 0)
        return;
    struct cuda_kernel *k = cuda_enter(c) ? find_kernel(c, l->kernel) : NULL;
    if (k && allow_shared(c, k, l->shared_bytes))
        submit(c, k, l);
    cuda_leave(c);
}

/* ---- the device --------------------------------------------------------------------------- */

static void cuda_wait(struct device *d)
{
    struct cuda *c = cuda_of(d);
    if (cuda_enter(c)) {
        cuda_break_recording(c);
        cuda_did(c, c->driver.cuStreamSynchronize(c->stream), "cuStreamSynchronize");
    }
    cuda_leave(c);
}

static enum err cuda_status(struct device *d, struct err_note *note)
{
    struct cuda *c = cuda_of(d);
    pthread_mutex_lock(&c->lock);
    enum err rc = c->failed;
    if (rc)
        err_set(note, rc, "GPU %d (%s): %s", c->card.ordinal, c->card.name, c->failure.text);
    pthread_mutex_unlock(&c->lock);
    return rc;
}

static enum err cuda_raw_reserve(struct device *d, enum dtype t, uint32_t n_cols,
                                 struct err_note *note)
{
    (void)d, (void)t, (void)n_cols;
    return err_set(note, ERR_UNSUPPORTED, "a GPU does not multiply with weights in a file");
}

/* What was begun of an opening; after a failure the driver may refuse, which is nothing. */
static void cuda_close(struct device *d)
{
    struct cuda *c = cuda_of(d);
    const struct driver *v = &c->driver;
    if (c->context)
        (void)v->cuCtxSetCurrent(c->context);
    if (c->stream) {
        cuda_break_recording(c);
        (void)v->cuStreamSynchronize(c->stream);
    }
    cuda_release_graphs(c);
    cublas_close(c->cublas);
    cuda_release_memory(c);
    if (c->stream)
        (void)v->cuStreamDestroy(c->stream);
    for (size_t i = 0; i < c->n_modules; i++)
        (void)v->cuModuleUnload(c->modules[i]);
    if (c->context) {
        (void)v->cuCtxSetCurrent(NULL);
        (void)v->cuDevicePrimaryCtxRelease(c->card.device);
    }
    driver_close(&c->driver);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

static const struct device_ops cuda_ops = {
    .name = "cuda",
    .host_memory = false,
    .close = cuda_close,
    .wait = cuda_wait,
    .mem_take = cuda_mem_take,
    .mem_give = cuda_mem_give,
    .mem_left = cuda_mem_left,
    .put = cuda_put,
    .get = cuda_get,
    .fetch = cuda_fetch,
    .fetched = cuda_fetched,
    .move = cuda_move,
    .zero = cuda_zero,
    .status = cuda_status,
    .rows = cuda_take_rows,
    .pass_begin = cuda_pass_begin,
    .pass_end = cuda_pass_end,
    .matrix_bytes = cuda_matrix_bytes,
    .matrix_pack = cuda_matrix_pack,
    .raw_reserve = cuda_raw_reserve,
    .acts_bytes = cuda_acts_bytes,
    .fast_kind = cuda_fast_kind,
    .fast_begin = cuda_fast_begin,
    .quantize = cuda_quantize,
    .matmul = cuda_matmul,
    .embed = cuda_embed,
    .norm = cuda_norm,
    .keep_rows = cuda_keep_rows,
    .experts_bytes = cuda_experts_bytes,
    .experts = cuda_experts,
    .note_bad = cuda_note_bad,
    .glu = cuda_glu,
    .add = cuda_add,
    .reflect = cuda_reflect,
    .logits = cuda_logits,
    .sample = cuda_sample,
    .kv_write = cuda_kv_write,
    .attention = cuda_attention,
    .kv_digest = cuda_kv_digest,
};

/* A card that this program's kernels cannot run on is known by its number, before the driver says
 * so in its own words. */
static enum err check_card(struct cuda *c, struct err_note *note)
{
    struct cuda_images images = cuda_images();
    c->arch = images.is_empty ? c->card.capability
                              : cuda_image_arch(images.cards, c->card.capability);
    if (c->card.capability >= images.least)
        return ERR_OK;
    return err_set(note, ERR_UNSUPPORTED,
                   "GPU %d (%s) has compute capability %d.%d; this program's kernels are for %d.%d "
                   "and later",
                   c->card.ordinal, c->card.name, c->card.capability / 10, c->card.capability % 10,
                   images.least / 10, images.least % 10);
}

static enum err load_kernels(struct cuda *c, struct err_note *note)
{
    struct cuda_images images = cuda_images();
    for (size_t i = 0; i < images.n_images; i++) {
        int rc = c->driver.cuModuleLoadData(&c->modules[i], images.images[i]);
        if (rc && images.is_empty)
            return err_set(note, ERR_UNSUPPORTED,
                           "this program was built without nvcc and has no kernels for GPU %d (%s)",
                           c->card.ordinal, c->card.name);
        if (rc)
            return driver_error(&c->driver, rc, "cuModuleLoadData", note);
        c->n_modules++;
    }
    return ERR_OK;
}

static enum err begin(struct cuda *c, struct err_note *note)
{
    const struct driver *v = &c->driver;
    int rc = v->cuDevicePrimaryCtxRetain(&c->context, c->card.device);
    if (rc)
        return driver_error(v, rc, "cuDevicePrimaryCtxRetain", note);
    rc = v->cuCtxSetCurrent(c->context);
    if (rc)
        return driver_error(v, rc, "cuCtxSetCurrent", note);
    current = c->serial = atomic_fetch_add(&n_opened, 1) + 1;
    enum err error = load_kernels(c, note);
    if (error)
        return error;
    rc = v->cuStreamCreate(&c->stream, CU_STREAM_NON_BLOCKING);
    return rc ? driver_error(v, rc, "cuStreamCreate", note) : cuda_begin_memory(c, note);
}

enum err cuda_device_open(int ordinal, uint64_t n_bytes_limit, struct device **d,
                          struct err_note *note)
{
    struct cuda *c = mem_zalloc(sizeof *c);
    if (!c || pthread_mutex_init(&c->lock, NULL) != 0) {
        mem_free(c);
        return err_set(note, ERR_MEMORY, "out of memory opening GPU %d", ordinal);
    }
    c->base.ops = &cuda_ops;
    c->n_bytes_limit = n_bytes_limit;
    enum err rc = driver_open(&c->driver, note);
    if (!rc && (ordinal < 0 || ordinal >= c->driver.n_cards))
        rc = err_set(note, ERR_NOT_FOUND, "there is no GPU %d; the driver knows %d, from 0 on",
                     ordinal, c->driver.n_cards);
    if (!rc)
        rc = driver_card(&c->driver, ordinal, &c->card, note);
    if (!rc)
        rc = check_card(c, note);
    if (!rc)
        rc = begin(c, note);
    if (rc) {
        cuda_close(&c->base);
        return rc;
    }
    *d = &c->base;
    return ERR_OK;
}
