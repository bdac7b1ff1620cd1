/* table_check.c - whether every value of a tensor is finite: the sentence that names the first. */
#include "format/table.h"
#include "tensor/quant/quant.h"

enum err tensor_view_check_finite(const struct tensor_view *v, struct err_note *note)
{
    const struct dtype_info *info = dtype_info(v->dtype);
    size_t n = v->n_bytes / (size_t)info->block_bytes * (size_t)info->block_len, block;
    if (quant_scale_check(v->dtype, v->data, n, &block))
        return ERR_OK;
    if (info->block_len == 1)
        return err_set(note, ERR_NUMERIC, "tensor %.*s (%s): element %zu is NaN or infinite",
                       STR_ARG(v->name), info->name, block);
    return err_set(note, ERR_NUMERIC, "tensor %.*s (%s): the scale of block %zu is NaN or infinite",
                   STR_ARG(v->name), info->name, block);
}
