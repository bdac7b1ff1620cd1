#!/usr/bin/env python3
"""validation_models.py - trains a model that a node might pass off as the demo model: same
vocabulary, another training seed, or fewer layers.

  validation_models.py --out DIR [--seed S] [--layers N] [--minutes M] [--tokens N]

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

import train  # noqa: E402
from gguf import GGUFReader  # noqa: E402
from model import CONFIG  # noqa: E402
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


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--layers", type=int, default=CONFIG["num_hidden_layers"])
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--tokens", type=int, default=4096, help="in a batch")
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
    run = argparse.Namespace(seed=args.seed, threads=1, rate=0.02, tokens=args.tokens, steps=0,
                             minutes=args.minutes, save_s=120, resume=False)
    train.train(run, tok, args.out)


if __name__ == "__main__":
    main()
