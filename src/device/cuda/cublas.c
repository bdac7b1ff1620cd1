/* cublas.c - libcublasLt by dlopen, and what it chose for each shape.
 *
 * The library's matrices are columns side by side: w[N,K] is K x N there and is transposed, x[T,K]
 * is K x T, y[T,N] is N x T, and a bias for each of its rows. */
#include "device/cuda/cublas.h"

#include <dlfcn.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "device/cuda/cublas_calls.h"

enum { PLANS_MAX = 256, ALIGN_MAX = 256 };

/* What a way was chosen for. */
struct shape {
    uint64_t stride;
    uint32_t n_rows, n_out, n_cols;
    uint32_t align_w, align_x, align_y, align_bias; /* 0: no bias */
    uint32_t is_brain;
};

struct way {
    struct shape shape;
    uint64_t n_used; /* the counter when it was used last; 0: never */
    struct cublas_desc *desc;
    struct cublas_layout *w, *x, *y;
    struct cublas_algo algo;
    bool is_there;
};

struct cublas {
    void *library;
    struct cublas_handle *handle;
    const char *(*status_text)(int status);
#define CUBLAS_FIELD(field, symbol, parameters) int(*field) parameters;
    CUBLAS_CALLS(CUBLAS_FIELD)
#undef CUBLAS_FIELD
    struct way ways[PLANS_MAX];
    size_t n_ways;
    uint64_t n_calls;
};

/* ---- the library -------------------------------------------------------------------------- */

static bool find_call(void *library, const char *symbol, void *to)
{
    void *found = dlsym(library, symbol);
    memcpy(to, &found, sizeof found);
    return found != NULL;
}

/* True: it is there and works with this driver. */
static bool try_library(struct cublas *b, const char *name)
{
    b->library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!b->library)
        return false;
    bool ok = find_call(b->library, "cublasLtGetStatusString", &b->status_text);
#define FIND(field, symbol, parameters) ok = ok && find_call(b->library, #symbol, &b->field);
    CUBLAS_CALLS(FIND)
#undef FIND
    if (ok && b->create(&b->handle) == 0)
        return true;
    dlclose(b->library);
    b->library = NULL;
    return false;
}

enum err cublas_open(struct cublas **out, struct err_note *note)
{
    static const char *const names[] = {"libcublasLt.so.13", "libcublasLt.so.12"};
    struct cublas *b = mem_zalloc(sizeof *b);
    *out = NULL;
    if (!b)
        return err_set(note, ERR_MEMORY, "out of memory for libcublasLt");
    for (size_t i = 0; i < COUNT_OF(names) && !b->library; i++)
        if (try_library(b, names[i]))
            *out = b;
    if (*out)
        return ERR_OK;
    mem_free(b);
    return err_set(note, ERR_NOT_FOUND,
                   "libcublasLt.so.13 or .12, of the CUDA toolkit, is not found or does not work "
                   "with this driver");
}

static void release_way(struct cublas *b, struct way *w)
{
    if (w->desc)
        (void)b->desc_destroy(w->desc);
    struct cublas_layout *const layouts[] = {w->w, w->x, w->y};
    for (size_t i = 0; i < COUNT_OF(layouts); i++)
        if (layouts[i])
            (void)b->layout_destroy(layouts[i]);
    *w = (struct way){.n_used = 0};
}

void cublas_close(struct cublas *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->n_ways; i++)
        release_way(b, &b->ways[i]);
    (void)b->destroy(b->handle);
    dlclose(b->library);
    mem_free(b);
}

/* ---- the way for a shape ------------------------------------------------------------------ */

static int describe(const struct cublas *b, struct way *w)
{
    const struct shape *s = &w->shape;
    int type = s->is_brain ? CUDA_R_16BF : CUDA_R_16F, transposed = CUBLAS_OP_T;
    int epilogue = CUBLASLT_EPILOGUE_BIAS;
    int rc = b->desc_create(&w->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    if (!rc)
        rc = b->desc_set(w->desc, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed);
    if (!rc && s->align_bias)
        rc = b->desc_set(w->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
    if (!rc)
        rc = b->layout_create(&w->w, type, s->n_cols, s->n_out, s->n_cols);
    if (!rc)
        rc = b->layout_create(&w->x, type, s->n_cols, s->n_rows, s->n_cols);
    return rc ? rc : b->layout_create(&w->y, CUDA_R_32F, s->n_out, s->n_rows, (int64_t)s->stride);
}

static int choose(const struct cublas *b, struct way *w, uint64_t n_bytes_workspace)
{
    const struct {
        int attribute;
        uint32_t value;
    } aligned[] = {{CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, w->shape.align_w},
                   {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, w->shape.align_x},
                   {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, w->shape.align_y},
                   {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, w->shape.align_y}};
    struct cublas_preference *p = NULL;
    struct cublas_found found;
    int n_found = 0, rc = b->preference_create(&p);
    if (rc)
        return rc;
    rc = b->preference_set(p, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &n_bytes_workspace,
                           sizeof n_bytes_workspace);
    for (size_t i = 0; i < COUNT_OF(aligned) && !rc; i++)
        rc = b->preference_set(p, aligned[i].attribute, &aligned[i].value, sizeof(uint32_t));
    if (!rc)
        rc = b->find(b->handle, w->desc, w->w, w->x, w->y, w->y, p, 1, &found, &n_found);
    w->is_there = !rc && n_found > 0 && found.state == 0;
    if (w->is_there)
        w->algo = found.algo;
    (void)b->preference_destroy(p);
    return rc;
}

static uint32_t alignment(const void *p)
{
    uintptr_t at = (uintptr_t)p, low = at & -at;
    return low && low < ALIGN_MAX ? (uint32_t)low : ALIGN_MAX;
}

/* A new one takes the place that was used least recently. */
static struct way *way_of(struct cublas *b, const struct cublas_product *p, uint64_t n_workspace)
{
    const struct shape shape = {
        p->stride,       p->n_rows,       p->n_out,        p->n_cols,
        alignment(p->w), alignment(p->x), alignment(p->y), p->bias ? alignment(p->bias) : 0,
        p->is_brain};
    struct way *oldest = &b->ways[0];
    for (size_t i = 0; i < b->n_ways; i++) {
        if (memcmp(&b->ways[i].shape, &shape, sizeof shape) == 0)
            return &b->ways[i];
        oldest = b->ways[i].n_used < oldest->n_used ? &b->ways[i] : oldest;
    }
    if (b->n_ways < PLANS_MAX)
        oldest = &b->ways[b->n_ways++];
    release_way(b, oldest);
    oldest->shape = shape;
    int rc = describe(b, oldest);
    if (!rc && p->bias) /* its alignment counts */
        rc = b->desc_set(oldest->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &p->bias, sizeof p->bias);
    if (!rc)
        (void)choose(b, oldest, n_workspace);
    return oldest;
}

enum err cublas_multiply(struct cublas *b, const struct cublas_product *p, void *workspace,
                         size_t n_bytes_workspace, struct CUstream_st *stream, bool *is_done,
                         struct err_note *note)
{
    const float one = 1, none = 0;
    struct way *w = way_of(b, p, n_bytes_workspace);
    int rc = 0;
    w->n_used = ++b->n_calls;
    *is_done = false;
    if (!w->is_there)
        return ERR_OK;
    if (p->bias)
        rc = b->desc_set(w->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &p->bias, sizeof p->bias);
    if (!rc)
        rc = b->multiply(b->handle, w->desc, &one, p->w, w->w, p->x, w->x, &none, p->y, w->y, p->y,
                         w->y, &w->algo, workspace, n_bytes_workspace, stream);
    *is_done = rc == 0;
    return rc ? err_set(note, ERR_IO, "cublasLtMatmul: %s (%d)", b->status_text(rc), rc) : ERR_OK;
}
