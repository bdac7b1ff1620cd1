/* cmd_poc_batch.c - isobit poc init, generate and validate: one model, one batch, no server. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/threads.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "node/init_request.h"
#include "poc/compute.h"
#include "poc/weights.h"

enum { BATCH_DEFAULT = 16 };

struct poc_words {
    const char *params, *block_hash, *public_key;
    const char *r_target, *fraud_threshold, *pool_fraction;
    uint32_t node_id, n_nodes, group, n_groups, n, n_threads, n_batch;
    uint64_t height;
    bool exact;
};

static const struct poc_words defaults = {.params = "testnet",
                                          .block_hash = "test",
                                          .public_key = "test",
                                          .r_target = "1.4013564660458173",
                                          .fraud_threshold = "0.01",
                                          .pool_fraction = "0.05",
                                          .n_nodes = 1,
                                          .n_groups = 1,
                                          .n = 500,
                                          .n_batch = BATCH_DEFAULT};

#define MODEL_OPTIONS(o)                                                                           \
    OPT_TEXT(0, "params", "NAME|FILE", &(o).params,                                                \
             "one of testnet, mainnet, default, go-default, go-test, test,\n"                      \
             "or a JSON file of an init request's params (default:\ntestnet)"),                    \
        OPT_TEXT(0, "block-hash", "TEXT", &(o).block_hash,                                         \
                 "what the weights are drawn from (default: test)"),                               \
        OPT_TEXT(0, "pool-fraction", "X", &(o).pool_fraction,                                      \
                 "of the weights' pool; 0: one after the other, as the\n"                          \
                 "chain began (default: 0.05)"),                                                   \
        OPT_FLAG(0, "exact", &(o).exact,                                                           \
                 "the exact profile: the same distances on every machine"),                        \
        OPT_U32(0, "batch", "N", &(o).n_batch, 1, 4096, "nonces at a time (default: 16)"),         \
        OPT_U32(0, "threads", "N", &(o).n_threads, 1, 1024, "default: every core")

#define TARGET_OPTIONS(o)                                                                          \
    OPT_TEXT(0, "r-target", "X", &(o).r_target,                                                    \
             "a nonce's distance must be under it (default:\n1.4013564660458173)")

/* ---- what the options mean ---------------------------------------------------------------- */

static enum err number(const char *option, const char *text, double min, double max, double *out,
                       struct err_note *note)
{
    if (!str_to_f64(str_from(text), out) || *out < min || *out > max)
        return err_set(note, ERR_USAGE, "--%s is \"%s\"; it must be a number from %g to %g", option,
                       text, min, max);
    return ERR_OK;
}

/* The params of a file: the object itself, or an object that has it under "params". */
static enum err read_params(const char *path, struct poc_params *p, struct err_note *note)
{
    char *text;
    size_t n_bytes;
    json_t *root;
    enum err rc = file_read(path, INIT_TEXT_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    rc = node_json((struct str){text, n_bytes}, 256, path, &root, note);
    mem_free(text);
    if (rc)
        return rc;
    const json_t *inner = json_object_get(root, "params");
    rc = params_read(p, inner ? inner : root, note);
    json_decref(root);
    return rc ? err_wrap(note, rc, "%s", path) : ERR_OK;
}

static enum err settings_of(const struct poc_words *o, struct poc_settings *s,
                            struct err_note *note)
{
    const struct poc_params *named = poc_params_named(o->params);
    const char *isa = getenv("ISOBIT_ISA");
    *s = (struct poc_settings){.block_hash = o->block_hash,
                               .profile = o->exact ? POC_EXACT : POC_COMPATIBLE,
                               .n_threads = o->n_threads ? (int)o->n_threads : threads_online(),
                               .isa = isa && *isa ? isa : NULL,
                               .n_batch = o->n_batch};
    if (strlen(o->block_hash) > CHAIN_KEY_MAX || strlen(o->public_key) > CHAIN_KEY_MAX)
        return err_set(note, ERR_LIMIT, "--block-hash and --public-key have at most %d bytes",
                       CHAIN_KEY_MAX);
    enum err rc = number("pool-fraction", o->pool_fraction, 0, 1, &s->pool_fraction, note);
    if (rc)
        return rc;
    if (named)
        s->params = *named;
    else if (file_exists(o->params))
        rc = read_params(o->params, &s->params, note);
    else
        rc = err_set(note, ERR_USAGE, "--params is \"%s\"; it must be testnet, mainnet, default, "
                     "go-default, go-test, test or a file", o->params);
    return rc;
}

/* dist[n], with a line on the way. */
static enum err distances(const struct poc_settings *s, const char *public_key,
                          const uint64_t *nonces, size_t n, double *dist, struct err_note *note)
{
    struct poc_compute *c;
    uint64_t begun_ns = clock_ns();
    enum err rc = poc_compute_open(&c, s, note);
    if (rc)
        return rc;
    say("weights drawn in %.1f s (%s)", (double)(clock_ns() - begun_ns) * 1e-9,
        poc_compute_isa(c));
    begun_ns = clock_ns();
    rc = poc_compute_run(c, public_key, nonces, n, dist, NULL, NULL, note);
    if (!rc)
        say("%zu nonces in %.1f s", n, (double)(clock_ns() - begun_ns) * 1e-9);
    poc_compute_close(c);
    return rc;
}

static enum err print(struct buf *out, struct err_note *note)
{
    if (out->failed)
        return err_set(note, ERR_MEMORY, "no memory for the result");
    printf("%s\n", out->bytes);
    return ERR_OK;
}

/* ---- init --------------------------------------------------------------------------------- */

static enum err init(const struct poc_words *o, const struct args *args, struct err_note *note)
{
    struct poc_settings s;
    struct poc_need need;
    struct poc_compute *c;
    (void)args;
    enum err rc = settings_of(o, &s, note);
    rc = rc ? rc : poc_compute_need(&s, &need, note);
    uint64_t begun_ns = clock_ns();
    rc = rc ? rc : poc_compute_open(&c, &s, note);
    if (rc)
        return rc;
    printf("{\"parameters\":%" PRIu64 ",\"drawn\":%" PRIu64 ",\"bytes\":%" PRIu64
           ",\"bytes_per_nonce\":%" PRIu64 ",\"isa\":\"%s\",\"threads\":%d,\"seconds\":%.3f}\n",
           poc_n_values(&s.params), poc_weights_held(&s.params, s.pool_fraction),
           need.n_weights + need.n_fixed, need.n_nonce, poc_compute_isa(c), s.n_threads,
           (double)(clock_ns() - begun_ns) * 1e-9);
    poc_compute_close(c);
    return ERR_OK;
}

/* ---- generate ----------------------------------------------------------------------------- */

static enum err generate(const struct poc_words *o, const struct args *args, struct err_note *note)
{
    struct poc_settings s;
    struct nonce_walk walk;
    double r_target;
    struct proof_batch b = {.block_height = (int64_t)o->height, .node_id = o->node_id};
    struct buf out;
    (void)args;
    enum err rc = settings_of(o, &s, note);
    rc = rc ? rc : number("r-target", o->r_target, 1e-9, 10, &r_target, note);
    rc = rc ? rc : nonce_walk_init(&walk, o->node_id, o->n_nodes, o->group, o->n_groups, note);
    if (rc)
        return rc;
    uint64_t *nonces = mem_array(o->n, sizeof nonces[0]);
    double *dist = mem_array(o->n, sizeof dist[0]);
    b.claims = mem_array(o->n, sizeof b.claims[0]);
    if (!nonces || !dist || !b.claims)
        rc = err_set(note, ERR_MEMORY, "no memory for %u nonces", o->n);
    for (uint32_t i = 0; i < o->n && !rc; i++)
        nonces[i] = nonce_walk_next(&walk);
    rc = rc ? rc : distances(&s, o->public_key, nonces, o->n, dist, note);
    for (uint32_t i = 0; i < o->n && !rc; i++)
        if (dist[i] < r_target)
            b.claims[b.n++] = (struct claim){nonces[i], dist[i]};
    if (!rc) {
        snprintf(b.public_key, sizeof b.public_key, "%s", o->public_key);
        snprintf(b.block_hash, sizeof b.block_hash, "%s", o->block_hash);
        buf_init(&out, PROOF_TEXT_BYTES_MAX);
        proof_batch_write(&b, &out);
        say("%zu of %u nonces are under %s", b.n, o->n, o->r_target);
        rc = print(&out, note);
        buf_release(&out);
    }
    mem_free(nonces);
    mem_free(dist);
    mem_free(b.claims);
    return rc;
}

/* ---- validate ----------------------------------------------------------------------------- */

/* A ProofBatch, or a ValidatedBatch, whose verdict and target are what somebody said. */
static enum err read_batch(const char *path, struct validated_batch *v, bool *has_verdict,
                           struct err_note *note)
{
    char *text;
    size_t n_bytes;
    *v = (struct validated_batch){0};
    enum err rc = file_read(path, 2 * PROOF_TEXT_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    struct str s = {text, n_bytes};
    *has_verdict = memmem(text, n_bytes, "\"received_dist\"", strlen("\"received_dist\"")) != NULL;
    rc = *has_verdict ? validated_batch_read(v, s, note) : proof_batch_read(&v->claimed, s, note);
    mem_free(text);
    return rc ? err_wrap(note, rc, "%s", path) : ERR_OK;
}

/* What was found anew, and beside it what the batch says was found. */
static enum err judge(const struct poc_words *o, struct validated_batch *v, bool has_verdict,
                      struct err_note *note)
{
    struct verdict said = v->verdict;
    v->exact = o->exact;
    enum err rc = number("r-target", o->r_target, 1e-9, 10, &v->r_target, note);
    if (!rc)
        rc = number("fraud-threshold", o->fraud_threshold, 0, 1, &v->fraud_threshold, note);
    rc = rc ? rc : validated_batch_judge(v, note);
    if (rc)
        return rc;
    if (has_verdict && said.n_invalid != UINT64_MAX)
        say("the batch says: %" PRIu64 " invalid, honest with probability %.3g, %s",
            said.n_invalid, said.honest, said.fraud ? "fraud" : "no fraud");
    say("%zu nonces, %" PRIu64 " invalid, honest with probability %.3g: %s", v->claimed.n,
        v->verdict.n_invalid, v->verdict.honest, v->verdict.fraud ? "fraud" : "no fraud");
    return ERR_OK;
}

static enum err recompute(const struct poc_words *o, struct validated_batch *v,
                          struct err_note *note)
{
    struct poc_settings s;
    size_t n = v->claimed.n;
    enum err rc = settings_of(o, &s, note);
    if (rc)
        return rc;
    s.block_hash = v->claimed.block_hash;
    uint64_t *nonces = mem_array(n, sizeof nonces[0]);
    double *found = mem_array(n, sizeof found[0]);
    if (!nonces || !found)
        rc = err_set(note, ERR_MEMORY, "no memory for %zu nonces", n);
    for (size_t i = 0; i < n && !rc; i++)
        nonces[i] = v->claimed.claims[i].nonce;
    if (!rc && n > 0)
        rc = distances(&s, v->claimed.public_key, nonces, n, found, note);
    mem_free(nonces);
    mem_free(v->found);
    v->found = found;
    return rc;
}

static enum err validate(const struct poc_words *o, const struct args *args, struct err_note *note)
{
    struct validated_batch v;
    struct buf out;
    bool has_verdict;
    enum { BLOCK_HASH_OPTION = 1 };
    enum err rc = read_batch(args->positional[0], &v, &has_verdict, note);
    if (rc)
        return rc;
    if (args->given[BLOCK_HASH_OPTION] && strcmp(o->block_hash, v.claimed.block_hash) != 0)
        rc = err_set(note, ERR_FORMAT, "%s: the batch is of block %.100s, not of %.100s",
                     args->positional[0], v.claimed.block_hash, o->block_hash);
    rc = rc ? rc : recompute(o, &v, note);
    rc = rc ? rc : judge(o, &v, has_verdict, note);
    if (!rc) {
        buf_init(&out, 2 * PROOF_TEXT_BYTES_MAX);
        validated_batch_write(&v, &out);
        rc = print(&out, note);
        buf_release(&out);
        if (!rc && v.verdict.fraud)
            rc = err_set(note, ERR_FORMAT, "%s is fraud", args->positional[0]);
    }
    validated_batch_release(&v);
    return rc;
}

/* ---- the commands ------------------------------------------------------------------------- */

static int run(const struct arg_command *command, struct poc_words *o, int argc, char **argv,
               enum err (*action)(const struct poc_words *, const struct args *,
                                  struct err_note *))
{
    struct err_note note = {""};
    struct args args;
    enum err rc = args_parse(command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(command, stdout);
        return EXIT_OK;
    }
    rc = rc ? rc : action(o, &args, &note);
    return rc ? say_error(rc, &note) : EXIT_OK;
}

int cmd_poc_init(int argc, char **argv)
{
    struct poc_words o = defaults;
    const struct arg_option options[] = {MODEL_OPTIONS(o)};
    const struct arg_command command = {
        .name = "poc init",
        .summary = "draw the random model's weights: what it takes, and how long",
        .usage = "poc init [options]",
        .about = "Prints JSON: the model's parameters, how many of them were drawn, the bytes\n"
                 "that it holds, those of each nonce of a batch, and the seconds.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit poc init --params mainnet --block-hash b",
    };
    return run(&command, &o, argc, argv, init);
}

int cmd_poc_generate(int argc, char **argv)
{
    struct poc_words o = defaults;
    const struct arg_option options[] = {
        MODEL_OPTIONS(o),
        TARGET_OPTIONS(o),
        OPT_TEXT(0, "public-key", "TEXT", &o.public_key, "whose nonces (default: test)"),
        OPT_U64(0, "block-height", "N", &o.height, "of the block (default: 0)"),
        OPT_U32('n', "nonces", "N", &o.n, 1, PROOF_NONCES_MAX,
                "nonces that are tried (default: 500)"),
        OPT_U32(0, "node", "I", &o.node_id, 0, 1 << 30, "this node of --nodes (default: 0)"),
        OPT_U32(0, "nodes", "N", &o.n_nodes, 1, 1 << 30, "default: 1"),
        OPT_U32(0, "group", "I", &o.group, 0, 1 << 30, "this group of --groups (default: 0)"),
        OPT_U32(0, "groups", "N", &o.n_groups, 1, 1 << 30, "default: 1"),
    };
    const struct arg_command command = {
        .name = "poc generate",
        .summary = "find nonces whose distance is under the target",
        .usage = "poc generate [options]",
        .about = "Prints a ProofBatch as JSON. Nonces are node + group * nodes, then on in steps\n"
                 "of nodes * groups, so that nobody computes another's.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit poc generate --params test --block-hash b --public-key k -n 1000",
    };
    return run(&command, &o, argc, argv, generate);
}

int cmd_poc_validate(int argc, char **argv)
{
    struct poc_words o = defaults;
    const struct arg_option options[] = {
        MODEL_OPTIONS(o),
        TARGET_OPTIONS(o),
        OPT_TEXT(0, "fraud-threshold", "X", &o.fraud_threshold,
                 "fraud: an honest batch would do as badly with less than\n"
                 "this probability (default: 0.01)"),
    };
    const struct arg_command command = {
        .name = "poc validate",
        .summary = "compute a batch's distances anew and judge it",
        .usage = "poc validate FILE [options]",
        .about = "FILE is a ProofBatch, or a ValidatedBatch whose verdict is shown and not\n"
                 "believed; \"-\" is standard input. Prints a ValidatedBatch as JSON; the exit\n"
                 "status is 1 for fraud. The block is the batch's; --block-hash refuses any other.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit poc generate --params test -n 1000 >batch.json\n"
                    "isobit poc validate batch.json --params test",
        .n_positional_min = 1,
        .n_positional_max = 1,
    };
    return run(&command, &o, argc, argv, validate);
}
