/* minerva.h - the variables MINERVA_*, which name some of serve's options otherwise. */
#ifndef CLI_MINERVA_H
#define CLI_MINERVA_H

#include "cli/settings.h"

extern const struct settings_name minerva_names[];
extern const size_t n_minerva_names;

#endif
