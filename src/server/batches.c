/* batches.c - OpenAI's /v1/files and /v1/batches: what clients see of store/jobs.h. */
#include <limits.h>
#include <stdio.h>
#include <time.h>

#include "api/batch.h"
#include "api/multipart.h"
#include "base/check.h"
#include "base/file.h"
#include "server/batch_run.h"
#include "server/front_int.h"
#include "server/query.h"

enum {
    REPLY_BYTES_MAX = 64 << 20,
    WINDOW_S = 24 * 3600,
};

/* ---- the store ---------------------------------------------------------------------------- */

/* Opened when it is first wanted, or at the start if it is there. */
static struct jobs *store(struct front *f, struct api_error *e)
{
    struct err_note note;
    char path[PATH_MAX];
    if (!f->options.data) {
        api_fail(e, 503, NULL, "this server keeps no files: it was started with --data ''");
        return NULL;
    }
    snprintf(path, sizeof path, "%s/batches.db", f->options.data);
    if (!f->batches && batch_run_open(f, path, &f->batches, &note)) {
        api_fail(e, 503, NULL, "%s", note.text);
        return NULL;
    }
    return batch_run_jobs(f->batches);
}

void batches_open(struct front *f)
{
    char path[PATH_MAX];
    struct api_error e;
    if (!f->options.data)
        return;
    snprintf(path, sizeof path, "%s/batches.db", f->options.data);
    if (file_exists(path) && !store(f, &e))
        front_say(f, "no batches: %s", e.message);
}

void batches_close(struct front *f)
{
    batch_run_close(f->batches);
    f->batches = NULL;
}

static const char *owner_of(const struct http_exchange *x)
{
    return visit_of(x)->key ? visit_of(x)->key->id : "";
}

static bool fail_with(struct api_error *e, enum err rc, const char *field,
                      const struct err_note *note)
{
    int status = rc == ERR_NOT_FOUND ? 404 : rc == ERR_IO || rc == ERR_MEMORY ? 500 : 400;
    return api_fail(e, rc == ERR_BUSY ? 409 : status, field, "%s", note->text);
}

/* The store, or the answer that says why not. */
static struct jobs *store_for(struct front *f, struct http_exchange *x)
{
    struct api_error e;
    struct jobs *j = store(f, &e);
    if (!j)
        front_fail(x, &e);
    return j;
}

static void fail_as(struct http_exchange *x, enum err rc, const struct err_note *note)
{
    struct api_error e;
    fail_with(&e, rc, NULL, note);
    front_fail(x, &e);
}

/* ---- files -------------------------------------------------------------------------------- */

static void write_file(struct writer *w, const struct jobs_file *file)
{
    write_open(w, '{');
    write_key_text(w, "id", str_from(file->id));
    write_key_text(w, "object", STR("file"));
    write_key_int(w, "bytes", (int64_t)file->n_bytes);
    write_key_int(w, "created_at", file->created_s);
    write_key_text(w, "filename", str_from(file->name));
    write_key_text(w, "purpose", str_from(file->purpose));
    write_key_text(w, "status", STR("processed"));
    write_close(w, '}');
}

static void reply_file(struct http_exchange *x, const struct jobs_file *file)
{
    struct buf body;
    struct writer w;
    buf_init(&body, REPLY_BYTES_MAX);
    write_begin(&w, &body);
    write_file(&w, file);
    reply_json(x, 200, &body);
}

static void copy_name(char *out, size_t n_out, struct str name)
{
    size_t n = name.len < n_out - 1 ? name.len : n_out - 1;
    while (n > 0 && n < name.len && (name.ptr[n] & 0xc0) == 0x80) /* not amid a character */
        n--;
    memcpy(out, name.ptr, n);
    out[n] = 0;
}

/* The form's file and purpose. */
static bool read_form(struct http_exchange *x, struct form_part *file, struct str *purpose,
                      struct api_error *e)
{
    struct str boundary, rest = http_body(x);
    struct form_part part;
    bool has_file = false;
    *purpose = STR("");
    if (!form_boundary(http_header(x, "Content-Type"), &boundary))
        return api_fail(e, 415, NULL, "a file comes as multipart/form-data");
    while (form_next(&rest, boundary, &part, e)) {
        if (str_is(part.name, "file")) {
            *file = part;
            has_file = true;
        } else if (str_is(part.name, "purpose")) {
            *purpose = part.bytes;
        }
    }
    if (e->status)
        return false;
    if (!has_file)
        return api_fail(e, 400, "file", "the form has no file");
    if (!str_is(*purpose, "batch"))
        return api_fail(e, 400, "purpose", "purpose must be batch: files have no other use here");
    if (!utf8_valid(file->file_name.ptr, file->file_name.len))
        return api_fail(e, 400, "file", "the file's name is no UTF-8");
    return true;
}

void post_file(struct front *f, struct http_exchange *x)
{
    struct jobs *j = store_for(f, x);
    struct form_part part = {.bytes = STR("")};
    struct str purpose;
    struct jobs_file file;
    struct api_error e;
    struct err_note note;
    char name[JOBS_NAME_BYTES];
    if (!j)
        return;
    bool ok = read_form(x, &part, &purpose, &e);
    if (ok) {
        copy_name(name, sizeof name, part.file_name.len ? part.file_name : STR("file"));
        enum err rc = jobs_file_add(j, owner_of(x), name, "batch", part.bytes, time(NULL), &file,
                                    &note);
        ok = !rc || fail_with(&e, rc, "file", &note);
    }
    if (ok)
        reply_file(x, &file);
    else
        front_fail(x, &e);
}

void get_file(struct front *f, struct http_exchange *x)
{
    struct jobs *j = store_for(f, x);
    struct jobs_file file;
    struct err_note note;
    enum err rc = j ? jobs_file(j, owner_of(x), visit_of(x)->id, &file, &note) : ERR_OK;
    if (rc)
        fail_as(x, rc, &note);
    else if (j)
        reply_file(x, &file);
}

void get_file_content(struct front *f, struct http_exchange *x)
{
    struct jobs *j = store_for(f, x);
    struct err_note note;
    struct buf bytes;
    if (!j)
        return;
    buf_init(&bytes, (size_t)1 << 30);
    enum err rc = jobs_file_read(j, owner_of(x), visit_of(x)->id, &bytes, &note);
    if (rc)
        fail_as(x, rc, &note);
    else
        http_reply(x, 200, "application/octet-stream",
                   (struct str){bytes.n_bytes ? bytes.bytes : "", bytes.n_bytes});
    buf_release(&bytes);
}

void delete_file(struct front *f, struct http_exchange *x)
{
    struct jobs *j = store_for(f, x);
    struct err_note note;
    struct buf body;
    struct writer w;
    if (!j)
        return;
    enum err rc = jobs_file_delete(j, owner_of(x), visit_of(x)->id, &note);
    if (rc) {
        fail_as(x, rc, &note);
        return;
    }
    buf_init(&body, REPLY_BYTES_MAX);
    write_begin(&w, &body);
    write_open(&w, '{');
    write_key_text(&w, "id", str_from(visit_of(x)->id));
    write_key_text(&w, "object", STR("file"));
    write_key_word(&w, "deleted", "true");
    write_close(&w, '}');
    reply_json(x, 200, &body);
}

/* A list under way: its items' ids are said at the end. */
struct list {
    struct buf body;
    struct writer w;
    char first[JOBS_ID_BYTES], last[JOBS_ID_BYTES];
};

static void begin_list(struct list *l)
{
    *l = (struct list){.first = ""};
    buf_init(&l->body, REPLY_BYTES_MAX);
    write_begin(&l->w, &l->body);
    write_open(&l->w, '{');
    write_key_text(&l->w, "object", STR("list"));
    write_key(&l->w, "data");
    write_open(&l->w, '[');
}

static void name_item(struct list *l, const char *id)
{
    if (!l->first[0])
        snprintf(l->first, sizeof l->first, "%s", id);
    snprintf(l->last, sizeof l->last, "%s", id);
}

static void write_id(struct writer *w, const char *key, const char *id)
{
    if (id[0])
        write_key_text(w, key, str_from(id));
    else
        write_key_word(w, key, "null");
}

static void end_list(struct list *l, struct http_exchange *x, enum err rc, bool more,
                     const struct err_note *note)
{
    if (rc) {
        buf_release(&l->body);
        fail_as(x, rc, note);
        return;
    }
    write_close(&l->w, ']');
    write_id(&l->w, "first_id", l->first);
    write_id(&l->w, "last_id", l->last);
    write_key_word(&l->w, "has_more", more ? "true" : "false");
    write_close(&l->w, '}');
    reply_json(x, 200, &l->body);
}

static void add_file(void *context, const struct jobs_file *file)
{
    struct list *l = context;
    name_item(l, file->id);
    write_file(&l->w, file);
}

void get_files(struct front *f, struct http_exchange *x)
{
    struct jobs *j = store_for(f, x);
    struct str query = http_query(x);
    char purpose[32], after[JOBS_ID_BYTES];
    uint32_t limit = 10000;
    struct api_error e;
    struct err_note note;
    struct list l;
    bool more = false;
    if (!j)
        return;
    if (!query_text(query, "purpose", purpose, sizeof purpose, &e) ||
        !query_text(query, "after", after, sizeof after, &e) ||
        !query_u32(query, "limit", 1, 10000, &limit, &e)) {
        front_fail(x, &e);
        return;
    }
    begin_list(&l);
    enum err rc = jobs_files(j, owner_of(x), purpose, after, limit, &more, add_file, &l, &note);
    end_list(&l, x, rc, more, &note);
}

/* ---- batches ------------------------------------------------------------------------------ */

static void write_time(struct writer *w, const char *key, bool is_so, int64_t time_s)
{
    if (is_so && time_s)
        write_key_int(w, key, time_s);
    else
        write_key_word(w, key, "null");
}

static void write_errors(struct writer *w, const struct jobs_batch *b)
{
    if (!b->errors) {
        write_key_word(w, "errors", "null");
        return;
    }
    write_key(w, "errors");
    write_open(w, '{');
    write_key_text(w, "object", STR("list"));
    write_key_word(w, "data", b->errors);
    write_close(w, '}');
}

static void write_batch(struct writer *w, const struct jobs_batch *b)
{
    enum jobs_state s = b->state;
    write_open(w, '{');
    write_key_text(w, "id", str_from(b->id));
    write_key_text(w, "object", STR("batch"));
    write_key_text(w, "endpoint", str_from(b->endpoint));
    write_errors(w, b);
    write_key_text(w, "input_file_id", str_from(b->input_file));
    write_key_text(w, "completion_window", STR("24h"));
    write_key_text(w, "status", str_from(jobs_state_name(s)));
    write_id(w, "output_file_id", b->output_file);
    write_id(w, "error_file_id", b->error_file);
    write_key_int(w, "created_at", b->created_s);
    write_time(w, "in_progress_at", true, b->begun_s);
    write_key_int(w, "expires_at", b->expires_s);
    write_time(w, "finalizing_at", s == JOBS_COMPLETED, b->ended_s);
    write_time(w, "completed_at", s == JOBS_COMPLETED, b->ended_s);
    write_time(w, "failed_at", s == JOBS_FAILED, b->ended_s);
    write_time(w, "expired_at", s == JOBS_EXPIRED, b->ended_s);
    write_time(w, "cancelling_at", true, b->cancelling_s);
    write_time(w, "cancelled_at", s == JOBS_CANCELLED, b->ended_s);
    write_key(w, "request_counts");
    write_open(w, '{');
    write_key_int(w, "total", (int64_t)b->n_lines);
    write_key_int(w, "completed", (int64_t)b->n_done);
    write_key_int(w, "failed", (int64_t)b->n_failed);
    write_close(w, '}');
    write_key_word(w, "metadata", b->metadata ? b->metadata : "null");
    write_close(w, '}');
}

static void reply_batch(struct http_exchange *x, struct jobs_batch *b)
{
    struct buf body;
    struct writer w;
    buf_init(&body, REPLY_BYTES_MAX);
    write_begin(&w, &body);
    write_batch(&w, b);
    jobs_batch_release(b);
    reply_json(x, 200, &body);
}

static bool check_batch(const struct api_batch *r, struct api_error *e)
{
    if (!batch_takes(r->endpoint))
        return api_fail(e, 400, "endpoint",
                        "endpoint is \"%.60s\"; batches are made of /v1/chat/completions, "
                        "/v1/completions and their like",
                        r->endpoint.ptr);
    return true;
}

void post_batch(struct front *f, struct http_exchange *x)
{
    struct jobs *j = store_for(f, x);
    struct api_batch r = {0};
    struct jobs_batch b;
    struct api_error e;
    struct err_note note;
    if (!j)
        return;
    bool ok = api_batch_parse(http_body(x), &r, &e) && check_batch(&r, &e);
    struct buf metadata;
    buf_init(&metadata, REPLY_BYTES_MAX);
    if (ok && r.metadata && !api_dump(r.metadata, &metadata))
        ok = api_fail(&e, 500, NULL, "out of memory for the batch");
    if (ok) {
        enum err rc = jobs_batch_add(j, owner_of(x), r.input_file.ptr, r.endpoint.ptr,
                                     r.metadata ? metadata.bytes : NULL, time(NULL), WINDOW_S, &b,
                                     &note);
        ok = !rc || fail_with(&e, rc, "input_file_id", &note);
    }
    buf_release(&metadata);
    json_decref(r.root);
    if (ok) {
        batch_run_wake(f->batches);
        reply_batch(x, &b);
    } else {
        front_fail(x, &e);
    }
}

void get_batch(struct front *f, struct http_exchange *x)
{
    struct jobs *j = store_for(f, x);
    struct jobs_batch b;
    struct err_note note;
    enum err rc = j ? jobs_batch(j, owner_of(x), visit_of(x)->id, &b, &note) : ERR_OK;
    if (rc)
        fail_as(x, rc, &note);
    else if (j)
        reply_batch(x, &b);
}

void cancel_batch(struct front *f, struct http_exchange *x)
{
    struct jobs *j = store_for(f, x);
    struct jobs_batch b;
    struct err_note note;
    if (!j)
        return;
    enum err rc = jobs_batch_cancel(j, owner_of(x), visit_of(x)->id, time(NULL), &note);
    rc = rc ? rc : jobs_clean(j, time(NULL), &note);
    rc = rc ? rc : jobs_batch(j, owner_of(x), visit_of(x)->id, &b, &note);
    if (rc)
        fail_as(x, rc, &note);
    else
        reply_batch(x, &b);
}

static void add_batch(void *context, const struct jobs_batch *b)
{
    struct list *l = context;
    name_item(l, b->id);
    write_batch(&l->w, b);
}

void get_batches(struct front *f, struct http_exchange *x)
{
    struct jobs *j = store_for(f, x);
    char after[JOBS_ID_BYTES];
    uint32_t limit = 20;
    struct api_error e;
    struct err_note note;
    struct list l;
    bool more = false;
    if (!j)
        return;
    if (!query_text(http_query(x), "after", after, sizeof after, &e) ||
        !query_u32(http_query(x), "limit", 1, 100, &limit, &e)) {
        front_fail(x, &e);
        return;
    }
    begin_list(&l);
    enum err rc = jobs_batches(j, owner_of(x), after, limit, &more, add_batch, &l, &note);
    end_list(&l, x, rc, more, &note);
}
