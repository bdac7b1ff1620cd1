/* tools.c - the tools of a request, and which of them its answer may or must call. */
#include <string.h>

#include "api/generate.h"

enum { TOOLS_MAX = 512, NAME_BYTES_MAX = 128 };

static bool is_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
    return n > 0 && n <= NAME_BYTES_MAX && !s[n];
}

static const char *name_of(const json_t *tool)
{
    return json_string_value(json_object_get(json_object_get(tool, "function"), "name"));
}

static const json_t *find(const json_t *tools, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name_of(json_array_get(tools, i)), name) == 0)
            return json_array_get(tools, i);
    return NULL;
}

static bool check_tool(const json_t *tools, size_t i, struct api_error *e)
{
    const json_t *tool = json_array_get(tools, i), *f = json_object_get(tool, "function");
    const json_t *parameters = json_object_get(f, "parameters");
    const char *type = json_string_value(json_object_get(tool, "type")), *name = name_of(tool);
    char path[64];
    snprintf(path, sizeof path, "tools[%zu]", i);
    if (!type || strcmp(type, "function") != 0)
        return api_fail(e, 400, path, "%s is of type \"%.40s\"; it must be \"function\"", path,
                        type ? type : "?");
    snprintf(path, sizeof path, "tools[%zu].function", i);
    if (!json_is_object(f))
        return api_fail(e, 400, path, "%s must be an object", path);
    if (!name || !is_name(name)) {
        snprintf(path, sizeof path, "tools[%zu].function.name", i);
        return api_fail(e, 400, path, "%s must be 1 to %d letters, digits, _ - and .", path,
                        NAME_BYTES_MAX);
    }
    if (find(tools, i, name))
        return api_fail(e, 400, path, "%s: there are two tools called \"%s\"", path, name);
    if (parameters && !json_is_object(parameters) && !json_is_null(parameters)) {
        snprintf(path, sizeof path, "tools[%zu].function.parameters", i);
        return api_fail(e, 400, path, "%s must be a JSON schema: an object", path);
    }
    return true;
}

/* {"type": "function", "function": {"name"}} */
static bool read_named(struct api_generate *r, struct api_error *e)
{
    const char *name = name_of(r->tool_choice);
    if (!name)
        return api_fail(e, 400, "tool_choice.function.name",
                        "tool_choice must be none, auto, required, or "
                        "{\"type\": \"function\", \"function\": {\"name\"}}");
    if (!find(r->tools, json_array_size(r->tools), name))
        return api_fail(e, 400, "tool_choice.function.name",
                        "tool_choice names \"%.80s\", which is not among the tools", name);
    r->calls = API_CALLS_REQUIRED;
    r->tool_name = name;
    return true;
}

static bool read_choice(struct api_generate *r, struct api_error *e)
{
    const char *word = json_string_value(r->tool_choice);
    if (!r->tool_choice || json_is_null(r->tool_choice))
        return true;
    if (!word)
        return read_named(r, e);
    if (strcmp(word, "required") == 0)
        r->calls = API_CALLS_REQUIRED;
    else if (strcmp(word, "none") == 0)
        r->calls = API_CALLS_NONE;
    else if (strcmp(word, "auto") != 0)
        return api_fail(e, 400, "tool_choice",
                        "tool_choice is \"%.40s\"; it may be none, auto, required or a function",
                        word);
    return true;
}

bool api_tools_read(struct api_generate *r, struct api_error *e)
{
    size_t n = json_array_size(r->tools);
    if (r->tools && !json_is_array(r->tools) && !json_is_null(r->tools))
        return api_fail(e, 400, "tools", "tools must be an array of functions");
    if (n > TOOLS_MAX)
        return api_fail(e, 400, "tools", "there are %zu tools; at most %d", n, TOOLS_MAX);
    for (size_t i = 0; i < n; i++)
        if (!check_tool(r->tools, i, e))
            return false;
    if (!read_choice(r, e))
        return false;
    if (r->calls == API_CALLS_REQUIRED && n == 0)
        return api_fail(e, 400, "tool_choice", "tool_choice wants a call, but there are no tools");
    if (r->calls == API_CALLS_NONE || n == 0)
        r->tools = NULL;
    return true;
}

bool api_tool_is_strict(const json_t *tool)
{
    return json_is_true(json_object_get(json_object_get(tool, "function"), "strict"));
}
