/* test_cross.c - a receipt made with AVX-512 in a batch of 16 (isobit run --answers 16, the
 * twelfth) is checked alone, by every instruction set of this machine, whatever machine it is. */
#include "lib/test.h"

#include "base/file.h"
#include "base/mem.h"
#include "device/device.h"
#include "engine/engine.h"
#include "format/gguf.h"
#include "proof/parameters.h"
#include "proof/replay.h"
#include "proof/verify.h"

#define RECEIPT TEST_DIR "/golden/proof/batch16."

static struct table table;

static struct str text_of(const char *path, char **owned)
{
    size_t n_bytes;
    assert_ok(file_read(path, 1 << 20, owned, &n_bytes, NULL));
    return (struct str){*owned, n_bytes};
}

static void compute(const struct verify_case *c, const struct parameters *p, const char *isa,
                    struct verify_report *r)
{
    struct iso_engine *e;
    struct iso_session *s;
    struct replay replay;
    const struct iso_event *events;
    const struct bundle *b = c->bundle;
    const struct iso_engine_options o = {
        .n_threads = 1, .isa = isa, .n_ctx = p->n_ctx, .n_logits = 64, .no_speculation = true};
    struct iso_request request = p->request;
    int32_t *prompt = mem_array(b->n_prompt_ids, sizeof prompt[0]);
    for (size_t i = 0; i < b->n_prompt_ids; i++)
        prompt[i] = (int32_t)b->prompt_ids[i];
    request.tokens = prompt;
    request.n_tokens = (uint32_t)b->n_prompt_ids;
    request.sampling.seed = c->receipt.seed;
    assert_ok(engine_open(&table, NULL, &o, &e, NULL));
    assert_int_equal(iso_session_open(e, &s, NULL), ISO_OK);
    assert_ok(
        replay_init(&replay, &request, b->output_ids, b->n_output_ids, iso_engine_info(e), NULL));
    assert_int_equal(iso_session_submit(s, &replay.request, NULL), ISO_OK);
    while (!replay.is_over) {
        size_t n = iso_engine_step(e, &events);
        assert_true(n > 0);
        for (size_t i = 0; i < n; i++)
            replay_take(&replay, &events[i]);
    }
    const struct verify_replay found = replay_found(&replay);
    if (!verify_replayed(c, &found, r) || r->first)
        fail_msg("%s: %s: %s; expected %s, found %s", isa, r->first->field, r->first->text,
                 r->first->expected, r->first->found);
    verify_finish(c, replay.finish, false, r);
    replay_release(&replay);
    iso_engine_close(e);
    mem_free(prompt);
}

static void a_batch_of_sixteen_is_checked_alone(void **state)
{
    (void)state;
    char *texts[2];
    struct verify_report report = {.n_lines = 0};
    struct canon_doc doc, words;
    struct bundle bundle;
    struct verify_case c;
    struct parameters p;
    struct str receipt = text_of(RECEIPT "receipt", &texts[0]);
    assert_ok(canon_read(text_of(RECEIPT "bundle", &texts[1]), &doc, NULL));
    assert_ok(bundle_read(&doc, doc.nodes, &bundle, NULL));
    assert_true(verify_open(&c, receipt, &bundle, &report));
    assert_non_null(strstr(texts[0], "cpu, avx512, "));
    assert_true(c.receipt.n_output == 150 && c.receipt.n_pages == 2);
    assert_ok(canon_read(c.receipt.parameters, &words, NULL));
    assert_ok(parameters_read(&words, words.nodes, &p, NULL));
    assert_int_equal(p.request.sampling.choice, 11);
    verify_parts(&c, (struct str){0}, &report);
    for (const char *const *isa = cpu_isa_names(); *isa; isa++) {
        compute(&c, &p, *isa, &report);
        assert_null(report.first);
    }
    parameters_release(&p);
    verify_close(&c);
    bundle_release(&bundle);
    canon_release(&doc);
    canon_release(&words);
    mem_free(texts[0]);
    mem_free(texts[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_batch_of_sixteen_is_checked_alone)};
    if (gguf_open(TEST_DIR "/golden/engine/talker.gguf", &table, NULL))
        return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    table_close(&table);
    return rc;
}
