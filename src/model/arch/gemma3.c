/* gemma3.c - Gemma 3 (text): five windowed layers to one full, each kind with its rotary base.
 *
 * Position scaling touches the full layers only. Norm weights are stored with their 1 added. The
 * softmax scale of the 27B model (62 layers) is that of the width over the heads. */
#include "model/arch.h"

static void fill(struct hparams *h, struct meta_reader *r)
{
    h->embd_scaled = true;
    h->post_norms = true;
    h->act = ACT_FN_GELU_TANH;
    h->final_softcap = meta_f64(r, "final_logit_softcapping", 0.0);
    if (h->n_layers == 62)
        h->attn_scale_dim = h->n_embd / h->n_heads;
    h->rope_windowed =
        (struct rope_params){.theta = meta_f64(r, "rope.freq_base_swa", 10000.0), .factor = 1.0};
    h->needs =
        SLOTS_ATTN | SLOTS_QKV | SLOTS_QK_NORM | SLOT_BIT(FFN_NORM) | SLOTS_FFN | SLOTS_POST_NORM;
    hparams_windows(h, r, 6, 0);
}

const struct arch arch_gemma3 = {"gemma3", fill};
