/* open.c - device names to devices. */
#include "device/open.h"

#include <string.h>

#include "base/str.h"
#include "device/cuda/cuda.h"

enum { ORDINAL_MAX = 1023 };

/* "cuda", "cuda:N", or N alone. */
static bool is_cuda(const char *gpu, int *ordinal)
{
    struct str name = str_from(gpu);
    uint64_t n = 0;
    if (str_starts(name, STR("cuda:")))
        name = str_sub(name, 5, name.len);
    if (!str_is(name, "cuda") && (!str_to_u64(name, &n) || n > ORDINAL_MAX))
        return false;
    *ordinal = (int)n;
    return true;
}

bool device_is_auto(const char *gpu)
{
    return !gpu || strcmp(gpu, "auto") == 0;
}

enum err device_name_check(const char *gpu, struct err_note *note)
{
    int ordinal;
    if (strcmp(gpu, "auto") == 0 || strcmp(gpu, "cpu") == 0 || is_cuda(gpu, &ordinal))
        return ERR_OK;
    if (strcmp(gpu, "metal") == 0)
        return err_set(note, ERR_UNSUPPORTED,
                       "there is no Metal device yet; the CPU computes "
                       "without one (--gpu cpu)");
    return err_set(note, ERR_USAGE, "\"%.40s\" is no device; there are auto, cpu, cuda and cuda:N",
                   gpu);
}

enum err device_open(const struct device_choice *c, struct device **d, struct err_note *note)
{
    const char *gpu = c->gpu ? c->gpu : "auto";
    int ordinal;
    enum err rc = device_name_check(gpu, note);
    if (rc)
        return rc;
    if (is_cuda(gpu, &ordinal))
        return cuda_device_open(ordinal, c->n_bytes_gpu, d, note);
    return cpu_device_open(c->n_threads, c->isa ? c->isa : "auto", d, note);
}
