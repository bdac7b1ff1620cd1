/* quant_name.c - the name of a file's quantisation. */
#include "format/quant_name.h"

#include <stdio.h>

#include "tensor/mix.h"

void quant_name(const struct table *t, char out[QUANT_NAME_BYTES])
{
    uint64_t n_bytes[DTYPE_COUNT] = {0};
    int most = 0;
    uint32_t file_type = UINT32_MAX;
    (void)table_u32(t, "general.file_type", UINT32_MAX, &file_type, NULL);
    for (size_t i = 0; i < t->n_tensors; i++)
        n_bytes[t->tensors[i].dtype] += t->tensors[i].n_bytes;
    for (int i = 0; i < DTYPE_COUNT; i++)
        most = n_bytes[i] > n_bytes[most] ? i : most;
    const struct mix *mix = mix_at(0);
    for (size_t i = 1; mix && mix_file_type(mix) != file_type; i++)
        mix = mix_at(i);
    snprintf(out, QUANT_NAME_BYTES, "%s", mix ? mix_name(mix) : dtype_info((enum dtype)most)->name);
}
