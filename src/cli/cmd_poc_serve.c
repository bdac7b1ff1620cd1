/* cmd_poc_serve.c - isobit poc serve: a node of the proof of compute's chain. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/folders.h"
#include "cli/say.h"
#include "node/node.h"

enum { PORT_DEFAULT = 8080 };

static void say_line(void *context, const char *line)
{
    (void)context;
    say("%s", line);
}

/* FOLDER/poc.db. */
static enum err find_data(const char *folder, char path[PATH_MAX], struct err_note *note)
{
    char home[PATH_MAX];
    enum err rc = folder ? ERR_OK : folder_path(FOLDER_DATA, "", home, note);
    folder = folder ? folder : home;
    rc = rc ? rc : folder_make(folder, note);
    if (!rc && snprintf(path, PATH_MAX, "%s/poc.db", folder) >= PATH_MAX)
        rc = err_set(note, ERR_USAGE, "--data %s: the path is too long", folder);
    return rc;
}

struct serve {
    struct node_options node;
    const char *data, *pool_fraction;
    uint32_t port, group_mib, interval_s;
    struct arg_texts hosts, callbacks;
};

static enum err serve(struct serve *s, const struct args *args, struct err_note *note)
{
    struct node_options *o = &s->node;
    const char *signer = getenv("SIGNER_PUBKEY"), *isa = getenv("ISOBIT_ISA");
    char path[PATH_MAX];
    (void)args;
    if (!str_to_f64(str_from(s->pool_fraction), &o->pool_fraction) || o->pool_fraction < 0 ||
        o->pool_fraction > 1)
        return err_set(note, ERR_USAGE, "--pool-fraction is \"%s\"; it must be 0 to 1",
                       s->pool_fraction);
    if (s->group_mib && o->n_groups)
        return err_set(note, ERR_USAGE, "--groups and --group-memory do not go together");
    enum err rc = find_data(s->data, path, note);
    if (rc)
        return rc;
    o->data = path;
    o->port = (uint16_t)s->port;
    o->signer = signer && *signer ? signer : NULL;
    o->isa = isa && *isa ? isa : NULL;
    o->hosts = s->hosts.items;
    o->n_hosts = s->hosts.n_items;
    o->callbacks = (struct callback_hosts){s->callbacks.items, s->callbacks.n_items};
    o->n_group_bytes_min = (uint64_t)s->group_mib << 20;
    o->interval_ms = (uint64_t)s->interval_s * 1000;
    o->say = say_line;
    return node_run(o, note);
}

int cmd_poc_serve(int argc, char **argv)
{
    struct serve s = {.node = {.host = "127.0.0.1"},
                      .pool_fraction = "0.05",
                      .port = PORT_DEFAULT,
                      .interval_s = 5};
    const struct arg_option options[] = {
        OPT_HEADING("Network"),
        OPT_TEXT(0, "host", "ADDRESS", &s.node.host, "where to listen (default: 127.0.0.1)"),
        OPT_U32(0, "port", "N", &s.port, 0, 65535, "0: any free one (default: 8080)"),
        OPT_TEXTS(0, "allow-host", "NAME", &s.hosts,
                  "another name that this node is called by; may be\nrepeated"),
        OPT_TEXTS(0, "poc-callback", "HOST", &s.callbacks,
                  "where results may be sent; may be repeated (default:\nloopback alone)"),
        OPT_FLAG(0, "poc-compat-open", &s.node.compat_open,
                 "as the chain's own nodes: without a signer anybody who\n"
                 "reaches the address may use it, with one anybody may\n"
                 "change phases and stop it"),
        OPT_U32(0, "interval", "SECONDS", &s.interval_s, 0, 3600,
                "between deliveries of claims (default: 5)"),
        OPT_TEXT(0, "tls-cert", "FILE", &s.node.tls_cert, "certificate chain (PEM): serve HTTPS"),
        OPT_TEXT(0, "tls-key", "FILE", &s.node.tls_key, "its key (PEM)"),
        OPT_TEXT(0, "data", "FOLDER", &s.data,
                 "where what is owed is kept, in poc.db (default:\n$XDG_DATA_HOME/isobit or "
                 "~/.local/share/isobit)"),
        OPT_HEADING("Compute"),
        OPT_U32(0, "groups", "N", &s.node.n_groups, 1, 256,
                "the cores form so many groups, each with nonces of\nits own (default: 1)"),
        OPT_U32(0, "group-memory", "MIB", &s.group_mib, 1, UINT32_MAX,
                "groups of 1, 2, 4 or 8 cores, as soon as their share of\nthe free memory is as "
                "much"),
        OPT_U32(0, "batch", "N", &s.node.n_batch, 1, 64,
                "nonces at a time of each group (default: as memory\nallows, at most 64)"),
        OPT_TEXT(0, "pool-fraction", "X", &s.pool_fraction,
                 "of the weights' pool; 0: one after the other, as the\n"
                 "chain began (default: 0.05)"),
        OPT_FLAG(0, "exact", &s.node.exact,
                 "the exact profile: for networks whose every node has it"),
        OPT_U32(0, "threads", "N", &s.node.n_threads, 1, 1024, "default: every core"),
    };
    const struct arg_command command = {
        .name = "poc serve",
        .summary = "a node of the chain's proof of compute",
        .usage = "poc serve [options]",
        .about = "The API is /api/v1/pow/...; docs/poc.md has it. SIGNER_PUBKEY (base64 of the\n"
                 "raw 64 bytes of a secp256k1 key) names whose signed requests are taken. A node\n"
                 "that was killed goes on where it stood; pow/stop ends that.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit poc serve --port 8085\n"
                    "SIGNER_PUBKEY=... isobit poc serve --host 0.0.0.0 --poc-callback api",
    };
    struct err_note note = {""};
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    rc = rc ? rc : serve(&s, &args, &note);
    return rc ? say_error(rc, &note) : EXIT_OK;
}
