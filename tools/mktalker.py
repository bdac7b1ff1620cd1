#!/usr/bin/env python3
"""mktalker.py - writes tests/golden/engine/talker.gguf: a tiny random llama with a byte-level
tokenizer and a chat template, for tests of whole commands. Needs Python's gguf package.

usage: tools/mktalker.py OUT.gguf
"""
import sys

import gguf
import numpy as np

N_LAYERS, N_EMBD, N_HEADS, N_KV_HEADS, N_FF, N_CTX = 2, 64, 4, 2, 96, 256
SPECIAL = ["<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
TEMPLATE = ("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}")


def byte_letters():
    """GPT-2's printable letter for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [b for b in range(256) if b not in plain]
    return {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(other)}


def main():
    rng = np.random.default_rng(1)
    w = gguf.GGUFWriter(sys.argv[1], "llama")
    letters = byte_letters()
    tokens = [letters[b] for b in range(256)] + SPECIAL
    w.add_context_length(N_CTX)
    w.add_embedding_length(N_EMBD)
    w.add_block_count(N_LAYERS)
    w.add_feed_forward_length(N_FF)
    w.add_head_count(N_HEADS)
    w.add_head_count_kv(N_KV_HEADS)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(N_EMBD // N_HEADS)
    w.add_rope_freq_base(10000.0)
    w.add_vocab_size(len(tokens))
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(tokens)
    w.add_token_types([1] * 256 + [3] * len(SPECIAL))
    w.add_token_merges([])
    w.add_eos_token_id(256)
    w.add_chat_template(TEMPLATE)

    def add(name, rows, cols, scale):
        x = (rng.standard_normal((rows, cols)) * scale).astype(np.float32)
        w.add_tensor(name, gguf.quants.quantize(x, gguf.GGMLQuantizationType.Q8_0),
                     raw_dtype=gguf.GGMLQuantizationType.Q8_0)

    kv = N_EMBD // N_HEADS * N_KV_HEADS
    add("token_embd.weight", len(tokens), N_EMBD, 1)
    w.add_tensor("output_norm.weight", np.ones(N_EMBD, np.float32))
    add("output.weight", len(tokens), N_EMBD, 0.3)
    for i in range(N_LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            w.add_tensor(f"blk.{i}.{norm}.weight", np.ones(N_EMBD, np.float32))
        for name, rows, cols in (("attn_q", N_EMBD, N_EMBD), ("attn_k", kv, N_EMBD), ("attn_v", kv, N_EMBD),
                                 ("attn_output", N_EMBD, N_EMBD), ("ffn_gate", N_FF, N_EMBD),
                                 ("ffn_up", N_FF, N_EMBD), ("ffn_down", N_EMBD, N_FF)):
            add(f"blk.{i}.{name}.weight", rows, cols, cols**-0.5)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


main()
