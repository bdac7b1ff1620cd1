"""signer.py - signs as the chain's API node does: ECDSA over secp256k1, in plain Python."""
import base64
import hashlib

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    slope = (3 * a[0] * a[0] * pow(2 * a[1], -1, P) if a == b
             else (b[1] - a[1]) * pow(b[0] - a[0], -1, P)) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(k, point):
    out = None
    while k:
        if k & 1:
            out = add(out, point)
        point, k = add(point, point), k >> 1
    return out


def raw(x, y):
    return base64.b64encode(x.to_bytes(32, "big") + y.to_bytes(32, "big")).decode()


def sign(secret, body):
    z = int.from_bytes(hashlib.sha256(hashlib.sha256(body).digest()).digest(), "big")
    k = int.from_bytes(hashlib.sha256(b"k" + body).digest(), "big") % N
    r = times(k, G)[0] % N
    return raw(r, pow(k, -1, N) * (z + r * secret) % N)


def public_key(secret):
    return raw(*times(secret, G))
