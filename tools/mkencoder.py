#!/usr/bin/env python3
"""mkencoder.py - tiny random encoders with what Transformers computes for them in float64.

usage: mkencoder.py OUT_DIR        (needs torch, transformers, gguf, numpy)
       mkencoder.py --seeds OUT_DIR    (GGUF files of the smallest shapes, to fuzz with)

Writes OUT_DIR/<name>.gguf and <name>.vec, under the names that llama.cpp's converter gives, and two
Hugging Face folders with a .vec each. Weights are rounded to their type first, so both sides hold
the same numbers. Texts pass the border of a page (64).

A .vec file, little-endian: "IENC", u32 texts N, width D, labels L; for each text u32 tokens T, u32
the first token of the second kind (0: none), i32[T] tokens, f64[D] mean of the rows, f64[D] first
row, f64[D] last row, f64[L] scores.
"""
import json
import string
import struct
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from gguf.quants import dequantize, quantize

F32, F16, Q8 = (gguf.GGMLQuantizationType[n] for n in ("F32", "F16", "Q8_0"))
LENGTHS = [1, 2, 7, 63, 64, 65, 100, 31]

MODELS = {
    "bert": dict(cls="Bert", d=64, h=4, f=128, n=2, v=61, p=110, types=2, q=F32),
    "bert-rank": dict(cls="Bert", d=64, h=4, f=96, n=2, v=61, p=110, types=2, q=F16, labels=1),
    "xlmr": dict(cls="XLMRoberta", d=96, h=3, f=160, n=2, v=71, p=110, types=1, q=Q8),
    "nomic": dict(cls="NomicBert", d=64, h=2, f=96, n=2, v=61, p=128, types=2, q=F16),
    "folder-bert": dict(cls="Bert", d=32, h=2, f=64, n=1, v=41, p=104, types=2, q=F32, folder=True),
    "folder-xlmr": dict(cls="XLMRoberta", d=32, h=2, f=64, n=1, v=41, p=104, types=1, q=F32, folder=True, labels=3),
}

NAMES = [("embeddings.word_embeddings", "token_embd"), ("embeddings.position_embeddings", "position_embd"),
         ("embeddings.token_type_embeddings", "token_types"), ("embeddings.LayerNorm", "token_embd_norm"),
         ("embeddings.norm", "token_embd_norm"),
         ("attention.self.query", "attn_q"), ("attention.self.key", "attn_k"), ("attention.self.value", "attn_v"),
         ("attention.output.dense", "attn_output"), ("attention.output.LayerNorm", "attn_output_norm"),
         ("intermediate.dense", "ffn_up"), ("output.dense", "ffn_down"), ("output.LayerNorm", "layer_output_norm"),
         ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"),
         ("self_attn.o_proj", "attn_output"), ("post_attention_layernorm", "attn_output_norm"),
         ("post_mlp_layernorm", "layer_output_norm"), ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"),
         ("mlp.down_proj", "ffn_down"), ("pooler.dense", "cls"), ("classifier", "cls.output")]


def gguf_name(name):
    for prefix in ("bert.", "roberta.", "model."):
        name = name.removeprefix(prefix)
    block = ""
    for layers in ("encoder.layer.", "layers.", "encoder.layers."):
        if name.startswith(layers):
            number, name = name.removeprefix(layers).split(".", 1)
            block = f"blk.{number}."
    stem, kind = name.rsplit(".", 1)
    return block + dict(NAMES)[stem] + "." + kind


def make(name, m):
    """The model with drawn parameters, and those under GGUF's names."""
    torch.manual_seed(sum(name.encode()))
    skip = 2 if m["cls"] == "XLMRoberta" else 0
    config = getattr(transformers, m["cls"] + "Config")(
        vocab_size=m["v"], hidden_size=m["d"], num_attention_heads=m["h"], intermediate_size=m["f"],
        num_hidden_layers=m["n"], max_position_embeddings=m["p"] + skip, type_vocab_size=m["types"],
        layer_norm_eps=1e-6, num_labels=m.get("labels", 2), attn_implementation="eager")
    kind = "ForSequenceClassification" if "labels" in m else "Model"
    extra = {} if "labels" in m or m["cls"] == "NomicBert" else {"add_pooling_layer": False}
    model = getattr(transformers, m["cls"] + kind)(config, **extra).eval()
    tensors = {}
    for key, x in model.named_parameters():
        vector = x.dim() == 1
        gain = 2.5 if any(part in key for part in ("query", "key", "q_proj", "k_proj")) else 1.0
        y = torch.randn(x.shape) * (0.3 if vector else gain / x.shape[-1] ** 0.5 * (3 if "embeddings" in key else 1))
        y = y + (1.0 if vector and "weight" in key else 0.0)
        y = y.numpy().astype(np.float32)
        t = F32 if vector else m["q"] if not any(p in key for p in ("position", "token_type")) else F32
        raw = y if t == F32 else y.astype(np.float16) if t == F16 else quantize(y, t)
        x.data = torch.from_numpy((raw if t in (F32, F16) else dequantize(raw, t)).astype(np.float32).reshape(y.shape))
        if m.get("folder"):
            continue
        tensors[gguf_name(key)] = (raw[skip:] if "position" in key else raw, t)
    return model, tensors


def add_letters(w, n):
    """A WordPiece vocabulary of letters, in llama.cpp's spelling: words begin with U+2581."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = string.ascii_lowercase
    tokens = (special + ["\u2581" + c for c in letters] + list(letters) + ["\u2581" + c for c in ".,?!"])[:n]
    w.add_tokenizer_model("bert")
    w.add_token_list(tokens)
    w.add_token_types([3 if t in special else 1 for t in tokens])
    w.add_pad_token_id(0)
    w.add_unk_token_id(1)
    w.add_bos_token_id(2)
    w.add_sep_token_id(3)
    w.add_mask_token_id(4)


def write_gguf(path, m, tensors):
    arch = "nomic-bert" if m["cls"] == "NomicBert" else "bert"
    w = gguf.GGUFWriter(path, arch)
    w.add_context_length(m["p"])
    w.add_embedding_length(m["d"])
    w.add_feed_forward_length(m["f"])
    w.add_block_count(m["n"])
    w.add_head_count(m["h"])
    w.add_layer_norm_eps(1e-6)
    w.add_causal_attention(False)
    if arch == "nomic-bert":
        w.add_rope_freq_base(1000.0)
    if "labels" in m:
        w.add_pooling_type(gguf.PoolingType.RANK)
    if m["cls"] == "Bert" and m["v"] == 61:
        add_letters(w, m["v"])
    for name, (raw, t) in tensors.items():
        w.add_tensor(name, raw, raw_dtype=None if t in (F32, F16) else t)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def vectors(model, m):
    model = model.double()
    rng = np.random.default_rng(7)
    labels = m.get("labels", 0)
    out = [b"IENC", struct.pack("<III", len(LENGTHS), m["d"], labels)]
    for i, n in enumerate(LENGTHS):
        first = n // 2 if labels and m["types"] > 1 and i % 2 else 0
        ids = rng.integers(4, m["v"], n)
        types = np.zeros(n, np.int64)
        if first:
            types[first:] = 1
        given = dict(input_ids=torch.from_numpy(ids)[None], token_type_ids=torch.from_numpy(types)[None],
                     attention_mask=torch.ones(1, n, dtype=torch.long), output_hidden_states=True)
        with torch.no_grad():
            got = model(**given)
        rows = got.hidden_states[-1][0].numpy()
        scores = got.logits[0].numpy() if labels else np.zeros(0)
        out.append(struct.pack("<II", n, first) + ids.astype("<i4").tobytes())
        out += [x.astype("<f8").tobytes() for x in (rows.mean(0), rows[0], rows[-1], scores)]
    return b"".join(out)


def write_folder(folder, model, m):
    model.save_pretrained(folder)
    if "labels" not in m:
        (folder / "modules.json").write_text(json.dumps([
            dict(idx=0, name="0", path="", type="sentence_transformers.models.Transformer"),
            dict(idx=1, name="1", path="1_Pooling", type="sentence_transformers.models.Pooling"),
            dict(idx=2, name="2", path="2_Normalize", type="sentence_transformers.models.Normalize")], indent=1))
        (folder / "1_Pooling").mkdir(exist_ok=True)
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(dict(
            word_embedding_dimension=m["d"], pooling_mode_cls_token=True, pooling_mode_mean_tokens=False), indent=1))


def write_seeds(out):
    for name, m in MODELS.items():
        if not m.get("folder"):
            small = dict(m, d=32, h=8, f=32, n=1, v=5, p=4)
            write_gguf(out / f"{name}.gguf", small, make(name, small)[1])


def main():
    if sys.argv[1] == "--seeds":
        return write_seeds(Path(sys.argv[2]))
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for name, m in MODELS.items():
        model, tensors = make(name, m)
        if m.get("folder"):
            write_folder(out / name, model, m)
        else:
            write_gguf(out / f"{name}.gguf", m, tensors)
        (out / f"{name}.vec").write_bytes(vectors(model, m))


main()
