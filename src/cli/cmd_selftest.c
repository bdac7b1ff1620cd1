/* cmd_selftest.c - this machine's arithmetic against the definition, in seconds. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/threads.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/say.h"
#include "device/conformance.h"
#include "device/open.h"
#include "engine/engine.h"

enum { ISAS_MAX = 8, DEMO_TOKENS = 48 };

/* What one instruction set computed, or a GPU. */
struct result {
    const char *isa;
    struct device_choice device;
    struct conformance vectors[CONFORMANCE_MAX];
    size_t n_vectors, n_ok;
    uint8_t overall[SHA256_BYTES]; /* of all vectors */
    uint8_t demo[SHA256_BYTES];    /* of the demo model's logits */
    double seconds;
};

struct selftest {
    bool json, vectors, has_demo;
    struct gpu_options gpu;
    struct loaded demo;
    struct result results[ISAS_MAX];
    size_t n_results;
};

static enum err run_vectors(struct result *r, struct err_note *note)
{
    struct device *device;
    enum err rc = device_open(&r->device, &device, note);
    if (rc)
        return rc;
    r->n_vectors = conformance_run(device, r->vectors, r->overall);
    device->ops->close(device);
    for (size_t i = 0; i < r->n_vectors; i++)
        r->n_ok += conformance_ok(&r->vectors[i]);
    return r->n_vectors ? ERR_OK : err_set(note, ERR_MEMORY, "out of memory for the vectors");
}

/* The hash of the logits' hashes after each of DEMO_TOKENS fixed tokens, prompt and answer. */
static enum err run_demo(const struct loaded *demo, struct result *r, struct err_note *note)
{
    const struct iso_engine_options o = {.isa = r->device.isa,
                                         .gpu = r->device.gpu,
                                         .n_bytes_gpu = r->device.n_bytes_gpu,
                                         .n_ctx = DEMO_TOKENS,
                                         .n_chunk = 7};
    struct iso_engine *engine;
    struct iso_session *session;
    enum err rc = engine_open(&demo->table, NULL, &o, &engine, note);
    if (rc)
        return rc;
    int32_t tokens[DEMO_TOKENS / 2];
    for (int i = 0; i < DEMO_TOKENS / 2; i++)
        tokens[i] = (int32_t)((uint32_t)i * 40503u % iso_engine_info(engine).n_vocab);
    struct iso_request request = iso_request_default();
    request.tokens = tokens;
    request.n_tokens = DEMO_TOKENS / 2;
    request.want_digests = true;
    request.sampling.seed = 1;
    rc = (enum err)iso_session_open(engine, &session, (struct iso_note *)note);
    if (!rc)
        rc = (enum err)iso_session_submit(session, &request, (struct iso_note *)note);
    struct sha256 hash;
    const struct iso_event *events;
    sha256_init(&hash);
    for (size_t n; !rc && (n = iso_engine_step(engine, &events)) > 0;)
        for (size_t i = 0; i < n; i++) {
            if (events[i].kind == ISO_EVENT_TOKEN)
                sha256_add(&hash, events[i].digest, ISO_DIGEST_BYTES);
            if (events[i].err)
                rc = err_set(note, (enum err)events[i].err, "%s", events[i].note);
        }
    sha256_end(&hash, r->demo);
    iso_engine_close(engine);
    return rc;
}

static bool all_equal(const struct selftest *s)
{
    const struct result *first = &s->results[0];
    bool equal = true;
    for (size_t i = 0; i < s->n_results; i++) {
        const struct result *r = &s->results[i];
        equal &= r->n_ok == r->n_vectors;
        equal &= memcmp(r->overall, first->overall, SHA256_BYTES) == 0;
        equal &= memcmp(r->demo, first->demo, SHA256_BYTES) == 0;
    }
    return equal;
}

static void print_text(const struct selftest *s)
{
    char hex[SHA256_HEX];
    for (size_t i = 0; s->vectors && i < s->results[0].n_vectors; i++) {
        hex_of(s->results[0].vectors[i].hash, 8, hex);
        printf("%-24s %s", s->results[0].vectors[i].name, hex);
        for (size_t k = 0; k < s->n_results; k++)
            printf("  %s %s", s->results[k].isa,
                   conformance_ok(&s->results[k].vectors[i]) ? "ok" : "DIFFERS");
        putchar('\n');
    }
    for (size_t i = 0; i < s->n_results; i++) {
        const struct result *r = &s->results[i];
        bool demo_ok = memcmp(r->demo, s->results[0].demo, SHA256_BYTES) == 0;
        printf("%-8s %zu of %zu vectors as defined%s, %.1f s\n", r->isa, r->n_ok, r->n_vectors,
               !s->has_demo ? ""
               : demo_ok    ? ", demo model equal"
                            : ", demo model DIFFERS",
               r->seconds);
    }
    if (s->has_demo) {
        hex_of(s->results[0].demo, SHA256_BYTES, hex);
        printf("demo     %s\n", hex);
    }
    hex_of(s->results[0].overall, SHA256_BYTES, hex);
    printf("%-8s %s\n", ISO_ARITHMETIC, hex);
}

static void print_json(const struct selftest *s)
{
    char hex[SHA256_HEX];
    json_t *isas = json_array();
    for (size_t i = 0; i < s->n_results; i++) {
        const struct result *r = &s->results[i];
        json_t *vectors = json_array();
        for (size_t k = 0; k < r->n_vectors; k++) {
            hex_of(r->vectors[k].hash, SHA256_BYTES, hex);
            json_array_append_new(vectors,
                                  json_pack("{s:s,s:s,s:b}", "name", r->vectors[k].name, "sha256",
                                            hex, "ok", conformance_ok(&r->vectors[k])));
        }
        hex_of(r->overall, SHA256_BYTES, hex);
        json_t *isa = json_pack("{s:s,s:s,s:f,s:o}", "isa", r->isa, "sha256", hex, "seconds",
                                r->seconds, "vectors", vectors);
        hex_of(r->demo, SHA256_BYTES, hex);
        if (s->has_demo)
            json_object_set_new(isa, "demo_sha256", json_string(hex));
        json_array_append_new(isas, isa);
    }
    hex_of(s->results[0].overall, SHA256_BYTES, hex);
    json_t *all = json_pack("{s:s,s:s,s:b,s:o}", "arithmetic", ISO_ARITHMETIC, "sha256", hex, "ok",
                            all_equal(s), "isas", isas);
    json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(all);
}

static enum err run(struct selftest *s, const char *name, struct device_choice device,
                    struct err_note *note)
{
    struct result *r = &s->results[s->n_results++];
    uint64_t start_ns = clock_ns();
    *r = (struct result){.isa = name, .device = device};
    enum err rc = run_vectors(r, note);
    if (!rc && s->has_demo)
        rc = run_demo(&s->demo, r, note);
    r->seconds = (double)(clock_ns() - start_ns) * 1e-9;
    return rc;
}

static enum err work(struct selftest *s, struct err_note *note)
{
    struct gpu_choice gpu;
    enum err rc = gpu_choose(&s->gpu, &gpu, note);
    if (rc)
        return rc;
    struct device_choice choice = {
        .gpu = gpu.gpu, .n_bytes_gpu = gpu.n_bytes, .n_threads = threads_online()};
    s->has_demo = load_file(&s->demo, NULL, note) == ERR_OK;
    if (!s->has_demo)
        say("without the demo model: %s", note->text);
    for (const char *const *isa = cpu_isa_names(); *isa && !rc && s->n_results < ISAS_MAX - 1;
         isa++)
        rc = run(s, *isa, (struct device_choice){"cpu", 0, threads_online(), *isa}, note);
    if (!rc && choice.gpu && strcmp(choice.gpu, "auto") != 0 && strcmp(choice.gpu, "cpu") != 0)
        rc = run(s, choice.gpu, choice, note);
    if (rc)
        return rc;
    if (s->json)
        print_json(s);
    else
        print_text(s);
    if (all_equal(s))
        return ERR_OK;
    return err_set(note, ERR_NUMERIC,
                   "this machine does not compute as " ISO_ARITHMETIC
                   " defines; see isobit selftest --vectors");
}

int cmd_selftest(int argc, char **argv)
{
    static struct selftest s;
    const struct arg_option options[] = {
        OPT_FLAG('v', "vectors", &s.vectors, "every vector with its hash"),
        GPU_OPTIONS(s.gpu),
        OPT_FLAG(0, "json", &s.json, "everything, as one JSON object"),
    };
    const struct arg_command command = {
        .name = "selftest",
        .summary = "check this machine's arithmetic against the definition",
        .usage = "selftest [options]",
        .about =
            "Runs the conformance vectors and the demo model on every instruction set that works\n"
            "here, and on the GPU that --gpu names. The last line is one hash over all vectors:\n"
            "machines that print the same hash compute the same.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit selftest",
    };
    struct err_note note = {""};
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    if (!rc)
        rc = work(&s, &note);
    load_close(&s.demo);
    return rc ? say_error(rc, &note) : EXIT_OK;
}
