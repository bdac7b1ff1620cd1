/* ollama.c - which models there are and run, as Ollama tells it. */
#include "api/ollama.h"

#include <time.h>

#include "base/check.h"
#include "server/front_int.h"

enum { BODY_BYTES_MAX = 1 << 20 };

static void write_time(struct writer *w, const char *key, time_t t)
{
    char text[32];
    struct tm utc;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &utc));
    write_key_text(w, key, str_from(text));
}

/* All that a model has on a GPU. */
static json_int_t gpu_bytes(const json_t *facts)
{
    static const char *const parts[] = {"weight_bytes", "cache_bytes", "working_bytes",
                                        "draft_bytes", "context_bytes"};
    const json_t *gpu = json_object_get(facts, "gpu");
    json_int_t n = 0;
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        n += json_integer_value(json_object_get(gpu, parts[i]));
    return n;
}

/* Running: all weights, and what else is on a GPU, as Ollama counts. */
static json_int_t size_of(const json_t *facts, bool runs)
{
    json_int_t n_weights = json_integer_value(
        json_object_get(facts, runs ? "weight_bytes" : "file_bytes"));
    json_int_t n_gpu = json_integer_value(
        json_object_get(json_object_get(facts, "gpu"), "weight_bytes"));
    if (!runs)
        return n_weights;
    return (n_weights > n_gpu ? n_weights : n_gpu) + gpu_bytes(facts) - n_gpu;
}

/* A model of which nothing is known but its name has size 0. */
static void write_model(struct writer *w, const struct process *p, bool runs)
{
    json_t *facts = p->facts ? json_loads(p->facts, 0, NULL) : NULL;
    const char *arch = json_string_value(json_object_get(facts, "arch"));
    const char *quant = json_string_value(json_object_get(facts, "quantization"));
    const char *digest = json_string_value(json_object_get(facts, "weights_sha256"));
    json_int_t n_params = json_integer_value(json_object_get(facts, "parameters"));
    struct str name = str_from(p->model->name);
    write_open(w, '{');
    ollama_write_name(w, "name", name);
    ollama_write_name(w, "model", name);
    write_key_int(w, "size", size_of(facts, runs));
    write_key_text(w, "digest", str_from(digest ? digest : ""));
    write_key(w, "details");
    ollama_write_details(w, arch ? arch : "", (uint64_t)n_params, quant ? quant : "");
    if (runs) {
        write_time(w, "expires_at", (time_t)(time(NULL) + 315360000)); /* it stays */
        write_key_int(w, "size_vram", gpu_bytes(facts));
        write_key_int(w, "context_length",
                      json_integer_value(json_object_get(facts, "context")));
    } else {
        write_time(w, "modified_at", (time_t)p->front->started_s);
    }
    write_close(w, '}');
    json_decref(facts);
}

static void reply_models(struct front *f, struct http_exchange *x, bool runs)
{
    struct buf body;
    struct writer w;
    models_scan(f);
    buf_init(&body, BODY_BYTES_MAX);
    write_begin(&w, &body);
    write_open(&w, '{');
    write_key(&w, "models");
    write_open(&w, '[');
    for (size_t i = 0; i < f->options.n_models; i++)
        if (model_is_shown(&f->processes[i], visit_of(x)->key) &&
            (!runs || f->processes[i].state == PROCESS_READY))
            write_model(&w, &f->processes[i], runs);
    write_close(&w, ']');
    write_close(&w, '}');
    reply_json(x, 200, &body);
}

void get_ollama_tags(struct front *f, struct http_exchange *x)
{
    reply_models(f, x, false);
}

void get_ollama_ps(struct front *f, struct http_exchange *x)
{
    reply_models(f, x, true);
}
