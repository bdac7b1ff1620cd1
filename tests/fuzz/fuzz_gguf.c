/* fuzz_gguf.c - any bytes as a GGUF file: an error line or a table whose every byte is readable. */
#include "base/check.h"
#include "base/mem.h"
#include "format/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct table t;
    struct err_note note = {{0}};
    if (gguf_parse(bytes, n_bytes, "fuzz", &t, &note) != ERR_OK) {
        CHECK(note.text[0]);
        return 0;
    }
    unsigned sum = 0;
    for (size_t i = 0; i < t.n_tensors; i++) {
        const struct tensor_view *v = &t.tensors[i];
        char *name = mem_strndup(v->name.ptr, v->name.len);
        CHECK(table_tensor(&t, name) == v);
        mem_free(name);
        sum += ((const uint8_t *)v->data)[v->n_bytes - 1];
        sum += tensor_view_check_finite(v, &note);
    }
    for (size_t i = 0; i < t.n_metas; i++)
        if (t.metas[i].type == META_ARRAY && t.metas[i].array.item == META_STRING)
            for (size_t k = 0; k < t.metas[i].array.n_items; k++)
                sum += t.metas[i].array.strings[k].len ? t.metas[i].array.strings[k].ptr[0] : 0;
    (void)sum;
    table_close(&t);
    return 0;
}
