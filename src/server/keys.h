/* keys.h - who may use the server: API keys, what each may do, and how often.
 *
 * A key is "sk-isobit-" and 48 hex digits, shown once. The file holds its SHA-256 (its 192 random
 * bits need no salt and no slow hash), an id to speak of it, and what it may. A struct key lives as
 * long as the struct keys it came from, also after it was revoked: others may keep pointers to it.
 * Its rates go on over a reload. Thread: the front's. */
#ifndef SERVER_KEYS_H
#define SERVER_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"
#include "server/rate.h"

enum {
    KEYS_MAX = 10000,
    KEY_SECRET_BYTES = 64, /* with the NUL */
    KEY_ID_BYTES = 24,
    KEY_NAME_BYTES = 64,
    KEY_MODELS_MAX = 64,
};

enum key_scope {
    KEY_VERIFY = 1, /* enforced tokens, raw logprobs: what proofs need */
    KEY_ADMIN = 2,  /* other people's requests, models' files */
};

struct key {
    char id[KEY_ID_BYTES]; /* "key-" and hex digits; "": of whoever needs none */
    char name[KEY_NAME_BYTES];
    uint8_t digest[SHA256_BYTES];
    unsigned scopes; /* of enum key_scope */
    char **models;   /* [n_models]; none: all of them */
    size_t n_models;
    struct rate_limit requests, tokens;
    int64_t created_s, expires_s; /* since 1970; expires 0: never */
    uint64_t tenant;              /* in the engine: whose prompts are whose; 0: everybody's */
    bool revoked;
    struct rate requests_used, tokens_used;
};

/* Where k is NULL there are no keys: whoever asks may do everything. */
bool key_may_use(const struct key *k, struct str model);
bool key_has(const struct key *k, unsigned scopes); /* all of them */
/* key_scope_of - by its name; 0: there is none. */
unsigned key_scope_of(struct str name);
const char *key_scope_name(unsigned scope); /* of one */

/* A set of keys; items never move. */
struct keys {
    struct key **items; /* [n_items] */
    size_t n_items;
};

/* keys_parse - the text of a key file into an empty set. path: what the note calls it. ERR_FORMAT,
 * and ERR_LIMIT above KEYS_MAX; out is empty then. */
enum err keys_parse(struct str text, const char *path, struct keys *out, struct err_note *note);
/* keys_read - the file. ERR_NOT_FOUND; ERR_USAGE: others than its owner can read it. */
enum err keys_read(const char *path, struct keys *out, struct err_note *note);
/* keys_write - whole or not at all, for its owner alone. */
enum err keys_write(const char *path, const struct keys *k, struct err_note *note);
void keys_release(struct keys *k);

/* keys_update - k becomes what fresh holds, which is released; keys that are in both stay the same
 * structs, those in fresh alone are added, the others are revoked. */
enum err keys_update(struct keys *k, struct keys *fresh, struct err_note *note);

/* keys_add - a copy of like, with a new id and digest; secret is its text. NULL: out of memory, or
 * the system has no random numbers. */
struct key *keys_add(struct keys *k, const struct key *like, char secret[KEY_SECRET_BYTES],
                     struct err_note *note);
/* keys_find - by its secret, in a time that tells nothing about the keys. NULL: none, or revoked.
 * Expiry is the caller's to look at. */
struct key *keys_find(const struct keys *k, struct str secret);
/* keys_named - by id, or by a name that only one has. */
struct key *keys_named(const struct keys *k, const char *id, struct err_note *note);

#endif
