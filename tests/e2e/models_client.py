#!/usr/bin/env python3
"""models_client.py PORT WHAT [...] - clients of models that come and go; exits 0 when all is as it must be."""
import http.client
import json
import os
import signal
import sys
import threading
import time

from http_client import CHAT, call, open_stream, port, user


def ask(model, **more):
    return dict({"model": model, "messages": user("Hello there"), "max_tokens": 60, "seed": 5, "temperature": 0.9}, **more)


def text_of(model, **more):
    status, answer, _ = call(CHAT, ask(model, **more))
    assert status == 200, (model, status, answer)
    return answer["choices"][0]["message"]["content"]


def states():
    return {m["id"]: m["state"] for m in call("/v1/models")[1]["data"]}


def wait_for(wanted, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        now = states()
        if all(now.get(name, "gone") in state.split("|") for name, state in wanted.items()):
            return
        time.sleep(0.05)
    raise AssertionError((wanted, states()))


def together(n, work):
    """What n threads got, each from work(i)."""
    got, threads = [None] * n, []

    def run(i):
        got[i] = work(i)
    for i in range(n):
        threads.append(threading.Thread(target=run, args=(i,)))
        threads[-1].start()
    for t in threads:
        t.join()
    return got


def demand(folder):
    """The first request loads; those that come meanwhile wait for the same loading."""
    assert states() == {"a": "unloaded", "b": "unloaded", "sub": "unloaded"}, states()
    assert call("/health")[0] == 200
    status, answer, _ = call(CHAT, ask("none"))
    assert status == 404 and answer["error"]["code"] == "model_not_found", answer
    assert call(CHAT, {"messages": user("x")})[0] == 400  # which one?
    texts = together(8, lambda i: text_of("a", seed=i))
    assert texts == [text_of("a", seed=i) for i in range(8)]
    assert states() == {"a": "ready", "b": "unloaded", "sub": "unloaded"}, states()
    assert text_of("sub") == text_of("a")
    # A client that leaves while its model loads is forgotten; others are answered.
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    c.request("POST", CHAT, json.dumps(ask("b")), {"Content-Type": "application/json"})
    c.close()
    assert text_of("b") == text_of("a")
    # A model that came later, and one that cannot be loaded.
    os.link(f"{folder}/a.gguf", f"{folder}/late.gguf")
    time.sleep(1.1)
    assert text_of("late") == text_of("a")
    with open(f"{folder}/bad.gguf", "wb") as f:
        f.write(b"GGUF" + bytes(100))
    time.sleep(1.1)
    status, answer, _ = call(CHAT, ask("bad"))
    assert status == 503 and "bad" in answer["error"]["message"], answer
    wait_for({"bad": "unloaded"})


def waiting(server):
    """While a model loads, 256 requests wait for it, further ones are 429; one that leaves makes room."""
    while True:  # a process that is stopped before it is ready
        call("/v1/models/b/unload", {})
        wait_for({"b": "unloaded"})
        call("/v1/models/b/load", {})
        worker = next((pid for pid in children(server) if "b" in open(f"/proc/{pid}/cmdline").read().split("\0")), None)
        if worker:
            os.kill(int(worker), signal.SIGSTOP)
            time.sleep(0.1)
            if states()["b"] == "loading":
                break
            os.kill(int(worker), signal.SIGCONT)
    body = json.dumps(ask("b", max_tokens=1))
    clients = []
    for _ in range(256):
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        c.request("POST", CHAT, body, {"Content-Type": "application/json"})
        clients.append(c)
    for _ in range(100):
        status, answer, headers = call(CHAT, ask("b", max_tokens=1)) if waits() == 256 else (0, 0, 0)
        if status:
            break
        time.sleep(0.02)
    assert status == 429 and headers["Retry-After"] and "256 requests wait" in answer["error"]["message"], answer
    clients.pop(7).close()
    while waits() != 255:
        time.sleep(0.02)
    ended = [r["id"] for r in call("/v1/requests")[1]["data"]][100]
    assert call("/v1/requests/" + ended, method="DELETE")[0] == 200
    os.kill(int(worker), signal.SIGCONT)
    statuses = sorted(c.getresponse().status for c in clients)
    assert statuses == [200] * 254 + [499], statuses


def waits():
    return len(call("/v1/requests")[1]["data"])


def by_hand():
    """Loading and unloading by name."""
    status, answer, _ = call("/v1/models/a/load", {})
    assert status in (200, 202) and answer["success"] is True and answer["model_id"] == "a", answer
    wait_for({"a": "ready"})
    assert call("/v1/models/a/load", {})[0] == 200
    long = threading.Thread(target=call, args=(CHAT, ask("a", max_tokens=3000, ignore_eos=True)))
    long.start()
    for _ in range(100):
        status, answer, _ = call("/v1/models/a/unload", {})
        if status == 409:
            break
        time.sleep(0.02)
        call("/v1/models/a/load", {})
    assert status == 409 and "1 request" in answer["error"]["message"], answer
    long.join()
    assert call("/v1/models/a/unload", {})[0] == 200
    wait_for({"a": "unloaded"})
    assert call("/v1/models/zz/load", {})[0] == 404
    assert text_of("a")


def pull(folder):
    """Ollama's pull: lines of progress; the model is there at once. One that goes away is as if never there."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    c.request("POST", "/api/pull", json.dumps({"model": "hf.co/maker/talker-GGUF:Q8_0"}), {"Content-Type": "application/json"})
    r = c.getresponse()
    lines = [json.loads(line) for line in r.read().splitlines()]
    assert r.status == 200 and r.getheader("Content-Type") == "application/x-ndjson", lines
    assert lines[0]["status"] == "pulling model" and lines[-1] == {"status": "success"}, lines
    done = [line["completed"] for line in lines[:-2]]
    assert done == sorted(done) and done[-1] == lines[0]["total"], done
    assert states() == {"talker.Q8_0": "unloaded"}
    assert text_of("talker.Q8_0")
    stats = call("/v1/models/stats")[1]
    assert stats["loaded_models"] == ["talker.Q8_0"] and stats["estimated_memory_mb"] > 0, stats
    quiet = {"model": "hf.co/maker/talker-GGUF:Q4_K_M", "stream": False}
    assert call("/api/pull", quiet)[:2] == (200, {"status": "success"})
    status, answer, _ = call("/api/pull", dict(quiet, model="hf.co/maker/none"))
    assert status == 500 and "neither GGUF" in answer["error"], answer
    for model in ("llama3.2", "http://127.0.0.1/x.gguf", ""):
        status, answer, _ = call("/api/pull", {"model": model})
        assert status == 400 and "hf.co/OWNER" in answer["error"], answer
    call("/v1/models/talker.Q8_0/unload", {})
    wait_for({"talker.Q8_0": "unloaded"})
    os.unlink(f"{folder}/talker.Q8_0.gguf")
    wait_for({"talker.Q8_0": "gone"})
    assert list(states()) == ["talker.Q4_K_M"], states()
    assert call(CHAT, ask("talker.Q8_0"))[0] == 404


def idle():
    assert text_of("a")
    wait_for({"a": "ready"})
    wait_for({"a": "unloaded"})
    assert text_of("a")


def budget():
    """Room for two of three: the one used longest ago leaves; one in use does not."""
    assert text_of("a") == text_of("b")
    assert states()["a"] == "ready" and states()["b"] == "ready"
    assert text_of("sub") == text_of("b")
    wait_for({"a": "unloaded", "b": "ready", "sub": "ready"})
    busy = [threading.Thread(target=call, args=(CHAT, ask(m, max_tokens=3500, ignore_eos=True))) for m in ("b", "sub")]
    for t in busy:
        t.start()
    for _ in range(200):
        if len(call("/v1/requests")[1]["data"]) == 2:
            break
        time.sleep(0.02)
    status, answer, _ = call(CHAT, ask("a"))
    said = answer["error"]["message"]
    assert status == 503 and "it needs" in said and "the budget is" in said and "in use" in said, answer
    assert states()["b"] == states()["sub"] == "ready"
    for t in busy:
        t.join()
    wait_for({"a": "unloaded"})
    assert text_of("a")


def too_small():
    status, answer, _ = call(CHAT, ask("a"))
    assert status == 503 and "it needs" in answer["error"]["message"] and "GB" in answer["error"]["message"], answer


def crash(server):
    """One of two dies under load: its streams end with an error, the other's text is what it is alone."""
    alone = [text_of("two", seed=i, max_tokens=400, ignore_eos=True) for i in range(4)]
    dying = [open_stream(ask("one", stream=True, seed=i, max_tokens=3500, ignore_eos=True)) for i in range(3)]
    worker = next(pid for pid in children(server) if "one" in open(f"/proc/{pid}/cmdline").read().split("\0"))

    def live(i):
        if i == 4:
            time.sleep(0.1)
            os.kill(int(worker), signal.SIGSEGV)
            return None
        return text_of("two", seed=i, max_tokens=400, ignore_eos=True)
    assert together(5, live)[:4] == alone
    for c, rest in dying:
        while not rest.endswith(b"0\r\n\r\n") and (piece := c.recv(65536)):
            rest += piece
        assert b'"error"' in rest and b"ended" in rest, rest[-300:]
    assert states()["two"] == "ready"
    wait_for({"one": "ready"})
    assert text_of("one") == text_of("two")


def children(pid):
    return open(f"/proc/{pid}/task/{pid}/children").read().split()


globals()[sys.argv[2]](*sys.argv[3:])
