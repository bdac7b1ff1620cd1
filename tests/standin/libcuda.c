/* libcuda.c - a stand-in for NVIDIA's driver, for tests: the calls that driver.h names, with
 * kernels that the host emulates.
 *
 * It is stricter than a driver. Work is put off until somebody waits for it, so that whoever does
 * not wait sees nothing of it; device memory is closed to the host at all other times; every range
 * of a copy, every lifetime, and at the end every leak is checked. What is wrong ends the process
 * with a sentence. Nothing here says anything about speed.
 *
 * STANDIN_CARDS, STANDIN_CAPABILITY (90), STANDIN_MEMORY (bytes) say what there is.
 * STANDIN_LAUNCHES=FILE: the name of each kernel that is launched is added to it.
 * STANDIN_FAIL=call:n:code: the nth call of that name ("*": of any) since cuInit gives that code;
 * from 700 to 719 all later ones too, as when a kernel fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cuda/driver.h"
#include "lib/cuda_emulate.h"
#include "standin/memory.h"
#include "standin/share.h"


#define DECLARE(field, symbol, parameters) EXPORT int symbol parameters;
DRIVER_CALLS(DECLARE)
extern uint64_t standin_n_calls; /* since cuInit, for tests */

enum { ARGS_BYTES_MAX = 4096, FREE_SHARED_BYTES = 48 << 10, SHARED_BYTES_MAX = 227 << 10 };

enum work_kind { WORK_PUT, WORK_GET, WORK_MOVE, WORK_SET, WORK_LAUNCH, WORK_CALL, WORK_EVENT };

struct work {
    enum work_kind kind;
    void *to;
    const void *from;
    size_t n_bytes;
    uint64_t sum; /* of what a put copies, when it was submitted */
    uint8_t value;
    struct CUevent_st *event;
    const struct kernel_entry *kernel;
    uint32_t grid[3], block, shared_bytes;
    void (*call)(const void *args); /* of a library's work, and its name */
    const char *name;
    uint8_t *args; /* of a launch or call: owned */
    size_t n_args_bytes;
};

struct work_list {
    struct work *items;
    size_t n_items;
};

struct CUctx_st {
    int n_retained;
};
struct CUmod_st {
    bool is_live;
};
struct CUfunc_st {
    const struct kernel_entry *kernel;
    uint32_t shared_bytes;
    struct CUfunc_st *next;
};
struct CUstream_st {
    struct work_list queue;
    struct work_list *recording; /* NULL: none */
};
struct CUevent_st {
    struct CUstream_st *stream; /* where it was recorded; NULL: nowhere */
    bool is_done;
};
struct CUgraph_st {
    struct work_list list;
};
struct CUgraphExec_st {
    struct work_list list;
};

static struct CUctx_st contexts[8];
static struct CUfunc_st *functions;
static struct CUstream_st *only_stream;
static _Thread_local struct CUctx_st *current;
static struct {
    size_t modules, streams, events, graphs, execs;
} n_live;
static struct {
    char call[64];
    uint64_t n;
    int code, stuck;
} fail;
EXPORT uint64_t standin_n_calls;

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

/* ---- failing on purpose ------------------------------------------------------------------- */

static void read_fail(void)
{
    const char *text = getenv("STANDIN_FAIL");
    memset(&fail, 0, sizeof fail);
    standin_n_calls = 0;
    if (!text || !*text)
        return;
    size_t n = strcspn(text, ":");
    char *end = NULL;
    snprintf(fail.call, sizeof fail.call, "%.*s", (int)n, text);
    fail.n = text[n] ? strtoull(text + n + 1, &end, 10) : 0;
    fail.code = end && *end == ':' ? (int)strtol(end + 1, NULL, 10) : 0;
    if (fail.n == 0 || fail.code == 0)
        refuse("STANDIN_FAIL is \"%s\"; such as cuMemAlloc:3:2", text);
}

static int failing(const char *call)
{
    standin_n_calls++;
    if (fail.stuck)
        return fail.stuck;
    size_t n = strlen(fail.call); /* names here may end in _v2 */
    bool is_named = strcmp(fail.call, "*") == 0 ||
                    (n && strncmp(fail.call, call, n) == 0 && (!call[n] || call[n] == '_'));
    if (!is_named || fail.n == 0 || --fail.n > 0)
        return 0;
    if (fail.code >= 700 && fail.code <= 719)
        fail.stuck = fail.code;
    return fail.code;
}

/* In front of every call but those that give something back: they do, and say what they must. */
#define MAY_FAIL()                                                                                 \
    do {                                                                                           \
        int failing_ = failing(__func__);                                                          \
        if (failing_)                                                                              \
            return failing_;                                                                       \
    } while (0)

static void need_context(const char *call)
{
    if (!current || current->n_retained == 0)
        refuse("%s without a current context in this thread", call);
}

/* ---- work that was put off ---------------------------------------------------------------- */

static uint64_t sum_of(const uint8_t *p, size_t n_bytes)
{
    uint64_t sum = 14695981039346656037u;
    for (size_t i = 0; i < n_bytes; i++)
        sum = (sum ^ p[i]) * 1099511628211u;
    return sum;
}

static void add(struct work_list *l, struct work w)
{
    if ((l->n_items & (l->n_items - 1)) == 0) {
        size_t n = l->n_items ? 2 * l->n_items : 1;
        l->items = realloc(l->items, n * sizeof l->items[0]);
        if (!l->items)
            refuse("out of memory");
    }
    l->items[l->n_items++] = w;
}

/* All of one list at the end of another, with arguments of their own. */
static void add_all(struct work_list *l, const struct work_list *more)
{
    for (size_t i = 0; i < more->n_items; i++) {
        struct work w = more->items[i];
        if (w.args) {
            w.args = malloc(w.n_args_bytes);
            if (!w.args)
                refuse("out of memory");
            memcpy(w.args, more->items[i].args, w.n_args_bytes);
        }
        add(l, w);
    }
}

static void empty(struct work_list *l)
{
    for (size_t i = 0; i < l->n_items; i++)
        free(l->items[i].args);
    free(l->items);
    *l = (struct work_list){0};
}

static void submit(struct CUstream_st *s, struct work w, const char *call)
{
    if (!s->recording) {
        add(&s->queue, w);
        return;
    }
    if (w.kind == WORK_PUT || w.kind == WORK_GET || w.kind == WORK_EVENT)
        refuse("%s while the stream is recorded", call);
    add(s->recording, w);
}

static const char *do_work(struct work *w)
{
    switch (w->kind) {
    case WORK_PUT:
        memory_check(PLACE_DEVICE, w->to, w->n_bytes, "a copy to the device");
        memory_check(PLACE_PINNED, w->from, w->n_bytes, "a copy to the device");
        if (sum_of(w->from, w->n_bytes) != w->sum)
            refuse("what is copied to the device was changed before the copy was done");
        memcpy(w->to, w->from, w->n_bytes);
        return "a copy to the device";
    case WORK_GET:
        memory_check(PLACE_DEVICE, w->from, w->n_bytes, "a copy to the host");
        memory_check(PLACE_PINNED, w->to, w->n_bytes, "a copy to the host");
        memcpy(w->to, w->from, w->n_bytes);
        return "a copy to the host";
    case WORK_MOVE:
        memory_check(PLACE_DEVICE, w->from, w->n_bytes, "a copy on the device");
        memory_check(PLACE_DEVICE, w->to, w->n_bytes, "a copy on the device");
        memcpy(w->to, w->from, w->n_bytes);
        return "a copy on the device";
    case WORK_SET:
        memory_check(PLACE_DEVICE, w->to, w->n_bytes, "cuMemsetD8Async");
        memset(w->to, w->value, w->n_bytes);
        return "cuMemsetD8Async";
    case WORK_LAUNCH:
        cuda_emulate(w->kernel, w->grid, w->block, w->shared_bytes, w->args);
        return w->kernel->name;
    case WORK_CALL:
        w->call(w->args);
        return w->name;
    case WORK_EVENT:
        w->event->is_done = true;
        return "an event";
    }
    refuse("unknown work %d", w->kind);
}

/* All that was submitted, up to an event if one is given. */
static void drain(struct CUstream_st *s, const struct CUevent_st *until)
{
    const char *who = "nothing";
    size_t n = 0;
    if (s->recording)
        refuse("somebody waits for a stream that is recorded");
    if (s->queue.n_items == 0)
        return;
    memory_open();
    for (bool is_found = false; n < s->queue.n_items && !is_found; n++) {
        struct work *w = &s->queue.items[n];
        who = do_work(w);
        is_found = until && w->kind == WORK_EVENT && w->event == until;
    }
    memory_close(who);
    struct work_list done = s->queue, rest = {done.items + n, done.n_items - n};
    s->queue = (struct work_list){0};
    add_all(&s->queue, &rest);
    empty(&done);
}

/* ---- the driver and its cards ------------------------------------------------------------- */

EXPORT int cuInit(unsigned flags)
{
    read_fail();
    MAY_FAIL();
    return flags ? 1 : 0;
}

EXPORT int cuDriverGetVersion(int *version)
{
    MAY_FAIL();
    *version = 13000;
    return 0;
}

EXPORT int cuGetErrorName(int rc, const char **text)
{
    *text = rc == 2     ? "CUDA_ERROR_OUT_OF_MEMORY"
            : rc == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS"
            : rc == 719 ? "CUDA_ERROR_LAUNCH_FAILED"
                        : "CUDA_ERROR_OF_THE_STANDIN";
    return 0;
}

EXPORT int cuGetErrorString(int rc, const char **text)
{
    *text = rc == 2 ? "out of memory" : "as the test wanted";
    return 0;
}

EXPORT int cuDeviceGetCount(int *n)
{
    MAY_FAIL();
    *n = (int)number_of("STANDIN_CARDS", 1);
    return 0;
}

EXPORT int cuDeviceGet(int *device, int ordinal)
{
    MAY_FAIL();
    *device = ordinal;
    return 0;
}

EXPORT int cuDeviceGetName(char *name, int n_name, int device)
{
    MAY_FAIL();
    (void)device;
    snprintf(name, (size_t)n_name, "emulated, no GPU");
    return 0;
}

EXPORT int cuDeviceGetAttribute(int *value, int attribute, int device)
{
    int capability = (int)number_of("STANDIN_CAPABILITY", 90);
    MAY_FAIL();
    (void)device;
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
        *value = capability / 10;
        return 0;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
        *value = capability % 10;
        return 0;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
        *value = 3;
        return 0;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
        *value = SHARED_BYTES_MAX;
        return 0;
    default:
        *value = 1;
        return 0;
    }
}

static size_t card_bytes(void)
{
    return number_of("STANDIN_MEMORY", (size_t)2 << 30);
}

EXPORT int cuDeviceTotalMem_v2(size_t *n_bytes, int device)
{
    MAY_FAIL();
    (void)device;
    *n_bytes = card_bytes();
    return 0;
}

EXPORT int cuDeviceGetPCIBusId(char *id, int n_id, int device)
{
    MAY_FAIL();
    snprintf(id, (size_t)n_id, "0000:0%d:00.0", device);
    return 0;
}

EXPORT int cuDevicePrimaryCtxRetain(struct CUctx_st **context, int device)
{
    MAY_FAIL();
    contexts[device].n_retained++;
    *context = &contexts[device];
    return 0;
}

static void check_leaks(void)
{
    size_t n_device = memory_count(PLACE_DEVICE), n_pinned = memory_count(PLACE_PINNED);
    if (n_device + n_pinned + n_live.modules + n_live.streams + n_live.events + n_live.graphs +
        n_live.execs)
        refuse("not given back at the end: %zu blocks of the device's memory, %zu pinned, %zu "
               "modules, %zu streams, %zu events, %zu graphs, %zu executable graphs",
               n_device, n_pinned, n_live.modules, n_live.streams, n_live.events, n_live.graphs,
               n_live.execs);
}

EXPORT int cuDevicePrimaryCtxRelease_v2(int device)
{
    int rc = failing(__func__);
    if (contexts[device].n_retained == 0)
        refuse("a context is released that nobody has");
    contexts[device].n_retained--;
    for (size_t i = 0, n = 0; i < sizeof contexts / sizeof contexts[0]; i++) {
        n += (size_t)contexts[i].n_retained;
        if (i + 1 == sizeof contexts / sizeof contexts[0] && n == 0)
            check_leaks();
    }
    return rc;
}

EXPORT int cuCtxSetCurrent(struct CUctx_st *context)
{
    MAY_FAIL();
    current = context;
    return 0;
}

/* ---- memory ------------------------------------------------------------------------------- */

EXPORT int cuMemGetInfo_v2(size_t *n_bytes_free, size_t *n_bytes)
{
    MAY_FAIL();
    need_context(__func__);
    *n_bytes = card_bytes();
    *n_bytes_free = memory_left(card_bytes());
    return 0;
}

EXPORT int cuMemAlloc_v2(uint64_t *p, size_t n_bytes)
{
    MAY_FAIL();
    need_context(__func__);
    if (n_bytes == 0)
        return 1;
    void *found = n_bytes <= memory_left(card_bytes()) ? memory_take(PLACE_DEVICE, n_bytes) : NULL;
    *p = (uint64_t)(uintptr_t)found;
    return found ? 0 : CUDA_ERROR_OUT_OF_MEMORY;
}

/* A driver waits for the device first. */
EXPORT int cuMemFree_v2(uint64_t p)
{
    int rc = failing(__func__);
    need_context(__func__);
    if (only_stream && !fail.stuck)
        drain(only_stream, NULL);
    memory_give(PLACE_DEVICE, (void *)(uintptr_t)p, "cuMemFree");
    return rc;
}

EXPORT int cuMemHostAlloc(void **p, size_t n_bytes, unsigned flags)
{
    MAY_FAIL();
    need_context(__func__);
    *p = flags || n_bytes == 0 ? NULL : memory_take(PLACE_PINNED, n_bytes);
    return *p ? 0 : CUDA_ERROR_OUT_OF_MEMORY;
}

EXPORT int cuMemFreeHost(void *p)
{
    int rc = failing(__func__);
    need_context(__func__);
    memory_give(PLACE_PINNED, p, "cuMemFreeHost");
    return rc;
}

EXPORT int cuMemsetD8Async(uint64_t to, unsigned char value, size_t n_bytes,
                           struct CUstream_st *stream)
{
    struct work w = {.kind = WORK_SET, .to = (void *)(uintptr_t)to, .n_bytes = n_bytes};
    MAY_FAIL();
    need_context(__func__);
    w.value = value;
    memory_check(PLACE_DEVICE, w.to, n_bytes, __func__);
    submit(stream, w, __func__);
    return 0;
}

EXPORT int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t n_bytes,
                                struct CUstream_st *stream)
{
    struct work w = {.kind = WORK_PUT, .to = (void *)(uintptr_t)to, .from = from};
    MAY_FAIL();
    need_context(__func__);
    memory_check(PLACE_DEVICE, w.to, n_bytes, __func__);
    memory_check(PLACE_PINNED, from, n_bytes, __func__);
    w.n_bytes = n_bytes;
    w.sum = sum_of(from, n_bytes);
    submit(stream, w, __func__);
    return 0;
}

/* The place is spoilt at once: whoever reads it before it waits reads rubbish. */
EXPORT int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t n_bytes, struct CUstream_st *stream)
{
    struct work w = {.kind = WORK_GET, .to = to, .from = (const void *)(uintptr_t)from};
    MAY_FAIL();
    need_context(__func__);
    memory_check(PLACE_DEVICE, w.from, n_bytes, __func__);
    memory_check(PLACE_PINNED, to, n_bytes, __func__);
    w.n_bytes = n_bytes;
    memset(to, 0xee, n_bytes);
    submit(stream, w, __func__);
    return 0;
}

EXPORT int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t n_bytes,
                                struct CUstream_st *stream)
{
    struct work w = {.kind = WORK_MOVE,
                     .to = (void *)(uintptr_t)to,
                     .from = (const void *)(uintptr_t)from,
                     .n_bytes = n_bytes};
    MAY_FAIL();
    need_context(__func__);
    memory_check(PLACE_DEVICE, w.to, n_bytes, __func__);
    memory_check(PLACE_DEVICE, w.from, n_bytes, __func__);
    if (to < from + n_bytes && from < to + n_bytes)
        refuse("%s: source and target overlap", __func__);
    submit(stream, w, __func__);
    return 0;
}

/* ---- streams, events, graphs -------------------------------------------------------------- */

static void *make(size_t n_bytes, size_t *n_of_them)
{
    void *p = calloc(1, n_bytes);
    if (!p)
        refuse("out of memory");
    ++*n_of_them;
    return p;
}

static void unmake(void *p, size_t *n_of_them, const char *call)
{
    if (!p || *n_of_them == 0)
        refuse("%s of what there is not", call);
    --*n_of_them;
    free(p);
}

EXPORT int cuStreamCreate(struct CUstream_st **stream, unsigned flags)
{
    MAY_FAIL();
    need_context(__func__);
    (void)flags;
    if (n_live.streams)
        refuse("the stand-in has one stream");
    *stream = only_stream = make(sizeof **stream, &n_live.streams);
    return 0;
}

EXPORT int cuStreamDestroy_v2(struct CUstream_st *stream)
{
    int rc = failing(__func__);
    if (stream->recording)
        refuse("a stream ends in the middle of a recording");
    if (!fail.stuck)
        drain(stream, NULL);
    empty(&stream->queue);
    only_stream = NULL;
    unmake(stream, &n_live.streams, __func__);
    return rc;
}

EXPORT int cuStreamSynchronize(struct CUstream_st *stream)
{
    MAY_FAIL();
    need_context(__func__);
    drain(stream, NULL);
    return 0;
}

EXPORT int cuStreamBeginCapture_v2(struct CUstream_st *stream, int mode)
{
    MAY_FAIL();
    (void)mode;
    if (stream->recording)
        refuse("a recording begins in another");
    stream->recording = calloc(1, sizeof *stream->recording);
    return stream->recording ? 0 : CUDA_ERROR_OUT_OF_MEMORY;
}

EXPORT int cuStreamEndCapture(struct CUstream_st *stream, struct CUgraph_st **graph)
{
    int rc = failing(__func__);
    if (!stream->recording)
        refuse("a recording ends that was not begun");
    struct work_list list = *stream->recording;
    free(stream->recording);
    stream->recording = NULL;
    if (rc) {
        empty(&list);
        return rc;
    }
    *graph = make(sizeof **graph, &n_live.graphs);
    (*graph)->list = list;
    return 0;
}

EXPORT int cuGraphInstantiateWithFlags(struct CUgraphExec_st **exec, struct CUgraph_st *graph,
                                       unsigned long long flags)
{
    MAY_FAIL();
    (void)flags;
    *exec = make(sizeof **exec, &n_live.execs);
    add_all(&(*exec)->list, &graph->list);
    return 0;
}

EXPORT int cuGraphLaunch(struct CUgraphExec_st *exec, struct CUstream_st *stream)
{
    MAY_FAIL();
    need_context(__func__);
    if (stream->recording)
        refuse("a graph is submitted while the stream is recorded");
    add_all(&stream->queue, &exec->list);
    return 0;
}

EXPORT int cuGraphExecDestroy(struct CUgraphExec_st *exec)
{
    int rc = failing(__func__);
    empty(&exec->list);
    unmake(exec, &n_live.execs, __func__);
    return rc;
}

EXPORT int cuGraphDestroy(struct CUgraph_st *graph)
{
    int rc = failing(__func__);
    empty(&graph->list);
    unmake(graph, &n_live.graphs, __func__);
    return rc;
}

EXPORT int cuEventCreate(struct CUevent_st **event, unsigned flags)
{
    MAY_FAIL();
    need_context(__func__);
    (void)flags;
    *event = make(sizeof **event, &n_live.events);
    return 0;
}

EXPORT int cuEventDestroy_v2(struct CUevent_st *event)
{
    int rc = failing(__func__);
    if (event->stream && !event->is_done && !fail.stuck && only_stream)
        drain(only_stream, NULL);
    unmake(event, &n_live.events, __func__);
    return rc;
}

EXPORT int cuEventRecord(struct CUevent_st *event, struct CUstream_st *stream)
{
    MAY_FAIL();
    need_context(__func__);
    event->stream = stream;
    event->is_done = false;
    submit(stream, (struct work){.kind = WORK_EVENT, .event = event}, __func__);
    return 0;
}

EXPORT int cuEventSynchronize(struct CUevent_st *event)
{
    MAY_FAIL();
    need_context(__func__);
    if (event->stream && !event->is_done)
        drain(event->stream, event);
    return 0;
}

/* A made-up millisecond: emulation says nothing about time. */
EXPORT int cuEventElapsedTime(float *ms, struct CUevent_st *from, struct CUevent_st *to)
{
    MAY_FAIL();
    if (!from->is_done || !to->is_done)
        refuse("%s of an event that nobody waited for", __func__);
    *ms = 1;
    return 0;
}

/* ---- kernels ------------------------------------------------------------------------------ */

EXPORT int cuModuleLoadData(struct CUmod_st **module, const void *image)
{
    static const uint8_t fat_binary[4] = {0x50, 0xed, 0x55, 0xba};
    static const char none[] = "isobit: no kernels";
    MAY_FAIL();
    need_context(__func__);
    if (memcmp(image, fat_binary, sizeof fat_binary) != 0 && memcmp(image, none, sizeof none) != 0)
        return 200;
    *module = make(sizeof **module, &n_live.modules);
    return 0;
}

EXPORT int cuModuleUnload(struct CUmod_st *module)
{
    int rc = failing(__func__);
    unmake(module, &n_live.modules, __func__);
    while (n_live.modules == 0 && functions) {
        struct CUfunc_st *next = functions->next;
        free(functions);
        functions = next;
    }
    return rc;
}

EXPORT int cuModuleGetFunction(struct CUfunc_st **function, struct CUmod_st *module,
                               const char *name)
{
    const struct kernel_entry *kernel = kernel_named(name);
    MAY_FAIL();
    (void)module;
    if (!kernel)
        return CUDA_ERROR_NOT_FOUND;
    *function = calloc(1, sizeof **function);
    if (!*function)
        return CUDA_ERROR_OUT_OF_MEMORY;
    **function = (struct CUfunc_st){kernel, FREE_SHARED_BYTES, functions};
    functions = *function;
    return 0;
}

EXPORT int cuFuncSetAttribute(struct CUfunc_st *function, int attribute, int value)
{
    MAY_FAIL();
    if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value > SHARED_BYTES_MAX)
        return 1;
    function->shared_bytes = (uint32_t)value;
    return 0;
}

static void own_args(struct work *w, const void *args, size_t n_bytes)
{
    w->args = malloc(n_bytes);
    if (!w->args)
        refuse("out of memory");
    memcpy(w->args, args, n_bytes);
    w->n_args_bytes = n_bytes;
}

/* The arguments out of `extra`. */
static void take_args(struct work *w, const char *kernel, void **extra)
{
    if (!extra || extra[0] != CU_LAUNCH_PARAM_BUFFER_POINTER ||
        extra[2] != CU_LAUNCH_PARAM_BUFFER_SIZE || extra[4] != CU_LAUNCH_PARAM_END)
        refuse("%s is launched without its arguments as one block", kernel);
    size_t n_bytes = *(const size_t *)extra[3];
    if (n_bytes == 0 || n_bytes > ARGS_BYTES_MAX)
        refuse("%s is launched with %zu bytes of arguments", kernel, n_bytes);
    own_args(w, extra[1], n_bytes);
}

static void tell_launch(const char *name)
{
    const char *path = getenv("STANDIN_LAUNCHES");
    FILE *f = path && *path ? fopen(path, "a") : NULL;
    if (!f)
        return;
    fprintf(f, "%s\n", name);
    fclose(f);
}

EXPORT int cuLaunchKernel(struct CUfunc_st *function, unsigned grid_x, unsigned grid_y,
                          unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,
                          unsigned shared_bytes, struct CUstream_st *stream, void **parameters,
                          void **extra)
{
    const struct kernel_entry *kernel = function->kernel;
    MAY_FAIL();
    need_context(__func__);
    if (grid_x == 0 || grid_x > 0x7fffffff || grid_y == 0 || grid_y > 65535 || grid_z == 0 ||
        grid_z > 65535)
        refuse("%s is launched with a grid of %u x %u x %u", kernel->name, grid_x, grid_y, grid_z);
    if (block_x == 0 || block_x > 1024 || block_x % 32 || block_y != 1 || block_z != 1)
        refuse("%s is launched with blocks of %u x %u x %u", kernel->name, block_x, block_y,
               block_z);
    if (shared_bytes > function->shared_bytes)
        refuse("%s is launched with %u bytes of shared memory; %u were allowed", kernel->name,
               shared_bytes, function->shared_bytes);
    if (parameters)
        refuse("%s is launched with its arguments twice", kernel->name);
    struct work w = {.kind = WORK_LAUNCH,
                     .kernel = kernel,
                     .grid = {grid_x, grid_y, grid_z},
                     .block = block_x,
                     .shared_bytes = shared_bytes};
    take_args(&w, kernel->name, extra);
    tell_launch(kernel->name);
    submit(stream, w, __func__);
    return 0;
}

/* ---- for other libraries of ours (share.h) ------------------------------------------------ */

EXPORT int standin_failing(const char *call)
{
    return failing(call);
}

EXPORT void standin_submit(struct CUstream_st *stream, void (*call)(const void *args),
                           const void *args, size_t n_bytes, const char *name)
{
    struct work w = {.kind = WORK_CALL, .call = call, .name = name};
    need_context(name);
    own_args(&w, args, n_bytes);
    submit(stream, w, name);
}

EXPORT void standin_check_device(const void *p, size_t n_bytes, const char *call)
{
    memory_check(PLACE_DEVICE, p, n_bytes, call);
}

EXPORT void standin_need_context(const char *call)
{
    need_context(call);
}
