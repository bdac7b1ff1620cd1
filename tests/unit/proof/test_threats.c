/* test_threats.c - every way to cheat with a receipt, tried: a node that lies about what it
 * computed, whose key it is, or when; each is caught, by the field that should catch it. The same
 * receipts without a lie are valid. Lies of texts and files are tried in e2e/test_receipts. */
#include "lib/test.h"

#include "base/mem.h"
#include "engine/engine.h"
#include "engine/engine_int.h"
#include "format/gguf.h"
#include "proof/replay.h"
#include "proof/verify.h"
#include "text/tokenizer.h"

enum { CTX = 256, PROMPT = 100, ANSWER = 40, PAGES = 4, NOW_S = 1700000000 };

static struct table table;
static struct iso_engine *honest;

/* ---- a node ------------------------------------------------------------------------------- */

/* A receipt with all that its maker knows, before it is signed. */
struct made {
    struct receipt receipt;
    struct bundle bundle;
    uint32_t prompt[PROMPT + 8], output[ANSWER + 8];
    struct position_record positions[ANSWER + 8];
    struct merkle_hash pages[PAGES], salted[PAGES], prompt_pages[PAGES], logits[ANSWER + 8];
    struct buf certificate, head;
    struct sign_pair identity, key;
    struct log_head log;
    struct merkle_hash leaves[8];
};

static struct iso_engine *open_engine(const struct table *t)
{
    struct iso_engine *e;
    struct err_note note = {""};
    const struct iso_engine_options o = {
        .n_threads = 1, .n_ctx = CTX, .n_logits = 64, .n_sessions = 2};
    if (engine_open(t, NULL, &o, &e, &note))
        fail_msg("%s", note.text);
    return e;
}

static struct iso_request request_of(const int32_t *prompt)
{
    struct iso_request r = iso_request_default();
    for (uint32_t i = 0; i < PROMPT; i++)
        ((int32_t *)prompt)[i] = (int32_t)(i * 7 % 250);
    r.tokens = prompt;
    r.n_tokens = PROMPT;
    r.n_answer_max = ANSWER;
    r.want_digests = true;
    r.sampling.temperature = 1.5f;
    r.sampling.seed = 5;
    r.sampling.repeat_penalty = 1.2f;
    r.sampling.dry_multiplier = 0.5f;
    r.sampling.xtc_probability = 0.3f;
    return r;
}

/* Salted hashes of what stands in the arrays, as the maker of a receipt has to. */
static void commit(struct made *m)
{
    const struct salt *salt = &m->bundle.salt;
    struct receipt *r = &m->receipt;
    struct bundle *b = &m->bundle;
    struct merkle tree = {0};
    for (size_t i = 0; i < b->n_positions; i++) {
        struct merkle_hash leaf = commitment_position(salt, i, &m->positions[i]);
        merkle_add(&tree, &leaf);
    }
    for (size_t i = 0; i < b->n_pages; i++)
        m->salted[i] = commitment_of(salt, SALT_PAGE, i, m->pages[i].bytes, SHA256_BYTES);
    r->root = merkle_root(&tree);
    r->request = commitment_of(salt, SALT_REQUEST, 0, b->request.ptr, b->request.len);
    r->prompt = commitment_of(salt, SALT_PROMPT, 0, b->prompt.ptr, b->prompt.len);
    r->prompt_ids = commitment_of_ids(salt, SALT_PROMPT_IDS, b->prompt_ids, b->n_prompt_ids);
    r->output_ids = commitment_of_ids(salt, SALT_OUTPUT_IDS, b->output_ids, b->n_output_ids);
    r->n_prompt = b->n_prompt_ids;
    r->n_output = b->n_output_ids;
    r->pages = m->salted;
    r->n_pages = b->n_pages;
    r->has_prompt_pages = true;
    r->prompt_pages =
        commitment_of_hashes(salt, SALT_PROMPT_PAGE, b->prompt_pages, b->n_prompt_pages);
    r->has_logits = true;
    r->logits = commitment_of_hashes(salt, SALT_LOGITS, b->logits, b->n_logits);
}

static void take(struct made *m, const struct replay *p)
{
    memcpy(m->output, p->ids, p->n_records * sizeof m->output[0]);
    memcpy(m->positions, p->records, p->n_records * sizeof m->positions[0]);
    memcpy(m->pages, p->pages, p->n_pages * sizeof m->pages[0]);
    m->bundle.n_output_ids = m->bundle.n_positions = p->n_records;
    m->bundle.n_pages = p->n_pages;
    memcpy(m->prompt_pages, p->prompt_pages, p->n_prompt_pages * sizeof m->prompt_pages[0]);
    m->bundle.n_prompt_pages = p->n_prompt_pages;
    memcpy(m->logits, p->logits, p->n_records * sizeof m->logits[0]);
    m->bundle.n_logits = p->n_records;
    m->receipt.finish_reason = str_from(iso_finish_text(p->finish));
}

static void run(struct iso_engine *e, struct replay *p)
{
    struct iso_session *s;
    struct iso_note note = {""};
    const struct iso_event *events;
    assert_int_equal(iso_session_open(e, &s, &note), ISO_OK);
    if (iso_session_submit(s, &p->request, &note))
        fail_msg("%s", note.text);
    while (!p->is_over) {
        size_t n = iso_engine_step(e, &events);
        assert_true(n > 0);
        for (size_t i = 0; i < n; i++)
            replay_take(p, &events[i]);
    }
    iso_session_close(s);
    assert_int_equal(p->err, ERR_OK);
}

static struct merkle_hash named(const char *name)
{
    struct merkle_hash h;
    sha256_of(name, strlen(name), h.bytes);
    return h;
}

static void certify(struct made *m, uint64_t from_s, uint64_t to_s)
{
    struct certificate c = {m->identity.key, m->key.key, 1, from_s, to_s};
    buf_clear(&m->certificate);
    certificate_write(&c, &m->identity, &m->certificate);
    m->bundle.certificate = (struct str){m->certificate.bytes, m->certificate.n_bytes};
}

/* An honest receipt of what the engine answers to the request. */
static void make(struct made *m, struct iso_engine *e, const struct iso_request *request)
{
    struct replay p;
    *m = (struct made){.bundle = {.request = STR("{\"prompt\":\"...\"}"), .prompt = STR("...")}};
    assert_ok(replay_init(&p, request, NULL, request->n_answer_max, iso_engine_info(e), NULL));
    run(e, &p);
    take(m, &p);
    replay_release(&p);
    for (uint32_t i = 0; i < request->n_tokens; i++)
        m->prompt[i] = (uint32_t)request->tokens[i];
    struct bundle *b = &m->bundle;
    for (int i = 0; i < BUNDLE_N_PARTS; i++)
        b->has[i] = true;
    b->prompt_ids = m->prompt;
    b->n_prompt_ids = request->n_tokens;
    b->output_ids = m->output;
    b->positions = m->positions;
    b->pages = m->pages;
    b->prompt_pages = m->prompt_pages;
    b->logits = m->logits;
    salt_make(&b->salt);
    m->receipt.model.weights = named("weights");
    m->receipt.model.metadata = named("metadata");
    m->receipt.model.tokenizer = named("tokenizer");
    m->receipt.model.template = named("template");
    m->receipt.arithmetic = STR(ISO_ARITHMETIC);
    m->receipt.device = STR("a machine");
    m->receipt.parameters = STR("{}");
    m->receipt.seed = request->sampling.seed;
    m->receipt.started_ms = NOW_S * UINT64_C(1000);
    m->receipt.ended_ms = m->receipt.started_ms + 2000;
    buf_init(&m->certificate, 1 << 16);
    buf_init(&m->head, 1 << 16);
    sign_pair_make(&m->identity);
    sign_pair_make(&m->key);
    certify(m, NOW_S - 1000, NOW_S + 1000);
}

static void unmake(struct made *m)
{
    buf_release(&m->certificate);
    buf_release(&m->head);
}

/* A log of n other receipts, and this one at index. */
static void log_in(struct made *m, struct str body, uint64_t n, uint64_t index)
{
    struct merkle_hash name;
    struct merkle tree = {0};
    assert_true(index <= n && n < COUNT_OF(m->leaves));
    sign_digest(SIGN_RECEIPT, body, name.bytes);
    for (uint64_t i = 0; i <= n; i++) {
        struct merkle_hash other = named("another receipt");
        other.bytes[0] = (uint8_t)i;
        m->leaves[i] = log_leaf(i == index ? &name : &other);
        merkle_add(&tree, &m->leaves[i]);
    }
    m->log = (struct log_head){.key = m->key.key,
                               .epoch = 1,
                               .count = n + 1,
                               .root = merkle_root(&tree),
                               .time_s = NOW_S + 3};
    buf_clear(&m->head);
    log_head_write(&m->log, &m->key, &m->head);
    m->bundle.log.head = (struct str){m->head.bytes, m->head.n_bytes};
    m->bundle.log.index = index;
    merkle_prove_leaf(m->leaves, n + 1, index, &m->bundle.log.proof);
}

/* ---- a verifier --------------------------------------------------------------------------- */

struct trial {
    struct iso_request request; /* as the requester sent it */
    struct str sent;            /* ptr NULL: the bundle's */
    struct sign_key keys[2];
    struct verify_trust trust;
    struct iso_engine *engine; /* NULL: no model */
    void (*spoil_log)(struct made *m);
    bool uses_cache;
    struct verify_report report;
};

static const struct verify_line *line_of(const struct verify_report *r, const char *field)
{
    for (size_t i = 0; i < r->n_lines; i++)
        if (strcmp(r->lines[i].field, field) == 0)
            return &r->lines[i];
    fail_msg("nothing is said of %s", field);
    return NULL;
}

static void recompute(struct trial *t, const struct verify_case *c)
{
    const struct verify_model model = {named("weights"), named("metadata"), named("tokenizer"),
                                       named("template")};
    const struct bundle *b = c->bundle;
    struct replay p;
    verify_model(c, &model, &t->report);
    verify_parameters(c, STR("{}"), &t->report);
    assert_ok(replay_init(&p, &t->request, b->output_ids, b->n_output_ids,
                          iso_engine_info(t->engine), NULL));
    p.request.no_cache = !t->uses_cache;
    run(t->engine, &p);
    const struct verify_replay found = replay_found(&p);
    if (verify_replayed(c, &found, &t->report))
        verify_finish(c, p.finish, false, &t->report);
    replay_release(&p);
}

/* Signs what was made, logs it and judges it as somebody who sent the request. */
static enum verdict judge(struct trial *t, struct made *m)
{
    struct buf body, text, shown;
    struct canon_doc doc;
    struct bundle bundle;
    struct verify_case c;
    t->report = (struct verify_report){0};
    buf_init(&body, 1 << 20);
    buf_init(&text, 1 << 20);
    buf_init(&shown, 1 << 20);
    receipt_write(&m->receipt, &body);
    struct str bytes = {body.bytes, body.n_bytes};
    sign_write(SIGN_RECEIPT, bytes, &m->key, &text);
    log_in(m, bytes, 6, 4);
    if (t->spoil_log)
        t->spoil_log(m);
    bundle_write(&m->bundle, &shown);
    assert_false(text.failed || shown.failed);
    assert_ok(canon_read((struct str){shown.bytes, shown.n_bytes}, &doc, NULL));
    assert_ok(bundle_read(&doc, doc.nodes, &bundle, NULL));
    if (verify_open(&c, (struct str){text.bytes, text.n_bytes}, &bundle, &t->report)) {
        verify_key(&c, &t->trust, &t->report);
        verify_log(&c, &t->trust, &t->report);
        verify_parts(&c, t->sent.ptr ? t->sent : m->bundle.request, &t->report);
        if (t->engine)
            recompute(t, &c);
        else
            verify_say(&t->report, "model", VERIFY_MISSING, "no model");
        verify_close(&c);
    }
    bundle_release(&bundle);
    canon_release(&doc);
    buf_release(&body);
    buf_release(&text);
    buf_release(&shown);
    return verify_verdict(&t->report);
}

static struct trial trial_of(const struct made *m, const struct iso_request *request)
{
    return (struct trial){
        .request = *request, .keys = {m->identity.key}, .trust = {.n_keys = 1}, .engine = honest};
}

/* The verdict, and the first field that differs. */
static void assert_caught(struct trial *t, struct made *m, const char *field)
{
    t->trust.keys = t->keys;
    assert_int_equal(judge(t, m), VERDICT_MISMATCH);
    if (strcmp(t->report.first->field, field) != 0)
        fail_msg("caught by %s, not by %s", t->report.first->field, field);
    assert_true(t->report.first->expected[0] && t->report.first->found[0]);
}

static void assert_valid(struct trial *t, struct made *m)
{
    t->trust.keys = t->keys;
    enum verdict verdict = judge(t, m);
    for (size_t i = 0; i < t->report.n_lines && verdict; i++)
        if (t->report.lines[i].status >= VERIFY_MISSING)
            fail_msg("%s: %s (%s, %s)", t->report.lines[i].field, t->report.lines[i].text,
                     t->report.lines[i].expected, t->report.lines[i].found);
    assert_int_equal(verdict, VERDICT_VALID);
}

static void assert_not_measured(struct trial *t, struct made *m, const char *field)
{
    t->trust.keys = t->keys;
    assert_int_equal(judge(t, m), VERDICT_NOT_MEASURED);
    assert_int_equal(line_of(&t->report, field)->status, VERIFY_MISSING);
}

/* What each test begins with. */
struct scene {
    int32_t prompt[PROMPT + 8];
    struct iso_request request;
    struct made m;
    struct trial t;
};

static struct scene *scene(void)
{
    static struct scene s;
    s.request = request_of(s.prompt);
    make(&s.m, honest, &s.request);
    commit(&s.m);
    s.t = trial_of(&s.m, &s.request);
    return &s;
}

/* ---- what was computed -------------------------------------------------------------------- */

static void an_honest_receipt_is_valid(void **state)
{
    (void)state;
    struct scene *s = scene();
    assert_valid(&s->t, &s->m);
    assert_int_equal(line_of(&s->t.report, "output.root")->status, VERIFY_RECOMPUTED);
    assert_int_equal(line_of(&s->t.report, "output.pages")->status, VERIFY_RECOMPUTED);
    assert_int_equal(line_of(&s->t.report, "prompt.pages")->status, VERIFY_RECOMPUTED);
    assert_int_equal(line_of(&s->t.report, "output.logits")->status, VERIFY_RECOMPUTED);
    assert_int_equal(line_of(&s->t.report, "request")->status, VERIFY_CHECKED);
    assert_int_equal(line_of(&s->t.report, "device")->status, VERIFY_ASSERTED);
    assert_int_equal(s->m.bundle.n_pages, 1);
    s->t.engine = NULL;
    assert_not_measured(&s->t, &s->m, "model");
    unmake(&s->m);
}

static void altered_text_is_caught(void **state)
{
    (void)state;
    struct scene *s = scene();
    s->m.output[17] ^= 1;
    s->m.positions[17].id ^= 1;
    commit(&s->m);
    assert_caught(&s->t, &s->m, "output.ids");
    s->m.output[17] ^= 1; /* the record alone */
    commit(&s->m);
    assert_caught(&s->t, &s->m, "output.ids");
    s->m.positions[17].id ^= 1;
    s->m.positions[20].best[3].logit_bits ^= 1;
    commit(&s->m);
    assert_caught(&s->t, &s->m, "output.root");
    s->m.positions[20].best[3].logit_bits ^= 1;
    s->m.pages[0].bytes[5] ^= 1;
    commit(&s->m);
    assert_caught(&s->t, &s->m, "output.pages");
    s->m.pages[0].bytes[5] ^= 1;
    s->m.prompt_pages[0].bytes[5] ^= 1;
    commit(&s->m);
    assert_caught(&s->t, &s->m, "prompt.pages");
    s->m.bundle.n_prompt_pages = 0; /* and hidden */
    s->m.bundle.has[BUNDLE_PROMPT_PAGES] = false;
    assert_caught(&s->t, &s->m, "prompt.pages");
    s->m.bundle.n_prompt_pages = 1;
    s->m.bundle.has[BUNDLE_PROMPT_PAGES] = true;
    s->m.prompt_pages[0].bytes[5] ^= 1;
    s->m.logits[30].bytes[5] ^= 1; /* of a logit that is none of the largest */
    commit(&s->m);
    assert_caught(&s->t, &s->m, "output.logits");
    s->m.bundle.has[BUNDLE_LOGITS] = false;
    assert_caught(&s->t, &s->m, "output.logits");
    s->m.logits[30].bytes[5] ^= 1;
    commit(&s->m);
    assert_valid(&s->t, &s->m); /* what is not shown is computed all the same */
    s->t.request.want_digests = false;
    assert_not_measured(&s->t, &s->m, "output.logits");
    unmake(&s->m);
}

static void an_end_too_early_or_too_late_is_caught(void **state)
{
    (void)state;
    struct scene *s = scene();
    s->m.bundle.n_output_ids = s->m.bundle.n_positions = s->m.bundle.n_logits = ANSWER - 5;
    commit(&s->m);
    assert_caught(&s->t, &s->m, "finish_reason");
    s->m.receipt.finish_reason = STR("stop");
    assert_caught(&s->t, &s->m, "finish_reason");
    unmake(&s->m);
    /* The requester's stop is a token that the answer has; the node went on. */
    s = scene();
    int32_t stop = (int32_t)s->m.output[20];
    s->t.request.stops = &stop;
    s->t.request.n_stops = 1;
    assert_caught(&s->t, &s->m, "output.count");
    unmake(&s->m);
}

/* Another model, computed and called this one: one bit of the weights, and the base of RoPE. */
static void another_model_is_caught(void **state)
{
    (void)state;
    struct scene *s = scene();
    for (int kind = 0; kind < 2; kind++) {
        struct table other = table;
        struct tensor_view *tensors = mem_array(table.n_tensors, sizeof *tensors);
        struct meta_value *metas = mem_array(table.n_metas, sizeof *metas);
        memcpy(tensors, table.tensors, table.n_tensors * sizeof *tensors);
        memcpy(metas, table.metas, table.n_metas * sizeof *metas);
        size_t i = 0;
        while (!str_is(tensors[i].name, "blk.1.attn_norm.weight"))
            i++;
        float *data = mem_alloc(tensors[i].n_bytes);
        memcpy(data, tensors[i].data, tensors[i].n_bytes);
        if (kind == 0)
            data[3] *= 1.01f;
        tensors[i].data = data;
        for (i = 0; kind == 1 && i < table.n_metas; i++)
            if (str_is(metas[i].key, "llama.rope.freq_base"))
                metas[i].float_ = 20000;
        other.tensors = tensors;
        other.metas = metas;
        struct iso_engine *e = open_engine(&other);
        unmake(&s->m);
        make(&s->m, e, &s->request);
        commit(&s->m);
        s->t = trial_of(&s->m, &s->request);
        s->t.trust.keys = s->t.keys;
        assert_int_equal(judge(&s->t, &s->m), VERDICT_MISMATCH);
        s->t.engine = e; /* control: it is an honest receipt of that model */
        assert_valid(&s->t, &s->m);
        iso_engine_close(e);
        mem_free(data);
        mem_free(tensors);
        mem_free(metas);
    }
    s->t.engine = honest;
    s->m.receipt.model.weights = named("other weights"); /* and said so */
    assert_caught(&s->t, &s->m, "model.weights");
    unmake(&s->m);
}

static void another_seed_is_caught(void **state)
{
    (void)state;
    struct scene *s = scene();
    struct iso_request other = s->request;
    other.sampling.seed++;
    unmake(&s->m);
    make(&s->m, honest, &other);
    commit(&s->m);
    s->t = trial_of(&s->m, &s->request);
    assert_caught(&s->t, &s->m, "output.ids");
    unmake(&s->m);
}

static void a_seed_of_the_nodes_choice_is_not_measured(void **state)
{
    (void)state;
    struct scene *s = scene();
    s->m.receipt.seed_by_node = true;
    assert_not_measured(&s->t, &s->m, "seed");
    unmake(&s->m);
}

/* Tokens before the prompt that nobody sent. */
static void an_inserted_prompt_is_caught(void **state)
{
    (void)state;
    struct scene *s = scene();
    int32_t longer[PROMPT + 8] = {9, 9, 9, 9, 9, 9, 9, 9};
    memcpy(longer + 8, s->prompt, PROMPT * sizeof longer[0]);
    struct iso_request inserted = s->request;
    inserted.tokens = longer;
    inserted.n_tokens = PROMPT + 8;
    unmake(&s->m);
    make(&s->m, honest, &inserted);
    s->m.bundle.n_prompt_ids = PROMPT; /* and called the requester's */
    for (int i = 0; i < PROMPT; i++)
        s->m.prompt[i] = (uint32_t)s->prompt[i];
    commit(&s->m);
    s->t = trial_of(&s->m, &s->request);
    s->t.trust.keys = s->t.keys;
    assert_int_equal(judge(&s->t, &s->m), VERDICT_MISMATCH);
    unmake(&s->m);
}

static void counted_too_many_is_caught(void **state)
{
    (void)state;
    struct scene *s = scene();
    s->m.receipt.n_prompt++;
    assert_caught(&s->t, &s->m, "prompt.count");
    s->m.receipt.n_prompt--;
    s->m.receipt.n_output++;
    assert_caught(&s->t, &s->m, "output.count");
    unmake(&s->m);
}

/* The request asks for none of these stops. */
static void other_parameters_are_caught(void **state)
{
    (void)state;
    struct scene *s = scene();
    s->m.receipt.parameters = STR("{\"stops\":[1]}");
    assert_caught(&s->t, &s->m, "parameters");
    assert_string_equal(s->t.report.first->found, "stops: [1]");
    unmake(&s->m);
}

static void a_replayed_receipt_is_caught(void **state)
{
    (void)state;
    struct scene *s = scene();
    s->t.sent = STR("{\"prompt\":\"another\"}");
    assert_caught(&s->t, &s->m, "request");
    unmake(&s->m);
}

/* Another model wrote the answer; this one's logits were computed beside it, honestly. */
static void a_prefilled_answer_is_caught(void **state)
{
    (void)state;
    struct scene *s = scene();
    struct replay p;
    struct iso_request forced = s->request;
    int32_t answer[ANSWER];
    for (int i = 0; i < ANSWER; i++)
        answer[i] = (int32_t)(i < 3 ? s->m.output[i] : (uint32_t)(40 + i));
    forced.forced = answer;
    forced.n_forced = ANSWER;
    assert_ok(replay_init(&p, &forced, NULL, ANSWER, iso_engine_info(honest), NULL));
    run(honest, &p);
    take(&s->m, &p);
    for (int i = 0; i < 3; i++) /* sums as they would be */
        s->m.positions[i].sum = 1;
    replay_release(&p);
    commit(&s->m);
    s->t.trust.keys = s->t.keys;
    assert_int_equal(judge(&s->t, &s->m), VERDICT_MISMATCH);
    assert_true(!strcmp(s->t.report.first->field, "output.root") ||
                !strcmp(s->t.report.first->field, "output.ids"));
    unmake(&s->m);
}

/* Pages that the verifier's engine remembers are none of the replay's. */
static void a_wrong_page_in_the_cache_does_no_harm(void **state)
{
    (void)state;
    struct scene *s = scene();
    struct iso_engine *e = open_engine(&table);
    struct iso_session *session;
    const struct iso_event *events;
    assert_int_equal(iso_session_open(e, &session, NULL), ISO_OK);
    struct iso_request read = s->request;
    read.n_answer_max = 0;
    assert_int_equal(iso_session_submit(session, &read, NULL), ISO_OK);
    while (iso_engine_step(e, &events) > 0)
        ;
    uint16_t *page = session->bases[0];
    for (size_t i = 0; i < 64; i++)
        page[i] ^= 0x0101;
    iso_session_close(session);
    s->t.engine = e;
    s->t.uses_cache = true; /* control: the page would have been used */
    s->t.trust.keys = s->t.keys;
    assert_int_equal(judge(&s->t, &s->m), VERDICT_MISMATCH);
    s->t.uses_cache = false;
    assert_valid(&s->t, &s->m);
    iso_engine_close(e);
    unmake(&s->m);
}

/* ---- keys --------------------------------------------------------------------------------- */

static void keys_that_do_not_count_are_caught(void **state)
{
    (void)state;
    struct scene *s = scene();
    struct sign_pair other;
    sign_pair_make(&other);
    s->t.keys[0] = other.key; /* nobody that was named */
    assert_not_measured(&s->t, &s->m, "key");
    s->t.keys[0] = s->m.key.key; /* the signing key itself */
    assert_valid(&s->t, &s->m);
    s->t.keys[0] = s->m.identity.key;
    s->m.bundle.has[BUNDLE_CERTIFICATE] = false;
    assert_not_measured(&s->t, &s->m, "key");
    s->m.bundle.has[BUNDLE_CERTIFICATE] = true;
    struct sign_pair key = s->m.key;
    s->m.key = other; /* certified is another */
    assert_caught(&s->t, &s->m, "certificate");
    s->m.key = key;
    certify(&s->m, NOW_S - 1000, NOW_S + 1); /* over before the answer's end */
    assert_caught(&s->t, &s->m, "certificate");
    certify(&s->m, NOW_S + 1, NOW_S + 1000);
    assert_caught(&s->t, &s->m, "certificate");
    unmake(&s->m);
}

static void forged_signatures_are_caught(void **state)
{
    (void)state;
    struct scene *s = scene();
    struct verify_report report;
    struct verify_case c;
    struct buf body, text;
    buf_init(&body, 1 << 20);
    buf_init(&text, 1 << 20);
    receipt_write(&s->m.receipt, &body);
    sign_write(SIGN_RECEIPT, (struct str){body.bytes, body.n_bytes}, &s->m.key, &text);
    char *count = strstr(text.bytes, "\"count\":40");
    char *key = strstr(text.bytes, "\"key\":\"") + 7;
    assert_non_null(count);
    for (int kind = 0; kind < 3; kind++) {
        char good[64], *at = kind == 0   ? count + 8
                             : kind == 1 ? key
                                         : strstr(key, "signature") + 20;
        memcpy(good, at, sizeof good);
        if (kind == 1) { /* the neutral point: of small order */
            memset(at, '0', 64);
            at[1] = '1';
        } else {
            *at = *at == '1' ? '2' : '1';
        }
        report = (struct verify_report){0};
        assert_false(verify_open(&c, (struct str){text.bytes, text.n_bytes}, NULL, &report));
        assert_int_equal(verify_verdict(&report), VERDICT_MISMATCH);
        assert_string_equal(report.first->field, "signature");
        assert_non_null(strstr(report.first->found, kind == 1 ? "full order" : "does not fit"));
        memcpy(at, good, sizeof good);
    }
    report = (struct verify_report){0};
    assert_true(verify_open(&c, (struct str){text.bytes, text.n_bytes}, NULL, &report));
    verify_close(&c);
    buf_release(&body);
    buf_release(&text);
    unmake(&s->m);
}

static void revoked_keys_count_by_what_was_seen(void **state)
{
    (void)state;
    struct scene *s = scene();
    const struct revocation revocation = {s->m.identity.key, 1, NOW_S - 500};
    struct revocation another = revocation;
    another.serial = 2;
    s->t.trust.n_revocations = 1;
    s->t.trust.revocations = &another;
    assert_valid(&s->t, &s->m);
    s->t.trust.revocations = &revocation;
    assert_caught(&s->t, &s->m, "certificate");
    struct log_head seen = s->m.log; /* by somebody, before: the receipt is in it */
    s->t.trust.heads = &seen;
    s->t.trust.n_heads = 1;
    assert_valid(&s->t, &s->m);
    assert_int_equal(line_of(&s->t.report, "log")->status, VERIFY_CHECKED);
    unmake(&s->m);
}

/* ---- the log ------------------------------------------------------------------------------ */

static void a_back_dated_receipt_is_caught(void **state)
{
    (void)state;
    struct scene *s = scene();
    /* Four receipts, and none of this, a quarter of an hour after it is said to have ended. */
    struct log_head seen = {.key = s->m.key.key,
                            .epoch = 1,
                            .count = 4,
                            .root = named("a root"),
                            .time_s = NOW_S + 900};
    s->t.trust.heads = &seen;
    s->t.trust.n_heads = 1;
    assert_caught(&s->t, &s->m, "time");
    seen.time_s = NOW_S;
    assert_valid(&s->t, &s->m);
    s->t.trust.n_heads = 0;
    s->m.receipt.ended_ms = (NOW_S + 500) * UINT64_C(1000); /* after it was logged */
    assert_caught(&s->t, &s->m, "time");
    unmake(&s->m);
}

/* A few positions prove themselves, and nothing passes as one; no salt but theirs is told. */
static void positions_are_shown_alone(void **state)
{
    (void)state;
    struct scene *s = scene();
    static const uint32_t indices[] = {0, 17, ANSWER - 1};
    struct bundle whole = s->m.bundle, few;
    assert_ok(bundle_show(&whole, indices, 3, &few, NULL));
    for (int i = 0; i < BUNDLE_N_PARTS; i++)
        assert_true(few.has[i] ==
                    (i == BUNDLE_SHOWN || i == BUNDLE_CERTIFICATE || i == BUNDLE_LOG));
    for (int i = 0; i < 3; i++)
        assert_memory_not_equal(few.shown[i].salt.bytes, whole.salt.bytes, SALT_BYTES);
    s->m.bundle = few;
    s->t.engine = NULL;
    assert_not_measured(&s->t, &s->m, "salt");
    assert_int_equal(line_of(&s->t.report, "output.shown")->status, VERIFY_ASSERTED);
    assert_non_null(strstr(line_of(&s->t.report, "output.shown")->text, "3 under"));
    struct bundle_shown *one = (struct bundle_shown *)&few.shown[1], honest_one = *one;
    for (int kind = 0; kind < 5; kind++) {
        *one = honest_one;
        one->index += kind == 0;
        one->record.id ^= kind == 1;
        one->record.best[9].logit_bits ^= kind == 2;
        one->salt.bytes[3] ^= kind == 3;
        one->proof.n_hashes -= kind == 4;
        assert_caught(&s->t, &s->m, "output.shown");
    }
    s->m.bundle = whole;
    bundle_release(&few);
    unmake(&s->m);
}

/* A key that is over signs receipts of yesterday: what was seen of its log tells. */
static void an_expired_key_is_caught(void **state)
{
    (void)state;
    struct scene *s = scene();
    certify(&s->m, NOW_S - 1000, NOW_S + 10);
    assert_valid(&s->t, &s->m);
    struct log_head seen = {.key = s->m.key.key,
                            .epoch = 1,
                            .count = 4,
                            .root = named("a root"),
                            .time_s = NOW_S + 10};
    s->t.trust.heads = &seen;
    s->t.trust.n_heads = 1;
    assert_caught(&s->t, &s->m, "certificate");
    seen.time_s = NOW_S + 9; /* in force, and it may have been logged since */
    assert_valid(&s->t, &s->m);
    seen.count = 5; /* it is in it, so it was made before that */
    seen.time_s = NOW_S + 500;
    assert_valid(&s->t, &s->m);
    s->m.bundle.has[BUNDLE_LOG] = false; /* who hides the log is not believed */
    assert_not_measured(&s->t, &s->m, "log");
    seen.key = s->m.identity.key; /* another's log says nothing */
    assert_valid(&s->t, &s->m);
    unmake(&s->m);
}

static void a_forked_log_is_caught(void **state)
{
    (void)state;
    struct scene *s = scene();
    assert_valid(&s->t, &s->m);
    struct log_head seen = s->m.log;
    seen.root = named("another root");
    struct buf text;
    buf_init(&text, 1 << 16);
    log_head_write(&seen, &s->m.key, &text);
    s->t.trust.heads = &seen;
    s->t.trust.n_heads = 1;
    assert_caught(&s->t, &s->m, "log");
    buf_release(&text);
    unmake(&s->m);
}

/* A node of the tree shown as its leaf: the proof is a level shorter. */
static void leaf_as_node(struct made *m)
{
    struct merkle_proof *p = &m->bundle.log.proof;
    memmove(p->hashes, p->hashes + 1, --p->n_hashes * sizeof p->hashes[0]);
    m->bundle.log.index /= 2;
}

/* The last leaf twice, as trees that pad have it: the same receipt at an index of its own. */
static void last_leaf_twice(struct made *m)
{
    struct merkle_hash name;
    struct buf body;
    buf_init(&body, 1 << 20);
    receipt_write(&m->receipt, &body);
    log_in(m, (struct str){body.bytes, body.n_bytes}, 6, 6);
    buf_release(&body);
    name = m->leaves[6];
    m->bundle.log.index = 7;
    struct merkle_proof *p = &m->bundle.log.proof;
    memmove(p->hashes + 1, p->hashes, p->n_hashes++ * sizeof p->hashes[0]);
    p->hashes[0] = name;
}

/* The count alone, signed beside the same root. */
static void another_count(struct made *m)
{
    m->log.count = 4;
    buf_clear(&m->head);
    log_head_write(&m->log, &m->key, &m->head);
    m->bundle.log.head = (struct str){m->head.bytes, m->head.n_bytes};
}

static void another_key(struct made *m)
{
    struct sign_pair other;
    sign_pair_make(&other);
    m->log.key = other.key;
    buf_clear(&m->head);
    log_head_write(&m->log, &other, &m->head);
    m->bundle.log.head = (struct str){m->head.bytes, m->head.n_bytes};
}

static void tricks_with_trees_are_caught(void **state)
{
    (void)state;
    static void (*const tricks[])(struct made *) = {leaf_as_node, last_leaf_twice, another_count,
                                                    another_key};
    struct scene *s = scene();
    for (size_t i = 0; i < COUNT_OF(tricks); i++) {
        s->t.spoil_log = tricks[i];
        assert_caught(&s->t, &s->m, "log");
    }
    s->t.spoil_log = NULL;
    assert_valid(&s->t, &s->m);
    unmake(&s->m);
}

/* ---- secrecy ------------------------------------------------------------------------------ */

/* Whether one of the receipt's hashes is that of the guess, under this salt. */
static bool confirms(const struct receipt *r, const struct salt *salt, struct str guess,
                     const uint32_t *ids, size_t n_ids)
{
    const struct merkle_hash tries[] = {
        commitment_of(salt, SALT_PROMPT, 0, guess.ptr, guess.len),
        commitment_of_ids(salt, SALT_PROMPT_IDS, ids, n_ids),
        commitment_of(salt, SALT_REQUEST, 0, guess.ptr, guess.len),
    };
    const struct merkle_hash *told[] = {&r->prompt, &r->prompt_ids, &r->request};
    for (size_t i = 0; i < COUNT_OF(tries); i++)
        if (merkle_equal(&tries[i], told[i]))
            return true;
    return false;
}

/* A hundred thousand prompts and the model's tokenizer: the receipt confirms none. Who has the salt
 * finds the right one, so the search is one that could have. */
static void a_receipt_confirms_no_guess(void **state)
{
    (void)state;
    enum { GUESSES = 100000, RIGHT = 31337 };
    struct tokenizer *t;
    struct scene *s = scene();
    struct token_list ids = {.n_ids_max = 64};
    char text[32];
    assert_ok(tokenizer_from_table(&table, &t, NULL));
    for (int pass = 0; pass < 2; pass++) {
        int found = -1;
        static const struct salt zeros;
        for (int i = -1; i < GUESSES; i++) {
            snprintf(text, sizeof text, "My PIN is %05d", i < 0 ? RIGHT : i);
            ids.n_ids = 0;
            assert_ok(tokenizer_encode(t, str_from(text), ENCODE_ADD_SPECIAL, &ids, NULL));
            const uint32_t *as = (const uint32_t *)(const void *)ids.ids;
            if (i < 0) {
                s->m.bundle.prompt = str_from(text);
                s->m.bundle.prompt_ids = as;
                s->m.bundle.n_prompt_ids = ids.n_ids;
                commit(&s->m);
            } else if (confirms(&s->m.receipt, pass ? &s->m.bundle.salt : &zeros, str_from(text),
                                as, ids.n_ids)) {
                found = i;
            }
        }
        assert_int_equal(found, pass ? RIGHT : -1);
    }
    token_list_release(&ids);
    tokenizer_free(t);
    unmake(&s->m);
}

static int open_model(void **state)
{
    (void)state;
    if (gguf_open(TEST_DIR "/golden/engine/talker.gguf", &table, NULL))
        return 1;
    honest = open_engine(&table);
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    iso_engine_close(honest);
    table_close(&table);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_honest_receipt_is_valid),
        cmocka_unit_test(altered_text_is_caught),
        cmocka_unit_test(an_end_too_early_or_too_late_is_caught),
        cmocka_unit_test(another_model_is_caught),
        cmocka_unit_test(another_seed_is_caught),
        cmocka_unit_test(a_seed_of_the_nodes_choice_is_not_measured),
        cmocka_unit_test(an_inserted_prompt_is_caught),
        cmocka_unit_test(counted_too_many_is_caught),
        cmocka_unit_test(other_parameters_are_caught),
        cmocka_unit_test(a_replayed_receipt_is_caught),
        cmocka_unit_test(a_prefilled_answer_is_caught),
        cmocka_unit_test(a_wrong_page_in_the_cache_does_no_harm),
        cmocka_unit_test(keys_that_do_not_count_are_caught),
        cmocka_unit_test(forged_signatures_are_caught),
        cmocka_unit_test(revoked_keys_count_by_what_was_seen),
        cmocka_unit_test(a_back_dated_receipt_is_caught),
        cmocka_unit_test(positions_are_shown_alone),
        cmocka_unit_test(an_expired_key_is_caught),
        cmocka_unit_test(a_forked_log_is_caught),
        cmocka_unit_test(tricks_with_trees_are_caught),
        cmocka_unit_test(a_receipt_confirms_no_guess),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
