/* test_cuda_headers.c - our own declarations of libcublasLt beside NVIDIA's header; built only
 * where there is one (tests/CMakeLists.txt). */
#include "lib/test.h"

/* Theirs are enumerators of the same names: ours are told apart by a prefix. */
#define OURS(X)                                                                                    \
    X(CUDA_R_32F)                                                                                  \
    X(CUDA_R_16F)                                                                                  \
    X(CUDA_R_16BF)                                                                                 \
    X(CUBLAS_COMPUTE_32F)                                                                          \
    X(CUBLAS_OP_T)                                                                                 \
    X(CUBLASLT_MATMUL_DESC_TRANSA)                                                                 \
    X(CUBLASLT_MATMUL_DESC_EPILOGUE)                                                               \
    X(CUBLASLT_MATMUL_DESC_BIAS_POINTER)                                                           \
    X(CUBLASLT_EPILOGUE_BIAS)                                                                      \
    X(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)                                                    \
    X(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES)                                                  \
    X(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES)                                                  \
    X(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES)                                                  \
    X(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES)
#include "device/cuda/cublas_calls.h"
static const int ours[] = {
#define VALUE(name) name,
    OURS(VALUE)};
#define CUDA_R_32F                                 their_f32
#define CUDA_R_16F                                 their_f16
#define CUDA_R_16BF                                their_bf16
#define CUBLAS_COMPUTE_32F                         their_compute
#define CUBLAS_OP_T                                their_transposed
#define CUBLASLT_MATMUL_DESC_TRANSA                their_transa
#define CUBLASLT_MATMUL_DESC_EPILOGUE              their_epilogue
#define CUBLASLT_MATMUL_DESC_BIAS_POINTER          their_bias_pointer
#define CUBLASLT_EPILOGUE_BIAS                     their_bias
#define CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES   their_workspace
#define CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES their_a
#define CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES their_b
#define CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES their_c
#define CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES their_d
#include <cublasLt.h>
static const int theirs[] = {OURS(VALUE)};

static void numbers_and_sizes_are_theirs(void **state)
{
    typedef cublasLtMatmulHeuristicResult_t found;
    (void)state;
    assert_memory_equal(ours, theirs, sizeof ours);
    assert_int_equal(sizeof(struct cublas_algo), sizeof(cublasLtMatmulAlgo_t));
    assert_int_equal(sizeof(struct cublas_found), sizeof(found));
    assert_int_equal(offsetof(struct cublas_found, n_bytes_workspace),
                     offsetof(found, workspaceSize));
    assert_int_equal(offsetof(struct cublas_found, state), offsetof(found, state));
    assert_int_equal(offsetof(struct cublas_found, n_waves), offsetof(found, wavesCount));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_and_sizes_are_theirs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
