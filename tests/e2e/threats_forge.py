"""threats_forge.py - nodes that lie with keys and logs of their own, signed as docs/formats/receipt.md says.

usage: threats_forge.py inserted HONEST NODE TO PART...
           NODE's answer, which saw another prompt, told as an answer to HONEST's request: with that one's
           PARTs (request, prompt, prompt_ids)
       threats_forge.py expired FROM TO
           signed after its certificate's end, and dated before: TO, TO.bundle with its place in a log,
           TO.hidden (the same, and no place shown), heads of that log, TO.early and TO.late, that lack it;
           prints the identity
"""
import json
import sys

import dispute_forge as forge


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def save(path, value):
    with open(path, "w", encoding="utf-8") as f:
        f.write(forge.canonical(value))


def signed(seed, kind, body):
    key, signature = forge.sign(seed, b"isobit/%s/1\0" % kind.encode() + forge.canonical(body).encode())
    return {"body": body, "key": key, "kind": kind, "signature": signature}


def name_of(kind, body):
    return forge.sha(b"isobit/%s/1\0" % kind.encode() + forge.canonical(body).encode())


def inserted(honest, node, to, *parts):
    body, bundle = load(node)["body"], load(node + ".bundle")
    for part in parts:
        bundle[part] = load(honest + ".bundle")[part]
    for part in ("certificate", "log"):
        bundle.pop(part, None)
    forge.commit(body, bundle)
    save(to, signed(forge.sha(to.encode()), "receipt", body))
    save(to + ".bundle", bundle)


def expired(source, to):
    identity, key = forge.sha(b"an identity"), forge.sha(b"a key that is over")
    body, bundle = load(source)["body"], load(source + ".bundle")
    end_s = body["time"]["ended_ms"] // 1000 + 30
    public = signed(key, "head", {})["key"]
    bundle["certificate"] = signed(identity, "certificate", {
        "key": public, "not_after": end_s, "not_before": end_s - 86400, "purpose": "receipts", "serial": 1})
    leaves = [forge.sha(b"\0" + forge.sha(b"receipt %d" % i)) for i in range(2)]
    leaves.append(forge.sha(b"\0" + name_of("receipt", body)))

    def head(count, time_s):
        return signed(key, "head", {"count": count, "epoch": 1, "root": forge.tree(leaves[:count]).hex(), "time": time_s})

    bundle["log"] = {"head": head(3, end_s - 20), "index": 2, "proof": [forge.tree(leaves[:2]).hex()]}
    save(to, signed(key, "receipt", body))
    save(to + ".bundle", bundle)
    save(to + ".early", head(1, end_s - 60))
    save(to + ".late", head(2, end_s + 5))
    del bundle["log"]
    save(to + ".hidden", bundle)
    print(bundle["certificate"]["key"])


if __name__ == "__main__":
    {"inserted": inserted, "expired": expired}[sys.argv[1]](*sys.argv[2:])
