#!/usr/bin/env python3
"""validation_models.py - trains a model that a node might pass off as the demo model: same
vocabulary, another training seed, or fewer layers; or the demo model itself, trained on.

  validation_models.py --out DIR [--seed S] [--layers N] [--minutes M] [--tokens N]
  validation_models.py --out DIR --tune STEPS [--rate R]

DIR becomes a Hugging Face folder; then
  isobit convert DIR other.gguf && isobit quantize other.gguf other-q8_0.gguf Q8_0
The text, the network and the training are those of models/demo; the vocabulary is read from the demo
model's file, so that token ids mean the same. Needs torch, tokenizers, safetensors and gguf.
"""
import argparse
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
DEMO = HERE.parent / "models" / "demo"
sys.path.insert(0, str(DEMO))

import torch  # noqa: E402
import train  # noqa: E402
from gguf import GGUFReader, dequantize  # noqa: E402
from model import CONFIG, Llama  # noqa: E402
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers  # noqa: E402


def tokenizer_of(path):
    """The demo model's tokenizer, as train.py made it."""
    fields = GGUFReader(path).fields
    texts = fields["tokenizer.ggml.tokens"].contents()
    merges = fields["tokenizer.ggml.merges"].contents()
    vocab = {text: i for i, text in enumerate(texts)}
    tok = Tokenizer(models.BPE(vocab, [tuple(m.split(" ")) for m in merges]))
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(train.SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    ])
    tok.decoder = decoders.ByteLevel()
    tok.add_special_tokens([AddedToken(s, special=True) for s in train.SPECIAL])
    assert tok.get_vocab_size() == CONFIG["vocab_size"]
    return tok


NAMES = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
         "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
         "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
WHOLE = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}


def weights_of(path):
    """The demo model's weights as floats, under the names of model.py."""
    out = {}
    for t in GGUFReader(path).tensors:
        w = torch.tensor(dequantize(t.data, t.tensor_type).copy()).float()
        if t.name in WHOLE:
            out[WHOLE[t.name]] = w
            continue
        _, layer, name, _ = t.name.split(".")
        if name in ("attn_q", "attn_k"):  # GGUF has RoPE's pairs side by side
            w = w.view(-1, CONFIG["head_dim"] // 2, 2, w.shape[1]).transpose(1, 2).reshape(w.shape)
        out[f"model.layers.{layer}.{NAMES[name]}.weight"] = w
    return out


def begin_tuned(folder, rate):
    """What train.py resumes from: the demo model, and optimizers that know nothing yet."""
    model = Llama(CONFIG)
    model.load_state_dict(weights_of(DEMO / "isobit-demo-q8_0.gguf"))
    torch.save({"model": model.state_dict(), "opts": [o.state_dict() for o in train.optimizers(model, rate)],
                "step": 0, "tokens": 0, "used": 0.0}, folder.parent / (folder.name + ".state.pt"))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--layers", type=int, default=CONFIG["num_hidden_layers"])
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--tokens", type=int, default=4096, help="in a batch")
    parser.add_argument("--tune", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.02)
    args = parser.parse_args()
    CONFIG["num_hidden_layers"] = args.layers
    tok = tokenizer_of(DEMO / "isobit-demo-q8_0.gguf")
    args.out.mkdir(parents=True, exist_ok=True)
    tok.save(str(args.out / "tokenizer.json"))
    (args.out / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": train.END,
        "chat_template": train.TEMPLATE
    }) + "\n")
    if args.tune:
        begin_tuned(args.out, args.rate)
    run = argparse.Namespace(seed=args.seed, threads=1, rate=args.rate, tokens=args.tokens, steps=args.tune,
                             minutes=args.minutes, save_s=120, resume=args.tune > 0)
    train.train(run, tok, args.out)


if __name__ == "__main__":
    main()
