/* detect.c - which instruction sets this program has and this machine runs. */
#include <pthread.h>
#include <string.h>

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "base/check.h"
#include "device/cpu/isa.h"

static bool always(void)
{
    return true;
}

/* The compiler's own cpuid check also asks the system whether it saves the wide registers. */
#if defined(ISOBIT_HAVE_AVX2)
static bool have_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif
#if defined(ISOBIT_HAVE_AVX512)
static bool have_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
}
#endif

#if defined(ISOBIT_HAVE_NEON)
static bool have_dot_product(void)
{
    return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
}
#endif

static const struct {
    const char *name;
    bool (*works)(void);
    void (*init)(struct cpu_isa *isa);
} sets[] = {
    {"scalar", always, cpu_isa_scalar},
#if defined(ISOBIT_HAVE_AVX2)
    {"avx2", have_avx2, cpu_isa_avx2},
#endif
#if defined(ISOBIT_HAVE_AVX512)
    {"avx512", have_avx512, cpu_isa_avx512},
#endif
#if defined(ISOBIT_HAVE_NEON)
    {"neon", have_dot_product, cpu_isa_neon},
#endif
};

static const char *names[COUNT_OF(sets) + 1];

static void find_names(void)
{
    size_t n = 0;
    for (size_t i = 0; i < COUNT_OF(sets); i++)
        if (sets[i].works())
            names[n++] = sets[i].name;
}

const char *const *cpu_isa_names(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_names);
    return names;
}

bool cpu_isa_find(const char *name, struct cpu_isa *isa)
{
    for (size_t i = 0; i < COUNT_OF(sets); i++)
        if (strcmp(sets[i].name, name) == 0 && sets[i].works()) {
            cpu_isa_scalar(isa);
            sets[i].init(isa);
            isa->name = sets[i].name;
            return true;
        }
    return false;
}
