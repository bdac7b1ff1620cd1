/* fuzz_config.c - any bytes as config.json: an error line or metadata. */
#include "base/check.h"
#include "format/hf_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct hf_config c;
    struct metas m;
    struct err_note note = {{0}};
    metas_init(&m);
    enum err rc = hf_config_parse((const char *)bytes, n_bytes, "config.json", STR("fuzz"), &c, &m,
                                  &note);
    if (rc)
        CHECK(note.text[0] && !strchr(note.text, '\n'));
    else
        CHECK(c.family && c.n_layers && metas_find(&m, "general.architecture"));
    metas_release(&m);
    return 0;
}
