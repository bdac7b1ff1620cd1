/* qwen3moe.c - Qwen3 with experts in every layer. */
#include "model/arch.h"

static void fill(struct hparams *h, struct meta_reader *r)
{
    h->needs = SLOTS_ATTN | SLOTS_QKV | SLOTS_QK_NORM | SLOT_BIT(FFN_NORM) | SLOTS_MOE;
    h->allows = SLOTS_QKV_BIAS | SLOT_BIT(ATTN_OUT_BIAS);
    if (h->n_experts == 0)
        meta_need_u32(r, "expert_count");
    hparams_windows(h, r, 0, 0);
}

const struct arch arch_qwen3moe = {"qwen3moe", fill};
