#!/usr/bin/env python3
"""Asks the demo model the questions of eval.jsonl and counts the right answers, greedily.

  evaluate.py DIR [--questions FILE] [--wrong]     accuracy of each category
  evaluate.py DIR --ask TEXT [TEXT...]             one conversation
"""

import argparse
import collections
import json
import pathlib
import re

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from model import Llama

STOP = {0, 2}


def load(folder):
    model = Llama(json.loads((folder / "config.json").read_text()))
    tensors = load_file(folder / "model.safetensors")
    model.load_state_dict({k: v.float() for k, v in tensors.items()})
    return model.eval(), Tokenizer.from_file(str(folder / "tokenizer.json"))


def answer(model, tok, messages):
    text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
    ids = tok.encode(text + "<|im_start|>assistant\n").ids
    return tok.decode(model.generate(ids, STOP))


def right(text, expect):
    """Every expected string occurs, not as part of a longer word or number on its left."""
    return all(
        re.search(r"(?<![\w])" + re.escape(e) if e[:1].isalnum() and len(e) < 4 else re.escape(e),
                  text, re.IGNORECASE) for e in expect)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--questions",
                        type=pathlib.Path,
                        default=pathlib.Path(__file__).parent / "eval.jsonl")
    parser.add_argument("--ask", nargs="+")
    parser.add_argument("--wrong", action="store_true", help="print the wrong answers")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, tok = load(args.folder)
    if args.ask:
        messages = []
        for text in args.ask:
            messages.append({"role": "user", "content": text})
            messages.append({"role": "assistant", "content": answer(model, tok, messages)})
            print(f"> {text}\n{messages[-1]['content']}")
        return
    counts = collections.OrderedDict()
    for line in args.questions.read_text().splitlines():
        row = json.loads(line)
        text = answer(model, tok, row["messages"])
        ok = right(text, row["expect"])
        n = counts.setdefault(row["category"], [0, 0])
        n[0] += ok
        n[1] += 1
        if args.wrong and not ok:
            asked = row["messages"][-1]["content"]
            print(f"{row['category']}: {asked!r} -> {text!r}, not {row['expect']}", flush=True)
    for category, (good, all_) in counts.items():
        print(f"{category:40} {good:4} of {all_:4}  {100 * good / all_:5.1f} %")
    good, all_ = (sum(c[i] for c in counts.values()) for i in (0, 1))
    print(f"{'all':40} {good:4} of {all_:4}  {100 * good / all_:5.1f} %")


if __name__ == "__main__":
    main()
