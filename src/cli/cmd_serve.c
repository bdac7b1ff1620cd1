/* cmd_serve.c - isobit serve, and the worker processes that it starts. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/folders.h"
#include "cli/load.h"
#include "cli/minerva.h"
#include "cli/say.h"
#include "cli/settings.h"
#include "server/front.h"
#include "server/worker.h"

enum { PORT_DEFAULT = 8080, WORKER_ARGUMENTS_MAX = 40 };

/* What a worker is told, in words, as it is another process. */
struct engine_words {
    uint32_t n_threads, n_ctx, n_running, n_sessions, n_queue, n_chunk;
    const char *template, *tool_format;
    struct gpu_options gpu;
    bool poc;
};

#define ENGINE_OPTIONS(e)                                                                          \
    OPT_HEADING("Each model"),                                                                     \
        OPT_U32('t', "threads", "N", &(e).n_threads, 1, 1024,                                      \
                "threads that compute (default: all processors)"),                                 \
        GPU_OPTIONS((e).gpu),                                                                      \
        PROFILE_OPTION((e).gpu),                                                                   \
        OPT_U32('c', "ctx", "N", &(e).n_ctx, 1, 1 << 30,                                           \
                "tokens of one conversation (default: what the model was\n"                        \
                "trained for, at most 8192)"),                                                     \
        OPT_U32(0, "parallel", "N", &(e).n_running, 1, 4096,                                       \
                "requests computed together (default: 16)"),                                       \
        OPT_U32(0, "sessions", "N", &(e).n_sessions, 1, 4096,                                      \
                "requests open at once, waiting ones included\n(default: 1024)"),                  \
        OPT_U32(0, "queue", "N", &(e).n_queue, 1, 4096,                                            \
                "requests that wait; more get 429 (default: all open ones)"),                      \
        OPT_U32(0, "chunk", "N", &(e).n_chunk, 1, 1 << 16, "rows of one pass (default: 512)"),     \
        OPT_TEXT(0, "template", "NAME|FILE", &(e).template,                                        \
                 "another chat template: a Jinja file, or a built-in's name"),                     \
        OPT_TEXT(0, "tool-format", "NAME", &(e).tool_format,                                       \
                 "how the model writes calls of tools (default: as its\n"                          \
                 "template shows): hermes, llama3, mistral, ...")

#define MODEL_OPTIONS(s)                                                                           \
    OPT_TEXTS('m', "model", "[NAME=]MODEL", &(s).models,                                           \
              "GGUF file, Hugging Face folder or pulled model's name; may\n"                       \
              "be repeated (default: the demo model)"),                                            \
        OPT_TEXT(0, "models-dir", "DIR", &(s).models_dir,                                          \
                 "models of this folder are loaded when a request names them"),                    \
        OPT_U32(0, "idle-unload", "SECONDS", &(s).n_idle_s, 0, 1 << 30,                            \
                "unload what was loaded so when nobody used it for as\nlong (default: never)"),    \
        OPT_TEXT(0, "memory", "BYTES", &(s).memory,                                                \
                 "all models together may take: 8G, 512M, or 80% of what\nis free at the start; "  \
                 "unused ones leave for others\n(default: 80% with --models-dir, else no limit)")

#define RECEIPT_OPTIONS(s)                                                                         \
    OPT_HEADING("Receipts"),                                                                       \
        OPT_TEXT(0, "receipts", "WHICH", &(s).receipts,                                            \
                 "sign what was answered: of requests that \"ask\" for it, or\n"                   \
                 "\"always\" (default: \"off\")"),                                                 \
        OPT_FLAG(0, "receipt-logits", &(s).receipt_logits,                                         \
                 "they commit to all logits, not to the 16 largest alone"),                        \
        OPT_TEXT(0, "node-key", "FOLDER", &(s).node_key,                                           \
                 "where isobit node-key made the signing key; the log of\n"                        \
                 "receipts lies there too (default: as node-key's)"),                              \
        OPT_U32(0, "receipts-days", "N", &(s).n_receipts_days, 1, 3650,                            \
                "receipts, with prompts and answers, are kept so long\n(default: 30)"),            \
        OPT_TEXT(0, "receipts-size", "BYTES", &(s).receipts_size,                                  \
                 "and no more than this of them: 4G, 512M (default: 4G)")

#define POC_OPTIONS(s)                                                                             \
    OPT_HEADING("Gonka's proof of compute, version 2"),                                            \
        OPT_FLAG(0, "poc", &(s).engine.poc, "compute nonces in the gaps of serving: /api/v1/pow"), \
        OPT_TEXTS(0, "poc-callback", "HOST", &(s).callbacks,                                       \
                  "a host that results may be sent to; may be repeated\n"                          \
                  "(default: this machine). SIGNER_PUBKEY (base64) in the\n"                       \
                  "environment: requests must be signed by it"),                                   \
        OPT_TEXT(0, "poc-order", "index|score", &(s).poc_order,                                    \
                 "the order of an artifact's dimensions, as PyTorch has it\n"                      \
                 "on GPUs, or on CPUs (default: index)")

struct serve {
    const char *receipts, *node_key, *receipts_size;
    bool receipt_logits;
    uint32_t n_receipts_days;
    const char *host, *keys, *data, *tls_cert, *tls_key, *models_dir, *memory;
    uint32_t port, socket_port; /* UINT32_MAX: none */
    uint32_t n_idle_s;
    struct arg_texts models, hosts, origins, callbacks;
    uint32_t n_body_mib, n_connections;
    bool no_auth, log_requests, log_prompts;
    const char *poc_order;
    struct engine_words engine;
    struct settings_options settings;
    char numbers[8][16];
    const char *worker[WORKER_ARGUMENTS_MAX];
    size_t n_worker, n_numbers;
};

static void say_line(void *context, const char *line)
{
    (void)context;
    say("%s", line);
}

static void add_number(struct serve *s, const char *option, uint32_t n)
{
    if (n == 0)
        return;
    char *text = s->numbers[s->n_numbers++];
    snprintf(text, sizeof s->numbers[0], "%u", n);
    s->worker[s->n_worker++] = option;
    s->worker[s->n_worker++] = text;
}

static void add_text(struct serve *s, const char *option, const char *text)
{
    if (!text)
        return;
    s->worker[s->n_worker++] = option;
    s->worker[s->n_worker++] = text;
}

static void make_worker(struct serve *s)
{
    const struct engine_words *e = &s->engine;
    s->worker[s->n_worker++] = "isobit";
    s->worker[s->n_worker++] = "worker";
    add_number(s, "--threads", e->n_threads);
    add_number(s, "--ctx", e->n_ctx);
    add_number(s, "--parallel", e->n_running);
    add_number(s, "--sessions", e->n_sessions);
    add_number(s, "--queue", e->n_queue);
    add_number(s, "--chunk", e->n_chunk);
    add_text(s, "--gpu", e->gpu.which);
    add_text(s, "--gpu-memory", e->gpu.memory);
    add_text(s, "--profile", e->gpu.profile);
    add_text(s, "--gpu-layers", e->gpu.layers);
    add_text(s, "--template", e->template);
    add_text(s, "--tool-format", e->tool_format);
    if (s->receipts && strcmp(s->receipts, "off") != 0)
        s->worker[s->n_worker++] = "--receipts";
    if (s->receipt_logits)
        s->worker[s->n_worker++] = "--receipt-logits";
    if (e->poc)
        s->worker[s->n_worker++] = "--poc";
    s->worker[s->n_worker] = NULL;
}

/* The folder of what the server keeps; NULL where there is to be none, or no home to put it in. */
static enum err find_data(const struct serve *s, char path[PATH_MAX], const char **data,
                          struct err_note *note)
{
    *data = NULL;
    if (s->data && !s->data[0])
        return ERR_OK;
    if (s->data)
        snprintf(path, PATH_MAX, "%s", s->data);
    else if (folder_path(FOLDER_DATA, "", path, note))
        return ERR_OK;
    enum err rc = folder_make(path, note);
    if (!rc)
        *data = path;
    return s->data ? rc : ERR_OK;
}

/* "NAME=PATH", or a path that is called after its file. */
static enum err name_model(struct front_model *m, const char *text, struct err_note *note)
{
    const char *equals = strchr(text, '='), *path = text;
    if (equals && !file_exists(text))
        path = equals + 1;
    struct str name =
        path == text ? str_from(base_name(path)) : (struct str){text, (size_t)(equals - text)};
    if (path == text && str_ends(name, STR(".gguf")))
        name.len -= strlen(".gguf");
    if (name.len == 0 || name.len >= sizeof m->name)
        return err_set(note, ERR_USAGE, "-m %s: a model's name has 1 to %zu letters", text,
                       sizeof m->name - 1);
    snprintf(m->name, sizeof m->name, "%.*s", STR_ARG(name));
    path = load_path(path, note);
    if (!file_exists(path))
        return err_set(note, ERR_NOT_FOUND, "%s: no such file", path);
    m->path = mem_strdup(path);
    return m->path ? ERR_OK : err_set(note, ERR_MEMORY, "out of memory for %s", path);
}

static enum err serve_demo(struct front_options *o, struct err_note *note)
{
    const char *path = load_path(NULL, note);
    if (!path)
        return ERR_NOT_FOUND;
    say("no -m: serving the small demo model");
    o->models[o->n_models++] =
        (struct front_model){.name = "isobit-demo", .path = mem_strdup(path)};
    return o->models[0].path ? ERR_OK : err_set(note, ERR_MEMORY, "out of memory for %s", path);
}

static enum err find_receipts(const struct serve *s, char path[PATH_MAX],
                              struct receipts_options *o, struct err_note *note)
{
    const char *which = s->receipts ? s->receipts : "off";
    enum err rc = ERR_OK;
    o->mode = strcmp(which, "ask") == 0      ? RECEIPTS_ASKED
              : strcmp(which, "always") == 0 ? RECEIPTS_ALWAYS
                                             : RECEIPTS_OFF;
    if (o->mode == RECEIPTS_OFF && strcmp(which, "off") != 0)
        return err_set(note, ERR_USAGE, "--receipts %s: it may be off, ask or always", which);
    o->limits.age_s_max = (uint64_t)s->n_receipts_days * 86400;
    o->folder = s->node_key ? s->node_key : path;
    if (!s->node_key && o->mode != RECEIPTS_OFF)
        rc = folder_path(FOLDER_DATA, "node", path, note);
    return rc ? rc
              : load_memory("--receipts-size", s->receipts_size ? s->receipts_size : "4G",
                            &o->limits.n_bytes_max, note);
}

/* Looked at before any worker is started, which then is told a device. */
static enum err choose_device(struct gpu_options *g, struct err_note *note)
{
    struct gpu_choice c;
    enum err rc = gpu_choose(g, &c, note);
    g->which = c.gpu;
    return rc;
}

static enum err serve(struct serve *s, struct err_note *note)
{
    const char *signer = getenv("SIGNER_PUBKEY");
    const char *memory = s->memory ? s->memory : s->models_dir ? "80%" : NULL;
    struct front_options o = {.host = s->host,
                              .port = (uint16_t)s->port,
                              .has_sockets = s->socket_port != UINT32_MAX,
                              .socket_port = (uint16_t)s->socket_port,
                              .tls_cert = s->tls_cert,
                              .tls_key = s->tls_key,
                              .hosts = s->hosts.items,
                              .n_hosts = s->hosts.n_items,
                              .origins = s->origins.items,
                              .n_origins = s->origins.n_items,
                              .n_body_bytes_max = (size_t)s->n_body_mib << 20,
                              .n_connections_max = s->n_connections,
                              .no_auth = s->no_auth,
                              .log_requests = s->log_requests || s->log_prompts,
                              .log_prompts = s->log_prompts,
                              .keys = s->keys,
                              .models_dir = s->models_dir,
                              .n_idle_s = s->n_idle_s,
                              .poc = s->engine.poc,
                              .poc_callbacks = {s->callbacks.items, s->callbacks.n_items},
                              .poc_signer = signer && *signer ? signer : NULL,
                              .poc_by_score = s->poc_order && strcmp(s->poc_order, "score") == 0,
                              .worker = s->worker,
                              .say = say_line};
    char data[PATH_MAX], node[PATH_MAX];
    enum err rc = find_data(s, data, &o.data, note);
    rc = rc ? rc : find_receipts(s, node, &o.receipts, note);
    if (rc)
        return rc;
    if (s->models.n_items > FRONT_MODELS_MAX)
        return err_set(note, ERR_LIMIT, "%zu models; at most %d", s->models.n_items,
                       FRONT_MODELS_MAX);
    if (s->poc_order && !o.poc_by_score && strcmp(s->poc_order, "index") != 0)
        return err_set(note, ERR_USAGE, "--poc-order %s: it is index or score", s->poc_order);
    if (s->engine.poc && s->engine.gpu.profile && strcmp(s->engine.gpu.profile, "exact") != 0)
        return err_set(note, ERR_USAGE, "--poc needs the profile exact, not %s",
                       s->engine.gpu.profile);
    if (memory)
        rc = load_memory("--memory", memory, &o.n_bytes_memory, note);
    if (!rc && s->models_dir && !file_is_dir(s->models_dir))
        rc = err_set(note, ERR_NOT_FOUND, "--models-dir %s: no such folder", s->models_dir);
    if (!rc && s->models.n_items == 0 && !s->models_dir)
        rc = serve_demo(&o, note);
    for (size_t i = 0; !rc && i < s->models.n_items; i++)
        rc = name_model(&o.models[o.n_models++], s->models.items[i], note);
    if (!rc)
        rc = choose_device(&s->engine.gpu, note);
    make_worker(s);
    rc = rc ? rc : front_run(&o, note);
    for (size_t i = 0; i < o.n_models; i++)
        mem_free((char *)o.models[i].path);
    return rc;
}

int cmd_serve(int argc, char **argv)
{
    struct serve s = {.host = "127.0.0.1",
                      .port = PORT_DEFAULT,
                      .socket_port = UINT32_MAX,
                      .n_receipts_days = 30};
    const struct arg_option options[] = {
        MODEL_OPTIONS(s),
        OPT_HEADING("Network"),
        OPT_TEXT(0, "host", "ADDRESS", &s.host, "where to listen (default: 127.0.0.1)"),
        OPT_U32(0, "port", "N", &s.port, 0, 65535, "0: any free one (default: 8080)"),
        OPT_U32(0, "socket-port", "N", &s.socket_port, 0, 65535,
                "calls over WebSockets on this port; 0: any free one\n(default: none)"),
        OPT_TEXTS(0, "allow-host", "NAME", &s.hosts,
                  "another name that this server is called by; may be\nrepeated"),
        OPT_TEXT(0, "keys", "FILE", &s.keys,
                 "only those who have a key of this file may use it\n(isobit key create)"),
        OPT_FLAG(0, "no-auth", &s.no_auth,
                 "everybody who reaches the address may use it; without\nthis or --keys, only "
                 "loopback's address is served"),
        OPT_TEXTS(0, "cors", "ORIGIN", &s.origins,
                  "pages from there may use it: https://NAME; may be repeated"),
        OPT_U32(0, "body-max", "MIB", &s.n_body_mib, 1, FRONT_BODY_BYTES_MAX >> 20,
                "largest request in MiB; more is 413 (default: 64)"),
        OPT_U32(0, "connections", "N", &s.n_connections, 1, 1000000,
                "connections at once; more wait (default: 4096)"),
        OPT_TEXT(0, "tls-cert", "FILE", &s.tls_cert, "certificate chain (PEM): serve HTTPS"),
        OPT_TEXT(0, "tls-key", "FILE", &s.tls_key, "its key (PEM)"),
        OPT_TEXT(0, "data", "FOLDER", &s.data,
                 "where files and batches are kept (default:\n$XDG_DATA_HOME/isobit or "
                 "~/.local/share/isobit); '': nowhere"),
        RECEIPT_OPTIONS(s),
        POC_OPTIONS(s),
        OPT_HEADING("Log, on standard error"),
        OPT_FLAG(0, "log-requests", &s.log_requests,
                 "a line for each answer, without what was said"),
        OPT_FLAG(0, "log-prompts", &s.log_prompts, "and what each request asked, whole"),
        ENGINE_OPTIONS(s.engine),
        SETTINGS_OPTIONS(s.settings),
    };
    const struct arg_command command = {
        .name = "serve",
        .summary = "serve models over the OpenAI API",
        .usage = "serve [-m [NAME=]MODEL]... [options]",
        .about = "Each model runs in a process of its own. GET /health tells when they are ready.\n"
                 "Ctrl-C lets open requests finish; twice stops at once.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit serve\n"
                    "isobit serve -m llama=model.gguf --parallel 32 --port 9000",
    };
    struct err_note note = {""};
    struct args args;
    struct settings settings = {0};
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    if (!rc)
        rc = settings_read(&settings, &command, &args, &s.settings, minerva_names, n_minerva_names,
                           &note);
    if (!rc && s.settings.print)
        settings_print(&settings, stdout);
    else if (!rc)
        rc = serve(&s, &note);
    settings_release(&settings);
    return rc ? say_error(rc, &note) : EXIT_OK;
}

static void say_text(const char *text)
{
    say("%s", text);
}

/* Not for people: what serve starts for each model. */
int cmd_worker(int argc, char **argv)
{
    struct worker_options o = {0};
    struct engine_words e = {0};
    uint32_t fd = 0;
    const struct arg_option options[] = {
        OPT_TEXT('m', "model", "MODEL", &o.path, "GGUF file or Hugging Face folder"),
        OPT_TEXT(0, "name", "NAME", &o.name, "what it is called"),
        OPT_FLAG(0, "poc", &e.poc, "nonces run in the gaps"),
        OPT_U32(0, "fd", "N", &fd, 3, 1 << 20, "the socket to isobit serve"),
        OPT_FLAG(0, "receipts", &o.receipts, "hash the weights first"),
        OPT_FLAG(0, "receipt-logits", &o.receipt_logits, "receipts commit to all logits"),
        ENGINE_OPTIONS(e),
    };
    const struct arg_command command = {
        .name = "worker",
        .summary = "serve one model to isobit serve",
        .usage = "worker -m MODEL --name NAME --fd N [options]",
        .options = options,
        .n_options = COUNT_OF(options),
    };
    struct err_note note = {""};
    struct args args;
    const char *isa = getenv("ISOBIT_ISA");
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    if (!rc && (!o.path || !o.name || fd == 0))
        rc = err_set(&note, ERR_USAGE, "worker is started by isobit serve");
    struct gpu_choice gpu;
    rc = rc ? rc : gpu_choose(&e.gpu, &gpu, &note);
    if (rc)
        return say_error(rc, &note);
    o.gpu = gpu.gpu;
    o.n_bytes_gpu = gpu.n_bytes;
    o.n_gpu_layers = gpu.n_layers;
    o.isa = isa && *isa ? isa : NULL;
    o.profile = e.gpu.profile;
    o.fd = (int)fd;
    o.n_threads = (int)e.n_threads;
    o.n_ctx = e.n_ctx;
    o.n_running = e.n_running;
    o.n_sessions = e.n_sessions;
    o.n_queue = e.n_queue;
    o.n_chunk = e.n_chunk;
    o.template = e.template;
    o.tool_format = e.tool_format;
    o.poc = e.poc;
    o.say = say_text;
    return worker_run(&o, &note) ? EXIT_FAILED : EXIT_OK; /* the front says why */
}
