/* cmd_inspect.c - what a model file holds. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/check.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "base/threads.h"
#include "cli/load.h"
#include "cli/plan_report.h"
#include "format/identity.h"
#include "model/model.h"

enum { ARRAY_SHOWN = 6, TEXT_SHOWN = 100 };

/* What was found out about the file as a model. */
struct facts {
    struct model_info info;
    struct err_note no_model; /* why this program cannot run it; empty: it can */
    bool has_identity;
    char weights[SHA256_HEX], config[SHA256_HEX];
};

/* ---- as text -------------------------------------------------------------------------------- */

/* Text in quotes on one line, cut where it is long. */
static void print_text(struct str s)
{
    size_t shown = 0;
    putchar('"');
    while (shown < s.len && shown < TEXT_SHOWN) {
        uint32_t c;
        int n = utf8_decode(s.ptr + shown, s.len - shown, &c);
        if (n == 0 || c < 0x20 || c == 0x7f)
            printf(c == '\n' && n ? "\\n" : "\\x%02x", (unsigned char)s.ptr[shown]);
        else
            printf("%.*s", n, s.ptr + shown);
        shown += n ? (size_t)n : 1;
    }
    if (shown < s.len)
        printf("...\" (%zu bytes)", s.len);
    else
        putchar('"');
}

static void print_item(const struct meta_array *a, size_t i)
{
    switch (a->item) {
    case META_UINT:
        printf("%" PRIu64, a->uints[i]);
        break;
    case META_INT:
        printf("%" PRId64, a->ints[i]);
        break;
    case META_FLOAT:
        printf("%g", a->floats[i]);
        break;
    case META_BOOL:
        fputs(a->bools[i] ? "true" : "false", stdout);
        break;
    case META_STRING:
        print_text(a->strings[i]);
        break;
    case META_ARRAY:
        CHECK(!"an array of arrays");
    }
}

static void print_meta(const struct meta_value *m)
{
    printf("  %-44.*s ", STR_ARG(m->key));
    switch (m->type) {
    case META_UINT:
        printf("%" PRIu64, m->uint_);
        break;
    case META_INT:
        printf("%" PRId64, m->int_);
        break;
    case META_FLOAT:
        printf("%g", m->float_);
        break;
    case META_BOOL:
        fputs(m->bool_ ? "true" : "false", stdout);
        break;
    case META_STRING:
        print_text(m->string);
        break;
    case META_ARRAY:
        printf("%zu: ", m->array.n_items);
        for (size_t i = 0; i < m->array.n_items && i < ARRAY_SHOWN; i++) {
            fputs(i ? ", " : "", stdout);
            print_item(&m->array, i);
        }
        fputs(m->array.n_items > ARRAY_SHOWN ? ", ..." : "", stdout);
    }
    putchar('\n');
}

static void print_tensor(const struct tensor_view *v)
{
    char shape[100], size[SIZE_TEXT];
    size_t n = 0;
    for (int i = 0; i < v->n_dims; i++)
        n += (size_t)snprintf(shape + n, sizeof shape - n, "%s%" PRIu64, i ? " x " : "", v->dim[i]);
    printf("  %-44.*s %-7s %-20s %12s\n", STR_ARG(v->name), dtype_info(v->dtype)->name, shape,
           size_text(v->n_bytes, size));
}

static uint64_t count_parameters(const struct table *t)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t->n_tensors; i++)
        n += t->tensors[i].dim[0] * t->tensors[i].dim[1] * t->tensors[i].dim[2] *
             t->tensors[i].dim[3];
    return n;
}

/* A line of the summary: name, then the rest. */
static void print_name(const char *name)
{
    printf("  %-26s ", name);
}

static void print_types(const struct table *t)
{
    const char *between = "";
    print_name("types");
    for (int type = 0; type < DTYPE_COUNT; type++) {
        size_t n = 0;
        uint64_t n_bytes = 0;
        char size[SIZE_TEXT];
        for (size_t i = 0; i < t->n_tensors; i++)
            if (t->tensors[i].dtype == (enum dtype)type) {
                n++;
                n_bytes += t->tensors[i].n_bytes;
            }
        if (n)
            printf("%s%s in %zu tensors (%s)", between, dtype_info((enum dtype)type)->name, n,
                   size_text(n_bytes, size));
        between = n ? ", " : between;
    }
    putchar('\n');
}

static void print_model(const struct facts *f)
{
    const struct model_info *m = &f->info;
    char text[SIZE_TEXT];
    printf("\nModel\n");
    if (f->no_model.text[0]) {
        printf("  isobit does not run it: %s\n", f->no_model.text);
        return;
    }
    print_name("architecture");
    printf("%s, %u layers of width %u\n", m->arch, m->n_layers, m->n_embd);
    print_name("attention");
    printf("%u heads of size %u, %u of keys and values", m->n_heads, m->head_size, m->n_kv_heads);
    printf(m->window_max ? ", window %u\n" : "\n", m->window_max);
    print_name("vocabulary");
    printf("%u tokens\n", m->n_vocab);
    print_name("trained for");
    printf("%u positions\n", m->n_ctx_train);

    printf("\nMemory\n");
    print_name("weights");
    printf("%s\n", size_text(m->weight_bytes, text));
    print_name("KV cache, 1024 positions");
    printf("%s\n", size_text(m->kv_page_bytes * (1024 / KV_PAGE), text));
    print_name("KV cache, trained context");
    printf("%s\n", size_text(m->kv_page_bytes * ((m->n_ctx_train + KV_PAGE - 1) / KV_PAGE), text));
}

static void print_all(const struct table *t, const struct facts *f, bool brief)
{
    char size[SIZE_TEXT], count[SIZE_TEXT];
    if (!brief) {
        printf("Metadata\n");
        for (size_t i = 0; i < t->n_metas; i++)
            print_meta(&t->metas[i]);
        printf("\nTensors\n");
        for (size_t i = 0; i < t->n_tensors; i++)
            print_tensor(&t->tensors[i]);
        putchar('\n');
    }
    printf("File\n");
    print_name("format");
    printf("%s, %s\n", t->source, size_text(t->n_bytes_file, size));
    print_name("parameters");
    printf("%s in %zu tensors\n", count_text(count_parameters(t), count), t->n_tensors);
    print_types(t);
    print_model(f);
    if (f->has_identity)
        printf("\nIdentity\n  weights   %s\n  metadata  %s\n", f->weights, f->config);
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static json_t *json_text(struct str s)
{
    json_t *text = json_stringn(s.ptr, s.len);
    return text ? text : json_stringn_nocheck("(not UTF-8)", 11);
}

/* JSON has no NaN. */
static json_t *json_number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *json_item(const struct meta_array *a, size_t i)
{
    switch (a->item) {
    case META_UINT:
        return json_integer((json_int_t)a->uints[i]);
    case META_INT:
        return json_integer((json_int_t)a->ints[i]);
    case META_FLOAT:
        return json_number(a->floats[i]);
    case META_BOOL:
        return json_boolean(a->bools[i]);
    case META_STRING:
        return json_text(a->strings[i]);
    case META_ARRAY:
        break;
    }
    CHECK(!"an array of arrays");
    return NULL;
}

static json_t *json_meta(const struct meta_value *m)
{
    json_t *list;
    switch (m->type) {
    case META_UINT:
        return json_integer((json_int_t)m->uint_);
    case META_INT:
        return json_integer((json_int_t)m->int_);
    case META_FLOAT:
        return json_number(m->float_);
    case META_BOOL:
        return json_boolean(m->bool_);
    case META_STRING:
        return json_text(m->string);
    case META_ARRAY:
        list = json_array();
        for (size_t i = 0; i < m->array.n_items; i++)
            json_array_append_new(list, json_item(&m->array, i));
        return list;
    }
    CHECK(!"a metadata type that does not exist");
    return NULL;
}

static json_t *json_model(const struct facts *f)
{
    const struct model_info *m = &f->info;
    if (f->no_model.text[0])
        return json_pack("{s:s}", "error", f->no_model.text);
    return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "architecture", m->arch, "layers",
                     (json_int_t)m->n_layers, "width", (json_int_t)m->n_embd, "heads",
                     (json_int_t)m->n_heads, "kv_heads", (json_int_t)m->n_kv_heads, "head_size",
                     (json_int_t)m->head_size, "vocabulary", (json_int_t)m->n_vocab, "context",
                     (json_int_t)m->n_ctx_train, "weight_bytes", (json_int_t)m->weight_bytes,
                     "kv_bytes_per_64_positions", (json_int_t)m->kv_page_bytes);
}

static void print_json(const struct table *t, const struct facts *f)
{
    json_t *metas = json_object(), *tensors = json_array();
    for (size_t i = 0; i < t->n_metas; i++)
        json_object_setn_new(metas, t->metas[i].key.ptr, t->metas[i].key.len,
                             json_meta(&t->metas[i]));
    for (size_t i = 0; i < t->n_tensors; i++) {
        const struct tensor_view *v = &t->tensors[i];
        json_t *shape = json_array();
        for (int d = 0; d < v->n_dims; d++)
            json_array_append_new(shape, json_integer((json_int_t)v->dim[d]));
        json_array_append_new(tensors, json_pack("{s:o,s:s,s:o,s:I}", "name", json_text(v->name),
                                                 "type", dtype_info(v->dtype)->name, "shape", shape,
                                                 "bytes", (json_int_t)v->n_bytes));
    }
    json_t *all =
        json_pack("{s:s,s:s,s:I,s:I,s:o,s:o,s:o}", "path", t->path, "format", t->source, "bytes",
                  (json_int_t)t->n_bytes_file, "parameters", (json_int_t)count_parameters(t),
                  "metadata", metas, "tensors", tensors, "model", json_model(f));
    CHECK(all);
    if (f->has_identity)
        json_object_set_new(all, "identity",
                            json_pack("{s:s,s:s}", "weights", f->weights, "metadata", f->config));
    json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    putchar('\n');
    json_decref(all);
}

/* ---- the command ------------------------------------------------------------------------------
 */

/* Both hashes: remembered, or the weights are read once, with as many threads as there are
 * processors. */
static enum err find_identity(const struct table *t, bool rehash, struct facts *f,
                              struct err_note *note)
{
    struct identity identity;
    struct progress progress;
    struct threads *threads = threads_new(threads_online());
    if (!threads)
        return err_set(note, ERR_MEMORY, "cannot start threads");
    progress_begin(&progress, "hashing the weights");
    enum err rc = rehash ? identity_of(t, threads, progress_show, &progress, &identity, note)
                         : identity_find(t, threads, progress_show, &progress, &identity, note);
    progress_end(&progress);
    threads_free(threads);
    if (!rc && rehash)
        identity_keep(t, &identity);
    if (rc)
        return rc;
    f->has_identity = true;
    hex_of(identity.weights, SHA256_BYTES, f->weights);
    hex_of(identity.config, SHA256_BYTES, f->config);
    return ERR_OK;
}

static enum err inspect(const char *path, bool brief, bool json, bool rehash, struct err_note *note)
{
    struct loaded l;
    struct facts facts = {0};
    const struct model_limits limits = {.n_rows_max = 512};
    enum err rc = load_file(&l, path, note);
    if (rc)
        return rc;
    (void)model_plan(&l.table, limits, &facts.info, &facts.no_model);
    if (!brief)
        rc = find_identity(&l.table, rehash, &facts, note);
    if (!rc && json)
        print_json(&l.table, &facts);
    else if (!rc)
        print_all(&l.table, &facts, brief);
    load_close(&l);
    return rc;
}

int cmd_inspect(int argc, char **argv)
{
    bool json = false, brief = false, rehash = false, plan = false;
    struct model_options m = {0};
    uint32_t n_sessions = 1;
    const struct arg_option options[] = {
        OPT_TEXT('m', "model", "MODEL", &m.path, "the same as the argument"),
        OPT_FLAG('b', "brief", &brief, "a summary: no metadata, no tensor table, no hashes"),
        OPT_FLAG(0, "json", &json, "as one JSON object"),
        OPT_FLAG(0, "rehash", &rehash, "hash the weights again, though their hash is remembered"),
        OPT_HEADING("Plan"),
        OPT_FLAG(0, "plan", &plan, "what running it takes of memory, and what fits"),
        CONTEXT_OPTION(m),
        OPT_U32(0, "sessions", "N", &n_sessions, 1, 4096, "sessions at once (default: 1)"),
        CHUNK_OPTION(m),
        DRAFT_OPTION(m),
        DEVICE_OPTIONS(m),
    };
    const struct arg_command command = {
        .name = "inspect",
        .summary = "show what a model file holds and needs, and its identity",
        .usage = "inspect [options] [MODEL]",
        .about = "The identity is two hashes, of the weights and of the metadata that the model's\n"
                 "forward pass reads: split and merged files have the same. They are remembered\n"
                 "(in $XDG_CACHE_HOME/isobit, or ~/.cache/isobit) until the file changes.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit inspect model.gguf\n"
                    "isobit inspect --json model.gguf | jq .identity\n"
                    "isobit inspect --plan -c 32768 --sessions 4 model.gguf",
        .n_positional_max = 1,
    };
    struct err_note note = {""};
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    if (!rc && args.n_positional)
        m.path = args.positional[0];
    if (!rc && plan)
        rc = plan_show(&m, n_sessions, json, &note);
    else if (!rc)
        rc = inspect(m.path, brief, json, rehash, &note);
    return rc ? say_error(rc, &note) : EXIT_OK;
}
