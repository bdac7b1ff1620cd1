/* test_shape.c - what a grammar makes a model write is what the reader of answers takes apart. */
#include <stdlib.h>

#include <jansson.h>

#include "lib/probe.h"

#include "server/shape.h"
#include "text/answer_reader.h"

#define WEATHER                                                                                    \
    "{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"strict\":true,\"parameters\":{"   \
    "\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\",\"enum\":[\"Bern\","        \
    "\"Z\xc3\xbcrich 1\"]},\"days\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9},\"on\":{"   \
    "\"type\":\"boolean\"}},\"required\":[\"city\",\"days\"],\"additionalProperties\":false}}}"
#define TIME       "{\"type\":\"function\",\"function\":{\"name\":\"time\"}}"
#define BODY(more) "{\"messages\":[{\"role\":\"user\",\"content\":\"u\"}]," more "}"
#define REQUIRED   BODY("\"tools\":[" WEATHER "," TIME "],\"tool_choice\":\"required\"")
#define AUTO       BODY("\"tools\":[" WEATHER "," TIME "]")

static struct answer_style style_of(const char *form, const char *closing)
{
    struct answer_style s = answer_style_find(str_from(closing));
    s.form = answer_form_named(str_from(form));
    assert_non_null(s.form);
    return s;
}

static bool open(const char *body, const struct answer_style *style, int reasoning,
                 struct api_generate *api, struct shape *shape, struct api_error *e)
{
    return api_chat_parse(str_from(body), api, e) && api_tools_read(api, e) &&
           shape_open(shape, api, (struct shape_reading){.style = style, .reasoning = reasoning},
                      e);
}

/* ---- random texts of the grammar ---------------------------------------------------------- */

/* One byte after another, any that is allowed; ends where it may, one time in two. */
static void wander(struct probe *p, uint64_t *seed, struct buf *out)
{
    matcher_reset(p->matcher);
    buf_clear(out);
    for (;;) {
        uint32_t bits[(PROBE_TOKENS + 31) / 32];
        uint8_t bytes[256];
        size_t n = 0;
        assert_ok(matcher_mask(p->matcher, bits, NULL));
        for (int i = 0; i < 256; i++)
            if (bits[i / 32] >> i % 32 & 1)
                bytes[n++] = (uint8_t)i;
        if (matcher_may_end(p->matcher) && (n == 0 || test_rand(seed) % 2))
            return;
        assert_true(n > 0);
        uint8_t byte = bytes[test_rand(seed) % n];
        buf_char(out, (char)byte);
        assert_true(matcher_accept(p->matcher, byte));
    }
}

static void assert_call(const struct part *p, const char *text)
{
    json_t *v = json_loadb(part_text(p).ptr, part_text(p).len, 0, NULL);
    if (p->kind != PART_CALL || !json_is_object(v))
        fail_msg("no call, or no object: %s", text);
    if (str_is(part_name(p), "time")) {
        assert_int_equal(json_object_size(v), 0);
    } else {
        const char *city = json_string_value(json_object_get(v, "city"));
        assert_true(str_is(part_name(p), "weather"));
        assert_true(city && (strcmp(city, "Bern") == 0 || strcmp(city, "Z\xc3\xbcrich 1") == 0));
        assert_in_range(json_integer_value(json_object_get(v, "days")), 1, 9);
        assert_true(!json_object_get(v, "on") || json_is_boolean(json_object_get(v, "on")));
    }
    json_decref(v);
}

static void every_form_reads_what_it_must_write(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (size_t i = 0; answer_form_at(i); i++) {
        struct answer_style style = {.form = answer_form_at(i)};
        struct api_generate api;
        struct api_error e = {0};
        struct shape shape;
        struct buf text;
        buf_init(&text, 1 << 20);
        if (!open(REQUIRED, &style, 0, &api, &shape, &e))
            fail_msg("%s: %s", style.form->name, e.message);
        struct probe p = probe_open(shape.grammar);
        for (int k = 0; k < 25 && !style.form->channels; k++) {
            struct answer_options o = {.style = style, .tools = api.tools};
            struct answer_reader r;
            struct parts parts;
            wander(&p, &seed, &text);
            parts_init(&parts);
            answer_reader_init(&r, &o, &parts);
            answer_reader_add(&r, (struct str){text.bytes, text.n_bytes});
            answer_reader_end(&r);
            assert_true(parts.n > 0);
            for (size_t j = 0; j < parts.n; j++)
                assert_call(&parts.items[j], text.bytes);
            answer_reader_release(&r);
            parts_release(&parts);
        }
        probe_close(&p);
        api_generate_release(&api);
        buf_release(&text);
    }
}

/* ---- texts by hand ------------------------------------------------------------------------ */

struct shape_case {
    const char *form, *closing, *body;
    int reasoning;
    const char *yes[6], *no[6];
};

#define HERMES_TIME "<tool_call>\n{\"name\": \"time\", \"arguments\": {}}\n</tool_call>"
#define HERMES_SUNNY                                                                               \
    "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Bern\", \"days\": 2}}\n"     \
    "</tool_call>"
#define HERMES_WRONG                                                                               \
    "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\", \"days\": 2}}\n"     \
    "</tool_call>"

static const struct shape_case cases[] = {
    {"hermes",
     "",
     REQUIRED,
     0,
     {HERMES_TIME, HERMES_SUNNY "\n" HERMES_TIME},
     {"", "Hello", HERMES_WRONG, "Sure. " HERMES_TIME, HERMES_TIME " So."}},
    {"hermes",
     "",
     BODY("\"tools\":[" WEATHER "," TIME "],\"tool_choice\":\"required\","
          "\"parallel_tool_calls\":false"),
     0,
     {HERMES_TIME},
     {HERMES_SUNNY "\n" HERMES_TIME}},
    {"hermes",
     "",
     BODY("\"tools\":[" WEATHER "," TIME "],\"tool_choice\":{\"type\":\"function\","
          "\"function\":{\"name\":\"weather\"}}"),
     0,
     {HERMES_SUNNY},
     {HERMES_TIME}},
    {"hermes",
     "",
     AUTO,
     0,
     {"", "Hello <b>.", HERMES_SUNNY, "So: " HERMES_TIME HERMES_SUNNY,
      "<tool_call>{\"name\":\"time\",\"arguments\":{\"any\":[1]}}</tool_call>"},
     {HERMES_WRONG, "Hi " HERMES_WRONG, "<tool_call>x"}},
    /* Reasoning comes before the shape, where the prompt has begun it or the model may. */
    {"hermes",
     "</think>",
     REQUIRED,
     1,
     {"So.\n</think>\n\n" HERMES_TIME},
     {HERMES_TIME, "<think>So.", "So."}},
    {"hermes",
     "</think>",
     REQUIRED,
     0,
     {HERMES_TIME, "<think>\nSo.\n</think>\n\n" HERMES_TIME},
     {"So.\n</think>\n\n" HERMES_TIME}},
    {"hermes", "</think>", REQUIRED, -1, {HERMES_TIME}, {"<think>\nSo.\n</think>\n\n" HERMES_TIME}},
    {"hermes",
     "</think>",
     BODY("\"response_format\":{\"type\":\"json_object\"}"),
     1,
     {"Hm.</think>{\"a\": 1}", "{}</think>\n\n{}"},
     {"{}", "Hm.</think>[]"}},
    {"hermes",
     "</think>",
     BODY("\"guided_choice\":[\"left\",\"right\"]"),
     0,
     {"left", "<think>x</think>right"},
     {"x</think>left", "up"}},
    {"hermes",
     "",
     BODY("\"guided_grammar\":\"root ::= \\\"a\\\" b\\nb ::= \\\"c\\\"\""),
     0,
     {"ac"},
     {"a"}},
    {"hermes",
     "",
     BODY("\"guided_regex\":\"a+\",\"tools\":[" TIME "]"),
     0,
     {"aa", HERMES_TIME},
     {"b", "aa" HERMES_TIME}},
    {"command-r",
     "<|END_THINKING|>",
     BODY("\"guided_regex\":\"a+\""),
     0,
     {"a", "<|START_THINKING|>x<|END_THINKING|><|START_RESPONSE|>a"},
     {"x"}},
    /* Families as they write. */
    {"llama3",
     "",
     AUTO,
     0,
     {"Hello {}", "{\"name\": \"weather\", \"parameters\": {\"city\": \"Bern\", \"days\": 1}}"},
     {"{\"name\": \"weather\", \"parameters\": {}}", " {", "{}"}},
    {"mistral",
     "",
     REQUIRED,
     0,
     {"[TOOL_CALLS] [{\"name\": \"time\", \"arguments\": {}}]",
      "[TOOL_CALLS][{\"name\":\"time\",\"arguments\":{}}, {\"name\":\"time\",\"arguments\":{}}]"},
     {"[TOOL_CALLS][]", "[TOOL_CALLS]time[ARGS]{}"}},
    {"mistral-args",
     "",
     REQUIRED,
     0,
     {"[TOOL_CALLS]time[ARGS]{}", "[TOOL_CALLS]time[ARGS]{}[TOOL_CALLS]time[ARGS]{}"},
     {"[TOOL_CALLS]weather[ARGS]{}"}},
    {"deepseek",
     "",
     REQUIRED,
     0,
     {"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>time\n```json\n{}\n```"
      "<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>time\n```json\n{}\n```"
      "<｜tool▁call▁end｜><｜tool▁calls▁end｜>"},
     {"<｜tool▁calls▁begin｜><｜tool▁calls▁end｜>"}},
    {"kimi",
     "",
     REQUIRED,
     0,
     {"<|tool_calls_section_begin|><|tool_call_begin|>functions.time:0<|tool_call_argument_begin|>"
      "{}<|tool_call_end|><|tool_calls_section_end|>"},
     {NULL}},
    {"qwen3-coder",
     "",
     REQUIRED,
     0,
     {"<tool_call>\n<function=weather>\n<parameter=city>\nBern\n</parameter>\n<parameter=days>\n3\n"
      "</parameter>\n</function>\n</tool_call>"},
     {"<tool_call>\n<function=weather>\n<parameter=city>\nBern\n</parameter>\n</function>\n"
      "</tool_call>",
      "<tool_call>\n<function=weather>\n<parameter=city>\nRome\n</parameter>\n<parameter=days>\n3\n"
      "</parameter>\n</function>\n</tool_call>"}},
    {"glm",
     "",
     REQUIRED,
     0,
     {"<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Bern</arg_value>\n<arg_key>days"
      "</arg_key>\n<arg_value>2</arg_value>\n</tool_call>"},
     {"<tool_call>weather\n</tool_call>"}},
    {"command-r",
     "",
     REQUIRED,
     0,
     {"<|START_ACTION|>[{\"tool_call_id\": \"0\", \"tool_name\": \"time\", \"parameters\": {}}]"
      "<|END_ACTION|>"},
     {NULL}},
    {"gpt-oss",
     "",
     REQUIRED,
     0,
     {"<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary "
      "to=functions.time <|constrain|>json<|message|>{}",
      "<|channel|>commentary to=functions.time <|constrain|>json<|message|>{}"},
     {"<|channel|>final<|message|>Hm.", "<|channel|>analysis<|message|>Hm."}},
    {"gpt-oss",
     "",
     BODY("\"guided_regex\":\"a+\""),
     0,
     {"<|channel|>final<|message|>aa",
      "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>a"},
     {"a", "<|channel|>final<|message|>b"}},
    {"gpt-oss", "", AUTO, 0, {"<|channel|>final<|message|>Hello."}, {"Hello."}},
};

static void texts_by_hand(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct shape_case *c = &cases[i];
        struct answer_style style = style_of(c->form, c->closing);
        struct api_generate api;
        struct api_error e = {0};
        struct shape shape;
        if (!open(c->body, &style, c->reasoning, &api, &shape, &e))
            fail_msg("%s: %s", c->body, e.message);
        assert_non_null(shape.grammar);
        struct probe p = probe_open(shape.grammar);
        for (size_t k = 0; k < COUNT_OF(c->yes) && c->yes[k]; k++)
            if (!probe_matches(&p, str_from(c->yes[k])))
                fail_msg("%s, %s does not match %s", c->form, c->body, c->yes[k]);
        for (size_t k = 0; k < COUNT_OF(c->no) && c->no[k]; k++)
            if (probe_matches(&p, str_from(c->no[k])))
                fail_msg("%s, %s matches %s", c->form, c->body, c->no[k]);
        probe_close(&p);
        api_generate_release(&api);
    }
}

static void no_shape(void **state)
{
    (void)state;
    struct answer_style style = style_of("hermes", "</think>");
    struct api_generate api;
    struct api_error e = {0};
    struct shape shape;
    assert_true(open(BODY("\"tools\":[" TIME "]"), &style, 1, &api, &shape, &e));
    assert_null(shape.grammar);
    api_generate_release(&api);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *body, *field, *words;
    } all[] = {
        {BODY("\"tools\":{}"), "tools", "array"},
        {BODY("\"tools\":[{\"type\":\"web_search\"}]"), "tools[0]", "web_search"},
        {BODY("\"tools\":[{\"type\":\"function\"}]"), "tools[0].function", "object"},
        {BODY("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a b\"}}]"),
         "tools[0].function.name", "letters"},
        {BODY("\"tools\":[" TIME "," TIME "]"), "tools[1].function", "two tools"},
        {BODY("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"parameters\":7}}]"),
         "tools[0].function.parameters", "schema"},
        {BODY("\"tool_choice\":\"required\""), "tool_choice", "no tools"},
        {BODY("\"tool_choice\":\"any\",\"tools\":[" TIME "]"), "tool_choice", "any"},
        {BODY("\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"x\"}},\"tools\":"
              "[" TIME "]"),
         "tool_choice.function.name", "\"x\""},
        {BODY("\"tool_choice\":\"required\",\"tools\":[" TIME
              ",{\"type\":\"function\",\"function\":{"
              "\"name\":\"a\",\"parameters\":{\"properties\":{\"b\":{\"$ref\":\"http://x\"}}}}}]"),
         "tools[1].function.parameters", "$ref"},
    };
    struct answer_style style = style_of("hermes", "");
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct api_generate api;
        struct api_error e = {0};
        struct shape shape;
        assert_false(open(all[i].body, &style, 0, &api, &shape, &e));
        assert_string_equal(e.field, all[i].field);
        assert_int_equal(e.status, 400);
        if (!strstr(e.message, all[i].words))
            fail_msg("%s", e.message);
        api_generate_release(&api);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_reads_what_it_must_write),
        cmocka_unit_test(texts_by_hand),
        cmocka_unit_test(no_shape),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
