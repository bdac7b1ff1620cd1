/* arch.h - the table of architectures. A new one is a file in arch/ and a line in arch.c. */
#ifndef MODEL_ARCH_H
#define MODEL_ARCH_H

#include "base/str.h"
#include "model/hparams.h"

struct arch {
    const char *name; /* general.architecture */
    /* Choices and numbers beyond the common ones, which h already has. */
    void (*fill)(struct hparams *h, struct meta_reader *r);
    bool is_encoder;
};

extern const struct arch arch_llama, arch_qwen2, arch_qwen3, arch_qwen3moe, arch_phi3, arch_gemma2,
    arch_gemma3, arch_gpt_oss, arch_bert, arch_nomic_bert;

extern const struct arch *const archs[]; /* ends with NULL */

const struct arch *arch_find(struct str name); /* NULL: not supported */

#endif
