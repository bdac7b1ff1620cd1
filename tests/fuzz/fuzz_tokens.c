/* fuzz_tokens.c - any bytes as the body of /tokenize and /detokenize. */
#include <stddef.h>
#include <stdint.h>

#include "api/tokens.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct str body = {(const char *)bytes, n_bytes};
    struct api_tokenize t;
    struct api_generate d;
    struct api_error e = {0};
    bool ok = api_tokenize_parse(body, &t, &e);
    CHECK(ok || (e.status >= 400 && e.message[0]));
    CHECK(!ok || (t.content != NULL) != (t.chat.messages != NULL));
    api_generate_release(&t.chat);
    e = (struct api_error){0};
    ok = api_detokenize_parse(body, &d, &e);
    CHECK(ok ? json_is_array(d.prompt_ids) : e.status >= 400 && e.message[0]);
    api_generate_release(&d);
    return 0;
}
