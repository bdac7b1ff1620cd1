/* memory.c - the CUDA device's memory: taking and giving, and copies through pinned memory.
 *
 * put: the bytes go into a ring of pinned slots, and from there on the stream; a slot is written
 * again when the event after its last copy has come. get: two pinned halves take turns, so that the
 * next part crosses the bus while the last is copied on. Everything is in the stream's order. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "device/cuda/cuda_int.h"

enum { ALIGN = 64, HALF_BYTES = CUDA_SLOT_BYTES / 2 };

static uint64_t at(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

static double mebibytes(uint64_t n_bytes)
{
    return (double)n_bytes / (1 << 20);
}

/* ---- taking and giving -------------------------------------------------------------------- */

/* Not zeroed. */
static enum err take(struct cuda *c, size_t n_bytes, const char *what, void **p,
                     struct err_note *note)
{
    uint64_t found = 0;
    if (n_bytes > c->n_bytes_limit - c->n_bytes_taken)
        return err_set(note, ERR_MEMORY,
                       "no memory on GPU %d for %s: %.1f MiB are needed, %.1f of %.1f are taken",
                       c->card.ordinal, what, mebibytes(n_bytes), mebibytes(c->n_bytes_taken),
                       mebibytes(c->n_bytes_limit));
    int rc = c->driver.cuMemAlloc(&found, n_bytes);
    if (rc) {
        driver_error(&c->driver, rc, "cuMemAlloc", note);
        return err_wrap(note, rc == CUDA_ERROR_OUT_OF_MEMORY ? ERR_MEMORY : ERR_IO,
                        "no memory on GPU %d for %s of %.1f MiB beside %.1f MiB", c->card.ordinal,
                        what, mebibytes(n_bytes), mebibytes(c->n_bytes_taken));
    }
    c->n_bytes_taken += n_bytes;
    *p = (void *)(uintptr_t)found;
    return ERR_OK;
}

enum err cuda_mem_take(struct device *d, size_t n_bytes, const char *what, void **p,
                       struct err_note *note)
{
    struct cuda *c = cuda_of(d);
    enum err rc;
    *p = NULL;
    if (cuda_enter(c)) {
        cuda_break_recording(c);
        rc = take(c, n_bytes, what, p, note);
        if (!rc)
            cuda_did(c, c->driver.cuMemsetD8Async(at(*p), 0, n_bytes, c->stream),
                     "cuMemsetD8Async");
    } else {
        rc = err_set(note, c->failed, "%s", c->failure.text);
    }
    cuda_leave(c);
    return rc;
}

/* Also of a device that is lost, whose memory goes with it if the driver refuses. */
void cuda_mem_give(struct device *d, void *p, size_t n_bytes)
{
    struct cuda *c = cuda_of(d);
    if (!p)
        return;
    if (cuda_enter(c))
        cuda_break_recording(c);
    int rc = c->driver.cuMemFree(at(p));
    if (!c->failed)
        cuda_did(c, rc, "cuMemFree");
    CHECK(c->n_bytes_taken >= n_bytes);
    c->n_bytes_taken -= n_bytes;
    cuda_leave(c);
}

size_t cuda_mem_left(struct device *d, size_t *n_bytes)
{
    struct cuda *c = cuda_of(d);
    pthread_mutex_lock(&c->lock);
    size_t n_left = c->n_bytes_limit - c->n_bytes_taken;
    *n_bytes = c->n_bytes_limit;
    pthread_mutex_unlock(&c->lock);
    return n_left;
}

/* ---- copies ------------------------------------------------------------------------------- */

/* The next slot, once the copies from it are done. */
static bool next_slot(struct cuda *c)
{
    struct cuda_slot *s = &c->slots[c->slot];
    s->is_recorded = cuda_did(c, c->driver.cuEventRecord(s->event, c->stream), "cuEventRecord");
    c->slot = (c->slot + 1) % CUDA_SLOTS;
    s = &c->slots[c->slot];
    if (s->is_recorded)
        cuda_did(c, c->driver.cuEventSynchronize(s->event), "cuEventSynchronize");
    s->is_recorded = false;
    s->n_used = 0;
    return !c->failed;
}

/* Inside enter and leave. */
static void put(struct cuda *c, uint8_t *to, const uint8_t *from, size_t n_bytes)
{
    cuda_break_recording(c);
    while (n_bytes && !c->failed) {
        struct cuda_slot *s = &c->slots[c->slot];
        size_t n = CUDA_SLOT_BYTES - s->n_used;
        n = n < n_bytes ? n : n_bytes;
        if (n == 0) {
            next_slot(c);
            continue;
        }
        uint8_t *pinned = s->bytes + s->n_used;
        memcpy(pinned, from, n);
        s->n_used += (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
        cuda_did(c, c->driver.cuMemcpyHtoDAsync(at(to), pinned, n, c->stream), "cuMemcpyHtoDAsync");
        to += n;
        from += n;
        n_bytes -= n;
    }
}

void cuda_put(struct device *d, void *to, const void *from, size_t n_bytes)
{
    struct cuda *c = cuda_of(d);
    if (cuda_enter(c))
        put(c, to, from, n_bytes);
    cuda_leave(c);
}

/* Part i of a get: submitted into its half. */
static bool fetch(struct cuda *c, const uint8_t *from, size_t n_bytes, size_t i)
{
    size_t begin = i * HALF_BYTES, n = n_bytes - begin < HALF_BYTES ? n_bytes - begin : HALF_BYTES;
    return cuda_did(c,
                    c->driver.cuMemcpyDtoHAsync(c->back + i % 2 * HALF_BYTES, at(from) + begin, n,
                                                c->stream),
                    "cuMemcpyDtoHAsync") &&
           cuda_did(c, c->driver.cuEventRecord(c->back_done[i % 2], c->stream), "cuEventRecord");
}

static bool get(struct cuda *c, uint8_t *to, const uint8_t *from, size_t n_bytes)
{
    size_t n_parts = (n_bytes + HALF_BYTES - 1) / HALF_BYTES;
    cuda_break_recording(c);
    bool ok = n_parts == 0 || fetch(c, from, n_bytes, 0);
    for (size_t i = 0; ok && i < n_parts; i++) {
        size_t begin = i * HALF_BYTES, n = n_bytes - begin;
        ok = i + 1 == n_parts || fetch(c, from, n_bytes, i + 1);
        ok = ok &&
             cuda_did(c, c->driver.cuEventSynchronize(c->back_done[i % 2]), "cuEventSynchronize");
        if (ok)
            memcpy(to + begin, c->back + i % 2 * HALF_BYTES, n < HALF_BYTES ? n : HALF_BYTES);
    }
    return ok;
}

/* Zeros from a device that is lost: nobody reads what was in `to` before. */
void cuda_get(struct device *d, void *to, const void *from, size_t n_bytes)
{
    struct cuda *c = cuda_of(d);
    if (!cuda_enter(c) || !get(c, to, from, n_bytes))
        memset(to, 0, n_bytes);
    cuda_leave(c);
}

void cuda_fetch(struct device *d, uint32_t place, const void *from, size_t n_bytes)
{
    struct cuda *c = cuda_of(d);
    CHECK(place < FETCH_PLACES && n_bytes > 0 && n_bytes <= FETCH_BYTES);
    if (cuda_enter(c)) {
        cuda_break_recording(c);
        if (cuda_did(c,
                     c->driver.cuMemcpyDtoHAsync(c->fetched[place], at(from), n_bytes, c->stream),
                     "cuMemcpyDtoHAsync"))
            cuda_did(c, c->driver.cuEventRecord(c->fetched_done[place], c->stream),
                     "cuEventRecord");
    }
    cuda_leave(c);
}

void cuda_fetched(struct device *d, uint32_t place, void *to, size_t n_bytes)
{
    struct cuda *c = cuda_of(d);
    if (cuda_enter(c) &&
        cuda_did(c, c->driver.cuEventSynchronize(c->fetched_done[place]), "cuEventSynchronize"))
        memcpy(to, c->fetched[place], n_bytes);
    else
        memset(to, 0, n_bytes);
    cuda_leave(c);
}

void cuda_move(struct device *d, void *to, const void *from, size_t n_bytes)
{
    struct cuda *c = cuda_of(d);
    if (cuda_enter(c) && n_bytes)
        cuda_did(c, c->driver.cuMemcpyDtoDAsync(at(to), at(from), n_bytes, c->stream),
                 "cuMemcpyDtoDAsync");
    cuda_leave(c);
}

void cuda_zero(struct device *d, void *to, size_t n_bytes)
{
    struct cuda *c = cuda_of(d);
    if (cuda_enter(c) && n_bytes)
        cuda_did(c, c->driver.cuMemsetD8Async(at(to), 0, n_bytes, c->stream), "cuMemsetD8Async");
    cuda_leave(c);
}

/* The ring needs no waiting: what overwrites a part comes after whatever reads it, on the stream.
 */
void *cuda_stage(struct cuda *c, const void *from, size_t n_bytes)
{
    CHECK(n_bytes <= CUDA_STAGE_BYTES);
    if (c->n_staged + n_bytes > CUDA_STAGE_BYTES)
        c->n_staged = 0;
    uint8_t *to = c->stage + c->n_staged;
    c->n_staged += (n_bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    cuda_put(&c->base, to, from, n_bytes);
    return to;
}

/* ---- rows --------------------------------------------------------------------------------- */

/* One page table into host_pages at n; what differs from what is on the device widens [lo, hi). */
static void place_table(struct cuda *c, void *const *pages, size_t n_pages, size_t n, size_t *lo,
                        size_t *hi)
{
    if (n + n_pages <= c->n_pages_there &&
        memcmp(c->host_pages + n, pages, n_pages * sizeof pages[0]) == 0)
        return;
    memcpy(c->host_pages + n, pages, n_pages * sizeof pages[0]);
    *lo = n < *lo ? n : *lo;
    *hi = n + n_pages > *hi ? n + n_pages : *hi;
}

/* How many rows from i on share its page table; *n_pages: that the furthest of them needs. */
static uint32_t count_sharing(const struct kv_row *rows, uint32_t i, uint32_t n, size_t *n_pages)
{
    uint32_t end = i, furthest = 0;
    for (; end < n && rows[end].pages == rows[i].pages; end++)
        furthest = rows[end].position > furthest ? rows[end].position : furthest;
    *n_pages = furthest / KV_PAGE + 1;
    return end - i;
}

void cuda_take_rows(struct device *d, const struct kv_row *rows, uint32_t n)
{
    struct cuda *c = cuda_of(d);
    size_t n_pages = 0, n_table, lo = CUDA_PAGES_MAX, hi = 0, longest = 1;
    CHECK(n <= CUDA_ROWS_MAX);
    for (uint32_t i = 0; i < n;) {
        uint32_t n_sharing = count_sharing(rows, i, n, &n_table);
        CHECK(n_table <= CUDA_PAGES_MAX - n_pages);
        place_table(c, rows[i].pages, n_table, n_pages, &lo, &hi);
        for (uint32_t end = i + n_sharing; i < end; i++)
            c->host_rows[i] = (struct kv_row){(void **)c->device_pages + n_pages, rows[i].position};
        n_pages += n_table;
        while (longest < n_table)
            longest *= 2;
    }
    c->rows = rows;
    c->n_rows = n;
    c->n_pages_longest = (uint32_t)longest;
    c->n_pages_there = n_pages > c->n_pages_there ? n_pages : c->n_pages_there;
    if (cuda_enter(c)) {
        if (lo < hi)
            put(c, (uint8_t *)(c->device_pages + lo), (const uint8_t *)(c->host_pages + lo),
                (hi - lo) * sizeof c->host_pages[0]);
        put(c, (uint8_t *)c->device_rows, (const uint8_t *)c->host_rows,
            n * sizeof c->host_rows[0]);
    }
    cuda_leave(c);
}

const struct kv_row *cuda_rows(struct cuda *c, const struct kv_row *rows, uint32_t n)
{
    CHECK(rows >= c->rows && n <= c->n_rows && (size_t)(rows - c->rows) <= c->n_rows - n);
    return c->device_rows + (rows - c->rows);
}

/* ---- begin and end ------------------------------------------------------------------------ */

static enum err take_pinned(struct cuda *c, size_t n_bytes, uint8_t **p, struct err_note *note)
{
    void *found = NULL;
    int rc = c->driver.cuMemHostAlloc(&found, n_bytes, 0);
    *p = found;
    return rc ? driver_error(&c->driver, rc, "cuMemHostAlloc", note) : ERR_OK;
}

static enum err make_event(struct cuda *c, struct CUevent_st **event, struct err_note *note)
{
    int rc = c->driver.cuEventCreate(event, CU_EVENT_DISABLE_TIMING);
    return rc ? driver_error(&c->driver, rc, "cuEventCreate", note) : ERR_OK;
}

static enum err find_limit(struct cuda *c, struct err_note *note)
{
    size_t n_free = 0, n_all = 0;
    int rc = c->driver.cuMemGetInfo(&n_free, &n_all);
    if (rc)
        return driver_error(&c->driver, rc, "cuMemGetInfo", note);
    uint64_t share = n_all / 5 * 4;
    if (c->n_bytes_limit == 0)
        c->n_bytes_limit = share < n_free ? share : n_free;
    return ERR_OK;
}

enum err cuda_begin_memory(struct cuda *c, struct err_note *note)
{
    const struct {
        void **p;
        size_t n_bytes;
    } own[] = {
        {(void **)&c->scratch, CUDA_SCRATCH_BYTES},
        {(void **)&c->stage, CUDA_STAGE_BYTES},
        {(void **)&c->device_rows, CUDA_ROWS_MAX * sizeof c->device_rows[0]},
        {(void **)&c->device_pages, CUDA_PAGES_MAX * sizeof c->device_pages[0]},
        {(void **)&c->tickets, CUDA_ROWS_MAX * sizeof c->tickets[0]},
    };
    enum err rc = find_limit(c, note);
    c->host_rows = mem_pages(CUDA_ROWS_MAX * sizeof c->host_rows[0]);
    c->host_pages = mem_pages(CUDA_PAGES_MAX * sizeof c->host_pages[0]);
    if (!rc && (!c->host_rows || !c->host_pages))
        rc = err_set(note, ERR_MEMORY, "out of memory for the GPU's page tables");
    for (size_t i = 0; !rc && i < COUNT_OF(own); i++)
        rc = take(c, own[i].n_bytes, "the device's own needs", own[i].p, note);
    if (!rc && !cuda_did(c,
                         c->driver.cuMemsetD8Async(at(c->tickets), 0,
                                                   CUDA_ROWS_MAX * sizeof c->tickets[0], c->stream),
                         "cuMemsetD8Async"))
        rc = err_set(note, c->failed, "%s", c->failure.text);
    for (size_t i = 0; !rc && i < CUDA_SLOTS; i++) {
        rc = take_pinned(c, CUDA_SLOT_BYTES, &c->slots[i].bytes, note);
        rc = rc ? rc : make_event(c, &c->slots[i].event, note);
    }
    rc = rc ? rc : take_pinned(c, CUDA_SLOT_BYTES, &c->back, note);
    for (size_t i = 0; !rc && i < 2; i++)
        rc = make_event(c, &c->back_done[i], note);
    for (size_t i = 0; !rc && i < FETCH_PLACES; i++) {
        rc = take_pinned(c, FETCH_BYTES, &c->fetched[i], note);
        rc = rc ? rc : make_event(c, &c->fetched_done[i], note);
    }
    return rc;
}

/* After a failure the driver may refuse; the memory then goes with the context. */
void cuda_release_memory(struct cuda *c)
{
    const struct driver *v = &c->driver;
    const void *own[] = {c->scratch, c->stage, c->device_rows, c->device_pages, c->tickets};
    for (size_t i = 0; i < COUNT_OF(own); i++)
        if (own[i])
            (void)v->cuMemFree(at(own[i]));
    for (size_t i = 0; i < CUDA_SLOTS; i++) {
        if (c->slots[i].bytes)
            (void)v->cuMemFreeHost(c->slots[i].bytes);
        if (c->slots[i].event)
            (void)v->cuEventDestroy(c->slots[i].event);
    }
    if (c->back)
        (void)v->cuMemFreeHost(c->back);
    for (size_t i = 0; i < 2; i++)
        if (c->back_done[i])
            (void)v->cuEventDestroy(c->back_done[i]);
    for (size_t i = 0; i < FETCH_PLACES; i++) {
        if (c->fetched[i])
            (void)v->cuMemFreeHost(c->fetched[i]);
        if (c->fetched_done[i])
            (void)v->cuEventDestroy(c->fetched_done[i]);
    }
    mem_pages_free(c->host_rows, CUDA_ROWS_MAX * sizeof c->host_rows[0]);
    mem_pages_free(c->host_pages, CUDA_PAGES_MAX * sizeof c->host_pages[0]);
}
