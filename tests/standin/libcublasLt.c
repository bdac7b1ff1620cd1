/* libcublasLt.c - a stand-in for NVIDIA's library of products, for tests: the calls that
 * cublas_calls.h names, over the stand-in for the driver.
 *
 * It multiplies in float64 when somebody waits for the stream. Descriptions, sizes, alignments and
 * what the library was promised of them are checked, and that everything is given back; what is
 * wrong ends the process with a sentence. It has no way for results that are aligned to less than
 * 16 bytes. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cuda/cublas_calls.h"
#include "standin/share.h"
#include "tensor/half.h"

#define DECLARE(field, symbol, parameters) EXPORT int symbol parameters;
CUBLAS_CALLS(DECLARE)
EXPORT const char *cublasLtGetStatusString(int status);

enum { NOT_SUPPORTED = 15, N_ALIGNED = 4, ALIGNED_LEAST = 16, WORKSPACE_BYTES = 1 << 20 };
enum { MAGIC = 0x15ab1a5 };

struct cublas_handle {
    int magic;
};
struct cublas_desc {
    int transposed, epilogue;
    const float *bias;
};
struct cublas_layout {
    int type;
    uint64_t n_rows, n_cols;
    int64_t ld;
};
struct cublas_preference {
    uint64_t n_bytes_workspace;
    uint32_t aligned[N_ALIGNED];
};
/* What an algorithm was chosen for; without padding, as it is compared by memcmp. */
struct chosen {
    uint32_t magic, n_rows, n_out, n_cols;
    uint64_t stride, type;
    uint16_t aligned[N_ALIGNED];
};
_Static_assert(sizeof(struct chosen) <= sizeof(struct cublas_algo), "an algorithm is 64 bytes");

struct product {
    struct chosen how;
    const uint16_t *w, *x;
    const float *bias;
    float *y;
};

static size_t n_live;

static __attribute__((noreturn, format(printf, 1, 2))) void refuse_call(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("stand-in for libcublasLt: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

#define MAY_FAIL()                                                                                 \
    do {                                                                                           \
        int failing_ = standin_failing(__func__);                                                  \
        if (failing_)                                                                              \
            return failing_;                                                                       \
    } while (0)

static void *make(size_t n_bytes)
{
    void *p = calloc(1, n_bytes);
    if (!p)
        refuse_call("out of memory");
    n_live++;
    return p;
}

static void unmake(void *p, const char *call)
{
    if (!p || n_live == 0)
        refuse_call("%s of what there is not", call);
    n_live--;
    free(p);
}

EXPORT const char *cublasLtGetStatusString(int status)
{
    return status == NOT_SUPPORTED ? "not supported" : "as the test wanted";
}

EXPORT int cublasLtCreate(struct cublas_handle **handle)
{
    MAY_FAIL();
    standin_need_context(__func__);
    *handle = make(sizeof **handle);
    (*handle)->magic = MAGIC;
    return 0;
}

EXPORT int cublasLtDestroy(struct cublas_handle *handle)
{
    int rc = standin_failing(__func__);
    unmake(handle, __func__);
    if (n_live)
        refuse_call("%zu descriptions are not given back at the end", n_live);
    return rc;
}

EXPORT int cublasLtMatmulDescCreate(struct cublas_desc **desc, int compute_type, int scale_type)
{
    MAY_FAIL();
    if (compute_type != CUBLAS_COMPUTE_32F || scale_type != CUDA_R_32F)
        refuse_call("sums of type %d, scales of type %d", compute_type, scale_type);
    *desc = make(sizeof **desc);
    (*desc)->epilogue = 1;
    return 0;
}

EXPORT int cublasLtMatmulDescDestroy(struct cublas_desc *desc)
{
    int rc = standin_failing(__func__);
    unmake(desc, __func__);
    return rc;
}

EXPORT int cublasLtMatmulDescSetAttribute(struct cublas_desc *desc, int attribute,
                                          const void *value, size_t n_bytes)
{
    MAY_FAIL();
    void *to = attribute == CUBLASLT_MATMUL_DESC_TRANSA     ? (void *)&desc->transposed
               : attribute == CUBLASLT_MATMUL_DESC_EPILOGUE ? (void *)&desc->epilogue
                                                            : (void *)&desc->bias;
    size_t n = attribute == CUBLASLT_MATMUL_DESC_BIAS_POINTER ? sizeof desc->bias : sizeof(int);
    if (n_bytes != n ||
        (attribute != CUBLASLT_MATMUL_DESC_TRANSA && attribute != CUBLASLT_MATMUL_DESC_EPILOGUE &&
         attribute != CUBLASLT_MATMUL_DESC_BIAS_POINTER))
        refuse_call("attribute %d of a product with %zu bytes", attribute, n_bytes);
    memcpy(to, value, n_bytes);
    return 0;
}

EXPORT int cublasLtMatrixLayoutCreate(struct cublas_layout **layout, int type, uint64_t n_rows,
                                      uint64_t n_cols, int64_t ld)
{
    MAY_FAIL();
    if (n_rows == 0 || n_cols == 0 || ld < (int64_t)n_rows)
        refuse_call("a matrix of %llu x %llu, columns %lld apart", (unsigned long long)n_rows,
                    (unsigned long long)n_cols, (long long)ld);
    *layout = make(sizeof **layout);
    **layout = (struct cublas_layout){type, n_rows, n_cols, ld};
    return 0;
}

EXPORT int cublasLtMatrixLayoutDestroy(struct cublas_layout *layout)
{
    int rc = standin_failing(__func__);
    unmake(layout, __func__);
    return rc;
}

EXPORT int cublasLtMatmulPreferenceCreate(struct cublas_preference **preference)
{
    MAY_FAIL();
    *preference = make(sizeof **preference);
    for (int i = 0; i < N_ALIGNED; i++)
        (*preference)->aligned[i] = 256;
    return 0;
}

EXPORT int cublasLtMatmulPreferenceDestroy(struct cublas_preference *preference)
{
    int rc = standin_failing(__func__);
    unmake(preference, __func__);
    return rc;
}

EXPORT int cublasLtMatmulPreferenceSetAttribute(struct cublas_preference *preference, int attribute,
                                                const void *value, size_t n_bytes)
{
    int i = attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
    MAY_FAIL();
    if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES && n_bytes == sizeof(uint64_t))
        memcpy(&preference->n_bytes_workspace, value, n_bytes);
    else if (i >= 0 && i < N_ALIGNED && n_bytes == sizeof(uint32_t))
        memcpy(&preference->aligned[i], value, n_bytes);
    else
        refuse_call("attribute %d of a preference with %zu bytes", attribute, n_bytes);
    return 0;
}

/* w^T x of halves, in binary32: what was described as; anything else is refused. */
static struct chosen read_shape(const struct cublas_desc *desc, const struct cublas_layout *a,
                                const struct cublas_layout *b, const struct cublas_layout *c,
                                const struct cublas_layout *d)
{
    if (desc->transposed != CUBLAS_OP_T || (desc->epilogue != 1 && desc->epilogue != 4))
        refuse_call("transposed %d, epilogue %d", desc->transposed, desc->epilogue);
    if ((a->type != CUDA_R_16F && a->type != CUDA_R_16BF) || b->type != a->type ||
        d->type != CUDA_R_32F)
        refuse_call("types %d, %d and %d", a->type, b->type, d->type);
    if (a->n_rows != b->n_rows || a->n_cols != d->n_rows || b->n_cols != d->n_cols || c != d ||
        a->ld != (int64_t)a->n_rows || b->ld != (int64_t)b->n_rows)
        refuse_call("matrices that do not fit each other");
    return (struct chosen){.magic = MAGIC,
                           .n_rows = (uint32_t)b->n_cols,
                           .n_out = (uint32_t)a->n_cols,
                           .n_cols = (uint32_t)a->n_rows,
                           .stride = (uint64_t)d->ld,
                           .type = (uint64_t)a->type};
}

EXPORT int cublasLtMatmulAlgoGetHeuristic(struct cublas_handle *handle, struct cublas_desc *desc,
                                          struct cublas_layout *a, struct cublas_layout *b,
                                          struct cublas_layout *c, struct cublas_layout *d,
                                          struct cublas_preference *preference, int n_wanted,
                                          struct cublas_found *found, int *n_found)
{
    struct chosen how = read_shape(desc, a, b, c, d);
    MAY_FAIL();
    *n_found = 0;
    if (handle->magic != MAGIC || n_wanted < 1)
        refuse_call("%s without a handle", __func__);
    if (preference->aligned[3] < ALIGNED_LEAST || how.stride % 4)
        return NOT_SUPPORTED;
    for (int i = 0; i < N_ALIGNED; i++)
        how.aligned[i] = (uint16_t)preference->aligned[i];
    *n_found = 1;
    *found = (struct cublas_found){.n_bytes_workspace = WORKSPACE_BYTES};
    memcpy(&found->algo, &how, sizeof how);
    if (preference->n_bytes_workspace < WORKSPACE_BYTES)
        refuse_call("a workspace of %llu bytes", (unsigned long long)preference->n_bytes_workspace);
    return 0;
}

static void compute(const void *args)
{
    struct product p;
    memcpy(&p, args, sizeof p);
    float (*widen)(uint16_t) = p.how.type == CUDA_R_16F ? f16_widen : bf16_widen;
    for (uint32_t t = 0; t < p.how.n_rows; t++)
        for (uint32_t n = 0; n < p.how.n_out; n++) {
            const uint16_t *w = p.w + (size_t)n * p.how.n_cols, *x = p.x + (size_t)t * p.how.n_cols;
            double sum = p.bias ? (double)p.bias[n] : 0;
            for (uint32_t k = 0; k < p.how.n_cols; k++)
                sum += (double)widen(w[k]) * (double)widen(x[k]);
            p.y[t * p.how.stride + n] = (float)sum;
        }
}

static void check_matrix(const char *what, const void *p, size_t n_bytes, uint32_t aligned)
{
    if ((uintptr_t)p % aligned)
        refuse_call("%s is not aligned to %u bytes as was promised", what, aligned);
    standin_check_device(p, n_bytes, what);
}

EXPORT int cublasLtMatmul(struct cublas_handle *handle, struct cublas_desc *desc, const void *alpha,
                          const void *a, struct cublas_layout *a_layout, const void *b,
                          struct cublas_layout *b_layout, const void *beta, const void *c,
                          struct cublas_layout *c_layout, void *d, struct cublas_layout *d_layout,
                          const struct cublas_algo *algo, void *workspace, size_t n_bytes_workspace,
                          struct CUstream_st *stream)
{
    struct chosen how = read_shape(desc, a_layout, b_layout, c_layout, d_layout);
    float factors[2];
    MAY_FAIL();
    standin_need_context(__func__);
    memcpy(factors, alpha, sizeof(float));
    memcpy(factors + 1, beta, sizeof(float));
    memcpy(how.aligned, ((const struct chosen *)algo)->aligned, sizeof how.aligned);
    if (memcmp(&how, algo, sizeof how) != 0 || handle->magic != MAGIC)
        refuse_call("%s with an algorithm that was chosen for another product", __func__);
    if (factors[0] != 1 || factors[1] != 0 || c != d)
        refuse_call("%s with factors %g and %g", __func__, (double)factors[0], (double)factors[1]);
    if (n_bytes_workspace < WORKSPACE_BYTES)
        refuse_call("%s with a workspace of %zu bytes", __func__, n_bytes_workspace);
    check_matrix("the weights", a, (size_t)how.n_out * how.n_cols * 2, how.aligned[0]);
    check_matrix("the rows", b, (size_t)how.n_rows * how.n_cols * 2, how.aligned[1]);
    check_matrix("the results", d, ((how.n_rows - 1) * how.stride + how.n_out) * sizeof(float),
                 how.aligned[3]);
    standin_check_device(workspace, n_bytes_workspace, "the workspace");
    struct product p = {how, a, b, desc->epilogue == 4 ? desc->bias : NULL, d};
    if (p.bias)
        check_matrix("the bias", p.bias, how.n_out * sizeof(float), sizeof(float));
    standin_submit(stream, compute, &p, sizeof p, __func__);
    return 0;
}
