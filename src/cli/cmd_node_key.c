/* cmd_node_key.c - isobit node-key: the keys that a node signs its receipts with. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/folders.h"
#include "cli/say.h"
#include "proof/key_file.h"

enum { DATE_TEXT = 24, SERIALS_MAX = 100000, FILE_BYTES_MAX = 64 << 10 };

struct node_words {
    const char *folder, *identity;
    uint32_t days;
};

/* Where everything lies. */
struct node_files {
    char folder[PATH_MAX - 64], identity[PATH_MAX];
};

static enum err find_files(const struct node_words *o, bool makes, struct node_files *f,
                           struct err_note *note)
{
    char path[PATH_MAX];
    enum err rc = o->folder ? ERR_OK : folder_path(FOLDER_DATA, "node", path, note);
    if (rc)
        return rc;
    const char *folder = o->folder ? o->folder : path;
    if (strlen(folder) >= sizeof f->folder || (o->identity && strlen(o->identity) >= PATH_MAX))
        return err_set(note, ERR_USAGE, "the path of the keys is too long");
    snprintf(f->folder, sizeof f->folder, "%s", folder);
    if (o->identity)
        snprintf(f->identity, PATH_MAX, "%s", o->identity);
    else
        snprintf(f->identity, PATH_MAX, "%s/identity.key", folder);
    return makes ? folder_make(f->folder, note) : ERR_OK;
}

/* FOLDER/WHAT-SERIAL.json: certificates and revocations are public. */
static void public_path(const struct node_files *f, const char *what, uint64_t serial,
                        char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s-%" PRIu64 ".json", f->folder, what, serial);
}

/* How many certificates there are: serials have no holes. */
static uint64_t last_serial(const struct node_files *f)
{
    char path[PATH_MAX];
    uint64_t serial = 0;
    do
        public_path(f, "certificate", ++serial, path);
    while (serial < SERIALS_MAX && file_exists(path));
    return serial - 1;
}

static enum err read_certificate(const struct node_files *f, uint64_t serial,
                                 struct certificate *c, struct err_note *note)
{
    char path[PATH_MAX], *text;
    size_t n_bytes;
    public_path(f, "certificate", serial, path);
    enum err rc = file_read(path, FILE_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    rc = certificate_read((struct str){text, n_bytes}, c, note);
    mem_free(text);
    return rc ? err_wrap(note, rc, "%s", path) : ERR_OK;
}

/* A folder is of one identity: no other may add to it, or revoke what it did not sign. */
static enum err check_identity(const struct node_files *f, const struct sign_pair *identity,
                               struct err_note *note)
{
    struct certificate first;
    enum err rc = last_serial(f) ? read_certificate(f, 1, &first, note) : ERR_OK;
    if (!rc && last_serial(f) && !sign_key_equal(&first.identity, &identity->key))
        rc = err_set(note, ERR_USAGE, "%s is another identity than that of %s", f->identity,
                     f->folder);
    return rc;
}

static enum err write_public(const struct node_files *f, const char *what, uint64_t serial,
                             const struct buf *text, struct err_note *note)
{
    char path[PATH_MAX];
    struct file_writer w;
    public_path(f, what, serial, path);
    if (text->failed)
        return err_set(note, ERR_MEMORY, "no memory to write %s", path);
    enum err rc = file_writer_open(&w, path, note);
    if (rc)
        return rc;
    file_writer_add(&w, text->bytes, text->n_bytes);
    return file_writer_commit(&w, note);
}

/* ---- create, rotate, revoke --------------------------------------------------------------- */

static enum err make_signing(const struct node_words *o, const struct node_files *f,
                             const struct sign_pair *identity, struct err_note *note)
{
    char path[PATH_MAX];
    struct sign_pair pair;
    struct buf text;
    uint64_t now_s = (uint64_t)time(NULL), serial = last_serial(f) + 1;
    if (serial >= SERIALS_MAX)
        return err_set(note, ERR_LIMIT, "%s holds %d certificates already", f->folder,
                       SERIALS_MAX - 1);
    sign_pair_make(&pair);
    struct certificate c = {identity->key, pair.key, serial, now_s,
                            now_s + (uint64_t)o->days * 86400};
    buf_init(&text, FILE_BYTES_MAX);
    certificate_write(&c, identity, &text);
    enum err rc = write_public(f, "certificate", serial, &text, note);
    snprintf(path, sizeof path, "%s/signing.key", f->folder);
    if (!rc)
        rc = signing_write(path, &pair, (struct str){text.bytes, text.n_bytes}, note);
    if (!rc)
        say("%s signs for %u days, certificate %" PRIu64, path, o->days, serial);
    sign_pair_wipe(&pair);
    buf_release(&text);
    return rc;
}

static void print_key(const struct sign_key *key)
{
    char hex[2 * SIGN_KEY_BYTES + 1];
    hex_of(key->bytes, SIGN_KEY_BYTES, hex);
    printf("%s\n", hex);
}

static enum err create(const struct node_words *o, const struct node_files *f,
                       struct err_note *note)
{
    struct sign_pair identity;
    if (file_exists(f->identity))
        return err_set(note, ERR_USAGE,
                       "%s is an identity already; isobit node-key rotate makes a new signing key",
                       f->identity);
    if (last_serial(f))
        return err_set(note, ERR_USAGE, "%s holds certificates of an identity; name another --dir",
                       f->folder);
    sign_pair_make(&identity);
    enum err rc = identity_write(f->identity, &identity, note);
    rc = rc ? rc : make_signing(o, f, &identity, note);
    if (!rc)
        print_key(&identity.key);
    sign_pair_wipe(&identity);
    return rc;
}

static enum err revoke_certificate(const struct node_files *f, const struct sign_pair *identity,
                                   uint64_t serial, struct err_note *note)
{
    struct revocation r = {identity->key, serial, (uint64_t)time(NULL)};
    char path[PATH_MAX];
    struct buf text;
    if (serial == 0 || serial > last_serial(f))
        return err_set(note, ERR_NOT_FOUND, "%s has no certificate %" PRIu64, f->folder, serial);
    public_path(f, "revocation", serial, path);
    if (file_exists(path))
        return err_set(note, ERR_USAGE, "certificate %" PRIu64 " is revoked already", serial);
    buf_init(&text, FILE_BYTES_MAX);
    revocation_write(&r, identity, &text);
    enum err rc = write_public(f, "revocation", serial, &text, note);
    if (!rc)
        say("certificate %" PRIu64 " is revoked; publish %s", serial, path);
    buf_release(&text);
    return rc;
}

/* ---- show --------------------------------------------------------------------------------- */

static const char *date_text(uint64_t time_s, char out[DATE_TEXT])
{
    struct tm utc;
    time_t t = (time_t)time_s;
    return gmtime_r(&t, &utc) && strftime(out, DATE_TEXT, "%Y-%m-%d %H:%M", &utc) ? out : "?";
}

static enum err show_certificate(const struct node_files *f, uint64_t serial,
                                 struct err_note *note)
{
    char path[PATH_MAX], from[DATE_TEXT], to[DATE_TEXT], key[2 * SIGN_KEY_BYTES + 1];
    struct certificate c;
    enum err rc = read_certificate(f, serial, &c, note);
    if (rc)
        return rc;
    uint64_t now_s = (uint64_t)time(NULL);
    public_path(f, "revocation", serial, path);
    hex_of(c.key.bytes, SIGN_KEY_BYTES, key);
    if (serial == 1) {
        printf("identity ");
        print_key(&c.identity);
        printf("%-7s  %-16s  %-16s  %-8s  %s\n", "SERIAL", "FROM", "TO", "STATE", "KEY");
    }
    printf("%-7" PRIu64 "  %-16s  %-16s  %-8s  %s\n", c.serial, date_text(c.not_before_s, from),
           date_text(c.not_after_s, to),
           file_exists(path)               ? "revoked"
           : certificate_covers(&c, now_s) ? "valid"
                                           : "expired",
           key);
    return ERR_OK;
}

static enum err show(const struct node_files *f, struct err_note *note)
{
    uint64_t n = last_serial(f);
    enum err rc = ERR_OK;
    if (n == 0)
        return err_set(note, ERR_NOT_FOUND, "%s holds no keys; isobit node-key create makes them",
                       f->folder);
    for (uint64_t serial = 1; serial <= n && !rc; serial++)
        rc = show_certificate(f, serial, note);
    return rc;
}

/* ---- the command -------------------------------------------------------------------------- */

static enum err run(const struct node_words *o, const struct args *args, struct err_note *note)
{
    static const char *const actions[] = {"create", "rotate", "revoke", "show"};
    const char *action = args->positional[0];
    bool revokes = strcmp(action, "revoke") == 0, creates = strcmp(action, "create") == 0;
    struct node_files f;
    struct sign_pair identity;
    uint64_t serial = 0;
    if ((args->n_positional == 2) != revokes ||
        (revokes && !str_to_u64(str_from(args->positional[1]), &serial)))
        return err_set(note, ERR_USAGE,
                       "usage: isobit node-key create, rotate, show, or revoke SERIAL");
    if (args->given[2] && !creates && strcmp(action, "rotate") != 0)
        return err_set(note, ERR_USAGE, "--days belongs to isobit node-key create and rotate");
    enum err rc = find_files(o, creates, &f, note);
    if (rc)
        return rc;
    if (creates)
        return create(o, &f, note);
    if (strcmp(action, "show") == 0)
        return show(&f, note);
    if (!revokes && strcmp(action, "rotate") != 0) {
        const char *nearest = args_nearest(action, actions, COUNT_OF(actions));
        return err_set(note, ERR_USAGE, "isobit node-key has no \"%s\"; did you mean \"%s\"?",
                       action, nearest ? nearest : "show");
    }
    rc = identity_read(f.identity, &identity, note);
    rc = rc ? rc : check_identity(&f, &identity, note);
    if (!rc)
        rc = revokes ? revoke_certificate(&f, &identity, serial, note)
                     : make_signing(o, &f, &identity, note);
    sign_pair_wipe(&identity);
    return rc;
}

int cmd_node_key(int argc, char **argv)
{
    struct node_words o = {.days = 30};
    const struct arg_option options[] = {
        OPT_TEXT(0, "dir", "DIR", &o.folder,
                 "where the keys lie (default: $XDG_DATA_HOME/isobit/node,\n"
                 "or ~/.local/share/isobit/node)"),
        OPT_TEXT(0, "identity", "FILE", &o.identity,
                 "the identity key, which may stay offline\n"
                 "(default: identity.key in that folder)"),
        OPT_U32(0, "days", "N", &o.days, 1, 3650,
                "how long a new signing key is valid (default: 30)"),
    };
    const struct arg_command command = {
        .name = "node-key",
        .summary = "make, renew and revoke the keys that sign receipts",
        .usage = "node-key create [options]\nnode-key rotate [options]\n"
                 "node-key revoke SERIAL [options]\nnode-key show [--dir DIR]",
        .about = "An identity key signs certificates of short-lived signing keys; only those sign\n"
                 "anything else. Secret keys are in files of mode 0600; certificates and\n"
                 "revocations beside them are public.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit node-key create\n"
                    "isobit node-key rotate --identity /mnt/stick/identity.key --days 7",
        .n_positional_min = 1,
        .n_positional_max = 2,
    };
    struct err_note note = {""};
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    if (!rc)
        rc = run(&o, &args, &note);
    return rc ? say_error(rc, &note) : EXIT_OK;
}
