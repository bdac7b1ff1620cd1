/* fuzz_answer.c - any text in any family's form: the parts do not depend on how it is cut.
 *
 * Byte 0: the form; byte 1: what is around reasoning, and flags; byte 2: how it is cut. */
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/check.h"
#include "text/answer_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static const char tools_json[] =
    "[{\"function\":{\"name\":\"f\",\"parameters\":{\"properties\":{\"s\":{\"type\":\"string\"},"
    "\"n\":{\"type\":\"integer\"}}}}}]";

static const char *const closing[] = {"", "</think>", "[/THINK]", "<|END_THINKING|>"};

static void read(const uint8_t head[3], struct str text, bool cut, struct parts *parts)
{
    static json_t *tools;
    struct answer_reader r;
    struct answer_options o = {.style = answer_style_find(str_from(closing[head[1] & 3])),
                               .single = head[1] & 4,
                               .prompt = head[1] & 8 ? STR("<think>\n") : STR("")};
    size_t n_forms = 0;
    uint32_t seed = head[2];
    if (!tools)
        tools = json_loads(tools_json, 0, NULL);
    while (answer_form_at(n_forms))
        n_forms++;
    o.style.form = answer_form_at(head[0] % n_forms);
    o.tools = head[1] & 16 ? NULL : tools;
    parts_init(parts);
    answer_reader_init(&r, &o, parts);
    for (size_t at = 0; at < text.len;) {
        seed = seed * 1103515245u + 12345u;
        size_t n = cut ? 1 + (seed >> 16) % 7 : text.len;
        n = n < text.len - at ? n : text.len - at;
        answer_reader_add(&r, str_sub(text, at, at + n));
        at += n;
    }
    answer_reader_end(&r);
    answer_reader_release(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct parts whole, cut;
    if (n_bytes < 3 || !utf8_valid((const char *)bytes + 3, n_bytes - 3))
        return 0;
    struct str text = {(const char *)bytes + 3, n_bytes - 3};
    read(bytes, text, false, &whole);
    read(bytes, text, true, &cut);
    CHECK(whole.n == cut.n);
    for (size_t i = 0; i < whole.n; i++) {
        const struct part *a = &whole.items[i], *b = &cut.items[i];
        CHECK(a->kind == b->kind && str_eq(part_text(a), part_text(b)));
        CHECK(str_eq(part_name(a), part_name(b)) && strcmp(a->id, b->id) == 0);
        CHECK(utf8_valid(part_text(a).ptr, part_text(a).len));
    }
    parts_release(&whole);
    parts_release(&cut);
    return 0;
}
