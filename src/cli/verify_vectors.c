/* verify_vectors.c - the vectors of a receipt computed anew, from the texts of the request. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/embed_again.h"
#include "cli/say.h"
#include "cli/verify_model.h"
#include "engine/embedder.h"
#ifdef ISOBIT_HAVE_NET
#include "server/texts_again.h"
#endif

enum { BATCH_TEXTS = 256 };

struct vectors {
    const struct verify_case *c;
    const struct verify_inputs *in;
    const struct verify_compute *o;
    struct verify_report *r;
    struct loaded loaded;
    struct embed_again again; /* of a request of isobit embed */
    struct texts_again *http; /* of one over HTTP, or NULL */
    const struct iso_text *texts; /* [n_texts] of either */
    size_t n_texts;
    struct iso_embedder *embedder;
    float *batch; /* [BATCH_TEXTS, n_dims]; with http [n_texts, n_dims] */
    struct merkle tree;
    const char *given; /* what is left of the response; NULL: none, or it differs already */
};

static enum err open_embedder(struct vectors *k, uint32_t n_ctx, struct err_note *note)
{
    struct iso_engine_options general = {0};
    struct progress progress;
    enum err rc = load_options(&k->loaded, &k->o->model, &general, note);
    const struct iso_embedder_options o = {
        .n_threads = general.n_threads,
        .isa = general.isa,
        .gpu = general.gpu,
        .n_bytes_gpu = general.n_bytes_gpu,
        .profile = "exact",
        .n_gpu_layers = general.n_gpu_layers,
        .notice = general.notice,
        .n_ctx = n_ctx,
        .pooling = k->again.pooling,
        .no_normalize = k->again.no_normalize,
        .n_bytes_memory = general.n_bytes_memory,
        .progress = progress_show,
        .progress_context = &progress,
    };
    if (rc)
        return rc;
    progress_begin(&progress, "loading");
    rc = embedder_open(&k->loaded.table, &o, &k->embedder, note);
    progress_end(&progress);
    return rc;
}

/* The response has a line of numbers for each text, as isobit embed prints them: the first text
 * whose numbers are others is told. */
static void check_given(struct vectors *k, size_t i, const float *values, size_t n_values)
{
    char expected[32] = "the line's end", found[32] = "a line's end";
    size_t n = 0;
    char *end;
    while (n < n_values && *k->given != '\n' && *k->given) {
        float x = strtof(k->given, &end);
        if (end == k->given || isnan(x) || x != values[n])
            break;
        k->given = end;
        n++;
    }
    if (n == n_values && (*k->given == '\n' || !*k->given)) {
        k->given += *k->given == '\n';
        return;
    }
    if (n < n_values)
        snprintf(expected, sizeof expected, "%.9g", (double)values[n]);
    k->given += strspn(k->given, " ");
    if (*k->given && *k->given != '\n')
        snprintf(found, sizeof found, "%.*s", (int)strcspn(k->given, " \n"), k->given);
    verify_differ(k->r, "response", expected, found, "text %zu, value %zu", i + 1, n + 1);
    k->given = NULL;
}

static enum err embed_all(struct vectors *k, uint32_t n_dims, uint64_t *n_tokens,
                          struct err_note *note)
{
    enum err rc = ERR_OK;
    for (size_t at = 0; !rc && at < k->n_texts; at += BATCH_TEXTS) {
        size_t n = k->n_texts - at < BATCH_TEXTS ? k->n_texts - at : BATCH_TEXTS;
        float *out = k->batch + (k->http ? at * n_dims : 0);
        rc = (enum err)iso_embed(k->embedder, k->texts + at, n, out, (struct iso_note *)note);
        for (size_t i = 0; !rc && i < n; i++) {
            const struct iso_text *t = &k->texts[at + i];
            const float *x = out + i * n_dims;
            const struct vector_record record = {(const uint32_t *)t->tokens, t->n_tokens,
                                                 t->n_first, x, n_dims};
            struct merkle_hash leaf = commitment_vector(&k->c->bundle->salt, at + i, &record);
            merkle_add(&k->tree, &leaf);
            *n_tokens += t->n_tokens;
            if (k->given)
                check_given(k, at + i, x, n_dims);
        }
    }
    if (k->given && *k->given)
        verify_differ(k->r, "response", "its end", "more", "after text %zu", k->n_texts);
    else if (k->given)
        verify_say(k->r, "response", VERIFY_CHECKED, "every text's vector");
    return rc;
}

/* The answer to a request over HTTP. */
static void check_answer(struct vectors *k)
{
#ifdef ISOBIT_HAVE_NET
    const struct str given = {k->in->response, k->in->n_response};
    if (texts_again_answered(k->http, k->batch, given))
        verify_say(k->r, "response", VERIFY_CHECKED, "every number");
    else
        verify_differ(k->r, "response", "the vectors' numbers", "others",
                      "it is not the answer with these vectors");
#else
    (void)k;
#endif
}

static enum err compute(struct vectors *k, const struct receipt_vectors *told,
                        struct err_note *note)
{
    struct receipt_vectors now = {.n_vectors = k->n_texts};
    enum err rc = k->embedder ? ERR_OK : open_embedder(k, k->again.n_ctx, note);
    if (rc)
        return rc;
    struct iso_embedder_info info = iso_embedder_info(k->embedder);
    size_t n_kept = k->http ? k->n_texts : BATCH_TEXTS;
    k->batch = mem_array(n_kept * info.n_dims, sizeof *k->batch);
    if (!k->batch)
        return err_set(note, ERR_MEMORY, "out of memory for vectors");
    k->given = k->http ? NULL : k->in->response;
    rc = embed_all(k, info.n_dims, &now.n_tokens, note);
    if (rc == ERR_LIMIT || rc == ERR_USAGE) { /* of a text */
        verify_differ(k->r, "vectors.root", "texts that the model takes", note->text,
                      "it has no vector for one");
        return ERR_OK;
    }
    now.n_values = info.n_dims;
    now.pooling = str_from(iso_pooling_text(info.pooling));
    now.is_normalized = !k->again.no_normalize && info.pooling != ISO_POOLING_RANK;
    now.root = merkle_root(&k->tree);
    if (!rc)
        verify_vectors(told, &now, k->r);
    if (!rc && k->http && k->in->response)
        check_answer(k);
    return rc;
}

/* Texts of a request over HTTP. How they are read depends on the model, which is open; a context as
 * long as the longest was there when they were answered. */
static enum err read_http(struct vectors *k, struct str interface, struct str request,
                          struct err_note *note)
{
#ifdef ISOBIT_HAVE_NET
    uint32_t n_max = 0;
    struct iso_embedder_info info = iso_embedder_info(k->embedder);
    enum err rc =
        texts_again_open(&k->http, k->loaded.table.path, info, interface, request, note);
    if (rc)
        return rc;
    k->texts = texts_again_texts(k->http, &k->n_texts);
    for (size_t i = 0; i < k->n_texts; i++)
        n_max = k->texts[i].n_tokens > n_max ? k->texts[i].n_tokens : n_max;
    if (n_max <= info.n_ctx)
        return ERR_OK;
    iso_embedder_close(k->embedder);
    k->embedder = NULL;
    return open_embedder(k, n_max, note);
#else
    (void)k, (void)request;
    return err_set(note, ERR_UNSUPPORTED,
                   "this program was built without the server that reads requests of %.*s",
                   STR_ARG(interface));
#endif
}

/* The request's texts, tokenized anew; false: there is nothing to compute, as the report says. */
static bool read_texts(struct vectors *k, const struct receipt_vectors *told, enum err *rc,
                       struct err_note *note)
{
    const struct bundle *b = k->c->bundle;
    struct str request = {k->in->request, k->in->n_request};
    struct err_note why = {""};
    if (!request.ptr && b->has[BUNDLE_REQUEST])
        request = b->request;
    if (!verify_has_bits(k->c)) /* as was said */
        return false;
    if (k->in->prompt)
        verify_say(k->r, "request", VERIFY_MISSING, VERIFY_WHOLE_REQUEST);
    if (!request.ptr || !b->has[BUNDLE_SALT]) {
        verify_say(k->r, "vectors", VERIFY_MISSING, "salt and request are needed to compute them");
        return false;
    }
    if (str_is(told->interface, "embed")) {
        *rc = embed_again_open(&k->again, request, &k->loaded, &why);
        *rc = *rc == ERR_MEMORY || !*rc ? *rc : ERR_FORMAT;
        k->texts = k->again.texts;
        k->n_texts = k->again.n_texts;
    } else {
        *rc = open_embedder(k, 0, note);
        if (*rc)
            return false;
        *rc = read_http(k, told->interface, request, &why);
    }
    if (*rc == ERR_UNSUPPORTED)
        verify_say(k->r, "vectors", VERIFY_MISSING, "%s", why.text);
    else if (*rc == ERR_FORMAT)
        verify_differ(k->r, "vectors", "a request for vectors", "none", "%s", why.text);
    else if (*rc)
        err_set(note, *rc, "%s", why.text);
    bool ok = !*rc;
    *rc = *rc == ERR_UNSUPPORTED || *rc == ERR_FORMAT ? ERR_OK : *rc;
    return ok;
}

enum err verify_vectors_compute(const struct verify_case *c, const struct receipt_vectors *told,
                                const struct verify_inputs *in, const struct verify_compute *o,
                                struct verify_report *r, struct err_note *note)
{
    static const struct merkle_hash none;
    struct vectors k = {.c = c, .in = in, .o = o, .r = r};
    struct verify_model m = {.weights = {{0}}};
    /* --tokens asks for no tokenizer, and the receipt names none then. */
    bool has_tokenizer = !merkle_equal(&told->of.model.tokenizer, &none);
    enum err rc = has_tokenizer ? load_tokenizer(&k.loaded, o->model.path, note)
                                : load_file(&k.loaded, o->model.path, note);
    rc = rc ? rc : verify_hash_weights(&k.loaded, &m, note);
    if (!rc && has_tokenizer)
        rc = tokenizer_hash(k.loaded.tokenizer, m.tokenizer.bytes, note);
    if (!rc) {
        verify_model(c, &m, r);
        if (read_texts(&k, told, &rc, note))
            rc = compute(&k, told, note);
    }
    iso_embedder_close(k.embedder);
    embed_again_close(&k.again);
#ifdef ISOBIT_HAVE_NET
    texts_again_close(k.http);
#endif
    mem_free(k.batch);
    load_close(&k.loaded);
    return rc;
}
