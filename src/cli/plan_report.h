/* plan_report.h - what an engine would take of memory, for a person or as JSON. */
#ifndef CLI_PLAN_REPORT_H
#define CLI_PLAN_REPORT_H

#include "cli/load.h"

/* plan_show - of so many sessions, on standard output; bars on a terminal. The files' tables alone
 * are read. */
enum err plan_show(const struct model_options *m, uint32_t n_sessions, bool json,
                   struct err_note *note);

#endif
