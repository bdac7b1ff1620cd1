#!/usr/bin/env python3
"""poc_parity_vectors.py - artifacts of tiny models by PyTorch, for tests/unit/poc/test_parity.c.

usage: poc_parity_vectors.py > tests/golden/poc/parity.h     (needs torch, transformers, gguf, numpy)

The models are those of tools/mktiny.py, in the type their file has (float16 or bfloat16) and in
float64. Reflections are forward hooks on the layers. numpy's numbers as in poc_artifact_vectors.py.
"""
import sys

import numpy as np
import torch
import transformers

import mktiny
from poc_artifact_vectors import in_order, inputs, normals_like, numbers, unit_like, words

MODELS = {"llama-rope3": torch.float16, "gemma3": torch.float16, "qwen2": torch.bfloat16}
BLOCK, KEY, ROWS, K, NONCES = "PARITY_BLOCK", "gonka1parity", 40, 12, 6


def model_of(name, dtype):
    m = mktiny.MODELS[name]
    tiny = mktiny.draw(name, m)
    model = getattr(transformers, m["cls"] + "ForCausalLM")(mktiny.config_of(m)).to(dtype).eval()
    with torch.no_grad():
        for pname, p in model.named_parameters():
            p.copy_(torch.from_numpy(np.ascontiguousarray(mktiny.value_for(pname, tiny, m))).to(dtype))
    return model.model, m["d"]


def reflecting(model, width, rounded, dtype):
    def hook(layer):
        v = torch.from_numpy(unit_like(normals_like(words(f"{BLOCK}_layer_{layer}_householder")[0], width)))
        v = v.to(rounded).to(dtype)

        def reflect(module, args, out):
            turn = lambda x: x - 2 * (x * v).sum(-1, keepdim=True) * v
            return (turn(out[0]),) + tuple(out[1:]) if isinstance(out, tuple) else turn(out)
        return reflect
    return [layer.register_forward_hook(hook(i)) for i, layer in enumerate(model.layers)]


def last_rows(name, rounded, dtype):
    model, width = model_of(name, dtype)
    reflecting(model, width, rounded, dtype)
    for nonce in range(NONCES):
        case = (BLOCK, KEY, nonce, ROWS, width, K, False)
        x = torch.from_numpy(inputs(case, normals_like)).view(1, ROWS, width).to(rounded).to(dtype)
        with torch.no_grad():
            yield case, model(inputs_embeds=x, use_cache=False).last_hidden_state[0, -1].double().numpy()


def artifact_of(case, x):
    block, key, nonce, _, width, k, _ = case
    y = (x / np.linalg.norm(x))[in_order(case, True)]
    for j in range(k - 1):
        v = unit_like(normals_like(words(f"{block}_{key}_nonce_{nonce}_haar_hh_{k}_{j}")[0], k)).astype(np.float64)
        y = y - 2 * (v @ y) * v
    return y / np.linalg.norm(y)


def main():
    print("/* parity.h - made by tools/poc_parity_vectors.py: artifacts of tiny models by PyTorch. */")
    print("enum { PARITY_ROWS = %d, PARITY_NONCES = %d };" % (ROWS, NONCES))
    print("static const struct parity {\n    const char *name;\n    bool is_bf16;")
    print("    /* In the file's type, and in float64. */")
    print("    float artifacts[PARITY_NONCES][12], f64[PARITY_NONCES][12];\n} PARITY[] = {")
    for name, rounded in MODELS.items():
        print(f'    {{"{name}", {"true" if rounded == torch.bfloat16 else "false"},')
        both = [[artifact_of(*row) for row in last_rows(name, rounded, dtype)] for dtype in (rounded, torch.float64)]
        for rows in both:
            print("     {" + ",\n      ".join(numbers(r, lambda f: f"{f:.8f}f") for r in rows) + "},")
        print("    },")
        off = np.linalg.norm(np.array(both[0]) - np.array(both[1]), axis=1)
        print(f"{name}: {rounded} is off float64 by {off.mean():.4f} on average, {off.max():.4f} at most", file=sys.stderr)
    print("};")


if __name__ == "__main__":
    main()
