/* cmd_key.c - isobit key: makes, lists and revokes the keys of isobit serve. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/folders.h"
#include "cli/say.h"
#include "server/keys.h"

enum { DATE_TEXT = 16 };

struct key_words {
    const char *file, *models, *expires;
    struct arg_texts scopes;
    struct rate_limit requests, tokens;
};

/* ---- the file ----------------------------------------------------------------------------- */

static enum err find_file(const struct key_words *o, bool make, char path[PATH_MAX],
                          struct err_note *note)
{
    char folder[PATH_MAX];
    const char *variable = getenv("ISOBIT_KEYS"); /* as isobit serve has it */
    const char *file = o->file ? o->file : variable && *variable ? variable : NULL;
    if (file && strlen(file) >= PATH_MAX)
        return err_set(note, ERR_USAGE, "--keys is too long for a path");
    if (file) {
        snprintf(path, PATH_MAX, "%s", file);
        return ERR_OK;
    }
    enum err rc = folder_path(FOLDER_DATA, "keys.json", path, note);
    if (rc || !make)
        return rc;
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = 0;
    return folder_make(folder, note);
}

/* Two commands at once would lose one's change: the file's folder is the lock. */
static enum err lock_folder(const char *path, int *fd, struct err_note *note)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    *fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd >= 0 && flock(*fd, LOCK_EX) == 0)
        return ERR_OK;
    int code = errno;
    if (*fd >= 0)
        close(*fd);
    return err_set(note, ERR_IO, "cannot use the folder of %s: %s", path, strerror(code));
}

/* ---- create ------------------------------------------------------------------------------- */

/* 30d, 12h, or a date: the first moment of it in UTC. */
static enum err read_expiry(const char *text, int64_t now_s, int64_t *expires_s,
                            struct err_note *note)
{
    struct tm date = {0};
    size_t n = strlen(text);
    uint64_t count;
    const char *end = strptime(text, "%Y-%m-%d", &date);
    if (end && *end == 0) {
        *expires_s = (int64_t)timegm(&date);
    } else {
        int64_t unit_s = n < 2 ? 0 : text[n - 1] == 'd' ? 86400 : text[n - 1] == 'h' ? 3600 : 0;
        if (!unit_s || !str_to_u64((struct str){text, n - 1}, &count) || count > 100000)
            return err_set(note, ERR_USAGE,
                           "--expires is \"%s\"; it must be days (30d), hours (12h) or a date "
                           "(2030-01-31)",
                           text);
        *expires_s = now_s + (int64_t)count * unit_s;
    }
    if (*expires_s <= now_s)
        return err_set(note, ERR_USAGE, "--expires %s has passed already", text);
    return ERR_OK;
}

static enum err read_scopes(const struct arg_texts *texts, unsigned *scopes, struct err_note *note)
{
    for (size_t i = 0; i < texts->n_items; i++) {
        unsigned scope = key_scope_of(str_from(texts->items[i]));
        if (!scope)
            return err_set(note, ERR_USAGE, "--scope is \"%s\"; it must be verify or admin",
                           texts->items[i]);
        *scopes |= scope;
    }
    return ERR_OK;
}

/* "a,b" into names, which point into text. */
static enum err read_models(char *text, struct key *k, struct err_note *note)
{
    for (char *at = text, *next; at; at = next) {
        next = strchr(at, ',');
        if (next)
            *next++ = 0;
        if (!*at || k->n_models == KEY_MODELS_MAX)
            return err_set(note, ERR_USAGE, "--models takes 1 to %d names: A,B", KEY_MODELS_MAX);
        k->models[k->n_models++] = at;
    }
    return ERR_OK;
}

static enum err create(const struct key_words *o, const char *name, const char *path,
                       struct keys *keys, struct err_note *note)
{
    char models_text[4096], *models[KEY_MODELS_MAX], secret[KEY_SECRET_BYTES];
    struct key like = {.models = models, .requests = o->requests, .tokens = o->tokens};
    like.created_s = (int64_t)time(NULL);
    if ((o->requests.burst && !o->requests.per_min) || (o->tokens.burst && !o->tokens.per_min))
        return err_set(note, ERR_USAGE, "--burst goes with --rpm, and --token-burst with --tpm");
    if (strlen(name) >= sizeof like.name)
        return err_set(note, ERR_USAGE, "the name \"%s\" is longer than %zu bytes", name,
                       sizeof like.name - 1);
    snprintf(like.name, sizeof like.name, "%s", name);
    if (o->models && strlen(o->models) >= sizeof models_text)
        return err_set(note, ERR_USAGE, "--models is too long");
    snprintf(models_text, sizeof models_text, "%s", o->models ? o->models : "");
    enum err rc = o->models ? read_models(models_text, &like, note) : ERR_OK;
    rc = rc ? rc : read_scopes(&o->scopes, &like.scopes, note);
    if (!rc && o->expires)
        rc = read_expiry(o->expires, like.created_s, &like.expires_s, note);
    if (rc)
        return rc;
    const struct key *k = keys_add(keys, &like, secret, note);
    rc = k ? keys_write(path, keys, note) : ERR_IO;
    if (rc)
        return rc;
    say("%s is in %s; the key is shown only now:", k->id, path);
    printf("%s\n", secret);
    return ERR_OK;
}

/* ---- list --------------------------------------------------------------------------------- */

static const char *date_text(int64_t time_s, char out[DATE_TEXT])
{
    struct tm utc;
    time_t t = (time_t)time_s;
    if (time_s == 0)
        return "never";
    return gmtime_r(&t, &utc) && strftime(out, DATE_TEXT, "%Y-%m-%d", &utc) ? out : "?";
}

static void list_rate(struct buf *out, const char *unit, struct rate_limit r)
{
    if (!r.per_min)
        return;
    buf_printf(out, "%s%u %s/min", out->n_bytes ? ", " : "", r.per_min, unit);
    if (r.burst)
        buf_printf(out, " (%u at once)", r.burst);
}

/* What a key may, in words. */
static void list_rights(struct buf *out, const struct key *k)
{
    for (unsigned scope = 1; scope <= KEY_ADMIN; scope <<= 1)
        if (k->scopes & scope)
            buf_printf(out, "%s%s", out->n_bytes ? ", " : "", key_scope_name(scope));
    list_rate(out, "requests", k->requests);
    list_rate(out, "tokens", k->tokens);
    for (size_t i = 0; i < k->n_models; i++)
        buf_printf(out, "%s%s", i ? " " : out->n_bytes ? ", models " : "models ", k->models[i]);
}

static void list(const struct keys *keys)
{
    int64_t now_s = (int64_t)time(NULL);
    if (keys->n_items)
        printf("%-16s  %-20s  %-10s  %-10s  %s\n", "ID", "NAME", "CREATED", "EXPIRES", "MAY");
    for (size_t i = 0; i < keys->n_items; i++) {
        const struct key *k = keys->items[i];
        char created[DATE_TEXT], expires[DATE_TEXT];
        bool expired = k->expires_s && k->expires_s <= now_s;
        struct buf rights;
        buf_init(&rights, 1 << 16);
        list_rights(&rights, k);
        printf("%-16s  %-20s  %-10s  %-10s  %s\n", k->id, k->name[0] ? k->name : "-",
               date_text(k->created_s, created),
               expired ? "expired" : date_text(k->expires_s, expires),
               rights.n_bytes ? rights.bytes : "everything but verify and admin");
        buf_release(&rights);
    }
}

/* ---- revoke ------------------------------------------------------------------------------- */

static enum err revoke_key(const char *name, const char *path, struct keys *keys,
                           struct err_note *note)
{
    struct key *k = keys_named(keys, name, note);
    if (!k)
        return ERR_NOT_FOUND;
    k->revoked = true;
    enum err rc = keys_write(path, keys, note);
    if (!rc)
        say("%s is revoked; a running server knows after SIGHUP", k->id);
    return rc;
}

/* ---- the command -------------------------------------------------------------------------- */

static enum err change(const struct key_words *o, bool makes, const char *name,
                       struct err_note *note)
{
    char path[PATH_MAX];
    struct keys keys;
    int lock;
    enum err rc = find_file(o, makes, path, note);
    rc = rc ? rc : lock_folder(path, &lock, note);
    if (rc)
        return rc;
    rc = keys_read(path, &keys, note);
    if (rc == ERR_NOT_FOUND && makes)
        rc = ERR_OK;
    if (!rc)
        rc = makes ? create(o, name, path, &keys, note) : revoke_key(name, path, &keys, note);
    keys_release(&keys);
    close(lock);
    return rc;
}

static enum err show(const struct key_words *o, struct err_note *note)
{
    char path[PATH_MAX];
    struct keys keys;
    enum err rc = find_file(o, false, path, note);
    rc = rc ? rc : keys_read(path, &keys, note);
    if (rc)
        return rc;
    list(&keys);
    keys_release(&keys);
    return ERR_OK;
}

static enum err run(const struct arg_command *c, const struct key_words *o, const struct args *args,
                    struct err_note *note)
{
    static const char *const actions[] = {"create", "list", "revoke"};
    const char *action = args->positional[0];
    const char *name = args->n_positional > 1 ? args->positional[1] : "";
    bool makes = strcmp(action, "create") == 0;
    for (size_t i = 0; !makes && i < c->n_options; i++)
        if (args->given[i] && c->options[i].to != &o->file)
            return err_set(note, ERR_USAGE, "--%s belongs to isobit key create",
                           c->options[i].name);
    if (makes)
        return change(o, true, name, note);
    if (strcmp(action, "revoke") == 0 && *name)
        return change(o, false, name, note);
    if (strcmp(action, "list") == 0 && !*name)
        return show(o, note);
    const char *nearest = args_nearest(action, actions, COUNT_OF(actions));
    if (nearest && strcmp(nearest, action) != 0)
        return err_set(note, ERR_USAGE, "isobit key has no \"%s\"; did you mean \"%s\"?", action,
                       nearest);
    return err_set(note, ERR_USAGE, "usage: isobit key create [NAME], list, or revoke ID");
}

int cmd_key(int argc, char **argv)
{
    struct key_words o = {0};
    const struct arg_option options[] = {
        OPT_TEXT(0, "keys", "FILE", &o.file,
                 "the key file (default: $ISOBIT_KEYS, or\n"
                 "$XDG_DATA_HOME/isobit/keys.json, or\n"
                 "~/.local/share/isobit/keys.json)"),
        OPT_HEADING("What a new key may"),
        OPT_TEXT(0, "models", "A,B", &o.models, "the models it may use (default: all)"),
        OPT_TEXTS(0, "scope", "SCOPE", &o.scopes,
                  "verify: enforced tokens and raw logprobs; admin: other\n"
                  "people's requests, models' files; may be repeated"),
        OPT_U32(0, "rpm", "N", &o.requests.per_min, 1, RATE_MAX,
                "requests a minute (default: any number)"),
        OPT_U32(0, "burst", "N", &o.requests.burst, 1, RATE_MAX,
                "requests at once (default: a minute's)"),
        OPT_U32(0, "tpm", "N", &o.tokens.per_min, 1, RATE_MAX,
                "tokens a minute, read and generated"),
        OPT_U32(0, "token-burst", "N", &o.tokens.burst, 1, RATE_MAX,
                "tokens at once (default: a minute's)"),
        OPT_TEXT(0, "expires", "WHEN", &o.expires,
                 "days (30d), hours (12h) or a date (2030-01-31, UTC)\n(default: never)"),
    };
    const struct arg_command command = {
        .name = "key",
        .summary = "make, list and revoke keys of the server",
        .usage = "key create [NAME] [options]\nkey list [--keys FILE]\n"
                 "key revoke ID|NAME [--keys FILE]",
        .about = "A key is printed once; its file keeps only a hash of it, what it may and how\n"
                 "often. isobit serve --keys FILE asks every client for one, and reads the file\n"
                 "again on SIGHUP.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit key create laptop --rpm 60 --expires 90d\n"
                    "isobit key list",
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
        rc = run(&command, &o, &args, &note);
    return rc ? say_error(rc, &note) : EXIT_OK;
}
