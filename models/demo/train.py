#!/usr/bin/env python3
"""Trains the demo model on what generate.py writes, on one CPU core.

  train.py --out DIR [--steps N] [--minutes M] [--threads T] [--seed S]

DIR becomes a Hugging Face folder (config, tokenizer, BF16 weights), written again every few
minutes, so that it always holds the newest model; state.pt beside it lets --resume continue.
Needs torch, tokenizers and safetensors. The same seed and the same machine give the same model;
another machine or torch version rounds differently and gives a slightly different one.
"""

import argparse
import json
import math
import pathlib
import time

import torch
import torch.nn.functional as F
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from generate import END, Writer
from model import CONFIG, Llama, export

SPECIAL = [END, "<|im_start|>", "<|im_end|>"]
# The pre-tokenizer of the Qwen2 family: digits one by one, words with their leading space.
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\\n' }}{% endif %}")


def train_tokenizer(folder, vocab, seed):
    """A byte-level BPE of `vocab` tokens, learnt from generated documents."""
    writer = Writer(seed)
    texts = ["".join(t for t, _ in writer.document()) for _ in range(30000)]
    for mark in SPECIAL:
        texts = [t.replace(mark, "\n") for t in texts]
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    ])
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab,
                                  show_progress=False,
                                  special_tokens=[AddedToken(s, special=True) for s in SPECIAL],
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tok.train_from_iterator(texts, trainer)
    assert tok.get_vocab_size() == vocab, tok.get_vocab_size()
    folder.mkdir(parents=True, exist_ok=True)
    tok.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": END,
        "bos_token": None,
        "unk_token": None,
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": CONFIG["max_position_embeddings"],
        "chat_template": TEMPLATE
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    return tok


class Rows:
    """Endless rows of tokens. A row starts with a document; the end of its last one is cut off."""
    def __init__(self, tok, seed):
        self.tok, self.writer = tok, Writer(seed)

    def row(self, length):
        ids, weights = [], []
        while len(ids) <= length:
            long = length > 256 and self.writer.r.random() < 0.25
            for text, weight in self.writer.document(long):
                piece = self.tok.encode(text).ids
                ids += piece
                weights += [weight] * len(piece)
        return ids[:length + 1], weights[:length + 1]

    def batch(self, rows, length):
        data = [self.row(length) for _ in range(rows)]
        ids = torch.tensor([d[0] for d in data])
        weights = torch.tensor([d[1] for d in data])
        return ids[:, :-1], ids[:, 1:], weights[:, 1:]


def optimizers(model, rate):
    """Muon for the matrices of the layers, AdamW for the embedding and the norms."""
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and "embed" not in n]
    embedding = [p for n, p in model.named_parameters() if "embed" in n]
    norms = [p for p in model.parameters() if p.dim() == 1]
    return [
        torch.optim.Muon(matrices,
                         lr=rate,
                         momentum=0.95,
                         weight_decay=0.05,
                         adjust_lr_fn="original"),
        torch.optim.AdamW([{
            "params": embedding,
            "lr": rate * 0.2
        }, {
            "params": norms,
            "lr": rate * 0.2
        }],
                          betas=(0.9, 0.97),
                          weight_decay=0.0)
    ]


def rate_at(done):
    """The learning rate's factor at a fraction of the way: warm-up, then a cosine to 2 %."""
    return min(1.0, done / 0.02 + 0.02) * (0.51 + 0.49 * math.cos(math.pi * min(1.0, done)))


def length_at(done, step):
    """Most rows have 256 tokens; near the end, a third have 1024 (the whole context)."""
    return 1024 if done > 0.75 and step % 3 == 0 else 256


def train(args, tok, folder):
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    model, rows = Llama(CONFIG), Rows(tok, args.seed + 1)
    opts = optimizers(model, args.rate)
    base = [[g["lr"] for g in o.param_groups] for o in opts]
    step, start, saved, mean, used, tokens = 0, time.time(), time.time(), None, 0.0, 0
    state_file = folder.parent / (folder.name + ".state.pt")
    if args.resume:
        state = torch.load(state_file)
        model.load_state_dict(state["model"])
        for o, s in zip(opts, state["opts"]):
            o.load_state_dict(s)
        step, used, tokens = state["step"], state["used"], state["tokens"]
        rows.writer.r.seed(args.seed + 1 + step)
    start -= used
    while True:
        spent = time.time() - start
        done = step / args.steps if args.steps else spent / (60 * args.minutes)
        if done >= 1:
            break
        for o, rates in zip(opts, base):
            for group, rate in zip(o.param_groups, rates):
                group["lr"] = rate * rate_at(done)
        length = length_at(done, step)
        x, y, w = rows.batch(args.tokens // length, length)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(x)
        loss = (F.cross_entropy(logits.float().flatten(0, 1), y.flatten(), reduction="none") *
                w.flatten()).sum() / w.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for o in opts:
            o.step()
            o.zero_grad(set_to_none=True)
        step, tokens = step + 1, tokens + x.numel()
        mean = loss.item() if mean is None else 0.95 * mean + 0.05 * loss.item()
        if step % 25 == 0:
            print(f"step {step} loss {mean:.4f} tokens {tokens} "
                  f"seconds {time.time() - start:.0f} done {done:.3f}", flush=True)
        if time.time() - saved > args.save_s:
            saved = time.time()
            export(model, folder)
            torch.save({"model": model.state_dict(), "opts": [o.state_dict() for o in opts],
                        "step": step, "tokens": tokens, "used": time.time() - start}, state_file)
    export(model, folder)
    print(f"finished: {step} steps, {tokens} tokens, {time.time() - start:.0f} seconds, "
          f"loss {mean:.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--steps",
                        type=int,
                        default=0,
                        help="length of the run (default: by --minutes)")
    parser.add_argument("--minutes", type=float, default=50)
    parser.add_argument("--tokens", type=int, default=4096, help="tokens in a batch")
    parser.add_argument("--rate", type=float, default=0.02, help="learning rate of Muon")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save-s", type=float, default=150)
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    if args.resume:
        tok = Tokenizer.from_file(str(args.out / "tokenizer.json"))
    else:
        tok = train_tokenizer(args.out, CONFIG["vocab_size"], args.seed)
    train(args, tok, args.out)


if __name__ == "__main__":
    main()
