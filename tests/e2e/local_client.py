#!/usr/bin/env python3
"""local_client.py PORT WHAT - plays clients of llama-server, vLLM and Ollama; exits 0 when all is as it must be."""
import sys

from http_client import call, user


def refused(status, words, path, body, **more):
    got, answer, _ = call(path, body, **more)
    assert got == status, (got, status, answer)
    error = answer["error"]
    message = error["message"] if isinstance(error, dict) else error
    assert words in message, (words, message)


def texts():
    """/tokenize and /detokenize are inverse; /apply-template gives what a chat's prompt counts."""
    text = "Hello there, \u00e9\U0001f600!"
    status, plain, _ = call("/tokenize", {"content": text})
    assert status == 200 and plain["count"] == len(plain["tokens"]) and plain["max_model_len"] == 4096, plain
    assert call("/detokenize", {"tokens": plain["tokens"]})[1] == {"content": text, "prompt": text}
    status, named, _ = call("/tokenize", {"prompt": text, "add_special_tokens": False, "return_token_strs": True})
    assert named["tokens"] == plain["tokens"] and len(named["token_strs"]) == named["count"], named
    status, pieces, _ = call("/tokenize", {"content": text, "with_pieces": True})
    spelled = b"".join(p["piece"].encode() if isinstance(p["piece"], str) else bytes(p["piece"])
                       for p in pieces["tokens"])
    assert spelled.decode().strip() == text, pieces
    status, mixed, _ = call("/tokenize", {"content": [plain["tokens"][0], text]})
    assert mixed["tokens"] == plain["tokens"][:1] + plain["tokens"], mixed
    hello = {"messages": user("Hello there")}
    status, templated, _ = call("/apply-template", hello)
    assert "Hello there" in templated["prompt"], templated
    n = call("/tokenize", hello)[1]["count"]
    assert n == call("/v1/chat/completions", dict(hello, max_tokens=1))[1]["usage"]["prompt_tokens"]
    status, props, _ = call("/props")
    assert props["default_generation_settings"]["n_ctx"] == 4096 and props["total_slots"] == 4, props
    assert props["model_alias"] == "talker" and props["modalities"] == {"vision": False, "audio": False}
    assert call("/props?model=talker")[1] == props
    assert call("/version")[1] == call("/v1/version")[1] and call("/version")[1]["version"]
    refused(400, "one of", "/tokenize", {})
    refused(400, "neither", "/tokenize", {"content": [1.5]})
    refused(400, "content[0] is no token id", "/tokenize", {"content": [-1]})
    refused(400, "outside the vocabulary", "/detokenize", {"tokens": [10**9]})
    refused(400, "array", "/detokenize", {"tokens": "x"})
    refused(400, "messages", "/apply-template", {"messages": []})
    refused(404, "talker", "/tokenize", {"content": "a", "model": "other"})


if __name__ == "__main__":
    {"texts": texts}[sys.argv[2]]()
