/* rows.c - rows, heads and attention with AVX2, and the table of all it does. */
#include "device/cpu/x86_avx2/vec.h"
#include "device/cpu/panel/attention.h"
#include "device/cpu/panel/panel.h"
#include "device/cpu/panel/rows.h"

void cpu_isa_avx2(struct cpu_isa *isa)
{
    isa->row_step = LANES;
    isa->matrix_bytes = avx2_matrix_bytes;
    isa->matrix_pack = avx2_matrix_pack;
    isa->acts_bytes = avx2_acts_bytes;
    isa->acts_step = TILE_WIDE;
    isa->quantize = avx2_quantize;
    isa->matmul = avx2_matmul;
    isa->rmsnorm = row_rmsnorm;
    isa->layernorm = row_layernorm;
    isa->quantize_head = row_quantize_head;
    isa->kv_write = rows_kv_write;
    isa->attention = rows_attention;
    isa->attention_groups = rows_attention_groups;
    isa->attention_join = rows_attention_join;
    isa->glu = row_glu;
    isa->rope = row_rope;
    isa->add = row_add;
    isa->reflect = row_reflect;
}
