/* worker.c - a model's process: opens it, tells the front, then turns frames into calls. */
#include "server/worker.h"

#include <event2/event.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/threads.h"
#include "engine/embedder.h"
#include "engine/engine.h"
#include "engine/plan.h"
#include "format/quant_name.h"
#include "server/worker_int.h"

enum {
    SESSIONS_DEFAULT = 1024,
    RUNNING_DEFAULT = 16,
    CONTEXT_DEFAULT = 8192,
    REPLY_BYTES_MAX = 1 << 20,
};

void worker_reply_line(struct worker *w, uint64_t id, const struct reply_line *line,
                       const char *unknown, struct str body)
{
    struct buf head;
    buf_init(&head, sizeof *line + line->n_unknown + 1);
    buf_add(&head, line, sizeof *line);
    buf_add(&head, unknown, line->n_unknown);
    CHECK(!head.failed);
    frames_send(w->frames, FRAME_REPLY, id, (struct str){head.bytes, head.n_bytes}, body);
    frames_send(w->frames, FRAME_END, id, STR(""), STR(""));
    buf_release(&head);
}

void worker_reply(struct worker *w, uint64_t id, int status, struct str unknown, struct str body)
{
    const struct reply_line line = {.status = (uint32_t)status,
                                    .n_unknown = (uint32_t)unknown.len};
    worker_reply_line(w, id, &line, unknown.ptr, body);
}

void worker_fail(struct worker *w, uint64_t id, struct str path, const struct api_error *e)
{
    struct buf body;
    buf_init(&body, REPLY_BYTES_MAX);
    dialect_error(&body, path, e);
    worker_reply(w, id, e->status, STR(""), (struct str){body.bytes, body.n_bytes});
    buf_release(&body);
}

/* Calls without generation. */
static const struct {
    const char *path;
    void (*call)(struct worker *w, uint64_t id, struct str path, struct str body);
} calls[] = {
    {"/tokenize", call_tokenize},
    {"/detokenize", call_detokenize},
    {"/apply-template", call_apply_template},
    {"/props", call_props},
    {"/api/show", call_show},
    {"/v1/messages/count_tokens", call_count_tokens},
    {VERIFY_PATH, call_verify},
    {"/v1/responses/input_tokens", call_count_tokens},
};

static void refuse_to_talk(struct worker *w, uint64_t id, struct str path)
{
    struct api_error e;
    api_fail(&e, 400, "model", "%s %s and generates no text; use %s", w->options.name,
             w->ranks ? "scores pairs of texts" : "makes embeddings",
             w->ranks ? "/rerank or /score" : "/v1/embeddings");
    worker_fail(w, id, path, &e);
}

static void on_call(struct worker *w, uint64_t id, struct str bytes)
{
    struct call_head head;
    CHECK(bytes.len >= sizeof head);
    memcpy(&head, bytes.ptr, sizeof head);
    CHECK(bytes.len - sizeof head >= head.n_path);
    struct str path = {bytes.ptr + sizeof head, head.n_path};
    struct str body = {path.ptr + path.len, bytes.len - sizeof head - path.len};
    const struct dialect *dialect = dialect_of(path);
    enum embed_kind kind;
    if (str_is(path, NONCES_PATH)) {
        nonces_begin(w, id, body);
        return;
    }
    if (embed_kind_of(path, &kind)) {
        embedding_begin(w, id, &head, kind, path, body);
        return;
    }
    if (dialect && w->embedder) {
        refuse_to_talk(w, id, path);
        return;
    }
    if (dialect) {
        completion_begin(w, id, &head, dialect, body);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        if (str_is(path, calls[i].path)) {
            calls[i].call(w, id, path, body);
            return;
        }
    struct api_error e;
    api_fail(&e, 404, NULL, "no such endpoint: %.*s", STR_ARG(path));
    worker_fail(w, id, path, &e);
}

static void on_frame(void *context, uint8_t kind, uint64_t id, struct str bytes)
{
    struct worker *w = context;
    rest_stir(&w->rest);
    if (kind == FRAME_CALL)
        on_call(w, id, bytes);
    else if (kind == FRAME_CANCEL && !embedding_cancel(w, id) && !nonces_cancel(w, id) &&
             !verification_cancel(w, id))
        completion_cancel(w, id);
    else if (kind == FRAME_LOAD)
        w->may_load = true;
}

static void on_front_gone(void *context)
{
    struct worker *w = context;
    w->front_gone = true;
    event_base_loopbreak(w->loop);
}

static void say_stats(struct worker *w)
{
    struct stats stats;
    if (w->vectors ? vectors_stats(w->vectors, &stats) : answers_stats(w->answers, &stats))
        frames_send(w->frames, FRAME_STATS, 0, STR(""), (struct str){(char *)&stats, sizeof stats});
}

/* Whose news these are. */
static void (*take_of(const struct answer *answer))(const struct news *news)
{
    return answer->replay ? verification_take : answer->hidden ? embedding_take : completion_take;
}

static void on_news(int fd, short what, void *context)
{
    (void)fd, (void)what;
    struct worker *w = context;
    size_t n;
    rest_stir(&w->rest);
    if (w->vectors) {
        embeddings_done(w);
        say_stats(w);
        return;
    }
    const struct news *news = answers_news(w->answers, &n);
    for (size_t i = 0; i < n; i++)
        if (!nonces_take(w, &news[i]))
            take_of(news[i].answer)(&news[i]);
    completion_flush(w);
    say_stats(w);
}

/* Tells the front what the model will take, and waits until there is room for it. */
static enum err ask_for_room(struct worker *w, uint64_t n_bytes, struct err_note *note)
{
    frames_send(w->frames, FRAME_NEEDS, 0, STR(""), (struct str){(char *)&n_bytes, sizeof n_bytes});
    while (!w->may_load && !w->front_gone && event_base_loop(w->loop, EVLOOP_ONCE) == 0)
        ;
    return w->may_load ? ERR_OK : err_set(note, ERR_CANCELLED, "the front is gone");
}

static enum err engine_needs(struct worker *w, const struct iso_engine_options *o,
                             struct err_note *note)
{
    struct plan plan = {0};
    enum err rc = engine_plan(&w->speech.table, NULL, o, &plan, note);
    uint64_t n_bytes = plan_part_bytes(&plan.cpu) + plan.n_bytes_in_file;
    return rc ? rc : ask_for_room(w, n_bytes, note);
}

/* A GPU was lost, or none was found: what computes now is told to the front too. */
static void on_notice(void *context, const char *text)
{
    struct worker *w = context;
    w->options.say(text);
    if (!w->engine && !w->embedder)
        return;
    if (w->engine) {
        w->info = iso_engine_info(w->engine);
    } else {
        w->info.device = iso_embedder_info(w->embedder).device;
        w->info.gpu = iso_embedder_info(w->embedder).gpu;
    }
    worker_say_facts(w, FRAME_FACTS);
}

/* A model that is made for vectors: the file says how its rows are pooled, or it is an encoder. */
static enum err open_embedder(struct worker *w, struct err_note *note)
{
    const struct worker_options *o = &w->options;
    struct iso_embedder_options options = {.n_threads = o->n_threads,
                                           .isa = o->isa,
                                           .gpu = o->gpu,
                                           .n_bytes_gpu = o->n_bytes_gpu,
                                           .profile = o->profile,
                                           .n_gpu_layers = o->n_gpu_layers,
                                           .n_ctx = o->n_ctx,
                                           .n_rows = o->n_chunk,
                                           .notice = on_notice,
                                           .notice_context = w};
    uint64_t n_bytes;
    enum err rc = embedder_needs(&w->speech.table, &options, &n_bytes, note);
    if (!rc)
        rc = ask_for_room(w, n_bytes, note);
    if (!rc)
        rc = embedder_open(&w->speech.table, &options, &w->embedder, note);
    if (rc)
        return rc;
    struct iso_embedder_info info = iso_embedder_info(w->embedder);
    w->n_dims = info.n_dims;
    w->pooling = info.pooling;
    w->ranks = info.pooling == ISO_POOLING_RANK;
    w->knows_pairs = info.n_types > 1;
    w->info = (struct iso_engine_info){.arch = info.arch,
                                       .arithmetic = info.arithmetic,
                                       .isa = info.isa,
                                       .device = info.device,
                                       .n_threads = info.n_threads,
                                       .n_vocab = info.n_vocab,
                                       .n_ctx = info.n_ctx,
                                       .n_ctx_train = info.n_ctx_train,
                                       .n_layers = info.n_layers,
                                       .gpu = info.gpu,
                                       .n_params = info.n_params,
                                       .n_bytes_weights = info.n_bytes_weights};
    return ERR_OK;
}

static enum err open_model(struct worker *w, struct err_note *note)
{
    const struct worker_options *o = &w->options;
    bool embeds = false;
    w->n_running = o->n_running ? o->n_running : RUNNING_DEFAULT;
    struct iso_engine_options engine = {.n_threads = o->n_threads,
                                        .isa = o->isa,
                                        .gpu = o->gpu,
                                        .n_bytes_gpu = o->n_bytes_gpu,
                                        /* Artifacts of proof of compute are exact. */
                                        .profile = o->poc ? "exact" : o->profile,
                                        .n_gpu_layers = o->n_gpu_layers,
                                        .notice = on_notice,
                                        .notice_context = w,
                                        .n_ctx = o->n_ctx,
                                        .n_chunk = o->n_chunk,
                                        .n_sessions = o->n_sessions,
                                        .n_running = w->n_running,
                                        .n_queue = o->n_queue,
                                        .n_kv_pages = o->n_kv_pages};
    enum err rc = speech_open(&w->speech, o->path, o->template, o->tool_format, note);
    if (!rc)
        rc = embedder_suits(&w->speech.table, &embeds, note);
    if (rc || embeds)
        return rc ? rc : open_embedder(w, note);
    if (engine.n_sessions == 0)
        engine.n_sessions = SESSIONS_DEFAULT;
    if (o->poc) { /* clients' places stay theirs */
        engine.n_queue = engine.n_queue ? engine.n_queue + NONCES_FLIGHTS_MAX : 0;
        engine.n_sessions += NONCES_FLIGHTS_MAX;
    }
    if (engine.n_ctx == 0) {
        uint32_t n = table_context(&w->speech.table);
        engine.n_ctx = n && n < CONTEXT_DEFAULT ? n : CONTEXT_DEFAULT;
    }
    if (engine.n_kv_pages == 0) /* as many as run at once may use the whole context */
        engine.n_kv_pages = (engine.n_ctx + ISO_PAGE_POSITIONS - 1) / ISO_PAGE_POSITIONS *
                            engine.n_running;
    rc = engine_needs(w, &engine, note);
    rc = rc ? rc : engine_open(&w->speech.table, NULL, &engine, &w->engine, note);
    if (rc)
        return rc;
    w->info = iso_engine_info(w->engine);
    w->n_dims = w->info.n_embd;
    w->pooling = ISO_POOLING_LAST;
    return ERR_OK;
}

/* What lies on a GPU. */
static void write_gpu(const struct iso_engine_info *info, bool is_whole, struct writer *j)
{
    const struct iso_memory *g = &info->gpu;
    uint32_t n = is_whole || info->n_gpu_layers > info->n_layers ? info->n_layers
                                                                 : info->n_gpu_layers;
    if (g->n_bytes == 0)
        return;
    write_key(j, "gpu");
    write_open(j, '{');
    write_key_int(j, "layers", n);
    write_key_int(j, "weight_bytes", (int64_t)g->n_bytes_weights);
    write_key_int(j, "cache_bytes", (int64_t)g->n_bytes_cache);
    write_key_int(j, "working_bytes", (int64_t)g->n_bytes_working);
    write_key_int(j, "draft_bytes", (int64_t)g->n_bytes_draft);
    write_key_int(j, "context_bytes", (int64_t)g->n_bytes_context);
    write_key_int(j, "available_bytes", (int64_t)g->n_bytes);
    write_close(j, '}');
}

void worker_say_facts(struct worker *w, enum frame_kind kind)
{
    struct buf out;
    struct writer j;
    char quant[QUANT_NAME_BYTES];
    quant_name(&w->speech.table, quant);
    buf_init(&out, 1 << 16);
    write_begin(&j, &out);
    write_open(&j, '{');
    write_key_text(&j, "arch", str_from(w->info.arch));
    write_key_text(&j, "arithmetic", str_from(w->info.arithmetic));
    write_key_text(&j, "device", str_from(w->info.device));
    write_key_text(&j, "isa", str_from(w->info.isa));
    write_key_int(&j, "threads", w->info.n_threads);
    write_key_int(&j, "layers", w->info.n_layers);
    write_gpu(&w->info, w->embedder != NULL, &j);
    write_key_int(&j, "context", w->info.n_ctx);
    write_key_int(&j, "context_trained", w->info.n_ctx_train);
    write_key_int(&j, "vocabulary", w->info.n_vocab);
    write_key_int(&j, "parameters", (int64_t)w->info.n_params);
    write_key_int(&j, "weight_bytes", (int64_t)w->info.n_bytes_weights);
    write_key_int(&j, "file_bytes", (int64_t)w->speech.table.n_bytes_file);
    write_key_text(&j, "quantization", str_from(quant));
    write_key_text(&j, "type",
                   w->ranks ? STR("ranking") : w->embedder ? STR("embedding") : STR("generation"));
    write_key_int(&j, "dimensions", w->n_dims);
    write_key_text(&j, "pooling", str_from(iso_pooling_text(w->pooling)));
    write_key_word(&j, "chat", w->speech.face.template && !w->embedder ? "true" : "false");
    if (w->weights_hex[0])
        write_key_text(&j, "weights_sha256", str_from(w->weights_hex));
    write_close(&j, '}');
    CHECK(!out.failed);
    frames_send(w->frames, kind, 0, STR(""), (struct str){out.bytes, out.n_bytes});
    buf_release(&out);
}

/* The front reads why before it sees the socket close. */
static enum err say_failed(struct worker *w, enum err rc, const struct err_note *note)
{
    frames_send(w->frames, FRAME_FAILED, 0, STR(""), str_from(note->text));
    while (frames_unsent(w->frames) > 0 && event_base_loop(w->loop, EVLOOP_ONCE) == 0)
        ;
    return rc;
}

/* Where it was not computed before; else it is remembered. */
static enum err hash_weights(const struct worker *w, struct err_note *note)
{
    struct identity identity;
    int n_threads = w->options.n_threads ? w->options.n_threads : threads_online();
    struct threads *threads = threads_new(n_threads);
    if (!threads)
        return err_set(note, ERR_MEMORY, "no threads to hash the weights");
    enum err rc = identity_find(&w->speech.table, threads, NULL, NULL, &identity, note);
    threads_free(threads);
    return rc;
}

static enum err serve(struct worker *w, struct err_note *note)
{
    int fd;
    enum err rc = open_model(w, note);
    if (!rc && w->options.receipts)
        rc = hash_weights(w, note);
    if (!rc)
        rc = w->embedder ? vectors_start(w->embedder, &w->vectors, &fd, note)
                         : answers_start(w->engine, &w->answers, &fd, note);
    if (rc)
        return say_failed(w, rc, note);
    struct event *news = event_new(w->loop, fd, EV_READ | EV_PERSIST, on_news, w);
    if (!news)
        return err_set(note, ERR_MEMORY, "out of memory for the worker");
    event_add(news, NULL);
    fingerprint_begin(w);
    w->is_ready = true;
    worker_say_facts(w, FRAME_READY);
    say_stats(w);
    event_base_dispatch(w->loop);
    event_free(news);
    return ERR_OK;
}

enum err worker_run(const struct worker_options *o, struct err_note *note)
{
    struct worker w = {.options = *o, .loop = event_base_new()};
    if (w.loop && rest_init(&w.rest, w.loop))
        w.frames = frames_new(w.loop, o->fd, FRAME_BYTES_MAX, on_frame, on_front_gone, &w);
    enum err rc = w.frames ? serve(&w, note)
                           : err_set(note, ERR_MEMORY, "out of memory for the worker");
    answers_stop(w.answers);
    vectors_stop(w.vectors);
    completions_release(&w);
    embeddings_release(&w);
    nonces_release(&w);
    verifications_release(&w);
    iso_engine_close(w.engine);
    iso_embedder_close(w.embedder);
    grammar_vocab_free(w.vocabs[0]);
    grammar_vocab_free(w.vocabs[1]);
    fingerprint_end(&w);
    speech_close(&w.speech);
    frames_free(w.frames);
    rest_release(&w.rest);
    if (w.loop) {
        event_base_loop(w.loop, EVLOOP_NONBLOCK); /* what was freed is closed there */
        event_base_free(w.loop);
    }
    return rc;
}
