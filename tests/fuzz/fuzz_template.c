/* fuzz_template.c - any bytes as a template, rendered with a small conversation under limits. */
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/check.h"
#include "text/jinja.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static const char conversation[] =
    "[{\"role\": \"system\", \"content\": \"Sys\"}, "
    "{\"role\": \"user\", \"content\": \" \\u00e9 \"},"
    "{\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"id\": \"1\", \"function\":"
    "{\"name\": \"f\", \"arguments\": {\"a\": [1, 2.5, true]}}}]}]";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static json_t *messages;
    struct jinja_limits limits = {
        .n_steps_max = 200 * 1000, .n_bytes_max = 4 << 20, .depth_max = 500};
    struct err_note note = {0};
    struct jinja *t;
    struct buf out;
    if (!messages)
        messages = json_loads(conversation, 0, NULL);
    CHECK(messages);
    const struct jinja_variable variables[] = {
        {.name = "messages", .value = messages},
        {.name = "add_generation_prompt", .value = json_true()},
        {.name = "bos_token", .text = STR("<s>")},
    };
    if (jinja_new(&t, (struct str){(const char *)bytes, n_bytes}, &note) != ERR_OK) {
        CHECK(note.text[0]);
        return 0;
    }
    buf_init(&out, 4 << 20);
    enum err e = jinja_render(t, variables, COUNT_OF(variables), 0, &limits, &out, &note);
    CHECK(e == ERR_OK ? utf8_valid(out.bytes ? out.bytes : "", out.n_bytes)
                      : note.text[0] && out.n_bytes == 0);
    buf_release(&out);
    jinja_free(t);
    return 0;
}
