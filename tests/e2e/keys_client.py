#!/usr/bin/env python3
"""keys_client.py PORT WHAT [KEY...] - clients with and without keys; exits 0 when all is as it must be."""
import http.client
import json
import socket
import sys
import time

port, what = int(sys.argv[1]), sys.argv[2]
CHAT = "/v1/chat/completions"
ASK = {"messages": [{"role": "user", "content": "Hello there, whoever you are"}], "max_tokens": 8, "seed": 1}


def call(path, body=None, key=None, headers=None, method=None):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    sent = {"Content-Type": "application/json"} if body is not None else {}
    if key:
        sent["Authorization"] = "Bearer " + key
    sent.update(headers or {})
    c.request(method or ("GET" if body is None else "POST"), path, body if body is None else json.dumps(body), sent)
    r = c.getresponse()
    text = r.read()
    c.close()
    return r.status, (json.loads(text) if text[:1] in (b"{", b"[") else text), r.headers


def refused(status, code, *arguments, **more):
    got, answer, headers = call(*arguments, **more)
    assert got == status, (got, status, answer)
    assert answer["error"]["code"] == code, answer
    return answer["error"]["message"], headers


def cached(key, **more):
    status, answer, _ = call(CHAT, dict(ASK, **more), key)
    assert status == 200, answer
    return answer["usage"]["prompt_tokens_details"]["cached_tokens"]


def admits(alice, bob):
    """Who is let in, and how a key may be sent."""
    assert call("/health")[1]["status"] == "healthy"
    assert call("/")[0] == 200
    message, headers = refused(401, "missing_api_key", CHAT, ASK)
    assert headers["WWW-Authenticate"] == "Bearer"
    refused(401, "missing_api_key", "/v1/models")
    refused(401, "missing_api_key", "/nothing")
    refused(401, "invalid_api_key", CHAT, ASK, alice[:-1] + ("0" if alice[-1] != "0" else "1"))
    refused(401, "missing_api_key", CHAT, ASK, headers={"Authorization": "Bearer"})
    for headers in ({"Authorization": "bearer " + alice}, {"x-api-key": alice}, {"api-key": alice}):
        assert call(CHAT, ASK, headers=headers)[0] == 200
    # A key opens no door to a web page: names and origins are looked at all the same.
    for headers, status in (({"Host": "evil.example"}, 403), ({"Origin": "http://evil.example"}, 403),
                            ({"Host": "192.168.1.5"}, 200), ({"Host": "[fd00::1]:80"}, 200)):
        assert call(CHAT, ASK, alice, headers)[0] == status, headers
    assert call("/nothing", key=alice)[0] == 404


def private(alice, bob):
    """What one key's prompt left behind speeds up no other key's."""
    assert cached(alice) > 0  # admits() asked the same
    assert cached(bob) == 0
    assert cached(bob) > 0
    assert cached(alice, cache_salt="ours") == 0
    assert cached(bob, cache_salt="ours") > 0  # both said so


def limits(few, tokens, narrow, old):
    for left in (1, 0):
        status, _, headers = call(CHAT, ASK, few)
        assert status == 200 and headers["x-ratelimit-remaining"] == str(left), headers
        assert headers["x-ratelimit-limit"] == headers["x-ratelimit-limit-requests"] == "2"
    message, headers = refused(429, "rate_limit_exceeded", CHAT, ASK, few)
    assert "requests" in message and 1 <= int(headers["Retry-After"]) <= 60
    assert headers["x-ratelimit-remaining"] == "0" and 60 <= int(headers["x-ratelimit-reset"]) <= 120
    assert headers["x-ratelimit-reset-requests"].endswith("s")
    assert call("/v1/models", key=few)[0] == 200  # asks for nothing to be done
    status, answer, headers = call(CHAT, ASK, tokens)
    assert status == 200 and headers["x-ratelimit-remaining-tokens"] == "50"
    assert 50 > answer["usage"]["total_tokens"] > 25  # two are more than there are
    assert call(CHAT, ASK, tokens)[0] == 200
    message, headers = refused(429, "rate_limit_exceeded", CHAT, ASK, tokens)
    assert "tokens" in message
    refused(404, "model_not_found", CHAT, dict(ASK, model="talker"), narrow)
    assert call(CHAT, ASK, narrow)[1]["model"] == "other"
    assert [m["id"] for m in call("/v1/models", key=narrow)[1]["data"]] == ["other"]
    assert call("/v1/models/talker", key=narrow)[0] == 404
    message, _ = refused(401, "invalid_api_key", CHAT, ASK, old)
    assert "expired" in message


def repeats(alice, bob):
    """A request that is sent again under its name is answered as the first time."""
    ask = {k: v for k, v in ASK.items() if k != "seed"}

    def again(name, body=ask, key=alice):
        return call(CHAT, body, key, {"Idempotency-Key": name})

    status, first, headers = again("one")
    assert status == 200 and "Idempotent-Replayed" not in headers
    status, second, headers = again("one")
    assert status == 200 and second == first and headers["Idempotent-Replayed"] == "true"
    assert again("one", key=bob)[1]["id"] != first["id"]
    assert again("two")[1]["id"] != first["id"]
    status, answer, _ = again("one", dict(ask, max_tokens=9))
    assert status == 422 and answer["error"]["code"] == "idempotency_error", answer
    assert again("x" * 256)[0] == 400
    status, first, headers = again("stream", dict(ask, stream=True))
    assert headers["Content-Type"] == "text/event-stream" and first.endswith(b"data: [DONE]\n\n")
    status, second, headers = again("stream", dict(ask, stream=True))
    assert headers["Content-Type"] == "text/event-stream" and second == first
    # What failed may be tried again, also with another body.
    assert again("bad", dict(ask, max_tokens=0))[0] == 400
    assert again("bad")[0] == 200
    # While the first is answered the second waits outside; one that left was never there.
    long = json.dumps(dict(ask, max_tokens=900, ignore_eos=True, stream=True))
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    c.request("POST", CHAT, long, {"Content-Type": "application/json", "x-api-key": alice, "Idempotency-Key": "long"})
    r = c.getresponse()
    assert r.read(5) == b"data:"
    status, answer, _ = again("long", json.loads(long))
    assert status == 409, answer
    r.close()
    c.close()
    for _ in range(100):
        if again("long", json.loads(long))[0] == 200:
            return
        time.sleep(0.05)
    raise AssertionError("a request that was left cannot be sent again")


def pages(alice):
    """Pages of an origin that --cors names may use the server with a key; others may not."""
    own, wanted = {"Origin": "https://app.example"}, "authorization,content-type,x-stainless-os"
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": wanted,
                 "Access-Control-Request-Private-Network": "true"}
    status, text, headers = call(CHAT, headers=dict(own, **preflight), method="OPTIONS")
    assert status == 204 and text == b"", (status, text)
    assert headers["Access-Control-Allow-Origin"] == "https://app.example" and headers["Vary"] == "Origin"
    assert headers["Access-Control-Allow-Headers"] == wanted and "POST" in headers["Access-Control-Allow-Methods"]
    assert headers["Access-Control-Allow-Private-Network"] == "true"
    status, _, headers = call(CHAT, ASK, alice, own)
    assert status == 200 and headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "x-request-id" in headers["Access-Control-Expose-Headers"]
    status, _, headers = call(CHAT, ASK, headers=own)
    assert status == 401 and headers["Access-Control-Allow-Origin"] == "https://app.example"
    for origin in ("https://app.example.evil.example", "http://app.example", "https://app.example:8443", "null"):
        status, _, headers = call(CHAT, headers=dict(preflight, Origin=origin), method="OPTIONS")
        assert status == 403 and "Access-Control-Allow-Origin" not in headers, (origin, status)
        assert call(CHAT, ASK, alice, {"Origin": origin})[0] == 403
    assert call(CHAT, key=alice, method="OPTIONS")[0] == 405
    assert call(CHAT, headers=dict(own, Host="evil.example", **preflight), method="OPTIONS")[0] == 403
    # --body-max 1: a little less arrives, a little more does not.
    large = {"messages": [{"role": "user", "content": "x" * 1000000}]}
    assert call(CHAT, large, alice)[0] == 400  # more than the model takes
    large["messages"][0]["content"] = "x" * (8 << 20)
    assert call(CHAT, large, alice)[0] == 413
    # --connections 8: the ninth waits until one of them leaves.
    others = []
    for i in range(9):
        late = socket.create_connection(("127.0.0.1", port))
        late.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        if i < 8:
            assert late.recv(8) == b"HTTP/1.1"  # it is one of the eight from now on
            others.append(late)
    late.settimeout(0.3)
    try:
        assert not late.recv(1), "a ninth connection was served"
    except TimeoutError:
        pass
    others.pop().close()
    late.settimeout(30)
    assert late.recv(8) == b"HTTP/1.1"


def valid(*keys):
    for key in keys:
        assert call("/v1/models", key=key)[0] == 200


def invalid(*keys):
    for key in keys:
        refused(401, "invalid_api_key", "/v1/models", key=key)


def ready():
    assert call("/health")[1]["status"] == "healthy"


{f.__name__: f for f in (admits, private, limits, pages, repeats, valid, invalid, ready)}[what](*sys.argv[3:])
