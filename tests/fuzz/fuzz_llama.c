/* fuzz_llama.c - any bytes as the body of llama-server's /completion and of /batch. */
#include <stddef.h>
#include <stdint.h>

#include "api/llama.h"
#include "api/prompts.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct api_generate r;
    struct api_error e = {0};
    bool ok = api_llama_parse((struct str){(const char *)bytes, n_bytes}, &r, &e);
    CHECK(ok || (e.status >= 400 && e.message[0]));
    CHECK(!ok || r.prompt.ptr || r.prompt_ids || r.prompts);
    api_generate_release(&r);
    e = (struct api_error){0};
    ok = api_prompts_parse((struct str){(const char *)bytes, n_bytes}, &r, &e);
    CHECK(ok ? json_array_size(r.prompts) > 0 : e.status >= 400 && e.message[0]);
    api_generate_release(&r);
    return 0;
}
