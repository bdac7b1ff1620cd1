#!/usr/bin/env python3
"""poc_client.py PORT WHAT [MORE] - plays the chain's side of proof of compute, version 2."""
import base64
import http.server
import json
import os
import signal
import struct
import sys
import threading
import time

from http_client import CHAT, call, user
from signer import public_key, sign

POW = "/api/v1/pow"
SEQ_LEN = 40
SECRET = 0x1234567890ABCDEF


def ask(nonces=None, **more):
    body = {"block_hash": "BLOCK", "block_height": 12, "public_key": "gonka1key", "node_id": 0, "node_count": 1,
            "params": {"model": "talker", "seq_len": SEQ_LEN, "k_dim": 12}}
    if nonces is not None:
        body["nonces"] = nonces
    return dict(body, **more)


def generate(nonces, where=POW, **more):
    status, answer, _ = call(where + "/generate", ask(nonces, wait=True, **more))
    assert status == 200, (status, answer)
    return answer


def vectors(answer):
    return {a["nonce"]: a["vector_b64"] for a in answer["artifacts"]}


def floats(text):
    return struct.unpack("<12e", base64.b64decode(text))


def wait_for(request_id, where=POW):
    for _ in range(600):
        status, answer, _ = call(f"{where}/generate/{request_id}")
        assert status == 200, answer
        if answer["status"] not in ("queued", "running"):
            return answer
        time.sleep(0.05)
    raise AssertionError(answer)


def artifacts():
    nonces = list(range(20))
    answer = generate(nonces)
    assert answer["status"] == "completed" and answer["encoding"] == {"dtype": "f16", "k_dim": 12, "endian": "le"}
    assert [a["nonce"] for a in answer["artifacts"]] == nonces
    got = vectors(answer)
    for text in got.values():
        assert abs(sum(x * x for x in floats(text)) - 1) < 5e-3
    assert len(set(got.values())) == 20
    # Alone, in another order, twice, through the fan-out's path: the same bits.
    assert vectors(generate([7])) == {7: got[7]}
    again = generate([19, 3, 3, 11], "/api/v1/inference/pow")
    assert [a["nonce"] for a in again["artifacts"]] == [19, 3, 11]
    assert all(vectors(again)[n] == got[n] for n in (19, 3, 11))
    # Another block, key, length or seed: other vectors.
    for more in ({"block_hash": "other"}, {"public_key": "other"}, {"poc_stronger_rng": True},
                 {"params": {"model": "talker", "seq_len": SEQ_LEN + 1}}):
        assert vectors(generate([7], **more))[7] != got[7], more
    # In the queue, and without nonces.
    status, queued, _ = call(POW + "/generate", ask(nonces))
    assert status == 200 and queued["status"] == "queued" and queued["queued_count"] == 20, queued
    assert vectors(wait_for(queued["request_id"])) == got
    assert generate([])["artifacts"] == []
    print(json.dumps(got), file=open(sys.argv[3], "w"))


def validates():
    """What another server made is true here; what was planted is found."""
    claimed = {int(n): text for n, text in json.load(open(sys.argv[3])).items()}
    nonces = sorted(claimed)

    def verdict(claims, **more):
        v = {"artifacts": [{"nonce": n, "vector_b64": t} for n, t in claims.items()]}
        return generate(nonces, validation=v, **more)
    good = verdict(claimed)
    assert (good["n_total"], good["n_mismatch"], good["mismatch_nonces"]) == (20, 0, []), good
    assert good["p_value"] == 1 and good["fraud_detected"] is False and "artifacts" not in good
    assert verdict(claimed, stat_test={"dist_threshold": 0})["n_mismatch"] == 0  # to the bit
    half = [struct.pack("<12e", *(x * 1.001 for x in floats(claimed[n]))) for n in nonces]
    planted = dict(claimed)
    planted[3] = claimed[4]
    planted[5] = base64.b64encode(struct.pack("<12e", *([float("nan")] * 12))).decode()
    planted[8] = claimed[8][:16]
    planted[13] = "no base64!"
    planted[17] = base64.b64encode(half[17]).decode()  # within the threshold
    bad = verdict(planted)
    assert bad["mismatch_nonces"] == [3, 5, 8, 13] and bad["n_mismatch"] == 4 and bad["fraud_detected"], bad
    assert 0 < bad["p_value"] < 1e-8
    lax = verdict(planted, stat_test={"dist_threshold": 0.4, "p_mismatch": 0.1, "p_value_threshold": 0.05})
    assert lax["n_mismatch"] == 4 and not lax["fraud_detected"] and 0.13 < lax["p_value"] < 0.14, lax
    strict = verdict(planted, stat_test={"p_mismatch": 0.1, "fraud_threshold": 0.2})
    assert strict["fraud_detected"], strict


def refusals():
    def refused(path, body, wanted, *says):
        status, answer, _ = call(POW + path, body)
        text = json.dumps(answer)
        assert status == wanted and all(s in text for s in says), (path, status, answer)
        return answer
    detail = refused("/generate", ask([1], params={"model": "llama", "seq_len": 8}), 409, "params mismatch")["detail"]
    assert detail["requested"] == {"model": "llama", "seq_len": 8, "k_dim": 12}, detail
    assert detail["deployed"]["model"] == "talker"
    refused("/init/generate", ask(params={"model": "talker", "seq_len": 1 << 20}), 409, "params mismatch")
    refused("/generate", ask([1], params={"model": "talker", "seq_len": 8, "r_target": 1.4}), 400, "r_target")
    refused("/generate", ask([1], validation={"artifacts": []}), 400, "validation.artifacts nonces must match nonces field")
    two = [{"nonce": 1, "vector_b64": "AAAA"}, {"nonce": 1, "vector_b64": "AAAB"}]
    refused("/generate", ask([1], validation={"artifacts": two}), 400, "two artifacts")
    refused("/generate", ask(list(range(100001))), 429, "Queue full")
    refused("/generate", b'{"nonces":[' + b"1," * 10000000 + b"1]}", 429, "Queue full")
    refused("/generate", ask([-1]), 400, "0 or more")
    refused("/init/generate", ask(node_id=2, node_count=2), 400, "node_id")
    refused("/generate", "{", 400, "detail", "not JSON")
    status, answer, _ = call(POW + "/generate/nobody")
    assert status == 404 and answer["detail"] == "Request nobody not found"
    status, answer, _ = call(POW + "/status")
    assert answer == {"status": "IDLE", "config": None, "stats": None}, answer


def fills_the_queue():
    """Many nonces wait; more are refused; stop ends them all."""
    status, first, _ = call(POW + "/generate", ask(list(range(60000))))
    assert status == 200, first
    status, full, _ = call(POW + "/generate", ask(list(range(60000))))
    assert status == 429 and full["detail"] == "Queue full: 60000 nonces queued, limit is 100000", full
    ended = []
    waiting = threading.Thread(target=lambda: ended.append(call(POW + "/generate", ask([1], wait=True))))
    waiting.start()
    time.sleep(0.3)
    status, stopped, _ = call(POW + "/stop", {})
    assert stopped == {"status": "OK", "pow_status": {"status": "STOPPED"}}, stopped
    waiting.join()
    assert ended[0][0] == 503 and ended[0][1] == {"detail": "Cancelled"}, ended
    assert call(f"{POW}/generate/{first['request_id']}")[0] == 404
    assert len(generate([1])["artifacts"]) == 1


def chat_goes_on():
    """Chat has the same tokens while nonces are generated, and is never refused."""
    def talk(i):
        return call(CHAT, {"messages": user("Hello there"), "max_tokens": 60, "seed": i, "temperature": 0.9})
    alone = [talk(i)[1]["choices"][0]["message"]["content"] for i in range(4)]
    want = vectors(generate([6]))
    status, answer, _ = call(POW + "/init/generate", ask())
    assert status == 200 and answer["pow_status"]["status"] == "GENERATING", answer
    status, answer, _ = call(POW + "/init/generate", ask())
    assert status == 409 and answer["detail"] == "Already generating", answer
    for _ in range(3):
        for i, text in enumerate(alone):
            status, answer, _ = talk(i)
            assert status == 200 and answer["choices"][0]["message"]["content"] == text, answer
    assert vectors(generate([6])) == want  # a job goes first
    for _ in range(100):
        status, answer, _ = call(POW + "/status")
        if answer["stats"]["total_processed"] > 30:
            break
        time.sleep(0.1)
    assert answer["status"] == "GENERATING" and answer["config"]["seq_len"] == SEQ_LEN, answer
    assert answer["stats"]["total_processed"] > 30 and answer["stats"]["nonces_per_second"] > 0, answer
    call(POW + "/stop", {})
    assert call(POW + "/status")[1]["status"] == "IDLE"


def worker_dies():
    """The queue outlives the worker: what it was at is computed again."""
    nonces = list(range(400))
    status, queued, _ = call(POW + "/generate", ask(nonces))
    assert status == 200, queued
    worker = int(os.popen(f"pgrep -P {sys.argv[3]}").read().split()[0])
    time.sleep(0.2)
    os.kill(worker, signal.SIGKILL)
    answer = wait_for(queued["request_id"])
    assert answer["status"] == "completed" and len(answer["artifacts"]) == 400, answer["status"]
    got = vectors(answer)
    assert all(vectors(generate([n]))[n] == got[n] for n in (0, 199, 399))


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes what is posted; answers the first few posts with an error."""
    got, n_refused, n_to_refuse = [], 0, 2

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        refuse = Receiver.n_refused < Receiver.n_to_refuse
        Receiver.n_refused += refuse
        self.send_response(500 if refuse else 200)
        self.end_headers()
        if not refuse:
            Receiver.got.append((self.path, json.loads(body)))

    def log_message(self, *arguments):
        pass


def calls_back():
    """Results go to who asked, once, though some posts fail; not to strangers."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v2"
    status, answer, _ = call(POW + "/generate", ask([1], url="http://example.com"))
    assert status == 400 and "--poc-callback example.com" in answer["detail"], answer
    want = vectors(generate([1, 2]))
    claims = {"artifacts": [{"nonce": 1, "vector_b64": want[1]}, {"nonce": 2, "vector_b64": want[1]}]}
    ids = [call(POW + "/generate", ask([1, 2], url=url, **more))[1]["request_id"]
           for more in ({}, {"validation": claims})]
    assert call(POW + "/init/generate", ask(url=url, node_id=1, node_count=3))[0] == 200
    for _ in range(400):
        if len(Receiver.got) >= 3:
            break
        time.sleep(0.05)
    processed = call(POW + "/status")[1]["stats"]["total_processed"]
    call(POW + "/stop", {})
    time.sleep(1)
    jobs = {b["request_id"]: (path, b) for path, b in Receiver.got if "request_id" in b}
    path, made = jobs[ids[0]]
    assert path == "/v2/generated" and vectors(made) == want and made["block_height"] == 12, made
    assert made["encoding"]["k_dim"] == 12 and made["public_key"] == "gonka1key" and made["node_id"] == 0
    path, verdict = jobs[ids[1]]
    assert path == "/v2/validated" and verdict["mismatch_nonces"] == [2] and verdict["n_total"] == 2, verdict
    nonces = [a["nonce"] for _, b in Receiver.got if "request_id" not in b for a in b["artifacts"]]
    assert sorted(nonces) == [1 + 3 * i for i in range(len(nonces))] and len(nonces) >= processed, nonces
    assert Receiver.n_refused == 2


def signed():
    """With SIGNER_PUBKEY a POST that is not signed is refused; a status may be asked."""
    status, answer, _ = call(POW + "/generate", ask([1], wait=True))
    assert status == 403 and answer["detail"] == "Invalid signature", answer
    assert call(POW + "/status")[0] == 200
    body = json.dumps(ask([1], wait=True)).encode()
    good = {"X-Signature": sign(SECRET, body)}
    status, answer, _ = call(POW + "/generate", body, good)
    assert status == 200 and len(answer["artifacts"]) == 1, answer
    assert call(POW + "/generate", body + b" ", good)[0] == 403
    assert call(POW + "/generate", body, {"X-Signature": sign(SECRET + 1, body)})[0] == 403


def needs_scope():
    plain, verify = sys.argv[3], sys.argv[4]
    status, answer, _ = call(POW + "/generate", ask([1], wait=True), {"Authorization": f"Bearer {plain}"})
    assert status == 403 and "verify" in answer["detail"], answer
    status, answer, _ = call(POW + "/generate", ask([1], wait=True), {"Authorization": f"Bearer {verify}"})
    assert status == 200, answer
    assert call(POW + "/status")[0] == 401


def key():
    print(public_key(SECRET))


def off():
    status, answer, _ = call(POW + "/status")
    assert status == 404 and "--poc" in answer["detail"], answer


if __name__ == "__main__":
    {f.__name__: f for f in (artifacts, validates, refusals, fills_the_queue, chat_goes_on, worker_dies, needs_scope,
                             calls_back, signed, key,
                             off)}[sys.argv[2]]()
