/* test_bench_peer.c - other benchmarks' output, as they print it and spoilt. */
#include "lib/test.h"

#include "base/file.h"
#include "base/mem.h"
#include "cli/bench_peer.h"

static struct bench_peer parse_file(const char *name)
{
    char path[300], *text;
    size_t n_bytes;
    struct err_note note = {""};
    struct bench_peer p;
    snprintf(path, sizeof path, "%s/fuzz/corpus/fuzz_bench_peer/%s", TEST_DIR, name);
    assert_int_equal(file_read(path, 1 << 20, &text, &n_bytes, &note), ERR_OK);
    if (bench_peer_parse(&p, (struct str){text, n_bytes}, &note) != ERR_OK)
        fail_msg("%s: %s", name, note.text);
    mem_free(text);
    return p;
}

static double rate_of(const struct bench_peer *p, struct bench_test t)
{
    const struct bench_peer_row *row = bench_peer_find(p, &t);
    return row ? row->tokens_per_second : 0;
}

static void test_llama_bench(void **state)
{
    (void)state;
    struct bench_peer p = parse_file("llama_bench");
    assert_string_equal(p.name, "llama.cpp 1652066");
    assert_int_equal(p.n_rows, 6);
    /* The median of two is their mean. */
    struct bench_test t = {BENCH_PROMPT, 2, 16, 1, 0};
    assert_float_equal(rate_of(&p, t), (13755.3 + 14652) / 2, 1e-6);
    t = (struct bench_test){BENCH_GEN, 2, 8, 1, 0};
    assert_float_equal(rate_of(&p, t), (5990.75 + 6370.72) / 2, 1e-6);
    t.n_depth = 32;
    assert_true(rate_of(&p, t) > 0);
    t.n_depth = 33;
    assert_true(rate_of(&p, t) == 0);
    t = (struct bench_test){BENCH_GEN, 3, 8, 1, 0}; /* another number of threads */
    assert_true(rate_of(&p, t) == 0);
    bench_peer_release(&p);
}

static void test_batched(void **state)
{
    (void)state;
    struct bench_peer p = parse_file("batched");
    assert_int_equal(p.n_rows, 4);
    assert_float_equal(rate_of(&p, (struct bench_test){BENCH_GEN, 2, 8, 4, 32}), 1253.623779, 1e-6);
    assert_float_equal(rate_of(&p, (struct bench_test){BENCH_PROMPT, 2, 32, 1, 0}), 14960.261719,
                       1e-6);
    bench_peer_release(&p);
}

static void test_isobit(void **state)
{
    (void)state;
    struct bench_peer p = parse_file("isobit");
    assert_int_equal(p.n_rows, 2);
    assert_int_equal(strncmp(p.name, "isobit ", 7), 0);
    assert_true(rate_of(&p, (struct bench_test){BENCH_GEN, 2, 3, 1, 0}) > 0);
    bench_peer_release(&p);
}

/* Without threads the row stands for any; reading and generating mixed is no test here. */
static void test_lines(void **state)
{
    (void)state;
    struct bench_peer p = parse_file("jsonl");
    assert_int_equal(p.n_rows, 1);
    assert_float_equal(rate_of(&p, (struct bench_test){BENCH_GEN, 7, 8, 1, 32}), 61.5, 0);
    bench_peer_release(&p);
}

static void test_spoilt(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " \n",
        "hello",
        "\x1b[31m\xff",
        "[]",
        "{}",
        "null",
        "3",
        "[1]",
        "[{}]",
        "{\"results\":[]}",
        "{\"results\":[{}]}",
        "{\"results\":[{\"kind\":\"gen\",\"n_tokens\":8,\"samples\":[1,\"x\"]}]}",
        "{\"results\":[{\"kind\":\"gen\",\"n_tokens\":8.5,\"samples\":[1]}]}",
        "{\"pl\":0,\"pp\":1,\"tg\":1,\"speed_tg\":5,\"speed_pp\":5}",
        "{\"pl\":\"4\",\"pp\":1,\"tg\":1,\"speed_tg\":5,\"speed_pp\":5}",
        "{\"n_prompt\":512,\"avg_ts\":0}",
        "{\"n_prompt\":-1,\"avg_ts\":5}",
        "{\"n_prompt\":99999999,\"avg_ts\":5}",
        "{\"n_prompt\":512,\"n_gen\":0,\"avg_ts\":5} trailing",
        "{\"n_prompt\":512,\"n_gen\":0,\"avg_ts\":5}{\"n_prompt\":",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct bench_peer p;
        struct err_note note = {""};
        assert_int_equal(bench_peer_parse(&p, str_from(bad[i]), &note), ERR_FORMAT);
        assert_true(note.text[0] && !p.rows);
        for (const char *c = note.text; *c; c++)
            assert_true(*c >= ' ' && *c <= '~');
    }
}

static void test_too_many(void **state)
{
    (void)state;
    const size_t n = 4097;
    const struct str one = STR("{\"n_prompt\":1,\"avg_ts\":1}\n");
    char *text = mem_alloc(n * one.len);
    struct bench_peer p;
    struct err_note note = {""};
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * one.len, one.ptr, one.len);
    assert_int_equal(bench_peer_parse(&p, (struct str){text, n * one.len}, &note), ERR_LIMIT);
    assert_int_equal(bench_peer_parse(&p, (struct str){text, (n - 1) * one.len}, &note), ERR_OK);
    bench_peer_release(&p);
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_llama_bench), cmocka_unit_test(test_batched),
        cmocka_unit_test(test_isobit),      cmocka_unit_test(test_lines),
        cmocka_unit_test(test_spoilt),      cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
