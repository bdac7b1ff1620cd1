/* fuzz_generate.c - any bytes as the body of a chat or text completion. */
#include <stddef.h>
#include <stdint.h>

#include "api/generate.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct str body = {(const char *)bytes, n_bytes};
    for (int i = 0; i < 2; i++) {
        struct api_generate r;
        struct api_error e = {0};
        bool ok = i ? api_chat_parse(body, &r, &e) : api_completion_parse(body, &r, &e);
        CHECK(ok || (e.status >= 400 && e.message[0]));
        CHECK(!ok || (r.root && r.n >= 1 && r.n_max >= 1));
        CHECK(!ok || api_tools_read(&r, &e) || (e.status >= 400 && e.message[0]));
        api_generate_release(&r);
    }
    return 0;
}
