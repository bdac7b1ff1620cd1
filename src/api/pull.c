/* pull.c - requests and progress of pulls. */
#include "api/pull.h"

#include <stddef.h>

#include "api/write.h"
#include "base/check.h"

struct raw {
    struct str model, name;
    bool stream;
};

#define FIELD(member) offsetof(struct raw, member)
static const struct api_field fields[] = {
    {"model", API_TEXT, FIELD(model), 0, 0, "hf.co/OWNER/REPO[:QUANT]"},
    {"name", API_TEXT, FIELD(name), 0, 0, "the same, by its old name"},
    {"stream", API_BOOL, FIELD(stream), 0, 0, "tell how far it is; default true"},
    {"insecure", API_NO_EFFECT, 0, 0, 0, "certificates are always looked at"},
};
const struct api_table api_pull_table = {"OllamaPullRequest", fields, COUNT_OF(fields),
                                         "model|name"};

bool api_pull_parse(struct str body, struct api_pull *p, struct api_error *e)
{
    static const char *const begins[] = {"hf:", "hf.co/", "huggingface.co/"};
    struct raw raw = {.stream = true};
    *p = (struct api_pull){0};
    buf_init(&p->unknown, 1024);
    p->root = api_parse(body, e);
    if (!p->root || !api_read(p->root, "", fields, COUNT_OF(fields), &raw, NULL, &p->unknown, e))
        return false;
    p->model = raw.model.len ? raw.model : raw.name;
    p->stream = raw.stream;
    if (p->model.len == 0)
        return api_fail(e, 400, "model", "model is missing: hf.co/OWNER/REPO[:QUANT]");
    for (size_t i = 0; i < COUNT_OF(begins); i++)
        if (str_starts(p->model, str_from(begins[i])))
            return true;
    return api_fail(e, 400, "model",
                    "\"%.100s\" is of no hub that is known here; such as hf.co/OWNER/REPO:Q4_K_M",
                    p->model.ptr);
}

void api_pull_release(struct api_pull *p)
{
    json_decref(p->root);
    buf_release(&p->unknown);
}

static void add_line(struct buf *out, const char *status, const json_t *line)
{
    struct writer w;
    write_begin(&w, out);
    write_open(&w, '{');
    write_key_text(&w, "status", str_from(status));
    if (line) {
        write_key_text(&w, "digest", STR(""));
        write_key_int(&w, "total", json_integer_value(json_object_get(line, "total")));
        write_key_int(&w, "completed", json_integer_value(json_object_get(line, "completed")));
    }
    write_close(&w, '}');
    buf_char(out, '\n');
}

enum api_pull_news api_pull_line(struct str line, struct buf *out, struct api_error *e)
{
    json_t *root = json_loadb(line.ptr, line.len, 0, NULL);
    const char *status = json_string_value(json_object_get(root, "status"));
    const char *error = json_string_value(json_object_get(root, "error"));
    enum api_pull_news news = API_PULL_NOTHING;
    if (error) {
        api_fail(e, 500, "model", "%s", error);
        news = API_PULL_FAILED;
    } else if (status && strcmp(status, "pulling") == 0) {
        add_line(out, "pulling model", root);
        news = API_PULL_GOES_ON;
    } else if (status && strcmp(status, "success") == 0) {
        add_line(out, "verifying sha256 digest", NULL);
        add_line(out, "success", NULL);
        news = API_PULL_DONE;
    }
    json_decref(root);
    return news;
}
