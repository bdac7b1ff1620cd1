#!/usr/bin/env python3
"""mix_vectors.py - the types that llama-quantize gives the tensors of some models, for every mix.

usage: mix_vectors.py LLAMA_QUANTIZE OUT.txt        (needs numpy and gguf)

Each model is a GGUF of the right names and shapes and no weights worth reading (--dry-run). Output:
    model ARCH LAYERS EXPERTS HEADS_PER_KV HAS_OUTPUT
    mixes NAME...
    NAME DIM0 DIM1 DIM2 TYPE...          one line a tensor, a type for each mix
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np

MIXES = ("Q2_K Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 IQ4_NL IQ4_XS "
         "MXFP4 F16 BF16 F32").split()
# arch, layers, experts, heads, kv heads, width, feed-forward, own output
MODELS = [
    ("llama", 9, 0, 8, 2, 256, 512, True),
    ("llama", 18, 0, 4, 4, 288, 544, True),
    ("llama", 80, 0, 64, 8, 512, 512, True),
    ("qwen2", 4, 0, 14, 2, 896, 4864, False),
    ("llama", 4, 8, 8, 2, 256, 512, True),
    ("qwen3moe", 5, 16, 8, 4, 256, 96, True),
    ("phi3", 8, 0, 4, 4, 256, 512, True),
    ("gemma3", 8, 0, 4, 1, 640, 2048, False),
    ("llama", 2, 0, 2, 2, 48, 80, True),
]


def tensors_of(arch, layers, experts, heads, kv, width, ff, output):
    head = max(32, width // heads)
    yield "token_embd.weight", (64, width)
    for i in range(layers):
        b = f"blk.{i}."
        yield b + "attn_norm.weight", (width,)
        if arch == "phi3":
            yield b + "attn_qkv.weight", ((heads + 2 * kv) * head, width)
        else:
            yield b + "attn_q.weight", (heads * head, width)
            yield b + "attn_k.weight", (kv * head, width)
            yield b + "attn_v.weight", (kv * head, width)
        if arch == "qwen2":
            yield b + "attn_v.bias", (kv * head,)
        yield b + "attn_output.weight", (width, heads * head)
        yield b + "ffn_norm.weight", (width,)
        if experts:
            yield b + "ffn_gate_inp.weight", (experts, width)
            yield b + "ffn_gate_exps.weight", (experts, ff, width)
            yield b + "ffn_up_exps.weight", (experts, ff, width)
            yield b + "ffn_down_exps.weight", (experts, width, ff)
        elif arch == "phi3":
            yield b + "ffn_up.weight", (2 * ff, width)
            yield b + "ffn_down.weight", (width, ff)
        else:
            yield b + "ffn_gate.weight", (ff, width)
            yield b + "ffn_up.weight", (ff, width)
            yield b + "ffn_down.weight", (width, ff)
    yield "output_norm.weight", (width,)
    if output:
        yield "output.weight", (64, width)


def write(path, arch, layers, experts, heads, kv, width, ff, output):
    w = gguf.GGUFWriter(path, arch)
    w.add_block_count(layers)
    w.add_context_length(512)
    w.add_embedding_length(width)
    w.add_feed_forward_length(ff)
    w.add_head_count(heads)
    w.add_head_count_kv(kv)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_vocab_size(64)
    if arch == "gemma3":
        w.add_sliding_window(256)
    if arch == "phi3":
        w.add_rope_dimension_count(width // heads)
    if experts:
        w.add_expert_count(experts)
        w.add_expert_used_count(2)
        w.add_expert_feed_forward_length(ff)
    names = []
    for name, shape in tensors_of(arch, layers, experts, heads, kv, width, ff, output):
        w.add_tensor(name, np.zeros(shape, np.float16 if len(shape) > 1 and "inp" not in name else np.float32))
        names.append((name, shape))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return names


def types_of(tool, path, mix):
    mix = "MXFP4_MOE" if mix == "MXFP4" else mix
    run = subprocess.run([tool, "--dry-run", path, mix], capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stdout + run.stderr)
    out = {}
    for line in (run.stdout + run.stderr).splitlines():
        if m := re.match(r"\[ *\d+/ *\d+\] +(\S+) .*type = +(\S+),", line):
            new = re.search(r"\((\w+)\)\s*$", line)
            out[m[1]] = new[1].upper() if new and "->" in line else m[2].upper()
    return out


def main():
    tool, lines = sys.argv[1], []
    with tempfile.TemporaryDirectory() as folder:
        for model in MODELS:
            path = str(Path(folder) / "m.gguf")
            names = write(path, *model)
            arch, layers, experts, heads, kv, _, _, output = model
            lines.append(f"model {arch} {layers} {experts} {heads // kv} {int(output)}")
            lines.append("mixes " + " ".join(MIXES))
            types = [types_of(tool, path, mix) for mix in MIXES]
            for name, shape in names:
                if layers > 40 and not re.search("attn_v|ffn_down", name):
                    continue  # what else such a model holds, the others show
                dims = list(reversed(shape)) + [1] * (3 - len(shape))
                lines.append(" ".join([name, *map(str, dims), *(t[name] for t in types)]))
    Path(sys.argv[2]).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
