/* minerva.c - the variables MINERVA_*: what each is called here, or why it is nothing. */
#include "cli/minerva.h"

#include "base/check.h"

#define DEVICE "--gpu says what computes: auto, cpu, cuda, cuda:N"
#define LIMITS "rates belong to keys: isobit key create --rpm"
#define LOG    "what happens is said on standard error"

const struct settings_name minerva_names[] = {
    {"MINERVA_HOST", "host", NULL},
    {"MINERVA_PORT", "port", NULL},
    {"MINERVA_GPU_CONTEXT_SIZE", "ctx", NULL},
    {"MINERVA_GPU_THREADS", "threads", NULL},
    {"MINERVA_BATCH_SIZE", "parallel", NULL},
    {"MINERVA_MODELS_DIR", "models-dir", NULL},
    {"MINERVA_GPU_MEMORY_LIMIT", "gpu-memory", NULL},
    {"MINERVA_MAX_GPU_MEMORY", "gpu-memory", NULL},
    {"MINERVA_GPU_DEVICE", "gpu", NULL},
    {"MINERVA_DEVICE", "gpu", NULL},
    {"MINERVA_ENABLE_GPU", NULL, DEVICE},
    {"MINERVA_GPU_LAYERS", "gpu-layers", NULL},
    {"MINERVA_CPU_FALLBACK", NULL, "the CPU always goes on where a GPU is lost"},
    {"MINERVA_TOKEN_BUFFER", NULL, "each token is sent when it is made"},
    {"MINERVA_WORKERS", NULL, "each model has one process, and --threads"},
    {"MINERVA_RATE_LIMIT_BURST", NULL, LIMITS},
    {"MINERVA_RATE_LIMIT_RPS", NULL, LIMITS},
    {"MINERVA_LOG_LEVEL", NULL, LOG},
    {"MINERVA_LOG_FILE", NULL, LOG},
};
const size_t n_minerva_names = COUNT_OF(minerva_names);
