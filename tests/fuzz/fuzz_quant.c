/* fuzz_quant.c - blocks of any bytes decode, floats of any bits encode or are refused. */
#include "base/check.h"
#include "base/mem.h"
#include "tensor/half.h"
#include "tensor/quant/quant.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

/* The bytes as blocks: no access outside them, and whatever passes the check decodes to finite. */
static void decode_bytes(enum dtype t, const uint8_t *bytes, size_t n_bytes)
{
    const struct dtype_info *info = dtype_info(t);
    size_t n = n_bytes / (size_t)info->block_bytes * (size_t)info->block_len, block;
    float *out = mem_alloc(n * sizeof *out + 1);
    double *wide = mem_alloc(n * sizeof *wide + 1);
    CHECK(out && wide);
    quant_decode_row(t, bytes, out, n);
    quant_decode_row_f64(t, bytes, wide, n);
    if (quant_scale_check(t, bytes, n, &block))
        for (size_t i = 0; i < n; i++)
            CHECK(f32_is_finite(out[i]));
    mem_free(out);
    mem_free(wide);
}

/* The bytes as elements, repeated to a whole block: what is not refused passes the check. */
static void encode_bytes(enum dtype t, const uint8_t *bytes, size_t n_bytes)
{
    size_t n_given = n_bytes / sizeof(float), n = (size_t)dtype_info(t)->block_len, bad;
    float x[QUANT_LEN_MAX];
    uint8_t row[2 * 292];
    if (n_given == 0)
        return;
    for (size_t i = 0; i < n; i++)
        memcpy(&x[i], bytes + i % n_given * sizeof(float), sizeof(float));
    if (quant_encode_row(t, x, row, n, NULL, &bad))
        CHECK(quant_scale_check(t, row, n, &bad));
    else
        CHECK(bad < n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    if (n_bytes == 0)
        return 0;
    enum dtype t = (enum dtype)(bytes[0] % DTYPE_COUNT);
    if (quant_decodes(t)) {
        decode_bytes(t, bytes + 1, n_bytes - 1);
        encode_bytes(t, bytes + 1, n_bytes - 1);
    }
    return 0;
}
