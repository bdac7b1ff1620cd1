/* health.c - whether the server can answer: GET /health and GET /ready. */
#include <time.h>

#include "base/clock.h"
#include "base/room.h"
#include "server/front_int.h"

enum { BODY_BYTES_MAX = 1 << 16, MEMORY_BYTES_LOW = 64 << 20 };

static size_t count_ready(const struct front *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->options.n_models; i++)
        n += f->processes[i].state == PROCESS_READY;
    return n;
}

/* Those that answer a request: ready ones, and those that it loads. */
static size_t count_well(const struct front *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->options.n_models; i++) {
        const struct process *p = &f->processes[i];
        n += p->state == PROCESS_READY || (p->on_demand && p->state != PROCESS_DOWN);
    }
    return n;
}

/* The parts of the whole, in a word each. Models here compute on the processor. */
static void write_components(struct writer *w, const struct front *f, size_t n_well)
{
    bool low = mem_room_find().n_bytes < MEMORY_BYTES_LOW;
    struct str models = n_well == f->options.n_models ? STR("operational")
                        : n_well > 0                  ? STR("degraded")
                                                       : STR("unavailable");
    write_key(w, "components");
    write_open(w, '{');
    write_key_text(w, "gpu", STR("unused"));
    write_key_text(w, "cpu", STR("operational"));
    write_key_text(w, "memory", low ? STR("low") : STR("operational"));
    write_key_text(w, "models", models);
    write_key_text(w, "inference", n_well > 0 ? STR("operational") : STR("unavailable"));
    write_close(w, '}');
}

bool health_write(const struct front *f, struct buf *out)
{
    struct writer w;
    char text[32];
    time_t now = time(NULL);
    struct tm utc;
    size_t n_ready = count_ready(f), n_well = count_well(f);
    bool healthy = n_well == f->options.n_models;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    write_begin(&w, out);
    write_open(&w, '{');
    write_key_text(&w, "status", healthy ? STR("healthy") : n_well ? STR("degraded")
                                                                    : STR("unhealthy"));
    write_key_text(&w, "version", STR(ISOBIT_VERSION));
    write_key_int(&w, "timestamp", now);
    write_key_text(&w, "time", str_from(text));
    write_key_int(&w, "uptime_seconds", (int64_t)((clock_ns() - f->started_ns) / 1000000000));
    write_components(&w, f, n_well);
    write_key_int(&w, "active_nodes", (int64_t)n_ready);
    write_key(&w, "models_available");
    write_open(&w, '[');
    for (size_t i = 0; i < f->options.n_models; i++)
        if (f->processes[i].state == PROCESS_READY)
            write_text(&w, str_from(f->options.models[i].name));
    write_close(&w, ']');
    write_close(&w, '}');
    return healthy || n_well > 0;
}

void get_health(struct front *f, struct http_exchange *x)
{
    struct buf body;
    buf_init(&body, BODY_BYTES_MAX);
    bool is_up = health_write(f, &body);
    reply_json(x, is_up ? 200 : 503, &body);
}

void get_ready(struct front *f, struct http_exchange *x)
{
    struct buf body;
    struct writer w;
    bool ready = count_well(f) > 0 && !f->draining;
    buf_init(&body, BODY_BYTES_MAX);
    write_begin(&w, &body);
    write_open(&w, '{');
    write_key_word(&w, "ready", ready ? "true" : "false");
    if (!ready) {
        write_key_text(&w, "reason", f->draining ? STR("the server is shutting down")
                                                 : STR("no model is ready"));
        write_key(&w, "blocking_components");
        write_open(&w, '[');
        write_text(&w, f->draining ? STR("server") : STR("models"));
        write_close(&w, ']');
    }
    write_close(&w, '}');
    if (!ready)
        http_reply_header(x, "Retry-After", "1");
    reply_json(x, ready ? 200 : 503, &body);
}
