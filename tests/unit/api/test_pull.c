/* test_pull.c - Ollama's pull: what is asked for, what is told. */
#include "lib/test.h"

#include "api/pull.h"
#include "base/check.h"

static void models_are_of_a_hub(void **state)
{
    (void)state;
    static const struct {
        const char *body, *model; /* NULL: 400 */
        bool stream;
    } cases[] = {
        {"{\"model\": \"hf.co/a/b:Q8_0\"}", "hf.co/a/b:Q8_0", true},
        {"{\"name\": \"hf:a/b\", \"stream\": false}", "hf:a/b", false},
        {"{\"model\": \"huggingface.co/a/b\", \"insecure\": true}", "huggingface.co/a/b", true},
        {"{\"model\": \"llama3.2\"}", NULL, true},
        {"{\"model\": \"https://host/x.gguf\"}", NULL, true},
        {"{\"model\": \"--into\"}", NULL, true},
        {"{\"model\": 1}", NULL, true},
        {"{}", NULL, true},
        {"[]", NULL, true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_pull p;
        struct api_error e = {0};
        assert_int_equal(api_pull_parse(str_from(cases[i].body), &p, &e), cases[i].model != NULL);
        assert_int_equal(e.status, cases[i].model ? 0 : 400);
        if (cases[i].model) {
            assert_true(str_is(p.model, cases[i].model));
            assert_int_equal(p.stream, cases[i].stream);
        }
        api_pull_release(&p);
    }
}

static void lines_become_ollamas(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum api_pull_news news;
        const char *out;
    } cases[] = {
        {"{\"status\":\"pulling\",\"completed\":5,\"total\":9}", API_PULL_GOES_ON,
         "{\"status\":\"pulling model\",\"digest\":\"\",\"total\":9,\"completed\":5}\n"},
        {"{\"status\":\"success\",\"name\":\"x\"}", API_PULL_DONE,
         "{\"status\":\"verifying sha256 digest\"}\n{\"status\":\"success\"}\n"},
        {"{\"status\":\"error\",\"error\":\"no\"}", API_PULL_FAILED, ""},
        {"{\"status\":\"new\"}", API_PULL_NOTHING, ""},
        {"words", API_PULL_NOTHING, ""},
        {"", API_PULL_NOTHING, ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_error e = {0};
        struct buf out;
        buf_init(&out, 4096);
        assert_int_equal(api_pull_line(str_from(cases[i].line), &out, &e), cases[i].news);
        assert_string_equal(out.bytes ? out.bytes : "", cases[i].out);
        assert_int_equal(e.status, cases[i].news == API_PULL_FAILED ? 500 : 0);
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_of_a_hub),
        cmocka_unit_test(lines_become_ollamas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
