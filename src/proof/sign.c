/* sign.c - signatures over libsodium. */
#include "proof/sign.h"

#include <sodium.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

static const char *kind_name(enum sign_kind kind)
{
    static const char *const names[] = {
#define KIND_NAME(name, text) text,
        SIGN_KIND_LIST(KIND_NAME)
#undef KIND_NAME
    };
    CHECK((size_t)kind < COUNT_OF(names));
    return names[kind];
}

static void start(void)
{
    CHECK(sodium_init() >= 0); /* again is nothing; fails only without any randomness */
}

bool sign_key_equal(const struct sign_key *a, const struct sign_key *b)
{
    return memcmp(a->bytes, b->bytes, SIGN_KEY_BYTES) == 0;
}

bool sign_key_ok(const struct sign_key *key)
{
    start();
    return crypto_core_ed25519_is_valid_point(key->bytes) == 1;
}

void sign_pair_of_seed(const uint8_t seed[SIGN_SEED_BYTES], struct sign_pair *pair)
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    start();
    memmove(pair->seed, seed, SIGN_SEED_BYTES);
    crypto_sign_seed_keypair(pair->key.bytes, secret, pair->seed);
    sodium_memzero(secret, sizeof secret);
}

void sign_pair_make(struct sign_pair *pair)
{
    uint8_t seed[SIGN_SEED_BYTES];
    start();
    randombytes_buf(seed, sizeof seed);
    sign_pair_of_seed(seed, pair);
    sodium_memzero(seed, sizeof seed);
}

void sign_pair_wipe(struct sign_pair *pair)
{
    sodium_memzero(pair, sizeof *pair);
}

/* The prefix with its zero byte, into the first bytes of an object's domain. */
static size_t prefix_of(enum sign_kind kind, char out[64])
{
    int n = snprintf(out, 64, "isobit/%s/1", kind_name(kind));
    CHECK(n > 0 && n < 64);
    return (size_t)n + 1;
}

void sign_digest(enum sign_kind kind, struct str body, uint8_t digest[32])
{
    char prefix[64];
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, prefix, prefix_of(kind, prefix));
    sha256_add(&h, body.ptr, body.len);
    sha256_end(&h, digest);
}

/* What Ed25519 signs, for the caller to release. */
static void message_of(enum sign_kind kind, struct str body, struct buf *out)
{
    char prefix[64];
    buf_init(out, CANON_BYTES_MAX + sizeof prefix);
    buf_add(out, prefix, prefix_of(kind, prefix));
    buf_add(out, body.ptr, body.len);
}

void sign_write(enum sign_kind kind, struct str body, const struct sign_pair *pair,
                struct buf *out)
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES], key[SIGN_KEY_BYTES], signature[SIGN_BYTES];
    struct canon_writer w;
    struct buf message;
    start();
    message_of(kind, body, &message);
    if (message.failed) {
        out->failed = true;
        buf_release(&message);
        return;
    }
    crypto_sign_seed_keypair(key, secret, pair->seed);
    crypto_sign_detached(signature, NULL, (const uint8_t *)message.bytes, message.n_bytes, secret);
    sodium_memzero(secret, sizeof secret);
    canon_begin(&w, out);
    canon_object(&w);
    canon_key(&w, "body");
    canon_raw(&w, body);
    canon_key(&w, "key");
    canon_hex(&w, key, sizeof key);
    canon_key(&w, "kind");
    canon_text(&w, str_from(kind_name(kind)));
    canon_key(&w, "signature");
    canon_hex(&w, signature, sizeof signature);
    canon_end(&w);
    buf_release(&message);
}

static enum err check_signature(enum sign_kind kind, const struct signed_text *s,
                                const struct canon_node *signature_node, struct err_note *note)
{
    uint8_t signature[SIGN_BYTES];
    struct buf message;
    if (!canon_bytes(signature_node, signature, sizeof signature))
        return err_set(note, ERR_FORMAT, "the signature of the %s must be 128 hex digits",
                       kind_name(kind));
    if (!sign_key_ok(&s->key))
        return err_set(note, ERR_FORMAT, "the key of the %s is no Ed25519 key of full order",
                       kind_name(kind));
    message_of(kind, s->body->raw, &message);
    enum err rc = ERR_OK;
    if (message.failed)
        rc = err_set(note, ERR_MEMORY, "no memory to check the %s", kind_name(kind));
    else if (crypto_sign_verify_detached(signature, (const uint8_t *)message.bytes,
                                         message.n_bytes, s->key.bytes) != 0)
        rc = err_set(note, ERR_FORMAT, "the signature of the %s does not fit", kind_name(kind));
    buf_release(&message);
    return rc;
}

static enum err read_parts(enum sign_kind kind, struct signed_text *s, struct err_note *note)
{
    enum { BODY, KEY, KIND, SIGNATURE, N_FIELDS };
    static const struct canon_field fields[N_FIELDS] = {
        [BODY] = {"body", CANON_OBJECT, false},
        [KEY] = {"key", CANON_TEXT, false},
        [KIND] = {"kind", CANON_TEXT, false},
        [SIGNATURE] = {"signature", CANON_TEXT, false},
    };
    const struct canon_node *found[N_FIELDS];
    enum err rc =
        canon_fields(&s->doc, s->doc.nodes, fields, N_FIELDS, found, kind_name(kind), note);
    if (rc)
        return rc;
    if (s->doc.nodes->n_items != N_FIELDS) /* outside the body nothing is signed */
        return err_set(note, ERR_FORMAT, "%s: fields beside the body", kind_name(kind));
    if (!str_is(found[KIND]->text, kind_name(kind)))
        return err_set(note, ERR_FORMAT, "this is a \"%.*s\", not a %s",
                       STR_ARG(found[KIND]->text), kind_name(kind));
    if (!canon_bytes(found[KEY], s->key.bytes, SIGN_KEY_BYTES))
        return err_set(note, ERR_FORMAT, "the key of the %s must be 64 hex digits",
                       kind_name(kind));
    s->body = found[BODY];
    return check_signature(kind, s, found[SIGNATURE], note);
}

enum err signed_read(enum sign_kind kind, struct str text, struct signed_text *out,
                     struct err_note *note)
{
    *out = (struct signed_text){0};
    enum err rc = canon_read(text, &out->doc, note);
    rc = rc ? rc : read_parts(kind, out, note);
    if (rc)
        signed_release(out);
    return rc;
}

void signed_release(struct signed_text *s)
{
    canon_release(&s->doc);
    *s = (struct signed_text){0};
}
