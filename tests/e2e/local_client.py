#!/usr/bin/env python3
"""local_client.py PORT WHAT - plays clients of llama-server, vLLM and Ollama; exits 0 when all is as it must be."""
import json
import re
import sys
import time

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


def events(path, body):
    status, text, headers = call(path, dict(body, stream=True))
    assert status == 200 and headers["Content-Type"] == "text/event-stream", (status, text)
    return [json.loads(e.removeprefix("data: ")) for e in text.decode().split("\n\n") if e]


def llama():
    """llama-server's /completion."""
    path, ask = "/completion", {"prompt": "Hello there", "n_predict": 20, "seed": 7}
    status, whole, _ = call(path, dict(ask, return_tokens=True, n_probs=3))
    assert status == 200 and whole["stop"] and whole["tokens_predicted"] <= 20, whole
    assert whole["stop_type"] in ("eos", "limit") and whole["prompt"] == "Hello there"
    assert len(whole["completion_probabilities"]) == len(whole["tokens"])
    assert all(len(t["top_logprobs"]) == 3 for t in whole["completion_probabilities"])
    assert whole["generation_settings"]["temperature"] == 0.8 and whole["generation_settings"]["seed"] == 7
    assert whole["timings"]["predicted_n"] == whole["tokens_predicted"]
    # The same in pieces; what was said is in pieces, the end says why.
    pieces = events(path, ask)
    assert "".join(p["content"] for p in pieces) == whole["content"]
    assert [p["stop"] for p in pieces] == [False] * (len(pieces) - 1) + [True]
    assert pieces[-1]["tokens_evaluated"] == whole["tokens_evaluated"]
    # Prompts: as ids, mixed, several.
    ids = call("/tokenize", {"content": "Hello there", "add_special": True})[1]["tokens"]
    assert call(path, dict(ask, prompt=ids))[1]["content"] == whole["content"]
    assert call(path, dict(ask, prompt=ids[:-1] + ["e"]))[1]["content"] == whole["content"]
    both = call("/completions", dict(ask, prompt=["Hello there", ids]))[1]
    assert [b["content"] for b in both] == [whole["content"]] * 2 and [b["index"] for b in both] == [0, 1]
    # Sampling: every stage has its say, an order, biases in each form.
    for more in ({"dry_multiplier": 5, "dry_allowed_length": 1}, {"xtc_probability": 1, "xtc_threshold": 0.01},
                 {"mirostat": 2}, {"samplers": ["top_k", "temperature"], "top_k": 2}, {"repeat_penalty": 3}):
        assert call(path, dict(ask, **more))[0] == 200, more
    only = call(path, dict(ask, n_predict=3, return_tokens=True, ignore_eos=True, logit_bias=[[ids[0], 100.0]]))[1]
    assert only["tokens"] == [ids[0]] * 3 and only["stop_type"] == "limit", only
    letter = chr(whole["content"].encode()[-1])
    for form in ([[letter, False]], {letter: False}):
        assert letter not in call(path, dict(ask, logit_bias=form))[1]["content"]
    ended = call(path, dict(ask, stop=[letter]))[1]
    assert ended["stop_type"] == "word" and ended["stopping_word"] == letter and letter not in ended["content"]
    read = call(path, dict(ask, n_predict=0))[1]
    assert read["content"] == "" and read["tokens_predicted"] == 0 and read["tokens_evaluated"] == len(ids)
    assert call(path, dict(ask, cache_prompt=False))[1]["timings"]["cache_n"] == 0
    # Different seeds, different texts; -1 is none.
    assert len({call(path, dict(ask, seed=-1, temperature=1.5))[1]["content"] for _ in range(4)}) > 1
    refused(400, "not known", path, dict(ask, samplers=["x"]))
    refused(400, "not supported", path, dict(ask, top_n_sigma=1.0))
    refused(400, "not supported", path, dict(ask, lora=[{"id": 0, "scale": 1}]))
    refused(400, "prompt", path, {})
    refused(400, "logit_bias[0]", path, dict(ask, logit_bias=[[1]]))
    refused(400, "4096", path, dict(ask, prompt="a" * 9000))
    assert call(path, {})[1]["error"]["code"] == 400


def ollama():
    """Ollama's /api: lines of JSON, its names of models, its errors."""
    hello = {"model": "talker:latest", "messages": user("Hello there"), "options": {"num_predict": 20, "seed": 7}}
    status, text, headers = call("/api/chat", hello)
    assert status == 200 and headers["Content-Type"] == "application/x-ndjson", (status, text)
    lines = [json.loads(line) for line in text.decode().split("\n") if line]
    status, whole, _ = call("/api/chat", dict(hello, stream=False))
    assert "".join(line["message"]["content"] for line in lines) == whole["message"]["content"]
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    assert whole["model"] == "talker:latest" and whole["done_reason"] in ("stop", "length"), whole
    assert whole["total_duration"] >= whole["eval_duration"] and whole["eval_count"] <= 20
    # A prompt is a chat of one message; raw it is not. What came with an answer goes on.
    ask = {"model": "talker", "prompt": "Hello there", "options": hello["options"], "stream": False}
    one = call("/api/generate", ask)[1]
    assert one["response"] == whole["message"]["content"] and len(one["context"]) >= one["prompt_eval_count"]
    assert call("/api/generate", dict(ask, raw=True))[1]["prompt_eval_count"] < one["prompt_eval_count"]
    on = call("/api/generate", dict(ask, context=one["context"]))[1]
    assert on["context"][:len(one["context"])] == one["context"]
    assert call("/api/generate", {"model": "talker"})[1]["done_reason"] == "load"
    assert call("/api/chat", {"model": "talker", "messages": []})[1]["done_reason"] == "load"
    json.loads(call("/api/generate", dict(ask, format="json", options={"seed": 1}))[1]["response"])
    for _ in range(100):  # until the weights are hashed
        listed = call("/api/tags")[1]["models"]
        if listed[0]["digest"]:
            break
        time.sleep(0.1)
    assert [m["name"] for m in listed] == ["talker:latest"] and listed[0]["details"]["family"] == "llama", listed
    assert re.fullmatch("[0-9a-f]{64}", listed[0]["digest"]), listed
    name = call("/v1/completions", {"prompt": "a", "max_tokens": 1})[1]["system_fingerprint"]
    assert name == "isobit-exact-1-" + listed[0]["digest"][:12], name
    assert call("/api/ps")[1]["models"][0]["context_length"] == 4096
    shown = call("/api/show", {"name": "talker"})[1]
    assert shown["model_info"]["general.architecture"] == "llama" and "completion" in shown["capabilities"]
    assert call("/api/version")[1]["version"]
    vectors = call("/api/embed", {"model": "talker", "input": ["a", "b"]})[1]["embeddings"]
    assert len(vectors) == 2 and vectors[0] != vectors[1]
    assert call("/api/embeddings", {"model": "talker", "prompt": "b"})[1]["embedding"] == vectors[1]
    assert call("/v1/embeddings", {"input": "b"})[1]["data"][0]["embedding"] == vectors[1]
    refused(404, "talker", "/api/chat", dict(hello, model="other"))
    refused(400, "images", "/api/chat", dict(hello, messages=[dict(hello["messages"][0], images=["x"])]))
    refused(400, "template", "/api/generate", dict(ask, template="x"))
    refused(400, "options.top_p", "/api/generate", dict(ask, options={"top_p": 2}))
    refused(400, "fill in a middle", "/api/generate", dict(ask, suffix="x"))
    refused(400, "think", "/api/chat", dict(hello, think="deeply"))
    refused(404, "no such endpoint", "/api/nothing", {})


def batch():
    """/batch: many prompts in order; those that fail leave the others alone."""
    prompts = [f"Number {i}" for i in range(300)]
    prompts[7] = "x" * 9000
    ask = {"prompts": prompts, "max_tokens": 8, "seed": 3}
    status, all_, _ = call("/batch", ask)
    assert status == 200 and all_["count"] == 300 and [r["prompt"] for r in all_["results"]] == prompts
    assert ["error" in r for r in all_["results"]] == [i == 7 for i in range(300)]
    assert "4096" in all_["results"][7]["error"] and "response" not in all_["results"][7]
    assert sum(r.get("tokens", 0) for r in all_["results"]) == all_["total_tokens"]
    assert isinstance(all_["processing_time_ms"], int)
    alone = call("/v1/completions", {"prompt": prompts[9], "max_tokens": 8, "seed": 3, "temperature": 0.7})[1]
    assert alone["choices"][0]["text"] == all_["results"][9]["response"]
    assert "error" in call("/batch", {"prompts": [prompts[7]]})[1]["results"][0]
    status, wrong, _ = call("/batch", {"prompts": []})
    assert status == 400 and "at least one" in wrong["detail"], wrong
    status, wrong, _ = call("/batch", {"prompts": ["a"], "temperature": -1})
    assert status == 400 and "temperature" in wrong["detail"], wrong


def likely():
    """echo and prompt_logprobs tell how likely a prompt is; enforced answers are said as they are given."""
    path, ask = "/v1/completions", {"prompt": "Hello there", "max_tokens": 8, "seed": 7}
    plain = call(path, dict(ask, logprobs=2, return_token_ids=True))[1]["choices"][0]
    said = call(path, dict(ask, echo=True, logprobs=2))[1]
    n, choice = said["usage"]["prompt_tokens"], said["choices"][0]
    shown = choice["logprobs"]
    assert choice["text"] == "Hello there" + plain["text"], choice
    assert shown["token_logprobs"][0] is None and shown["top_logprobs"][0] is None
    assert shown["token_logprobs"][n:] == plain["logprobs"]["token_logprobs"]
    assert len(shown["tokens"]) == n + len(plain["token_ids"]) and all(p <= 0 for p in shown["token_logprobs"][1:])
    # The answer read as a prompt is as likely as it was when it was chosen.
    ids = call("/tokenize", {"prompt": "Hello there"})[1]["tokens"]
    read = call(path, dict(ask, prompt=ids + plain["token_ids"], echo=True, logprobs=2, max_tokens=0))[1]["choices"][0]
    assert read["logprobs"]["token_logprobs"][n:] == plain["logprobs"]["token_logprobs"]
    assert read["logprobs"]["token_logprobs"][:n] == shown["token_logprobs"][:n]
    assert call(path, dict(ask, echo=True))[1]["choices"][0]["text"] == choice["text"]
    prompt = call(path, dict(ask, prompt_logprobs=1))[1]["choices"][0]["prompt_logprobs"]
    assert prompt[0] is None and len(prompt) == n
    for entry, token, p in zip(prompt[1:], ids[1:], shown["token_logprobs"][1:n]):
        assert entry[str(token)]["logprob"] == p and 1 <= len(entry) <= 2 and entry[str(token)]["rank"] >= 1, entry
    hello = {"messages": user("Hello there"), "max_tokens": 8, "seed": 7}
    chat = call("/v1/chat/completions", dict(hello, prompt_logprobs=0))[1]
    assert len(chat["prompt_logprobs"]) == chat["usage"]["prompt_tokens"]
    refused(400, "stream", path, dict(ask, prompt_logprobs=1, stream=True))
    # A validator's request: the answer of another seed, with this request's distribution.
    given = call("/v1/chat/completions", dict(hello, seed=8, logprobs=True, top_logprobs=3, return_token_ids=True))[1]
    tokens = [str(i) for i in given["choices"][0]["token_ids"]]
    verify = dict(hello, logprobs=True, top_logprobs=3, max_tokens=100,
                  enforced_tokens={"tokens": [{"token": t, "top_tokens": []} for t in tokens]})
    again = call("/v1/chat/completions", verify)[1]["choices"][0]
    content = again["logprobs"]["content"]
    assert [t["token"] for t in content][:len(tokens)] == tokens and again["finish_reason"] == "stop", again
    original = given["choices"][0]["logprobs"]["content"]
    assert [t["logprob"] for t in content][:len(tokens)] == [t["logprob"] for t in original]
    assert all(len(t["top_logprobs"]) == 3 and t["top_logprobs"][0]["token"].isdigit() for t in content)
    # After the stages: two candidates are left, the others are filled up.
    left = call("/v1/chat/completions", dict(verify, top_k=2, logprobs_mode="processed_logprobs"))[1]["choices"][0]
    for t in left["logprobs"]["content"]:
        tops = [k["logprob"] for k in t["top_logprobs"]]
        assert tops[0] <= 0 and tops[2] == -9999 and t["logprob"] in (tops[0], tops[1], -9999), t
    text = call("/v1/chat/completions", dict(hello, max_tokens=100, enforced_str="abc"))[1]["choices"][0]
    assert text["message"]["content"].strip() == "abc" and text["finish_reason"] == "stop", text
    refused(400, "token's id", "/v1/chat/completions", dict(hello, enforced_tokens={"tokens": [{"token": 1}]}))
    refused(400, "vocabulary", "/v1/chat/completions", dict(hello, enforced_tokens={"tokens": [{"token": "99999"}]}))
    refused(400, "logprobs_mode", "/v1/chat/completions", dict(hello, logprobs_mode="cooked"))


if __name__ == "__main__":
    {"texts": texts, "llama": llama, "ollama": ollama, "batch": batch, "likely": likely}[sys.argv[2]]()
