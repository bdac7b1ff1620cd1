/* render_template.c - renders Jinja templates outside the program, to compare with Jinja2.
 *
 * render_template FILE CONTEXT.json [NOW]   prints the text; variables are the context's members
 * render_template --lines                   reads {"template", "context", "now"} objects, one a
 *                                           line; answers {"text"} or {"error", "kind"}, one a line
 * tools/template_vectors.py and tools/template_fuzz.py drive it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "base/mem.h"
#include "text/jinja.h"

enum { VARIABLES_MAX = 256, FILE_BYTES_MAX = 64 << 20 };

static enum err render(struct str source, json_t *context, int64_t now_s, struct buf *out,
                       struct err_note *note)
{
    struct jinja_variable variables[VARIABLES_MAX];
    struct jinja_limits limits = jinja_limits_default();
    struct jinja *t;
    size_t n = 0;
    for (void *at = json_object_iter(context); at && n < VARIABLES_MAX;
         at = json_object_iter_next(context, at))
        variables[n++] = (struct jinja_variable){.name = json_object_iter_key(at),
                                                 .value = json_object_iter_value(at)};
    enum err e = jinja_new(&t, source, note);
    if (e == ERR_OK)
        e = jinja_render(t, variables, n, now_s, &limits, out, note);
    jinja_free(t);
    return e;
}

static int answer_lines(void)
{
    char *line = NULL;
    size_t n_reserved = 0;
    while (getline(&line, &n_reserved, stdin) > 0) {
        struct buf out;
        struct err_note note = {0};
        json_error_t error;
        json_t *request = json_loads(line, JSON_ALLOW_NUL, &error), *reply = json_object();
        const json_t *source = json_object_get(request, "template");
        buf_init(&out, FILE_BYTES_MAX);
        enum err e = ERR_FORMAT;
        if (json_is_string(source))
            e = render((struct str){json_string_value(source), json_string_length(source)},
                       json_object_get(request, "context"),
                       json_integer_value(json_object_get(request, "now")), &out, &note);
        if (e == ERR_OK) {
            json_object_set_new(reply, "text", json_stringn(out.bytes ? out.bytes : "",
                                                            out.n_bytes));
        } else {
            json_object_set_new(reply, "error", json_string(note.text));
            json_object_set_new(reply, "kind", json_string(err_name(e)));
        }
        json_dumpf(reply, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        json_decref(request);
        json_decref(reply);
        buf_release(&out);
    }
    free(line);
    return 0;
}

int main(int argc, char **argv)
{
    struct err_note note = {0};
    struct buf out;
    char *source, *context;
    size_t n_source, n_context;
    json_error_t error;
    if (argc == 2 && strcmp(argv[1], "--lines") == 0)
        return answer_lines();
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: render_template FILE CONTEXT.json [NOW] | --lines\n");
        return 2;
    }
    if (file_read(argv[1], FILE_BYTES_MAX, &source, &n_source, &note) != ERR_OK ||
        file_read(argv[2], FILE_BYTES_MAX, &context, &n_context, &note) != ERR_OK) {
        fprintf(stderr, "%s\n", note.text);
        return 1;
    }
    json_t *variables = json_loadb(context, n_context, JSON_ALLOW_NUL, &error);
    if (!json_is_object(variables)) {
        fprintf(stderr, "%s is not a JSON object\n", argv[2]);
        return 1;
    }
    buf_init(&out, FILE_BYTES_MAX);
    enum err e = render((struct str){source, n_source}, variables,
                        argc == 4 ? strtoll(argv[3], NULL, 10) : 0, &out, &note);
    if (e == ERR_OK)
        fwrite(out.bytes, 1, out.n_bytes, stdout);
    else
        fprintf(stderr, "%s\n", note.text);
    buf_release(&out);
    json_decref(variables);
    mem_free(source);
    mem_free(context);
    return e == ERR_OK ? 0 : 1;
}
