/* qwen2.c - Qwen2 and Qwen2.5: Llama's graph with biases on q, k and v. */
#include "model/arch.h"

static void fill(struct hparams *h, struct meta_reader *r)
{
    h->needs = SLOTS_ATTN | SLOTS_QKV | SLOTS_QKV_BIAS | SLOT_BIT(FFN_NORM) | SLOTS_FFN;
    hparams_windows(h, r, 0, 0);
}

const struct arch arch_qwen2 = {"qwen2", fill};
