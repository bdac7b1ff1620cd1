/* fuzz_hub_listing.c - any bytes as a hub's listing: an error line, or names that stay inside. */
#include "base/check.h"
#include "hub/listing.h"
#include "hub/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct listing l = {0};
    struct err_note note = {""};
    enum listing_kind kind;
    if (listing_add(&l, (struct str){(const char *)bytes, n_bytes}, &note) == ERR_OK) {
        size_t n_chosen = 0;
        for (size_t i = 0; i < l.n_files; i++)
            CHECK(name_check(str_from(l.files[i].path), NULL) == ERR_OK);
        enum err rc = listing_choose(&l, STR(""), &kind, &note);
        for (size_t i = 0; i < l.n_files; i++)
            n_chosen += l.files[i].chosen;
        CHECK(rc ? note.text[0] != 0 : n_chosen > 0);
        (void)listing_choose(&l, STR("Q8_0"), &kind, &note);
    } else {
        CHECK(note.text[0]);
    }
    listing_release(&l);
    return 0;
}
