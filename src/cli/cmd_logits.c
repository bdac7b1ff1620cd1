/* cmd_logits.c - a hash of the logits after each token: the same on every machine. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/say.h"

enum { CHUNK_DEFAULT = 64, ROWS_MAX = 1 << 16 };

struct logits {
    struct model_options model;
    struct token_options input;
    uint32_t n_batch;
    bool values, json;

    struct loaded loaded;
    struct iso_session **sessions; /* [n_batch] */
    struct token_list tokens;
    uint8_t (*digests)[ISO_DIGEST_BYTES]; /* [n_batch, n_tokens] */
    uint32_t n_printed;
    struct buf line;
};

/* One engine with n_batch sessions; a pass has room for a chunk of each, all with logits. */
static enum err open_sessions(struct logits *g, struct err_note *note)
{
    uint64_t n_rows = (uint64_t)g->model.n_chunk * g->n_batch;
    if (n_rows > ROWS_MAX)
        return err_set(note, ERR_USAGE, "--chunk %u times --batch %u are %llu rows; at most %d",
                       g->model.n_chunk, g->n_batch, (unsigned long long)n_rows, ROWS_MAX);
    struct model_options m = g->model;
    m.n_chunk = (uint32_t)n_rows;
    const struct iso_engine_options o = {.n_sessions = g->n_batch, .n_logits = (uint32_t)n_rows};
    enum err rc = load_engine(&g->loaded, &m, &o, note);
    if (rc)
        return rc;
    g->sessions = mem_array(g->n_batch, sizeof g->sessions[0]);
    g->digests = mem_array(g->tokens.n_ids * g->n_batch, sizeof g->digests[0]);
    if (!g->sessions || !g->digests)
        return err_set(note, ERR_MEMORY, "out of memory for %zu hashes", g->tokens.n_ids);
    g->sessions[0] = g->loaded.session;
    for (uint32_t i = 1; !rc && i < g->n_batch; i++)
        rc = (enum err)iso_session_open(g->loaded.engine, &g->sessions[i], (struct iso_note *)note);
    return rc;
}

/* Line of one token: position, id, hash, and the values in full precision where wanted. */
static void print_token(struct logits *g, const struct iso_event *e)
{
    char hex[SHA256_HEX];
    uint32_t n_vocab = iso_engine_info(g->loaded.engine).n_vocab;
    hex_of(e->digest, ISO_DIGEST_BYTES, hex);
    buf_clear(&g->line);
    if (g->json)
        buf_printf(&g->line, "%s\n  {\"position\": %u, \"token\": %d, \"sha256\": \"%s\"",
                   g->n_printed ? "," : "", e->position, e->token, hex);
    else
        buf_printf(&g->line, "%u %d %s", e->position, e->token, hex);
    if (g->values && g->json)
        buf_str(&g->line, ", \"logits\": [");
    for (uint32_t i = 0; g->values && i < n_vocab; i++)
        buf_printf(&g->line, "%s%.9g", g->json ? i ? ", " : "" : " ", (double)e->logits[i]);
    if (g->json)
        buf_str(&g->line, g->values ? "]}" : "}");
    else
        buf_char(&g->line, '\n');
    fwrite(g->line.bytes, 1, g->line.n_bytes, stdout);
    g->n_printed++;
}

static enum err take_events(struct logits *g, const struct iso_event *events, size_t n,
                            struct err_note *note)
{
    for (size_t i = 0; i < n; i++) {
        const struct iso_event *e = &events[i];
        if (e->kind == ISO_EVENT_FINISH && e->err)
            return err_set(note, (enum err)e->err, "%s", e->note);
        if (e->kind != ISO_EVENT_LOGITS)
            continue;
        uint32_t lane = 0;
        while (g->sessions[lane] != e->session)
            lane++;
        memcpy(g->digests[lane * g->tokens.n_ids + e->position], e->digest, ISO_DIGEST_BYTES);
        if (lane == 0)
            print_token(g, e);
    }
    return ERR_OK;
}

/* A chunk of the tokens for every session, side by side in one pass. */
static enum err run_chunk(struct logits *g, uint32_t from, uint32_t n, struct err_note *note)
{
    struct iso_request r = iso_request_default();
    r.tokens = g->tokens.ids + from;
    r.n_tokens = n;
    r.n_answer_max = 0;
    r.want_logits_prompt = r.want_digests = true;
    enum err rc = ERR_OK;
    for (uint32_t i = 0; !rc && i < g->n_batch; i++)
        rc = (enum err)iso_session_submit(g->sessions[i], &r, (struct iso_note *)note);
    const struct iso_event *events;
    for (size_t n_events; !rc && (n_events = iso_engine_step(g->loaded.engine, &events)) > 0;)
        rc = take_events(g, events, n_events, note);
    return rc;
}

static enum err check_lanes(const struct logits *g, struct err_note *note)
{
    size_t n = g->tokens.n_ids;
    for (uint32_t lane = 1; lane < g->n_batch; lane++)
        for (size_t i = 0; i < n; i++)
            if (memcmp(g->digests[i], g->digests[lane * n + i], ISO_DIGEST_BYTES) != 0)
                return err_set(note, ERR_NUMERIC,
                               "the logits at position %zu differ between sequences 0 and %u of "
                               "one batch; please report this",
                               i, lane);
    return ERR_OK;
}

static enum err work(struct logits *g, struct err_note *note)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX];
    enum err rc = load_tokens(&g->loaded, g->model.path, &g->input, &g->tokens, note);
    if (!rc)
        rc = open_sessions(g, note);
    if (!rc)
        rc = check_context(&g->loaded, g->tokens.n_ids, note);
    if (rc)
        return rc;
    uint32_t n = (uint32_t)g->tokens.n_ids;
    if (g->json)
        printf("{\n \"arithmetic\": \"%s\",\n \"tokens\": [",
               iso_engine_info(g->loaded.engine).arithmetic);
    for (uint32_t from = 0; !rc && from < n; from += g->model.n_chunk)
        rc = run_chunk(g, from, n - from < g->model.n_chunk ? n - from : g->model.n_chunk, note);
    if (!rc)
        rc = check_lanes(g, note);
    if (rc)
        return rc;
    sha256_of(g->digests, n * sizeof g->digests[0], digest);
    hex_of(digest, sizeof digest, hex);
    printf(g->json ? "\n ],\n \"sha256\": \"%s\"\n}\n" : "all %s\n", hex);
    return ERR_OK;
}

int cmd_logits(int argc, char **argv)
{
    struct logits g = {.n_batch = 1, .model.n_chunk = CHUNK_DEFAULT};
    const struct arg_option options[] = {
        TOKEN_OPTIONS(g.input),
        OPT_HEADING("How (none of it changes a bit of the result)"),
        OPT_U32(0, "chunk", "N", &g.model.n_chunk, 1, ROWS_MAX,
                "tokens read in one pass (default: 64)"),
        OPT_U32(0, "batch", "N", &g.n_batch, 1, 4096,
                "the same tokens N times side by side; all must agree"),
        COMPUTE_OPTIONS(g.model),
        OPT_HEADING("Model"),
        MODEL_OPTION(g.model),
        CONTEXT_OPTION(g.model),
        OPT_HEADING("Output"),
        OPT_FLAG(0, "values", &g.values, "the logits themselves too"),
        OPT_FLAG(0, "json", &g.json, "as one JSON object"),
    };
    const struct arg_command command = {
        .name = "logits",
        .summary = "print a hash of the logits after each token",
        .usage = "logits [-m MODEL] (-p TEXT | -f FILE | --tokens IDS) [options]",
        .about =
            "Each line is a position, the token there, and the SHA-256 of the logits after it as\n"
            "little-endian binary32; the last line is the hash over all of these hashes. Two\n"
            "machines that print the same compute the same.\n"
            "ISOBIT_ISA=scalar|avx2|avx512|neon chooses the instruction set.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit logits -p \"What is isobit?\"\n"
                    "ISOBIT_ISA=scalar isobit logits -p \"What is isobit?\" --chunk 7 --batch 3",
    };
    struct err_note note = {""};
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    buf_init(&g.line, 1 << 28);
    if (!rc)
        rc = work(&g, &note);
    buf_release(&g.line);
    mem_free(g.sessions);
    mem_free(g.digests);
    token_list_release(&g.tokens);
    load_close(&g.loaded);
    return rc ? say_error(rc, &note) : EXIT_OK;
}
