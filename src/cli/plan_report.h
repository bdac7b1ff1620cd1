/* plan_report.h - what an engine would take of memory, for a person or as JSON. */
#ifndef CLI_PLAN_REPORT_H
#define CLI_PLAN_REPORT_H

#include "engine/plan.h"

/* Standard output; bars on a terminal. */
void plan_print(const struct plan *p);
void plan_print_json(const struct plan *p);

#endif
