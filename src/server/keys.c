/* keys.c - sets of API keys: their file, and finding one. */
#include "server/keys.h"

#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "api/fields.h"
#include "api/write.h"
#include "base/check.h"
#include "base/entropy.h"
#include "base/file.h"
#include "base/mem.h"

enum {
    FILE_BYTES_MAX = 32 << 20,
    FILE_VERSION = 1,
    SECRET_RANDOM_BYTES = 24,
    ID_RANDOM_BYTES = 6,
    MODEL_BYTES_MAX = 128,
};

#define SECRET_PREFIX "sk-isobit-"

static const struct {
    const char *name;
    unsigned scope;
} scopes[] = {{"verify", KEY_VERIFY}, {"admin", KEY_ADMIN}};

unsigned key_scope_of(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(scopes); i++)
        if (str_is(name, scopes[i].name))
            return scopes[i].scope;
    return 0;
}

const char *key_scope_name(unsigned scope)
{
    for (size_t i = 0; i < COUNT_OF(scopes); i++)
        if (scopes[i].scope == scope)
            return scopes[i].name;
    CHECK(!"a scope without a name");
    return NULL;
}

bool key_has(const struct key *k, unsigned wanted)
{
    return !k || (k->scopes & wanted) == wanted;
}

bool key_may_use(const struct key *k, struct str model)
{
    if (!k)
        return true;
    for (size_t i = 0; i < k->n_models; i++)
        if (str_is(model, k->models[i]))
            return true;
    return k->n_models == 0;
}

/* ---- memory ------------------------------------------------------------------------------- */

static void free_models(struct key *k)
{
    for (size_t i = 0; i < k->n_models; i++)
        mem_free(k->models[i]);
    mem_free(k->models);
    k->models = NULL;
    k->n_models = 0;
}

void keys_release(struct keys *k)
{
    for (size_t i = 0; i < k->n_items; i++) {
        free_models(k->items[i]);
        mem_free(k->items[i]);
    }
    mem_free(k->items);
    *k = (struct keys){0};
}

/* A zeroed key at the end of the set; NULL without memory. */
static struct key *append(struct keys *k)
{
    struct key **items = mem_resize(k->items, (k->n_items + 1) * sizeof items[0]);
    if (!items)
        return NULL;
    k->items = items;
    items[k->n_items] = mem_zalloc(sizeof *items[0]);
    return items[k->n_items] ? items[k->n_items++] : NULL;
}

static bool add_model(struct key *k, const char *name)
{
    char **models = mem_resize(k->models, (k->n_models + 1) * sizeof models[0]);
    if (!models)
        return false;
    k->models = models;
    models[k->n_models] = mem_strdup(name);
    return models[k->n_models] && ++k->n_models;
}

/* ---- the file in -------------------------------------------------------------------------- */

/* A key as the file has it. */
struct entry {
    struct str id, name, sha256;
    const json_t *scopes, *models;
    struct rate_limit requests, tokens;
    uint64_t created_s, expires_s;
};

#define FIELD(name, kind, member, most, text)                                                      \
    {                                                                                              \
        name, kind, offsetof(struct entry, member), 0, most, text                                  \
    }
static const struct api_field fields[] = {
    FIELD("id", API_TEXT, id, 0, "key- and hex digits"),
    FIELD("name", API_TEXT, name, 0, "what it is for"),
    FIELD("sha256", API_TEXT, sha256, 0, "of the whole key, in hex"),
    FIELD("scopes", API_VALUE, scopes, 0, "of verify, admin"),
    FIELD("models", API_VALUE, models, 0, "those it may use; none: all"),
    FIELD("requests_per_minute", API_U32, requests.per_min, RATE_MAX, "0: any number"),
    FIELD("requests_at_once", API_U32, requests.burst, RATE_MAX, "0: a minute's"),
    FIELD("tokens_per_minute", API_U32, tokens.per_min, RATE_MAX, "0: any number"),
    FIELD("tokens_at_once", API_U32, tokens.burst, RATE_MAX, "0: a minute's"),
    FIELD("created", API_SEED, created_s, 0, "seconds since 1970"),
    FIELD("expires", API_SEED, expires_s, 0, "seconds since 1970; 0: never"),
};

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static bool read_hex(struct str hex, uint8_t *bytes, size_t n_bytes)
{
    if (hex.len != 2 * n_bytes)
        return false;
    for (size_t i = 0; i < n_bytes; i++) {
        int high = hex_digit(hex.ptr[2 * i]), low = hex_digit(hex.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool is_id(struct str id)
{
    struct str prefix = STR("key-");
    bool good = str_starts(id, prefix) && id.len > prefix.len && id.len < KEY_ID_BYTES;
    for (size_t i = prefix.len; good && i < id.len; i++)
        good = hex_digit(id.ptr[i]) >= 0;
    return good;
}

/* Names are shown on terminals and in metrics. */
static bool is_plain(struct str name)
{
    bool good = name.len < KEY_NAME_BYTES && utf8_valid(name.ptr, name.len);
    for (size_t i = 0; good && i < name.len; i++)
        good = (unsigned char)name.ptr[i] >= ' ' && name.ptr[i] != 127;
    return good;
}

static bool read_scopes(const json_t *list, struct key *k, struct api_error *e)
{
    size_t i;
    json_t *v;
    if (list && !json_is_array(list))
        return api_fail(e, 400, "scopes", "scopes must be an array");
    json_array_foreach (list, i, v) {
        unsigned scope = json_is_string(v) ? key_scope_of(str_from(json_string_value(v))) : 0;
        if (!scope)
            return api_fail(e, 400, "scopes", "scopes[%zu] is none of verify, admin", i);
        k->scopes |= scope;
    }
    return true;
}

static bool read_models(const json_t *list, struct key *k, struct api_error *e)
{
    size_t i;
    json_t *v;
    if (list && !json_is_array(list))
        return api_fail(e, 400, "models", "models must be an array");
    if (list && (json_array_size(list) == 0 || json_array_size(list) > KEY_MODELS_MAX))
        return api_fail(e, 400, "models", "models must be 1 to %d names, or absent",
                        KEY_MODELS_MAX);
    json_array_foreach (list, i, v) {
        size_t n = json_is_string(v) ? json_string_length(v) : 0;
        if (n == 0 || n >= MODEL_BYTES_MAX || strlen(json_string_value(v)) != n)
            return api_fail(e, 400, "models", "models[%zu] is no name", i);
        if (!add_model(k, json_string_value(v)))
            return api_fail(e, 500, NULL, "out of memory");
    }
    return true;
}

/* In the engine 0 is everybody's. */
static uint64_t tenant_of(const struct key *k)
{
    uint64_t tenant;
    memcpy(&tenant, k->digest, sizeof tenant);
    return tenant | 1;
}

static bool read_key(const json_t *object, struct key *k, struct api_error *e)
{
    struct entry in = {.id = STR(""), .name = STR(""), .sha256 = STR("")};
    struct buf unknown;
    uint64_t given;
    buf_init(&unknown, 4096);
    bool ok = api_read(object, "", fields, COUNT_OF(fields), &in, &given, &unknown, e);
    if (ok && unknown.n_bytes > 0)
        ok = api_fail(e, 400, NULL, "unknown: %s", unknown.bytes);
    buf_release(&unknown);
    if (!ok)
        return false;
    if (!is_id(in.id))
        return api_fail(e, 400, "id", "id must be \"key-\" and at most %d hex digits",
                        KEY_ID_BYTES - 5);
    if (!is_plain(in.name))
        return api_fail(e, 400, "name", "name must be at most %d bytes of plain text",
                        KEY_NAME_BYTES - 1);
    if (!read_hex(in.sha256, k->digest, sizeof k->digest))
        return api_fail(e, 400, "sha256", "sha256 must be 64 hex digits");
    if (in.created_s > INT64_MAX || in.expires_s > INT64_MAX)
        return api_fail(e, 400, NULL, "created and expires are seconds since 1970");
    memcpy(k->id, in.id.ptr, in.id.len);
    memcpy(k->name, in.name.ptr, in.name.len);
    k->requests = in.requests;
    k->tokens = in.tokens;
    k->created_s = (int64_t)in.created_s;
    k->expires_s = (int64_t)in.expires_s;
    k->tenant = tenant_of(k);
    return read_scopes(in.scopes, k, e) && read_models(in.models, k, e);
}

static int by_id(const void *a, const void *b)
{
    return strcmp((*(struct key *const *)a)->id, (*(struct key *const *)b)->id);
}

static struct key *with_id(const struct keys *k, const char *id)
{
    for (size_t i = 0; i < k->n_items; i++)
        if (strcmp(k->items[i]->id, id) == 0)
            return k->items[i];
    return NULL;
}

/* Two keys of one id would be one in metrics and stores. */
static enum err check_ids(const struct keys *k, const char *path, struct err_note *note)
{
    if (k->n_items == 0)
        return ERR_OK;
    struct key **sorted = mem_array(k->n_items, sizeof sorted[0]);
    enum err rc = ERR_OK;
    if (!sorted)
        return err_set(note, ERR_MEMORY, "out of memory for %zu keys", k->n_items);
    memcpy(sorted, k->items, k->n_items * sizeof sorted[0]);
    qsort(sorted, k->n_items, sizeof sorted[0], by_id);
    for (size_t i = 1; i < k->n_items && !rc; i++)
        if (by_id(&sorted[i - 1], &sorted[i]) == 0)
            rc = err_set(note, ERR_FORMAT, "%s: two keys are called %s", path, sorted[i]->id);
    mem_free(sorted);
    return rc;
}

static enum err read_root(const json_t *root, const char *path, struct keys *out,
                          struct err_note *note)
{
    const json_t *version = json_object_get(root, "version"), *list = json_object_get(root, "keys");
    if (json_integer_value(version) != FILE_VERSION || !json_is_array(list))
        return err_set(note, ERR_FORMAT,
                       "%s: not a key file of this program: {\"version\": %d, \"keys\": [...]}",
                       path, FILE_VERSION);
    if (json_array_size(list) > KEYS_MAX)
        return err_set(note, ERR_LIMIT, "%s: %zu keys; at most %d", path, json_array_size(list),
                       KEYS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct api_error e;
        struct key *k = append(out);
        if (!k)
            return err_set(note, ERR_MEMORY, "%s: out of memory for keys", path);
        if (!read_key(json_array_get(list, i), k, &e))
            return err_set(note, ERR_FORMAT, "%s: keys[%zu]: %s", path, i, e.message);
    }
    return check_ids(out, path, note);
}

enum err keys_parse(struct str text, const char *path, struct keys *out, struct err_note *note)
{
    json_error_t fault;
    *out = (struct keys){0};
    json_t *root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault);
    if (!root)
        return err_set(note, ERR_FORMAT, "%s, line %d: %s", path, fault.line, fault.text);
    enum err rc = read_root(root, path, out, note);
    if (rc)
        keys_release(out);
    json_decref(root);
    return rc;
}

enum err keys_read(const char *path, struct keys *out, struct err_note *note)
{
    struct stat st;
    char *text;
    size_t n_bytes;
    *out = (struct keys){0};
    if (stat(path, &st) == 0 && (st.st_mode & 077))
        return err_set(note, ERR_USAGE,
                       "%s can be read or written by others (mode %04o); chmod 600 it", path,
                       (unsigned)st.st_mode & 07777);
    enum err rc = file_read(path, FILE_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    rc = keys_parse((struct str){text, n_bytes}, path, out, note);
    mem_free(text);
    return rc;
}

/* ---- the file out ------------------------------------------------------------------------- */

static void write_nonzero(struct writer *w, const char *name, int64_t value)
{
    if (value)
        write_key_int(w, name, value);
}

static void write_key_object(struct writer *w, const struct key *k)
{
    char hex[SHA256_HEX];
    hex_of(k->digest, sizeof k->digest, hex);
    write_open(w, '{');
    write_key_text(w, "id", str_from(k->id));
    write_key_text(w, "name", str_from(k->name));
    write_key_text(w, "sha256", str_from(hex));
    if (k->scopes) {
        write_key(w, "scopes");
        write_open(w, '[');
        for (size_t i = 0; i < COUNT_OF(scopes); i++)
            if (k->scopes & scopes[i].scope)
                write_text(w, str_from(scopes[i].name));
        write_close(w, ']');
    }
    if (k->n_models) {
        write_key(w, "models");
        write_open(w, '[');
        for (size_t i = 0; i < k->n_models; i++)
            write_text(w, str_from(k->models[i]));
        write_close(w, ']');
    }
    write_nonzero(w, "requests_per_minute", k->requests.per_min);
    write_nonzero(w, "requests_at_once", k->requests.burst);
    write_nonzero(w, "tokens_per_minute", k->tokens.per_min);
    write_nonzero(w, "tokens_at_once", k->tokens.burst);
    write_key_int(w, "created", k->created_s);
    write_nonzero(w, "expires", k->expires_s);
    write_close(w, '}');
}

/* One key a line, for people who look at differences. */
enum err keys_write(const char *path, const struct keys *k, struct err_note *note)
{
    struct file_writer file;
    struct writer w;
    struct buf text;
    size_t n = 0;
    buf_init(&text, FILE_BYTES_MAX);
    buf_printf(&text, "{\"version\": %d, \"keys\": [", FILE_VERSION);
    for (size_t i = 0; i < k->n_items; i++) {
        if (k->items[i]->revoked)
            continue;
        buf_str(&text, n++ ? ",\n" : "\n");
        write_begin(&w, &text);
        write_key_object(&w, k->items[i]);
    }
    buf_str(&text, "\n]}\n");
    if (text.failed || n > KEYS_MAX) {
        buf_release(&text);
        return err_set(note, ERR_LIMIT, "%s: too many keys; at most %d", path, KEYS_MAX);
    }
    enum err rc = file_writer_open_private(&file, path, note);
    if (!rc) {
        file_writer_add(&file, text.bytes, text.n_bytes);
        rc = file_writer_commit(&file, note);
    }
    buf_release(&text);
    return rc;
}

/* ---- a set in use ------------------------------------------------------------------------- */

/* What the file says goes over; the struct, its rates and its place stay. */
static void renew(struct key *k, struct key *fresh)
{
    struct key old = *k;
    *k = *fresh;
    k->requests_used = old.requests_used;
    k->tokens_used = old.tokens_used;
    fresh->models = old.models;
    fresh->n_models = old.n_models;
}

enum err keys_update(struct keys *k, struct keys *fresh, struct err_note *note)
{
    size_t n_old = k->n_items;
    struct key **items = mem_resize(k->items, (n_old + fresh->n_items + 1) * sizeof items[0]);
    if (!items) {
        keys_release(fresh);
        return err_set(note, ERR_MEMORY, "out of memory for keys");
    }
    k->items = items;
    for (size_t i = 0; i < n_old; i++)
        items[i]->revoked = true;
    for (size_t i = 0; i < fresh->n_items; i++) {
        struct key *known = with_id(&(struct keys){items, n_old}, fresh->items[i]->id);
        if (known) {
            renew(known, fresh->items[i]);
        } else {
            items[k->n_items++] = fresh->items[i];
            fresh->items[i] = fresh->items[--fresh->n_items];
            i--;
        }
    }
    keys_release(fresh);
    return ERR_OK;
}

struct key *keys_add(struct keys *k, const struct key *like, char secret[KEY_SECRET_BYTES],
                     struct err_note *note)
{
    uint8_t random[SECRET_RANDOM_BYTES + ID_RANDOM_BYTES];
    struct key *new = append(k);
    if (!entropy_bytes(random, sizeof random)) {
        err_set(note, ERR_IO, "the system has no random numbers to make a key of");
        return NULL;
    }
    bool ok = new;
    if (new) {
        *new = *like;
        new->models = NULL;
        new->n_models = 0;
    }
    for (size_t i = 0; ok && i < like->n_models; i++)
        ok = add_model(new, like->models[i]);
    if (!ok) {
        err_set(note, ERR_MEMORY, "out of memory for a key");
        return NULL;
    }
    memcpy(new->id, "key-", 5);
    hex_of(random + SECRET_RANDOM_BYTES, ID_RANDOM_BYTES, new->id + 4);
    memcpy(secret, SECRET_PREFIX, sizeof SECRET_PREFIX);
    hex_of(random, SECRET_RANDOM_BYTES, secret + sizeof SECRET_PREFIX - 1);
    sha256_of(secret, strlen(secret), new->digest);
    new->tenant = tenant_of(new);
    return new;
}

/* Every key is compared to its last byte. */
struct key *keys_find(const struct keys *k, struct str secret)
{
    uint8_t digest[SHA256_BYTES];
    struct key *found = NULL;
    sha256_of(secret.ptr, secret.len, digest);
    for (size_t i = 0; i < k->n_items; i++) {
        uint8_t differs = 0;
        for (size_t j = 0; j < sizeof digest; j++)
            differs |= digest[j] ^ k->items[i]->digest[j];
        if (!differs && !k->items[i]->revoked)
            found = k->items[i];
    }
    return found;
}

struct key *keys_named(const struct keys *k, const char *id, struct err_note *note)
{
    struct key *found = with_id(k, id);
    size_t n = 0;
    if (found)
        return found;
    for (size_t i = 0; i < k->n_items; i++)
        if (strcmp(k->items[i]->name, id) == 0) {
            found = k->items[i];
            n++;
        }
    if (n == 1)
        return found;
    if (n == 0)
        err_set(note, ERR_NOT_FOUND, "no key has the id or the name \"%s\"", id);
    else
        err_set(note, ERR_USAGE, "%zu keys are called \"%s\"; say which by its id", n, id);
    return NULL;
}
