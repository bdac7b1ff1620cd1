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

/* Of answer i; false: too long. */
static bool pair_path(const struct receipt_file *f, uint32_t i, const char *ending,
                      char path[PATH_MAX])
{
    char number[16] = "";
    if (f->n > 1)
        snprintf(number, sizeof number, ".%u", i + 1);
    int n = snprintf(path, PATH_MAX, "%s%s%s", f->path, number, ending);
    return n > 0 && n < PATH_MAX;
}

static enum err open_pair(const struct receipt_file *f, uint32_t i, struct receipt_pair *p,
                          struct err_note *note)
{
    char receipt[PATH_MAX], bundle[PATH_MAX];
    if (!pair_path(f, i, "", receipt) || !pair_path(f, i, ".bundle", bundle))
        return err_set(note, ERR_USAGE, "--receipt: the path is too long");
    enum err rc = file_writer_open_private(&p->bundle, bundle, note);
    if (rc)
        return rc;
    rc = file_writer_open(&p->receipt, receipt, note);
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

enum err receipt_file_begin(struct receipt_file *f, const struct loaded *l, struct err_note *note)
{
    f->begun = taken_now();
    f->begun_ms = now_ms();
    return identity_begin(&l->table, &f->identity, note);
}

/* ---- writing ------------------------------------------------------------------------------ */

/* What is known of every receipt at its end; device: where the text of that goes. */
static enum err fill_common(struct receipt_file *f, const struct loaded *l,
                            const struct chat_template *template, const char *computed_by,
                            const char *isa, int n_threads, char device[DEVICE_BYTES_MAX],
                            struct receipt *r, struct err_note *note)
{
    struct taken ended = taken_now();
    struct identity identity;
    r->ended_ms = now_ms();
    r->started_ms = f->begun_ms;
    r->memory_bytes = ended.n_bytes_peak;
    r->utilisation_permille = taken_permille(&f->begun, &ended, n_threads);
    snprintf(device, DEVICE_BYTES_MAX, "%s, %s, %d threads", computed_by, isa, n_threads);
    r->device = str_from(device);
    if (!identity_known(f->identity))
        say("hashing the weights for the receipt");
    enum err rc = identity_wait(f->identity, &identity, note);
    if (!rc && l->tokenizer)
        rc = tokenizer_hash(l->tokenizer, r->model.tokenizer.bytes, note);
    if (rc)
        return rc;
    memcpy(r->model.weights.bytes, identity.weights, SHA256_BYTES);
    memcpy(r->model.metadata.bytes, identity.config, SHA256_BYTES);
    if (template)
        memcpy(r->model.template.bytes, chat_template_hash(template), SHA256_BYTES);
    return ERR_OK;
}

/* A body is signed; both files are filled. */
static enum err write_pair(struct receipt_file *f, uint32_t i, const struct buf *body,
                           struct bundle *b, struct err_note *note)
{
    struct buf text;
    enum err rc = ERR_OK;
    buf_init(&text, CANON_BYTES_MAX);
    b->certificate = str_from(f->signing.text);
    b->has[BUNDLE_CERTIFICATE] = true;
    sign_write(SIGN_RECEIPT, (struct str){body->bytes, body->n_bytes}, &f->signing.pair, &text);
    file_writer_add(&f->pairs[i].receipt, text.bytes, text.n_bytes);
    bool failed = body->failed || text.failed;
    buf_clear(&text);
    bundle_write(b, &text);
    file_writer_add(&f->pairs[i].bundle, text.bytes, text.n_bytes);
    if (failed || text.failed)
        rc = err_set(note, ERR_LIMIT,
                     "--receipt: what was read and written is more than the %d MiB that a "
                     "receipt's bundle may have",
                     CANON_BYTES_MAX >> 20);
    buf_release(&text);
    return rc;
}

static enum err write_answer(struct receipt_file *f, const struct receipt_source *s, uint32_t i,
                             const struct answer *answer, struct receipt r, struct err_note *note)
{
    struct parameters p = s->parameters;
    struct buf text, body;
    p.n_ctx = iso_engine_info(s->loaded->engine).n_ctx;
    p.request.sampling.choice = i;
    p.has_clock = s->template != NULL;
    p.clock_s = (uint64_t)f->clock_s;
    buf_init(&text, CANON_BYTES_MAX);
    parameters_write(&p, &text);
    r.parameters = (struct str){text.bytes, text.n_bytes};
    r.finish_reason = str_from(iso_finish_text(answer->finish));
    struct bundle b = {.request = s->request,
                       .prompt = s->prompt,
                       .prompt_ids = (const uint32_t *)s->prompt_ids,
                       .n_prompt_ids = s->n_prompt_ids};
    b.has[BUNDLE_REQUEST] = b.has[BUNDLE_PROMPT] = b.has[BUNDLE_PROMPT_IDS] = true;
    buf_init(&body, CANON_BYTES_MAX);
    enum err rc = text.failed
                      ? err_set(note, ERR_USAGE, "--receipt: a text of the options is no UTF-8")
                      : maker_fill(&f->makers[i], &b, &r, note);
    if (!rc) {
        receipt_write(&r, &body);
        rc = write_pair(f, i, &body, &b, note);
    }
    buf_release(&body);
    buf_release(&text);
    return rc;
}

static void take_back(const struct receipt_file *f, uint32_t i, const char *ending)
{
    char path[PATH_MAX];
    if (pair_path(f, i, ending, path))
        unlink(path);
}

/* Where one fails, those before it go too. */
static enum err commit(struct receipt_file *f, struct err_note *note)
{
    enum err rc = ERR_OK;
    for (uint32_t i = 0; i < f->n && !rc; i++) {
        struct receipt_pair *p = &f->pairs[i];
        p->is_open = false;
        rc = file_writer_commit(&p->bundle, note);
        if (rc) {
            file_writer_abort(&p->receipt);
        } else {
            rc = file_writer_commit(&p->receipt, note);
            if (rc)
                take_back(f, i, ".bundle");
        }
        for (uint32_t k = 0; rc && k < i; k++) {
            take_back(f, k, ".bundle");
            take_back(f, k, "");
        }
    }
    return rc;
}

static void say_written(const struct receipt_file *f)
{
    say("receipt%s in %s%s, with the bundle that checks it beside it", f->n > 1 ? "s" : "", f->path,
        f->n > 1 ? ".1 and so on" : "");
}

enum err receipt_file_write(struct receipt_file *f, const struct receipt_source *s,
                            const struct answer *answers, struct err_note *note)
{
    struct iso_engine_info info = iso_engine_info(s->loaded->engine);
    char device[DEVICE_BYTES_MAX];
    struct receipt r = {.arithmetic = str_from(info.arithmetic),
                        .seed = s->parameters.request.sampling.seed,
                        .seed_by_node = s->seed_by_node};
    enum err rc = fill_common(f, s->loaded, s->template, info.device, info.isa, info.n_threads,
                              device, &r, note);
    for (uint32_t i = 0; i < f->n && !rc; i++)
        rc = write_answer(f, s, i, &answers[i], r, note);
    rc = rc ? rc : commit(f, note);
    if (!rc)
        say_written(f);
    return rc;
}

enum err receipt_file_write_vectors(struct receipt_file *f, const struct loaded *l,
                                    const struct iso_embedder_info *info, struct str request,
                                    struct receipt_vectors *r, struct err_note *note)
{
    const struct salt *salt = &f->makers[0].salt;
    char device[DEVICE_BYTES_MAX];
    struct bundle b = {.request = request, .salt = *salt};
    struct buf body;
    b.has[BUNDLE_REQUEST] = b.has[BUNDLE_SALT] = true;
    r->of.arithmetic = str_from(info->arithmetic);
    enum err rc =
        fill_common(f, l, NULL, info->device, info->isa, info->n_threads, device, &r->of, note);
    if (rc)
        return rc;
    r->of.request = commitment_of(salt, SALT_REQUEST, 0, request.ptr, request.len);
    buf_init(&body, CANON_BYTES_MAX);
    receipt_vectors_write(r, &body);
    rc = write_pair(f, 0, &body, &b, note);
    rc = rc ? rc : commit(f, note);
    if (!rc)
        say_written(f);
    buf_release(&body);
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
