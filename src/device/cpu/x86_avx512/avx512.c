/* avx512.c - the table of what AVX-512 with VNNI does. */
#include "device/cpu/x86_avx512/vec.h"
#include "device/cpu/panel/panel.h"

void cpu_isa_avx512(struct cpu_isa *isa)
{
    isa->row_step = 2 * LANES;
    isa->matrix_bytes = avx512_matrix_bytes;
    isa->matrix_pack = avx512_matrix_pack;
    isa->acts_bytes = avx512_acts_bytes;
    isa->acts_step = TILE_WIDE;
    isa->quantize = avx512_quantize;
    isa->matmul = avx512_matmul;
}
