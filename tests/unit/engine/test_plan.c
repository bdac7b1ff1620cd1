/* test_plan.c - what an engine takes is known before; what does not fit is said with numbers. */
#include "lib/test.h"

#include "device/device.h"
#include "engine/engine.h"
#include "engine/plan.h"
#include "format/gguf.h"

#define MODEL TEST_DIR "/golden/model/qwen3.gguf"

static void plan_of(const struct iso_engine_options *o, struct plan *p)
{
    struct table t;
    struct err_note note;
    assert_ok(gguf_open(MODEL, &t, &note));
    assert_ok(engine_plan(&t, NULL, o, p, &note));
    table_close(&t);
}

static enum err open_with(const struct iso_engine_options *o, struct iso_engine_info *info,
                          struct err_note *note)
{
    struct table t;
    struct iso_engine *e;
    assert_ok(gguf_open(MODEL, &t, note));
    enum err rc = engine_open(&t, NULL, o, &e, note);
    if (!rc) {
        *info = iso_engine_info(e);
        iso_engine_close(e);
    }
    table_close(&t);
    return rc;
}

static void the_plan_is_what_opening_takes(void **state)
{
    (void)state;
    const struct iso_engine_options o = {.n_ctx = 640, .n_sessions = 3, .n_chunk = 32};
    struct plan p;
    struct iso_engine_info info;
    plan_of(&o, &p);
    assert_true(plan_fits(&p));
    assert_ok(open_with(&o, &info, NULL));
    assert_int_equal(p.n_kv_pages, info.n_kv_pages);
    assert_int_equal(p.n_kv_pages, 3 * 10);
    assert_true(p.cpu.n_bytes_cache >= info.n_kv_pages * info.n_bytes_kv_page);
    assert_int_equal(p.n_bytes_in_file, 0);
    assert_int_equal(info.n_bytes_in_file, 0);
}

/* With a byte less than what weights, cache and work take together, the weights give way; with a
 * byte less than cache and work take, nothing opens. */
static void limits_hold_to_the_byte(void **state)
{
    (void)state;
    struct iso_engine_options o = {.n_ctx = 640, .n_sessions = 2, .n_chunk = 32};
    struct plan p;
    struct iso_engine_info info;
    struct err_note note;
    plan_of(&o, &p);
    uint64_t packed = p.cpu.n_bytes_packed, least = plan_part_bytes(&p.cpu) - packed;
#if defined(__x86_64__)
    assert_true(packed > 0); /* NEON works in place */
#endif
    for (uint64_t n = least; n <= least + packed; n += packed / 5 + 1) {
        o.n_bytes_memory = n * 32 / 31 + 1;
        plan_of(&o, &p);
        assert_true(plan_fits(&p));
        assert_true(plan_part_bytes(&p.cpu) <= p.cpu.n_bytes_usable);
        assert_int_equal(p.cpu.n_bytes_weights + p.n_bytes_in_file, packed);
        assert_ok(open_with(&o, &info, &note));
        assert_true((info.n_bytes_in_file > 0) == (p.n_bytes_in_file > 0));
    }
    o.n_bytes_memory = (least - 32) * 32 / 31 - 1;
    assert_int_equal(open_with(&o, &info, &note), ERR_MEMORY);
    assert_non_null(strstr(note.text, "640 positions x 2 sessions need"));
    assert_non_null(strstr(note.text, "a context of 576 fits"));
    o.n_ctx = 576;
    assert_ok(open_with(&o, &info, &note));
}

static void what_would_fit_fits(void **state)
{
    (void)state;
    struct iso_engine_options o = {.n_ctx = 2048, .n_sessions = 8, .n_chunk = 16};
    struct iso_engine_info info;
    struct err_note note;
    struct plan p;
    plan_of(&o, &p);
    for (uint64_t n = p.cpu.n_bytes_working / 2; n < 2 * p.cpu.n_bytes_cache; n += n / 3) {
        o = (struct iso_engine_options){.n_ctx = 2048, .n_chunk = 16, .n_bytes_memory = n};
        for (o.n_sessions = 1; o.n_sessions <= 8; o.n_sessions *= 2) {
            plan_of(&o, &p);
            uint32_t n_ctx = plan_ctx_max(&p, o.n_sessions, false);
            assert_true(plan_ctx_max(&p, o.n_sessions, true) <= n_ctx);
            assert_int_equal(plan_fits(&p), n_ctx >= 2048);
            if (n_ctx == 0 || n_ctx > 2048 - KV_PAGE)
                continue;
            struct iso_engine_options fits = o, more = o;
            fits.n_ctx = n_ctx;
            more.n_ctx = n_ctx + KV_PAGE;
            assert_ok(open_with(&fits, &info, &note));
            assert_int_equal(open_with(&more, &info, &note), ERR_MEMORY);
        }
    }
}

static void nothing_at_all_is_said_so(void **state)
{
    (void)state;
    const struct iso_engine_options o = {.n_ctx = 64, .n_bytes_memory = 1000};
    struct iso_engine_info info;
    struct err_note note;
    assert_int_equal(open_with(&o, &info, &note), ERR_MEMORY);
    assert_non_null(strstr(note.text, "no context fits"));
    assert_non_null(strstr(note.text, "the limit that was given"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plan_is_what_opening_takes),
        cmocka_unit_test(limits_hold_to_the_byte),
        cmocka_unit_test(what_would_fit_fits),
        cmocka_unit_test(nothing_at_all_is_said_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
