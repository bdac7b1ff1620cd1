/* fuzz_ollama.c - any bytes as the body of Ollama's /api/generate and /api/chat. */
#include <stddef.h>
#include <stdint.h>

#include "api/ollama.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct str body = {(const char *)bytes, n_bytes};
    for (int i = 0; i < 2; i++) {
        struct api_generate r;
        struct api_error e = {0};
        bool ok = i ? api_ollama_chat_parse(body, &r, &e) : api_ollama_generate_parse(body, &r, &e);
        CHECK(ok || (e.status >= 400 && e.message[0]));
        CHECK(!ok || r.only_load || r.prompt.ptr || json_array_size(r.messages) > 0);
        api_generate_release(&r);
    }
    return 0;
}
