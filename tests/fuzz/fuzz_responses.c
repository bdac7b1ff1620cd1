/* fuzz_responses.c - any bytes as the body of /v1/responses. */
#include <stddef.h>
#include <stdint.h>

#include "api/responses.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct api_generate r;
    struct api_error e = {0};
    bool ok = responses_parse((struct str){(const char *)bytes, n_bytes}, &r, &e);
    CHECK(ok || (e.status >= 400 && e.message[0]));
    CHECK(!ok || (json_array_size(r.messages) > 0 && api_messages_check(r.messages, &e)));
    if (ok) {
        json_t *items = responses_items(json_object_get(r.root, "input"), "resp_1");
        for (size_t i = 0; i < json_array_size(items); i++)
            CHECK(json_object_get(json_array_get(items, i), "id"));
        json_decref(items);
    }
    api_generate_release(&r);
    return 0;
}
