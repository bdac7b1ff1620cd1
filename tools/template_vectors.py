#!/usr/bin/env python3
"""template_vectors.py - writes tests/golden/text/templates/vectors.json: what Jinja2 makes of the templates.

usage: template_vectors.py REPO              writes the vectors
       template_vectors.py REPO --dir DIR    renders every *.jinja of DIR in every conversation through Jinja2
                                             and through build/dev/tests/render_template, and counts the equal

Needs transformers and jinja2. The file holds "contexts", and "cases": [template, context, text], or
[template, context, null, message] where Jinja2 fails (message: what raise_exception said, or null).
A template is a source, or "@name" for the file name.jinja beside the vectors.
"""
import argparse
import itertools
import json
import sys
from pathlib import Path

from template_features import CONTEXT, FEATURES
from template_oracle import Renderer, oracle

TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "Get the <weather> & \"more\"", "parameters": {
        "type": "object", "properties": {
            "city": {"type": "string", "description": "Città"},
            "days": {"type": "integer", "enum": [1, 2, 3], "default": 2},
            "opt": {"type": ["string", "null"]},
            "nested": {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "number"}}}}},
        "required": ["city"]}}},
    {"type": "function", "function": {"name": "noop", "description": "Does nothing.", "parameters": {"type": "object", "properties": {}}}},
]
DOCUMENTS = [{"title": "One", "text": "The first text, which is long."}, {"title": "zwei", "text": "kurz"}]


def call(arguments, name="get_weather", id="call_0001"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


CONVERSATIONS = {
    "user": [{"role": "user", "content": "Hello"}],
    "system": [{"role": "system", "content": "You are  helpful.\n"}, {"role": "user", "content": " Hi there \n"}],
    "turns": [{"role": "system", "content": "Be terse."}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
              {"role": "user", "content": "c <b>'\"&"}, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nd"}, {"role": "user", "content": "e"}],
    "unicode": [{"role": "user", "content": "Größe 你好 👩‍👩‍👧 \u00a0x\u2028"}, {"role": "assistant", "content": ""}, {"role": "user", "content": ""}],
    "call": [{"role": "user", "content": "w?"}, {"role": "assistant", "content": "", "tool_calls": [call({"city": "Zürich", "days": 2})]},
             {"role": "tool", "content": "{\"t\": 21.5}", "tool_call_id": "call_0001", "name": "get_weather"},
             {"role": "assistant", "content": "21.5"}, {"role": "user", "content": "thx"}],
    "calls": [{"role": "user", "content": "w?"}, {"role": "assistant", "content": None, "reasoning_content": "two\n", "thinking": "two\n",
              "tool_calls": [call("{\"city\": \"Rom\"}", id="abcdefghi"), call("{}", "noop", "123456789")]},
              {"role": "tool", "content": "1", "tool_call_id": "abcdefghi"}, {"role": "tool", "content": "2", "tool_call_id": "123456789"}],
    "reasoning": [{"role": "user", "content": "2+2"}, {"role": "assistant", "content": "4", "reasoning_content": "think \n hard"},
                  {"role": "user", "content": "and 3?"}, {"role": "assistant", "content": "5", "reasoning_content": "again"}],
    "parts": [{"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image"}, {"type": "text", "text": " here "}]},
              {"role": "assistant", "content": [{"type": "text", "text": "ok"}]}],
    "unordered": [{"role": "assistant", "content": "first"}, {"role": "assistant", "content": "second"}],
    "developer": [{"role": "developer", "content": "dev"}, {"role": "user", "content": "x"}],
    "strange": [{"role": "ipython", "content": "x"}, {"role": "user"}],
    "empty": [],
}


def contexts(wide):
    extras = [{}, {"enable_thinking": False, "builtin_tools": ["search", "code_interpreter"], "reasoning_effort": "high", "documents": DOCUMENTS}]
    if wide:
        extras += [{"enable_thinking": True}, {"thinking": True, "model_identity": "I am X", "date_string": "1 Jan 2025", "keep_past_thinking": True}]
    for (name, messages), tools, extra in itertools.product(CONVERSATIONS.items(), (None, TOOLS), extras):
        for prompt in (True, False) if wide else (not (tools and extra),):
            context = {"messages": messages, "tools": tools, "documents": None, "add_generation_prompt": prompt, "bos_token": "<s>", "eos_token": "</s>"}
            yield {**context, **extra}


def case(template, source, i, context):
    want = oracle(source, context)
    return [template, i, want["text"]] if "text" in want else [template, i, None, want.get("message") if "TemplateError: " in want["error"] else None]


def write(folder):
    out = {"contexts": [CONTEXT] + list(contexts(False)), "cases": []}
    for source in FEATURES:
        out["cases"].append(case(source, source, 0, CONTEXT))
    for path in sorted(folder.glob("*.jinja")):
        source = path.read_text()
        for i, context in enumerate(out["contexts"][1:], 1):
            out["cases"].append(case("@" + path.stem, source, i, context))
    with open(folder / "vectors.json", "w") as f:
        f.write('{"contexts": [\n' + ",\n".join(json.dumps(c, ensure_ascii=False) for c in out["contexts"]) + '\n],\n"cases": [\n')
        f.write(",\n".join(json.dumps(c, ensure_ascii=False) for c in out["cases"]) + "\n]}\n")
    failing = sum(c[2] is None for c in out["cases"])
    print(f"{len(out['cases'])} cases, {failing} of them errors, {(folder / 'vectors.json').stat().st_size} bytes")


def compare(repo, folder):
    renderer, n, equal, both_fail, templates, whole = Renderer(str(repo / "build/dev/tests/render_template")), 0, 0, 0, 0, 0
    for path in sorted(Path(folder).glob("*.jinja")):
        source, good = path.read_text(), True
        for context in contexts(True):
            want, have = oracle(source, context), renderer(source, context)
            same = want["text"] == have.get("text") if "text" in want else "error" in have
            n, equal, both_fail = n + 1, equal + same, both_fail + ("error" in want and same)
            if good and not same:
                print(f"{path.name}: want {str(want)[:300]}\n  have {str(have)[:300]}")
            good &= same
        templates, whole = templates + 1, whole + good
    print(f"{equal} of {n} renderings equal ({both_fail} of them errors on both sides); {whole} of {templates} templates equal in all")
    return equal == n


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("repo", type=Path)
    parser.add_argument("--dir")
    args = parser.parse_args()
    if args.dir:
        return 0 if compare(args.repo, args.dir) else 1
    write(args.repo / "tests/golden/text/templates")
    return 0


if __name__ == "__main__":
    sys.exit(main())
