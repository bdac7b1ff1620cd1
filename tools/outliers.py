#!/usr/bin/env python3
"""Gives a Llama-family Hugging Face folder the outliers that large models have, without changing
what it computes. A small trained model has none of its own, and quality must be measured with them.

  outliers.py IN OUT [--channels N] [--key-bias NORM] [--seed S]

Per layer, N channels each are multiplied by 16, 32, 64 or 128, and what reads them is divided:
  input_layernorm.weight            with the columns of q, k, v
  post_attention_layernorm.weight   with the columns of gate, up
  rows of v                         with the columns of o, in every query head that shares them
  rows of up                        with the columns of down
  a pair of rows of k that RoPE turns together, with the same pair of q
The factors are powers of two, so nothing is rounded: in float64 the logits stay the same to the
bit, and the tool refuses to write a folder for which they do not.

--key-bias adds a constant of that norm to every key head and writes a Qwen2 model, which has
biases. A constant added to all keys before RoPE is not invisible to the softmax, because RoPE turns
it by the position. It sits in the pair that turns slowest, whose q is first divided by 16 (and k
multiplied): what remains, a drift of the scores with the distance, is measured and printed as a
divergence. This variant is therefore a neighbour of the model, not the same function.

The final norm is left alone (its reader may be the embedding), and so is the residual stream
(RMSNorm sums over its channels, so scaling one is visible).
"""

import argparse
import json
import pathlib
import random
import shutil
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

FACTORS = (16.0, 32.0, 64.0, 128.0)
NORM_READERS = {
    "input_layernorm": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "post_attention_layernorm": ("mlp.gate_proj", "mlp.up_proj"),
}
SAMPLE = """<|im_start|>user
What is isobit?<|im_end|>
<|im_start|>assistant
isobit is LLM inference that can be checked.<|im_end|>
<|im_start|>user
What is 12 + 7?<|im_end|>
<|im_start|>assistant
12 plus 7 is 19.<|im_end|>
<|im_start|>user
What is the capital of France?<|im_end|>
<|im_start|>assistant
"""


def layer_name(i, name):
    return f"model.layers.{i}.{name}.weight"


def head_size(config):
    return config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]


def forward(config, tensors, ids):
    """Logits [time, vocab] in float64; attention over the whole sequence."""
    size, heads = head_size(config), config["num_attention_heads"]
    kv_heads, eps = config["num_key_value_heads"], config["rms_norm_eps"]
    t = {k: v.double() for k, v in tensors.items()}
    x, n = t["model.embed_tokens.weight"][ids], len(ids)
    frequency = config["rope_theta"] ** (-torch.arange(0, size, 2).double() / size)
    angle = torch.arange(n).double()[:, None] * frequency
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    mask = torch.full((n, n), -torch.inf, dtype=torch.float64).triu(1)

    def linear(name, v):
        return F.linear(v, t[name + ".weight"], t.get(name + ".bias"))

    def turn(v):
        a, b = v.chunk(2, -1)
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)

    for i in range(config["num_hidden_layers"]):
        p = f"model.layers.{i}."
        h = F.rms_norm(x, x.shape[-1:], t[p + "input_layernorm.weight"], eps)
        q = turn(linear(p + "self_attn.q_proj", h).view(n, heads, size))
        k = turn(linear(p + "self_attn.k_proj", h).view(n, kv_heads, size))
        v = linear(p + "self_attn.v_proj", h).view(n, kv_heads, size)
        k, v = (z.repeat_interleave(heads // kv_heads, 1) for z in (k, v))
        scores = torch.einsum("ihd,jhd->hij", q, k) * size ** -0.5 + mask
        y = torch.einsum("hij,jhd->ihd", scores.softmax(-1), v).reshape(n, -1)
        x = x + linear(p + "self_attn.o_proj", y)
        h = F.rms_norm(x, x.shape[-1:], t[p + "post_attention_layernorm.weight"], eps)
        gate, up = linear(p + "mlp.gate_proj", h), linear(p + "mlp.up_proj", h)
        x = x + linear(p + "mlp.down_proj", F.silu(gate) * up)
    x = F.rms_norm(x, x.shape[-1:], t["model.norm.weight"], eps)
    return x @ t.get("lm_head.weight", t["model.embed_tokens.weight"]).T


def choose(rng, n, count):
    """count channels of n, each with a factor."""
    return [(c, rng.choice(FACTORS)) for c in rng.sample(range(n), min(count, n))]


def scale_pair(config, tensors, layer, head, pair, factor):
    """Multiplies one RoPE pair of a key head and divides it in the query heads that read it."""
    size = head_size(config)
    group = config["num_attention_heads"] // config["num_key_value_heads"]
    k, q = (tensors[layer_name(layer, f"self_attn.{n}_proj")] for n in "kq")
    for row in (pair, pair + size // 2):
        k[head * size + row] *= factor
        for g in range(group):
            q[(head * group + g) * size + row] /= factor


def scale_layer(config, tensors, i, rng, count, norm_channels):
    size = head_size(config)
    group = config["num_attention_heads"] // config["num_key_value_heads"]

    def w(name):
        return tensors[layer_name(i, name)]

    for norm, readers in NORM_READERS.items():
        for c, factor in norm_channels:
            w(norm)[c] *= factor
            for reader in readers:
                w(reader)[:, c] /= factor
    for head in range(config["num_key_value_heads"]):
        for c, factor in choose(rng, size, max(1, count // 2)):
            w("self_attn.v_proj")[head * size + c] *= factor
            for g in range(group):
                w("self_attn.o_proj")[:, (head * group + g) * size + c] /= factor
        scale_pair(config, tensors, i, head, rng.randrange(size // 2), rng.choice(FACTORS))
    for c, factor in choose(rng, config["intermediate_size"], count):
        w("mlp.up_proj")[c] *= factor
        w("mlp.down_proj")[:, c] /= factor


def add_key_bias(config, tensors, norm, rng):
    """Biases as in Qwen2 (q, k, v; zero but for k), the key's in the slowest pair of every head."""
    size, kv_heads = head_size(config), config["num_key_value_heads"]
    for i in range(config["num_hidden_layers"]):
        for name in ("q_proj", "k_proj", "v_proj"):
            weight = tensors[layer_name(i, f"self_attn.{name}")]
            bias = torch.zeros(weight.shape[0], dtype=weight.dtype)
            tensors[f"model.layers.{i}.self_attn.{name}.bias"] = bias
        bias = tensors[f"model.layers.{i}.self_attn.k_proj.bias"]
        for head in range(kv_heads):
            scale_pair(config, tensors, i, head, size // 2 - 1, 16.0)
            angle = torch.tensor(rng.random() * 6.283185307179586)
            bias[head * size + size // 2 - 1] = norm * angle.cos()
            bias[head * size + size - 1] = norm * angle.sin()
    config.update(architectures=["Qwen2ForCausalLM"], model_type="qwen2", use_sliding_window=False)
    for key in ("attention_bias", "mlp_bias"):
        config.pop(key, None)


def divergence(a, b):
    """Mean KL divergence in nats of b's predictions from a's, and the largest change of a logit."""
    p, q = a.log_softmax(-1), b.log_softmax(-1)
    return float((p.exp() * (p - q)).sum(-1).mean()), float((a - b).abs().max())


def sample_ids(folder, vocab, n):
    """Real text where the folder has a tokenizer (its own chat format), else random tokens."""
    path = folder / "tokenizer.json"
    if path.exists():
        return torch.tensor(Tokenizer.from_file(str(path)).encode(SAMPLE * 4).ids[:n])
    return torch.randint(0, vocab, (n,), generator=torch.Generator().manual_seed(1))


def load(folder):
    config = json.loads((folder / "config.json").read_text())
    if config["model_type"] not in ("llama", "qwen2") or config.get("rope_scaling"):
        sys.exit(f"{folder}: model type {config['model_type']} or its rope scaling is unknown here")
    tensors = {}
    for part in sorted(folder.glob("*.safetensors")):
        tensors.update(load_file(part))
    return config, tensors


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("target", type=pathlib.Path)
    parser.add_argument("--channels", type=int, default=4, help="channels of each kind in a layer")
    parser.add_argument("--key-bias", type=float, default=0.0, metavar="NORM")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    config, tensors = load(args.source)
    ids = sample_ids(args.source, config["vocab_size"], 256)
    before = forward(config, tensors, ids)
    rng = random.Random(args.seed)
    norm_channels = choose(rng, config["hidden_size"], args.channels)
    for i in range(config["num_hidden_layers"]):
        scale_layer(config, tensors, i, rng, args.channels, norm_channels)
    after = forward(config, tensors, ids)
    if not torch.equal(before, after):
        sys.exit(f"the logits changed: KL {divergence(before, after)[0]:.3g}; nothing written")
    print(f"channels scaled; {before.numel()} logits in float64 are the same to the bit")
    if args.key_bias:
        add_key_bias(config, tensors, args.key_bias, rng)
        kl, largest = divergence(before, forward(config, tensors, ids))
        print(f"key bias of norm {args.key_bias:g}: KL {kl:.3g} nats, largest change of a logit "
              f"{largest:.3g} (their range is {float(before.max() - before.min()):.3g})")
    args.target.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        if (args.source / name).exists():
            shutil.copyfile(args.source / name, args.target / name)
    (args.target / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tensors = {k: v.contiguous() for k, v in tensors.items()}
    save_file(tensors, args.target / "model.safetensors", metadata={"format": "pt"})
    (args.target / "model.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
