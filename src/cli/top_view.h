/* top_view.h - what isobit top shows, as text: a function of two looks at the server. */
#ifndef CLI_TOP_VIEW_H
#define CLI_TOP_VIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"

/* One look: what /metrics and /v1/requests said. Values of other kinds than expected count as
 * absent, text that is not printable is not printed. */
struct top_look {
    json_t *metrics, *requests; /* requests NULL: not allowed to see */
};

struct top_view {
    const char *url;
    const struct top_look *now, *before; /* before: NULL, then there are no rates */
    double seconds;                      /* between both */
    int n_columns, n_rows;               /* of the screen; n_rows 0: any number */
    bool color;
};

/* top_draw - lines with '\n', none wider than the screen, at most n_rows. */
void top_draw(struct buf *out, const struct top_view *v);

#endif
