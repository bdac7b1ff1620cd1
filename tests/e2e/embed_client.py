#!/usr/bin/env python3
"""embed_client.py PORT WHAT ISOBIT MODEL - plays clients that want vectors and scores of texts."""
import base64
import json
import struct
import subprocess
import sys
import threading

from http_client import call
from local_client import refused

PATH = "/v1/embeddings"


def printed(isobit, model, text):
    """The vector as the command prints it."""
    run = subprocess.run([isobit, "embed", "-m", model, "-p", text], capture_output=True, check=True)
    return [float(x) for x in run.stdout.split()]


def floats(text):
    raw = base64.b64decode(text)
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))


def single(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def vector(text, **more):
    status, answer, _ = call(PATH, dict(more, input=text))
    assert status == 200, answer
    return answer["data"][0]["embedding"]


def vectors(isobit, model):
    status, facts, _ = call("/v1/models/bert")
    assert facts["meta"]["type"] == "embedding" and facts["meta"]["dimensions"] == 64, facts
    text = "hello, you"
    want = [single(x) for x in printed(isobit, model, text)]
    assert [single(x) for x in vector(text)] == want
    assert floats(vector(text, encoding_format="base64")) == want
    status, several, headers = call(PATH, {"input": ["a", text, "b c d"], "model": "bert", "frobs": 1})
    assert several["usage"] == {"prompt_tokens": 19, "total_tokens": 19}, several["usage"]
    assert [d["index"] for d in several["data"]] == [0, 1, 2] and headers["x-unknown-fields"] == "frobs"
    assert [single(x) for x in several["data"][1]["embedding"]] == want
    ids = call("/tokenize", {"content": text, "add_special": True})[1]["tokens"]
    assert vector(ids) == vector([ids]) == vector(text)
    few = vector(text, dimensions=8)
    length = sum(x * x for x in want[:8]) ** 0.5
    assert len(few) == 8 and all(abs(x - y / length) < 1e-6 for x, y in zip(few, want))
    # A model that generates gives its last token's row.
    status, talk, _ = call(PATH, {"model": "talker", "input": ["Hello there"] * 3 + ["Hello"]})
    got = [d["embedding"] for d in talk["data"]]
    assert got[0] == got[1] == got[2] != got[3] and abs(sum(x * x for x in got[0]) - 1) < 1e-5


def scores(isobit, model):
    documents = ["the dog", "a cat", "stocks"]
    status, ranked, _ = call("/rerank", {"query": "a cat", "documents": documents, "model": "bert"})
    assert status == 200 and ranked["results"][0]["index"] == 1, ranked
    values = [r["relevance_score"] for r in ranked["results"]]
    assert values == sorted(values, reverse=True) and abs(values[0] - 1) < 1e-5
    top = call("/v1/rerank", {"query": "a cat", "texts": documents, "top_n": 1, "return_documents": False})[1]
    assert top["results"] == [{"index": 1, "relevance_score": values[0]}], top
    pairs = call("/score", {"text_1": "a cat", "text_2": documents})[1]
    assert sorted((d["score"] for d in pairs["data"]), reverse=True) == values, pairs
    # A cross-encoder reads both texts at once.
    ask = {"model": "rank", "text_1": "a cat", "text_2": documents}
    crossed = [d["score"] for d in call("/v1/score", ask)[1]["data"]]
    assert all(0 <= s <= 1 for s in crossed) and len(set(crossed)) == 3, crossed
    alone = call("/v1/score", dict(ask, text_2=documents[2]))[1]["data"][0]["score"]
    assert alone == crossed[2]
    ranked = call("/rerank", {"model": "rank", "query": "a cat", "documents": documents})[1]["results"]
    assert [r["relevance_score"] for r in ranked] == sorted(crossed, reverse=True), ranked


def refusals(isobit, model):
    refused(400, "makes embeddings", "/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}]})
    refused(400, "scores pairs", "/v1/completions", {"model": "rank", "prompt": "a"})
    refused(400, "makes no vectors", PATH, {"model": "rank", "input": "a"})
    refused(400, "122 tokens, but this model reads 110", PATH, {"input": "a " * 120})
    refused(400, "input[1] has 122 tokens", PATH, {"input": ["a", "a " * 120]})
    refused(400, "no token of this model", PATH, {"input": [1, 61]})
    refused(400, "dimensions is 65; vectors of bert have 64", PATH, {"input": "a", "dimensions": 65})
    refused(400, "input is missing", PATH, {})
    refused(404, "no model", PATH, {"model": "nobody", "input": "a"})


def company(isobit, model):
    """Many clients at once, each with its own vector; a client that leaves disturbs nobody."""
    texts = ["a b c " * (i % 7) + chr(97 + i % 26) for i in range(48)]
    alone = [vector(t) for t in texts]
    got = [None] * len(texts)

    def ask(i):
        got[i] = [d["embedding"] for d in call(PATH, {"input": [texts[i]] * (1 + i % 5)})[1]["data"]]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(texts))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(got[i] == [alone[i]] * (1 + i % 5) for i in range(len(texts)))
    status, many, _ = call(PATH, {"input": texts * 40})
    assert status == 200 and [d["embedding"] for d in many["data"]] == alone * 40
    status, metrics, _ = call("/metrics", headers={"Accept": "application/json"})
    assert status == 200, json.dumps(metrics)


if __name__ == "__main__":
    globals()[sys.argv[2]](*sys.argv[3:])
