/* batch_run.h - runs batches in the gaps of serving: lines of store/jobs.h through models' workers.
 *
 * Lines run behind everything that clients wait for: the engine begins them last, and no more at
 * once than the batch has places that clients leave free (one, if they leave none). A line whose
 * worker dies is run again, three times at most. Thread: the front's. */
#ifndef SERVER_BATCH_RUN_H
#define SERVER_BATCH_RUN_H

#include "base/err.h"
#include "store/jobs.h"

struct front;
struct batch_run;

/* batch_run_open - path: the store's file. An error leaves the rest of the server as it is. */
enum err batch_run_open(struct front *f, const char *path, struct batch_run **out,
                        struct err_note *note);
/* After the workers have ended: what was under way waits for the next start. NULL is nothing. */
void batch_run_close(struct batch_run *r);
struct jobs *batch_run_jobs(struct batch_run *r);
/* batch_run_wake - there is something new to do. */
void batch_run_wake(struct batch_run *r);

/* Whether lines may ask for this endpoint. */
bool batch_takes(struct str endpoint);

#endif
