#!/usr/bin/env python3
"""mktiny.py - tiny models of every architecture with what Transformers computes for them in float64.

usage: mktiny.py OUT_DIR [NAME...]        (needs torch, transformers, gguf, numpy)
       mktiny.py --seeds OUT_DIR          (the same kinds with the smallest shapes, to fuzz with)

Writes OUT_DIR/<name>.gguf and <name>.vec. Every parameter is drawn, biases and norms too; weights
are quantised first and Transformers gets the decoded values, so both sides hold the same numbers.
Query and key matrices have gain, so that attention is peaked; sequences pass every window, scaling
border, page (64) and, for one, group (512).

A .vec file, little-endian: "IVEC", u32 tokens T, rows R, vocabulary V; i32[T] tokens; u32[R] rows
(ascending positions); f64[R][V] logits. They come from eager attention; Transformers computes
norms, softmax and rotary angles in float32 whatever the model's type, so inside its modules
"float32" is made to mean float64 here.
"""
import math
import struct
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
import transformers.modeling_rope_utils as rope_utils
from gguf.quants import dequantize, quantize

F32, F16, BF16, Q8, Q4, Q5, MX = (gguf.GGMLQuantizationType[n] for n in (
    "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q5_1", "MXFP4"))


class Float64Torch:
    """torch, but float32 is float64."""
    float32 = float = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


def widen(model_class):
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    rope_utils.torch = Float64Torch()
    sys.modules[model_class.__module__].torch = Float64Torch()


class Tiny:
    """Draws tensors under GGUF names, keeps raw bytes for the file and values for Transformers."""

    def __init__(self, arch, seed):
        self.arch, self.rng = arch, np.random.default_rng(seed)
        self.raw, self.value, self.keys = {}, {}, []

    def key(self, name, kind, value):
        self.keys.append((name if "." in name and name.startswith("general") else f"{self.arch}.{name}", kind, value))

    def matrix(self, name, shape, dtype, gain=1.0):
        x = self.rng.standard_normal(shape) * gain / math.sqrt(shape[-1])
        self.put(name, x.astype(np.float32), dtype)

    def vector(self, name, shape, mean=0.0, std=0.3):
        self.put(name, (mean + std * self.rng.standard_normal(shape)).astype(np.float32), F32)

    def put(self, name, x, dtype):
        if dtype not in (F32, F16, BF16) and x.shape[-1] % 32:
            dtype = F16
        raw = x if dtype == F32 else x.astype(np.float16) if dtype == F16 else quantize(x, dtype)
        self.raw[name] = (raw, dtype)
        self.value[name] = (raw if dtype in (F32, F16) else dequantize(raw, dtype)).astype(np.float64).reshape(x.shape)

    def write(self, path):
        w = gguf.GGUFWriter(path, self.arch)
        for name, kind, value in self.keys:
            getattr(w, f"add_{kind}")(name, value)
        for name, (raw, dtype) in self.raw.items():
            w.add_tensor(name, raw, raw_dtype=None if dtype in (F32, F16) else dtype)
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_tensors_to_file()
        w.close()


# What differs between the models. d width, h heads, g key-value heads, e head size, f feed-forward,
# n layers, v vocabulary, t tokens, q the type of matrices; config: more for Transformers.
MODELS = {
    "llama": dict(arch="llama", cls="Llama", d=96, h=4, g=1, e=24, f=128, n=2, v=99, t=600, q=Q8),
    "llama-rope3": dict(arch="llama", cls="Llama", d=64, h=4, g=4, e=16, f=96, n=2, v=77, t=300, q=F16, tied=True,
                        theta=500000.0, ctx=1024,
                        rope=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                  original_max_position_embeddings=128)),
    "llama-linear": dict(arch="llama", cls="Llama", d=64, h=1, g=1, e=64, f=96, n=2, v=51, t=200, q=Q8, bias="qkvogud",
                         rope=dict(rope_type="linear", factor=4.0)),
    "llama-dynamic": dict(arch="llama", cls="Llama", d=64, h=4, g=2, e=16, f=96, n=2, v=51, t=160, q=Q8, ctx=70,
                          rope=dict(rope_type="dynamic", factor=4.0), by_token=True),
    "llama-yarn": dict(arch="llama", cls="Llama", d=64, h=2, g=1, e=32, f=96, n=2, v=51, t=300, q=Q8, ctx=256,
                       rope=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64,
                                 beta_fast=4.0, beta_slow=0.5)),
    "mistral": dict(arch="llama", cls="Mistral", d=64, h=7, g=1, e=16, f=96, n=2, v=67, t=200, q=Q5, window=48,
                    windows="all"),
    "mixtral": dict(arch="llama", cls="Mixtral", d=64, h=4, g=2, e=16, f=32, n=2, v=67, t=150, q=Q8, experts=4, used=2),
    "qwen2": dict(arch="qwen2", cls="Qwen2", d=64, h=4, g=2, e=16, f=96, n=3, v=83, t=200, q=BF16, bias="qkv", tied=True,
                  theta=1000000.0, window=40, windows="last", k_bias=5.0,
                  config=dict(use_sliding_window=True, max_window_layers=1)),
    "qwen3": dict(arch="qwen3", cls="Qwen3", d=96, h=2, g=1, e=80, f=96, n=2, v=83, t=140, q=Q8, qk_norm=True),
    "qwen3moe": dict(arch="qwen3moe", cls="Qwen3Moe", d=64, h=4, g=2, e=32, f=96, n=2, v=83, t=130, q=Q8, qk_norm=True,
                     experts=8, used=3, f_expert=32, weights_norm=False, tied=True),
    "phi3": dict(arch="phi3", cls="Phi3", d=64, h=4, g=2, e=16, f=96, n=2, v=61, t=200, q=Q8, fused=True, window=48,
                 windows="all"),
    "phi3-long": dict(arch="phi3", cls="Phi3", d=96, h=3, g=1, e=32, rot=24, f=96, n=2, v=61, t=200, q=Q8, fused=True,
                      ctx=1024, tied=True,
                      rope=dict(rope_type="longrope", original_max_position_embeddings=96, partial_rotary_factor=0.75,
                                short_factor=[1 + i / 16 for i in range(12)],
                                long_factor=[1.0 + i * i / 4 for i in range(12)])),
    "gemma2": dict(arch="gemma2", cls="Gemma2", d=64, h=4, g=2, e=32, f=64, n=3, v=71, t=200, q=Q8, tied=True, window=40,
                   windows="even", post_norms=True, softcaps=(50.0, 30.0), qk_gain=3.0,
                   config=dict(query_pre_attn_scalar=32)),
    "gemma3": dict(arch="gemma3", cls="Gemma3", d=32, h=2, g=1, e=16, f=64, n=7, v=71, t=200, q=F16, tied=True,
                   window=40, windows="sixth", post_norms=True, qk_norm=True, theta=1000000.0, scale=0.2,
                   rope=dict(rope_type="linear", factor=8.0), config=dict(query_pre_attn_scalar=25)),
    "gpt-oss": dict(arch="gpt-oss", cls="GptOss", d=64, h=8, g=2, e=16, f=64, n=3, v=91, t=200, q=Q8, expert_q=MX,
                    experts=4, used=2, bias="qkvo", sinks=True, window=32, windows="even", theta=150000.0, ctx=2048,
                    rope=dict(rope_type="yarn", factor=32.0, beta_fast=32.0, beta_slow=1.0, truncate=False,
                              original_max_position_embeddings=64)),
}


def draw(name, m):
    """All tensors and keys of a model under GGUF's names."""
    t = Tiny(m["arch"], seed=sum(name.encode()))
    d, h, g, e, f, n, v, q = (m[k] for k in "dhgefnvq")
    gain = m.get("qk_gain", 2.5)
    t.matrix("token_embd.weight", (v, d), q, gain=math.sqrt(d))
    t.vector("output_norm.weight", d, mean=1.0)
    if not m.get("tied"):
        t.matrix("output.weight", (v, d), q, gain=3.0)
    for i in range(n):
        draw_layer(t, m, f"blk.{i}.", d, h * e, g * e, f, q, gain)
    draw_keys(t, m)
    return t


def draw_layer(t, m, b, d, q_out, kv_out, f, q, gain):
    bias = m.get("bias", "")
    t.vector(b + "attn_norm.weight", d, mean=1.0)
    if m.get("fused"):
        t.matrix(b + "attn_qkv.weight", (q_out + 2 * kv_out, d), q, gain=gain)
    else:
        t.matrix(b + "attn_q.weight", (q_out, d), q, gain=gain)
        t.matrix(b + "attn_k.weight", (kv_out, d), q, gain=gain)
        t.matrix(b + "attn_v.weight", (kv_out, d), q)
    for letter, tensor, size in (("q", "attn_q", q_out), ("k", "attn_k", kv_out), ("v", "attn_v", kv_out),
                                 ("o", "attn_output", d)):
        if letter in bias:
            t.vector(b + tensor + ".bias", size, std=m.get("k_bias", 0.5) if letter == "k" else 0.5)
    t.matrix(b + "attn_output.weight", (d, q_out), q)
    if m.get("qk_norm"):
        t.vector(b + "attn_q_norm.weight", m["e"], mean=2.0)
        t.vector(b + "attn_k_norm.weight", m["e"], mean=2.0)
    if m.get("sinks"):
        t.vector(b + "attn_sinks.weight", m["h"], std=2.0)
    if m.get("post_norms"):
        t.vector(b + "post_attention_norm.weight", d, mean=1.0)
        t.vector(b + "post_ffw_norm.weight", d, mean=1.0)
    oss = m["arch"] == "gpt-oss"
    t.vector(b + ("post_attention_norm.weight" if oss else "ffn_norm.weight"), d, mean=1.0)
    if not m.get("experts"):
        if m.get("fused"):
            t.matrix(b + "ffn_up.weight", (2 * f, d), q, gain=1.5)
        else:
            t.matrix(b + "ffn_gate.weight", (f, d), q, gain=1.5)
            t.matrix(b + "ffn_up.weight", (f, d), q, gain=1.5)
        t.matrix(b + "ffn_down.weight", (d, f), q)
        for letter, tensor, size in (("g", "ffn_gate", f), ("u", "ffn_up", f), ("d", "ffn_down", d)):
            if letter in bias:
                t.vector(b + tensor + ".bias", size)
        return
    x, fx, xq = m["experts"], m.get("f_expert", f), m.get("expert_q", q)
    t.matrix(b + "ffn_gate_inp.weight", (x, d), F32, gain=2.0)
    t.matrix(b + "ffn_gate_exps.weight", (x, fx, d), xq, gain=4.0 if oss else 1.5)
    t.matrix(b + "ffn_up_exps.weight", (x, fx, d), xq, gain=4.0 if oss else 1.5)
    t.matrix(b + "ffn_down_exps.weight", (x, d, fx), xq)
    if oss:
        t.vector(b + "ffn_gate_inp.bias", x)
        t.vector(b + "ffn_gate_exps.bias", (x, fx))
        t.vector(b + "ffn_up_exps.bias", (x, fx))
        t.vector(b + "ffn_down_exps.bias", (x, d))


def draw_keys(t, m):
    t.key("context_length", "uint32", m.get("ctx", 2048))
    t.key("embedding_length", "uint32", m["d"])
    t.key("block_count", "uint32", m["n"])
    t.key("feed_forward_length", "uint32", m["f"])
    t.key("attention.head_count", "uint32", m["h"])
    t.key("attention.head_count_kv", "uint32", m["g"])
    t.key("attention.key_length", "uint32", m["e"])
    t.key("attention.value_length", "uint32", m["e"])
    t.key("attention.layer_norm_rms_epsilon", "float32", 1e-5)
    t.key("rope.dimension_count", "uint32", m.get("rot", m["e"]))
    t.key("rope.freq_base", "float32", m.get("theta", 10000.0))
    if m.get("experts"):
        t.key("expert_count", "uint32", m["experts"])
        t.key("expert_used_count", "uint32", m["used"])
        t.key("expert_feed_forward_length", "uint32", m.get("f_expert", m["f"]))
        if "weights_norm" in m:
            t.key("expert_weights_norm", "bool", m["weights_norm"])
    if m.get("window"):
        t.key("attention.sliding_window", "uint32", m["window"])
        if m["windows"] == "last":
            t.key("attention.sliding_window_pattern", "array", [i >= 1 for i in range(m["n"])])
    if m.get("softcaps"):
        t.key("attn_logit_softcapping", "float32", m["softcaps"][0])
        t.key("final_logit_softcapping", "float32", m["softcaps"][1])
    if m.get("scale"):
        t.key("attention.scale", "float32", m["scale"])
    rope_keys(t, m, m.get("rope", {}))


def rope_keys(t, m, r):
    kind = r.get("rope_type")
    if kind in ("linear", "dynamic", "yarn"):
        t.key("rope.scaling.type", "string", kind)
        t.key("rope.scaling.factor", "float32", r["factor"])
    if "original_max_position_embeddings" in r:
        t.key("rope.scaling.original_context_length", "uint32", r["original_max_position_embeddings"])
    if kind == "yarn" and m["arch"] != "gpt-oss":
        t.key("rope.scaling.yarn_beta_fast", "float32", r["beta_fast"])
        t.key("rope.scaling.yarn_beta_slow", "float32", r["beta_slow"])
    if kind == "longrope":
        orig = r["original_max_position_embeddings"]
        t.key("rope.scaling.attn_factor", "float32", math.sqrt(1 + math.log(m["ctx"] / orig) / math.log(orig)))
        t.put("rope_factors_short.weight", np.array(r["short_factor"], np.float32), F32)
        t.put("rope_factors_long.weight", np.array(r["long_factor"], np.float32), F32)
    if kind == "llama3":
        i = np.arange(0, m["e"], 2) / m["e"]
        turns = r["original_max_position_embeddings"] * m["theta"] ** -i / (2 * math.pi)
        smooth = np.clip((turns - r["low_freq_factor"]) / (r["high_freq_factor"] - r["low_freq_factor"]), 0, 1)
        t.put("rope_freqs.weight", (1 / ((1 - smooth) / r["factor"] + smooth)).astype(np.float32), F32)


def config_of(m):
    rope = dict(m.get("rope", dict(rope_type="default")))
    rope["rope_theta"] = m.get("theta", 10000.0)
    c = dict(vocab_size=m["v"], hidden_size=m["d"], intermediate_size=m["f"], num_hidden_layers=m["n"],
             num_attention_heads=m["h"], num_key_value_heads=m["g"], head_dim=m["e"], rms_norm_eps=float(np.float32(1e-5)),
             max_position_embeddings=m.get("ctx", 2048), tie_word_embeddings=m.get("tied", False), rope_parameters=rope,
             pad_token_id=None, bos_token_id=None, eos_token_id=None, attn_implementation="eager")
    if m.get("rot"):
        c["partial_rotary_factor"] = rope["partial_rotary_factor"]
    if m["cls"] == "Phi3" and "original_max_position_embeddings" in rope:
        c["original_max_position_embeddings"] = rope["original_max_position_embeddings"]
    if m["cls"] == "Gemma3":
        c["rope_parameters"] = dict(full_attention=rope, sliding_attention=dict(rope_type="default", rope_theta=10000.0))
    if m.get("bias") and m["cls"] == "Llama":
        c.update(attention_bias=True, mlp_bias="g" in m["bias"])
    c["sliding_window"] = m.get("window")
    if m.get("experts"):
        c.update(num_local_experts=m["experts"], num_experts_per_tok=m["used"], experts_implementation="eager")
        if m["cls"] == "Qwen3Moe":
            c.update(num_experts=m["experts"], moe_intermediate_size=m["f_expert"], norm_topk_prob=m["weights_norm"])
    if m.get("softcaps"):
        c.update(attn_logit_softcapping=m["softcaps"][0], final_logit_softcapping=m["softcaps"][1])
    c.update(m.get("config", {}))
    name = "Gemma3Text" if m["cls"] == "Gemma3" else m["cls"]
    return getattr(transformers, name + "Config")(**c)


def unpermute(x, n_heads):
    """Llama's rotary pairs lie side by side in GGUF and half a head apart in Transformers."""
    return x.reshape(n_heads, x.shape[0] // n_heads // 2, 2, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)


def value_for(name, t, m):
    """The value of one Transformers parameter."""
    if name in ("model.embed_tokens.weight", "lm_head.weight"):
        return t.value["output.weight" if name[0] == "l" and not m.get("tied") else "token_embd.weight"]
    norm = (lambda x: x - 1.0) if m["arch"].startswith("gemma") else (lambda x: x)
    if name == "model.norm.weight":
        return norm(t.value["output_norm.weight"])
    _, _, layer, *rest = name.split(".")
    b, rest = f"blk.{layer}.", ".".join(rest)
    get = lambda n: t.value[b + n]
    for part, heads in (("q", m["h"]), ("k", m["g"])):
        if m["arch"] == "llama" and rest.startswith(f"self_attn.{part}_proj."):
            return unpermute(get(f"attn_{part}.{rest.split('.')[-1]}"), heads)
    norms = {"input_layernorm.weight": "attn_norm.weight", "self_attn.q_norm.weight": "attn_q_norm.weight",
             "self_attn.k_norm.weight": "attn_k_norm.weight", "pre_feedforward_layernorm.weight": "ffn_norm.weight",
             "post_feedforward_layernorm.weight": "post_ffw_norm.weight",
             "post_attention_layernorm.weight": "post_attention_norm.weight"
             if m.get("post_norms") or m["arch"] == "gpt-oss" else "ffn_norm.weight"}
    if rest in norms:
        return norm(get(norms[rest]))
    plain = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
             "self_attn.o_proj": "attn_output", "self_attn.qkv_proj": "attn_qkv", "mlp.gate_proj": "ffn_gate",
             "mlp.up_proj": "ffn_up", "mlp.gate_up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
             "mlp.gate": "ffn_gate_inp", "mlp.router": "ffn_gate_inp"}
    stem, _, kind = rest.rpartition(".")
    if stem in plain:
        return get(f"{plain[stem]}.{kind}")
    if rest == "self_attn.sinks":
        return get("attn_sinks.weight")
    oss = m["arch"] == "gpt-oss"
    turn = (lambda x: x.swapaxes(-1, -2)) if oss else (lambda x: x)
    if rest == "mlp.experts.gate_up_proj":
        gate, up = get("ffn_gate_exps.weight"), get("ffn_up_exps.weight")
        both = np.stack((gate, up), 2).reshape(gate.shape[0], -1, gate.shape[2]) if oss else np.concatenate((gate, up), 1)
        return turn(both)
    if rest == "mlp.experts.gate_up_proj_bias":
        return np.stack((get("ffn_gate_exps.bias"), get("ffn_up_exps.bias")), -1).reshape(m["experts"], -1)
    return {"mlp.experts.down_proj": lambda: turn(get("ffn_down_exps.weight")),
            "mlp.experts.down_proj_bias": lambda: get("ffn_down_exps.bias")}[rest]()


def rows_of(m):
    t, borders = m["t"], [64, 512, m.get("window", 0)]
    borders += [m.get("rope", {}).get("original_max_position_embeddings", 0), m.get("ctx", 0)]
    near = {p for b in borders if b for p in (b - 1, b, b + 1)}
    return sorted({0, 1, 2, 17, t - 2, t - 1} | {p for p in near if p < t})


def logits_of(model, m, tokens):
    """[T, V]; LongRoPE computes positions before its border with the short factors, as generation does."""
    ids = torch.tensor([tokens])
    border = m.get("rope", {}).get("original_max_position_embeddings") if "long_factor" in m.get("rope", {}) else None
    with torch.no_grad():
        if m.get("by_token"):
            out, cache = [], None
            for i in range(len(tokens)):
                step = model(ids[:, i:i + 1], past_key_values=cache, use_cache=True)
                cache = step.past_key_values
                out.append(step.logits[0])
            return torch.cat(out)
        full = model(ids, use_cache=False).logits[0]
        if border:
            full[:border] = model(ids[:, :border], use_cache=False).logits[0]
        return full


def make(name, out):
    m = MODELS[name]
    t = draw(name, m)
    cls = getattr(transformers, m["cls"] + "ForCausalLM")
    widen(cls)
    model = cls(config_of(m)).double().eval()
    with torch.no_grad():
        for pname, p in model.named_parameters():
            value = torch.from_numpy(np.ascontiguousarray(value_for(pname, t, m)))
            assert value.shape == p.shape, (pname, value.shape, p.shape)
            p.copy_(value)
    for bname, buffer in model.named_buffers():
        assert buffer.dtype == torch.float64 or "inv_freq" not in bname, bname
    tokens = t.rng.integers(0, m["v"], m["t"]).tolist()
    logits = logits_of(model, m, tokens)
    assert logits.dtype == torch.float64
    rows = rows_of(m)
    t.write(out / f"{name}.gguf")
    with open(out / f"{name}.vec", "wb") as file:
        file.write(b"IVEC" + struct.pack("<III", len(tokens), len(rows), m["v"]))
        file.write(np.array(tokens, "<i4").tobytes() + np.array(rows, "<u4").tobytes())
        file.write(logits[rows].numpy().astype("<f8").tobytes())
    spread = float(logits.max() - logits.min())
    print(f"{name:14} {len(tokens):4} tokens {len(rows):2} rows  logit range {spread:.1f}  "
          f"{(out / (name + '.gguf')).stat().st_size} bytes")


def seed(name, out):
    m = dict(MODELS[name], d=8, h=2, g=1, e=4, f=8, n=2, v=3, q=F32, expert_q=F32, rot=4)
    if m.get("experts"):
        m.update(experts=2, used=1, f_expert=4)
    if "long_factor" in m.get("rope", {}):
        m["rope"] = dict(m["rope"], short_factor=[1.0, 1.5], long_factor=[1.0, 2.0])
    draw(name, m).write(out / f"{name}.gguf")


if __name__ == "__main__":
    seeds = sys.argv[1] == "--seeds"
    folder = Path(sys.argv[2 if seeds else 1])
    folder.mkdir(parents=True, exist_ok=True)
    for wanted in (not seeds and sys.argv[2:]) or MODELS:
        (seed if seeds else make)(wanted, folder)
