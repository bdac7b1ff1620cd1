/* fuzz_kv_page.c - the check of a page's file takes any bytes: it refuses them, or they are those
 * that sealing makes. The first byte chooses the payload's size that is expected. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "engine/disk_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err_note note = {""};
    uint8_t key[SHA256_BYTES] = {0};
    if (size == 0)
        return 0;
    size_t n_payload = (size_t)data[0] * 4, n = size - 1;
    const uint8_t *file = data + 1;
    if (n >= DISK_HEADER_BYTES)
        memcpy(key, file + 32, SHA256_BYTES);
    if (disk_file_check(file, n, n_payload, key, &note)) {
        CHECK(note.text[0]);
        return 0;
    }
    CHECK(n == DISK_HEADER_BYTES + n_payload);
    uint8_t *sealed = mem_alloc(n);
    memcpy(sealed, file, n);
    disk_file_seal(sealed, n_payload, key);
    CHECK(memcmp(sealed + DISK_HEADER_BYTES, file + DISK_HEADER_BYTES, n_payload) == 0);
    CHECK(disk_file_check(sealed, n, n_payload, key, &note) == ERR_OK);
    sealed[size % n] ^= 1;
    CHECK(disk_file_check(sealed, n, n_payload, key, &note) != ERR_OK);
    mem_free(sealed);
    return 0;
}
