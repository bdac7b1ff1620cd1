/* test_maker.c - from events to a receipt and its bundle, over the fake model: the same body
 * whatever ran beside the answer; every part of the bundle is what the body commits to; an answer
 * that was cut is the shorter answer. */
#include "lib/test.h"

#include "base/mem.h"
#include "engine/engine.h"
#include "lib/fake_model.h"
#include "proof/maker.h"

enum { PROMPT = 70, ANSWER = 80, N = 5 };

static int32_t prompts[N][PROMPT];

static struct iso_request request_of(uint32_t i)
{
    struct iso_request r = iso_request_default();
    uint64_t seed = i;
    for (uint32_t k = 0; k < PROMPT; k++)
        prompts[i][k] = (int32_t)(test_rand(&seed) % (FAKE_VOCAB - 1));
    r.tokens = prompts[i];
    r.n_tokens = PROMPT;
    r.n_answer_max = ANSWER;
    r.want_records = r.want_pages = true;
    r.sampling.bias = fake_no_bad;
    r.sampling.n_bias = 1;
    r.sampling.seed = i;
    return r;
}

/* The body of the receipt of answer i; with a salt that everybody knows. */
static char *body_of(struct maker *m, uint32_t i, struct bundle *b)
{
    struct receipt r = {.arithmetic = STR(ISO_ARITHMETIC),
                        .device = STR("fake"),
                        .parameters = STR("{}"),
                        .finish_reason = STR("length")};
    struct buf out;
    memset(m->salt.bytes, (int)i, SALT_BYTES);
    *b = (struct bundle){.request = STR("{}"),
                         .prompt = STR("What?"),
                         .prompt_ids = (const uint32_t *)(const void *)prompts[i],
                         .n_prompt_ids = PROMPT};
    b->has[BUNDLE_REQUEST] = b->has[BUNDLE_PROMPT] = b->has[BUNDLE_PROMPT_IDS] = true;
    assert_ok(maker_fill(m, b, &r, NULL));
    assert_int_equal(r.n_prompt, PROMPT);
    assert_int_equal(r.n_output, b->n_positions);
    buf_init(&out, 1 << 20);
    receipt_write(&r, &out);
    assert_false(out.failed);
    return buf_take(&out);
}

/* Answers to the first n requests at once; their bodies, cut to n_kept tokens. */
static void answer(struct iso_engine_options o, uint32_t n, uint32_t n_answer, uint32_t n_kept,
                   char **bodies)
{
    struct iso_engine *e;
    struct iso_session *s[N];
    struct maker m[N];
    struct bundle b;
    const struct iso_event *events;
    o.n_sessions = n;
    assert_ok(engine_open(NULL, NULL, &o, &e, NULL));
    for (uint32_t i = 0; i < n; i++) {
        struct iso_request r = request_of(i);
        r.n_answer_max = n_answer;
        maker_init(&m[i]);
        assert_int_equal(iso_session_open(e, &s[i], NULL), ISO_OK);
        assert_int_equal(iso_session_submit(s[i], &r, NULL), ISO_OK);
    }
    for (size_t k; (k = iso_engine_step(e, &events)) > 0;)
        for (size_t j = 0; j < k; j++)
            for (uint32_t i = 0; i < n; i++)
                if (events[j].session == s[i])
                    maker_take(&m[i], &events[j]);
    for (uint32_t i = 0; i < n; i++) {
        maker_cut(&m[i], n_kept);
        bodies[i] = body_of(&m[i], i, &b);
        maker_release(&m[i]);
    }
    iso_engine_close(e);
}

static void a_body_depends_on_the_answer_alone(void **state)
{
    (void)state;
    char *wanted[N], *got[N];
    for (uint32_t kept = ANSWER - 16; kept <= ANSWER; kept++) {
        answer((struct iso_engine_options){.n_chunk = 16}, N, kept, kept, wanted);
        for (uint32_t n = 1; n <= N; n += N - 1) {
            answer((struct iso_engine_options){.n_kv_pages = n == 1 ? 0 : 7}, n, ANSWER, kept, got);
            for (uint32_t i = 0; i < n; i++) {
                assert_string_equal(got[i], wanted[i]);
                mem_free(got[i]);
            }
        }
        for (uint32_t i = 0; i < N; i++)
            mem_free(wanted[i]);
    }
}

/* From the bundle's parts the body's hashes, as anybody would make them. */
static void the_body_commits_to_the_bundle(void **state)
{
    (void)state;
    struct iso_engine *e;
    struct iso_session *s;
    struct maker m;
    struct bundle b;
    struct canon_doc doc;
    struct receipt r;
    const struct iso_event *events;
    struct iso_request request = request_of(1);
    request.want_digests = true;
    maker_init(&m);
    assert_ok(engine_open(NULL, NULL, &(struct iso_engine_options){0}, &e, NULL));
    iso_session_open(e, &s, NULL);
    assert_int_equal(iso_session_submit(s, &request, NULL), ISO_OK);
    for (size_t k; (k = iso_engine_step(e, &events)) > 0;)
        for (size_t j = 0; j < k; j++)
            maker_take(&m, &events[j]);
    char *body = body_of(&m, 1, &b);
    assert_ok(canon_read(str_from(body), &doc, NULL));
    assert_ok(receipt_read(&doc, doc.nodes, &r, NULL));
    uint32_t n_tokens;
    const int32_t *tokens = iso_session_tokens(s, &n_tokens);
    assert_int_equal(n_tokens, PROMPT + ANSWER);
    assert_memory_equal(b.output_ids, tokens + PROMPT, ANSWER * sizeof tokens[0]);
    struct merkle tree = {0};
    for (uint32_t i = 0; i < ANSWER; i++) {
        float logits[FAKE_VOCAB];
        fake_oracle_logits(tokens, PROMPT + i, logits);
        struct merkle_hash all;
        sha256_of(logits, sizeof logits, all.bytes);
        assert_true(merkle_equal(&all, &b.logits[i]));
        assert_int_equal(b.positions[i].id, tokens[PROMPT + i]);
        assert_true(b.positions[i].sum > 0);
        for (int k = 0; k < COMMITMENT_BEST_MAX; k++)
            assert_memory_equal(&b.positions[i].best[k].logit_bits,
                                &logits[b.positions[i].best[k].id], 4);
        struct merkle_hash leaf = commitment_position(&b.salt, i, &b.positions[i]);
        merkle_add(&tree, &leaf);
    }
    struct merkle_hash root = merkle_root(&tree);
    assert_true(merkle_equal(&root, &r.root));
    root = commitment_of_hashes(&b.salt, SALT_LOGITS, b.logits, ANSWER);
    assert_true(r.has_logits && merkle_equal(&root, &r.logits));
    assert_int_equal(b.n_prompt_pages, 1); /* positions 0 to 63 */
    assert_true(r.has_prompt_pages);
    struct merkle_hash page;
    assert_true(iso_session_page_hash(s, 0, page.bytes));
    assert_true(merkle_equal(&page, &b.prompt_pages[0]));
    root = commitment_of_hashes(&b.salt, SALT_PROMPT_PAGE, b.prompt_pages, 1);
    assert_true(merkle_equal(&root, &r.prompt_pages));
    assert_int_equal(b.n_pages, 1); /* positions 64 to 127; of 149 that were read */
    assert_int_equal(r.n_pages, 1);
    for (uint32_t i = 0; i < 1; i++) {
        page = commitment_of(&b.salt, SALT_PAGE, i, b.pages[i].bytes, 32);
        assert_true(merkle_equal(&page, &r.pages[i]));
    }
    struct merkle_hash ids = commitment_of_ids(&b.salt, SALT_OUTPUT_IDS, b.output_ids, ANSWER);
    assert_true(merkle_equal(&ids, &r.output_ids));
    ids = commitment_of_ids(&b.salt, SALT_PROMPT_IDS, b.prompt_ids, PROMPT);
    assert_true(merkle_equal(&ids, &r.prompt_ids));
    receipt_release(&r);
    canon_release(&doc);
    mem_free(body);
    maker_release(&m);
    iso_engine_close(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_depends_on_the_answer_alone),
        cmocka_unit_test(the_body_commits_to_the_bundle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
