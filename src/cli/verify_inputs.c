/* verify_inputs.c - files and hex digits to what a receipt is judged by. */
#include "cli/verify_inputs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/folders.h"

enum { SMALL_BYTES_MAX = 64 << 10, TEXT_BYTES_MAX = 256 << 20, SERIALS_MAX = ARG_TEXTS_MAX };

static enum err read_text(const char *path, size_t n_bytes_max, char **text, size_t *n_bytes,
                          struct err_note *note)
{
    enum err rc = file_read(path, n_bytes_max, text, n_bytes, note);
    /* A line feed at the end is the editor's. */
    while (!rc && *n_bytes > 0 && (*text)[*n_bytes - 1] == '\n')
        (*text)[--*n_bytes] = 0;
    return rc;
}

static bool hex_read(const char *text, void *bytes, size_t n_bytes)
{
    struct canon_node node = {.type = CANON_TEXT, .text = str_from(text)};
    return canon_bytes(&node, bytes, n_bytes);
}

/* ---- keys --------------------------------------------------------------------------------- */

static void add_key(struct verify_inputs *in, const struct sign_key *key)
{
    if (in->trust.n_keys < VERIFY_KEYS_MAX)
        in->keys[in->trust.n_keys++] = *key;
}

/* Hex digits, a file of them, or a certificate, whose identity is meant. */
static enum err read_key(struct verify_inputs *in, const char *word, struct err_note *note)
{
    struct sign_key key;
    struct certificate c;
    char *text;
    size_t n_bytes;
    if (hex_read(word, key.bytes, SIGN_KEY_BYTES)) {
        if (!sign_key_ok(&key))
            return err_set(note, ERR_USAGE, "--key %s is no Ed25519 key of full order", word);
        add_key(in, &key);
        return ERR_OK;
    }
    if (!file_exists(word))
        return err_set(note, ERR_USAGE, "--key \"%s\" is neither 64 hex digits nor a file", word);
    enum err rc = read_text(word, SMALL_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    if (!certificate_read((struct str){text, n_bytes}, &c, note))
        add_key(in, &c.identity);
    else if (hex_read(text, key.bytes, SIGN_KEY_BYTES) && sign_key_ok(&key))
        add_key(in, &key);
    else
        rc = err_set(note, ERR_USAGE, "%s holds neither a key's 64 hex digits nor a certificate",
                     word);
    mem_free(text);
    return rc;
}

static enum err read_revocation(struct verify_inputs *in, const char *path, struct err_note *note)
{
    char *text;
    size_t n_bytes;
    enum err rc = read_text(path, SMALL_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    rc = in->trust.n_revocations == VERIFY_KEYS_MAX
             ? err_set(note, ERR_LIMIT, "more than %d revocations", VERIFY_KEYS_MAX)
             : revocation_read((struct str){text, n_bytes},
                               &in->revocations[in->trust.n_revocations++], note);
    mem_free(text);
    return rc ? err_wrap(note, rc, "%s", path) : ERR_OK;
}

static enum err read_head(struct verify_inputs *in, const char *path, struct err_note *note)
{
    char *text;
    size_t n_bytes;
    enum err rc = read_text(path, SMALL_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    rc = log_head_read((struct str){text, n_bytes}, &in->heads[in->trust.n_heads++], note);
    mem_free(text);
    return rc ? err_wrap(note, rc, "%s", path) : ERR_OK;
}

/* The folder of isobit node-key, where there is one. */
static enum err read_own(struct verify_inputs *in, const char *folder, struct err_note *note)
{
    char own[PATH_MAX], path[PATH_MAX + 32];
    enum err rc = folder ? ERR_OK : folder_path(FOLDER_DATA, "node", own, note);
    if (rc)
        return folder ? rc : ERR_OK; /* no home, no keys */
    folder = folder ? folder : own;
    snprintf(path, sizeof path, "%s/certificate-1.json", folder);
    if (file_exists(path))
        rc = read_key(in, path, note);
    for (int serial = 1; serial < SERIALS_MAX && !rc; serial++) {
        snprintf(path, sizeof path, "%s/revocation-%d.json", folder, serial);
        if (file_exists(path))
            rc = read_revocation(in, path, note);
    }
    return rc;
}

static enum err read_trust(struct verify_inputs *in, const struct verify_words *o,
                           struct err_note *note)
{
    enum err rc = read_own(in, o->node, note);
    for (size_t i = 0; i < o->keys.n_items && !rc; i++)
        rc = read_key(in, o->keys.items[i], note);
    for (size_t i = 0; i < o->revoked.n_items && !rc; i++)
        rc = read_revocation(in, o->revoked.items[i], note);
    for (size_t i = 0; i < o->heads.n_items && !rc; i++)
        rc = read_head(in, o->heads.items[i], note);
    in->trust.keys = in->keys;
    in->trust.revocations = in->revocations;
    in->trust.heads = in->heads;
    return rc;
}

/* ---- the rest ----------------------------------------------------------------------------- */

static enum err read_bundle(struct verify_inputs *in, const char *path, const char *named,
                            struct err_note *note)
{
    char beside[PATH_MAX + 16];
    size_t n_bytes;
    snprintf(beside, sizeof beside, "%s.bundle", path);
    if (!named && !file_exists(beside))
        return ERR_OK;
    const char *from = named ? named : beside;
    enum err rc = read_text(from, CANON_BYTES_MAX + 1, &in->bundle_text, &n_bytes, note);
    if (rc)
        return rc;
    rc = canon_read((struct str){in->bundle_text, n_bytes}, &in->bundle_doc, note);
    rc = rc ? rc : bundle_read(&in->bundle_doc, in->bundle_doc.nodes, &in->bundle, note);
    return rc ? err_wrap(note, rc, "%s", from) : ERR_OK;
}

enum err verify_inputs_read(struct verify_inputs *in, const char *path,
                            const struct verify_words *o, struct err_note *note)
{
    *in = (struct verify_inputs){0};
    in->prompt = o->prompt;
    in->system = o->system;
    in->has_weights = o->expect_weights != NULL;
    if (o->expect_weights && !hex_read(o->expect_weights, in->weights.bytes, SHA256_BYTES))
        return err_set(note, ERR_USAGE,
                       "--expect-weights takes 64 hex digits, as isobit inspect "
                       "prints them");
    enum err rc = read_text(path, CANON_BYTES_MAX + 1, &in->receipt, &in->n_receipt, note);
    rc = rc ? rc : read_bundle(in, path, o->bundle, note);
    if (!rc && o->request)
        rc = file_read(o->request, TEXT_BYTES_MAX, &in->request, &in->n_request, note);
    if (!rc && o->response)
        rc = file_read(o->response, TEXT_BYTES_MAX, &in->response, &in->n_response, note);
    return rc ? rc : read_trust(in, o, note);
}

void verify_inputs_release(struct verify_inputs *in)
{
    bundle_release(&in->bundle);
    canon_release(&in->bundle_doc);
    mem_free(in->receipt);
    mem_free(in->bundle_text);
    mem_free(in->request);
    mem_free(in->response);
}
