/* texts_again.c - the server's own reading of texts, without a server. */
#include "server/texts_again.h"

#include "base/check.h"
#include "base/mem.h"
#include "server/texts.h"

enum { REPLY_BYTES_MAX = 1 << 30 };

struct texts_again {
    struct speech speech;
    struct texts_model model;
    struct texts texts;
};

static enum err read_texts(struct texts_again *t, enum embed_kind kind, struct str request,
                           struct err_note *note)
{
    struct api_error e = {0};
    if (texts_parse(&t->texts, &t->model, kind, request, &e) &&
        texts_read(&t->texts, &t->model, &e))
        return ERR_OK;
    return err_set(note, e.status == 400 ? ERR_FORMAT : ERR_MEMORY, "%s", e.message);
}

enum err texts_again_open(struct texts_again **out, const char *model,
                          struct iso_embedder_info info, struct str interface, struct str request,
                          struct err_note *note)
{
    enum embed_kind kind;
    *out = NULL;
    if (!embed_kind_of(interface, &kind))
        return err_set(note, ERR_UNSUPPORTED, "texts of requests to %.*s are not read here",
                       STR_ARG(interface));
    struct texts_again *t = *out = mem_zalloc(sizeof *t);
    if (!t)
        return err_set(note, ERR_MEMORY, "out of memory for a request");
    t->model = (struct texts_model){.speech = &t->speech,
                                    .name = "the model",
                                    .n_ctx = UINT32_MAX,
                                    .n_vocab = info.n_vocab,
                                    .n_dims = info.n_dims,
                                    .ranks = info.pooling == ISO_POOLING_RANK,
                                    .knows_pairs = info.n_types > 1};
    enum err rc = speech_open(&t->speech, model, NULL, NULL, note);
    rc = rc ? rc : read_texts(t, kind, request, note);
    if (rc) {
        texts_again_close(t);
        *out = NULL;
    }
    return rc;
}

const struct iso_text *texts_again_texts(const struct texts_again *t, size_t *n_texts)
{
    *n_texts = t->texts.n_items;
    return t->texts.items;
}

/* What of an answer is numbers, in whatever form. */
static bool same_numbers(const json_t *a, const json_t *b)
{
    static const char *const names[] = {"data", "results", "embeddings", "embedding"};
    size_t n = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const json_t *x = json_object_get(a, names[i]), *y = json_object_get(b, names[i]);
        if ((x || y) && !json_equal(x, y))
            return false;
        n += x != NULL;
    }
    return n > 0;
}

bool texts_again_answered(const struct texts_again *t, float *vectors, struct str response)
{
    const struct embed_head head = {.id = "", .n_tokens = t->texts.n_tokens};
    struct buf out;
    buf_init(&out, REPLY_BYTES_MAX);
    texts_reply(&t->texts, &t->model, &head, vectors, &out);
    CHECK(!out.failed);
    json_t *own = json_loadb(out.bytes, out.n_bytes, JSON_ALLOW_NUL, NULL);
    json_t *given = json_loadb(response.ptr, response.len, JSON_ALLOW_NUL, NULL);
    bool same = same_numbers(own, given);
    json_decref(own);
    json_decref(given);
    buf_release(&out);
    return same;
}

void texts_again_close(struct texts_again *t)
{
    if (!t)
        return;
    texts_release(&t->texts);
    speech_close(&t->speech);
    mem_free(t);
}
