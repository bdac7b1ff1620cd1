/* phi3.c - Phi-3 and Phi-4: q, k, v in one matrix, gate and up in another, partial rotation.
 *
 * The window of Phi-3-mini-4k holds for every layer, as Transformers has it; 0 means none. */
#include "model/arch.h"

static void fill(struct hparams *h, struct meta_reader *r)
{
    h->needs = SLOTS_ATTN | SLOT_BIT(ATTN_QKV) | SLOT_BIT(FFN_NORM) | SLOT_BIT(FFN_GATE_UP) |
               SLOT_BIT(FFN_DOWN);
    hparams_windows(h, r, 0, 0);
}

const struct arch arch_phi3 = {"phi3", fill};
