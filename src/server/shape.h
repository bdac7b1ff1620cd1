/* shape.h - the shape that a request gives its answers, as constraints for the engine. */
#ifndef SERVER_SHAPE_H
#define SERVER_SHAPE_H

#include "api/generate.h"
#include "grammar/matcher.h"

struct shape {
    struct grammar *grammar; /* NULL: any text */
};

/* shape_open - compiles what the request asks for. false: e names the field and why. */
bool shape_open(struct shape *s, const struct api_generate *api, struct api_error *e);
void shape_close(struct shape *s);

#endif
