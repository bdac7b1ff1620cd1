/* arch.c - the list of architectures. */
#include "model/arch.h"

const struct arch *const archs[] = {
    &arch_llama,  &arch_qwen2,   &arch_qwen3, &arch_qwen3moe,   &arch_phi3, &arch_gemma2,
    &arch_gemma3, &arch_gpt_oss, &arch_bert,  &arch_nomic_bert, NULL,
};

const struct arch *arch_find(struct str name)
{
    for (size_t i = 0; archs[i]; i++)
        if (str_is(name, archs[i]->name))
            return archs[i];
    return NULL;
}
