/* signature.c - raw keys and signatures to OpenSSL's forms, and verification. */
#include "node/signature.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

enum { RAW_BYTES = 64, DER_BYTES_MAX = 80 };

struct signer {
    EVP_PKEY *key;
};

/* Exactly 64 bytes: 86 digits of base64 and "==". */
static bool raw_of(struct str base64, unsigned char raw[RAW_BYTES])
{
    unsigned char out[RAW_BYTES + 8];
    enum { DIGITS = 88 };
    if (base64.len != DIGITS || !str_ends(base64, STR("==")) ||
        EVP_DecodeBlock(out, (const unsigned char *)base64.ptr, DIGITS) != RAW_BYTES + 2)
        return false;
    memcpy(raw, out, RAW_BYTES);
    return true;
}

static EVP_PKEY *key_of(const unsigned char raw[RAW_BYTES])
{
    unsigned char point[1 + RAW_BYTES] = {4}; /* not compressed */
    char curve[] = "secp256k1";
    EVP_PKEY *key = NULL;
    memcpy(point + 1, raw, RAW_BYTES);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (!context || EVP_PKEY_fromdata_init(context) <= 0 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    return key;
}

enum err signer_new(const char *base64, struct signer **out, struct err_note *note)
{
    unsigned char raw[RAW_BYTES];
    EVP_PKEY *key = raw_of(str_from(base64), raw) ? key_of(raw) : NULL;
    *out = NULL;
    if (!key)
        return err_set(note, ERR_FORMAT, "the signer's key must be base64 of 64 bytes, x and y of "
                       "a point of secp256k1");
    *out = mem_zalloc(sizeof **out);
    if (!*out) {
        EVP_PKEY_free(key);
        return err_set(note, ERR_MEMORY, "no memory for the signer's key");
    }
    (*out)->key = key;
    return ERR_OK;
}

void signer_free(struct signer *s)
{
    if (!s)
        return;
    EVP_PKEY_free(s->key);
    mem_free(s);
}

/* r and s as ASN.1, which OpenSSL reads; 0: not made. */
static int der_of(const unsigned char raw[RAW_BYTES], unsigned char der[DER_BYTES_MAX])
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, RAW_BYTES / 2, NULL);
    BIGNUM *s = BN_bin2bn(raw + RAW_BYTES / 2, RAW_BYTES / 2, NULL);
    int n = 0;
    if (sig && r && s && ECDSA_SIG_set0(sig, r, s)) {
        r = s = NULL; /* sig's now */
        int n_bytes = i2d_ECDSA_SIG(sig, NULL);
        if (n_bytes > 0 && n_bytes <= DER_BYTES_MAX)
            n = i2d_ECDSA_SIG(sig, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return n;
}

bool signer_verifies(const struct signer *s, struct str message, struct str base64)
{
    unsigned char raw[RAW_BYTES], der[DER_BYTES_MAX];
    int n = raw_of(base64, raw) ? der_of(raw, der) : 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = n > 0 && context &&
                EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, s->key) == 1 &&
                EVP_DigestVerify(context, der, (size_t)n, (const unsigned char *)message.ptr,
                                 message.len) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

bool signer_admits(const struct signer *s, struct str body, struct str base64)
{
    uint8_t digest[SHA256_BYTES];
    sha256_of(body.ptr, body.len, digest);
    return signer_verifies(s, (struct str){(const char *)digest, sizeof digest}, base64);
}
