/* line_input.h - what a person types: edited lines with a history on a terminal, plain lines
 * elsewhere.
 *
 * A line that ends with a backslash goes on in the next one; a line that begins with three double
 * quotes goes on until three double quotes end a line. */
#ifndef CLI_LINE_INPUT_H
#define CLI_LINE_INPUT_H

#include <stdbool.h>

#include "base/buf.h"

struct line_input;

enum line_event { LINE_TEXT, LINE_END, LINE_INTERRUPTED };

/* line_input_open - NULL: out of memory. */
struct line_input *line_input_open(void);
/* line_input_read - the next input in text, without its last newline. */
enum line_event line_input_read(struct line_input *in, struct buf *text);
bool line_input_is_terminal(const struct line_input *in);
void line_input_close(struct line_input *in); /* writes the history */

#endif
