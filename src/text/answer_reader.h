/* answer_reader.h - takes an answer's text, as it comes, apart into its parts.
 *
 * Goes byte by byte, so that the parts depend on the whole text alone, not on how it was cut. What
 * may be a mark waits until that is certain; a call waits until its name is known and its arguments
 * begin: until then, what turns out to be no call is text again, unchanged. Nothing is lost but the
 * marks, and white space beside them. From where a call is certain, its arguments come as they are
 * written, even if they are no JSON; only line ends within strings are escaped, as JSON asks. */
#ifndef TEXT_ANSWER_READER_H
#define TEXT_ANSWER_READER_H

#include "text/answer_form.h"
#include "text/json_scan.h"
#include "text/parts.h"

struct json_t;

enum { ANSWER_AGAIN_MAX = 512, ANSWER_NAME_MAX = 256 };

struct answer_options {
    struct answer_style style;
    const struct json_t *tools; /* as the chat interface has them; NULL: calls are not read */
    bool single;                /* the answer is over after its first call */
    struct str prompt;          /* which may have begun, or ended, the reasoning */
    uint64_t id_seed;           /* ids of calls follow from it */
};

enum answer_place { PLACE_TEXT, PLACE_REASONING, PLACE_CALL, PLACE_HEADER, PLACE_OVER };

/* Where in {name, arguments} a reader is. */
enum answer_slot { SLOT_NONE, SLOT_NAME, SLOT_ARGUMENTS, SLOT_OTHER };
enum answer_list { LIST_NONE, LIST_ITEM, LIST_AFTER };
enum answer_field { FIELD_BETWEEN, FIELD_NAME, FIELD_OPEN, FIELD_BEGUN, FIELD_TEXT };

struct answer_reader {
    struct answer_style style;
    const struct json_t *tools;
    bool single;
    uint64_t id_seed;
    struct parts *parts; /* borrowed: where it all goes */
    enum answer_place place;
    char again[ANSWER_AGAIN_MAX]; /* bytes to be taken (again) */
    size_t n_again;

    struct buf space; /* white space that may stand beside a mark */
    struct buf held;  /* the beginning of a mark, perhaps */
    bool at_start;    /* nothing but white space was said yet */
    bool drops_space; /* a mark was right before */
    bool reasoned, in_section, after_bare;

    /* The call that is being read. */
    int i_step;                 /* -2: white space, -1: begin, after a section's mark */
    struct buf raw;             /* all of it, until it is certain */
    bool certain, bare, is_raw; /* is_raw: its arguments are no JSON */
    bool in_list;
    enum answer_list list;
    struct buf name, arguments; /* arguments that came before the name */
    struct json_scan scan;
    bool has_name, has_arguments, is_text; /* is_text: the arguments are JSON within a string */
    enum answer_slot slot;
    struct buf key, value;
    enum answer_field field;
    bool is_string, line_end;
    size_t n_fields;
};

void answer_reader_init(struct answer_reader *r, const struct answer_options *o,
                        struct parts *parts);
void answer_reader_release(struct answer_reader *r);
void answer_reader_add(struct answer_reader *r, struct str text);
/* answer_reader_end - no more text comes: what waited is decided. */
void answer_reader_end(struct answer_reader *r);
/* Whether the answer is over, whatever still comes. */
bool answer_reader_is_over(const struct answer_reader *r);
bool answer_reader_reasons(const struct answer_reader *r);

/* answer_prompt_reasoning - whether a prompt ends within reasoning (1), right after it (-1), or
 * neither (0). */
int answer_prompt_reasoning(struct answer_style style, struct str prompt);

#endif
