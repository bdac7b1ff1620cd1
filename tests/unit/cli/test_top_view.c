/* test_top_view.c - what isobit top draws of two looks: rates, bars, cut to the screen, no escapes
 * of others. */
#include "lib/test.h"

#include "base/mem.h"
#include "cli/top_view.h"

static const char metrics_text[] =
    "{\"uptime_seconds\":75,\"connections\":3,\"requests\":{\"total\":50,\"failed\":5},"
    "\"errors\":{\"rate_percent\":10},\"response_times\":{\"p50_ms\":12.5,\"p95_ms\":1500,"
    "\"p99_ms\":90000},\"models\":[{\"id\":\"one\\u001b[2J\\u00e9\",\"ready\":true,"
    "\"requests_running\":2,\"batch_places\":8,\"requests_waiting\":4,\"kv_pages_used\":1,"
    "\"kv_pages\":1000,\"kv_pages_remembered\":9,\"cache_hits\":3,\"cache_misses\":1,"
    "\"prompt_tokens\":%d,\"cached_tokens\":50,\"generated_tokens\":%d,"
    "\"queue_seconds\":{\"count\":4,\"p50\":0.001,\"p95\":0.5,\"p99\":20}}]}";

static const char requests_text[] =
    "{\"data\":[{\"id\":\"req-1\",\"model\":\"one\",\"state\":\"answer\",\"prompt_tokens\":14,"
    "\"read_tokens\":14,\"generated_tokens\":230,\"age_ms\":2100},"
    "{\"id\":\"req-2\",\"state\":7},{\"id\":\"req-3\"},{\"id\":\"req-4\"}]}";

static struct top_look look_of(int n_prompt, int n_answer)
{
    char text[2000];
    snprintf(text, sizeof text, metrics_text, n_prompt, n_answer);
    struct top_look look = {json_loads(text, 0, NULL), json_loads(requests_text, 0, NULL)};
    assert_non_null(look.metrics);
    assert_non_null(look.requests);
    return look;
}

static char *draw(const struct top_look *now, const struct top_look *before, int n_columns,
                  int n_rows)
{
    struct top_view v = {.url = "http://x",
                         .now = now,
                         .before = before,
                         .seconds = 2,
                         .n_columns = n_columns,
                         .n_rows = n_rows};
    struct buf out;
    buf_init(&out, 1 << 20);
    top_draw(&out, &v);
    int n_lines = 0, n_cells = 0;
    for (size_t i = 0; i < out.n_bytes; i++) {
        n_lines += out.bytes[i] == '\n';
        n_cells = out.bytes[i] == '\n' ? 0 : n_cells + ((out.bytes[i] & 0xc0) != 0x80);
        assert_true(n_cells <= n_columns);
        assert_true(out.bytes[i] != 0x1b);
    }
    assert_true(n_rows == 0 || n_lines <= n_rows);
    return buf_take(&out);
}

static void everything_is_there(void **state)
{
    (void)state;
    struct top_look before = look_of(100, 10), now = look_of(200, 73);
    char *all = draw(&now, &before, 120, 0);
    static const char *const wanted[] = {
        "http://x  up 75 s, 3 connections",
        "50 requests, 5 failed (10.0 %)  p50 12.5 ms  p95 1.50 s  p99 90 s",
        "one?[2J\xc3\xa9",
        "ready      31.5 tokens/s out, 50.0 in",
        "\xe2\x96\x88\xe2\x96\x91", /* a bar that is partly full */
        " 2 of 8, 4 waiting",
        "1 of 1000, 9 remembered",
        "75.0 % of 4 prompts, 25.0 % of their tokens",
        "queue        p50 1.0 ms    p95 0.50 s    p99 20 s      of 4",
        "answer       14      14     230    2.10 s",
        "req-4",
    };
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        if (!strstr(all, wanted[i]))
            fail_msg("no \"%s\" in\n%s", wanted[i], all);
    assert_null(strstr(all, "first token")); /* nothing was measured */
    mem_free(all);
    json_decref(before.metrics);
    json_decref(before.requests);
    json_decref(now.metrics);
    json_decref(now.requests);
}

static void it_fits_the_screen(void **state)
{
    (void)state;
    struct top_look now = look_of(1, 1);
    for (int n_columns = 1; n_columns < 100; n_columns += 7)
        for (int n_rows = 1; n_rows < 16; n_rows++)
            mem_free(draw(&now, NULL, n_columns, n_rows));
    char *small = draw(&now, NULL, 80, 12);
    assert_non_null(strstr(small, "and 3 more\n"));
    assert_null(strstr(small, "tokens/s")); /* of one look there are no rates */
    mem_free(small);
    json_decref(now.metrics);
    json_decref(now.requests);
}

static void strange_answers_do_no_harm(void **state)
{
    (void)state;
    static const char *const texts[] = {"{}", "{\"models\":7}", "{\"models\":[1,{\"id\":{}}]}",
                                        "{\"requests\":[],\"uptime_seconds\":\"x\"}"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct top_look now = {json_loads(texts[i], 0, NULL), json_loads(texts[i], 0, NULL)};
        mem_free(draw(&now, &now, 80, 24));
        json_decref(now.metrics);
        json_decref(now.requests);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_there),
        cmocka_unit_test(it_fits_the_screen),
        cmocka_unit_test(strange_answers_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
