/* verify_model.c - a receipt's answer computed anew, in one pass over prompt and answer. */
#include "cli/verify_model.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/threads.h"
#include "cli/run_again.h"
#include "cli/say.h"
#include "format/identity.h"
#include "proof/parameters.h"
#include "proof/replay.h"
#ifdef ISOBIT_HAVE_NET
#include "server/read_again.h"
#endif
#include "text/answer_text.h"
#include "text/chat_face.h"

enum { ANSWER_BYTES_MAX = 1 << 30 };

struct read_again; /* of server/, where that is built */

struct compute {
    const struct verify_case *c;
    const struct verify_inputs *in;
    const struct verify_compute *o;
    struct verify_report *r;
    struct loaded loaded;
    struct chat_face face;
    struct parameters parameters;
    /* Where the request is one of isobit run, and where it came over HTTP. */
    struct run_again again;
    struct read_again *http; /* NULL: it did not, or does not mean what the receipt says */
    struct token_list prompt;
    struct replay replay;
};

/* ---- the model's parts -------------------------------------------------------------------- */

enum err verify_hash_weights(const struct loaded *l, struct verify_model *m, struct err_note *note)
{
    struct identity identity;
    struct threads *threads = threads_new(threads_online());
    struct progress progress;
    if (!threads)
        return err_set(note, ERR_MEMORY, "out of memory for threads that hash the weights");
    progress_begin(&progress, "hashing");
    enum err rc = identity_of(&l->table, threads, progress_show, &progress, &identity, note);
    progress_end(&progress);
    threads_free(threads);
    memcpy(m->weights.bytes, identity.weights, SHA256_BYTES);
    memcpy(m->metadata.bytes, identity.config, SHA256_BYTES);
    return rc;
}

/* The template is the one for conversations with tools if that is the receipt's. */
static struct merkle_hash template_hash(const struct compute *k)
{
    struct merkle_hash hash = {{0}};
    for (int tools = 0; k->face.template && tools < 2; tools++) {
        struct merkle_hash this;
        memcpy(this.bytes, chat_template_hash(chat_face_template(&k->face, tools)), SHA256_BYTES);
        if (!tools || merkle_equal(&this, &k->c->receipt.model.template))
            hash = this;
    }
    return hash;
}

static enum err check_parts(struct compute *k, struct err_note *note)
{
    struct verify_model m;
    enum err rc = verify_hash_weights(&k->loaded, &m, note);
    rc = rc ? rc : tokenizer_hash(k->loaded.tokenizer, m.tokenizer.bytes, note);
    rc = rc ? rc : chat_face_open(&k->face, &k->loaded.table, k->o->template, note);
    if (rc)
        return rc;
    m.template = template_hash(k);
    verify_model(k->c, &m, k->r);
    return ERR_OK;
}

/* ---- the prompt --------------------------------------------------------------------------- */

static bool is_prompt(const struct compute *k, const struct token_list *l)
{
    return l->n_ids == k->prompt.n_ids &&
           memcmp(l->ids, k->prompt.ids, l->n_ids * sizeof l->ids[0]) == 0;
}

/* Where no request tells what they are made of: chats and texts differ in what is added at the
 * beginning, and over HTTP tokens may stand beside the text. */
static enum err tokenize_again(struct compute *k, struct str text, struct err_note *note)
{
    static const unsigned flags[] = {ENCODE_PARSE_SPECIAL,
                                     ENCODE_PARSE_SPECIAL | ENCODE_ADD_SPECIAL};
    bool same = false;
    char expected[32], found[32];
    size_t n_ids = 0;
    for (size_t i = 0; i < COUNT_OF(flags) && !same; i++) {
        struct token_list list = {.n_ids_max = INT32_MAX};
        enum err rc = tokenizer_encode(k->loaded.tokenizer, text, flags[i], &list, note);
        same = !rc && is_prompt(k, &list);
        n_ids = list.n_ids;
        token_list_release(&list);
        if (rc)
            return rc;
    }
    snprintf(expected, sizeof expected, "%zu tokens", n_ids);
    snprintf(found, sizeof found, "%zu tokens", k->prompt.n_ids);
    if (same)
        verify_say(k->r, "prompt.ids", VERIFY_RECOMPUTED, "the prompt's text, tokenized anew");
    else if (str_is(k->parameters.interface, "run"))
        verify_differ(k->r, "prompt.ids", expected, found, "they are not the prompt's text");
    else
        verify_say(k->r, "prompt.ids", VERIFY_MISSING,
                   "the prompt's text alone does not make them: its request is needed");
    return ERR_OK;
}

static enum err take_prompt(struct compute *k, struct err_note *note)
{
    const struct bundle *b = k->c->bundle;
    if (!b->has[BUNDLE_PROMPT_IDS]) {
        verify_say(k->r, "prompt.ids", VERIFY_MISSING, "the bundle does not show them");
        return ERR_OK;
    }
    k->prompt.ids = mem_array(b->n_prompt_ids + 1, sizeof k->prompt.ids[0]);
    if (!k->prompt.ids)
        return err_set(note, ERR_MEMORY, "no memory for a prompt of %zu tokens", b->n_prompt_ids);
    for (size_t i = 0; i < b->n_prompt_ids; i++)
        k->prompt.ids[k->prompt.n_ids++] = (int32_t)b->prompt_ids[i];
    return ERR_OK;
}

/* ---- the request -------------------------------------------------------------------------- */

/* A request over HTTP, by the server's own functions. */
static enum err check_http(struct compute *k, struct str request, struct err_note *note)
{
#ifdef ISOBIT_HAVE_NET
    struct bundle bundle = *k->c->bundle;
    struct verify_case about = *k->c;
    const struct read_again_options o = {k->loaded.table.path, k->o->template, k->o->tool_format,
                                         iso_engine_info(k->loaded.engine)};
    struct err_note why = {""};
    if (k->in->prompt)
        verify_say(k->r, "request", VERIFY_MISSING, VERIFY_WHOLE_REQUEST);
    if (!bundle.has[BUNDLE_PROMPT] || !bundle.has[BUNDLE_PROMPT_IDS]) {
        verify_say(k->r, "prompt.text", VERIFY_MISSING, "the bundle does not show it");
        return ERR_OK;
    }
    bundle.request = request;
    bundle.has[BUNDLE_REQUEST] = true;
    about.bundle = &bundle;
    enum err rc = read_again_open(&k->http, &o, &about, &k->parameters, &why);
    if (rc == ERR_UNSUPPORTED) {
        verify_say(k->r, "parameters", VERIFY_MISSING, "%s", why.text);
        return ERR_OK;
    }
    if (rc == ERR_FORMAT) {
        verify_differ(k->r, "parameters", "what follows from the request", why.text,
                      "the receipt's do not");
        return ERR_OK;
    }
    if (rc)
        return err_set(note, rc, "%s", why.text);
    verify_say(k->r, "parameters", VERIFY_RECOMPUTED, "from the request");
    verify_say(k->r, "prompt.text", VERIFY_RECOMPUTED, "rendered anew from the request");
    verify_say(k->r, "prompt.ids", VERIFY_RECOMPUTED, "the request's, tokenized anew");
    if (!k->c->receipt.seed_by_node)
        verify_say(k->r, "seed", VERIFY_CHECKED, "%" PRIu64 ", the request's", k->c->receipt.seed);
#else
    (void)request, (void)note;
    verify_say(k->r, "parameters", VERIFY_MISSING,
               "this program was built without the server that reads requests of %.*s",
               STR_ARG(k->parameters.interface));
#endif
    return ERR_OK;
}

/* Of a request of isobit run its prompt, and its system prompt, which stands before it. */
static void check_words(struct compute *k)
{
    const char *system = k->again.system, *asked = k->in->system;
    if (!str_is(k->again.text, k->in->prompt))
        verify_differ(k->r, "request", k->in->prompt, k->again.text.ptr, "another prompt");
    else if (asked && (!system || strcmp(system, asked) != 0))
        verify_differ(k->r, "request", asked, system ? system : "none", "another system prompt");
    else if (system && !asked)
        verify_say(k->r, "request", VERIFY_MISSING,
                   "its prompt; whether this system prompt was asked for, --system says: %s",
                   system);
    else
        verify_say(k->r, "request", VERIFY_CHECKED, "its prompt%s; its options are the bundle's",
                   system ? ", its system prompt" : "");
}

/* What the request means: the requester's own, or the bundle's, which is then not compared. */
static enum err check_request(struct compute *k, struct err_note *note)
{
    const struct verify_case *c = k->c;
    struct err_note why = {""};
    struct str request = {k->in->request, k->in->n_request};
    if (!request.ptr && c->bundle->has[BUNDLE_REQUEST])
        request = c->bundle->request;
    if (!request.ptr || !c->bundle->has[BUNDLE_SALT])
        return ERR_OK;
    if (!str_is(k->parameters.interface, "run"))
        return check_http(k, request, note);
    enum err rc = run_again_open(&k->again, request, &k->loaded,
                                 iso_engine_info(k->loaded.engine).n_vocab, &k->parameters, &why);
    if (rc == ERR_MEMORY || rc == ERR_IO || rc == ERR_NOT_FOUND)
        return err_set(note, rc, "%s", why.text);
    if (rc) {
        verify_differ(k->r, "parameters", "a request of isobit run", why.text, "it is none");
        return ERR_OK;
    }
    verify_parameters(c, (struct str){k->again.parameters.bytes, k->again.parameters.n_bytes},
                      k->r);
    if (k->in->prompt)
        check_words(k);
    verify_seed(c, k->again.seed_given ? &k->again.request.sampling.seed : NULL, k->r);
    verify_prompt(c, k->again.prompt, k->again.tokens->ids, k->again.tokens->n_ids, k->r);
    return ERR_OK;
}

/* ---- the answer --------------------------------------------------------------------------- */

enum err verify_open_engine(struct loaded *l, struct model_options m, uint32_t n_ctx,
                            struct err_note *note)
{
    uint32_t n_vocab = (uint32_t)tokenizer_n_tokens(l->tokenizer);
    const struct iso_engine_options more = {.n_logits = replay_logits(n_vocab, 512),
                                            .no_speculation = true};
    m.n_ctx = n_ctx;
    m.gpu.profile = "exact";
    return load_engine(l, &m, &more, note);
}

enum err verify_run(struct loaded *l, struct replay *p, struct err_note *note)
{
    const struct iso_event *events;
    enum err rc = (enum err)iso_session_submit(l->session, &p->request, (struct iso_note *)note);
    while (!rc && !p->is_over) {
        size_t n = iso_engine_step(l->engine, &events);
        CHECK(n > 0);
        for (size_t i = 0; i < n; i++)
            replay_take(p, &events[i]);
        rc = p->err;
    }
    if (p->err)
        *note = p->note;
    return rc;
}

/* The form that the answer had; NULL: none, or its request is not known. */
static const struct iso_constraint *form_of(const struct compute *k)
{
#ifdef ISOBIT_HAVE_NET
    if (k->http)
        return read_again_constraint(k->http);
#endif
    return k->again.request.constraint;
}

/* What the engine refuses, a receipt cannot have been made of. */
static enum err run(struct compute *k, struct err_note *note)
{
    struct replay *p = &k->replay;
    const struct bundle *b = k->c->bundle;
    struct err_note why = {""};
    struct iso_request request = k->parameters.request;
    request.constraint = form_of(k);
    request.tokens = k->prompt.ids;
    request.n_tokens = (uint32_t)k->prompt.n_ids;
    request.sampling.seed = k->c->receipt.seed;
    request.want_digests = k->c->receipt.has_logits;
    enum err rc =
        replay_init(p, &request, b->has[BUNDLE_OUTPUT_IDS] ? b->output_ids : NULL,
                    (size_t)k->c->receipt.n_output, iso_engine_info(k->loaded.engine), &why);
    rc = rc ? rc : verify_run(&k->loaded, p, &why);
    if (rc == ERR_MEMORY || rc == ERR_NUMERIC)
        return err_set(note, rc, "%s", why.text);
    if (rc)
        verify_differ(k->r, "parameters", "a request that can be answered", why.text,
                      "the model does not take it");
    return ERR_OK;
}

/* As it was read when it was made; own: by its stop texts alone. */
static struct answer_text *text_of(const struct compute *k, struct answer_text *own)
{
#ifdef ISOBIT_HAVE_NET
    if (k->http)
        return read_again_text(k->http);
#else
    (void)k;
#endif
    return own;
}

/* What was said to who asked, without reasoning and calls, against what came. */
static void check_response(struct compute *k, const struct parts *parts)
{
    struct str given = {k->in->response, k->in->n_response};
    struct buf text;
    buf_init(&text, ANSWER_BYTES_MAX);
    for (size_t i = 0; i < parts->n; i++)
        if (parts->items[i].kind == PART_TEXT)
            buf_add(&text, parts->items[i].text.bytes, parts->items[i].text.n_bytes);
    struct str said = {text.n_bytes ? text.bytes : "", text.n_bytes};
    if (given.len == said.len + 1 && given.ptr[given.len - 1] == '\n')
        given.len--;
    if (str_eq(given, said))
        verify_say(k->r, "response", VERIFY_CHECKED, "the answer's text");
    else
        verify_differ(k->r, "response", said.ptr, given.ptr, "it is not the answer's text");
    buf_release(&text);
}

static void check_end(struct compute *k, const struct verify_replay *found)
{
    const struct parameters *p = &k->parameters;
    struct answer_text own, *says = text_of(k, &own);
    if (says == &own && parameters_chat(p)) {
        verify_say(k->r, "finish_reason", VERIFY_MISSING,
                   "how a chat's answer is read, its request tells");
        if (k->in->response)
            verify_say(k->r, "response", VERIFY_MISSING, "the same");
        return;
    }
    answer_text_init(&own, k->loaded.tokenizer, p->stop_texts, p->n_stop_texts);
    size_t n = answer_text_replay(says, found->ids, found->n_records, p->request.stops,
                                  p->request.n_stops);
    verify_end(k->c, found, k->replay.finish, n, answer_text_is_over(says), k->r);
    if (k->in->response)
        check_response(k, &says->parts);
    answer_text_release(&own);
}

static enum err check_answer(struct compute *k, struct err_note *note)
{
    const struct verify_case *c = k->c;
    if (!verify_has_bits(c)) /* as was said */
        return ERR_OK;
    if (k->parameters.constraint.kind.len > 0 && !form_of(k)) {
        verify_say(k->r, "output.ids", VERIFY_MISSING,
                   "the answer had a form (%.*s), which is needed to compute it",
                   STR_ARG(k->parameters.constraint.kind));
        return ERR_OK;
    }
    if (!c->bundle->has[BUNDLE_SALT] || k->prompt.n_ids == 0) {
        verify_say(k->r, "output.ids", VERIFY_MISSING,
                   "salt and prompt are needed to compute them");
        return ERR_OK;
    }
    enum err rc = run(k, note);
    const struct replay *p = &k->replay;
    const struct verify_replay found = replay_found(p);
    if (!rc && !p->err && p->ids && verify_replayed(c, &found, k->r))
        check_end(k, &found);
    return rc;
}

enum err verify_compute(const struct verify_case *c, const struct verify_inputs *in,
                        const struct verify_compute *o, struct verify_report *r,
                        struct err_note *note)
{
    struct compute k = {.c = c, .in = in, .o = o, .r = r};
    struct canon_doc doc = {0};
    enum err rc = load_tokenizer(&k.loaded, o->model.path, note);
    rc = rc ? rc : check_parts(&k, note);
    struct err_note why = {""};
    if (!rc && (canon_read(c->receipt.parameters, &doc, &why) ||
                parameters_read(&doc, doc.nodes, &k.parameters, &why)))
        verify_differ(r, "parameters", "parameters of this version", why.text, "they are none");
    else if (!rc)
        rc = take_prompt(&k, note);
    if (!rc && !why.text[0])
        rc = verify_open_engine(&k.loaded, o->model, k.parameters.n_ctx, note);
    if (!rc && !why.text[0])
        rc = check_request(&k, note);
    if (!rc && !why.text[0] && !k.http && c->bundle->has[BUNDLE_PROMPT] && k.prompt.ids)
        rc = tokenize_again(&k, c->bundle->prompt, note);
    if (!rc && !why.text[0])
        rc = check_answer(&k, note);
    run_again_close(&k.again);
#ifdef ISOBIT_HAVE_NET
    read_again_close(k.http);
#endif
    parameters_release(&k.parameters);
    canon_release(&doc);
    replay_release(&k.replay);
    token_list_release(&k.prompt);
    chat_face_close(&k.face);
    load_close(&k.loaded);
    return rc;
}
