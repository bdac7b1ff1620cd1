/* answer_form.c - the families' forms, and by which words of a template each is known. */
#include "text/answer_form.h"

#include "base/check.h"

#define SPACE                                                                                      \
    {                                                                                              \
        STEP_SPACE, NULL                                                                           \
    }
#define ARGUMENTS                                                                                  \
    {                                                                                              \
        STEP_ARGUMENTS, NULL                                                                       \
    }
#define OBJECTS                                                                                    \
    {                                                                                              \
        STEP_OBJECTS, NULL                                                                         \
    }
#define XML_FIELDS                                                                                 \
    {                                                                                              \
        .key = "<parameter=", .key_end = ">", .value_end = "</parameter>", .end = "</function>",   \
        .lines = true                                                                              \
    }
#define HERMES_STEPS                                                                               \
    {                                                                                              \
        SPACE, {STEP_OBJECT, NULL}, SPACE, {STEP_OPTION, "</tool_call>"},                          \
    }

/* In the order in which they are looked for: later ones need fewer words. */
static const struct answer_form forms[] = {
    {.name = "gpt-oss", .channels = true, .steps = {SPACE, ARGUMENTS}},
    {.name = "deepseek",
     .section = "<｜tool▁calls▁begin｜>",
     .section_end = "<｜tool▁calls▁end｜>",
     .begin = "<｜tool▁call▁begin｜>",
     .steps = {{STEP_TEXT, "function<｜tool▁sep｜>"},
               {STEP_NAME, "\n"},
               {STEP_OPTION, "```json"},
               SPACE,
               ARGUMENTS,
               SPACE,
               {STEP_OPTION, "```"},
               {STEP_OPTION, "<｜tool▁call▁end｜>"}}},
    {.name = "deepseek-v3.1",
     .section = "<｜tool▁calls▁begin｜>",
     .section_end = "<｜tool▁calls▁end｜>",
     .begin = "<｜tool▁call▁begin｜>",
     .steps = {{STEP_NAME, "<｜tool▁sep｜>"},
               SPACE,
               ARGUMENTS,
               SPACE,
               {STEP_OPTION, "<｜tool▁call▁end｜>"}}},
    {.name = "kimi",
     .section = "<|tool_calls_section_begin|>",
     .section_end = "<|tool_calls_section_end|>",
     .begin = "<|tool_call_begin|>",
     .steps = {SPACE,
               {STEP_NAME, "<|tool_call_argument_begin|>"},
               SPACE,
               ARGUMENTS,
               SPACE,
               {STEP_OPTION, "<|tool_call_end|>"}},
     .name_prefix = "functions.",
     .ids = IDS_KIMI},
    {.name = "glm",
     .begin = "<tool_call>",
     .steps = {SPACE, {STEP_NAME, NULL}, {STEP_FIELDS, NULL}},
     .fields = {.key = "<arg_key>",
                .key_end = "</arg_key>",
                .value = "<arg_value>",
                .value_end = "</arg_value>",
                .end = "</tool_call>"}},
    {.name = "minimax",
     .section = "<minimax:tool_call>",
     .section_end = "</minimax:tool_call>",
     .begin = "<invoke name=\"",
     .steps = {{STEP_NAME, "\">"}, {STEP_FIELDS, NULL}},
     .fields = {.key = "<parameter name=\"",
                .key_end = "\">",
                .value_end = "</parameter>",
                .end = "</invoke>"}},
    {.name = "seed",
     .section = "<seed:tool_call>",
     .section_end = "</seed:tool_call>",
     .begin = "<function=",
     .steps = {{STEP_NAME, ">"}, {STEP_FIELDS, NULL}},
     .fields = XML_FIELDS},
    {.name = "qwen3-coder",
     .section = "<tool_call>",
     .section_end = "</tool_call>",
     .begin = "<function=",
     .steps = {{STEP_NAME, ">"}, {STEP_FIELDS, NULL}},
     .fields = XML_FIELDS},
    {.name = "functionary",
     .begin = "<function=",
     .steps = {{STEP_NAME, ">"}, SPACE, ARGUMENTS, SPACE, {STEP_OPTION, "</function>"}}},
    {.name = "mistral-args",
     .begin = "[TOOL_CALLS]",
     .steps = {{STEP_NAME, "[ARGS]"}, SPACE, ARGUMENTS},
     .ids = IDS_NINE},
    {.name = "mistral",
     .begin = "[TOOL_CALLS]",
     .steps = {SPACE, OBJECTS},
     .name_key = "name",
     .arguments_key = "arguments",
     .ids = IDS_NINE},
    {.name = "command-r",
     .begin = "<|START_ACTION|>",
     .steps = {SPACE, OBJECTS, SPACE, {STEP_OPTION, "<|END_ACTION|>"}},
     .id_key = "tool_call_id",
     .name_key = "tool_name",
     .arguments_key = "parameters"},
    {.name = "nemotron",
     .begin = "<TOOLCALL>",
     .steps = {SPACE, OBJECTS, SPACE, {STEP_OPTION, "</TOOLCALL>"}},
     .name_key = "name",
     .arguments_key = "arguments"},
    {.name = "phi4",
     .begin = "<|tool_call|>",
     .steps = {SPACE, OBJECTS, SPACE, {STEP_OPTION, "<|/tool_call|>"}},
     .name_key = "name",
     .arguments_key = "arguments"},
    {.name = "granite",
     .begin = "<|tool_call|>",
     .steps = {SPACE, OBJECTS},
     .name_key = "name",
     .arguments_key = "arguments"},
    {.name = "apriel",
     .begin = "<tool_calls>",
     .steps = {SPACE, OBJECTS, SPACE, {STEP_OPTION, "</tool_calls>"}},
     .name_key = "name",
     .arguments_key = "arguments"},
    {.name = "hermes",
     .begin = "<tool_call>",
     .steps = HERMES_STEPS,
     .name_key = "name",
     .arguments_key = "arguments"},
    {.name = "llama3",
     .begin = "<|python_tag|>",
     .bare = true,
     .steps = {SPACE, {STEP_OBJECT, NULL}},
     .name_key = "name",
     .arguments_key = "parameters"},
};

/* A template that holds all of these words speaks this form; the first that fits counts. */
static const struct {
    const char *form, *words[2];
} signs[] = {
    {"gpt-oss", {"<|channel|>", "functions."}},
    {"deepseek", {"<｜tool▁call▁begin｜>", "```json"}},
    {"deepseek-v3.1", {"<｜tool▁call▁begin｜>", NULL}},
    {"kimi", {"<|tool_calls_section_begin|>", NULL}},
    {"glm", {"<arg_key>", NULL}},
    {"minimax", {"<minimax:tool_call>", NULL}},
    {"seed", {"<seed:tool_call>", NULL}},
    {"qwen3-coder", {"<function=", "<parameter="}},
    {"functionary", {"<function=", NULL}},
    {"mistral-args", {"[TOOL_CALLS]", "[ARGS]"}},
    {"mistral", {"[TOOL_CALLS]", NULL}},
    {"command-r", {"<|START_ACTION|>", NULL}},
    {"nemotron", {"<TOOLCALL>", NULL}},
    {"phi4", {"<|tool_call|>", "<|/tool_call|>"}},
    {"granite", {"<|tool_call|>", NULL}},
    {"apriel", {"<tool_calls>", NULL}},
    {"hermes", {"<tool_call>", NULL}},
    {"llama3", {"<|python_tag|>", NULL}},
    {"llama3", {"<|start_header_id|>", "\"parameters\": "}},
};

static const struct answer_tags tags[] = {
    {"<|START_THINKING|>", "<|END_THINKING|>", {"<|START_RESPONSE|>", "<|END_RESPONSE|>"}},
    {"[THINK]", "[/THINK]", {NULL, NULL}},
    {"<seed:think>", "</seed:think>", {NULL, NULL}},
    {"<think>", "</think>", {"<response>", "</response>"}},
    {"Here is my thought process:", "Here is my response:", {NULL, NULL}},
};

static bool holds(struct str text, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= text.len; i++)
        if (memcmp(text.ptr + i, word, n) == 0)
            return true;
    return false;
}

struct answer_style answer_style_find(struct str source)
{
    struct answer_style s = {0};
    for (size_t i = 0; i < COUNT_OF(signs) && !s.form; i++)
        if (holds(source, signs[i].words[0]) &&
            (!signs[i].words[1] || holds(source, signs[i].words[1])))
            s.form = answer_form_named(str_from(signs[i].form));
    s.found = s.form != NULL;
    if (!s.found)
        s.form = answer_form_named(STR("hermes"));
    for (size_t i = 0; i < COUNT_OF(tags) && !s.reasoning && !s.form->channels; i++)
        if (holds(source, tags[i].close))
            s.reasoning = &tags[i];
    return s;
}

const struct answer_form *answer_form_named(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        if (str_is(name, forms[i].name))
            return &forms[i];
    return NULL;
}

const struct answer_form *answer_form_at(size_t i)
{
    return i < COUNT_OF(forms) ? &forms[i] : NULL;
}

bool answer_style_shows(struct answer_style s, struct str token)
{
    static const char *const of_channels[] = {"<|channel|>", "<|message|>", "<|start|>", "<|end|>",
                                              "<|constrain|>"};
    static const char call_id[] = "[CALL_ID]";
    const struct answer_form *f = s.form;
    const struct answer_fields *x = &f->fields;
    const char *marks[] = {f->section,   f->section_end, f->begin,
                           x->key,       x->key_end,     x->value,
                           x->value_end, x->end,         f->ids == IDS_NINE ? call_id : NULL};
    char text[64];
    bool shows = false;
    if (token.len == 0 || token.len >= sizeof text)
        return false;
    memcpy(text, token.ptr, token.len);
    text[token.len] = 0;
    for (size_t i = 0; i < COUNT_OF(marks); i++)
        shows |= marks[i] && strstr(marks[i], text);
    for (size_t i = 0; i < ANSWER_STEPS_MAX; i++)
        shows |= f->steps[i].text && strstr(f->steps[i].text, text);
    for (size_t i = 0; i < COUNT_OF(of_channels) && f->channels; i++)
        shows |= strcmp(of_channels[i], text) == 0;
    if (!s.reasoning)
        return shows;
    shows |= strcmp(s.reasoning->open, text) == 0 || strcmp(s.reasoning->close, text) == 0;
    for (size_t i = 0; i < ANSWER_SILENT_MAX; i++)
        shows |= s.reasoning->silent[i] && strcmp(s.reasoning->silent[i], text) == 0;
    return shows;
}
