/* fuzz_keys.c - any bytes as a key file; what was taken is written and read again. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/check.h"
#include "server/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct keys k, again;
    struct err_note note = {""};
    enum err rc = keys_parse((struct str){(const char *)bytes, n_bytes}, "FILE", &k, &note);
    CHECK(!rc || (note.text[0] && k.n_items == 0));
    if (!rc) {
        char path[64];
        snprintf(path, sizeof path, "/tmp/fuzz_keys-%ld", (long)getpid());
        CHECK(keys_write(path, &k, &note) == ERR_OK);
        CHECK(keys_read(path, &again, &note) == ERR_OK);
        CHECK(again.n_items == k.n_items);
        for (size_t i = 0; i < k.n_items; i++)
            CHECK(strcmp(k.items[i]->id, again.items[i]->id) == 0 &&
                  k.items[i]->n_models == again.items[i]->n_models);
        unlink(path);
        keys_release(&again);
    }
    keys_release(&k);
    return 0;
}
