/* slots.h - every tensor that a supported model may have: GGUF name, kind, shape.
 *
 * Shapes are letters that hparams gives numbers to (hparams_dim): D width, V vocabulary, Q heads x
 * head size, KV key-value heads x head size, QKV = Q + 2 KV, E head size, H heads, F feed-forward,
 * F2 = 2F, EX experts, FX an expert's feed-forward, R2 rotary pairs. First the row length, as GGUF
 * has it. P positions, TY token types, L labels of a cross-encoder. A bias or norm is a vector even
 * where it has one row per expert. */
#ifndef MODEL_SLOTS_H
#define MODEL_SLOTS_H

/* X(NAME, "name in the file", kind, dim0, dim1, dim2) */
#define GLOBAL_SLOT_LIST(X)                                                                        \
    X(TOKEN_EMBD, "token_embd.weight", MATRIX, D, V, 1)                                            \
    X(OUTPUT_NORM, "output_norm.weight", VECTOR, D, 1, 1)                                          \
    X(OUTPUT, "output.weight", MATRIX, D, V, 1)                                                    \
    X(ROPE_FREQS, "rope_freqs.weight", VECTOR, R2, 1, 1)                                           \
    X(ROPE_LONG, "rope_factors_long.weight", VECTOR, R2, 1, 1)                                     \
    X(ROPE_SHORT, "rope_factors_short.weight", VECTOR, R2, 1, 1)                                   \
    X(POSITION_EMBD, "position_embd.weight", MATRIX, D, P, 1)                                      \
    X(TYPE_EMBD, "token_types.weight", MATRIX, D, TY, 1)                                           \
    X(EMBD_NORM, "token_embd_norm.weight", VECTOR, D, 1, 1)                                        \
    X(EMBD_NORM_BIAS, "token_embd_norm.bias", VECTOR, D, 1, 1)                                     \
    X(CLS, "cls.weight", MATRIX, D, D, 1)                                                          \
    X(CLS_BIAS, "cls.bias", VECTOR, D, 1, 1)                                                       \
    X(CLS_OUT, "cls.output.weight", MATRIX, D, L, 1)                                               \
    X(CLS_OUT_BIAS, "cls.output.bias", VECTOR, L, 1, 1)

/* Names follow "blk.<layer>.". */
#define LAYER_SLOT_LIST(X)                                                                         \
    X(ATTN_NORM, "attn_norm.weight", VECTOR, D, 1, 1)                                              \
    X(ATTN_Q, "attn_q.weight", MATRIX, D, Q, 1)                                                    \
    X(ATTN_Q_BIAS, "attn_q.bias", VECTOR, Q, 1, 1)                                                 \
    X(ATTN_K, "attn_k.weight", MATRIX, D, KV, 1)                                                   \
    X(ATTN_K_BIAS, "attn_k.bias", VECTOR, KV, 1, 1)                                                \
    X(ATTN_V, "attn_v.weight", MATRIX, D, KV, 1)                                                   \
    X(ATTN_V_BIAS, "attn_v.bias", VECTOR, KV, 1, 1)                                                \
    X(ATTN_QKV, "attn_qkv.weight", MATRIX, D, QKV, 1)                                              \
    X(ATTN_QKV_BIAS, "attn_qkv.bias", VECTOR, QKV, 1, 1)                                           \
    X(ATTN_Q_NORM, "attn_q_norm.weight", VECTOR, E, 1, 1)                                          \
    X(ATTN_K_NORM, "attn_k_norm.weight", VECTOR, E, 1, 1)                                          \
    X(ATTN_SINKS, "attn_sinks.weight", VECTOR, H, 1, 1)                                            \
    X(ATTN_OUT, "attn_output.weight", MATRIX, Q, D, 1)                                             \
    X(ATTN_OUT_BIAS, "attn_output.bias", VECTOR, D, 1, 1)                                          \
    X(ATTN_OUT_NORM, "attn_output_norm.weight", VECTOR, D, 1, 1)                                   \
    X(ATTN_OUT_NORM_BIAS, "attn_output_norm.bias", VECTOR, D, 1, 1)                                \
    X(ATTN_POST_NORM, "post_attention_norm.weight", VECTOR, D, 1, 1)                               \
    X(FFN_NORM, "ffn_norm.weight", VECTOR, D, 1, 1)                                                \
    X(FFN_GATE, "ffn_gate.weight", MATRIX, D, F, 1)                                                \
    X(FFN_GATE_BIAS, "ffn_gate.bias", VECTOR, F, 1, 1)                                             \
    X(FFN_UP, "ffn_up.weight", MATRIX, D, F, 1)                                                    \
    X(FFN_UP_BIAS, "ffn_up.bias", VECTOR, F, 1, 1)                                                 \
    X(FFN_GATE_UP, "ffn_up.weight", MATRIX, D, F2, 1)                                              \
    X(FFN_DOWN, "ffn_down.weight", MATRIX, F, D, 1)                                                \
    X(FFN_DOWN_BIAS, "ffn_down.bias", VECTOR, D, 1, 1)                                             \
    X(FFN_POST_NORM, "post_ffw_norm.weight", VECTOR, D, 1, 1)                                      \
    X(LAYER_OUT_NORM, "layer_output_norm.weight", VECTOR, D, 1, 1)                                 \
    X(LAYER_OUT_NORM_BIAS, "layer_output_norm.bias", VECTOR, D, 1, 1)                              \
    X(MOE_ROUTER, "ffn_gate_inp.weight", MATRIX, D, EX, 1)                                         \
    X(MOE_ROUTER_BIAS, "ffn_gate_inp.bias", VECTOR, EX, 1, 1)                                      \
    X(MOE_GATE, "ffn_gate_exps.weight", MATRIX, D, FX, EX)                                         \
    X(MOE_GATE_BIAS, "ffn_gate_exps.bias", VECTOR, FX, EX, 1)                                      \
    X(MOE_UP, "ffn_up_exps.weight", MATRIX, D, FX, EX)                                             \
    X(MOE_UP_BIAS, "ffn_up_exps.bias", VECTOR, FX, EX, 1)                                          \
    X(MOE_DOWN, "ffn_down_exps.weight", MATRIX, FX, D, EX)                                         \
    X(MOE_DOWN_BIAS, "ffn_down_exps.bias", VECTOR, D, EX, 1)

#define SLOT_ENUM(name, text, kind, d0, d1, d2) SLOT_##name,
enum global_slot { GLOBAL_SLOT_LIST(SLOT_ENUM) GLOBAL_SLOT_COUNT };
enum layer_slot { LAYER_SLOT_LIST(SLOT_ENUM) LAYER_SLOT_COUNT };
#undef SLOT_ENUM

/* A set of layer slots, or of global ones: bit i stands for slot i. */
#define SLOT_BIT(name) (1ull << SLOT_##name)
#define SLOTS_QKV      (SLOT_BIT(ATTN_Q) | SLOT_BIT(ATTN_K) | SLOT_BIT(ATTN_V))
#define SLOTS_QKV_BIAS (SLOT_BIT(ATTN_Q_BIAS) | SLOT_BIT(ATTN_K_BIAS) | SLOT_BIT(ATTN_V_BIAS))
#define SLOTS_ATTN     (SLOT_BIT(ATTN_NORM) | SLOT_BIT(ATTN_OUT))
#define SLOTS_QK_NORM  (SLOT_BIT(ATTN_Q_NORM) | SLOT_BIT(ATTN_K_NORM))
#define SLOTS_FFN      (SLOT_BIT(FFN_GATE) | SLOT_BIT(FFN_UP) | SLOT_BIT(FFN_DOWN))
/* What multiplies with a layer's first and with its second norm. */
#define SLOTS_ATTN_IN (SLOTS_QKV | SLOT_BIT(ATTN_QKV))
#define SLOTS_FFN_IN                                                                               \
    (SLOT_BIT(FFN_GATE) | SLOT_BIT(FFN_UP) | SLOT_BIT(FFN_GATE_UP) | SLOT_BIT(MOE_ROUTER))
#define SLOTS_FFN_BIAS (SLOT_BIT(FFN_GATE_BIAS) | SLOT_BIT(FFN_UP_BIAS) | SLOT_BIT(FFN_DOWN_BIAS))
#define SLOTS_MOE                                                                                  \
    (SLOT_BIT(MOE_ROUTER) | SLOT_BIT(MOE_GATE) | SLOT_BIT(MOE_UP) | SLOT_BIT(MOE_DOWN))
#define SLOTS_EXPERTS (SLOT_BIT(MOE_GATE) | SLOT_BIT(MOE_UP) | SLOT_BIT(MOE_DOWN))
#define SLOTS_MOE_BIAS                                                                             \
    (SLOT_BIT(MOE_ROUTER_BIAS) | SLOT_BIT(MOE_GATE_BIAS) | SLOT_BIT(MOE_UP_BIAS) |                 \
     SLOT_BIT(MOE_DOWN_BIAS))
#define SLOTS_OUT_NORM                                                                             \
    (SLOT_BIT(ATTN_OUT_NORM) | SLOT_BIT(ATTN_OUT_NORM_BIAS) | SLOT_BIT(LAYER_OUT_NORM) |           \
     SLOT_BIT(LAYER_OUT_NORM_BIAS))
#define GLOBALS_EMBD_NORM (SLOT_BIT(EMBD_NORM) | SLOT_BIT(EMBD_NORM_BIAS))
#define GLOBALS_CLS                                                                                \
    (SLOT_BIT(CLS) | SLOT_BIT(CLS_BIAS) | SLOT_BIT(CLS_OUT) | SLOT_BIT(CLS_OUT_BIAS))
#define SLOTS_POST_NORM (SLOT_BIT(ATTN_POST_NORM) | SLOT_BIT(FFN_POST_NORM))

#endif
