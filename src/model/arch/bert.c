/* bert.c - encoders: BERT, RoBERTa and XLM-R ("bert"), and Nomic's ("nomic-bert").
 *
 * Each block's output is added to its input, then normalised. BERT has learned positions (those of
 * RoBERTa begin at 0 here: converters leave out the rows before), biases everywhere and a
 * feed-forward without a gate. Nomic has rotary positions and a gated feed-forward. A cross-encoder
 * carries a head: a dense layer with tanh, which may be absent, then its labels. */
#include "model/arch.h"

static uint32_t rows_of(const struct table *t, const char *tensor)
{
    const struct tensor_view *v = table_tensor(t, tensor);
    return !v ? 0 : v->dim[1] > UINT32_MAX ? UINT32_MAX : (uint32_t)v->dim[1];
}

static void fill_encoder(struct hparams *h, struct meta_reader *r)
{
    h->n_types = rows_of(r->t, "token_types.weight");
    h->n_labels = rows_of(r->t, "cls.output.weight");
    h->needs = SLOT_BIT(ATTN_OUT) | SLOT_BIT(FFN_UP) | SLOT_BIT(FFN_DOWN) | SLOTS_OUT_NORM;
    h->needs |= table_tensor(r->t, "blk.0.attn_qkv.weight") ? SLOT_BIT(ATTN_QKV) : SLOTS_QKV;
    h->allows = SLOT_BIT(ATTN_OUT_BIAS) | SLOT_BIT(FFN_UP_BIAS) | SLOT_BIT(FFN_DOWN_BIAS);
    h->allows |= h->needs & SLOT_BIT(ATTN_QKV) ? SLOT_BIT(ATTN_QKV_BIAS) : SLOTS_QKV_BIAS;
    h->needs_global |= GLOBALS_EMBD_NORM;
    h->allows_global = SLOT_BIT(TYPE_EMBD) | GLOBALS_CLS;
    if (h->pooling == POOLING_RANK)
        h->needs_global |= SLOT_BIT(CLS_OUT);
}

static void fill_bert(struct hparams *h, struct meta_reader *r)
{
    fill_encoder(h, r);
    h->act = ACT_FN_GELU_ERF;
    h->needs_global |= SLOT_BIT(POSITION_EMBD);
}

static void fill_nomic(struct hparams *h, struct meta_reader *r)
{
    fill_encoder(h, r);
    h->needs |= SLOT_BIT(FFN_GATE);
}

const struct arch arch_bert = {"bert", fill_bert, true};
const struct arch arch_nomic_bert = {"nomic-bert", fill_nomic, true};
