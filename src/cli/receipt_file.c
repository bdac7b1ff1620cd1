/* receipt_file.c - from makers to signed files. */
#include "cli/receipt_file.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "cli/folders.h"
#include "cli/say.h"

enum { DEVICE_BYTES_MAX = 160 };

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static enum err open_pair(const struct receipt_file *f, uint32_t i, struct receipt_pair *p,
                          struct err_note *note)
{
    char path[PATH_MAX], number[16] = "";
    if (f->n > 1)
        snprintf(number, sizeof number, ".%u", i + 1);
    int n = snprintf(path, sizeof path, "%s%s.bundle", f->path, number);
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(note, ERR_USAGE, "--receipt: the path is too long");
    enum err rc = file_writer_open_private(&p->bundle, path, note);
    if (rc)
        return rc;
    path[(size_t)n - strlen(".bundle")] = 0;
    rc = file_writer_open(&p->receipt, path, note);
    if (rc)
        file_writer_abort(&p->bundle);
    p->is_open = !rc;
    return rc;
}

enum err receipt_file_open(struct receipt_file *f, const char *path, const char *key_folder,
                           uint32_t n, struct err_note *note)
{
    char folder[PATH_MAX];
    *f = (struct receipt_file){.path = path};
    enum err rc = key_folder ? ERR_OK : folder_path(FOLDER_DATA, "node", folder, note);
    const char *keys = key_folder ? key_folder : folder;
    rc = rc ? rc : signing_open(keys, (uint64_t)time(NULL), &f->signing, note);
    if (rc)
        return rc;
    f->pairs = mem_array(n, sizeof f->pairs[0]);
    f->makers = mem_array(n, sizeof f->makers[0]);
    if (!f->pairs || !f->makers)
        return err_set(note, ERR_MEMORY, "out of memory for %u receipts", n);
    f->n = n;
    for (uint32_t i = 0; i < n; i++)
        maker_init(&f->makers[i]);
    for (uint32_t i = 0; i < n && !rc; i++)
        rc = open_pair(f, i, &f->pairs[i], note);
    f->clock_s = chat_face_clock();
    return rc;
}

enum err receipt_file_begin(struct receipt_file *f, const struct loaded *l,
                            struct iso_request *request, struct err_note *note)
{
    enum err rc = identity_begin(&l->table, &f->identity, note);
    request->want_records = request->want_pages = true;
    f->begun = taken_now();
    f->begun_ms = now_ms();
    return rc;
}

/* ---- writing ------------------------------------------------------------------------------ */

static enum err name_model(struct receipt_file *f, const struct receipt_source *s,
                           struct receipt *r, struct err_note *note)
{
    struct identity identity;
    if (!identity_known(f->identity))
        say("hashing the weights for the receipt");
    enum err rc = identity_wait(f->identity, &identity, note);
    rc = rc ? rc : tokenizer_hash(s->loaded->tokenizer, r->model.tokenizer.bytes, note);
    if (rc)
        return rc;
    memcpy(r->model.weights.bytes, identity.weights, SHA256_BYTES);
    memcpy(r->model.metadata.bytes, identity.config, SHA256_BYTES);
    if (s->template)
        memcpy(r->model.template.bytes, chat_template_hash(s->template), SHA256_BYTES);
    return ERR_OK;
}

/* One answer's, whose parameters are r's. */
static enum err write_pair(struct receipt_file *f, const struct receipt_source *s, uint32_t i,
                           struct receipt *r, struct err_note *note)
{
    struct bundle b = {.certificate = str_from(f->signing.text),
                       .request = s->request,
                       .prompt = s->prompt,
                       .prompt_ids = (const uint32_t *)s->prompt_ids,
                       .n_prompt_ids = s->n_prompt_ids};
    struct buf body, text;
    b.has[BUNDLE_CERTIFICATE] = b.has[BUNDLE_REQUEST] = b.has[BUNDLE_PROMPT] = true;
    b.has[BUNDLE_PROMPT_IDS] = true;
    enum err rc = maker_fill(&f->makers[i], &b, r, note);
    if (rc)
        return rc;
    buf_init(&body, CANON_BYTES_MAX);
    buf_init(&text, CANON_BYTES_MAX);
    receipt_write(r, &body);
    sign_write(SIGN_RECEIPT, (struct str){body.bytes, body.n_bytes}, &f->signing.pair, &text);
    file_writer_add(&f->pairs[i].receipt, text.bytes, text.n_bytes);
    bool failed = body.failed || text.failed;
    buf_clear(&text);
    bundle_write(&b, &text);
    file_writer_add(&f->pairs[i].bundle, text.bytes, text.n_bytes);
    if (failed || text.failed)
        rc = err_set(note, ERR_LIMIT,
                     "--receipt: what was read and written is more than the %d MiB that a "
                     "receipt's bundle may have",
                     CANON_BYTES_MAX >> 20);
    buf_release(&body);
    buf_release(&text);
    return rc;
}

static enum err write_answer(struct receipt_file *f, const struct receipt_source *s, uint32_t i,
                             const struct answer *answer, struct receipt r, struct err_note *note)
{
    struct parameters p = s->parameters;
    struct buf text;
    p.n_ctx = iso_engine_info(s->loaded->engine).n_ctx;
    p.request.sampling.choice = i;
    p.has_clock = s->template != NULL;
    p.clock_s = (uint64_t)f->clock_s;
    buf_init(&text, CANON_BYTES_MAX);
    parameters_write(&p, &text);
    r.parameters = (struct str){text.bytes, text.n_bytes};
    r.finish_reason = str_from(iso_finish_text(answer->finish));
    enum err rc = text.failed ? err_set(note, ERR_USAGE, "--receipt: a text of the options is no "
                                                         "UTF-8")
                              : write_pair(f, s, i, &r, note);
    buf_release(&text);
    return rc;
}

/* A bundle without its receipt is of no use, so it comes first and goes if that fails. */
static enum err commit(struct receipt_file *f, struct err_note *note)
{
    enum err rc = ERR_OK;
    for (uint32_t i = 0; i < f->n && !rc; i++) {
        char *path = mem_strdup(f->pairs[i].bundle.path);
        rc = path ? file_writer_commit(&f->pairs[i].bundle, note)
                  : err_set(note, ERR_MEMORY, "out of memory for a receipt");
        bool has_bundle = path && !rc;
        if (!path)
            break;
        f->pairs[i].is_open = false;
        if (has_bundle)
            rc = file_writer_commit(&f->pairs[i].receipt, note);
        else
            file_writer_abort(&f->pairs[i].receipt);
        if (rc && has_bundle)
            unlink(path);
        mem_free(path);
    }
    return rc;
}

enum err receipt_file_write(struct receipt_file *f, const struct receipt_source *s,
                            const struct answer *answers, struct err_note *note)
{
    struct iso_engine_info info = iso_engine_info(s->loaded->engine);
    struct taken ended = taken_now();
    char device[DEVICE_BYTES_MAX];
    snprintf(device, sizeof device, "cpu, %s, %d threads", info.isa, info.n_threads);
    struct receipt r = {.arithmetic = str_from(info.arithmetic),
                        .device = str_from(device),
                        .memory_bytes = ended.n_bytes_peak,
                        .utilisation_permille = taken_permille(&f->begun, &ended, info.n_threads),
                        .seed = s->parameters.request.sampling.seed,
                        .seed_by_node = s->seed_by_node,
                        .started_ms = f->begun_ms,
                        .ended_ms = now_ms()};
    enum err rc = name_model(f, s, &r, note);
    for (uint32_t i = 0; i < f->n && !rc; i++)
        rc = write_answer(f, s, i, &answers[i], r, note);
    rc = rc ? rc : commit(f, note);
    if (!rc)
        say("receipt%s in %s%s, with the bundle that checks it beside it", f->n > 1 ? "s" : "",
            f->path, f->n > 1 ? ".1 and so on" : "");
    return rc;
}

void receipt_file_close(struct receipt_file *f)
{
    for (uint32_t i = 0; i < f->n; i++) {
        if (f->pairs[i].is_open) {
            file_writer_abort(&f->pairs[i].bundle);
            file_writer_abort(&f->pairs[i].receipt);
        }
        maker_release(&f->makers[i]);
    }
    mem_free(f->pairs);
    mem_free(f->makers);
    identity_end(f->identity);
    signing_release(&f->signing);
    *f = (struct receipt_file){0};
}
