/* test_chat.c - built-in templates, the choice among named ones, what a template is given. */
#include "lib/test.h"

#include <jansson.h>

#include "base/mem.h"
#include "base/hash.h"
#include "text/chat.h"

static char *render_messages(const struct chat_template *t, const struct chat_message *messages,
                             size_t n)
{
    struct chat_request request = {
        .messages = messages, .n_messages = n, .add_generation_prompt = true};
    struct err_note note = {0};
    struct buf out;
    buf_init(&out, 1 << 20);
    if (chat_render(t, &request, &out, &note) != ERR_OK)
        fail_msg("%s", note.text);
    return buf_take(&out);
}

static void builtins_render_the_seed_templates(void **state)
{
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"r1", "<|System|>Be kind.<|end|>\n<|User|>Hi<|end|>\n<|Assistant|>Yo<|end|>\n"
               "<|User|>2?<|end|>\n<|Assistant|>"},
        {"llama3.1", "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe kind."
                     "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
                     "<|start_header_id|>assistant<|end_header_id|>\n\nYo<|eot_id|>"
                     "<|start_header_id|>user<|end_header_id|>\n\n2?<|eot_id|>"
                     "<|start_header_id|>assistant<|end_header_id|>\n\n"},
        {"mistral", "[INST] Be kind.\n\nHi [/INST]Yo</s>[INST] 2? [/INST]"},
        {"qwen2", "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
                  "<|im_start|>assistant\nYo<|im_end|>\n<|im_start|>user\n2?<|im_end|>\n"
                  "<|im_start|>assistant\n"},
        {"deepseek", "Be kind.\n### Instruction:\nHi\n### Response:\nYo\n### Instruction:\n2?\n"
                     "### Response:\n"},
        {"phi3", "<|system|>\nBe kind.<|end|>\n<|user|>\nHi<|end|>\n<|assistant|>\nYo<|end|>\n"
                 "<|user|>\n2?<|end|>\n<|assistant|>\n"},
        {"plain", "system: Be kind.\nuser: Hi\nassistant: Yo\nuser: 2?\nassistant: "},
    };
    static const struct chat_message messages[] = {
        {.role = {"system", 6}, .content = {"Be kind.", 8}},
        {.role = {"user", 4}, .content = {"Hi", 2}},
        {.role = {"assistant", 9}, .content = {"Yo", 2}},
        {.role = {"user", 4}, .content = {"2?", 2}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct chat_template *t;
        assert_ok(chat_template_builtin(&t, cases[i].name, NULL));
        char *text = render_messages(t, messages, COUNT_OF(messages));
        assert_string_equal(text, cases[i].text);
        mem_free(text);
        chat_template_free(t);
    }
}

static void unknown_names_and_roles_are_errors(void **state)
{
    static const struct chat_message odd = {.role = {"robot", 5}, .content = {"x", 1}};
    struct chat_request request = {.messages = &odd, .n_messages = 1};
    struct chat_template *t;
    struct err_note note;
    struct buf out;
    (void)state;
    assert_int_equal(chat_template_builtin(&t, "gpt9", &note), ERR_NOT_FOUND);
    assert_string_equal(note.text, "no built-in chat template is called 'gpt9'; there are r1, "
                                   "llama3.1, mistral, qwen2, deepseek, phi3, plain");
    assert_null(t);
    assert_ok(chat_template_builtin(&t, "phi3", &note));
    buf_init(&out, 1000);
    buf_str(&out, "kept");
    assert_int_equal(chat_render(t, &request, &out, &note), ERR_FORMAT);
    assert_string_equal(note.text, "this template has no role robot");
    assert_string_equal(out.bytes, "kept");
    buf_release(&out);
    chat_template_free(t);
}

static void chooses_among_named_templates(void **state)
{
    static const struct chat_choice both[] = {{{"default", 7}, {"d", 1}},
                                              {{"tool_use", 8}, {"t", 1}}};
    static const struct chat_choice odd[] = {{{"rag", 3}, {"r", 1}}, {{"tool_use", 8}, {"t", 1}}};
    struct err_note note;
    size_t i;
    (void)state;
    assert_ok(chat_choose(both, 2, NULL, false, &i, &note));
    assert_int_equal(i, 0);
    assert_ok(chat_choose(both, 2, NULL, true, &i, &note));
    assert_int_equal(i, 1);
    assert_ok(chat_choose(both, 1, NULL, true, &i, &note));
    assert_int_equal(i, 0);
    assert_ok(chat_choose(odd, 1, NULL, false, &i, &note));
    assert_int_equal(i, 0);
    assert_ok(chat_choose(odd, 2, "rag", true, &i, &note));
    assert_int_equal(i, 0);
    assert_int_equal(chat_choose(odd, 2, NULL, false, &i, &note), ERR_NOT_FOUND);
    assert_string_equal(note.text, "the model has no chat template 'default'; it has: rag, "
                                   "tool_use");
    assert_int_equal(chat_choose(odd, 1, "other", false, &i, &note), ERR_NOT_FOUND);
}

static char *render_json(const char *source, const char *messages, const char *kwargs,
                         struct err_note *note)
{
    struct chat_template *t;
    struct chat_request request = {.bos_token = STR("<s>"), .now_s = 86399};
    struct buf out;
    json_t *list = json_loads(messages, 0, NULL), *more = json_loads(kwargs, 0, NULL);
    assert_non_null(list);
    request.messages_json = list;
    request.kwargs = more;
    assert_ok(chat_template_new(&t, str_from(source), note));
    buf_init(&out, 1 << 20);
    enum err e = chat_render(t, &request, &out, note);
    char *text = e == ERR_OK ? buf_take(&out) : NULL;
    buf_release(&out);
    chat_template_free(t);
    json_decref(list);
    json_decref(more);
    return text;
}

static void gives_what_transformers_gives(void **state)
{
    static const struct {
        const char *source, *messages, *kwargs, *text;
    } cases[] = {
        {"{{ bos_token }}{{ eos_token is defined }}{{ tools is none }}{{ documents is none }}"
         "{{ add_generation_prompt }}", "[]", "{}", "<s>FalseTrueTrueFalse"},
        {"{{ enable_thinking }}{{ bos_token }}", "[]",
         "{\"enable_thinking\": false, \"bos_token\": \"B\"}", "FalseB"},
        {"{{ messages }}", "[{\"role\": \"a\", \"reasoning\": \"r\"}]", "{}",
         "[{'thinking': 'r', 'role': 'a', 'reasoning': 'r', 'reasoning_content': 'r'}]"},
        {"{{ messages }}", "[{\"thinking\": null, \"reasoning_content\": \"\"}]", "{}",
         "[{'thinking': None, 'reasoning_content': ''}]"},
        {"{{ strftime_now('%Y-%m-%d %H:%M:%S') }}", "[]", "{}", "1970-01-01 23:59:59"},
    };
    struct err_note note;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *text = render_json(cases[i].source, cases[i].messages, cases[i].kwargs, &note);
        if (!text)
            fail_msg("%s", note.text);
        assert_string_equal(text, cases[i].text);
        mem_free(text);
    }
    assert_null(render_json("{{ raise_exception('no\\nway') }}", "[]", "{}", &note));
    assert_string_equal(note.text, "no way");
    assert_null(render_json("x", "[3]", "{}", &note));
    assert_string_equal(note.text, "message 0 is not a JSON object");
}

static void typed_messages_carry_tool_calls(void **state)
{
    static const char source[] = "{% for m in messages %}{{ m.role }}|{{ m.content }}|"
                                 "{{ m.name }}|{{ m.tool_call_id }}|{{ m.tool_calls }};"
                                 "{% endfor %}";
    static const char calls[] = "[{\"id\": \"7\"}]";
    static const struct chat_message messages[] = {
        {.role = {"assistant", 9}, .tool_calls = {calls, sizeof calls - 1}},
        {.role = {"tool", 4}, .content = {"ok", 2}, .name = {"f", 1}, .tool_call_id = {"7", 1}},
    };
    static const struct chat_message bad = {.role = {"user", 4}, .content = {"\xff", 1}};
    struct chat_request request = {.messages = &bad, .n_messages = 1};
    struct chat_template *t;
    struct err_note note;
    struct buf out;
    (void)state;
    assert_ok(chat_template_new(&t, STR(source), NULL));
    char *text = render_messages(t, messages, 2);
    assert_string_equal(text, "assistant||||[{'id': '7'}];tool|ok|f|7|;");
    mem_free(text);
    buf_init(&out, 100);
    assert_int_equal(chat_render(t, &request, &out, &note), ERR_FORMAT);
    assert_string_equal(note.text, "a message is not UTF-8");
    buf_release(&out);
    chat_template_free(t);
}

static void the_hash_is_of_the_source(void **state)
{
    struct chat_template *t;
    char hex[SHA256_HEX];
    (void)state;
    assert_ok(chat_template_new(&t, STR("abc"), NULL));
    hex_of(chat_template_hash(t), SHA256_BYTES, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    chat_template_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builtins_render_the_seed_templates),
        cmocka_unit_test(unknown_names_and_roles_are_errors),
        cmocka_unit_test(chooses_among_named_templates),
        cmocka_unit_test(gives_what_transformers_gives),
        cmocka_unit_test(typed_messages_carry_tool_calls),
        cmocka_unit_test(the_hash_is_of_the_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
