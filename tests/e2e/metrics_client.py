#!/usr/bin/env python3
"""metrics_client.py PORT WHAT [...] - looks at what isobit serve tells of itself."""
import http.client
import json
import os
import re
import signal
import sys
import threading
import time

port, what = int(sys.argv[1]), sys.argv[2]
CHAT = "/v1/chat/completions"


def call(path, body=None, headers=None, method=None):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    all_headers = {"Content-Type": "application/json"} if body is not None else {}
    all_headers.update(headers or {})
    c.request(method or ("GET" if body is None else "POST"), path,
              json.dumps(body) if body is not None else None, all_headers)
    r = c.getresponse()
    text = r.read().decode()
    c.close()
    return r.status, text, r.headers


def ask(n_tokens, **more):
    return dict({"messages": [{"role": "user", "content": "Hello there"}], "max_tokens": n_tokens, "seed": 1,
                 "ignore_eos": True}, **more)


def read_page(text):
    """A strict reader of the text format: {series: value}."""
    series, family, kind, seen = {}, None, None, set()
    for line in text.splitlines(keepends=True):
        assert line.endswith("\n"), line
        line = line[:-1]
        if m := re.fullmatch(r"# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)", line):
            family, kind = m[1], None
            assert family not in seen and family.startswith("isobit_"), line
            seen.add(family)
        elif m := re.fullmatch(r"# TYPE (\S+) (counter|gauge|histogram)", line):
            assert m[1] == family and kind is None, line
            kind = m[2]
            assert (kind == "counter") == family.endswith("_total"), line
        else:
            m = re.fullmatch(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:\w+="(?:[^"\\\n]|\\[\\n"])*",?)*\})? (\S+)', line)
            assert m and kind, line
            suffix = m[1].removeprefix(family)
            assert suffix in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",)), line
            assert m[1] + (m[2] or "") not in series, line
            series[m[1] + (m[2] or "")] = float(m[3])
    return series


def metrics():
    status, text, headers = call("/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"), headers
    return read_page(text)


def as_json():
    status, text, headers = call("/metrics", headers={"Accept": "application/json"})
    assert status == 200 and headers["Content-Type"] == "application/json"
    return json.loads(text)


def until(test, what):
    for _ in range(200):
        if test():
            return
        time.sleep(0.05)
    raise AssertionError(what)


M = '{model="talker"}'


def counts():
    assert call(CHAT, ask(9))[0] == 200
    assert call(CHAT, ask(9, n=0))[0] == 400
    assert call("/nothing")[0] == 404
    until(lambda: metrics()["isobit_answers_total" + M] == 1, "the worker's counters came")
    m = metrics()
    assert m['isobit_requests_total{endpoint="POST /v1/chat/completions",status="2xx"}'] == 1
    assert m['isobit_requests_total{endpoint="POST /v1/chat/completions",status="4xx"}'] == 1
    assert m['isobit_requests_total{endpoint="other",status="4xx"}'] == 1
    assert m['isobit_request_duration_seconds_count{endpoint="POST /v1/chat/completions"}'] == 2
    assert m["isobit_generated_tokens_total" + M] == 9
    assert m["isobit_prompt_tokens_total" + M] == 14
    assert m["isobit_time_to_first_token_seconds_count" + M] == 1
    assert m["isobit_time_per_output_token_seconds_count" + M] == 8
    assert m["isobit_queue_seconds_count" + M] == 1
    assert m["isobit_requests_running" + M] == 0 and m["isobit_kv_pages" + M] > 0
    assert m["isobit_connections"] >= 1 and m["isobit_model_ready" + M] == 1
    for name in ("queue_seconds", "batch_size"):
        values = [v for k, v in m.items() if k.startswith(f"isobit_{name}_bucket")]
        assert values == sorted(values) and values[-1] == m[f"isobit_{name}_count" + M]
    j = as_json()
    assert j["requests"] == {"total": 2, "successful": 1, "failed": 1, "rps": j["requests"]["rps"]}
    assert j["errors"] == {"total": 1, "rate_percent": 50, "top_error": "400"}
    assert set(j["response_times"]) == {k + "_ms" for k in ("avg", "min", "max", "p50", "p95", "p99")}
    assert set(j["cache"]) == {"hits", "misses", "hit_rate_percent"}
    assert j["active_nodes"] == 1 and j["nodes"][0]["id"] == "talker" and j["total_requests"] == 2
    assert j["models"][0]["generated_tokens"] == 9


def restart(worker):
    """A worker's end: its counters stay, the next one's are added."""
    before = metrics()["isobit_generated_tokens_total" + M]
    os.kill(worker, signal.SIGSEGV)
    until(lambda: metrics()["isobit_worker_restarts_total" + M] == 1, "the worker was started again")
    assert metrics()["isobit_generated_tokens_total" + M] == before
    until(lambda: metrics()["isobit_model_ready" + M] == 1, "the worker is ready")
    assert call(CHAT, ask(5))[0] == 200
    until(lambda: metrics()["isobit_generated_tokens_total" + M] == before + 5, "both are added up")


def running():
    status, text, _ = call("/v1/requests")
    assert status == 200
    return json.loads(text)["data"]


def requests():
    """What runs is listed, without what was said, and can be ended."""
    assert running() == []
    answers = {}

    def run(name, body):
        answers[name] = call(CHAT, body, {"x-request-id": name})

    threads = [threading.Thread(target=run, args=("whole", ask(60000))),
               threading.Thread(target=run, args=("stream", ask(60000, stream=True)))]
    for t in threads:
        t.start()
    until(lambda: [r["state"] for r in running()] == ["answer"] * 2, "both answers have begun")
    text = call("/v1/requests")[1]
    assert "Hello" not in text
    for r in running():
        assert r["id"] in ("whole", "stream") and r["model"] == "talker" and r["endpoint"] == CHAT, r
        assert r["prompt_tokens"] == r["read_tokens"] == 14 and r["key"] is None and r["age_ms"] >= 0, r
        assert r["stream"] == (r["id"] == "stream")
    before = running()[0]["generated_tokens"]
    until(lambda: running()[0]["generated_tokens"] > before, "tokens are counted while they come")
    m = metrics()
    assert m["isobit_requests_running" + M] == 2 and m["isobit_kv_pages_used" + M] > 0
    assert call("/v1/requests/nobody", method="DELETE")[0] == 404
    for name in ("whole", "stream"):
        status, text, _ = call("/v1/requests/" + name, method="DELETE")
        assert (status, json.loads(text)["cancelled"]) == (200, 1)
    for t in threads:
        t.join()
    assert answers["whole"][0] == 499 and "cancelled" in answers["whole"][1]
    assert answers["whole"][2]["x-request-id"] == "whole"
    events = [e for e in answers["stream"][1].split("\n\n") if e]
    assert json.loads(events[-1].removeprefix("data: "))["error"]["code"] == "request_cancelled"
    assert running() == []
    until(lambda: metrics()["isobit_cancellations_total" + M] == 2, "cancellations are counted")
    until(lambda: metrics()["isobit_requests_running" + M] == 0, "nothing runs any more")


def progress():
    long = {"messages": [{"role": "user", "content": "Tell me of the sea and the wind. " * 100}],
            "max_tokens": 3, "stream": True, "seed": 1}
    status, text, _ = call(CHAT, dict(long, return_progress=True))
    assert status == 200
    events = [json.loads(e.removeprefix("data: ")) for e in text.split("\n\n")[:-2]]
    told = [e["prompt_progress"] for e in events if "prompt_progress" in e]
    assert len(told) > 1 and "prompt_progress" in events[0], events
    assert all(t["total"] == told[0]["total"] and t["cache"] == told[0]["cache"] for t in told)
    first = told[0]["cache"]
    read = [t["processed"] for t in told]
    assert read == sorted(set(read)) and read[-1] == told[0]["total"], read
    plain = call(CHAT, dict(long, seed=2))[1]
    assert "prompt_progress" not in plain
    again = call(CHAT, dict(long, return_progress=True))[1]
    told = json.loads(again.split("\n\n")[0].removeprefix("data: "))["prompt_progress"]
    assert told["cache"] > first and told["processed"] >= told["cache"]


def health():
    for path in ("/health", "/v1/health"):
        status, text, _ = call(path)
        h = json.loads(text)
        assert status == 200 and h["status"] == "healthy" and h["models_available"] == ["talker"]
        assert set(h["components"]) == {"gpu", "cpu", "memory", "models", "inference"}
        assert isinstance(h["timestamp"], int) and h["time"].endswith("Z") and h["version"]
        assert h["active_nodes"] == 1 and h["uptime_seconds"] >= 0
    status, text, _ = call("/ready")
    assert (status, json.loads(text)) == (200, {"ready": True})


TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int,
         "number": (int, float)}


def conforms(value, schema, schemas, where=""):
    """As much of JSON Schema as the description uses for answers."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        assert any(try_conforms(value, s, schemas) for s in schema["anyOf"]), (where, value)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    assert not kinds or any(isinstance(value, TYPES[k]) for k in kinds), (where, value)
    assert value == schema.get("const", value) and value in schema.get("enum", [value]), (where, value)
    if isinstance(value, dict):
        assert set(schema.get("required", [])) <= set(value), (where, value)
        for key, v in value.items():
            conforms(v, schema.get("properties", {}).get(key, {}), schemas, f"{where}.{key}")
    for i, v in enumerate(value if isinstance(value, list) else []):
        conforms(v, schema.get("items", {}), schemas, f"{where}[{i}]")


def try_conforms(*arguments):
    try:
        conforms(*arguments)
        return True
    except AssertionError:
        return False


def openapi():
    """Answers have the shapes that the description gives them."""
    status, text, _ = call("/openapi.json")
    document = json.loads(text)
    assert status == 200 and document["openapi"] == "3.1.0"
    schemas = document["components"]["schemas"]

    def check(path, body=None, status=200):
        got, text, headers = call(path, body, {"Accept": "application/json"})
        if got == 404 and "isobit serve --" in text:
            return  # this server was started without it
        assert got == status, (path, got, text)
        o = document["paths"][path]["get" if body is None else "post"]
        answer = o["responses"][str(status) if str(status) in o["responses"] else "default"]
        assert headers["Content-Type"] in answer["content"], (path, headers["Content-Type"])
        conforms(json.loads(text), answer["content"]["application/json"]["schema"], schemas, path)

    for path, methods in document["paths"].items():
        if "{" not in path and path != "/" and "get" in methods:
            check(path)
    check(CHAT, ask(3, n=2, logprobs=True))
    check(CHAT, ask(3, top_p=2), 400)
    check("/v1/completions", {"prompt": ["a", "b"], "max_tokens": 2, "logprobs": 1})
    check("/completion", {"prompt": "a", "n_predict": 2})
    check("/completion", {"prompt": ["a", "b"], "n_predict": 2})
    check("/completion", {"prompt": "a", "top_p": 7}, 400)
    check("/api/generate", {"prompt": "a", "stream": False, "options": {"num_predict": 2}})
    check("/api/chat", {"messages": ask(1)["messages"], "stream": False, "options": {"num_predict": 2}})
    check("/api/show", {"model": "talker"})
    check("/api/chat", {"messages": 3}, 400)
    check("/api/chat", {"messages": [], "format": {}, "stream": False})  # only to load it
    check("/batch", {"prompts": ["a", "b"], "max_tokens": 2})
    check("/batch", {"prompts": 3}, 400)
    check("/v1/messages", dict(ask(3), max_tokens=3, ignore_eos=None))
    check("/v1/messages", ask(0), 400)
    check("/v1/messages/count_tokens", {"messages": ask(1)["messages"]})
    check("/tokenize", {"content": "Hello", "with_pieces": True})
    check("/detokenize", {"tokens": [5, 6]})
    check("/apply-template", {"messages": ask(1)["messages"]})


def keys(admin, user, other):
    """Each key sees and ends its own requests, an administrator all; counters of keys are his."""
    as_key = lambda key: {"Authorization": "Bearer " + key, "Accept": "application/json"}
    done = []
    t = threading.Thread(target=lambda: done.append(call(CHAT, ask(60000), dict(as_key(user), **{"x-request-id": "mine"}))))
    t.start()
    list_as = lambda key: json.loads(call("/v1/requests", headers=as_key(key))[1])["data"]
    until(lambda: [r["state"] for r in list_as(user)] == ["answer"], "its answer has begun")
    mine = list_as(admin)
    assert len(mine) == 1 and mine[0]["id"] == "mine" and mine[0]["key"].startswith("key-"), mine
    assert list_as(other) == [] and call("/v1/requests", headers={})[0] == 401
    assert call("/v1/requests/mine", headers=as_key(other), method="DELETE")[0] == 404
    assert call("/v1/requests/mine", headers=as_key(admin), method="DELETE")[0] == 200
    t.join()
    assert done[0][0] == 499
    assert call(CHAT, ask(7), as_key(other))[0] == 200
    find = lambda: json.loads(call("/metrics", headers=as_key(admin))[1])["keys"]
    until(lambda: len(find()) == 2, "both keys are counted")
    counted = find()
    assert counted[0]["id"] == mine[0]["key"] and counted[0]["generated_tokens"] > 0, counted
    assert counted[1]["generated_tokens"] == 7 and counted[1]["calls"] == 1 and counted[1]["prompt_tokens"] == 14
    assert "keys" not in json.loads(call("/metrics", headers=as_key(user))[1])
    page = read_page(call("/metrics", headers={"Authorization": "Bearer " + admin})[1])
    assert page['isobit_key_generated_tokens_total{key="%s"}' % counted[1]["id"]] == 7


def top(isobit):
    """On a terminal: another screen, refreshed; q gives the old one back."""
    import pty
    import select
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(isobit, [isobit, "top", "--url", f"http://127.0.0.1:{port}"])
    seen = b""

    def read_until(text):
        nonlocal seen
        while text not in seen:
            assert select.select([fd], [], [], 20)[0], seen
            try:
                more = os.read(fd, 4096)
            except OSError:
                more = b""
            assert more, seen
            seen += more

    read_until(b"tokens/s out")  # of two looks
    assert seen.startswith(b"\x1b[?1049h\x1b[?25l") and b"talker" in seen and b"nothing runs" in seen
    os.write(fd, b"q")
    read_until(b"\x1b[?25h\x1b[?1049l")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


if __name__ == "__main__":
    globals()[what](*(int(a) if a.isdigit() else a for a in sys.argv[3:]))
