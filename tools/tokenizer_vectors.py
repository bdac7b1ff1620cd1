#!/usr/bin/env python3
"""tokenizer_vectors.py - train small tokenizers of every family and write what `tokenizers` answers.

usage: tokenizer_vectors.py FOLDER      (tests/golden/text; needs `tokenizers` and `sentencepiece`)

Writes probes.json, the texts in hexadecimal, and NAME.json for every family:
  tokenizer  the tokenizer.json        pre    the GGUF name of its pre-tokenizer, or null
  around     the ids that are added before and after a text
  ids        per probe, two characters per id (see pack): special tokens recognised, nothing added
  plain      per probe: special tokens as plain text; null where equal to ids
  text       per probe: the decoded ids without special tokens; null where equal to the probe
"""
import io
import json
import sys
from pathlib import Path

import sentencepiece
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

import tokenizer_texts

GPT2_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
RUNS = r"\s+(?!\S)|\s+"
LLAMA3 = GPT2_CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|" + RUNS
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
QWEN35 = (GPT2_CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|" + RUNS)
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"


def o200k(tail, numbers, upper=UPPER, lower=LOWER, slash="/"):
    return (rf"[^\r\n\p{{L}}\p{{N}}]?{upper}*{lower}+{tail}|[^\r\n\p{{L}}\p{{N}}]?{upper}+{lower}*{tail}|{numbers}"
            rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n{slash}]*|\s*[\r\n]+|" + RUNS)


TEKKEN = o200k("", r"\p{N}")
O200K = o200k(GPT2_CONTRACTIONS + "?", r"\p{N}{1,3}")
KIMI = r"[\p{Han}]+|" + o200k(GPT2_CONTRACTIONS + "?", r"\p{N}{1,3}", UPPER[:-1] + r"&&[^\p{Han}]]",
                              LOWER[:-1] + r"&&[^\p{Han}]]", "")
DEEPSEEK3 = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
             r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|" + RUNS).replace('\\"', '"')
DEEPSEEK_LETTERS = (
    r"\s?[A-Za-z\u{b5}\u{c0}-\u{d6}\u{d8}-\u{f6}\u{f8}-\u{1ba}\u{1bc}-\u{1bf}\u{1c4}-\u{293}\u{295}-\u{2af}"
    r"\u{370}-\u{373}\u{376}\u{377}\u{37b}-\u{37d}\u{37f}\u{386}\u{388}-\u{38a}\u{38c}\u{38e}-\u{3a1}\u{3a3}-\u{3f5}"
    r"\u{3f7}-\u{481}\u{48a}-\u{52f}\u{531}-\u{556}\u{10a0}-\u{10c5}\u{13a0}-\u{13f5}\u{13f8}-\u{13fd}"
    r"\u{1c90}-\u{1cba}\u{1cbd}-\u{1cbf}\u{1d00}-\u{1d2b}\u{1d6b}-\u{1d77}\u{1d79}-\u{1d9a}\u{1e00}-\u{1f15}"
    r"\u{1f18}-\u{1f1d}\u{1f20}-\u{1f45}\u{1f48}-\u{1f4d}\u{1f50}-\u{1f57}\u{1f59}\u{1f5b}\u{1f5d}\u{1f5f}-\u{1f7d}"
    r"\u{1f80}-\u{1fb4}\u{1fb6}-\u{1fbc}\u{1fbe}\u{1fc2}-\u{1fc4}\u{1fc6}-\u{1fcc}\u{1fd0}-\u{1fd3}\u{1fd6}-\u{1fdb}"
    r"\u{1fe0}-\u{1fec}\u{1ff2}-\u{1ff4}\u{1ff6}-\u{1ffc}\u{2102}\u{2107}\u{210a}-\u{2113}\u{2115}\u{2119}-\u{211d}"
    r"\u{2124}\u{2126}\u{2128}\u{212a}-\u{212d}\u{212f}-\u{2134}\u{2139}\u{213c}-\u{213f}\u{2145}-\u{2149}\u{214e}"
    r"\u{2183}\u{2184}\u{2c00}-\u{2c7b}\u{2c7e}-\u{2ce4}\u{2ceb}-\u{2cee}\u{2cf2}\u{2cf3}\u{a640}-\u{a66d}"
    r"\u{a680}-\u{a69b}\u{a722}-\u{a76f}\u{a771}-\u{a787}\u{a78b}-\u{a78e}\u{ab70}-\u{abbf}\u{fb00}-\u{fb06}"
    r"\u{fb13}-\u{fb17}\u{ff21}-\u{ff3a}\u{ff41}-\u{ff5a}\u{10400}-\u{1044f}\u{104b0}-\u{104d3}\u{104d8}-\u{104fb}"
    r"\u{10c80}-\u{10cb2}\u{10cc0}-\u{10cf2}\u{118a0}-\u{118df}\u{1e900}-\u{1e943}]+")
CJK = "[一-龥ࠀ-一가-퟿]+"


def literal(pattern):
    """The pattern as published: literal characters instead of escapes."""
    import re
    return re.sub(r"\\u\{([0-9a-f]+)\}", lambda m: chr(int(m.group(1), 16)), pattern)


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def sequence(*steps):
    return pre_tokenizers.Sequence(list(steps))


def byte_level(regex=False, prefix=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=regex)


def deepseek_llm():
    return sequence(split("[\r\n]"), split(literal(DEEPSEEK_LETTERS)), split(r"\s?[!-/:-~！-／：-～‘-‟　-。]+"),
                    split(r"\s+$"), split(CJK), pre_tokenizers.Digits(individual_digits=True), byte_level())


def deepseek_coder():
    return sequence(split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split(CJK),
                    pre_tokenizers.Digits(individual_digits=True), byte_level())


def falcon():
    return sequence(pre_tokenizers.Punctuation("contiguous"), byte_level(regex=True), pre_tokenizers.Digits(False),
                    split("[0-9][0-9][0-9]"))


def template(before, after, tokenizer):
    special = [(t, tokenizer.token_to_id(t)) for t in before + after]
    return processors.TemplateProcessing(single=before + ["$A"] + after, special_tokens=sorted(set(special)))


CHAT = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def byte_bpe(pre, norm=None, before=(), after=(), size=560, specials=CHAT, extra=(), **model):
    """A byte-level BPE with all 256 bytes."""
    t = Tokenizer(models.BPE(**model))
    if norm:
        t.normalizer = norm
    t.pre_tokenizer = pre
    t.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    t.train_from_iterator(tokenizer_texts.corpus(), trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=sorted(alphabet), special_tokens=list(specials), show_progress=False))
    t.add_tokens(list(extra))
    if before or after:
        t.post_processor = template(list(before), list(after), t)
    return t


def sentencepiece_bpe(norm, pre, dec, extra=(), before=("<s>",), size=900):
    """BPE over characters with byte tokens. The trainer needs words, which published files lack: it
    gets marks for spaces and a splitter, then the real steps take their place."""
    specials = ["<unk>", "<s>", "</s>"]
    bytes_ = [f"<0x{b:02X}>" for b in range(256)]
    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    t.normalizer = normalizers.Replace(" ", MARK)
    t.pre_tokenizer = pre_tokenizers.Split(MARK, "merged_with_next")
    t.train_from_iterator(tokenizer_texts.corpus(), trainers.BpeTrainer(
        vocab_size=size, special_tokens=specials + bytes_, limit_alphabet=200, show_progress=False))
    made = json.loads(t.to_str())
    made["added_tokens"] = [a for a in made["added_tokens"] if a["content"] not in bytes_]
    made["normalizer"] = made["pre_tokenizer"] = None
    t = Tokenizer.from_str(json.dumps(made))
    if norm:
        t.normalizer = norm
    if pre:
        t.pre_tokenizer = pre
    t.decoder = dec
    t.add_tokens(list(extra))
    if before:
        t.post_processor = template(list(before), [], t)
    return t


def rules_charsmap():
    """A small precompiled map, made by SentencePiece from rules: ligatures, wide forms, composition."""
    rules = {"ﬁ": "fi", "ﬀ": "ff", "Ａ": "A", "ａ": "a", "１": "1", "！": "!", "　": " ", "\t": " ", "\n": " ", "①": "1",
             "½": "1/2", "e\u0301": "é", "a\u0323\u0302": "ậ", "㎞": "km", "İ": "I", "\u00ad": "", "ｶ": "カ", "ﾞ": "\u3099",
             "“": '"', "”": '"', "…": "...", "\u200b": " ", "ß": "ss", "\u212a": "K"}
    path = Path("/tmp/isobit_rules.tsv")
    path.write_text("".join(" ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n"
                            for a, b in rules.items()))
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(tokenizer_texts.corpus()), model_writer=model, vocab_size=900, model_type="unigram",
        normalization_rule_tsv=str(path), hard_vocab_limit=False, minloglevel=2, num_threads=1)
    path.unlink()
    from sentencepiece import sentencepiece_model_pb2
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


def unigram(norm, pre, dec, byte_fallback=False, size=800, specials=("<pad>", "</s>", "<unk>"), after=("</s>",)):
    t = Tokenizer(models.Unigram())
    if norm:
        t.normalizer = norm
    t.pre_tokenizer = pre
    t.decoder = dec
    bytes_ = [f"<0x{b:02X}>" for b in range(256)] if byte_fallback else []
    t.train_from_iterator(tokenizer_texts.corpus(), trainers.UnigramTrainer(
        vocab_size=size, special_tokens=list(specials) + bytes_, unk_token="<unk>", show_progress=False))
    made = json.loads(t.to_str())
    import struct
    for piece in made["model"]["vocab"]:  # SentencePiece keeps scores as 32-bit floats
        piece[1] = struct.unpack("f", struct.pack("f", piece[1]))[0]
    made["model"]["byte_fallback"] = byte_fallback
    made["added_tokens"] = [a for a in made["added_tokens"] if a["content"] not in bytes_]
    t = Tokenizer.from_str(json.dumps(made))
    if after:
        t.post_processor = template([], list(after), t)
    return t


def wordpiece(norm, pre):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = norm
    t.pre_tokenizer = pre
    t.decoder = decoders.WordPiece()
    t.train_from_iterator(tokenizer_texts.corpus(), trainers.WordPieceTrainer(
        vocab_size=900, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    t.post_processor = template(["[CLS]"], ["[SEP]"], t)
    return t


MARK = "▁"
SPM_DECODER = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse(),
                                 decoders.Strip(" ", 1, 0)])
SPM_NORM = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])


def byte_families():
    """Byte-level BPE: name -> (tokenizer, GGUF pre name)."""
    gpt2 = byte_level(regex=True)
    digits = pre_tokenizers.Digits(individual_digits=True)
    nfc = normalizers.NFC()
    tool = [AddedToken("<|tool|>", special=False, normalized=False), AddedToken("tool", special=False, single_word=True)]
    bos = ["<|endoftext|>"]
    return {
        "gpt-2": (byte_bpe(gpt2, extra=tool), "gpt-2"),
        "olmo": (byte_bpe(gpt2, nfc), "olmo"),
        "llama-bpe": (byte_bpe(sequence(split(LLAMA3), byte_level()), before=bos, ignore_merges=True), "llama-bpe"),
        "dbrx": (byte_bpe(sequence(split(LLAMA3), byte_level())), "dbrx"),
        "qwen2": (byte_bpe(sequence(split(QWEN2), byte_level()), nfc, extra=tool), "qwen2"),
        "qwen35": (byte_bpe(sequence(split(QWEN35), byte_level()), nfc), "qwen35"),
        "deepseek-llm": (byte_bpe(deepseek_llm(), before=bos), "deepseek-llm"),
        "deepseek-coder": (byte_bpe(deepseek_coder(), before=bos), "deepseek-coder"),
        "deepseek-v3": (byte_bpe(sequence(split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"), split(DEEPSEEK3), byte_level()),
                                 before=bos), "deepseek-v3"),
        "falcon": (byte_bpe(falcon()), "falcon"),
        "smollm": (byte_bpe(sequence(digits, gpt2)), "smollm"),
        "command-r": (byte_bpe(sequence(digits, gpt2), nfc, before=bos), "command-r"),
        "tekken": (byte_bpe(sequence(split(TEKKEN), byte_level()), before=bos, ignore_merges=True), "tekken"),
        "gpt-4o": (byte_bpe(sequence(split(O200K), byte_level())), "gpt-4o"),
        "kimi-k2": (byte_bpe(sequence(split(KIMI), byte_level())), "kimi-k2"),
        "bloom": (byte_bpe(sequence(split(r" ?[^(\s|[.,!?…。，、।۔،])]+"), byte_level())), "bloom"),
        "viking": (byte_bpe(sequence(split(r" ?[^(\s|[.,!?…。，、।۔،])]+"), digits, byte_level())), "viking"),
        "bailingmoe": (byte_bpe(sequence(split(
            r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|" + RUNS),
            byte_level())), "bailingmoe"),
        "seed-coder": (byte_bpe(sequence(split(
            GPT2_CONTRACTIONS + "|[^\r\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\r\n]+|\\s*[\r\n]+|" + RUNS),
            byte_level())), "seed-coder"),
        "tiny_aya": (byte_bpe(sequence(split(r"\d{1,3}(?=(?:\d{3})*\b)"), split(O200K), byte_level()), nfc), "tiny_aya"),
        "roberta": (byte_bpe(byte_level(regex=True, prefix=True), before=["<s>"], after=["</s>"],
                             specials=["<s>", "<pad>", "</s>", "<unk>"],
                             extra=[AddedToken("<mask>", special=True, lstrip=True, normalized=False)]), None),
    }


def other_families():
    charsmap = normalizers.Precompiled(rules_charsmap())
    metaspace = pre_tokenizers.Metaspace
    phi3 = [AddedToken(x, special=True, rstrip=True, normalized=False) for x in ("<|user|>", "<|end|>", "<|im_end|>")]
    bert = normalizers.BertNormalizer
    return {
        "llama": (sentencepiece_bpe(SPM_NORM, None, SPM_DECODER), None),
        "phi3": (sentencepiece_bpe(SPM_NORM, None, SPM_DECODER, extra=phi3), None),
        "llama-first": (sentencepiece_bpe(None, metaspace(MARK, "first", False), SPM_DECODER), None),
        "gemma": (sentencepiece_bpe(normalizers.Replace(" ", MARK), pre_tokenizers.Split(" ", "merged_with_previous"),
                                    decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(),
                                                       decoders.Fuse()])), None),
        "t5": (unigram(charsmap, sequence(pre_tokenizers.WhitespaceSplit(), metaspace(MARK, "always")),
                       decoders.Metaspace(MARK, "always")), None),
        "unigram-bytes": (unigram(None, metaspace(MARK, "always"), decoders.Metaspace(MARK, "always"), True,
                                  after=()), None),
        "albert": (unigram(normalizers.Sequence([
            normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(),
            normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Replace(Regex(" {2,}"), " ")]),
            metaspace(MARK, "always"), decoders.Metaspace(MARK, "always")), None),
        "bert-uncased": (wordpiece(bert(), pre_tokenizers.BertPreTokenizer()), None),
        "bert-cased": (wordpiece(bert(lowercase=False), pre_tokenizers.BertPreTokenizer()), None),
    }


def step_families():
    """Steps that published models of our families lack, one or two at a time."""
    punctuation = pre_tokenizers.Punctuation
    made = {
        "nfkc": (byte_level(), normalizers.Sequence([normalizers.NFKC(), normalizers.Strip(), normalizers.Lowercase()])),
        "nfd": (sequence(pre_tokenizers.Whitespace(), byte_level()), normalizers.NFD()),
        "nmt": (sequence(pre_tokenizers.CharDelimiterSplit("a"), byte_level()), normalizers.Nmt()),
        "fixed": (sequence(pre_tokenizers.FixedLength(length=3), byte_level()), None),
    }
    for behavior in ("isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"):
        made["split-" + behavior.split("_")[-1]] = (sequence(
            punctuation(behavior), split(r"\w\b|\h{2}", behavior, invert=behavior in ("removed", "contiguous")),
            byte_level()), None)
    return {name: (byte_bpe(pre, norm, size=330), None) for name, (pre, norm) in made.items()}


# Two digits of base 90, printable and never escaped in JSON.
DIGITS = "".join(chr(c) for c in range(0x21, 0x7f) if chr(c) not in "\"\\'&")


def pack(ids):
    assert all(i < 90 * 90 for i in ids)
    return "".join(DIGITS[i // 90] + DIGITS[i % 90] for i in ids)


def around(t):
    """What the post-processor adds before and after a text that is one known token."""
    plain, ids = t.encode("1", add_special_tokens=False).ids, t.encode("1").ids
    at = next(i for i in range(len(ids)) if ids[i:i + len(plain)] == plain)
    return [ids[:at], ids[at + len(plain):]]


def answers(t, pre, probes):
    out = {"tokenizer": json.loads(t.to_str()), "pre": pre, "around": around(t), "ids": [], "plain": [], "text": []}
    for _, text in probes:
        t.encode_special_tokens = False
        ids = t.encode(text, add_special_tokens=False).ids
        assert t.encode(text).ids == out["around"][0] + ids + out["around"][1]
        t.encode_special_tokens = True
        plain = t.encode(text, add_special_tokens=False).ids
        t.encode_special_tokens = False
        decoded = t.decode(ids)
        out["ids"].append(pack(ids))
        out["plain"].append(None if plain == ids else pack(plain))
        out["text"].append(None if decoded == text else decoded)
    return out


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def main():
    folder = Path(sys.argv[1])
    probes = tokenizer_texts.probes()
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "probes.json", [b.hex() for b, _ in probes])
    for name, (t, pre) in {**byte_families(), **other_families(), **step_families()}.items():
        write(folder / f"{name}.json", answers(t, pre, probes))
        print(name, t.get_vocab_size())


if __name__ == "__main__":
    main()
