/* fuzz_hub_state.c - any bytes as the state of an unfinished file. */
#include "base/check.h"
#include "hub/partial.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct partial_state s;
    uint64_t index;
    uint8_t digest[SHA256_BYTES];
    bool bad = false;
    size_t n_lines = 0;
    if (!partial_state_read((struct str){(const char *)bytes, n_bytes}, &s))
        return 0;
    CHECK(s.validator.len < PARTIAL_VALIDATOR_MAX);
    while (partial_state_next(&s, &index, digest, &bad))
        n_lines++;
    CHECK(n_lines <= n_bytes / 66);
    CHECK(bad || s.lines.len == 0);
    return 0;
}
