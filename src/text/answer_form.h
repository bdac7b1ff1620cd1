/* answer_form.h - how families of models write reasoning and calls of tools.
 *
 * A family's form is a table: marks, and the steps of which a call consists. The same table is read
 * by answer_reader.h, which takes answers apart, and by those who make a model write a call. */
#ifndef TEXT_ANSWER_FORM_H
#define TEXT_ANSWER_FORM_H

#include <stdbool.h>

#include "base/str.h"

enum { ANSWER_STEPS_MAX = 10, ANSWER_SILENT_MAX = 2 };

enum answer_step_kind {
    STEP_END,
    STEP_SPACE,     /* white space, or none */
    STEP_TEXT,      /* this text */
    STEP_OPTION,    /* this text; a call is one without it too */
    STEP_NAME,      /* the tool's name and this text, or (NULL) up to what is no name */
    STEP_ARGUMENTS, /* a JSON object */
    STEP_OBJECT,    /* {name, arguments} */
    STEP_OBJECTS,   /* an array of those, or one */
    STEP_FIELDS,    /* a text for each argument */
};

struct answer_step {
    enum answer_step_kind kind;
    const char *text;
};

/* key NAME key_end [white space value] TEXT value_end ... end */
struct answer_fields {
    const char *key, *key_end, *value, *value_end, *end;
    bool lines; /* a line end after key_end and one before value_end are not the text's */
};

enum answer_ids { IDS_CALL, IDS_NINE, IDS_KIMI };

struct answer_form {
    const char *name;
    const char *section, *section_end; /* around calls; a call is one without them. NULL: none */
    const char *begin;                 /* of a call */
    bool bare;                         /* an object where the text begins is a call as well */
    bool channels;                     /* gpt-oss: every message has a header */
    struct answer_step steps[ANSWER_STEPS_MAX]; /* of a call, after begin */
    struct answer_fields fields;
    const char *name_key, *arguments_key; /* of OBJECT and OBJECTS, as they are written */
    const char *id_key; /* beside them, with a number; or NULL */
    const char *name_prefix;              /* the family's, before a tool's name; or NULL */
    enum answer_ids ids;
};

/* What stands around reasoning; marks around the answer after it say nothing. */
struct answer_tags {
    const char *open, *close;
    const char *silent[ANSWER_SILENT_MAX];
};

struct answer_style {
    const struct answer_form *form;      /* never NULL */
    const struct answer_tags *reasoning; /* NULL: the model does not say what is reasoning */
    bool found; /* the template names the form; else it is "hermes", to be explained to the model */
};

/* answer_style_find - by what the chat template's text holds. */
struct answer_style answer_style_find(struct str template_source);
/* answer_form_named - NULL: there is none. answer_form_at - all of them, then NULL. */
const struct answer_form *answer_form_named(struct str name);
const struct answer_form *answer_form_at(size_t i);

/* answer_field_types - of what a function's schema lets a field be: ANSWER_TYPE_... . */
enum { ANSWER_TYPE_STRING = 1, ANSWER_TYPE_OTHER = 2 };
struct json_t;
unsigned answer_field_types(const struct json_t *function, const char *field);

/* answer_style_shows - whether a special token of this text is part of a mark, and so must be seen
 * by who reads the answer. */
bool answer_style_shows(struct answer_style s, struct str token);

#endif
