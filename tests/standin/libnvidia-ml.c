/* libnvidia-ml.c - a stand-in for NVIDIA's management library, for tests: the calls that nvml.c
 * names, about the cards of the stand-in for the driver. Structs are those of nvml.h, copied by
 * name (source: nvml.c). STANDIN_NVML=call:code makes that call fail; "call:0:many" gives more
 * processes than fit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "standin/share.h"

typedef struct {
    unsigned gpu, memory;
} nvmlUtilization_t;
typedef struct {
    unsigned long long total, free, used;
} nvmlMemory_t;
typedef struct {
    unsigned pid;
    unsigned long long usedGpuMemory;
    unsigned gpuInstanceId, computeInstanceId;
} nvmlProcessInfo_t;
struct nvmlDevice_st {
    int ordinal;
};

enum { NVML_ERROR_NOT_FOUND = 6, NVML_ERROR_INSUFFICIENT_SIZE = 7, N_PROCESSES = 2 };

#define CALL(name, parameters)                                                                     \
    EXPORT int name parameters;                                                                    \
    EXPORT int name parameters

static int failing(const char *call)
{
    const char *text = getenv("STANDIN_NVML");
    size_t n = text ? strcspn(text, ":") : 0;
    return n && strncmp(text, call, n) == 0 && !call[n] ? (int)strtol(text + n + 1, NULL, 10) : 0;
}

static int n_open;
static struct nvmlDevice_st card;

EXPORT const char *nvmlErrorString(int rc);
EXPORT const char *nvmlErrorString(int rc)
{
    return rc == NVML_ERROR_NOT_FOUND ? "Not Found" : "as the test wanted";
}

CALL(nvmlInit_v2, (void))
{
    int rc = failing(__func__);
    n_open += rc == 0;
    return rc;
}

CALL(nvmlShutdown, (void))
{
    if (n_open-- == 0)
        abort();
    return failing(__func__);
}

CALL(nvmlSystemGetDriverVersion, (char *text, unsigned n))
{
    snprintf(text, n, "570.00 of the stand-in");
    return failing(__func__);
}

CALL(nvmlDeviceGetHandleByPciBusId_v2, (const char *id, struct nvmlDevice_st **device))
{
    *device = &card;
    return strcmp(id, "0000:00:00.0") == 0 ? failing(__func__) : NVML_ERROR_NOT_FOUND;
}

CALL(nvmlDeviceGetUtilizationRates, (struct nvmlDevice_st * device, nvmlUtilization_t *use))
{
    if (device != &card || n_open != 1)
        abort();
    *use = (nvmlUtilization_t){.gpu = 37, .memory = 12};
    return failing(__func__);
}

CALL(nvmlDeviceGetTemperature, (struct nvmlDevice_st * device, int sensor, unsigned *celsius))
{
    if (device != &card || sensor != 0)
        abort();
    *celsius = 41;
    return failing(__func__);
}

CALL(nvmlDeviceGetMemoryInfo, (struct nvmlDevice_st * device, nvmlMemory_t *memory))
{
    if (device != &card)
        abort();
    *memory =
        (nvmlMemory_t){.total = 2ull << 30, .free = (2ull << 30) - (300 << 20), .used = 300 << 20};
    return failing(__func__);
}

CALL(nvmlDeviceGetComputeRunningProcesses_v3,
     (struct nvmlDevice_st * device, unsigned *n, nvmlProcessInfo_t *processes))
{
    const char *text = getenv("STANDIN_NVML");
    unsigned room = *n;
    if (device != &card)
        abort();
    *n = text && strstr(text, ":many") ? 100 : N_PROCESSES;
    if (room < *n)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    processes[0] = (nvmlProcessInfo_t){4711, 200 << 20, ~0u, ~0u};
    processes[1] = (nvmlProcessInfo_t){4712, ~0ull, ~0u, ~0u}; /* not known */
    return failing(__func__);
}
