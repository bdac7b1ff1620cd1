/* quant_name.h - what people call a file's quantisation: "Q4_K_M", "F16". */
#ifndef FORMAT_QUANT_NAME_H
#define FORMAT_QUANT_NAME_H

#include "format/table.h"

enum { QUANT_NAME_BYTES = 32 };

/* quant_name - the mix that the file names, else the type of most of its weights' bytes. */
void quant_name(const struct table *t, char out[QUANT_NAME_BYTES]);

#endif
