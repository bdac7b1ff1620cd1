/* gemma2.c - Gemma 2: softcaps on scores and logits, every second layer windowed, four norms.
 *
 * Norm weights are stored with their 1 added. The softmax scale of the 27B model is that of the
 * width over the heads; files name no scale, so its 46 layers tell. */
#include "model/arch.h"

static void fill(struct hparams *h, struct meta_reader *r)
{
    h->embd_scaled = true;
    h->post_norms = true;
    h->act = ACT_FN_GELU_TANH;
    h->attn_softcap = meta_f64(r, "attn_logit_softcapping", 50.0);
    h->final_softcap = meta_f64(r, "final_logit_softcapping", 30.0);
    if (h->n_layers == 46)
        h->attn_scale_dim = h->n_embd / h->n_heads;
    h->needs = SLOTS_ATTN | SLOTS_QKV | SLOT_BIT(FFN_NORM) | SLOTS_FFN | SLOTS_POST_NORM;
    hparams_windows(h, r, 2, 4096);
}

const struct arch arch_gemma2 = {"gemma2", fill};
