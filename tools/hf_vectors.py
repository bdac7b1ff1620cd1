#!/usr/bin/env python3
"""hf_vectors.py - test vectors for the reader of Hugging Face folders: what llama.cpp makes of them.

usage: hf_vectors.py LLAMA_CPP_FOLDER OUT_FOLDER     needs what mkhf.py and llama.cpp's converter need

For each architecture: a folder of a few kilobytes, and expected.txt: a line "KEY VALUE" for each
metadata key of the architecture and a line "SHA256 TYPE SHAPE NAME" for each tensor of the GGUF file
that llama.cpp's convert_hf_to_gguf.py makes, in the notation of docs/formats/identity.md. Two more
folders are in bitsandbytes' 4-bit types; there the hash is of the values, in binary32, that
bitsandbytes itself decodes. llama64 is what they were quantised from.
"""
import hashlib
import json
import runpy
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

SMALL = dict(hidden_size=32, num_attention_heads=2, num_key_value_heads=1, intermediate_size=32,
             vocab_size=40, num_hidden_layers=2)
WITH_HEAD_DIM = {"llama", "llama3", "mistral", "yarn", "llamabias", "qwen3", "gemma2", "gemma3",
                 "mixtral", "qwen3moe", "gptoss"}
MOE = {"mixtral": dict(num_local_experts=3), "qwen3moe": dict(num_experts=3, num_experts_per_tok=2,
                                                               moe_intermediate_size=32),
       "gptoss": dict(num_local_experts=3)}


def convert(llama_cpp, folder, out, dtype):
    """Runs the converter, with the made-up tokenizers accepted as GPT-2's."""
    sys.path[:0] = [llama_cpp, llama_cpp + "/gguf-py"]
    import conversion.base as base
    import conversion.phi as phi
    base.TextModel.get_vocab_base_pre = lambda self, tokenizer: "gpt-2"
    base.TextModel._set_vocab_sentencepiece = lambda self, *a, **k: self._set_vocab_gpt2()
    phi.Phi3MiniModel.set_vocab = lambda self: self._set_vocab_gpt2()
    sys.argv = [llama_cpp + "/convert_hf_to_gguf.py", folder, "--outfile", out, "--outtype", dtype]
    runpy.run_path(sys.argv[0], run_name="__main__")


def value_text(types, value):
    kind = types[-1].name
    if len(types) > 1:
        return f"a:{len(value)}" + "".join("," + value_text(types[1:], v) for v in value)
    if kind == "STRING":
        return f"s:{len(value.encode())}:{value}"
    if kind == "BOOL":
        return f"b:{int(value)}"
    if kind.startswith("FLOAT"):
        return "f:" + struct.pack(">d", float(value)).hex()
    return f"i:{value}"


def lines(path):
    from gguf import GGUFReader
    reader = GGUFReader(path)
    arch = reader.fields["general.architecture"].contents()
    for key, field in sorted(reader.fields.items()):
        if key == "general.architecture" or key.startswith(arch + "."):
            yield f"{key} {value_text(field.types, field.contents())}"
    for t in sorted(reader.tensors, key=lambda t: t.name):
        shape = "x".join(str(int(n)) for n in t.shape)
        yield f"{hashlib.sha256(t.data.tobytes()).hexdigest()} {t.tensor_type.name} {shape} {t.name}"


def write_bnb(out, kind, nested, state):
    """A Llama folder with its matrices in 4 bits, and the values they decode to."""
    import torch
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit
    from safetensors.torch import save_file
    packed, expected = {}, []
    for name, w in state.items():
        if not name.endswith("_proj.weight"):
            packed[name] = w
            continue
        q, quant_state = quantize_4bit(w.float(), blocksize=64, quant_type=kind, compress_statistics=nested)
        packed[name] = q
        for key, value in quant_state.as_dict(packed=True).items():
            packed[f"{name}.{key}"] = value
        d = dequantize_4bit(q, quant_state).float()
        part = name.split(".")[-2]
        if part in ("q_proj", "k_proj"):  # GGUF's order of rotary pairs, heads of 32
            d = d.reshape(-1, 2, 16, d.shape[1]).swapaxes(1, 2).reshape(d.shape).contiguous()
        gguf = dict(q_proj="attn_q", k_proj="attn_k", v_proj="attn_v", o_proj="attn_output",
                    gate_proj="ffn_gate", up_proj="ffn_up", down_proj="ffn_down")[part]
        digest = hashlib.sha256(d.numpy().tobytes()).hexdigest()
        expected.append(f"{digest} {kind.upper()} {d.shape[1]}x{d.shape[0]} "
                        f"blk.{name.split('.')[2]}.{gguf}.weight")
    save_file(packed, out / "model.safetensors", metadata={"format": "pt"})
    (out / "expected.txt").write_text("\n".join(expected) + "\n")


def make_bnb(mkhf, tmp, out):
    from safetensors.torch import load_file
    mkhf.make(tmp, "llama", {**SMALL, "hidden_size": 64, "intermediate_size": 128, "head_dim": 32,
                             "num_hidden_layers": 1})
    state = load_file(tmp / "llama" / "model.safetensors")
    config = json.loads((tmp / "llama" / "config.json").read_text())
    (out / "llama64").mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "model.safetensors"):
        (out / "llama64" / name).write_bytes((tmp / "llama" / name).read_bytes())
    for kind, nested in [("nf4", True), ("fp4", False)]:
        target = out / ("bnb_" + kind)
        target.mkdir(parents=True, exist_ok=True)
        config["quantization_config"] = dict(
            quant_method="bitsandbytes", load_in_4bit=True, load_in_8bit=False,
            bnb_4bit_quant_type=kind, bnb_4bit_use_double_quant=nested)
        (target / "config.json").write_text(json.dumps(config, indent=2))
        write_bnb(target, kind, nested, state)


def main():
    import mkhf
    llama_cpp, out = sys.argv[1], Path(sys.argv[2])
    mkhf.SHORT, mkhf.LONG = mkhf.SHORT[:6], mkhf.LONG[:6]
    mkhf.MODELS["phi4mini"][1]["rope_scaling"].update(short_factor=mkhf.SHORT, long_factor=mkhf.LONG)
    with tempfile.TemporaryDirectory() as tmp:
        for name, (_, _, extra) in mkhf.MODELS.items():
            small = {**SMALL, **MOE.get(name, {})}
            if name in WITH_HEAD_DIM:
                small["head_dim"] = 16
            extra["shards"] = "8KB" if name == "qwen2" else "1GB"
            if name not in ("llama3", "yarn", "gptoss"):
                extra["dtype"] = "bfloat16"
            mkhf.make(Path(tmp), name, small)
        for folder in sorted(Path(tmp).glob("*")):
            if folder.name == "gptoss":
                continue  # float32 and large: the MXFP4 folder is the published form
            dtype = "f16" if folder.name == "yarn" else "bf16"
            gguf = folder / "x.gguf"
            subprocess.run([sys.executable, __file__, "--convert", llama_cpp, folder, gguf, dtype],
                           check=True, capture_output=True)
            target = out / folder.name
            target.mkdir(parents=True, exist_ok=True)
            for file in [folder / "config.json", *folder.glob("*.safetensors*")]:
                (target / file.name).write_bytes(file.read_bytes())
            (target / "expected.txt").write_text("\n".join(lines(gguf)) + "\n")
            print(folder.name)
        make_bnb(mkhf, Path(tmp), out)


if sys.argv[1] == "--convert":
    convert(*sys.argv[2:])
else:
    main()
