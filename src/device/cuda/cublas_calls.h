/* cublas_calls.h - libcublasLt's calls and numbers as its header has them (cublasLt.h of CUDA 13.0;
 * the same in 12). tests/unit/device/test_cuda_headers.c compares them with that header where there
 * is one. */
#ifndef DEVICE_CUDA_CUBLAS_CALLS_H
#define DEVICE_CUDA_CUBLAS_CALLS_H

#include <stddef.h>
#include <stdint.h>

struct CUstream_st;
struct cublas_handle;
struct cublas_desc;
struct cublas_layout;
struct cublas_preference;

struct cublas_algo {
    uint64_t data[8];
};
struct cublas_found {
    struct cublas_algo algo;
    size_t n_bytes_workspace;
    int state;
    float n_waves;
    int reserved[4];
};

/* X(field, symbol, parameters); all return a status, 0: well. */
#define CUBLAS_CALLS(X)                                                                            \
    X(create, cublasLtCreate, (struct cublas_handle * *handle))                                    \
    X(destroy, cublasLtDestroy, (struct cublas_handle * handle))                                   \
    X(desc_create, cublasLtMatmulDescCreate,                                                       \
      (struct cublas_desc * *desc, int compute_type, int scale_type))                              \
    X(desc_destroy, cublasLtMatmulDescDestroy, (struct cublas_desc * desc))                        \
    X(desc_set, cublasLtMatmulDescSetAttribute,                                                    \
      (struct cublas_desc * desc, int attribute, const void *value, size_t n_bytes))               \
    X(layout_create, cublasLtMatrixLayoutCreate,                                                   \
      (struct cublas_layout * *layout, int type, uint64_t n_rows, uint64_t n_cols, int64_t ld))    \
    X(layout_destroy, cublasLtMatrixLayoutDestroy, (struct cublas_layout * layout))                \
    X(preference_create, cublasLtMatmulPreferenceCreate, (struct cublas_preference * *preference)) \
    X(preference_destroy, cublasLtMatmulPreferenceDestroy,                                         \
      (struct cublas_preference * preference))                                                     \
    X(preference_set, cublasLtMatmulPreferenceSetAttribute,                                        \
      (struct cublas_preference * preference, int attribute, const void *value, size_t n_bytes))   \
    X(find, cublasLtMatmulAlgoGetHeuristic,                                                        \
      (struct cublas_handle * handle, struct cublas_desc * desc, struct cublas_layout * a,         \
       struct cublas_layout * b, struct cublas_layout * c, struct cublas_layout * d,               \
       struct cublas_preference * preference, int n_wanted, struct cublas_found *found,            \
       int *n_found))                                                                              \
    X(multiply, cublasLtMatmul,                                                                    \
      (struct cublas_handle * handle, struct cublas_desc * desc, const void *alpha, const void *a, \
       struct cublas_layout *a_layout, const void *b, struct cublas_layout *b_layout,              \
       const void *beta, const void *c, struct cublas_layout *c_layout, void *d,                   \
       struct cublas_layout *d_layout, const struct cublas_algo *algo, void *workspace,            \
       size_t n_bytes_workspace, struct CUstream_st *stream))

enum {
    CUDA_R_32F = 0,
    CUDA_R_16F = 2,
    CUDA_R_16BF = 14,
    CUBLAS_COMPUTE_32F = 68,
    CUBLAS_OP_T = 1,
    CUBLASLT_MATMUL_DESC_TRANSA = 3,
    CUBLASLT_MATMUL_DESC_EPILOGUE = 7,
    CUBLASLT_MATMUL_DESC_BIAS_POINTER = 8,
    CUBLASLT_EPILOGUE_BIAS = 4,
    CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8,
};

#endif
