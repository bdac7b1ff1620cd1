/* isa.h - what one instruction set provides: functions over a range of rows, no threads.
 *
 * scalar.c fills every slot with the plain C definition; an instruction set's own init overwrites
 * the slots that it has. All implementations of a slot give the same bits (docs/arithmetic.md),
 * which tests/unit/device/ checks by memcmp. Layouts of matrices and activations belong to the set
 * that fills matrix_*, acts_*, quantize and matmul: these slots are always filled together. */
#ifndef DEVICE_CPU_ISA_H
#define DEVICE_CPU_ISA_H

#include <string.h>

#include "device/device.h"

struct matmul_args {
    const struct matrix *w;
    const struct acts *a;
    const float *bias; /* [N] or NULL */
    float *y;          /* [T,N] */
    size_t stride;     /* floats between rows of y */
};

/* One attention operation, and what all of its units share. */
struct attention_job {
    const struct attention_args *args;
    float score_scale, per_cap; /* attention_scale(args); 1/softcap, or 0 */
};

/* Part of one: the query heads of rows [row0, row1) that share kv_head. A single row may be cut
 * along its pages too: groups [group0, group1), counted from the first that it sees, go to parts,
 * [groups][heads that share][attention_part_floats]: m, l, and from 16 floats on the vector. */
struct attention_unit {
    const struct attention_job *job;
    uint32_t row0, row1, kv_head;
    uint32_t group0, group1;
    float *parts;
};

struct cpu_isa {
    const char *name;

    /* Rows of a matrix are packed and multiplied in ranges that start at a multiple of row_step. */
    uint32_t row_step;
    size_t (*matrix_bytes)(enum dtype t, uint32_t n_rows, uint32_t n_cols);
    /* rows: GGUF rows of the whole matrix; packs rows [row0, row1) into their place in packed. */
    void (*matrix_pack)(enum dtype t, uint32_t n_rows, uint32_t n_cols, const void *rows,
                        uint32_t row0, uint32_t row1, void *packed);
    size_t (*acts_bytes)(enum act_kind kind, uint32_t n_rows, uint32_t n_cols);
    /* Rows of activations are quantised in ranges that start at a multiple of acts_step. */
    uint32_t acts_step;
    void (*quantize)(const float *x, size_t stride, struct acts *a, uint32_t row0, uint32_t row1,
                     uint8_t *bad);
    /* Output columns (matrix rows) [row0, row1) for every row of activations. */
    void (*matmul)(const struct matmul_args *m, uint32_t row0, uint32_t row1);

    void (*rmsnorm)(const float *x, const float *w, float eps, uint32_t n, float *y); /* one row */
    void (*layernorm)(const float *x, const float *w, const float *b, float eps, uint32_t n,
                      float *y);
    /* One head, already rotated by RoPE: Hadamard in place, then 12-bit integers and the scale.
     * false where a value is not finite. */
    bool (*quantize_head)(float *x, uint32_t n, int16_t *q, float *scale);
    /* Rows [0, T) of one kv head, in order. */
    void (*kv_write)(const struct kv_write_args *a, uint32_t kv_head);
    void (*attention)(const struct attention_unit *u);
    /* A unit of row0 alone in two steps, or NULL: groups [group0, group1) into parts; then, when
     * parts 0 to group1 - 1 are there, the row's output. */
    void (*attention_groups)(const struct attention_unit *u);
    void (*attention_join)(const struct attention_unit *u);
    void (*glu)(enum act_fn fn, const float *gate, const float *up, uint32_t n, float *y);
    void (*rope)(float *x, uint32_t n_rot, bool interleaved, const float *cos, const float *sin);
    void (*add)(float *x, const float *y, uint32_t n, float scale);
    void (*reflect)(float *x, const float *v, uint32_t n); /* one row */
};

void cpu_isa_scalar(struct cpu_isa *isa);
void cpu_isa_avx2(struct cpu_isa *isa);   /* in device/cpu/x86_avx2/ */
void cpu_isa_avx512(struct cpu_isa *isa); /* in device/cpu/x86_avx512/ */
void cpu_isa_neon(struct cpu_isa *isa);   /* in device/cpu/arm_neon/ */

/* cpu_isa_find - the table of a set by name, on a machine that has it; false otherwise. */
bool cpu_isa_find(const char *name, struct cpu_isa *isa);

/* The integer levels that stand for the float levels of NF4 and FP4, and what one unit is worth. */
struct level_table {
    int8_t level[16];
    float unit; /* multiplies the block's scale */
};
const struct level_table *level_table(enum dtype t); /* NULL for other types */

enum { ATTENTION_QUERIES = 32 /* of a block that shares keys and values */ };
_Static_assert((int64_t)HEAD_SIZE_MAX *HEAD_LEVELS *HEAD_LEVELS <= INT32_MAX, "score overflows");
/* The first position that a row sees. */
static inline uint32_t attention_first(const struct attention_args *a, const struct kv_row *row)
{
    return kv_first(row->position, a->window);
}
/* Where the group of page p ends: the page after its last, or after the last that is seen. */
static inline uint32_t attention_group_end(uint32_t p, uint32_t last_page)
{
    uint32_t end = (p / KV_PAGES_PER_GROUP + 1) * KV_PAGES_PER_GROUP;
    return end <= last_page ? end : last_page + 1;
}
static inline size_t attention_part_floats(uint32_t e)
{
    return 16 + kv_round16(e);
}
static inline int16_t kv_load(const uint8_t *head_part, size_t at)
{
    int16_t x;
    memcpy(&x, head_part + at, sizeof x);
    return x;
}

#endif
