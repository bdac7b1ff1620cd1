/* fuzz_settings.c - any bytes as a file of settings. */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "cli/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    bool flag = false;
    uint32_t number = 5;
    float rate = 0;
    const char *text = NULL;
    struct arg_texts texts = {0};
    const struct arg_option options[] = {
        OPT_HEADING("Things"),
        OPT_FLAG(0, "flag", &flag, ""),
        OPT_U32(0, "a-number", "N", &number, 1, 100, ""),
        OPT_FLOAT(0, "rate", "R", &rate, 0, 2, ""),
        OPT_TEXT(0, "text", "T", &text, ""),
        OPT_TEXTS(0, "texts", "T", &texts, ""),
    };
    const struct arg_command c = {.name = "try", .options = options, .n_options = 6};
    struct args args = {0};
    struct settings s;
    struct err_note note = {""};
    CHECK(settings_environment(&s, &c, &args, NULL, 0, &note) == ERR_OK);
    enum err rc = settings_parse(&s, (struct str){(const char *)bytes, n_bytes}, "FILE", &note);
    CHECK(!rc || note.text[0]);
    CHECK(number >= 1 && number <= 100 && rate >= 0 && rate <= 2);
    for (size_t i = 0; i < texts.n_items; i++)
        CHECK(texts.items[i]);
    CHECK(!text || s.where[4]);
    settings_release(&s);
    return 0;
}
