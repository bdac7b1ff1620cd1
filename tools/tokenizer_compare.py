#!/usr/bin/env python3
"""tokenizer_compare.py - real vocabularies: our ids against those of the libraries that define them.

usage: tokenizer_compare.py TOKENIZE_LINES [--random N] [--text FILE]... MODEL...

TOKENIZE_LINES is tests/programs/tokenize_lines.c, built. A MODEL is
  ggml-vocab-*.gguf   as in llama.cpp's models/: the vocabulary, with the published pipeline of its
                      pre-tokenizer, goes through `tokenizers`; NAME.inp/.out beside it are compared too
  *.model, *.model.v* a SentencePiece model: against `sentencepiece`, ours through a GGUF of its pieces
  tekken*.json        against mistral-common's tiktoken, ours through a tokenizer.json
Texts are the probes of tokenizer_texts.py, N random ones, and the FILEs cut into parts.
"""
import argparse
import json
import random
import subprocess
import tempfile
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

import tokenizer_texts
import tokenizer_vectors as families


def pipelines():
    """GGUF name -> (normalizer, pre-tokenizer, ignore_merges), as published."""
    gpt2, digits, nfc = families.byte_level(regex=True), pre_tokenizers.Digits(True), normalizers.NFC()
    seq, split, raw = families.sequence, families.split, families.byte_level()
    small_digits = seq(digits, gpt2)
    return {
        "gpt-2": (None, gpt2, False), "mpt": (nfc, gpt2, False), "refact": (None, small_digits, False),
        "starcoder": (None, small_digits, False), "command-r": (nfc, small_digits, False),
        "llama-bpe": (None, seq(split(families.LLAMA3), raw), True),
        "qwen2": (nfc, seq(split(families.QWEN2), raw), False),
        "qwen35": (nfc, seq(split(families.QWEN35), raw), False),
        "falcon": (None, families.falcon(), False),
        "deepseek-llm": (None, families.deepseek_llm(), False),
        "deepseek-coder": (None, families.deepseek_coder(), False),
    }


def fields(path):
    from gguf import GGUFReader
    reader = GGUFReader(path)
    get = lambda key: reader.fields["tokenizer.ggml." + key].contents() if "tokenizer.ggml." + key in reader.fields else None
    return get, reader.fields["general.architecture"].contents()


def merges_by_score(tokens, scores, types):
    """As transformers makes them: every split of every piece, best pieces first."""
    vocab = {t: i for i, t in enumerate(tokens) if types[i] in (1, 4)}
    merges = []
    for i, token in enumerate(tokens):
        if types[i] in (1, 4):
            merges += [(token[:k], token[k:], scores[i]) for k in range(1, len(token))
                       if token[:k] in vocab and token[k:] in vocab]
    merges.sort(key=lambda m: (m[2], len(m[0]), len(m[1])), reverse=True)
    return [(a, b) for a, b, _ in merges]


def pairs(merges):
    return [(m[:m.index(" ", 1)], m[m.index(" ", 1) + 1:]) for m in merges]


def from_gguf(path):
    """The vocabulary of a GGUF as a `tokenizers` object, or why not."""
    get, architecture = fields(path)
    tokens, types, model, pre = get("tokens"), get("token_type"), get("model"), get("pre")
    vocab = {t: i for i, t in enumerate(tokens)}
    if model == "gpt2":
        if pre not in pipelines():
            return f"pre-tokenizer {pre}"
        norm, pretok, ignore = pipelines()[pre]
        merges = pairs(get("merges"))
        t = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=ignore))
        t.pre_tokenizer, t.decoder = pretok, decoders.ByteLevel()
        if norm:
            t.normalizer = norm
    elif model in ("llama", "gemma4"):
        if get("merges"):
            merges = pairs(get("merges"))
        else:
            merges = merges_by_score(tokens, get("scores"), types)
        t = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
        t.normalizer = normalizers.Replace(" ", "▁") if model == "gemma4" else families.SPM_NORM
        t.decoder = families.SPM_DECODER
    elif model == "bert":
        word = lambda i, t: t if types[i] != 1 or t[0] + t[-1] == "[]" else t[1:] if t[0] == "▁" else "##" + t
        t = Tokenizer(models.WordPiece(vocab={word(i, t): i for i, t in enumerate(tokens)}, unk_token="[UNK]"))
        t.normalizer, t.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
        t.decoder = decoders.WordPiece()
    elif model == "t5":
        unk = get("unknown_token_id")
        t = Tokenizer(models.Unigram([(x, s) for x, s in zip(tokens, get("scores"))], unk_id=unk))
        t.normalizer = normalizers.Precompiled(bytes(get("precompiled_charsmap")))
        t.pre_tokenizer = families.sequence(pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace("▁", "always"))
        t.decoder = decoders.Metaspace("▁", "always")
    else:
        return f"model {model}"
    phi3 = lambda x: architecture == "phi3" and x not in ("<s>", "<unk>", "<|endoftext|>")
    added = [AddedToken(x, special=types[i] != 4, normalized=False, rstrip=phi3(x))
             for i, x in enumerate(tokens) if types[i] in (2, 3, 4) and x]
    t.add_special_tokens([a for a in added if a.special])
    t.add_tokens([a for a in added if not a.special])
    return t


def ours(program, model, texts, *flags):
    lines = "".join(b.hex() + "\n" for b in texts)
    done = subprocess.run([program, *flags, model], input=lines, capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip()
    rows = [line.split("|") for line in done.stdout.split("\n")[:-1]]
    return [([int(i) for i in ids.split()], bytes.fromhex(text)) for ids, text in rows]


def report(name, got, want, texts):
    if isinstance(got, str):
        print(f"{name}: not read: {got}")
        return
    bad = [k for k in range(len(texts)) if got[k][0] != want[k]]
    tokens = sum(len(w) for w in want)
    print(f"{name}: {len(texts) - len(bad)} of {len(texts)} texts equal, {tokens} tokens")
    for k in bad[:5]:
        print("   ", repr(texts[k].decode("utf-8", "replace")[:100]), "ours", got[k][0][:20], "theirs", want[k][:20])


def compare_gguf(program, path, texts):
    t = from_gguf(path)
    if isinstance(t, str):
        print(f"{path.name}: no published pipeline here for {t}")
    else:
        want = [t.encode(b.decode("utf-8", "replace"), add_special_tokens=False).ids for b in texts]
        report(path.name, ours(program, path, texts), want, texts)
    if Path(str(path) + ".inp").exists():
        inputs = Path(str(path) + ".inp").read_bytes().split(b"\n__ggml_vocab_test__\n")[:-1]
        want = [[int(x) for x in line.split()] for line in Path(str(path) + ".out").read_text().split("\n")]
        report(path.name + ".inp", ours(program, path, inputs), want[:len(inputs)], inputs)


def compare_sentencepiece(program, path, texts):
    import gguf
    import sentencepiece
    sp = sentencepiece.SentencePieceProcessor(model_file=str(path))
    n = sp.vocab_size()
    kind = lambda i: (2 if sp.is_unknown(i) else 3 if sp.is_control(i) else 6 if sp.is_byte(i) else
                      5 if sp.is_unused(i) else 1)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "vocab.gguf"
        w = gguf.GGUFWriter(out, "llama")
        w.add_tokenizer_model("llama")
        w.add_token_list([sp.id_to_piece(i) for i in range(n)])
        w.add_token_scores([sp.get_score(i) for i in range(n)])
        w.add_token_types([kind(i) for i in range(n)])
        w.add_bos_token_id(sp.bos_id())
        w.add_eos_token_id(sp.eos_id())
        w.add_unk_token_id(sp.unk_id())
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.close()
        # A NUL ends a text for sentencepiece's own normaliser; U+2581 is a space to it.
        texts = [b for b in texts if b"\0" not in b]
        want = [sp.encode(b.decode("utf-8", "replace")) for b in texts]
        report(path.name, ours(program, out, texts, "--plain"), want, texts)


def compare_tekken(program, path, texts):
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer
    tekken = Tekkenizer.from_file(path)
    made = json.loads(path.read_text())
    n_special = tekken.num_special_tokens
    n_base = tekken.n_words - n_special
    ranks = {__import__("base64").b64decode(v["token_bytes"]): v["rank"] for v in made["vocab"][:n_base]}
    spell = {b: chr(c) for b, c in byte_letters().items()}
    text = lambda b: "".join(spell[x] for x in b)
    vocab = {text(b): r + n_special for b, r in ranks.items()}
    merges = sorted(((r, text(a), text(b)) for t, r in ranks.items() if len(t) > 1 for a, b in [last_merge(ranks, t)]))
    t = Tokenizer(models.BPE(vocab=vocab, merges=[(a, b) for _, a, b in merges], ignore_merges=True))
    t.pre_tokenizer = families.sequence(families.split(made["config"]["pattern"]), families.byte_level())
    t.decoder = decoders.ByteLevel()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "tokenizer.json"
        out.write_text(t.to_str())
        want = [tekken.encode(b.decode("utf-8", "replace"), bos=False, eos=False) for b in texts]
        report(path.name, ours(program, out, texts), want, texts)
        report(path.name + " through GGUF metadata", ours(program, out, texts, "--meta"), want, texts)
        theirs = [t.encode(b.decode("utf-8", "replace")).ids for b in texts]
        report(path.name + " against tokenizers", ours(program, out, texts), theirs, texts)


def byte_letters():
    printable = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    out, n = {b: b for b in printable}, 0
    for b in range(256):
        if b not in out:
            out[b], n = 256 + n, n + 1
    return out


def last_merge(ranks, token):
    """The two parts that merge last when a token is built by rank."""
    parts = [bytes([b]) for b in token]
    while len(parts) > 2:
        k = min(range(len(parts) - 1), key=lambda i: ranks.get(parts[i] + parts[i + 1], 1 << 60)
                if parts[i] + parts[i + 1] != token else 1 << 60)
        parts[k:k + 2] = [parts[k] + parts[k + 1]]
    return parts


def main():
    args = argparse.ArgumentParser()
    args.add_argument("program")
    args.add_argument("models", nargs="+", type=Path)
    args.add_argument("--random", type=int, default=2000)
    args.add_argument("--text", action="append", type=Path, default=[])
    args = args.parse_args()
    texts = [b for b, _ in tokenizer_texts.probes(args.random, seed=5)]
    rng = random.Random(9)
    for path in args.text:
        data, at = path.read_bytes(), 0
        while at < len(data):
            n = rng.choice([20, 100, 500, 3000])
            texts.append(data[at:at + n])
            at += n
    for path in args.models:
        compare = (compare_tekken if path.name.startswith("tekken") else
                   compare_gguf if path.suffix == ".gguf" else compare_sentencepiece)
        compare(args.program, path, texts)


if __name__ == "__main__":
    main()
