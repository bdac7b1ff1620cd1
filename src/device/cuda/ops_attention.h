/* ops_attention.h - from shapes to launches: keys and values, attention, digests of pages. Pure
 * functions; the launch's `args` is the struct that the caller gave. */
#ifndef DEVICE_CUDA_OPS_ATTENTION_H
#define DEVICE_CUDA_OPS_ATTENTION_H

#include "device/cuda/cuda_int.h"
#include "device/cuda/kernels/args_attention.h"

/* rows: where those of a lie on the device. */
struct launch kv_write_launch(const struct kv_write_args *a, const struct kv_row *rows,
                              struct write_args *args);
struct launch kv_digest_launch(const struct digest_args *args, uint32_t n_layers);

/* attend_plan - fills args from a but for rows, part_ml, part_o and tickets. rows_share: rows side
 * by side have the same page tables, as in a prompt. n_pages: the most that a row sees. Returns how
 * many floats of parts a row needs, 0 where its blocks go through all groups. */
size_t attend_plan(const struct attention_args *a, bool rows_share, uint32_t n_pages,
                   struct attend_args *args);
struct launch attend_launch(const struct attend_args *args);

#endif
