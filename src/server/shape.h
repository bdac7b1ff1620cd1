/* shape.h - the shape that a request gives its answers, as constraints for the engine.
 *
 * A shape holds for what the answer says, not for the reasoning before it. Calls of tools that must
 * be made, and those whose arguments must follow a schema, are a shape too, in the way in which the
 * model's family writes calls. */
#ifndef SERVER_SHAPE_H
#define SERVER_SHAPE_H

#include "api/generate.h"
#include "grammar/matcher.h"
#include "text/answer_form.h"

struct shape {
    struct grammar *grammar; /* NULL: any text */
    bool marks;              /* it is over text in which the family's marks are spelled */
};

/* How the answers are read: a chat's are. */
struct shape_reading {
    const struct answer_style *style; /* NULL: plain text */
    int reasoning;                    /* answer_prompt_reasoning of the prompt */
};

/* shape_open - compiles what the request asks for. false: e names the field and why. */
bool shape_open(struct shape *s, const struct api_generate *api, struct shape_reading reading,
                struct api_error *e);
void shape_close(struct shape *s);

#endif
