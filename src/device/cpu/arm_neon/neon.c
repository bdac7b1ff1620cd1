/* neon.c - the table of the NEON set, for processors with the int8 dot product. */
#include "device/cpu/arm_neon/neon.h"

void cpu_isa_neon(struct cpu_isa *isa)
{
    isa->matmul = neon_matmul;
    isa->rmsnorm = neon_rmsnorm;
    isa->glu = neon_glu;
    isa->attention = neon_attention;
}
