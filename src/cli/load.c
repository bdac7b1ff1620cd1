/* load.c - opening what a command needs. */
#include "cli/load.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/room.h"
#include "cli/say.h"
#include "engine/engine.h"
#include "hub/store.h"

#define DEMO_NAME "isobit-demo-q8_0.gguf"

enum { CONTEXT_DEFAULT = 8192, TEXT_BYTES_MAX = 256 << 20, PARENTS_MAX = 3 };
enum { WHERE_TEXT = 2 * DEVICE_TEXT + 48 };

const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* ISOBIT_DEMO, else models/demo/ in a parent folder of the program (a build folder inside the
 * repository), else the installed share/isobit/. */
static bool find_demo(char path[PATH_MAX])
{
    char folder[PATH_MAX - 64];
    const char *named = getenv("ISOBIT_DEMO");
    if (named && *named)
        return snprintf(path, PATH_MAX, "%s", named) < PATH_MAX;
    ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);
    if (n <= 0)
        return false;
    folder[n] = 0;
    for (int i = 0; i <= PARENTS_MAX; i++) {
        char *slash = strrchr(folder, '/');
        if (!slash)
            return false;
        *slash = 0;
        snprintf(path, PATH_MAX, "%s/models/demo/%s", folder, DEMO_NAME);
        if (file_exists(path))
            return true;
        snprintf(path, PATH_MAX, "%s/share/isobit/%s", folder, DEMO_NAME);
        if (file_exists(path))
            return true;
    }
    return false;
}

/* A file of that name comes first; what is neither is left to whoever opens it. */
static const char *find_pulled(const char *name)
{
    static char pulled[PATH_MAX];
    struct store s = {0};
    const struct store_model *m = NULL;
    if (!file_exists(name) && !store_folder(pulled, NULL) && !store_open(&s, pulled, NULL))
        m = store_find(&s, name);
    bool found = m && snprintf(pulled, sizeof pulled, "%s", m->path) < (int)sizeof pulled;
    store_close(&s);
    return found ? pulled : name;
}

const char *load_path(const char *path, struct err_note *note)
{
    static char demo[PATH_MAX];
    if (path)
        return find_pulled(path);
    if (find_demo(demo))
        return demo;
    err_set(note, ERR_NOT_FOUND,
            "no model: give one with -m, or set ISOBIT_DEMO to the demo model's file");
    return NULL;
}

enum err load_file(struct loaded *l, const char *path, struct err_note *note)
{
    *l = (struct loaded){0};
    path = load_path(path, note); /* the table keeps it */
    return path ? table_open(path, &l->table, note) : ERR_NOT_FOUND;
}

enum err load_tokenizer(struct loaded *l, const char *path, struct err_note *note)
{
    enum err rc = load_file(l, path, note);
    if (rc)
        return rc;
    if (file_is_dir(l->table.path))
        return tokenizer_from_folder(l->table.path, &l->tokenizer, note);
    return tokenizer_from_table(&l->table, &l->tokenizer, note);
}

/* What the model was trained for, at most CONTEXT_DEFAULT; 0 if the file does not say. */
static uint32_t default_context(const struct table *t)
{
    uint32_t n = table_context(t);
    return n < CONTEXT_DEFAULT ? n : CONTEXT_DEFAULT;
}

const char *device_text(const char *device, const char *isa, int n_threads, char out[DEVICE_TEXT])
{
    if (strcmp(device, "cpu") == 0)
        snprintf(out, DEVICE_TEXT, "%s, %d thread%s", isa, n_threads, n_threads == 1 ? "" : "s");
    else
        snprintf(out, DEVICE_TEXT, "%s", device);
    return out;
}

/* The same of an engine, whose first layers may be elsewhere than the others. */
static void where_text(const struct iso_engine_info *info, char out[WHERE_TEXT])
{
    char device[DEVICE_TEXT], cpu[DEVICE_TEXT];
    device_text(info->device, info->isa, info->n_threads, device);
    device_text("cpu", info->isa, info->n_threads, cpu);
    if (info->n_gpu_layers == 0 || info->n_gpu_layers > info->n_layers)
        snprintf(out, WHERE_TEXT, "%s", device);
    else
        snprintf(out, WHERE_TEXT, "%s (%u of %u layers) and %s", device, info->n_gpu_layers,
                 info->n_layers, cpu);
}

static void say_engine(const struct loaded *l)
{
    struct iso_engine_info info = iso_engine_info(l->engine);
    char count[SIZE_TEXT], all[SIZE_TEXT];
    char where[WHERE_TEXT];
    where_text(&info, where);
    say("%s: %s, %s parameters; %s on %s; context %u tokens", base_name(l->table.path), info.arch,
        count_text(info.n_params, count), info.arithmetic, where, info.n_ctx);
    if (info.n_bytes_in_file)
        say("memory has no room for %s of the %s of weights: they are read from the file at every "
            "step, which is slow; the results are the same",
            size_text(info.n_bytes_in_file, count), size_text(info.n_bytes_weights, all));
}

enum err load_size(const char *name, const char *text, uint64_t n_bytes_all, uint64_t *n_bytes,
                   struct err_note *note)
{
    static const char units[] = "KMGT";
    size_t n = strlen(text);
    if (n > 2 && (text[n - 1] == 'B' || text[n - 1] == 'b')) /* 8GB, 4gb */
        n--;
    bool percent = n > 1 && text[n - 1] == '%';
    const char *unit = n > 1 ? strchr(units, toupper((unsigned char)text[n - 1])) : NULL;
    uint64_t number;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (!str_to_u64((struct str){text, n - (unit || percent)}, &number) || number == 0 ||
        number > UINT64_MAX >> shift || (percent && number > 100))
        return err_set(note, ERR_USAGE, "%s is \"%.40s\"; such as 8G, 512M or 80%%", name, text);
    *n_bytes = percent ? n_bytes_all / 100 * number : number << shift;
    return ERR_OK;
}

enum err load_memory(const char *name, const char *text, uint64_t *n_bytes, struct err_note *note)
{
    return load_size(name, text, mem_room_find().n_bytes, n_bytes, note);
}

static void say_notice(void *context, const char *text)
{
    (void)context;
    say("%s", text);
}

enum err load_options(const struct loaded *l, const struct model_options *m,
                      struct iso_engine_options *o, struct err_note *note)
{
    const char *isa = getenv("ISOBIT_ISA"), *memory = getenv("ISOBIT_MEMORY");
    o->isa = isa && *isa ? isa : NULL;
    o->n_threads = (int)m->n_threads;
    o->n_ctx = m->n_ctx ? m->n_ctx : default_context(&l->table);
    if (m->n_chunk)
        o->n_chunk = m->n_chunk;
    o->no_speculation |= m->no_speculation;
    uint64_t n_bytes = o->n_bytes_memory;
    o->notice = say_notice;
    o->profile = m->gpu.profile;
    struct gpu_choice gpu;
    enum err rc = gpu_choose(&m->gpu, &gpu, note);
    if (rc)
        return rc;
    o->gpu = gpu.gpu;
    o->n_bytes_gpu = gpu.n_bytes;
    o->n_gpu_layers = gpu.n_layers;
    rc = memory && *memory ? load_memory("ISOBIT_MEMORY", memory, &n_bytes, note) : ERR_OK;
    o->n_bytes_memory = (size_t)n_bytes;
    return rc;
}

/* Two vocabularies are the same if their tokenizers are: folders do not list their tokens. */
static enum err check_draft_tokenizer(const struct loaded *l, struct err_note *note)
{
    struct tokenizer *t;
    enum err rc = tokenizer_from_table(&l->draft, &t, note);
    if (rc)
        return rc == ERR_NOT_FOUND ? ERR_OK : rc;
    if (tokenizer_n_tokens(t) != tokenizer_n_tokens(l->tokenizer))
        rc = err_set(note, ERR_USAGE,
                     "%s cannot guess for %s: its tokenizer has %zu tokens, the other's %zu",
                     l->draft.path, l->table.path, tokenizer_n_tokens(t),
                     tokenizer_n_tokens(l->tokenizer));
    for (int32_t id = 0; !rc && (size_t)id < tokenizer_n_tokens(t); id++)
        if (!str_eq(tokenizer_token_text(t, id), tokenizer_token_text(l->tokenizer, id)))
            rc = err_set(note, ERR_USAGE, "%s cannot guess for %s: their tokens %d differ",
                         l->draft.path, l->table.path, id);
    tokenizer_free(t);
    return rc;
}

static enum err load_draft(struct loaded *l, const char *path, struct err_note *note)
{
    enum err rc = table_open(load_path(path, note), &l->draft, note);
    return !rc && l->tokenizer ? check_draft_tokenizer(l, note) : rc;
}

enum err load_engine(struct loaded *l, const struct model_options *m,
                     const struct iso_engine_options *more, struct err_note *note)
{
    struct iso_engine_options o = more ? *more : (struct iso_engine_options){0};
    struct progress progress;
    enum err rc = load_options(l, m, &o, note);
    if (!rc && m->draft)
        rc = load_draft(l, m->draft, note);
    if (rc)
        return rc;
    o.progress = progress_show;
    o.progress_context = &progress;
    progress_begin(&progress, "loading");
    rc = engine_open(&l->table, m->draft ? &l->draft : NULL, &o, &l->engine, note);
    progress_end(&progress);
    if (rc)
        return rc;
    say_engine(l);
    return (enum err)iso_session_open(l->engine, &l->session, (struct iso_note *)note);
}

void load_close(struct loaded *l)
{
    iso_engine_close(l->engine);
    tokenizer_free(l->tokenizer);
    table_close(&l->table);
    table_close(&l->draft);
    *l = (struct loaded){0};
}

enum err load_text(const char *text_option, const char *file_option, char **text, size_t *n_bytes,
                   struct err_note *note)
{
    if (text_option && file_option)
        return err_set(note, ERR_USAGE, "-p and -f are two prompts; give one");
    if (text_option) {
        *n_bytes = strlen(text_option);
        *text = mem_strdup(text_option);
        return *text ? ERR_OK : err_set(note, ERR_MEMORY, "out of memory for the prompt");
    }
    if (!file_option && isatty(STDIN_FILENO))
        return err_set(note, ERR_USAGE,
                       "no prompt: give -p TEXT, -f FILE, or text on standard input");
    return file_read(file_option ? file_option : "-", TEXT_BYTES_MAX, text, n_bytes, note);
}

enum err token_ids(const char *text, struct token_list *out, struct err_note *note)
{
    for (const char *at = text; *at;) {
        size_t n = strcspn(at, ", \t\r\n");
        uint64_t id;
        if (n && (!str_to_u64((struct str){at, n}, &id) || id > INT32_MAX))
            return err_set(note, ERR_USAGE, "\"%.*s\" is no token id", (int)(n < 40 ? n : 40), at);
        if (n) {
            int32_t *ids = mem_resize(out->ids, (out->n_ids + 1) * sizeof ids[0]);
            if (!ids)
                return err_set(note, ERR_MEMORY, "out of memory for %zu tokens", out->n_ids);
            out->ids = ids;
            ids[out->n_ids++] = (int32_t)id;
        }
        at += n + (at[n] != 0);
    }
    return ERR_OK;
}

static enum err tokens_of_text(struct loaded *l, const char *path, const struct token_options *o,
                               struct token_list *out, struct err_note *note)
{
    char *text;
    size_t n_bytes;
    enum err rc = load_text(o->prompt, o->file, &text, &n_bytes, note);
    if (rc)
        return rc;
    rc = load_tokenizer(l, path, note);
    if (!rc)
        rc = tokenizer_encode(l->tokenizer, (struct str){text, n_bytes},
                              ENCODE_ADD_SPECIAL | ENCODE_PARSE_SPECIAL, out, note);
    mem_free(text);
    return rc;
}

enum err load_tokens(struct loaded *l, const char *path, const struct token_options *o,
                     struct token_list *out, struct err_note *note)
{
    enum err rc;
    out->n_ids_max = INT32_MAX;
    if (o->ids && (o->prompt || o->file))
        return err_set(note, ERR_USAGE, "--tokens goes without -p and -f");
    if (o->ids) {
        rc = load_file(l, path, note);
        rc = rc ? rc : token_ids(o->ids, out, note);
    } else {
        rc = tokens_of_text(l, path, o, out, note);
    }
    if (!rc && out->n_ids == 0)
        return err_set(note, ERR_USAGE, "the prompt has no tokens");
    return rc;
}

enum err check_context(const struct loaded *l, size_t n_tokens, struct err_note *note)
{
    uint32_t n_ctx = iso_engine_info(l->engine).n_ctx;
    if (n_tokens <= n_ctx)
        return ERR_OK;
    return err_set(note, ERR_LIMIT,
                   "the prompt has %zu tokens but the context holds %u; -c N makes it larger",
                   n_tokens, n_ctx);
}
