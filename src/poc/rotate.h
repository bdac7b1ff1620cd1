/* rotate.h - the angles by which positions turn queries and keys, as the reference rounds them. */
#ifndef POC_ROTATE_H
#define POC_ROTATE_H

#include "poc/params.h"

/* cosines, sines: [seq_len][head_dim / 2] in binary16; angles in binary32. */
void poc_rotations(const struct poc_params *p, uint16_t *cosines, uint16_t *sines);

#endif
