/* llama.c - Llama 1 to 3.x and what shares its graph: Mistral, Mixtral, DeepSeek-Coder, SmolLM.
 *
 * Heads are stored with rotary pairs side by side. Biases are rare but real. A window comes only
 * from files that name one (Mistral 7B v0.1); then every layer has it. */
#include "model/arch.h"

static void fill(struct hparams *h, struct meta_reader *r)
{
    h->rope_interleaved = true;
    h->needs = SLOTS_ATTN | SLOTS_QKV | SLOT_BIT(FFN_NORM) | (h->n_experts ? SLOTS_MOE : SLOTS_FFN);
    h->allows = SLOTS_QKV_BIAS | SLOT_BIT(ATTN_OUT_BIAS) | (h->n_experts ? 0 : SLOTS_FFN_BIAS);
    hparams_windows(h, r, 0, 0);
}

const struct arch arch_llama = {"llama", fill};
