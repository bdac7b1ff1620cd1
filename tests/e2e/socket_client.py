#!/usr/bin/env python3
"""socket_client.py PORT HTTP-PORT WHAT [PROCESS] - plays clients of isobit serve --socket-port; exits 0 when all is well."""
import base64
import hashlib
import http.client
import json
import os
import signal
import socket
import struct
import sys
import time

port, http_port, what = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]


class Client:
    def __init__(self, **headers):
        self.s = socket.create_connection(("127.0.0.1", port), timeout=60)
        key = base64.b64encode(os.urandom(16)).decode()
        wanted = {"Host": f"127.0.0.1:{port}", "Upgrade": "websocket", "Connection": "Upgrade",
                  "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key, **headers}
        self.s.sendall(("GET / HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in wanted.items()) + "\r\n").encode())
        self.got = b""
        while b"\r\n\r\n" not in self.got:
            self.more()
        head, self.got = self.got.split(b"\r\n\r\n", 1)
        self.status = int(head.split()[1])
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        assert self.status != 101 or b"Sec-WebSocket-Accept: " + accept in head, head

    def more(self):
        piece = self.s.recv(65536)
        assert piece, "the server closed"
        self.got += piece

    def take(self, n):
        while len(self.got) < n:
            self.more()
        taken, self.got = self.got[:n], self.got[n:]
        return taken

    def frame(self, opcode, payload):
        n = len(payload)
        head = bytes([0x80 | opcode]) + (bytes([0x80 | n]) if n < 126 else
                                         b"\xfe" + struct.pack(">H", n) if n < 65536 else
                                         b"\xff" + struct.pack(">Q", n))
        mask = os.urandom(4)
        self.s.sendall(head + mask + bytes(b ^ mask[i & 3] for i, b in enumerate(payload)))

    def receive(self):
        """The next frame that is no ping: opcode and payload."""
        while True:
            first, n = self.take(2)
            assert first & 0x80 and n < 128
            if n >= 126:
                n = int.from_bytes(self.take(2 if n == 126 else 8), "big")
            payload = self.take(n)
            if first & 15 != 9:
                return first & 15, payload

    def send(self, message):
        self.frame(1, message.encode() if isinstance(message, str) else json.dumps(message).encode())

    def message(self):
        opcode, payload = self.receive()
        assert opcode == 1, (opcode, payload)
        return json.loads(payload)

    def call(self, function, params=None, id="c", **more):
        self.send({"id": id, "function": function, "params": params, **more})
        return self.message()


def welcomed():
    c = Client()
    hello = c.message()
    assert hello["status"] == "connected" and hello["version"] and hello["tenant_id"] == "default", hello
    return c


def over_http(path, body=None):
    c = http.client.HTTPConnection("127.0.0.1", int(http_port), timeout=60)
    c.request("POST" if body else "GET", path, json.dumps(body) if body else None,
              {"Content-Type": "application/json"} if body else {})
    return json.loads(c.getresponse().read())


ASK = {"prompt": "Hello there", "max_tokens": 30, "seed": 7}
LONG = dict(ASK, max_tokens=4000, ignore_eos=True, stream=True)


def stream(c, id):
    """A call's messages up to its last; others' are kept for them."""
    pieces = []
    while True:
        m = c.message()
        assert m["id"] == id, m
        if m["status"] != "streaming":
            return pieces, m
        pieces.append(m["data"])


def calls():
    c = welcomed()
    whole = c.call("generate", ASK)
    assert whole["status"] == "complete" and whole["id"] == "c", whole
    data = whole["data"]
    # The same as over HTTP, where the defaults are others.
    same = over_http("/v1/completions", dict(ASK, temperature=0.7, top_p=0.9))
    assert data["text"] == same["choices"][0]["text"], (data, same)
    assert data["tokens_generated"] == same["usage"]["completion_tokens"]
    assert data["prompt_tokens"] == same["usage"]["prompt_tokens"] and data["time_ms"] >= 0
    c.send({"id": "s", "function": "generate", "params": dict(ASK, stream=True, colour="blue"), "tenant_id": "default"})
    pieces, last = stream(c, "s")
    assert last["status"] == "complete" and last["unknown_fields"] == "colour", last
    assert "".join(p["text"] for p in pieces) == last["data"]["text"] == data["text"]
    assert [p["index"] for p in pieces] == list(range(len(pieces)))
    assert [p["is_final"] for p in pieces] == [False] * (len(pieces) - 1) + [True]
    c.send({"id": "p", "function": "generate",
            "params": {"prompt": "word " * 400, "max_tokens": 1, "stream": True, "return_progress": True}})
    pieces, last = stream(c, "p")
    read = [p["prompt_progress"]["processed"] for p in pieces if "prompt_progress" in p]
    assert read and read == sorted(read) and pieces[-1]["is_final"] and pieces[-1]["index"] == 0, pieces
    # Several at once on one connection; each as if it were alone.
    for i in range(8):
        c.send({"id": f"m{i}", "function": "generate", "params": dict(ASK, stream=i % 2 == 0, model="talker")})
    texts = {}
    while len(texts) < 8:
        m = c.message()
        if m["status"] == "complete":
            texts[m["id"]] = m["data"]["text"]
    assert set(texts.values()) == {data["text"]}, texts
    # The other functions.
    assert c.call("health")["data"]["status"] == "healthy"
    metadata = c.call("metadata", {})["data"]
    assert metadata["models"][0]["id"] == "talker" and "generate" in metadata["functions"], metadata
    # Cancelled: said once, and the next call is not disturbed.
    c.send({"id": "long", "function": "generate", "params": LONG})
    assert c.message()["status"] == "streaming"
    c.send({"id": "stop", "function": "cancel", "params": {"id": "long"}})
    pieces, last = stream(c, "long")
    assert last == {"id": "long", "status": "cancelled"}, last
    assert c.message() == {"id": "stop", "status": "complete", "data": {"cancelled": True}}
    assert c.call("generate", ASK)["data"]["text"] == data["text"]
    # By its id among all that runs.
    c.send({"id": "long", "function": "generate", "params": LONG})
    c.message()
    (one,) = over_http("/v1/requests")["data"]
    assert one["endpoint"] == "socket/generate" and one["state"] == "answer" and one["stream"], one
    h = http.client.HTTPConnection("127.0.0.1", http_port)
    h.request("DELETE", "/v1/requests/" + one["id"])
    assert h.getresponse().status == 200
    assert stream(c, "long")[1] == {"id": "long", "status": "cancelled"}
    h = http.client.HTTPConnection("127.0.0.1", http_port)
    h.request("GET", "/metrics", headers={"Accept": "text/plain"})
    text = h.getresponse().read().decode()
    assert 'requests_total{endpoint="CALL generate",status="2xx"} 12' in text, text
    assert 'requests_total{endpoint="CALL generate",status="4xx"} 2' in text, text
    c.frame(8, b"\x03\xe8")
    assert c.receive() == (8, b"\x03\xe8")
    assert c.s.recv(1) == b""


def errors():
    c = welcomed()

    def refused(code, words, function="generate", params=ASK, field=None, **more):
        m = c.call(function, params, **more)
        assert m["status"] == "error" and m["error"]["code"] == code and words in m["error"]["message"], m
        assert field is None or m["error"]["details"]["field"] == field, m

    refused("DISPATCH_ERROR", "no function", function="fly")
    for i in range(4):  # cut inside a character or not, an error is a text
        refused("DISPATCH_ERROR", "no function", function="x" * i + "é𐀀" * 400)
        refused("DISPATCH_ERROR", "no model", params=dict(ASK, model="x" * i + "é𐀀" * 400))
    refused("DISPATCH_ERROR", "no pipelines", function="pipeline", params={"pipeline": "x", "input": {}})
    refused("DISPATCH_ERROR", "other", params=dict(ASK, model="other"), field="model")
    refused("DISPATCH_ERROR", "from 0 to 100", params=dict(ASK, temperature=-1), field="temperature")
    refused("DISPATCH_ERROR", "prompt", params={})
    refused("DISPATCH_ERROR", "text", params={"prompt": [1, 2]}, field="prompt")
    refused("DISPATCH_ERROR", "one answer", params=dict(ASK, n=2), field="n")
    refused("DISPATCH_ERROR", "4096", params=dict(ASK, prompt="a" * 9000))
    refused("DISPATCH_ERROR", "params", params=[1])
    refused("DISPATCH_ERROR", "under way", function="cancel", params={"id": "nothing"}, field="params.id")
    refused("UNAUTHORIZED", "tenant", tenant_id="somebody else")
    for text, words in (("{", "not JSON"), ("[]", "object"), ("{}", "needs an id"), ('{"id":"x"}', "needs a function"),
                        ("[" * 100, "nested"), ('{"type":"auth","api_key":"x"}', "no key is wanted now")):
        c.send(text)
        m = c.message()
        assert m["status"] == "error" and words in m["error"]["message"], (text, m)
    c.send({"id": "twice", "function": "generate", "params": LONG})
    c.message()
    c.send({"id": "twice", "function": "generate", "params": LONG})
    while (m := c.message())["status"] == "streaming":
        pass
    assert m["error"]["message"] == "a call of this id is under way", m
    c.frame(2, b"\x00\x01")
    while "error" not in (m := c.message()):
        pass
    assert m == {"error": "Binary messages not supported"}, m
    c.frame(1, b"\xff")
    while (frame := c.receive())[0] != 8:
        pass
    assert frame[1][:2] == struct.pack(">H", 1007), frame
    # Web pages from elsewhere, and names that are not this machine's.
    assert Client(Origin="http://evil.example").status == 403
    assert Client(Host="evil.example").status == 403
    assert Client(**{"Sec-WebSocket-Version": "8"}).status == 426
    assert Client(Origin=f"http://127.0.0.1:{port}").status == 101


def running():
    return len(over_http("/v1/requests")["data"])


def leaving():
    """Connections break off in mid-answer; nothing goes on running for them."""
    for i in range(6):
        c = welcomed()
        for k in range(3):
            c.send({"id": str(k), "function": "generate", "params": LONG})
        c.message()
        if i % 3 == 0:
            c.s.close()
        elif i % 3 == 1:
            c.s.shutdown(socket.SHUT_WR)
        else:
            c.frame(8, b"")
    for _ in range(100):
        if running() == 0:
            break
        time.sleep(0.05)
    assert running() == 0, over_http("/v1/requests")


def keyed(good, poor):
    """With keys: the handshake, the header, models and rates of a key."""
    def auth(message):
        c = Client()
        wanted = c.message()
        assert wanted["type"] == "auth_required" and wanted["message"], wanted
        c.send(message)
        return c, c.message()

    c, answer = auth({"type": "auth", "api_key": good})
    assert answer["type"] == "auth_success" and answer["tenant_id"].startswith("key-"), answer
    hello = c.message()
    assert hello["status"] == "connected" and hello["tenant_id"] == answer["tenant_id"], hello
    for tenant in ({}, {"tenant_id": answer["tenant_id"]}):
        assert c.call("generate", ASK, **tenant)["status"] == "complete"
    assert c.call("generate", ASK, tenant_id="key-other")["error"]["code"] == "UNAUTHORIZED"
    for message in ({"type": "auth", "api_key": good + "x"}, {"type": "auth"}, {"id": "x", "function": "health"}, [1]):
        c, answer = auth(message)
        assert answer["type"] == "auth_failed" and answer["error"], answer
        assert c.receive()[1][:2] == struct.pack(">H", 1008)
    c = Client()
    c.message()
    c.send("x" * 5000)  # strangers may not fill memory
    assert c.receive()[1][:2] == struct.pack(">H", 1009)
    c = Client(Authorization="Bearer " + good)
    assert c.message()["status"] == "connected"
    assert Client(Authorization="Bearer " + good + "x").status == 401
    # One request a minute.
    c, answer = auth({"type": "auth", "api_key": poor})
    c.message()
    assert c.call("generate", ASK)["status"] == "complete"
    assert c.call("generate", ASK)["error"]["code"] == "RATE_LIMIT_EXCEEDED"
    assert c.call("health")["status"] == "complete"


def silent():
    """A key that does not come in 10 s."""
    c = Client()
    c.message()
    assert c.message() == {"type": "auth_failed", "error": "no key came in time"}
    assert c.receive()[1][:2] == struct.pack(">H", 1008)


def crash(worker):
    """A worker dies: its calls end with an error, the connection lives on."""
    c = welcomed()
    c.send({"id": "x", "function": "generate", "params": LONG})
    c.message()
    os.kill(int(worker), signal.SIGSEGV)
    _, last = stream(c, "x")
    assert last["status"] == "error" and last["error"]["code"] == "INTERNAL_ERROR", last
    assert c.call("health")["data"]["status"] == "unhealthy"


def drain(server):
    """SIGTERM lets calls finish, then says good-bye."""
    c, idle = welcomed(), welcomed()
    c.send({"id": "x", "function": "generate", "params": dict(LONG, max_tokens=300)})
    c.message()
    os.kill(int(server), signal.SIGTERM)
    assert idle.receive()[1][:2] == struct.pack(">H", 1001)
    _, last = stream(c, "x")
    assert last["status"] == "complete" and last["data"]["tokens_generated"] == 300, last
    assert c.receive()[1][:2] == struct.pack(">H", 1001)


{"calls": calls, "errors": errors, "leaving": leaving, "keyed": keyed, "silent": silent, "crash": crash,
 "drain": drain}[what](*sys.argv[4:])
