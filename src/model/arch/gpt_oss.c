/* gpt_oss.c - gpt-oss: attention sinks, experts with biases and a clamped gate, every second layer
 * windowed, YaRN whose ramp is not rounded.
 *
 * The norm before the feed-forward carries the name of a post-attention norm. */
#include "model/arch.h"

static void fill(struct hparams *h, struct meta_reader *r)
{
    h->act = ACT_FN_SWIGLU_OAI;
    h->ffn_norm = SLOT_ATTN_POST_NORM;
    h->rope.round_ramp = meta_bool(r, "rope.scaling.yarn_truncate", false);
    h->rope_windowed.round_ramp = h->rope.round_ramp;
    h->needs = SLOTS_ATTN | SLOTS_QKV | SLOTS_QKV_BIAS | SLOT_BIT(ATTN_OUT_BIAS) |
               SLOT_BIT(ATTN_SINKS) | SLOT_BIT(ATTN_POST_NORM) | SLOTS_MOE | SLOTS_MOE_BIAS;
    if (h->n_experts == 0)
        meta_need_u32(r, "expert_count");
    hparams_windows(h, r, 2, 128);
}

const struct arch arch_gpt_oss = {"gpt-oss", fill};
