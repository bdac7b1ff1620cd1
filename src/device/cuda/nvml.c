/* nvml.c - libnvidia-ml.so.1 by dlopen: opened, asked and closed again.
 *
 * Structs and numbers were compared with nvml.h of NVML 12.2.140 (as NVIDIA's go-nvml carries it):
 * nvmlUtilization_t, nvmlMemory_t (the first version), nvmlProcessInfo_t, which is its second
 * version there, NVML_ERROR_INSUFFICIENT_SIZE, NVML_TEMPERATURE_GPU. */
#include "device/cuda/nvml.h"

#include <dlfcn.h>
#include <string.h>

struct nvmlDevice_st;
struct use {
    unsigned gpu, memory;
};
struct memory {
    unsigned long long total, free, used;
};
struct process {
    unsigned pid;
    unsigned long long n_bytes; /* all ones: not known */
    unsigned instance, compute_instance;
};
_Static_assert(sizeof(struct use) == 8 && offsetof(struct use, memory) == 4, "nvmlUtilization_t");
_Static_assert(sizeof(struct memory) == 24 && offsetof(struct memory, free) == 8 &&
                   offsetof(struct memory, used) == 16,
               "nvmlMemory_t");
_Static_assert(sizeof(struct process) == 24 && offsetof(struct process, n_bytes) == 8 &&
                   offsetof(struct process, instance) == 16 &&
                   offsetof(struct process, compute_instance) == 20,
               "nvmlProcessInfo_t");
enum { RESULT_MANY = 7, SENSOR_GPU = 0 };

/* X(field, symbol, parameters) */
#define NVML_CALLS(X)                                                                              \
    X(init, nvmlInit_v2, (void))                                                                   \
    X(shutdown, nvmlShutdown, (void))                                                              \
    X(driver, nvmlSystemGetDriverVersion, (char *text, unsigned n))                                \
    X(handle, nvmlDeviceGetHandleByPciBusId_v2, (const char *id, struct nvmlDevice_st **device))   \
    X(use, nvmlDeviceGetUtilizationRates, (struct nvmlDevice_st * device, struct use * use))       \
    X(temperature, nvmlDeviceGetTemperature,                                                       \
      (struct nvmlDevice_st * device, int sensor, unsigned *celsius))                              \
    X(memory, nvmlDeviceGetMemoryInfo, (struct nvmlDevice_st * device, struct memory * memory))    \
    X(processes, nvmlDeviceGetComputeRunningProcesses_v3,                                          \
      (struct nvmlDevice_st * device, unsigned *n, struct process *processes))

struct nvml {
    void *library;
    const char *(*error)(int rc);
#define NVML_FIELD(field, symbol, parameters) int(*field) parameters;
    NVML_CALLS(NVML_FIELD)
#undef NVML_FIELD
};

static bool find(void *library, const char *symbol, void *to)
{
    void *found = dlsym(library, symbol);
    memcpy(to, &found, sizeof found);
    return found != NULL;
}

static bool find_calls(struct nvml *v)
{
    bool ok = find(v->library, "nvmlErrorString", &v->error);
#define FIND(field, symbol, parameters) ok = ok && find(v->library, #symbol, &v->field);
    NVML_CALLS(FIND)
#undef FIND
    return ok;
}

static void read_processes(const struct nvml *v, struct nvmlDevice_st *device,
                           struct nvml_state *state)
{
    struct process processes[NVML_PROCESSES_MAX];
    unsigned n = NVML_PROCESSES_MAX;
    int rc = v->processes(device, &n, processes);
    if (rc && rc != RESULT_MANY)
        return;
    state->n_processes_all = n;
    state->n_processes = rc ? 0 : n;
    for (unsigned i = 0; i < state->n_processes; i++)
        state->processes[i] = (struct nvml_process){
            processes[i].pid, processes[i].n_bytes == ~0ull ? 0 : processes[i].n_bytes};
}

/* What a card does not have it refuses to tell; the rest is told all the same. */
static enum err read_card(const struct nvml *v, const char *bus_id, struct nvml_state *state,
                          struct err_note *note)
{
    struct nvmlDevice_st *device = NULL;
    struct use use = {0};
    struct memory memory = {0};
    int rc = v->handle(bus_id, &device);
    if (rc)
        return err_set(note, ERR_NOT_FOUND, "nvmlDeviceGetHandleByPciBusId of %s: %s", bus_id,
                       v->error(rc));
    if (v->driver(state->driver, sizeof state->driver))
        state->driver[0] = 0;
    state->knows_use = v->use(device, &use) == 0;
    state->use_percent = use.gpu;
    state->memory_use_percent = use.memory;
    state->knows_temperature = v->temperature(device, SENSOR_GPU, &state->temperature_c) == 0;
    state->knows_memory = v->memory(device, &memory) == 0;
    state->n_bytes = memory.total;
    state->n_bytes_used = memory.used;
    read_processes(v, device, state);
    return ERR_OK;
}

enum err nvml_read(const char *bus_id, struct nvml_state *state, struct err_note *note)
{
    struct nvml v = {.library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)};
    *state = (struct nvml_state){0};
    if (!v.library)
        return err_set(note, ERR_NOT_FOUND, "libnvidia-ml.so.1 is not found");
    enum err rc = ERR_OK;
    int result = 0;
    if (!find_calls(&v))
        rc = err_set(note, ERR_NOT_FOUND, "libnvidia-ml.so.1 is too old");
    else if ((result = v.init()) != 0)
        rc = err_set(note, ERR_IO, "nvmlInit: %s", v.error(result));
    if (!rc) {
        rc = read_card(&v, bus_id, state, note);
        (void)v.shutdown();
    }
    dlclose(v.library);
    return rc;
}
