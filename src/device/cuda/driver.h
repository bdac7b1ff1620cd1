/* driver.h - NVIDIA's driver, found when the program runs: libcuda.so.1 by dlopen, with prototypes
 * of our own, so that building needs none of CUDA's headers and running none of its libraries.
 *
 * Names are CUDA's, as its manual has them; where the library's symbol carries a version, the list
 * says so. What a call returns is CUresult: 0, or a number that driver_error turns into a sentence.
 * Pointers of the device are uint64_t here, as CUdeviceptr is. Any thread. */
#ifndef DEVICE_CUDA_DRIVER_H
#define DEVICE_CUDA_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct CUctx_st;
struct CUmod_st;
struct CUfunc_st;
struct CUstream_st;
struct CUevent_st;
struct CUgraph_st;
struct CUgraphExec_st;

/* X(field, symbol, parameters) */
#define DRIVER_CALLS(X)                                                                            \
    X(cuInit, cuInit, (unsigned flags))                                                            \
    X(cuDriverGetVersion, cuDriverGetVersion, (int *version))                                      \
    X(cuGetErrorName, cuGetErrorName, (int rc, const char **text))                                 \
    X(cuGetErrorString, cuGetErrorString, (int rc, const char **text))                             \
    X(cuDeviceGetCount, cuDeviceGetCount, (int *n))                                                \
    X(cuDeviceGet, cuDeviceGet, (int *device, int ordinal))                                        \
    X(cuDeviceGetName, cuDeviceGetName, (char *name, int n_name, int device))                      \
    X(cuDeviceGetAttribute, cuDeviceGetAttribute, (int *value, int attribute, int device))         \
    X(cuDeviceTotalMem, cuDeviceTotalMem_v2, (size_t * n_bytes, int device))                       \
    X(cuDeviceGetPCIBusId, cuDeviceGetPCIBusId, (char *id, int n_id, int device))                  \
    X(cuDevicePrimaryCtxRetain, cuDevicePrimaryCtxRetain,                                          \
      (struct CUctx_st * *context, int device))                                                    \
    X(cuDevicePrimaryCtxRelease, cuDevicePrimaryCtxRelease_v2, (int device))                       \
    X(cuCtxSetCurrent, cuCtxSetCurrent, (struct CUctx_st * context))                               \
    X(cuMemGetInfo, cuMemGetInfo_v2, (size_t * n_bytes_free, size_t * n_bytes))                    \
    X(cuMemAlloc, cuMemAlloc_v2, (uint64_t * p, size_t n_bytes))                                   \
    X(cuMemFree, cuMemFree_v2, (uint64_t p))                                                       \
    X(cuMemHostAlloc, cuMemHostAlloc, (void **p, size_t n_bytes, unsigned flags))                  \
    X(cuMemFreeHost, cuMemFreeHost, (void *p))                                                     \
    X(cuMemsetD8Async, cuMemsetD8Async,                                                            \
      (uint64_t to, unsigned char value, size_t n_bytes, struct CUstream_st *stream))              \
    X(cuMemcpyHtoDAsync, cuMemcpyHtoDAsync_v2,                                                     \
      (uint64_t to, const void *from, size_t n_bytes, struct CUstream_st *stream))                 \
    X(cuMemcpyDtoHAsync, cuMemcpyDtoHAsync_v2,                                                     \
      (void *to, uint64_t from, size_t n_bytes, struct CUstream_st *stream))                       \
    X(cuMemcpyDtoDAsync, cuMemcpyDtoDAsync_v2,                                                     \
      (uint64_t to, uint64_t from, size_t n_bytes, struct CUstream_st * stream))                   \
    X(cuStreamCreate, cuStreamCreate, (struct CUstream_st * *stream, unsigned flags))              \
    X(cuStreamDestroy, cuStreamDestroy_v2, (struct CUstream_st * stream))                          \
    X(cuStreamSynchronize, cuStreamSynchronize, (struct CUstream_st * stream))                     \
    X(cuStreamBeginCapture, cuStreamBeginCapture_v2, (struct CUstream_st * stream, int mode))      \
    X(cuStreamEndCapture, cuStreamEndCapture,                                                      \
      (struct CUstream_st * stream, struct CUgraph_st * *graph))                                   \
    X(cuGraphInstantiate, cuGraphInstantiateWithFlags,                                             \
      (struct CUgraphExec_st * *exec, struct CUgraph_st * graph, unsigned long long flags))        \
    X(cuGraphLaunch, cuGraphLaunch, (struct CUgraphExec_st * exec, struct CUstream_st * stream))   \
    X(cuGraphExecDestroy, cuGraphExecDestroy, (struct CUgraphExec_st * exec))                      \
    X(cuGraphDestroy, cuGraphDestroy, (struct CUgraph_st * graph))                                 \
    X(cuEventCreate, cuEventCreate, (struct CUevent_st * *event, unsigned flags))                  \
    X(cuEventDestroy, cuEventDestroy_v2, (struct CUevent_st * event))                              \
    X(cuEventRecord, cuEventRecord, (struct CUevent_st * event, struct CUstream_st * stream))      \
    X(cuEventSynchronize, cuEventSynchronize, (struct CUevent_st * event))                         \
    X(cuEventElapsedTime, cuEventElapsedTime,                                                      \
      (float *ms, struct CUevent_st *from, struct CUevent_st *to))                                 \
    X(cuModuleLoadData, cuModuleLoadData, (struct CUmod_st * *module, const void *image))          \
    X(cuModuleUnload, cuModuleUnload, (struct CUmod_st * module))                                  \
    X(cuModuleGetFunction, cuModuleGetFunction,                                                    \
      (struct CUfunc_st * *function, struct CUmod_st * module, const char *name))                  \
    X(cuFuncSetAttribute, cuFuncSetAttribute,                                                      \
      (struct CUfunc_st * function, int attribute, int value))                                     \
    X(cuLaunchKernel, cuLaunchKernel,                                                              \
      (struct CUfunc_st * function, unsigned grid_x, unsigned grid_y, unsigned grid_z,             \
       unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,                \
       struct CUstream_st *stream, void **parameters, void **extra))

/* Numbers of cuda.h that are used here. */
enum {
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_NO_DEVICE = 100,
    CUDA_ERROR_NOT_FOUND = 500,

    CU_STREAM_NON_BLOCKING = 1,
    CU_EVENT_DEFAULT = 0,
    CU_EVENT_DISABLE_TIMING = 2,
    CU_STREAM_CAPTURE_MODE_RELAXED = 2,
    CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,

    CU_DEVICE_ATTRIBUTE_CLOCK_RATE = 13, /* kHz */
    CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
    CU_DEVICE_ATTRIBUTE_COMPUTE_MODE = 20,
    CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE = 36, /* kHz */
    CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH = 37,
    CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE = 38,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
    CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97,
};
/* cuLaunchKernel's `extra`: the parameters as one block of bytes. */
#define CU_LAUNCH_PARAM_END            ((void *)0)
#define CU_LAUNCH_PARAM_BUFFER_POINTER ((void *)1)
#define CU_LAUNCH_PARAM_BUFFER_SIZE    ((void *)2)

struct driver {
    void *library; /* NULL: not open */
    int version;   /* of CUDA that the driver knows: 13000 is 13.0 */
    int n_cards;
#define DRIVER_FIELD(field, symbol, parameters) int(*field) parameters;
    DRIVER_CALLS(DRIVER_FIELD)
#undef DRIVER_FIELD
};

/* driver_open - ERR_NOT_FOUND: no driver, or none that has a card ("no NVIDIA driver ..."); ERR_IO:
 * there is one, and it says why it does not work; ERR_UNSUPPORTED: it is too old and lacks a call.
 * On error nothing is open. */
enum err driver_open(struct driver *v, struct err_note *note);
void driver_close(struct driver *v);

/* driver_error - "cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY (out of memory); what to do". ERR_MEMORY
 * for that one, ERR_IO for all others. */
enum err driver_error(const struct driver *v, int rc, const char *call, struct err_note *note);

/* What the driver knows of a card without a context on it. */
struct cuda_card {
    int ordinal, device;
    char name[96], bus_id[16];
    int capability; /* 90 is 9.0 */
    uint32_t n_multiprocessors;
    uint32_t n_bytes_shared; /* that a block may have */
    uint64_t n_bytes, n_bytes_cache;
};

/* driver_card - ordinal of 0..n_cards-1. ERR_IO. */
enum err driver_card(const struct driver *v, int ordinal, struct cuda_card *card,
                     struct err_note *note);

#endif
