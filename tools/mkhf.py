#!/usr/bin/env python3
"""mkhf.py - tiny random Hugging Face models, one folder per architecture, as oracles and test input.

usage: mkhf.py OUT_FOLDER [NAME...]     needs: pip install torch transformers tokenizers safetensors
(hf_vectors.py makes still smaller ones, of a few kilobytes, with the same code.)

Every parameter is drawn (norms and biases too) from a fixed seed; query and key weights are large,
so that attention is peaked; shapes are odd on purpose (head sizes 64, 80, 96, 128, groups of 1, 4,
7, 8, vocabularies that are no multiple of 16, windows and original contexts that a sequence of 300
tokens passes). Some config.json are written as Transformers 4 wrote them (rope_theta and
rope_scaling), the others as version 5 does (rope_parameters). To run a mixture of experts in float64,
load it with experts_implementation="eager".
"""
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

LONG = [1.0 + 0.21 * i for i in range(48)]
SHORT = [1.0 + 0.013 * i for i in range(48)]
BASE = dict(num_hidden_layers=3, max_position_embeddings=512, bos_token_id=0, eos_token_id=1,
            pad_token_id=None, tie_word_embeddings=False)

# name: (model type, config, extra)   extra: old = config.json as of version 4; dtype; shards
MODELS = {
    "llama": ("llama", dict(hidden_size=96, num_attention_heads=4, num_key_value_heads=1, head_dim=64,
                            intermediate_size=256, vocab_size=307, rms_norm_eps=1e-5,
                            rope_theta=10000.0), {}),
    "llama3": ("llama", dict(hidden_size=256, num_attention_heads=8, num_key_value_heads=1, head_dim=64,
                             intermediate_size=768, vocab_size=321, tie_word_embeddings=True,
                             max_position_embeddings=1024, rope_theta=500000.0,
                             rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0,
                                               high_freq_factor=4.0,
                                               original_max_position_embeddings=128)),
               dict(old=True, dtype="bfloat16")),
    "mistral": ("mistral", dict(hidden_size=256, num_attention_heads=4, num_key_value_heads=4, head_dim=80,
                                intermediate_size=480, vocab_size=293, sliding_window=96,
                                rope_theta=10000.0), dict(old=True)),
    "deepseek": ("llama", dict(hidden_size=128, num_attention_heads=1, num_key_value_heads=1,
                               intermediate_size=352, vocab_size=315, rms_norm_eps=1e-6,
                               rope_theta=100000.0, rope_scaling=dict(type="linear", factor=4.0)),
                 dict(old=True)),
    "dynamic": ("llama", dict(hidden_size=128, num_attention_heads=2, num_key_value_heads=2,
                              intermediate_size=256, vocab_size=309, max_position_embeddings=64,
                              rope_theta=10000.0, rope_scaling=dict(type="dynamic", factor=2.0)),
                dict(old=True)),
    "yarn": ("llama", dict(hidden_size=192, num_attention_heads=8, num_key_value_heads=2, head_dim=64,
                           intermediate_size=256, vocab_size=301, rope_theta=10000.0,
                           rope_scaling=dict(rope_type="yarn", factor=8.0,
                                             original_max_position_embeddings=64)),
             dict(old=True, dtype="float16")),
    "llamabias": ("llama", dict(hidden_size=96, num_attention_heads=4, num_key_value_heads=2, head_dim=64,
                                intermediate_size=128, vocab_size=299, attention_bias=True,
                                rope_theta=10000.0), {}),
    "qwen2": ("qwen2", dict(hidden_size=448, num_attention_heads=7, num_key_value_heads=1,
                            intermediate_size=768, vocab_size=331, tie_word_embeddings=True,
                            num_hidden_layers=2, rope_theta=1000000.0), dict(dtype="bfloat16", shards="1MB")),
    "qwen3": ("qwen3", dict(hidden_size=96, num_attention_heads=4, num_key_value_heads=2, head_dim=128,
                            intermediate_size=256, vocab_size=311, tie_word_embeddings=True,
                            rope_theta=1000000.0), dict(old=True)),
    "phi3": ("phi3", dict(hidden_size=384, num_attention_heads=4, num_key_value_heads=4,
                          intermediate_size=512, vocab_size=337, sliding_window=70, num_hidden_layers=2,
                          original_max_position_embeddings=512, rope_theta=10000.0), dict(old=True)),
    "phi4mini": ("phi3", dict(hidden_size=512, num_attention_heads=4, num_key_value_heads=2,
                              intermediate_size=256, vocab_size=317, num_hidden_layers=2,
                              tie_word_embeddings=True, partial_rotary_factor=0.75,
                              original_max_position_embeddings=64, rope_theta=10000.0,
                              rope_scaling=dict(type="longrope", short_factor=SHORT, long_factor=LONG)),
                 dict(old=True)),
    "gemma2": ("gemma2", dict(hidden_size=288, num_attention_heads=4, num_key_value_heads=2, head_dim=64,
                              intermediate_size=352, vocab_size=319, sliding_window=64,
                              num_hidden_layers=4, query_pre_attn_scalar=72, tie_word_embeddings=True,
                              final_logit_softcapping=30.0, attn_logit_softcapping=50.0,
                              rope_theta=10000.0), dict(old=True)),
    "gemma3": ("gemma3_text", dict(hidden_size=160, num_attention_heads=4, num_key_value_heads=1,
                                   head_dim=80, intermediate_size=256, vocab_size=325, sliding_window=32,
                                   num_hidden_layers=7, query_pre_attn_scalar=80,
                                   tie_word_embeddings=True,
                                   rope_parameters=dict(
                                       full_attention=dict(rope_type="linear", factor=8.0,
                                                           rope_theta=1000000.0),
                                       sliding_attention=dict(rope_type="default", rope_theta=10000.0))),
               dict(old=True)),
    "mixtral": ("mixtral", dict(hidden_size=128, num_attention_heads=4, num_key_value_heads=2, head_dim=32,
                                intermediate_size=96, vocab_size=303, num_local_experts=5,
                                num_experts_per_tok=2, rope_theta=1000000.0), dict(old=True)),
    "qwen3moe": ("qwen3_moe", dict(hidden_size=96, num_attention_heads=4, num_key_value_heads=1,
                                   head_dim=64, intermediate_size=192, moe_intermediate_size=64,
                                   vocab_size=313, num_experts=8, num_experts_per_tok=3,
                                   norm_topk_prob=True, rope_theta=1000000.0), {}),
    "gptoss": ("gpt_oss", dict(hidden_size=96, num_attention_heads=8, num_key_value_heads=1, head_dim=64,
                               intermediate_size=64, vocab_size=305, num_local_experts=4,
                               num_experts_per_tok=2, sliding_window=32, num_hidden_layers=4,
                               rope_theta=150000.0,
                               rope_scaling=dict(rope_type="yarn", factor=8.0, beta_fast=32.0,
                                                 beta_slow=1.0, truncate=False,
                                                 original_max_position_embeddings=64)),
               dict(old=True, mxfp4=True)),
}


def draw(name, p, rng, gemma, tied):
    x = torch.randn(p.shape, generator=rng, dtype=torch.float32)
    if "norm" in name:  # Gemma stores the difference from 1
        return (0.0 if gemma else 1.0) + 0.2 * x
    if p.ndim == 1:  # biases, sinks
        return 0.5 * x
    if "embed" in name:
        return x / p.shape[-1] ** 0.5 if tied else x
    gain = 1.6 if "q_proj" in name or "k_proj" in name or "qkv" in name else 1.0
    fan_in = p.shape[-2] if name.endswith(("gate_up_proj", "down_proj")) and p.ndim == 3 and not gemma \
        else p.shape[-1]
    return gain * x / fan_in ** 0.5


def write_tokenizer(out, n_vocab):
    """Byte-level BPE: two specials, 256 bytes, merges of frequent pairs; 2 ids stay unused."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())[:n_vocab - 4]
    tokens = ["<s>", "</s>"] + alphabet
    merges = []
    for a in "etaoinsrhl":
        for b in "etaoinsrhl":
            if len(tokens) < n_vocab - 2 and a + b not in tokens:
                tokens.append(a + b)
                merges.append((a, b))
    assert len(tokens) == n_vocab - 2
    t = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>", eos_token="</s>")
    fast.save_pretrained(out)


def as_version_4(name, config):
    """config.json as published models have it."""
    rope = config.pop("rope_parameters", None)
    config.pop("layer_types", None)
    config["torch_dtype"] = config.pop("dtype", "float32")
    if not rope:
        return config
    if "full_attention" in rope:
        config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        config["sliding_window_pattern"] = config.pop("_sliding_window_pattern")
        rope = dict(rope["full_attention"])
    config["rope_theta"] = rope.pop("rope_theta")
    if (part := rope.pop("partial_rotary_factor", None)) not in (None, 1.0):
        config["partial_rotary_factor"] = part
    kind = rope.pop("rope_type", "default")
    config["rope_scaling"] = None
    if kind == "longrope":
        config["original_max_position_embeddings"] = rope.pop("original_max_position_embeddings")
    if name in ("deepseek", "dynamic", "phi4mini"):
        config["rope_scaling"] = dict(rope, type=kind)
    elif kind != "default":
        config["rope_scaling"] = dict(rope, rope_type=kind)
    return config


FP4 = torch.tensor([0, .5, 1, 1.5, 2, 3, 4, 6, -0., -.5, -1, -1.5, -2, -3, -4, -6])


def to_mxfp4(w):
    """[experts, in, out] -> blocks [experts, out, in/32, 16], scales [experts, out, in/32]."""
    w = w.transpose(1, 2).contiguous().float()
    g = w.reshape(*w.shape[:2], -1, 32)
    e = torch.floor(torch.log2(g.abs().amax(-1))) - 2
    codes = (g / 2.0 ** e[..., None]).unsqueeze(-1).sub(FP4).abs().argmin(-1).to(torch.uint8)
    blocks = codes[..., 0::2] | codes[..., 1::2] << 4
    return blocks, (e + 127).to(torch.uint8)


def write_mxfp4(out, config, folder):
    """gpt-oss as published: experts in MXFP4; the weights in out become their exact values."""
    state = load_file(out / "model.safetensors")
    packed = {}
    for name, w in state.items():
        if name.endswith(("gate_up_proj", "down_proj")):
            blocks, scales = to_mxfp4(w)
            packed[name + "_blocks"], packed[name + "_scales"] = blocks, scales
            codes = torch.stack((blocks & 15, blocks >> 4), -1).flatten(-2).long()
            exact = FP4[codes] * 2.0 ** (scales[..., None].float() - 127)
            state[name] = exact.flatten(-2).transpose(1, 2).contiguous()
        else:
            packed[name] = w.to(torch.bfloat16)
            state[name] = packed[name].float()
    save_file(state, out / "model.safetensors", metadata={"format": "pt"})
    folder.mkdir(exist_ok=True)
    save_file(packed, folder / "model.safetensors", metadata={"format": "pt"})
    config = dict(config, torch_dtype="bfloat16",
                  quantization_config={"quant_method": "mxfp4", "modules_to_not_convert": []})
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    write_tokenizer(folder, config["vocab_size"])


def make(root, name, smaller={}):
    kind, overrides, extra = MODELS[name]
    out = root / name
    config = CONFIG_MAPPING[kind](**{**BASE, **overrides, **smaller})
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    rng = torch.Generator().manual_seed(sum(map(ord, name)))
    with torch.no_grad():
        for key, p in model.named_parameters():
            p.copy_(draw(key, p, rng, name.startswith("gemma"), config.tie_word_embeddings))
    model = model.to(getattr(torch, extra.get("dtype", "float32")))
    for old in out.glob("*"):
        old.unlink()
    model.save_pretrained(out, max_shard_size=extra.get("shards", "1GB"))
    saved = json.loads((out / "config.json").read_text())
    if extra.get("old"):
        saved = as_version_4(name, saved)
        (out / "config.json").write_text(json.dumps(saved, indent=2))
    (out / "generation_config.json").unlink(missing_ok=True)
    write_tokenizer(out, saved["vocab_size"])
    if extra.get("mxfp4"):
        write_mxfp4(out, saved, root / (name + "_mxfp4"))
    n = sum(p.numel() for p in model.parameters())
    print(f"{name:10} {n:9} parameters, {len(list(out.glob('*.safetensors')))} files")


def main():
    root = Path(sys.argv[1])
    root.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or MODELS:
        make(root, name)


if __name__ == "__main__":
    main()
