/* cmd_embed.c - texts to vectors. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/embed_again.h"
#include "cli/load.h"
#include "cli/receipt_file.h"
#include "cli/request_arguments.h"
#include "cli/say.h"
#include "engine/embedder.h"

enum { LINES_MAX = 1 << 20, TOKENS_MAX = 1 << 26, BATCH_TEXTS = 256 };

struct embed {
    struct model_options model;
    struct token_options input;
    const char *pooling, *receipt, *node_key;
    bool no_normalize, json, hash;
    int argc;
    char **argv;

    struct loaded loaded;
    struct iso_embedder *embedder;
    struct token_list tokens; /* of all texts, one after another */
    struct iso_text *texts;
    size_t *begins; /* [n_texts] in tokens */
    size_t n_texts, n_reserved;
    float *vectors; /* of a batch */
    struct buf line;
    struct receipt_file receipts; /* where receipt names a file */
    struct canon_writer asked;    /* the request, for a receipt */
    struct buf asked_text;
    struct merkle tree; /* of the vectors */
};

static enum err add_text(struct embed *e, size_t begin, struct err_note *note)
{
    size_t n = e->n_reserved ? 2 * e->n_reserved : 64;
    if (e->n_texts == LINES_MAX)
        return err_set(note, ERR_LIMIT, "more than %d texts", LINES_MAX);
    if (e->n_texts == e->n_reserved) {
        size_t *begins = mem_resize(e->begins, n * sizeof *begins);
        e->begins = begins ? begins : e->begins;
        struct iso_text *texts = begins ? mem_resize(e->texts, n * sizeof *texts) : NULL;
        if (!texts)
            return err_set(note, ERR_MEMORY, "out of memory for %zu texts", n);
        e->texts = texts;
        e->n_reserved = n;
    }
    e->begins[e->n_texts] = begin;
    e->texts[e->n_texts++] = (struct iso_text){.n_tokens = (uint32_t)(e->tokens.n_ids - begin)};
    return ERR_OK;
}

/* What is asked, as docs/formats/receipt.md has it: the beginning, up to the texts. */
static void begin_request(struct embed *e)
{
    canon_begin(&e->asked, &e->asked_text);
    canon_object(&e->asked);
    canon_key(&e->asked, "arguments");
    canon_array(&e->asked);
    for (int i = 1; i < e->argc; i++)
        canon_text(&e->asked, str_from(e->argv[i]));
    canon_end(&e->asked);
    canon_key(&e->asked, e->input.ids ? "tokens" : "texts");
    canon_array(&e->asked);
}

static enum err end_request(struct embed *e, struct err_note *note)
{
    for (size_t i = 0; e->input.ids && i < e->tokens.n_ids; i++)
        canon_int(&e->asked, (uint64_t)e->tokens.ids[i]);
    canon_end(&e->asked);
    canon_end(&e->asked);
    return e->asked_text.failed
               ? err_set(note, ERR_USAGE,
                         "--receipt: a text is no UTF-8, or all of them are larger than the %d MiB "
                         "that a receipt's bundle may have",
                         CANON_BYTES_MAX >> 20)
               : ERR_OK;
}

static enum err encode(struct embed *e, struct str text, struct err_note *note)
{
    size_t begin = e->tokens.n_ids;
    enum err rc =
        tokenizer_encode(e->loaded.tokenizer, text, ENCODE_ADD_SPECIAL, &e->tokens, note);
    return rc ? rc : add_text(e, begin, note);
}

/* -p is one text; a file has one in each line. An empty line is a text too: of [CLS] and [SEP]. */
static enum err read_texts(struct embed *e, struct err_note *note)
{
    const struct token_options *o = &e->input;
    char *text = NULL;
    size_t n_bytes = 0;
    if (o->ids && (o->prompt || o->file))
        return err_set(note, ERR_USAGE, "--tokens beside -p or -f; give one");
    enum err rc = o->ids ? load_file(&e->loaded, e->model.path, note)
                         : load_tokenizer(&e->loaded, e->model.path, note);
    if (!rc && o->ids) {
        rc = token_ids(o->ids, &e->tokens, note);
        return rc ? rc : add_text(e, 0, note);
    }
    if (!rc)
        rc = load_text(o->prompt, o->file, &text, &n_bytes, note);
    for (size_t at = 0, end; !rc && (at < n_bytes || e->n_texts == 0); at = end + 1) {
        const char *stop = o->prompt ? NULL : memchr(text + at, '\n', n_bytes - at);
        end = stop ? (size_t)(stop - text) : n_bytes;
        if (e->receipt)
            canon_text(&e->asked, (struct str){text + at, end - at});
        rc = encode(e, (struct str){text + at, end - at}, note);
    }
    mem_free(text);
    return rc;
}

/* Once all tokens are there. */
static void place_texts(struct embed *e)
{
    for (size_t i = 0; i < e->n_texts; i++)
        e->texts[i].tokens = e->tokens.ids + e->begins[i];
}

static enum err find_pooling(const char *name, enum iso_pooling *out, struct err_note *note)
{
    *out = ISO_POOLING_MODEL;
    if (!name)
        return ERR_OK;
    for (int i = ISO_POOLING_MODEL; i <= ISO_POOLING_RANK; i++)
        if (strcmp(name, iso_pooling_text((enum iso_pooling)i)) == 0) {
            *out = (enum iso_pooling)i;
            return ERR_OK;
        }
    return err_set(note, ERR_USAGE, "--pooling %.40s; model, mean, cls, last or rank", name);
}

static enum err open_embedder(struct embed *e, struct err_note *note)
{
    struct iso_engine_options general = {0};
    enum iso_pooling pooling;
    struct progress progress;
    enum err rc = find_pooling(e->pooling, &pooling, note);
    if (!rc)
        rc = load_options(&e->loaded, &e->model, &general, note);
    if (rc)
        return rc;
    struct iso_embedder_options o = {
        .n_threads = general.n_threads,
        .isa = general.isa,
        .gpu = general.gpu,
        .n_bytes_gpu = general.n_bytes_gpu,
        .profile = general.profile,
        .n_gpu_layers = general.n_gpu_layers,
        .n_ctx = e->model.n_ctx,
        .n_rows = e->model.n_chunk,
        .pooling = pooling,
        .no_normalize = e->no_normalize,
        .n_bytes_memory = general.n_bytes_memory,
        .notice = general.notice,
        .progress = progress_show,
        .progress_context = &progress,
    };
    progress_begin(&progress, "loading");
    rc = embedder_open(&e->loaded.table, &o, &e->embedder, note);
    progress_end(&progress);
    if (rc)
        return rc;
    struct iso_embedder_info info = iso_embedder_info(e->embedder);
    char count[SIZE_TEXT], where[DEVICE_TEXT];
    say("%s: %s, %s parameters; %s on %s; %u dimensions, pooling %s",
        base_name(e->loaded.table.path), info.arch, count_text(info.n_params, count),
        info.arithmetic, device_text(info.device, info.isa, info.n_threads, where), info.n_dims,
        iso_pooling_text(info.pooling));
    return ERR_OK;
}

static void print_vector(struct embed *e, size_t i, const float *x, uint32_t n)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX];
    sha256_of(x, n * sizeof *x, digest);
    hex_of(digest, sizeof digest, hex);
    buf_clear(&e->line);
    if (e->json)
        buf_printf(&e->line, "%s\n  {\"n_tokens\": %u, \"sha256\": \"%s\", \"embedding\": [",
                   i ? "," : "", e->texts[i].n_tokens, hex);
    else if (e->hash)
        buf_str(&e->line, hex);
    for (uint32_t k = 0; k < n && (e->json || !e->hash); k++)
        buf_printf(&e->line, "%s%.9g", k ? e->json ? ", " : " " : "", (double)x[k]);
    buf_str(&e->line, e->json ? "]}" : "\n");
    fwrite(e->line.bytes, 1, e->line.n_bytes, stdout);
}

/* What is read and found out before anything is computed. */
static enum err prepare(struct embed *e, struct err_note *note)
{
    enum err rc = ERR_OK;
    if (e->receipt)
        rc = receipt_file_open(&e->receipts, e->receipt, e->node_key, 1, note);
    if (e->receipt)
        begin_request(e);
    rc = rc ? rc : read_texts(e, note);
    if (!rc && e->receipt)
        rc = end_request(e, note);
    rc = rc ? rc : open_embedder(e, note);
    if (!rc && e->receipt)
        rc = receipt_file_begin(&e->receipts, &e->loaded, note);
    return rc;
}

static void commit_vector(struct embed *e, size_t i, const float *x, uint32_t n)
{
    const struct iso_text *t = &e->texts[i];
    const struct vector_record record = {(const uint32_t *)t->tokens, t->n_tokens, t->n_first, x,
                                         n};
    struct merkle_hash leaf = commitment_vector(&e->receipts.makers[0].salt, i, &record);
    merkle_add(&e->tree, &leaf);
}

static enum err write_receipt(struct embed *e, const struct iso_embedder_info *info,
                              struct err_note *note)
{
    struct receipt_vectors r = {.n_tokens = e->tokens.n_ids,
                                .n_vectors = e->n_texts,
                                .n_values = info->n_dims,
                                .is_normalized = !e->no_normalize &&
                                                 info->pooling != ISO_POOLING_RANK,
                                .pooling = str_from(iso_pooling_text(info->pooling)),
                                .interface = STR("embed"),
                                .root = merkle_root(&e->tree)};
    fflush(stdout);
    return receipt_file_write_vectors(&e->receipts, &e->loaded, info,
                                      (struct str){e->asked_text.bytes, e->asked_text.n_bytes}, &r,
                                      note);
}

static enum err work(struct embed *e, struct err_note *note)
{
    enum err rc = prepare(e, note);
    if (rc)
        return rc;
    struct iso_embedder_info info = iso_embedder_info(e->embedder);
    e->vectors = mem_array((size_t)BATCH_TEXTS * info.n_dims, sizeof *e->vectors);
    if (!e->vectors)
        return err_set(note, ERR_MEMORY, "out of memory for vectors");
    place_texts(e);
    for (size_t i = 0; i < e->n_texts; i++) {
        if (e->texts[i].n_tokens > info.n_ctx)
            return err_set(note, ERR_LIMIT, "text %zu has %u tokens; at most %u fit", i + 1,
                           e->texts[i].n_tokens, info.n_ctx);
    }
    if (e->json)
        printf("{\n \"arithmetic\": \"%s\",\n \"pooling\": \"%s\",\n \"n_dims\": %u,\n \"data\": [",
               info.arithmetic, iso_pooling_text(info.pooling), info.n_dims);
    for (size_t at = 0; !rc && at < e->n_texts; at += BATCH_TEXTS) {
        size_t n = e->n_texts - at < BATCH_TEXTS ? e->n_texts - at : BATCH_TEXTS;
        rc =
            (enum err)iso_embed(e->embedder, e->texts + at, n, e->vectors, (struct iso_note *)note);
        for (size_t i = 0; !rc && i < n; i++) {
            print_vector(e, at + i, e->vectors + i * info.n_dims, info.n_dims);
            if (e->receipt)
                commit_vector(e, at + i, e->vectors + i * info.n_dims, info.n_dims);
        }
    }
    if (!rc && e->json)
        printf("\n ]\n}\n");
    return rc || !e->receipt ? rc : write_receipt(e, &info, note);
}

static enum err parse(struct embed *e, int argc, char **argv, struct args *args,
                      struct err_note *note)
{
    const struct arg_option options[] = {
        OPT_HEADING("Texts"),
        OPT_TEXT('p', "prompt", "TEXT", &e->input.prompt, "one text"),
        OPT_TEXT('f', "file", "FILE", &e->input.file,
                 "the lines of FILE, each a text; -: standard input"),
        OPT_TEXT(0, "tokens", "IDS", &e->input.ids, "token ids instead of text: 1,2,3"),
        OPT_HEADING("Vectors"),
        OPT_TEXT(0, "pooling", "HOW", &e->pooling,
                 "mean, cls (the first token's), last, rank (a cross-encoder's\n"
                 "scores), or model: as the file says (default)"),
        OPT_FLAG(0, "no-normalize", &e->no_normalize, "as they come; else of length 1"),
        OPT_HEADING("How (none of it changes a bit of the result)"),
        OPT_U32(0, "chunk", "N", &e->model.n_chunk, 1, 1 << 16,
                "tokens in one pass (default: 128 a thread, 256 to 2048)"),
        COMPUTE_OPTIONS(e->model),
        OPT_HEADING("Model"),
        MODEL_OPTION(e->model),
        OPT_U32('c', "ctx", "N", &e->model.n_ctx, 1, 1 << 24,
                "tokens that a text may have (default: what the model was\n"
                "trained for, at most 8192)"),
        OPT_HEADING("Output"),
        OPT_FLAG(0, "hash", &e->hash, "the SHA-256 of each vector instead of its numbers"),
        OPT_FLAG(0, "json", &e->json, "one JSON object, with both"),
        OPT_TEXT(0, "receipt", "FILE", &e->receipt,
                 "a signed receipt of the vectors in FILE, and in FILE.bundle\n"
                 "what checks it"),
        OPT_TEXT(0, "node-key", "FOLDER", &e->node_key,
                 "where isobit node-key made the key that signs it\n(default: as node-key's)"),
    };
    const struct arg_command command = {
        .name = "embed",
        .summary = "turn texts into vectors",
        .usage = "embed [-m MODEL] (-p TEXT | -f FILE | --tokens IDS) [options]",
        .about =
            "A line of numbers for each text. The model is an encoder (BERT, RoBERTa, XLM-R),\n"
            "or one that generates, whose last token's row is taken. A text that is too long\n"
            "is an error.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit embed -m minilm.gguf -p \"What is isobit?\"\n"
                    "isobit embed -m minilm.gguf -f sentences.txt --json",
    };
    enum err rc = args_parse(&command, argc, argv, args, note);
    if (!rc && args->help)
        args_help(&command, stdout);
    return rc;
}

/* ---- again, for who checks a receipt -------------------------------------------------------- */

/* tokens, as --tokens gave them, or texts: what the arguments do not deny. */
static enum err read_again(struct embed *e, const struct canon_doc *doc,
                           const struct canon_node *texts, const struct canon_node *tokens,
                           struct err_note *note)
{
    const struct canon_node *list = texts ? texts : tokens;
    size_t i = 0;
    enum err rc = ERR_OK;
    bool same = !texts != !tokens && !tokens == !e->input.ids && list->n_items > 0;
    if (texts && !e->loaded.tokenizer)
        return err_set(note, ERR_FORMAT, "there are texts, and the receipt names no tokenizer");
    if (same && tokens)
        rc = token_ids(e->input.ids, &e->tokens, note);
    same = same && (texts ? !e->input.prompt || texts->n_items == 1
                          : tokens->n_items == e->tokens.n_ids);
    for (const struct canon_node *n = same ? canon_first(list) : NULL; n && same && !rc;
         n = canon_next(doc, list, n), i++) {
        enum canon_type type = tokens ? CANON_INT : CANON_TEXT;
        same = n->type == type && (tokens ? n->number == (uint64_t)e->tokens.ids[i]
                                          : !e->input.prompt || str_is(n->text, e->input.prompt));
        if (same && texts)
            rc = encode(e, n->text, note);
    }
    if (!rc && !same)
        rc = err_set(note, ERR_FORMAT, "the request's arguments say something else than its texts");
    return rc || texts ? rc : add_text(e, 0, note);
}

enum err embed_again_open(struct embed_again *a, struct str request, const struct loaded *l,
                          struct err_note *note)
{
    enum { ARGUMENTS, TEXTS, TOKENS, N_FIELDS };
    static const struct canon_field fields[N_FIELDS] = {
        [ARGUMENTS] = {"arguments", CANON_ARRAY, false},
        [TEXTS] = {"texts", CANON_ARRAY, true},
        [TOKENS] = {"tokens", CANON_ARRAY, true},
    };
    const struct canon_node *found[N_FIELDS] = {NULL};
    struct canon_doc doc = {0};
    struct args args = {.help = false};
    *a = (struct embed_again){.embed = mem_zalloc(sizeof *a->embed)};
    struct embed *e = a->embed;
    if (!e)
        return err_set(note, ERR_MEMORY, "out of memory for a request");
    e->tokens.n_ids_max = TOKENS_MAX;
    e->loaded = *l; /* borrowed */
    enum err rc = canon_read(request, &doc, note);
    rc = rc ? rc : canon_fields(&doc, doc.nodes, fields, N_FIELDS, found, "request", note);
    if (!rc) {
        e->argv = request_arguments(&doc, found[ARGUMENTS], "embed", &e->argc);
        rc = e->argv ? parse(e, e->argc, e->argv, &args, note)
                     : err_set(note, ERR_MEMORY, "out of memory for a request");
    }
    if (!rc && args.help)
        rc = err_set(note, ERR_FORMAT, "the request asks for help");
    rc = rc ? rc : read_again(e, &doc, found[TEXTS], found[TOKENS], note);
    rc = rc ? rc : find_pooling(e->pooling, &a->pooling, note);
    canon_release(&doc);
    place_texts(e);
    a->texts = e->texts;
    a->n_texts = e->n_texts;
    a->no_normalize = e->no_normalize;
    a->n_ctx = e->model.n_ctx;
    return rc;
}

void embed_again_close(struct embed_again *a)
{
    struct embed *e = a->embed;
    if (!e)
        return;
    mem_free(e->argv);
    mem_free(e->begins);
    mem_free(e->texts);
    token_list_release(&e->tokens);
    mem_free(e);
    *a = (struct embed_again){0};
}

int cmd_embed(int argc, char **argv)
{
    struct embed e = {.tokens.n_ids_max = TOKENS_MAX, .argc = argc, .argv = argv};
    struct err_note note = {""};
    struct args args;
    enum err rc = parse(&e, argc, argv, &args, &note);
    if (!rc && args.help)
        return EXIT_OK;
    buf_init(&e.line, 1 << 28);
    buf_init(&e.asked_text, CANON_BYTES_MAX);
    if (!rc)
        rc = work(&e, &note);
    buf_release(&e.line);
    buf_release(&e.asked_text);
    receipt_file_close(&e.receipts);
    iso_embedder_close(e.embedder);
    mem_free(e.vectors);
    mem_free(e.begins);
    mem_free(e.texts);
    token_list_release(&e.tokens);
    load_close(&e.loaded);
    return rc ? say_error(rc, &note) : EXIT_OK;
}
