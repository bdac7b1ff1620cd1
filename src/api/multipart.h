/* multipart.h - multipart/form-data (RFC 7578): how clients send files.
 *
 * Parts point into the body. Nothing is decoded: OpenAI's clients send bytes as they are. */
#ifndef API_MULTIPART_H
#define API_MULTIPART_H

#include "api/fields.h"

struct form_part {
    struct str name, file_name; /* file_name empty: a plain field */
    struct str bytes;
};

/* form_boundary - of a Content-Type, e.g. multipart/form-data; boundary="x". false: it is none. */
bool form_boundary(struct str content_type, struct str *boundary);

/* form_next - cuts the next part off *rest, at first the whole body. false: none is left, or e says
 * what is wrong (e->status is 0 otherwise). */
bool form_next(struct str *rest, struct str boundary, struct form_part *part, struct api_error *e);

#endif
