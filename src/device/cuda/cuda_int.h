/* cuda_int.h - inside the CUDA device: what an operation needs to launch its kernel.
 *
 * One context, one stream: everything runs in the order in which it was submitted. An operation is
 * a pure function from shapes to a struct launch, and cuda_launch of it. The first call that fails
 * is kept (status), and from then on nothing is submitted. */
#ifndef DEVICE_CUDA_CUDA_INT_H
#define DEVICE_CUDA_CUDA_INT_H

#include <pthread.h>

#include "device/cuda/cublas.h"
#include "device/cuda/driver.h"
#include "device/cuda/image.h"
#include "device/device.h"

struct launch {
    const char *kernel; /* static */
    uint32_t grid[3], block;
    uint32_t shared_bytes; /* dynamic */
    const void *args;      /* the kernel's one parameter; copied by cuda_launch */
    size_t n_args_bytes;
};

/* How many of `of` hold n. */
static inline uint32_t cuda_parts(uint32_t n, uint32_t of)
{
    return (n + of - 1) / of;
}
static inline uint32_t cuda_least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

enum {
    CUDA_KERNELS_MAX = 256,
    CUDA_ROWS_MAX = 1 << 16,  /* rows of a pass */
    CUDA_PAGES_MAX = 1 << 20, /* entries of the page tables of a pass */
    CUDA_SCRATCH_BYTES = 64 << 20,
    CUDA_STAGE_BYTES = 4 << 20,
    CUDA_SLOTS = 4,
    CUDA_SLOT_BYTES = 2 << 20,
    CUDA_GRAPHS_MAX = 64,
};

struct cuda_kernel {
    const char *name;
    struct CUfunc_st *function;
    uint32_t shared_bytes; /* dynamic, that it was allowed so far */
};

/* A part of the pinned ring: `event` is recorded when the next one is begun. */
struct cuda_slot {
    uint8_t *bytes;
    size_t n_used;
    struct CUevent_st *event;
    bool is_recorded;
};

struct cuda_graph {
    uint64_t key, n_used;        /* the counter when it was used last */
    struct CUgraphExec_st *exec; /* NULL: seen once, not recorded */
    bool never;                  /* something in it cannot be recorded */
};

struct cuda {
    struct device base; /* first: a struct device * is a struct cuda * */
    struct driver driver;
    struct cuda_card card;
    int arch; /* of the kernels' code that runs: what it was compiled for */
    struct CUctx_st *context;
    struct CUmod_st *modules[CUDA_IMAGES_MAX];
    size_t n_modules;
    struct CUstream_st *stream;
    struct cuda_kernel kernels[CUDA_KERNELS_MAX];
    size_t n_kernels;

    /* Every call of the driver that submits or takes memory is made under it. */
    pthread_mutex_t lock;
    uint64_t serial; /* tells the devices of a process apart, of which one may follow another */
    struct err_note failure; /* of the first call that failed */
    enum err failed;

    uint64_t n_bytes_limit, n_bytes_taken;
    struct cuda_slot slots[CUDA_SLOTS];
    size_t slot;
    uint8_t *back; /* pinned, for get: two halves of CUDA_SLOT_BYTES */
    struct CUevent_st *back_done[2];
    uint8_t *fetched[FETCH_PLACES]; /* pinned */
    struct CUevent_st *fetched_done[FETCH_PLACES];

    /* Device memory that operations use between two of their kernels. */
    uint8_t *scratch; /* CUDA_SCRATCH_BYTES; what is in it lasts no longer than the operation */
    uint8_t *stage;   /* CUDA_STAGE_BYTES, a ring for cuda_stage */
    size_t n_staged;
    uint32_t *tickets; /* [CUDA_ROWS_MAX] zeros: which block of a row is the last; zeros again after
                        * each kernel */

    /* The rows that kv_write and attention name: `rows` on the host are `device_rows` there. */
    const struct kv_row *rows;
    uint32_t n_rows;
    struct kv_row *device_rows; /* [CUDA_ROWS_MAX] device memory; its `pages` too */
    void **device_pages;        /* [CUDA_PAGES_MAX] device memory */
    struct kv_row *host_rows;   /* [CUDA_ROWS_MAX] what is put there */
    void **host_pages;          /* [CUDA_PAGES_MAX] what is there, below n_pages_there */
    size_t n_pages_there;
    uint32_t n_pages_longest; /* the most that one of them has, up to a power of two */

    struct cublas *cublas; /* of fast_begin; NULL: not asked for, or not to be had */

    struct cuda_graph graphs[CUDA_GRAPHS_MAX], *recording;
    size_t n_graphs;
    uint64_t n_passes;
};

static inline struct cuda *cuda_of(struct device *d)
{
    return (struct cuda *)d;
}

/* cuda_launch - submits a kernel. A grid with a 0 in it is nothing. */
void cuda_launch(struct cuda *c, const struct launch *l);

/* cuda_stage - a copy of a small host array on the device, for the kernels that are launched next:
 * it lasts until CUDA_STAGE_BYTES more were staged. n_bytes at most CUDA_STAGE_BYTES; what is
 * staged ends a recording (cuda.c), so decode steps do without. */
void *cuda_stage(struct cuda *c, const void *from, size_t n_bytes);

/* cuda_rows - where the n rows that kv_write or attention were given lie on the device: an array
 * of struct kv_row whose `pages` are device arrays. They were named by rows before. */
const struct kv_row *cuda_rows(struct cuda *c, const struct kv_row *rows, uint32_t n);

/* cuda_enter - the lock, and the context made this thread's; false: the device is lost, nothing may
 * be submitted. cuda_leave in any case.
 * cuda_did - whether a call worked; the first that did not is the device's failure. Inside both. */
bool cuda_enter(struct cuda *c);
void cuda_leave(struct cuda *c);
bool cuda_did(struct cuda *c, int rc, const char *call);

/* Operations, by file. */
/* ops_matmul.c */
size_t cuda_matrix_bytes(struct device *d, enum dtype t, uint32_t n_rows, uint32_t n_cols);
void cuda_matrix_pack(struct device *d, enum dtype t, uint32_t n_rows, uint32_t n_cols,
                      const void *rows, void *packed);
size_t cuda_acts_bytes(struct device *d, enum act_kind kind, uint32_t n_rows, uint32_t n_cols);
/* ops_fast.c: the profile `fast`; the last two of ACT_F16 and ACT_BF16. */
enum act_kind cuda_fast_kind(struct device *d, enum dtype t, uint32_t n_cols);
void cuda_fast_begin(struct device *d, struct err_note *note);
void cuda_round(struct cuda *c, const float *x, size_t stride, const struct acts *to, uint8_t *bad);
void cuda_fast_matmul(struct cuda *c, const struct matrix *w, const struct acts *x,
                      const float *bias, float *y, size_t stride);
void cuda_matmul(struct device *d, const struct matrix *w, const struct acts *a, const float *bias,
                 float *y, size_t stride);
void cuda_embed(struct device *d, enum dtype t, const void *rows, uint32_t n_cols,
                const int32_t *token, uint32_t n_tokens, float scale, float *y, size_t stride);
/* ops_rows.c */
void cuda_norm(struct device *d, const struct norm_args *a);
void cuda_quantize(struct device *d, const float *x, size_t stride, struct acts *a, uint8_t *bad);
void cuda_glu(struct device *d, const struct glu_args *a);
void cuda_add(struct device *d, float *x, size_t stride_x, const float *y, size_t stride_y,
              uint32_t n_rows, uint32_t n, float scale);
void cuda_reflect(struct device *d, float *x, size_t stride, const float *const *mirrors, size_t at,
                  uint32_t n_rows, uint32_t n);
void cuda_logits(struct device *d, float *x, size_t stride, uint32_t n_rows, uint32_t n, float cap,
                 uint8_t *bad);
void cuda_keep_rows(struct device *d, float *x, size_t stride, uint32_t n, const uint32_t *from,
                    uint32_t n_kept);
void cuda_note_bad(struct device *d, uint8_t *first, const uint32_t *origin, const uint8_t *bad,
                   uint32_t n, uint32_t n_marks, uint8_t mark);
/* ops_sample.c */
void cuda_sample(struct device *d, const struct sample_args *a);
/* ops_experts.c */
size_t cuda_experts_bytes(struct device *d, const struct experts_shape *s);
void cuda_experts(struct device *d, const struct experts_args *a);
/* ops_attention.c */
void cuda_kv_write(struct device *d, const struct kv_write_args *a);
void cuda_attention(struct device *d, const struct attention_args *a);
void cuda_kv_digest(struct device *d, const void *page, struct kv_shape s, uint32_t n_layers,
                    uint8_t (*digests)[SHA256_BYTES]);

/* memory.c */
enum err cuda_begin_memory(struct cuda *c, struct err_note *note);
void cuda_release_memory(struct cuda *c);
enum err cuda_mem_take(struct device *d, size_t n_bytes, const char *what, void **p,
                       struct err_note *note);
void cuda_mem_give(struct device *d, void *p, size_t n_bytes);
size_t cuda_mem_left(struct device *d, size_t *n_bytes);
void cuda_put(struct device *d, void *to, const void *from, size_t n_bytes);
void cuda_get(struct device *d, void *to, const void *from, size_t n_bytes);
void cuda_fetch(struct device *d, uint32_t place, const void *from, size_t n_bytes);
void cuda_fetched(struct device *d, uint32_t place, void *to, size_t n_bytes);
void cuda_move(struct device *d, void *to, const void *from, size_t n_bytes);
void cuda_zero(struct device *d, void *to, size_t n_bytes);
void cuda_take_rows(struct device *d, const struct kv_row *rows, uint32_t n);
/* graphs.c */
bool cuda_pass_begin(struct device *d, uint64_t key);
void cuda_pass_end(struct device *d);
void cuda_break_recording(struct cuda *c); /* inside cuda_enter */
void cuda_release_graphs(struct cuda *c);

#endif
