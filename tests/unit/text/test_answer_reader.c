/* test_answer_reader.c - transcripts of every family come apart into the same parts, however they
 * are cut. */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "lib/test.h"

#include "text/answer_reader.h"

static const char tools_json[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"parameters\":{\"type\":"
    "\"object\","
    "\"properties\":{\"city\":{\"type\":\"string\"},\"days\":{\"type\":\"integer\"},"
    "\"detail\":{\"type\":\"boolean\"},\"tags\":{\"type\":\"array\"},"
    "\"free\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}}}}},"
    "{\"type\":\"function\",\"function\":{\"name\":\"time\"}}]";

enum { NO_TOOLS = 1, SINGLE = 2 };

/* parts: T text, R reasoning, C name(arguments), in brackets. */
struct transcript {
    const char *form, *tags; /* tags: the closing one of a template's */
    const char *prompt, *text, *parts;
    int flags;
};

#define T(form, text, parts)                                                                       \
    {                                                                                              \
        form, "", "", text, parts, 0                                                               \
    }
#define THINK(prompt, text, parts)                                                                 \
    {                                                                                              \
        "hermes", "</think>", prompt, text, parts, 0                                               \
    }
#define WITH(form, tags, text, parts)                                                              \
    {                                                                                              \
        form, tags, "", text, parts, 0                                                             \
    }

static const struct transcript transcripts[] = {
    /* Text alone. */
    T("hermes", "Hello.\n\nYou there? \n", "T[Hello.\n\nYou there? \n]"),
    T("hermes", "  <b>bold</b> & a < b", "T[  <b>bold</b> & a < b]"),
    T("hermes", "", ""),
    {"hermes", "", "", "<tool_call>{\"name\":\"time\"}</tool_call>",
     "T[<tool_call>{\"name\":\"time\"}</tool_call>]", NO_TOOLS},

    /* Hermes, Qwen 2.5, Qwen 3. */
    T("hermes",
      "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Bern\"}}\n</tool_call>",
      "C weather({\"city\": \"Bern\"})"),
    T("hermes",
      "Let me see.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": "
      "\"Z\xc3\xbcrich\", "
      "\"days\": 3}}\n</tool_call>\n<tool_call>\n{\"name\": \"time\", \"arguments\": "
      "{}}\n</tool_call>\n",
      "T[Let me see.]C weather({\"city\": \"Z\xc3\xbcrich\", \"days\": 3})C time({})"),
    T("hermes",
      "<tool_call>{\"arguments\": {\"a\": [1, {\"b\": null}]}, \"name\": \"time\"}</tool_call>ok",
      "C time({\"a\": [1, {\"b\": null}]})T[ok]"),
    T("hermes", "<tool_call>{\"name\":\"time\"}</tool_call>", "C time({})"),
    T("hermes", "<tool_call>{\"name\":\"time\",\"arguments\":null}</tool_call>", "C time({})"),
    T("hermes", "<tool_call>{\"name\":\"t\\u0069me\",\"id\":7,\"arguments\":{}}</tool_call>",
      "C time({})"),
    T("hermes",
      "<tool_call>{\"name\":\"time\",\"arguments\":\"{\\\"a\\\": \\\"\\u00fc\\\"}\"}</tool_call>",
      "C time({\"a\": \"\xc3\xbc\"})"),
    T("hermes", "<tool_call>{\"name\":\"time\",\"arguments\":{\"s\":\"a\nb\"}}</tool_call>",
      "C time({\"s\":\"a\\nb\"})"),
    T("hermes", "<tool_call>{\"name\":\"time\",\"arguments\":{}}", "C time({})"),
    T("hermes", "<tool_call>{\"name\":\"time\",\"arguments\":{\"a\":1", "C time({\"a\":1)"),
    T("hermes", "<tool_call>{\"name\":\"time\",\"arguments\":{}}<tool_call>{\"name\":\"time\"}",
      "C time({})C time({})"),
    T("hermes", "<tool_call>{\"name\":\"time\",\"arguments\":{\"a\":1,}}</tool_call>x",
      "C time({\"a\":1,}})T[x]"),
    {"hermes", "", "",
     "<tool_call>{\"name\":\"time\"}</tool_call><tool_call>{\"name\":\"x\"}</tool_call>y",
     "C time({})", SINGLE},
    /* What is no call stays text. */
    T("hermes", "Use <tool_call> so.", "T[Use <tool_call> so.]"),
    T("hermes", "\n<tool_call>{\"name\": 7}</tool_call>\n",
      "T[\n<tool_call>{\"name\": 7}</tool_call>\n]"),
    T("hermes", "<tool_call>{\"n", "T[<tool_call>{\"n]"),
    T("hermes", "<tool_call><tool_call>{\"name\":\"time\"}</tool_call>",
      "T[<tool_call>]C time({})"),
    T("hermes", "a <tool_ca", "T[a <tool_ca]"),

    /* Reasoning. */
    THINK("", "<think>\nSo.\n\nYes.\n</think>\n\nIt is.\n", "R[So.\n\nYes.]T[It is.\n]"),
    THINK("x<think>\n", "So.\n</think>\n\nIt is.", "R[So.]T[It is.]"),
    THINK("x<think>\n", "<think>So.</think>It is.", "R[So.]T[It is.]"),
    THINK("x<think>\n\n</think>\n\n", "It <think> is.", "T[It <think> is.]"),
    THINK("", " It </think> is.", "T[ It </think> is.]"),
    THINK("", "<think>So </thin", "R[So </thin]"),
    THINK(
        "",
        "<think>\n\n</think>\n\n<tool_call>\n{\"name\": \"time\", \"arguments\": {}}\n</tool_call>",
        "C time({})"),
    {"hermes", "</think>", "", "<think>a</think> b", "R[a]T[b]", NO_TOOLS},
    WITH("mistral-args", "[/THINK]",
         "[THINK]Hm.[/THINK]Now.[TOOL_CALLS]weather[ARGS]{\"city\": \"Rome\"}",
         "R[Hm.]T[Now.]C weather({\"city\": \"Rome\"})"),
    WITH("granite", "</think>", "<think>Hm.</think><response>Yes.</response>", "R[Hm.]T[Yes.]"),

    /* Llama 3. */
    T("llama3", "{\"name\": \"weather\", \"parameters\": {\"city\": \"Bern\"}}",
      "C weather({\"city\": \"Bern\"})"),
    T("llama3", "<|python_tag|>{\"type\": \"function\", \"name\": \"weather\", \"parameters\": {}}",
      "C weather({})"),
    T("llama3",
      "{\"name\": \"time\", \"parameters\": {}}; {\"name\": \"time\", \"parameters\": {}}",
      "C time({})C time({})"),
    T("llama3", "{\"name\": \"Bob\", \"parameters\": {}}",
      "T[{\"name\": \"Bob\", \"parameters\": {}}]"),
    T("llama3", "{\"a\": 1} or so", "T[{\"a\": 1} or so]"),
    T("llama3", "So: {\"name\": \"time\", \"parameters\": {}}",
      "T[So: {\"name\": \"time\", \"parameters\": {}}]"),
    T("llama3", "<|python_tag|>print(1)", "T[<|python_tag|>print(1)]"),

    /* Mistral, both ways. */
    T("mistral",
      "[TOOL_CALLS] [{\"name\": \"weather\", \"arguments\": {\"city\": \"Bern\"}}, "
      "{\"name\": \"time\", \"arguments\": {}}]",
      "C weather({\"city\": \"Bern\"})C time({})"),
    T("mistral", "[TOOL_CALLS][]", "T[[TOOL_CALLS][]]"),
    T("mistral", "[TOOL_CALLS][{\"name\": \"time\", \"arguments\": {}}, 7]", "C time({})T[ 7]]"),
    T("mistral-args",
      "[TOOL_CALLS]weather[ARGS]{\"city\": \"Bern\"}[TOOL_CALLS]time[CALL_ID]a1b2c3d4e"
      "[ARGS]{}",
      "C weather({\"city\": \"Bern\"})C time({})"),
    T("mistral-args", "[TOOL_CALLS]not a name[ARGS]{}", "T[[TOOL_CALLS]not a name[ARGS]{}]"),

    /* DeepSeek. */
    WITH("deepseek", "</think>",
         "<think>\nHm.\n</"
         "think>\n\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n"
         "```json\n{\"city\": "
         "\"Bern\"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>time\n"
         "```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
         "R[Hm.]C weather({\"city\": \"Bern\"})C time({})"),
    T("deepseek-v3.1",
      "One moment.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{\"city\": "
      "\"Bern\"}"
      "<｜tool▁call▁end｜><｜tool▁call▁begin｜>time<｜tool▁sep｜>{}<｜tool▁call▁end｜><"
      "｜tool▁calls▁end｜>",
      "T[One moment.]C weather({\"city\": \"Bern\"})C time({})"),
    T("deepseek-v3.1", "<｜tool▁calls▁begin｜> nothing", "T[<｜tool▁calls▁begin｜> nothing]"),

    /* Kimi K2. */
    T("kimi",
      "<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_"
      "begin|>"
      "{\"city\": \"Bern\"}<|tool_call_end|><|tool_call_begin|>functions.time:1"
      "<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>",
      "C weather({\"city\": \"Bern\"})C time({})"),

    /* Arguments as fields. */
    T("qwen3-coder",
      "I look.\n<tool_call>\n<function=weather>\n<parameter=city>\nBern "
      "\"old\"\ntown\n</parameter>\n"
      "<parameter=days>\n3\n</parameter>\n<parameter=detail>\nTrue\n</parameter>\n</function>\n</"
      "tool_call>",
      "T[I look.]C weather({\"city\": \"Bern \\\"old\\\"\\ntown\", \"days\": 3, \"detail\": "
      "true})"),
    T("qwen3-coder", "<function=time>\n</function>\n</tool_call>", "C time({})"),
    T("qwen3-coder",
      "<tool_call>\n<function=weather>\n<parameter=city>\n12\n</"
      "parameter>\n<parameter=free>\nnull\n"
      "</parameter>\n<parameter=days>\nthree\n</parameter>\n<parameter=tags>\n[\"a\",\n "
      "\"b\"]\n</parameter>\n"
      "<parameter=other>\nx < y\n</parameter>\n</function>\n</tool_call>",
      "C weather({\"city\": \"12\", \"free\": null, \"days\": \"three\", \"tags\": [\"a\",\n "
      "\"b\"], "
      "\"other\": \"x < y\"})"),
    T("qwen3-coder", "<tool_call>\n<function=weather>\n<parameter=city>\nBe",
      "C weather({\"city\": \"Be)"),
    T("qwen3-coder", "<function=f(x)> is <function", "T[<function=f(x)> is <function]"),
    T("glm",
      "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Bern</arg_value>\n<arg_key>days</"
      "arg_key>\n"
      "<arg_value>2</arg_value>\n</tool_call>\n<tool_call>time\n</tool_call>",
      "C weather({\"city\": \"Bern\", \"days\": 2})C time({})"),
    T("glm", "<tool_call>weather<arg_key>city</arg_key><arg_value> </arg_value></tool_call>",
      "C weather({\"city\": \" \"})"),
    T("minimax",
      "<minimax:tool_call>\n<invoke name=\"weather\">\n<parameter "
      "name=\"city\">Bern</parameter>\n</invoke>\n"
      "</minimax:tool_call>",
      "C weather({\"city\": \"Bern\"})"),
    WITH("seed", "</seed:think>",
         "<seed:think>Hm.</seed:think><seed:tool_call>\n<function=weather>\n<parameter=city>Bern</"
         "parameter>"
         "\n</function>\n</seed:tool_call>",
         "R[Hm.]C weather({\"city\": \"Bern\"})"),

    /* Others. */
    T("functionary",
      "<function=weather>{\"city\": \"Bern\"}</function><function=time>{}</function>",
      "C weather({\"city\": \"Bern\"})C time({})"),
    WITH(
        "command-r", "<|END_THINKING|>",
        "<|START_THINKING|>I will.<|END_THINKING|><|START_ACTION|>[\n    {\"tool_call_id\": \"0\", "
        "\"tool_name\": \"weather\", \"parameters\": {\"city\": \"Bern\"}}\n]<|END_ACTION|>",
        "R[I will.]C weather({\"city\": \"Bern\"})"),
    WITH("command-r", "<|END_THINKING|>",
         "<|START_THINKING|>So.<|END_THINKING|><|START_RESPONSE|>Yes.<|END_RESPONSE|>",
         "R[So.]T[Yes.]"),
    T("nemotron", "<TOOLCALL>[{\"name\": \"time\", \"arguments\": {}}]</TOOLCALL>", "C time({})"),
    T("phi4", "<|tool_call|>[{\"name\": \"time\", \"arguments\": {}}]<|/tool_call|>", "C time({})"),
    T("apriel", "<tool_calls>[{\"name\": \"time\", \"arguments\": {}}]</tool_calls>", "C time({})"),
    T("granite", "<|tool_call|>[{\"name\": \"weather\", \"arguments\": {\"days\": -1.5e3}}]",
      "C weather({\"days\": -1.5e3})"),

    /* gpt-oss. */
    T("gpt-oss",
      "<|channel|>analysis<|message|>Think.<|end|><|start|>assistant<|channel|>final<|message|>Yes."
      " ",
      "R[Think.]T[Yes. ]"),
    T("gpt-oss",
      "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary "
      "to=functions.weather "
      "<|constrain|>json<|message|>{\"city\": \"Bern\"}<|call|>",
      "R[Hm.]C weather({\"city\": \"Bern\"})"),
    T("gpt-oss", " to=functions.time<|channel|>commentary json<|message|>{}", "C time({})"),
    T("gpt-oss",
      "<|channel|>commentary<|message|>I will look.<|end|><|start|>assistant to=functions.time"
      "<|channel|>commentary<|message|>not json<|call|>",
      "T[I will look.]C time(not json)"),
    T("gpt-oss", "Plain text.", "T[Plain text.]"),
    {"gpt-oss", "", "", "<|channel|>commentary to=functions.time<|message|>{}", "T[{}]", NO_TOOLS},
};

static struct answer_style style_of(const struct transcript *t)
{
    struct answer_style s = answer_style_find(str_from(t->tags));
    s.form = answer_form_named(str_from(t->form));
    assert_non_null(s.form);
    return s;
}

static void show(const struct parts *parts, struct buf *out)
{
    for (size_t i = 0; i < parts->n; i++) {
        const struct part *p = &parts->items[i];
        struct str text = part_text(p), name = part_name(p);
        if (p->kind == PART_CALL)
            buf_printf(out, "C %.*s(%.*s)", STR_ARG(name), STR_ARG(text));
        else
            buf_printf(out, "%c[%.*s]", p->kind == PART_TEXT ? 'T' : 'R', STR_ARG(text));
    }
}

/* Reads the text in pieces of at most n_max bytes, of lengths that a seed tells. */
static void read(const struct transcript *t, const json_t *tools, unsigned seed, size_t n_max,
                 struct buf *out)
{
    struct str text = str_from(t->text);
    struct answer_reader r;
    struct parts parts;
    struct answer_options o = {.style = style_of(t),
                               .tools = t->flags & NO_TOOLS ? NULL : tools,
                               .single = t->flags & SINGLE,
                               .prompt = str_from(t->prompt),
                               .id_seed = 7};
    parts_init(&parts);
    answer_reader_init(&r, &o, &parts);
    for (size_t at = 0; at < text.len;) {
        seed = seed * 1103515245u + 12345u;
        size_t n = 1 + (seed >> 16) % n_max;
        n = n < text.len - at ? n : text.len - at;
        answer_reader_add(&r, str_sub(text, at, at + n));
        at += n;
    }
    answer_reader_end(&r);
    show(&parts, out);
    answer_reader_release(&r);
    parts_release(&parts);
}

static void every_transcript(void **state)
{
    (void)state;
    json_t *tools = json_loads(tools_json, 0, NULL);
    assert_non_null(tools);
    for (size_t i = 0; i < COUNT_OF(transcripts); i++)
        for (unsigned cut = 0; cut < 12; cut++) {
            struct buf out;
            buf_init(&out, 1 << 16);
            read(&transcripts[i], tools, cut, cut ? 9 : 1 << 16, &out);
            const char *got = out.n_bytes ? out.bytes : "";
            if (strcmp(got, transcripts[i].parts) != 0)
                print_error("%s, cut %u: %s\n", transcripts[i].form, cut, transcripts[i].text);
            assert_string_equal(got, transcripts[i].parts);
            buf_release(&out);
        }
    json_decref(tools);
}

static void id_of(const char *form, const char *text, const json_t *tools, char id[40])
{
    struct answer_reader r;
    struct parts parts;
    struct answer_options o = {
        .style = {.form = answer_form_named(str_from(form))}, .tools = tools, .id_seed = 7};
    parts_init(&parts);
    answer_reader_init(&r, &o, &parts);
    answer_reader_add(&r, str_from(text));
    answer_reader_end(&r);
    assert_int_equal(parts.n, 1);
    memcpy(id, parts.items[0].id, 40);
    answer_reader_release(&r);
    parts_release(&parts);
}

static void ids(void **state)
{
    (void)state;
    char id[40];
    json_t *tools = json_loads(tools_json, 0, NULL);
    id_of("hermes", "<tool_call>{\"name\":\"time\"}</tool_call>", tools, id);
    assert_int_equal(strlen(id), 29);
    assert_int_equal(strncmp(id, "call_", 5), 0);
    id_of("mistral", "[TOOL_CALLS][{\"name\":\"time\"}]", tools, id);
    assert_int_equal(strlen(id), 9);
    assert_int_equal(strspn(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
                     9);
    id_of("kimi", "<|tool_call_begin|>functions.time:3<|tool_call_argument_begin|>{}", tools, id);
    assert_string_equal(id, "functions.time:0");
    json_decref(tools);
}

static void styles(void **state)
{
    (void)state;
    static const struct {
        const char *source, *form, *close;
        bool found;
    } all[] = {
        {"{{ message.content }}", "hermes", NULL, false},
        {"<tool_call> x </think>", "hermes", "</think>", true},
        {"<tool_call> <function=a> <parameter=b>", "qwen3-coder", NULL, true},
        {"<tool_call> <arg_key>", "glm", NULL, true},
        {"<｜tool▁call▁begin｜> ```json", "deepseek", NULL, true},
        {"<｜tool▁call▁begin｜>", "deepseek-v3.1", NULL, true},
        {"[TOOL_CALLS] [/THINK]", "mistral", "[/THINK]", true},
        {"[TOOL_CALLS] [ARGS]", "mistral-args", NULL, true},
        {"<|channel|> functions. </think>", "gpt-oss", NULL, true},
        {"<|start_header_id|> \"parameters\": ", "llama3", NULL, true},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct answer_style s = answer_style_find(str_from(all[i].source));
        assert_string_equal(s.form->name, all[i].form);
        assert_int_equal(s.found, all[i].found);
        assert_int_equal(s.reasoning != NULL, all[i].close != NULL);
        if (all[i].close)
            assert_string_equal(s.reasoning->close, all[i].close);
    }
    struct answer_style s = answer_style_find(STR("[TOOL_CALLS] [ARGS]"));
    assert_true(answer_style_shows(s, STR("[ARGS]")));
    assert_false(answer_style_shows(s, STR("[INST]")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_transcript),
        cmocka_unit_test(ids),
        cmocka_unit_test(styles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
