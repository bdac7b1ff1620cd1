/* sign.h - Ed25519 signatures of canonical objects, each kind in a domain of its own.
 *
 * What is signed is "isobit/KIND/1", a zero byte and the object's canonical bytes: a signature of
 * one kind never fits another. A signed text is the object with who signed it around it:
 * {"body":{...},"key":"HEX","kind":"KIND","signature":"HEX"}. Any thread. */
#ifndef PROOF_SIGN_H
#define PROOF_SIGN_H

#include "proof/canon.h"

enum {
    SIGN_KEY_BYTES = 32,
    SIGN_SEED_BYTES = 32,
    SIGN_BYTES = 64,
};

/* X(name, text): every kind of object that isobit signs. */
#define SIGN_KIND_LIST(X)                                                                          \
    X(CERTIFICATE, "certificate") /* of a signing key, by an identity key */                       \
    X(REVOCATION, "revocation")   /* of a certificate, by the identity key that signed it */       \
    X(HEAD, "head")               /* of a log, by a signing key */                                 \
    X(RECEIPT, "receipt")         /* of an answer, by a signing key */
enum sign_kind {
#define SIGN_KIND_ENUM(name, text) SIGN_##name,
    SIGN_KIND_LIST(SIGN_KIND_ENUM)
#undef SIGN_KIND_ENUM
};

struct sign_key {
    uint8_t bytes[SIGN_KEY_BYTES];
};
bool sign_key_equal(const struct sign_key *a, const struct sign_key *b);
/* sign_key_ok - canonical, on the curve, of the main subgroup: no key of small order, to which a
 * signature can fit that nobody made. */
bool sign_key_ok(const struct sign_key *key);

struct sign_pair {
    struct sign_key key;
    uint8_t seed[SIGN_SEED_BYTES]; /* the secret */
};
void sign_pair_make(struct sign_pair *pair);
void sign_pair_of_seed(const uint8_t seed[SIGN_SEED_BYTES], struct sign_pair *pair);
void sign_pair_wipe(struct sign_pair *pair);

/* sign_digest - the SHA-256 of what is signed: an object's name, whoever signs it. */
void sign_digest(enum sign_kind kind, struct str body, uint8_t digest[32]);

/* sign_write - the signed text of a canonical body, added to out; a full out is failed. */
void sign_write(enum sign_kind kind, struct str body, const struct sign_pair *pair,
                struct buf *out);

/* A signed text that was read; borrows its bytes. */
struct signed_text {
    struct canon_doc doc;
    const struct canon_node *body;
    struct sign_key key;
};
/* signed_read - ERR_FORMAT: not canonical, another kind, a key that is none, or a signature that
 * does not fit. Says nothing about whose key it is. out is empty then. */
enum err signed_read(enum sign_kind kind, struct str text, struct signed_text *out,
                     struct err_note *note);
void signed_release(struct signed_text *s);

#endif
