"""poc_chain.py - the chain's side of proof of compute: asks nodes to generate, collects, samples,
has others validate, counts weights, plants bad nonces; kills nodes, and is a bad receiver itself.

usage: poc_chain.py ISOBIT PARAMS.json FOLDER    (the standard library alone)
"""
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from signer import public_key, sign

ISOBIT, PARAMS, FOLDER = sys.argv[1], json.load(open(sys.argv[2]))["params"], sys.argv[3]
R_TARGET = 1.35
N_SAMPLE = 200


def check(condition, *what):
    if not condition:
        raise SystemExit("poc_chain: " + " ".join(str(w) for w in what))


def wait_for(what, condition, seconds=120):
    end = time.time() + seconds
    while time.time() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise SystemExit("poc_chain: waited in vain for " + what)


# ---- who receives -------------------------------------------------------------------------------

class Receiver:
    """POST /generated and /validated, as the chain's API node has them; mood says how it answers."""

    def __init__(self, port=0):
        receiver = self
        self.batches = {"/generated": [], "/validated": []}
        self.mood, self.n_refused = "well", 0

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.mood == "well":
                    receiver.batches[self.path].append(json.loads(body))
                    self.send_response(200)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"OK")
                    return
                receiver.n_refused += 1
                if receiver.mood == "garbage":
                    self.wfile.write(b"\x00\xff no HTTP at all\r\n\r\n" * 50)
                elif receiver.mood == "elsewhere":
                    self.send_response(307)
                    self.send_header("Location", receiver.url + "/generated")
                    self.end_headers()
                else:
                    self.send_response(500)
                    self.end_headers()
                self.close_connection = True

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def claims(self, key):
        """{nonce: distance} of a participant's batches, joined; a nonce has one distance."""
        joined = {}
        for b in list(self.batches["/generated"]):
            if b["public_key"] != key:
                continue
            for nonce, dist in zip(b["nonces"], b["dist"]):
                check(joined.setdefault(nonce, dist) == dist, "two distances of", nonce)
        return joined


# ---- nodes --------------------------------------------------------------------------------------

class Node:
    def __init__(self, name, *options, **environment):
        self.name, self.options, self.environment = name, options, environment
        self.data = os.path.join(FOLDER, name)
        self.start()

    def start(self):
        self.log = os.path.join(FOLDER, self.name + ".log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [ISOBIT, "poc", "serve", "--port", "0", "--data", self.data, "--interval", "0",
                 *self.options], stdout=log, stderr=log, env={**os.environ, **self.environment})
        line = wait_for("a node", lambda: [l for l in open(self.log) if l.startswith("listening")]
                        or self.process.poll() is not None)
        check(line is not True, "the node did not start:", open(self.log).read())
        self.port = int(line[0].rsplit(":", 1)[1])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        check(self.process.wait(60) == 0, "exit status", open(self.log).read())

    def call(self, method, path, body=None, **headers):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        c.request(method, "/api/v1" + path, body, headers)
        r = c.getresponse()
        text = r.read()
        c.close()
        return r.status, json.loads(text)

    def post(self, path, body=None, **headers):
        status, answer = self.call("POST", path, body, **headers)
        check(status == 200, path, status, answer)
        return answer

    def status(self):
        return self.call("GET", "/pow/status")[1]


def request(receiver, block="b1", key="k1", node=0, nodes=1, **more):
    return {"node_id": node, "node_count": nodes, "block_hash": block, "block_height": 10,
            "public_key": key, "batch_size": 100, "r_target": R_TARGET, "fraud_threshold": 0.01,
            "params": PARAMS, "url": receiver.url, **more}


def batch(claims, block="b1", key="k1", node=0):
    return {"public_key": key, "block_hash": block, "block_height": 10,
            "nonces": list(claims), "dist": list(claims.values()), "node_id": node}


def sample(validator, claims):
    """As the chain: N_SAMPLE of them, chosen by validator, block and height."""
    seed = hashlib.sha256(f"{validator}:b1:10".encode()).digest()
    order = sorted(claims, key=lambda n: hashlib.sha256(seed + n.to_bytes(8, "big")).digest())
    return {n: claims[n] for n in order[:N_SAMPLE]}


def first_walk(claims, nodes=1):
    """Those of the first of node 0's two groups, which walks 0, 2 nodes, 4 nodes, ..."""
    return {n: d for n, d in claims.items() if n % (2 * nodes) == 0}


def check_first_walk(claims, block, key, nodes=1):
    """It has no hole: what it sent is what the command finds on the same walk, as far as it got."""
    walk = first_walk(claims, nodes)
    found = json.loads(subprocess.run(
        [ISOBIT, "poc", "generate", "--params", sys.argv[2], "--block-hash", block, "--public-key",
         key, "--r-target", str(R_TARGET), "--nodes", str(nodes), "--groups", "2", "-n",
         str(max(walk) // (2 * nodes) + 1)], capture_output=True, check=True).stdout)
    check(walk == dict(zip(found["nonces"], found["dist"])), "a claim of", block, "was lost")


# ---- the rounds ---------------------------------------------------------------------------------

def words(node, receiver):
    """What a node says when it does nothing, and to what it does not do."""
    for path in ("/pow/phase/generate", "/pow/phase/validate"):
        check(node.call("POST", path) == (400, {"detail": "PoW is not running"}), path)
    check(node.call("POST", "/pow/validate", batch({})) == (400, {"detail": "PoW is not running"}))
    check(node.status()["status"] == "NOT_LOADED")
    check(node.post("/pow/stop") == {"status": "OK", "pow_status": "PoW is not running"})
    check(node.call("GET", "/state") == (200, {"state": "STOPPED"}))
    check(node.call("POST", "/inference/up", {})[0] == 501)
    check(node.call("POST", "/pow/init/generate", request(receiver, node=-1)) ==
          (400, {"detail": "Node ID and node count must be set"}))
    check(node.call("GET", "/nothing") == (404, {"detail": "Not Found"}))
    check(node.call("GET", "/pow/init") == (405, {"detail": "Method Not Allowed"}))
    check(node.call("GET", "/pow/status", Origin="http://127.0.0.1")[0] == 403, "a page")
    check(node.call("GET", "/pow/status", Host="evil.example")[0] == 403, "another name")
    for wrong, word in ((b"{", "request"), (b"[]", "object"), ({"block_hash": 1}, "block_hash")):
        status, answer = node.call("POST", "/pow/init", wrong)
        check(status == 422 and word in answer["detail"][0]["msg"], wrong, status, answer)
    vast = {**PARAMS, "n_layers": 1000, "dim": 1 << 15, "vocab_size": 1 << 20,
            "n_heads": 1 << 10, "n_kv_heads": 1 << 10, "ffn_dim_multiplier": 20.0, "seq_len": 4096}
    status, answer = node.call("POST", "/pow/init", request(receiver, params=vast))
    check(status == 400 and "GiB" in answer["detail"], "vast params", status, answer)
    for url in ("http://10.1.2.3:80", "file:///etc/passwd", "http://user@127.0.0.1:80", "x"):
        status, answer = node.call("POST", "/pow/init", request(receiver, url=url))
        check(status == 400 and "url" in answer["detail"], url, status, answer)
    answer = node.post("/pow/init", request(receiver, node=-1))
    check(answer["pow_status"]["status"] in ("LOADING", "IDLE"), answer)
    wait_for("weights", lambda: node.status() ["status"] == "IDLE")
    check(node.call("POST", "/pow/phase/generate") ==
          (400, {"detail": "Node ID and node count must be set to start generating"}))
    check(node.call("GET", "/state") == (200, {"state": "POW"}))
    check(node.call("POST", "/inference/up", {}) == (409, {"detail":
          "Cannot run INFERENCE because MLNode is currently in POW mode. Please stop POW first."}))
    check(node.post("/stop") == {"status": "OK"})
    check(node.status()["status"] == "NOT_LOADED")


def generate(nodes, receiver):
    """Two nodes of one participant: their claims are theirs alone, and what the command finds."""
    for i, node in enumerate(nodes):
        answer = node.post("/pow/init/generate", request(receiver, node=i, nodes=len(nodes)))
        check(answer["pow_status"]["status"] == "GENERATING", answer)
    wait_for("claims", lambda: len(receiver.claims("k1")) > 2 * N_SAMPLE and
             len(first_walk(receiver.claims("k1"), 2)) > 20 and
             {b["node_id"] for b in receiver.batches["/generated"]} == {0, 1})
    for i, node in enumerate(nodes):
        node.post("/pow/init/validate", request(receiver, node=i, nodes=len(nodes)))
        check(node.status()["status"] == "VALIDATING")
        wait_for("deliveries", lambda: node.status()["waiting"]["claims"] == 0)
    claims = receiver.claims("k1")
    for b in receiver.batches["/generated"]:
        check(all(n % 2 == b["node_id"] for n in b["nonces"]), "a nonce of another node")
        check(all(d < R_TARGET for d in b["dist"]), "no claim")
    check_first_walk(claims, "b1", "k1", nodes=2)
    return claims


def verdict(node, receiver, claims, **more):
    n = len(receiver.batches["/validated"])
    check(node.call("POST", "/pow/validate", batch(claims, **more)) == (200, None))
    return wait_for("a verdict", lambda: receiver.batches["/validated"][n:])[0]


def validate(nodes, receiver, claims):
    """Each validator looks at a sample; who has more than half of the weight behind it is paid."""
    weights = {"v0": 300, "v1": 500}
    valid = 0
    for (name, weight), node in zip(weights.items(), nodes):
        v = verdict(node, receiver, sample(name, claims))
        check(len(v["nonces"]) == N_SAMPLE == len(v["dist"]) == len(v["received_dist"]))
        check(v["n_invalid"] == 0 and v["probability_honest"] == 1 and not v["fraud_detected"], v)
        check(v["r_target"] == R_TARGET and v["public_key"] == "k1" and v["node_id"] == 0)
        valid += weight * (not v["fraud_detected"])
    check(valid > sum(weights.values()) / 2)
    paid = {node: sum(n % 2 == node for n in claims) for node in (0, 1)}
    check(sum(paid.values()) == len(claims), "weights", paid)
    # A copy of a nonce weighs nothing; another distance for it is an attempt.
    twice = batch(sample("v0", claims))
    twice["nonces"] += twice["nonces"][:5]
    twice["dist"] += twice["dist"][:5]
    n = len(receiver.batches["/validated"])
    nodes[0].post("/pow/validate", twice)
    v = wait_for("a verdict", lambda: receiver.batches["/validated"][n:])[0]
    check(len(v["nonces"]) == N_SAMPLE)
    check(verdict(nodes[0], receiver, {})["n_invalid"] == 0, "an empty batch")


def fraud(node, receiver, claims):
    """Planted nonces: one in 200 may be noise; two are fraud at 0.01."""
    honest = sample("v0", claims)
    walk = first_walk(claims, 2)  # all of it is known: what is not there is no claim
    idle = [n for n in range(0, max(walk), 4) if n not in walk][:3]
    for n_bad in (1, 2, 3):
        planted = dict(list(honest.items())[n_bad:])
        planted.update({n: R_TARGET - 0.01 for n in idle[:n_bad]})
        v = verdict(node, receiver, planted)
        check(v["n_invalid"] == n_bad and v["fraud_detected"] == (n_bad >= 2), n_bad, v)
    # Somebody else's nonces under one's own key are as good as none.
    v = verdict(node, receiver, honest, key="thief")
    check(v["fraud_detected"] and v["n_invalid"] > 20)


def bad_batches(node, receiver, claims):
    good = batch(sample("v0", claims))
    text = json.dumps(good)
    far = {**good, "dist": [R_TARGET] + good["dist"][1:]}
    torn = {**good, "nonces": good["nonces"] + good["nonces"][:1], "dist": good["dist"] + [1.0]}
    for body, status, word in (
            (text.replace('"dist": [', '"dist": [NaN, ').encode(), 422, "batch"),
            ({**good, "dist": good["dist"][1:]}, 422, "dist: 199 entries for 200"),
            ({**good, "dist": [None] + good["dist"][1:]}, 422, "dist[0]"),
            ({**good, "block_hash": "b2"}, 400, "block b2"),
            ({**good, "block_height": 11}, 400, "height 11"),
            (torn, 422, "claimed twice"),
            (far, 400, "r_target"),
            ({k: v for k, v in good.items() if k != "node_id"}, 422, "node_id"),
            (b'{"nonces":[' + b"1," * 5000000 + b"1]}", 422, "over")):
        got, answer = node.call("POST", "/pow/validate", body)
        check(got == status and word in json.dumps(answer), word, got, answer)
    c = http.client.HTTPConnection("127.0.0.1", node.port, timeout=60)
    try:
        c.request("POST", "/api/v1/pow/validate", b'{"nonces":[' + b"1," * 10000000 + b"1]}")
        check(c.getresponse().status == 413, "ten million nonces")
    except (BrokenPipeError, ConnectionResetError):
        pass  # it was refused before it was all there
    check(node.status()["status"] == "VALIDATING", "what is refused changes nothing")


def moods(node, receiver):
    """A receiver that answers with errors, garbage or redirects gets everything later, once."""
    for i, mood in enumerate(("ill", "garbage", "elsewhere")):
        key = "mood" + mood
        receiver.mood, receiver.n_refused = mood, 0
        node.post("/pow/init/generate", request(receiver, block="b" + mood, key=key))
        wait_for("attempts", lambda: receiver.n_refused >= 2)
        check(not receiver.claims(key), "nobody took anything yet")
        node.post("/pow/stop")
        wait_for("claims", lambda: node.status()["waiting"]["claims"] > 0)
        receiver.mood = "well"
        wait_for("deliveries", lambda: node.status()["waiting"]["claims"] == 0)
        check(len(receiver.claims(key)) > 0, "claims of an ended job", mood)


def killed(node):
    """Killed while nobody takes what it found: it sends all of it later, and goes on behind it."""
    receiver = Receiver()
    port = receiver.port
    receiver.close()
    node.post("/pow/init/generate", request(receiver, block="b9", key="k9"))
    owed = wait_for("claims", lambda: (lambda n: n > 100 and n)(node.status()["waiting"]["claims"]))
    node.kill()
    receiver = Receiver(port)
    node.start()
    check(node.status()["status"] == "GENERATING", "it goes on")
    wait_for("claims", lambda: len(receiver.claims("k9")) > owed + 100 and
             len(first_walk(receiver.claims("k9"))) > 40)
    node.kill()
    node.start()
    node.post("/pow/phase/validate")
    wait_for("deliveries", lambda: node.status()["waiting"]["claims"] == 0)
    claims = receiver.claims("k9")
    check_first_walk(claims, "b9", "k9")
    # Killed with batches that wait for their validation.
    accepted = [sample(f"v{i}", claims) for i in range(5)]
    for s in accepted:
        node.post("/pow/validate", batch(s, block="b9", key="k9"))
    node.kill()
    node.start()
    verdicts = wait_for("verdicts", lambda: len(receiver.batches["/validated"]) >= 5 and
                        receiver.batches["/validated"])
    wanted = {tuple(sorted(s)) for s in accepted}
    check({tuple(v["nonces"]) for v in verdicts} == wanted, "a batch was lost")
    check(not any(v["fraud_detected"] for v in verdicts))
    receiver.close()


# ---- signatures ---------------------------------------------------------------------------------

def signed(receiver):
    secret = 0x1234567890ABCDEF
    key = public_key(secret)
    node = Node("signed", SIGNER_PUBKEY=key)
    body = json.dumps(request(receiver, block="bs", key="ks")).encode()
    good = {"X-Signature": sign(secret, body)}
    no = (403, {"detail": "Invalid signature"})
    for path in ("/pow/init", "/pow/init/generate", "/pow/init/validate", "/pow/validate"):
        check(node.call("POST", path, body) == no, path)
        check(node.call("POST", path, body, **{"X-Signature": sign(secret + 1, body)}) == no, path)
        check(node.call("POST", path, body + b" ", **good) == no, path)
    node.post("/pow/init/generate", body, **good)
    node.post("/pow/phase/validate")  # from this machine, as the chain's nodes
    node.post("/pow/stop")
    node.end()


def main():
    receiver = Receiver()
    nodes = [Node("n0", "--groups", "2", "--threads", "2"), Node("n1", "--batch", "5")]
    words(nodes[0], receiver)
    claims = generate(nodes, receiver)
    validate(nodes, receiver, claims)
    fraud(nodes[1], receiver, claims)
    bad_batches(nodes[1], receiver, claims)
    moods(nodes[1], receiver)
    killed(nodes[0])
    signed(receiver)
    for node in nodes:
        node.end()


main()
