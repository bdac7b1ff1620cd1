/* commitment.c - salts and hashes over libsodium's HMAC. */
#include "proof/commitment.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/check.h"

void salt_make(struct salt *out)
{
    CHECK(sodium_init() >= 0);
    randombytes_buf(out->bytes, SALT_BYTES);
}

static void put_le(uint8_t *out, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

struct salt salt_derive(const struct salt *of, enum salt_label label, uint64_t index)
{
    static const char *const names[] = {
#define SALT_NAME(name, text) text,
        SALT_LABEL_LIST(SALT_NAME)
#undef SALT_NAME
    };
    char info[64];
    struct salt out;
    CHECK((size_t)label < COUNT_OF(names));
    int n = snprintf(info, sizeof info, "isobit/salt/1/%s", names[label]);
    CHECK(n > 0 && n + 10 <= (int)sizeof info);
    put_le((uint8_t *)info + n + 1, index, 8); /* after the text's zero byte */
    info[n + 9] = 1;                           /* HKDF counts its blocks; there is one */
    crypto_auth_hmacsha256(out.bytes, (const uint8_t *)info, (size_t)n + 10, of->bytes);
    return out;
}

struct merkle_hash commitment_of(const struct salt *of, enum salt_label label, uint64_t index,
                                 const void *bytes, size_t n_bytes)
{
    struct salt salt = salt_derive(of, label, index);
    struct merkle_hash out;
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, salt.bytes, SALT_BYTES);
    sha256_add(&h, bytes, n_bytes);
    sha256_end(&h, out.bytes);
    return out;
}

struct merkle_hash commitment_of_ids(const struct salt *of, enum salt_label label,
                                     const uint32_t *ids, size_t n_ids)
{
    struct salt salt = salt_derive(of, label, 0);
    struct merkle_hash out;
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, salt.bytes, SALT_BYTES);
    for (size_t i = 0; i < n_ids; i++) {
        uint8_t id[4];
        put_le(id, ids[i], 4);
        sha256_add(&h, id, sizeof id);
    }
    sha256_end(&h, out.bytes);
    return out;
}

struct merkle_hash commitment_of_hashes(const struct salt *of, enum salt_label label,
                                        const struct merkle_hash *hashes, size_t n_hashes)
{
    struct merkle tree = {0};
    for (size_t i = 0; i < n_hashes; i++) {
        uint8_t bytes[SALT_BYTES + SHA256_BYTES];
        struct salt salt = salt_derive(of, label, i);
        memcpy(bytes, salt.bytes, SALT_BYTES);
        memcpy(bytes + SALT_BYTES, hashes[i].bytes, SHA256_BYTES);
        struct merkle_hash leaf = merkle_leaf(bytes, sizeof bytes);
        merkle_add(&tree, &leaf);
    }
    return merkle_root(&tree);
}

size_t position_write(const struct position_record *record, uint8_t out[POSITION_BYTES_MAX])
{
    uint8_t *at = out + 16;
    CHECK(record->n_best <= COMMITMENT_BEST_MAX);
    put_le(out, record->id, 4);
    put_le(out + 4, record->sum, 8);
    put_le(out + 12, record->n_best, 4);
    for (uint32_t i = 0; i < record->n_best; i++, at += 8) {
        put_le(at, record->best[i].id, 4);
        put_le(at + 4, record->best[i].logit_bits, 4);
    }
    return (size_t)(at - out);
}

static uint64_t get_le(const uint8_t *bytes, int n_bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < n_bytes; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

bool position_read(const uint8_t *bytes, size_t n_bytes, struct position_record *out)
{
    *out = (struct position_record){0};
    if (n_bytes < 16)
        return false;
    uint64_t n_best = get_le(bytes + 12, 4);
    if (n_best > COMMITMENT_BEST_MAX || n_bytes != 16 + n_best * 8)
        return false;
    out->id = (uint32_t)get_le(bytes, 4);
    out->sum = get_le(bytes + 4, 8);
    out->n_best = (uint32_t)n_best;
    for (uint32_t i = 0; i < out->n_best; i++) {
        out->best[i].id = (uint32_t)get_le(bytes + 16 + 8 * i, 4);
        out->best[i].logit_bits = (uint32_t)get_le(bytes + 20 + 8 * i, 4);
    }
    return true;
}

bool position_equal(const struct position_record *a, const struct position_record *b)
{
    uint8_t x[POSITION_BYTES_MAX], y[POSITION_BYTES_MAX];
    size_t n = position_write(a, x);
    return n == position_write(b, y) && memcmp(x, y, n) == 0;
}

struct merkle_hash position_leaf(const struct salt *salt, const struct position_record *record)
{
    uint8_t bytes[SALT_BYTES + POSITION_BYTES_MAX];
    memcpy(bytes, salt->bytes, SALT_BYTES);
    return merkle_leaf(bytes, SALT_BYTES + position_write(record, bytes + SALT_BYTES));
}

struct merkle_hash commitment_position(const struct salt *of, uint64_t index,
                                       const struct position_record *record)
{
    struct salt salt = salt_derive(of, SALT_POSITION, index);
    return position_leaf(&salt, record);
}

struct merkle_hash commitment_vector(const struct salt *of, uint64_t index,
                                     const struct vector_record *record)
{
    struct salt salt = salt_derive(of, SALT_VECTOR, index);
    struct merkle_hash out;
    struct sha256 h;
    uint8_t number[4] = {0};
    sha256_init(&h);
    sha256_add(&h, number, 1); /* a leaf */
    sha256_add(&h, salt.bytes, SALT_BYTES);
    put_le(number, record->n_ids, 4);
    sha256_add(&h, number, 4);
    put_le(number, record->n_first, 4);
    sha256_add(&h, number, 4);
    for (uint32_t i = 0; i < record->n_ids; i++) {
        put_le(number, record->ids[i], 4);
        sha256_add(&h, number, 4);
    }
    for (uint32_t i = 0; i < record->n_values; i++) {
        uint32_t bits;
        float value = record->values[i] + 0.0f; /* -0 is 0 */
        memcpy(&bits, &value, sizeof bits);
        put_le(number, bits, 4);
        sha256_add(&h, number, 4);
    }
    sha256_end(&h, out.bytes);
    return out;
}
