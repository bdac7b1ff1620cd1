/* answer_call.c - a call, step by step. */
#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include "base/check.h"
#include "text/answer_int.h"

enum { STEP_SECTION_SPACE = -2, STEP_SECTION_BEGIN = -1 };

static struct answer_step step_of(const struct answer_reader *r)
{
    if (r->i_step == STEP_SECTION_SPACE)
        return (struct answer_step){STEP_SPACE, NULL};
    if (r->i_step == STEP_SECTION_BEGIN)
        return (struct answer_step){STEP_TEXT, r->style.form->begin};
    return r->style.form->steps[r->i_step];
}

const json_t *answer_tool(const struct answer_reader *r, struct str name)
{
    for (size_t i = 0; i < json_array_size(r->tools); i++) {
        const json_t *f = json_object_get(json_array_get(r->tools, i), "function");
        const json_t *v = json_object_get(f, "name");
        if (json_is_string(v) &&
            str_eq(name, (struct str){json_string_value(v), json_string_length(v)}))
            return f;
    }
    return NULL;
}

/* ---- begin and end ------------------------------------------------------------------------ */

static void begin_object(struct answer_reader *r)
{
    json_scan_begin(&r->scan);
    r->slot = SLOT_NONE;
    r->certain = r->has_name = r->has_arguments = r->is_text = r->is_raw = false;
    buf_clear(&r->name);
    buf_clear(&r->arguments);
}

static void begin_step(struct answer_reader *r)
{
    buf_clear(&r->held);
    json_scan_begin(&r->scan);
    r->list = LIST_NONE;
    r->in_list = false;
    if (step_of(r).kind == STEP_FIELDS)
        answer_fields_begin(r);
    if (step_of(r).kind == STEP_END)
        answer_call_over(r);
}

void answer_next_step(struct answer_reader *r)
{
    r->i_step++;
    begin_step(r);
}

void answer_call_begin(struct answer_reader *r, const struct buf *space, const char *mark,
                       int i_step)
{
    r->place = PLACE_CALL;
    r->bare = false;
    buf_clear(&r->raw);
    buf_add(&r->raw, space->n_bytes ? space->bytes : "", space->n_bytes);
    buf_str(&r->raw, mark);
    begin_object(r);
    r->i_step = i_step;
    begin_step(r);
}

void answer_call_over(struct answer_reader *r)
{
    const char *section = r->style.form->section;
    CHECK(r->certain);
    answer_to_text(r, true);
    r->in_section = section != NULL;
    r->after_bare = r->bare;
    if (r->single)
        r->place = PLACE_OVER;
}

void answer_call_fail(struct answer_reader *r, size_t n_again)
{
    struct str raw = answer_buf(&r->raw);
    CHECK(n_again <= raw.len && !r->certain);
    answer_to_text(r, false);
    answer_say(r, PART_TEXT, str_sub(raw, 0, raw.len - n_again));
    answer_again(r, str_sub(raw, raw.len - n_again, raw.len));
    buf_clear(&r->raw);
}

/* A byte that the step before did not want. */
static void give_back(struct answer_reader *r, char c)
{
    if (!r->certain && r->place == PLACE_CALL)
        r->raw.n_bytes--;
    answer_again(r, (struct str){&c, 1});
}

void answer_call_leave(struct answer_reader *r, size_t n_again, char c)
{
    char back[128];
    if (!r->certain) {
        answer_call_fail(r, n_again);
        return;
    }
    CHECK(n_again <= sizeof back);
    memcpy(back, answer_buf(&r->held).ptr, n_again - 1); /* c is not in held yet */
    back[n_again - 1] = c;
    answer_call_over(r);
    answer_again(r, (struct str){back, n_again});
}

/* ---- names and ids ------------------------------------------------------------------------ */

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static void make_id(const struct answer_reader *r, char id[40])
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint64_t a = mix(r->id_seed + 0x9e3779b97f4a7c15u * (2 * r->parts->n_calls + 1));
    uint64_t b = mix(r->id_seed + 0x9e3779b97f4a7c15u * (2 * r->parts->n_calls + 2));
    if (r->style.form->ids == IDS_NINE) {
        for (int i = 0; i < 9; i++, a /= 62)
            id[i] = letters[a % 62];
        id[9] = 0;
        return;
    }
    int n = 40;
    if (r->style.form->ids == IDS_KIMI)
        n = snprintf(id, 40, "functions.%.*s:%zu", STR_ARG(answer_buf(&r->name)),
                     r->parts->n_calls);
    if (n >= 40)
        snprintf(id, 40, "call_%016" PRIx64 "%08" PRIx32, a, (uint32_t)b);
}

void answer_call_certain(struct answer_reader *r)
{
    char id[40];
    make_id(r, id);
    parts_call(r->parts, str_from(id), answer_buf(&r->name));
    r->certain = true;
    r->at_start = false;
    buf_clear(&r->raw);
    buf_clear(&r->space);
    if (r->arguments.n_bytes)
        parts_arguments(r->parts, answer_buf(&r->arguments));
    buf_clear(&r->arguments);
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '/' || c == ':';
}

/* What families write around a tool's name; false: it is no name. */
static bool clean_name(struct answer_reader *r)
{
    const char *prefix = r->style.form->name_prefix;
    struct str name = answer_buf(&r->name);
    char *id = r->name.n_bytes ? strstr(r->name.bytes, "[CALL_ID]") : NULL;
    if (id)
        name.len = (size_t)(id - name.ptr);
    if (prefix && str_starts(name, str_from(prefix)))
        name = str_sub(name, strlen(prefix), name.len);
    if (r->style.form->ids == IDS_KIMI) { /* functions.NAME:7 */
        size_t n = name.len;
        while (n > 0 && name.ptr[n - 1] >= '0' && name.ptr[n - 1] <= '9')
            n--;
        if (n > 0 && name.ptr[n - 1] == ':')
            name.len = n - 1;
    }
    for (size_t i = 0; i < name.len; i++)
        if (!is_name_byte(name.ptr[i]))
            return false;
    if (name.len == 0)
        return false;
    memmove(r->name.bytes, name.ptr, name.len);
    r->name.n_bytes = name.len;
    return true;
}

static void take_name(struct answer_reader *r, const char *end, char c)
{
    if (!end && !is_name_byte(c)) {
        if (!clean_name(r)) {
            answer_call_fail(r, 1);
            return;
        }
        answer_next_step(r);
        give_back(r, c);
        return;
    }
    buf_char(&r->name, c);
    if (end && str_ends(answer_buf(&r->name), str_from(end))) {
        r->name.n_bytes -= strlen(end);
        r->name.bytes[r->name.n_bytes] = 0;
        if (clean_name(r))
            answer_next_step(r);
        else
            answer_call_fail(r, 0);
    } else if (r->name.n_bytes > ANSWER_NAME_MAX ||
               (end && !is_name_byte(c) && !strchr(end, c) && !strchr("[]<>|", c))) {
        answer_call_fail(r, 1);
    }
}

/* ---- arguments ---------------------------------------------------------------------------- */

void answer_arguments(struct answer_reader *r, struct str text)
{
    if (r->certain)
        parts_arguments(r->parts, text);
    else
        buf_add(&r->arguments, text.ptr, text.len);
}

/* A byte of arguments that are JSON; line ends within strings get their escape. */
static void add_json(struct answer_reader *r, char c, bool in_string)
{
    char escaped[8];
    if (in_string && (unsigned char)c < 0x20) {
        int n = snprintf(escaped, sizeof escaped, c == '\n' ? "\\n" : "\\u%04x", (unsigned)c);
        answer_arguments(r, (struct str){escaped, (size_t)n});
        return;
    }
    answer_arguments(r, (struct str){&c, 1});
}

/* The text that ends arguments which are no JSON. */
static const char *raw_end(struct answer_reader *r)
{
    const struct answer_step *steps = r->style.form->steps;
    for (int i = r->i_step; steps[i].kind != STEP_END; i++)
        if (steps[i].text)
            return steps[i].text;
    return r->style.form->channels ? "<|" : NULL;
}

static void take_raw(struct answer_reader *r, char c)
{
    const char *end = raw_end(r);
    buf_char(&r->held, c);
    while (end && r->held.n_bytes) {
        int match = answer_match(&r->held, end);
        if (match == 2) {
            char back[64];
            size_t n = r->held.n_bytes;
            memcpy(back, r->held.bytes, n);
            while (step_of(r).kind != STEP_END && step_of(r).text != end)
                r->i_step++;
            r->is_raw = false;
            begin_step(r);
            answer_again(r, (struct str){back, n});
            return;
        }
        if (match == 1)
            return;
        answer_arguments(r, (struct str){r->held.bytes, 1});
        memmove(r->held.bytes, r->held.bytes + 1, r->held.n_bytes--);
    }
    answer_arguments(r, answer_buf(&r->held));
    buf_clear(&r->held);
}

static void begin_raw(struct answer_reader *r, char c)
{
    r->is_raw = true;
    buf_clear(&r->held);
    answer_again(r, (struct str){&c, 1});
}

/* Nothing was taken yet. */
static bool is_fresh(const struct json_scan *s)
{
    return s->place == SCAN_VALUE && s->depth == 0;
}

static bool in_string(const struct json_scan *s)
{
    return s->place == SCAN_STRING || s->place == SCAN_ESCAPE || s->place == SCAN_HEX;
}

static void take_arguments(struct answer_reader *r, char c)
{
    bool was_string = in_string(&r->scan);
    if (is_fresh(&r->scan)) {
        if (c != '{' && !r->style.form->channels) { /* a header has said that it is a call */
            answer_call_leave(r, 1, c);
            return;
        }
        answer_call_certain(r);
    }
    json_scan_byte(&r->scan, (unsigned char)c);
    if (r->scan.place == SCAN_BAD) {
        begin_raw(r, c);
        return;
    }
    add_json(r, c, was_string);
    if (r->scan.place == SCAN_DONE)
        answer_next_step(r);
}

/* ---- {name, arguments} -------------------------------------------------------------------- */

static enum answer_slot slot_of(const struct answer_reader *r, char c)
{
    static const struct {
        const char *key;
        enum answer_slot slot;
    } keys[] = {{"name", SLOT_NAME},
                {"tool_name", SLOT_NAME},
                {"arguments", SLOT_ARGUMENTS},
                {"parameters", SLOT_ARGUMENTS}};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (!str_is(answer_buf(&r->key), keys[i].key))
            continue;
        if (keys[i].slot == SLOT_NAME)
            return c == '"' && !r->has_name ? SLOT_NAME : SLOT_OTHER;
        return c != 'n' && !r->has_arguments ? SLOT_ARGUMENTS : SLOT_OTHER; /* null: none */
    }
    return SLOT_OTHER;
}

static void begin_value(struct answer_reader *r, char c)
{
    r->slot = slot_of(r, c);
    if (r->slot != SLOT_ARGUMENTS)
        return;
    r->has_arguments = true;
    r->is_text = c == '"';
    if (r->has_name)
        answer_call_certain(r);
}

static void take_value(struct answer_reader *r, char c, bool was_string)
{
    const struct json_scan *s = &r->scan;
    struct str text = {s->text, s->n_text};
    if (r->slot == SLOT_NAME && r->name.n_bytes <= ANSWER_NAME_MAX)
        buf_add(&r->name, text.ptr, text.len);
    else if (r->slot == SLOT_ARGUMENTS && r->is_text)
        answer_arguments(r, text);
    else if (r->slot == SLOT_ARGUMENTS)
        add_json(r, c, was_string);
}

static void end_value(struct answer_reader *r)
{
    if (r->slot == SLOT_NAME) {
        struct str name = answer_buf(&r->name);
        r->has_name =
            name.len > 0 && name.len <= ANSWER_NAME_MAX && (!r->bare || answer_tool(r, name));
        if (r->has_name && r->has_arguments)
            answer_call_certain(r);
    }
    r->slot = SLOT_NONE;
}

/* One byte of the object. false: it does not belong there. */
static bool take_member(struct answer_reader *r, char c)
{
    struct json_scan *s = &r->scan;
    enum scan_place before = s->place;
    bool was_string = in_string(s), is_outer = s->depth == 1;
    json_scan_byte(s, (unsigned char)c);
    if (s->place == SCAN_BAD)
        return false;
    if (s->depth == 1 && s->is_key && !was_string && s->place == SCAN_STRING)
        buf_clear(&r->key);
    if (s->depth == 1 && s->is_key && was_string && r->key.n_bytes < ANSWER_NAME_MAX)
        buf_add(&r->key, s->text, s->n_text);
    if (is_outer && before == SCAN_VALUE && s->place != SCAN_VALUE)
        begin_value(r, c);
    if (r->slot == SLOT_NONE)
        return true;
    bool number_over = is_outer && before == SCAN_NUMBER && s->place != SCAN_NUMBER;
    if (!number_over)
        take_value(r, c, was_string);
    if (number_over || (s->depth == 1 && s->place == SCAN_AFTER))
        end_value(r);
    return true;
}

/* A whole object was read: a call, if it has a name. */
static bool object_over(struct answer_reader *r)
{
    if (!r->has_name)
        return false;
    if (!r->certain)
        answer_call_certain(r);
    if (!r->has_arguments)
        parts_arguments(r->parts, STR("{}"));
    return true;
}

static void take_object(struct answer_reader *r, char c)
{
    if (is_fresh(&r->scan) && c != '{') {
        answer_call_leave(r, 1, c);
        return;
    }
    if (!take_member(r, c)) {
        if (r->certain && r->slot == SLOT_ARGUMENTS)
            begin_raw(r, c);
        else
            answer_call_leave(r, 1, c);
        return;
    }
    if (r->scan.place != SCAN_DONE)
        return;
    if (!object_over(r))
        answer_call_fail(r, 0);
    else if (r->in_list)
        r->list = LIST_AFTER;
    else
        answer_next_step(r);
}

static void take_objects(struct answer_reader *r, char c)
{
    switch (r->list) {
    case LIST_NONE:
        if (!is_fresh(&r->scan) || c != '[') {
            take_object(r, c);
            return;
        }
        r->in_list = true;
        r->list = LIST_ITEM;
        return;
    case LIST_ITEM:
        if (is_fresh(&r->scan) && answer_is_space(c))
            return;
        take_object(r, c);
        return;
    case LIST_AFTER:
        if (answer_is_space(c))
            return;
        if (c == ']') {
            answer_next_step(r);
        } else if (c == ',' && !r->single) {
            begin_object(r);
            r->list = LIST_ITEM;
            buf_clear(&r->raw);
        } else {
            answer_call_leave(r, 1, c);
        }
        return;
    }
}

/* ---- steps -------------------------------------------------------------------------------- */

static void take_literal(struct answer_reader *r, struct answer_step step, char c)
{
    buf_char(&r->held, c);
    int match = answer_match(&r->held, step.text);
    if (match == 2) {
        answer_next_step(r);
    } else if (match == 0 && step.kind == STEP_OPTION) {
        struct str held = answer_buf(&r->held);
        answer_again(r, held);
        if (!r->certain)
            r->raw.n_bytes -= held.len;
        answer_next_step(r);
    } else if (match == 0) {
        size_t n = r->held.n_bytes;
        r->held.n_bytes--;
        answer_call_leave(r, n, c);
    }
}

void answer_call_byte(struct answer_reader *r, char c)
{
    struct answer_step step = step_of(r);
    if (!r->certain) {
        buf_char(&r->raw, c);
        if (r->raw.n_bytes > ANSWER_RAW_BYTES_MAX) {
            answer_call_fail(r, 0);
            return;
        }
    }
    if (r->is_raw) {
        take_raw(r, c);
        return;
    }
    switch (step.kind) {
    case STEP_SPACE:
        if (answer_is_space(c))
            return;
        answer_next_step(r);
        give_back(r, c);
        return;
    case STEP_TEXT:
    case STEP_OPTION:
        take_literal(r, step, c);
        return;
    case STEP_NAME:
        take_name(r, step.text, c);
        return;
    case STEP_ARGUMENTS:
        take_arguments(r, c);
        return;
    case STEP_OBJECT:
        take_object(r, c);
        return;
    case STEP_OBJECTS:
        take_objects(r, c);
        return;
    case STEP_FIELDS:
        answer_fields_byte(r, c);
        return;
    case STEP_END:
        CHECK(false);
    }
}

void answer_call_end(struct answer_reader *r)
{
    if (!r->certain) {
        answer_call_fail(r, 0);
        r->n_again = 0;
    } else if (r->is_raw) {
        answer_arguments(r, answer_buf(&r->held));
    } else if (step_of(r).kind == STEP_FIELDS) {
        answer_fields_end(r);
    }
    answer_to_text(r, true);
}
