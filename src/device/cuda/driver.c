/* driver.c - libcuda.so.1 by dlopen, and its numbers in words. */
#include "device/cuda/driver.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

#define NO_DRIVER "no NVIDIA driver on this machine"

static const struct {
    int rc;
    const char *advice;
} advices[] = {
    {CUDA_ERROR_OUT_OF_MEMORY, "a smaller context or other programs off the card make room"},
    {34, "this libcuda.so.1 is the toolkit's stub: take its folder out of LD_LIBRARY_PATH"},
    {46, "another process has the card for itself"},
    {CUDA_ERROR_NO_DEVICE, "see whether nvidia-smi finds a card, and CUDA_VISIBLE_DEVICES"},
    {101, "see whether nvidia-smi finds the card, and CUDA_VISIBLE_DEVICES"},
    {200, "the driver may be older than this program's kernels: update it"},
    {209, "this program has no kernels for this card: build it with nvcc for it"},
    {214, "the card's memory is faulty: see nvidia-smi -q -d ECC"},
    {218, "the driver cannot compile this program's kernels: please report it"},
    {222, "the driver is older than this program's kernels: update it"},
    {CUDA_ERROR_NOT_FOUND, "a kernel is missing from this program: please report it"},
    {700, "a kernel read or wrote outside its memory: please report it with the command"},
    {702, "a kernel ran longer than the display allows: use a card without a screen"},
    {719, "a kernel failed: please report it with the command"},
    {802, "the card is not ready yet: on HGX machines start nvidia-fabricmanager"},
    {803, "driver and library are of different versions: restart the machine"},
    {804, "this compatibility library does not work with this card: use the driver's own"},
    {999, "dmesg may say more"},
};

enum err driver_error(const struct driver *v, int rc, const char *call, struct err_note *note)
{
    const char *name = NULL, *text = NULL, *advice = NULL;
    CHECK(rc != 0);
    if (v->cuGetErrorName(rc, &name) != 0 || v->cuGetErrorString(rc, &text) != 0)
        name = text = NULL;
    for (size_t i = 0; i < COUNT_OF(advices); i++)
        if (advices[i].rc == rc)
            advice = advices[i].advice;
    return err_set(note, rc == CUDA_ERROR_OUT_OF_MEMORY ? ERR_MEMORY : ERR_IO,
                   "%s: %s (%d%s%s)%s%s", call, name ? name : "an error without a name", rc,
                   text ? ", " : "", text ? text : "", advice ? "; " : "", advice ? advice : "");
}

static enum err find_calls(struct driver *v, struct err_note *note)
{
#define FIND(field, symbol, parameters)                                                            \
    {                                                                                              \
        void *found = dlsym(v->library, #symbol);                                                  \
        if (!found)                                                                                \
            return err_set(note, ERR_UNSUPPORTED,                                                  \
                           "the NVIDIA driver is too old: it lacks " #symbol                       \
                           "; CUDA 11.4 or later is needed");                                      \
        memcpy(&v->field, &found, sizeof v->field);                                                \
    }
    DRIVER_CALLS(FIND)
#undef FIND
    return ERR_OK;
}

static enum err begin(struct driver *v, struct err_note *note)
{
    enum err rc = find_calls(v, note);
    if (rc)
        return rc;
    int result = v->cuInit(0);
    if (result == CUDA_ERROR_NO_DEVICE)
        return err_set(note, ERR_NOT_FOUND, "an NVIDIA driver, but no card that it knows");
    if (result)
        return driver_error(v, result, "cuInit", note);
    result = v->cuDriverGetVersion(&v->version);
    if (result)
        return driver_error(v, result, "cuDriverGetVersion", note);
    result = v->cuDeviceGetCount(&v->n_cards);
    if (result)
        return driver_error(v, result, "cuDeviceGetCount", note);
    return v->n_cards > 0
               ? ERR_OK
               : err_set(note, ERR_NOT_FOUND, "an NVIDIA driver, but no card that it knows");
}

enum err driver_open(struct driver *v, struct err_note *note)
{
    *v = (struct driver){0};
    v->library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!v->library)
        return err_set(note, ERR_NOT_FOUND, NO_DRIVER " (libcuda.so.1 is not found)");
    enum err rc = begin(v, note);
    if (rc)
        driver_close(v);
    return rc;
}

void driver_close(struct driver *v)
{
    if (v->library)
        dlclose(v->library);
    *v = (struct driver){0};
}

static int read_card(const struct driver *v, struct cuda_card *c, const char **call)
{
    int major = 0, minor = 0, n_multiprocessors = 0, n_shared = 0, n_cache = 0;
    const struct {
        int attribute, *value;
    } attributes[] = {
        {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, &major},
        {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, &minor},
        {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, &n_multiprocessors},
        {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, &n_shared},
        {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, &n_cache},
    };
    size_t n_bytes = 0;
    int rc = v->cuDeviceGet(&c->device, c->ordinal);
    *call = "cuDeviceGet";
    if (!rc) {
        *call = "cuDeviceGetName";
        rc = v->cuDeviceGetName(c->name, sizeof c->name, c->device);
    }
    if (!rc) {
        *call = "cuDeviceGetPCIBusId";
        rc = v->cuDeviceGetPCIBusId(c->bus_id, sizeof c->bus_id, c->device);
    }
    if (!rc) {
        *call = "cuDeviceTotalMem";
        rc = v->cuDeviceTotalMem(&n_bytes, c->device);
    }
    for (size_t i = 0; !rc && i < COUNT_OF(attributes); i++) {
        *call = "cuDeviceGetAttribute";
        rc = v->cuDeviceGetAttribute(attributes[i].value, attributes[i].attribute, c->device);
    }
    c->capability = 10 * major + minor;
    c->n_multiprocessors = (uint32_t)n_multiprocessors;
    c->n_bytes_shared = (uint32_t)n_shared;
    c->n_bytes_cache = (uint64_t)n_cache;
    c->n_bytes = n_bytes;
    return rc;
}

enum err driver_card(const struct driver *v, int ordinal, struct cuda_card *card,
                     struct err_note *note)
{
    const char *call = "";
    *card = (struct cuda_card){.ordinal = ordinal};
    int rc = read_card(v, card, &call);
    return rc ? driver_error(v, rc, call, note) : ERR_OK;
}
