/* qwen3.c - Qwen3: no biases, but q and k are normalised per head before the rotation. */
#include "model/arch.h"

static void fill(struct hparams *h, struct meta_reader *r)
{
    h->needs = SLOTS_ATTN | SLOTS_QKV | SLOTS_QK_NORM | SLOT_BIT(FFN_NORM) | SLOTS_FFN;
    h->allows = SLOTS_QKV_BIAS | SLOT_BIT(ATTN_OUT_BIAS);
    hparams_windows(h, r, 0, 0);
}

const struct arch arch_qwen3 = {"qwen3", fill};
