/* rows.c - rows, heads and attention with NEON, and the table of all it does, for processors with
 * the int8 dot product. */
#include "device/cpu/arm_neon/vec.h"
#include "device/cpu/arm_neon/neon.h"
#include "device/cpu/panel/attention.h"
#include "device/cpu/panel/rows.h"

void cpu_isa_neon(struct cpu_isa *isa)
{
    isa->row_step = 4;
    isa->matmul = neon_matmul;
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
