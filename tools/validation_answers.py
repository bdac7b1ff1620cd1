#!/usr/bin/env python3
"""validation_answers.py - answers as another engine gives them, for validation_curves.py.

  validation_answers.py --out DIR [--answers N] [--threads T] [--in TYPE] FILE.gguf

The other engine is PyTorch: the weights of a Llama GGUF file become floats, and everything is computed
in float32 (DIR/f32.jsonl) and in bfloat16 (DIR/bf16.jsonl), or in one of them (--in f32): N answers of 128 tokens each, drawn at
temperature 1 by isobit's sampler, each with a seed and a prompt of its own (32 tokens of the demo model's
generated text), with the five best log-probabilities of each position. DIR/prompts.jsonl holds what was
asked, a request a line. Of the answers in float32 are made:
  other-prompt    the request names the next answer's prompt
  other-seed      the request names another seed
  changed-3-L     three of the first L tokens became the second-best ones, nothing was computed again
Needs torch, tokenizers and gguf.
"""
import argparse
import json
import pathlib
import random

import gguf
import numpy as np
import torch
import torch.nn.functional as F

import validation_models
from generate import Writer

PROMPT, LENGTH, TOP, CHANGED = 32, 128, 5, 3
LENGTHS = (8, 16, 32, 64, 128)


def philox(position, seed):
    """The sampler's 64 random bits, for arrays of positions and seeds."""
    u, m = np.uint64, np.uint64(0xFFFFFFFF)
    zero = np.zeros_like(seed)
    c, k = [position.astype(u), zero, zero, zero], [seed & m, seed >> u(32)]
    for _ in range(10):
        a, b = c[0] * u(0xD2511F53), c[2] * u(0xCD9E8D57)
        c = [b >> u(32) ^ c[1] ^ k[0], b & m, a >> u(32) ^ c[3] ^ k[1], a & m]
        k = [k[0] + u(0x9E3779B9) & m, k[1] + u(0xBB67AE85) & m]
    return c[1] << u(32) | c[0]


class Engine:
    """A Llama of a GGUF file, with a cache of keys and values; many answers side by side."""

    def __init__(self, path, dtype):
        reader = gguf.GGUFReader(path)
        field = lambda name: reader.fields["llama." + name].contents()
        self.dtype = dtype
        self.n_layers, self.heads = field("block_count"), field("attention.head_count")
        self.kv_heads = field("attention.head_count_kv")
        self.eps = field("attention.layer_norm_rms_epsilon")
        self.w = {t.name: torch.tensor(gguf.dequantize(t.data, t.tensor_type).astype(np.float32)).to(dtype)
                  for t in reader.tensors}
        self.size = self.w["blk.0.attn_q.weight"].shape[0] // self.heads
        freq = field("rope.freq_base") ** (-torch.arange(0, self.size, 2, dtype=torch.float64) / self.size)
        angle = torch.arange(PROMPT + LENGTH)[:, None] * freq
        self.cos, self.sin = angle.cos().to(dtype), angle.sin().to(dtype)

    def begin(self, n):
        shape = (self.n_layers, 2, n, self.kv_heads, PROMPT + LENGTH, self.size)
        self.cache, self.at = torch.zeros(shape, dtype=self.dtype), 0

    def rotate(self, x, cos, sin):
        a, b = x[..., 0::2], x[..., 1::2]
        return torch.stack((a * cos - b * sin, b * cos + a * sin), -1).flatten(-2)

    def norm(self, x, name):
        return F.rms_norm(x.float(), x.shape[-1:], None, self.eps).to(self.dtype) * self.w[name]

    @torch.no_grad()
    def read(self, ids):
        """ids [n, t] after what was read: logits [n, t, vocabulary] in float32."""
        n, t = ids.shape
        to = self.at + t
        cos, sin = self.cos[self.at:to], self.sin[self.at:to]
        mask = torch.ones(t, to, dtype=torch.bool).tril(self.at)
        x = self.w["token_embd.weight"][ids]
        for i in range(self.n_layers):
            w = lambda name: self.w[f"blk.{i}.{name}.weight"]
            h = self.norm(x, f"blk.{i}.attn_norm.weight")
            q, k, v = (F.linear(h, w(name)).view(n, t, -1, self.size).transpose(1, 2)
                       for name in ("attn_q", "attn_k", "attn_v"))
            self.cache[i, 0, :, :, self.at:to] = self.rotate(k, cos, sin)
            self.cache[i, 1, :, :, self.at:to] = v
            keys, values = (self.cache[i, j, :, :, :to] for j in (0, 1))
            y = F.scaled_dot_product_attention(self.rotate(q, cos, sin), keys, values, attn_mask=mask,
                                               enable_gqa=True)
            x = x + F.linear(y.transpose(1, 2).reshape(n, t, -1), w("attn_output"))
            h = self.norm(x, f"blk.{i}.ffn_norm.weight")
            x = x + F.linear(F.silu(F.linear(h, w("ffn_gate"))) * F.linear(h, w("ffn_up")), w("ffn_down"))
        self.at = to
        head = self.w.get("output.weight", self.w["token_embd.weight"])
        return F.linear(self.norm(x, "output_norm.weight"), head).float()


def draw(logits, seeds, position):
    """isobit's choice at temperature 1, but for the rounding of probabilities to 2^-40."""
    weights = np.exp((logits - logits.max(1, keepdims=True)).astype(np.float64))
    line = weights.cumsum(1)
    random_bits = philox(np.full(len(seeds), position), seeds)
    target = random_bits.astype(np.float64) * 2.0**-64 * line[:, -1]
    return (line > target[:, None]).argmax(1)


def answers_of(engine, prompts, seeds, batch=500):
    """tokens [N, LENGTH] and of each position TOP tokens, their logprobs, and the token's own."""
    parts = []
    for b in range(0, len(prompts), batch):
        ids = torch.tensor(prompts[b:b + batch])
        engine.begin(len(ids))
        logits, tokens, tops, lps, own = engine.read(ids)[:, -1], [], [], [], []
        for i in range(LENGTH):
            lp = F.log_softmax(logits, -1)
            best = lp.topk(TOP)
            token = torch.tensor(draw(logits.numpy(), seeds[b:b + batch], PROMPT + i))
            for to, x in ((tokens, token), (tops, best.indices), (lps, best.values),
                          (own, lp.gather(1, token[:, None])[:, 0])):
                to.append(x.numpy())
            if i + 1 < LENGTH:
                logits = engine.read(token[:, None])[:, -1]
        parts.append([np.stack(x, 1) for x in (tokens, tops, lps, own)])
        print(min(b + batch, len(prompts)), "answers", flush=True)
    return [np.concatenate(x) for x in zip(*parts)]


def request_of(prompt, seed):
    return {"prompt": prompt, "seed": int(seed), "temperature": 1, "logprobs": TOP}


def line_of(prompt, seed, tokens, tops, lps, own):
    number = lambda x: float(f"{x:.8g}")
    content = [{"token": str(t), "logprob": number(o),
                "top_logprobs": [{"token": str(k), "logprob": number(x)} for k, x in zip(top, lp)]}
               for t, top, lp, o in zip(tokens, tops, lps, own)]
    return json.dumps({"request": request_of(prompt, seed),
                       "answer": {"choices": [{"index": 0, "logprobs": {"content": content}}]}})


def write(path, prompts, seeds, answers):
    temporary = path.with_suffix(".tmp")
    with open(temporary, "w") as out:
        for row in zip(prompts, seeds, *answers):
            out.write(line_of(*row) + "\n")
    temporary.rename(path)
    print("wrote", path, flush=True)


def write_cheats(out, prompts, seeds, answers):
    write(out / "other-prompt.jsonl", prompts[1:] + prompts[:1], seeds, answers)
    write(out / "other-seed.jsonl", prompts, seeds + np.uint64(10**9), answers)
    tokens, tops = answers[0], answers[1]
    for length in LENGTHS:
        r, changed = random.Random(length * 10 + CHANGED), tokens.copy()
        for i in range(len(changed)):
            for at in r.sample(range(length), CHANGED):
                changed[i, at] = next(t for t in tops[i, at] if t != tokens[i, at])
        write(out / f"changed-{CHANGED}-{length}.jsonl", prompts, seeds,
              [changed[:, :length]] + [x[:, :length] for x in answers[1:]])


def prompts_of(n):
    """The first tokens of generated documents, no two the same."""
    tok = validation_models.tokenizer_of(validation_models.DEMO / "isobit-demo-q8_0.gguf")
    writer, seen = Writer(20261130), {}
    while len(seen) < n:
        ids = tok.encode("".join(text for text, _ in writer.document())).ids[:PROMPT]
        if len(ids) == PROMPT:
            seen[tuple(ids)] = True
    return [list(ids) for ids in seen]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--answers", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--in", dest="types", choices=("f32", "bf16"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    prompts = prompts_of(args.answers)
    seeds = np.arange(1, args.answers + 1, dtype=np.uint64) * np.uint64(7919)
    with open(args.out / "prompts.jsonl", "w") as out:
        for prompt, seed in zip(prompts, seeds):
            out.write(json.dumps(request_of(prompt, seed)) + "\n")
    for name, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
        if args.types not in (None, name):
            continue
        answers = answers_of(Engine(args.model, dtype), prompts, seeds)
        write(args.out / f"{name}.jsonl", prompts, seeds, answers)
        if dtype == torch.float32:
            write_cheats(args.out, prompts, seeds, answers)


if __name__ == "__main__":
    main()
