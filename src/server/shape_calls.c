/* shape_calls.c - calls of tools as expressions: the steps of a family's form with the tools' names
 * and schemas in them. */
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"
#include "server/shape_int.h"

enum { PARTS_MAX = 2 * ANSWER_STEPS_MAX + 8 };

/* What is being written. */
struct calls {
    struct draft *d;
    struct json_text j;
    const struct api_generate *api;
    const struct answer_form *form;
    char *field;
    uint32_t space;
};

static const json_t *function_of(const json_t *tool)
{
    return json_object_get(tool, "function");
}

static const char *name_of(const json_t *tool)
{
    return json_string_value(json_object_get(function_of(tool), "name"));
}

bool shape_has_calls(const struct api_generate *api)
{
    bool strict = false;
    for (size_t i = 0; i < json_array_size(api->tools); i++)
        strict |= api_tool_is_strict(json_array_get(api->tools, i));
    return api->tools && (strict || api->calls == API_CALLS_REQUIRED);
}

/* Whether this tool's schema holds: a call of it must be made, or it is strict. */
static bool holds(const struct calls *c, const json_t *tool)
{
    return c->api->calls == API_CALLS_REQUIRED || api_tool_is_strict(tool);
}

static bool is_wanted(const struct calls *c, const json_t *tool)
{
    return !c->api->tool_name || strcmp(c->api->tool_name, name_of(tool)) == 0;
}

static uint32_t literal(struct calls *c, const char *text)
{
    return shape_literal(c->d, text);
}

/* ---- arguments ---------------------------------------------------------------------------- */

/* The tool's schema, a new reference: of an object, without other properties than those named. */
static json_t *schema_of(const json_t *tool)
{
    const json_t *given = json_object_get(function_of(tool), "parameters");
    json_t *schema = json_is_object(given) ? json_copy((json_t *)(uintptr_t)given) : json_object();
    if (!json_object_get(schema, "type"))
        json_object_set_new(schema, "type", json_string("object"));
    if (!json_object_get(schema, "additionalProperties") &&
        !json_object_get(schema, "patternProperties") && !json_object_get(schema, "$ref") &&
        !json_object_get(schema, "allOf") && !json_object_get(schema, "anyOf") &&
        !json_object_get(schema, "oneOf"))
        json_object_set_new(schema, "additionalProperties", json_false());
    return schema;
}

static uint32_t arguments(struct calls *c, const json_t *tool)
{
    if (!holds(c, tool))
        return c->j.object;
    json_t *schema = schema_of(tool);
    uint32_t made = shape_schema(c->d, schema);
    json_decref(schema);
    return made;
}

/* ---- arguments as fields ------------------------------------------------------------------ */

static uint32_t free_value(struct calls *c)
{
    return shape_without(c->d, &c->form->fields.value_end, 1);
}

/* A property's schema in a document of its own, with the definitions it may refer to. */
static json_t *schema_of_property(const json_t *root, json_t *property)
{
    json_t *defs = json_copy(json_object_get(root, "$defs"));
    json_t *made = json_object();
    if (!defs)
        defs = json_object();
    json_object_set(defs, "the value", property);
    json_object_set_new(made, "$ref", json_string("#/$defs/the%20value"));
    json_object_set_new(made, "$defs", defs);
    if (json_object_get(root, "definitions"))
        json_object_set(made, "definitions", json_object_get(root, "definitions"));
    return made;
}

/* A text stands there as it is: a list of them is a choice; other words about texts are not held,
 * and so refused where they must be. */
static uint32_t text_value(struct calls *c, const json_t *tool, const json_t *property)
{
    static const char *const unheld[] = {"pattern", "format", "minLength", "maxLength"};
    const json_t *list = json_object_get(property, "enum");
    size_t n = json_array_size(list);
    for (size_t i = 0; i < COUNT_OF(unheld); i++)
        if (json_object_get(property, unheld[i]) && api_tool_is_strict(tool))
            draft_fail(c->d, ERR_UNSUPPORTED,
                       "\"%s\" of a text: this model writes arguments as plain text, for which "
                       "it is not held",
                       unheld[i]);
    if (n == 0)
        return free_value(c);
    uint32_t *exprs = mem_array(n, sizeof exprs[0]), n_exprs = 0;
    if (!exprs) {
        draft_fail(c->d, ERR_MEMORY, "out of memory for a tool");
        return DRAFT_NOTHING;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        if (json_is_string(v))
            exprs[n_exprs++] =
                draft_literal(c->d, (struct str){json_string_value(v), json_string_length(v)});
    }
    uint32_t made = draft_alt(c->d, exprs, n_exprs);
    mem_free(exprs);
    return made;
}

static uint32_t field_value(struct calls *c, const json_t *tool, const char *name, json_t *property)
{
    unsigned types = answer_field_types(function_of(tool), name);
    if (types & ANSWER_TYPE_STRING)
        return types == ANSWER_TYPE_STRING ? text_value(c, tool, property) : free_value(c);
    json_t *schema = schema_of_property(json_object_get(function_of(tool), "parameters"), property);
    uint32_t made = shape_schema(c->d, schema);
    json_decref(schema);
    return made;
}

static bool is_required(const json_t *parameters, const char *name)
{
    const json_t *list = json_object_get(parameters, "required");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *item = json_string_value(json_array_get(list, i));
        if (item && strcmp(item, name) == 0)
            return true;
    }
    return false;
}

static uint32_t one_field(struct calls *c, uint32_t name, uint32_t value)
{
    const struct answer_fields *f = &c->form->fields;
    uint32_t line = draft_repeat(c->d, literal(c, "\n"), 0, f->lines ? 1 : 0);
    uint32_t open = f->value ? DRAFT_SEQ(c->d, c->space, literal(c, f->value)) : DRAFT_EMPTY;
    return DRAFT_SEQ(c->d, literal(c, f->key), name, literal(c, f->key_end), open, line, value,
                     line, literal(c, f->value_end), c->space);
}

static uint32_t fields(struct calls *c, const json_t *tool)
{
    const json_t *parameters = json_object_get(function_of(tool), "parameters");
    uint32_t made = c->space;
    const char *name;
    json_t *property;
    if (!holds(c, tool)) {
        uint32_t letter = DRAFT_RANGES(c->d, false, {'a', 'z'}, {'A', 'Z'}, {'0', '9'}, {'_', '_'});
        uint32_t any = one_field(c, draft_repeat(c->d, letter, 1, 64), free_value(c));
        made = DRAFT_SEQ(c->d, made, draft_repeat(c->d, any, 0, DRAFT_ENDLESS));
        return DRAFT_SEQ(c->d, made, literal(c, c->form->fields.end));
    }
    json_object_foreach(json_object_get(parameters, "properties"), name, property)
    {
        uint32_t field = one_field(c, literal(c, name), field_value(c, tool, name, property));
        made = DRAFT_SEQ(c->d, made,
                         draft_repeat(c->d, field, is_required(parameters, name) ? 1 : 0, 1));
    }
    return DRAFT_SEQ(c->d, made, literal(c, c->form->fields.end));
}

/* ---- calls -------------------------------------------------------------------------------- */

static uint32_t key(struct calls *c, const char *name)
{
    return DRAFT_SEQ(c->d, json_quoted(c->d, literal(c, name)), literal(c, ":"), c->j.space);
}

static uint32_t object(struct calls *c, const json_t *tool)
{
    struct draft *d = c->d;
    const struct answer_form *f = c->form;
    uint32_t id = DRAFT_EMPTY, comma = DRAFT_SEQ(d, literal(c, ","), c->j.space);
    if (f->id_key) {
        uint32_t digits = draft_repeat(d, DRAFT_RANGES(d, false, {'0', '9'}), 1, 3);
        id = draft_repeat(d, DRAFT_SEQ(d, key(c, f->id_key), json_quoted(d, digits), comma), 0, 1);
    }
    uint32_t name = json_quoted(d, literal(c, name_of(tool)));
    return DRAFT_SEQ(d, literal(c, "{"), c->j.space, id, key(c, f->name_key), name, comma,
                     key(c, f->arguments_key), arguments(c, tool), c->j.space, literal(c, "}"));
}

/* What one expression of the tools is: each wanted tool by itself, an error with its field. */
static uint32_t for_tools(struct calls *c, uint32_t (*one)(struct calls *c, const json_t *tool))
{
    size_t n = json_array_size(c->api->tools), n_exprs = 0;
    uint32_t *exprs = mem_array(n, sizeof exprs[0]);
    if (!exprs)
        draft_fail(c->d, ERR_MEMORY, "out of memory for the tools");
    for (size_t i = 0; i < n && !c->d->rc; i++) {
        const json_t *tool = json_array_get(c->api->tools, i);
        snprintf(c->field, 64, "tools[%zu].function.parameters", i);
        if (is_wanted(c, tool))
            exprs[n_exprs++] = one(c, tool);
    }
    uint32_t made = c->d->rc ? DRAFT_NOTHING : draft_alt(c->d, exprs, n_exprs);
    mem_free(exprs);
    return made;
}

static uint32_t objects(struct calls *c)
{
    struct draft *d = c->d;
    uint32_t one = for_tools(c, object);
    uint32_t more = DRAFT_SEQ(d, literal(c, ","), c->j.space, one);
    uint32_t n_more = c->api->parallel_tool_calls ? DRAFT_ENDLESS : 0;
    return DRAFT_SEQ(d, literal(c, "["), c->j.space, one, draft_repeat(d, more, 0, n_more),
                     c->j.space, literal(c, "]"));
}

static uint32_t name_step(struct calls *c, const json_t *tool, const char *end)
{
    const struct answer_form *f = c->form;
    uint32_t digits = DRAFT_EMPTY;
    if (f->ids == IDS_KIMI)
        digits = DRAFT_SEQ(c->d, literal(c, ":"),
                           draft_repeat(c->d, DRAFT_RANGES(c->d, false, {'0', '9'}), 1, 4));
    return DRAFT_SEQ(c->d, literal(c, f->name_prefix), literal(c, name_of(tool)), digits,
                     literal(c, end));
}

static uint32_t step(struct calls *c, struct answer_step s, const json_t *tool)
{
    switch (s.kind) {
    case STEP_SPACE:
        return c->space;
    case STEP_TEXT:
    case STEP_OPTION:
        return literal(c, s.text);
    case STEP_NAME:
        return name_step(c, tool, s.text);
    case STEP_ARGUMENTS:
        return arguments(c, tool);
    case STEP_OBJECT:
        return object(c, tool);
    case STEP_OBJECTS:
        return objects(c);
    case STEP_FIELDS:
        return fields(c, tool);
    case STEP_END:
        break;
    }
    return DRAFT_EMPTY;
}

/* The steps after begin. tool is not looked at where an array holds them all. */
static uint32_t steps(struct calls *c, const json_t *tool)
{
    uint32_t made = DRAFT_EMPTY;
    for (size_t i = 0; c->form->steps[i].kind != STEP_END; i++)
        made = DRAFT_SEQ(c->d, made, step(c, c->form->steps[i], tool));
    return made;
}

static bool has_step(const struct answer_form *f, enum answer_step_kind kind)
{
    for (size_t i = 0; f->steps[i].kind != STEP_END; i++)
        if (f->steps[i].kind == kind)
            return true;
    return false;
}

/* gpt-oss: what follows its start of a message. */
static uint32_t channel_call(struct calls *c, const json_t *tool)
{
    return DRAFT_SEQ(c->d, literal(c, "<|channel|>commentary to=functions."),
                     literal(c, name_of(tool)), draft_repeat(c->d, literal(c, " "), 0, 1),
                     literal(c, "<|constrain|>json<|message|>"), arguments(c, tool));
}

uint32_t shape_calls(struct draft *d, const struct api_generate *api,
                     const struct answer_form *form, char field[64])
{
    struct calls c = {.d = d, .api = api, .form = form, .field = field};
    json_text_init(&c.j, d);
    c.space = draft_repeat(d, DRAFT_RANGES(d, false, {' ', ' '}, {'\n', '\n'}), 0, 1);
    if (form->channels)
        return for_tools(&c, channel_call);
    bool is_list = has_step(form, STEP_OBJECTS);
    bool many = api->parallel_tool_calls && !is_list;
    uint32_t call = is_list ? steps(&c, NULL) : for_tools(&c, steps);
    uint32_t one = DRAFT_SEQ(d, literal(&c, form->bare ? NULL : form->begin), call, c.space);
    if (form->bare) {
        uint32_t more = DRAFT_SEQ(d, literal(&c, ";"), c.space, one);
        return DRAFT_SEQ(d, one, draft_repeat(d, more, 0, many ? DRAFT_ENDLESS : 0));
    }
    uint32_t all = draft_repeat(d, one, 1, many ? DRAFT_ENDLESS : 1);
    if (!form->section)
        return all;
    all = DRAFT_SEQ(d, literal(&c, form->section), c.space, all, literal(&c, form->section_end),
                    c.space);
    return draft_repeat(d, all, 1, many ? DRAFT_ENDLESS : 1);
}

uint32_t shape_free_text(struct draft *d, const struct answer_form *form)
{
    const char *words[] = {form->section, form->begin};
    uint32_t text = shape_without(d, words, COUNT_OF(words));
    if (!form->bare)
        return text;
    uint32_t space = DRAFT_RANGES(d, false, {' ', ' '}, {'\n', '\n'}, {'\t', '\t'}, {'\r', '\r'});
    uint32_t object = DRAFT_SEQ(d, draft_repeat(d, space, 0, DRAFT_ENDLESS), shape_literal(d, "{"),
                                shape_without(d, NULL, 0));
    return draft_minus(d, text, object);
}
