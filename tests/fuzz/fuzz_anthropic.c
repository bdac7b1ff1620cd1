/* fuzz_anthropic.c - any bytes as the body of /v1/messages. */
#include <stddef.h>
#include <stdint.h>

#include "api/anthropic.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct str body = {(const char *)bytes, n_bytes};
    for (int i = 0; i < 2; i++) {
        struct api_generate r;
        struct api_error e = {0};
        bool ok = i ? anthropic_parse(body, &r, &e) : anthropic_count_parse(body, &r, &e);
        CHECK(ok || (e.status >= 400 && e.message[0]));
        CHECK(!ok || json_array_size(r.messages) > 0);
        CHECK(!ok || api_messages_check(r.messages, &e));
        api_generate_release(&r);
    }
    return 0;
}
