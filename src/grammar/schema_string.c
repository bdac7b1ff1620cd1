/* schema_string.c - strings by length, pattern, format, and what they must not be. */
#include <stdio.h>

#include "base/check.h"
#include "grammar/regex.h"
#include "grammar/schema_int.h"

#define DAY_31    "(?:0[1-9]|[12]\\d|3[01])"
#define DAY_30    "(?:0[1-9]|[12]\\d|30)"
#define DAY_28    "(?:0[1-9]|1\\d|2[0-8])"
#define LEAP_YEAR "(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
#define DATE                                                                                       \
    "(?:\\d{4}-(?:(?:0[13578]|1[02])-" DAY_31 "|(?:0[469]|11)-" DAY_30 "|02-" DAY_28               \
    ")|" LEAP_YEAR "-02-29)"
#define HOUR          "(?:[01]\\d|2[0-3])"
#define TIME          HOUR ":[0-5]\\d:[0-5]\\d(?:\\.\\d+)?(?:Z|[+-]" HOUR ":[0-5]\\d)"
#define DURATION_TIME "T(?:\\d+H(?:\\d+M(?:\\d+S)?)?|\\d+M(?:\\d+S)?|\\d+S)"
#define DURATION_DATE "(?:\\d+Y(?:\\d+M(?:\\d+D)?)?|\\d+M(?:\\d+D)?|\\d+D)"
#define ATOM          "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
#define LABEL         "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#define OCTET         "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
#define IPV4          OCTET "\\." OCTET "\\." OCTET "\\." OCTET
#define H16           "[0-9A-Fa-f]{1,4}"
#define H16_32        "(?:" H16 ":" H16 "|" IPV4 ")"
#define HEX           "[0-9A-Fa-f]"

/* RFC 3339 dates and times (capital T and Z, no leap seconds), ISO 8601 durations as RFC 3339
 * gives them, RFC 5321 dot-strings at host names, RFC 1123, RFC 2673, RFC 4291, RFC 4122. */
static const struct {
    const char *name, *pattern;
    const char *without; /* of those, not these */
} formats[] = {
    {"date", DATE},
    {"time", TIME},
    {"date-time", DATE "T" TIME},
    {"duration", "P(?:" DURATION_DATE "(?:" DURATION_TIME ")?|" DURATION_TIME "|\\d+W)"},
    {"email", ATOM "(?:\\." ATOM ")*@" LABEL "(?:\\." LABEL ")*"},
    {"hostname", LABEL "(?:\\." LABEL ")*", "(?:.*\\.)?[^.]{2}--.*"},
    {"ipv4", IPV4},
    {"ipv6", "(?:" H16 ":){6}" H16_32 "|::(?:" H16 ":){5}" H16_32 "|(?:" H16 ")?::(?:" H16
             ":){4}" H16_32 "|(?:(?:" H16 ":){0,1}" H16 ")?::(?:" H16 ":){3}" H16_32 "|(?:(?:" H16
             ":){0,2}" H16 ")?::(?:" H16 ":){2}" H16_32 "|(?:(?:" H16 ":){0,3}" H16 ")?::" H16
             ":" H16_32 "|(?:(?:" H16 ":){0,4}" H16 ")?::" H16_32 "|(?:(?:" H16 ":){0,5}" H16
             ")?::" H16 "|(?:(?:" H16 ":){0,6}" H16 ")?::"},
    {"uuid", HEX "{8}-" HEX "{4}-" HEX "{4}-" HEX "{4}-" HEX "{12}"},
};

static uint32_t format_expr(struct schema *s, const json_t *schema, const char *name)
{
    const struct regex_form form = {.in_json = true};
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        if (strcmp(formats[i].name, name) != 0)
            continue;
        uint32_t made = regex_expr(s->d, str_from(formats[i].pattern), form);
        if (formats[i].without)
            made = draft_minus(s->d, made, regex_expr(s->d, str_from(formats[i].without), form));
        return made;
    }
    schema_fail(s, ERR_UNSUPPORTED, schema, "format",
                "is not one of date, time, date-time, duration, email, hostname, ipv4, ipv6, uuid");
    return DRAFT_NOTHING;
}

uint32_t pattern_expr(struct schema *s, const json_t *schema, const char *keyword,
                      const char *pattern)
{
    char what[300];
    if (!pattern)
        schema_fail(s, ERR_FORMAT, schema, keyword, "must be a string");
    if (s->d->rc)
        return DRAFT_NOTHING;
    uint32_t made =
        regex_expr(s->d, str_from(pattern), (struct regex_form){.searches = true, .in_json = true});
    if (s->d->rc) { /* say where the pattern stands */
        enum err rc = s->d->rc;
        snprintf(what, sizeof what, "is refused: %.250s", s->d->note.text);
        s->d->rc = ERR_OK;
        schema_fail(s, rc, schema, keyword, what);
    }
    return made;
}

/* What the keywords of one schema leave of content. */
static uint32_t one_part(struct schema *s, const json_t *schema, uint32_t content)
{
    struct draft *d = s->d;
    const json_t *pattern = json_object_get(schema, "pattern");
    const json_t *not_pattern = json_object_get(schema, KEY_NOT_PATTERN);
    const json_t *format = json_object_get(schema, "format");
    const json_t *not = json_object_get(schema, KEY_NOT_ENUM);
    if (pattern)
        content =
            draft_and(d, content, pattern_expr(s, schema, "pattern", json_string_value(pattern)));
    if (not_pattern)
        content = draft_minus(
            d, content, pattern_expr(s, schema, KEY_NOT_PATTERN, json_string_value(not_pattern)));
    if (format && !json_is_string(format))
        schema_fail(s, ERR_FORMAT, schema, "format", "must be a string");
    else if (format)
        content = draft_and(d, content, format_expr(s, schema, json_string_value(format)));
    for (size_t i = 0; i < json_array_size(not ); i++) {
        const json_t *value = json_array_get(not, i);
        if (json_is_string(value))
            content = draft_minus(
                d, content,
                json_spelled(d, (struct str){json_string_value(value), json_string_length(value)}));
    }
    return content;
}

/* The tightest lengths; false: there are none. */
static bool lengths(struct schema *s, const struct goal *g, uint32_t *min, uint32_t *max)
{
    bool any = false;
    uint32_t value;
    *min = 0;
    *max = DRAFT_ENDLESS;
    for (size_t i = 0; i < g->n; i++) {
        if (keyword_count(s, g->parts[i].schema, "minLength", &value)) {
            *min = value > *min ? value : *min;
            any = true;
        }
        if (keyword_count(s, g->parts[i].schema, "maxLength", &value)) {
            *max = value < *max ? value : *max;
            any = true;
        }
    }
    return any;
}

/* true: something other than its length constrains a string. */
static bool is_exact(const struct goal *g)
{
    static const char *const names[] = {"pattern", "format", KEY_NOT_ENUM, KEY_NOT_PATTERN};
    for (size_t i = 0; i < g->n; i++)
        for (size_t k = 0; k < 4; k++)
            if (json_object_get(g->parts[i].schema, names[k]))
                return true;
    return false;
}

uint32_t string_content(struct schema *s, const struct goal *g)
{
    struct draft *d = s->d;
    uint32_t min, max, content = DRAFT_NOTHING;
    lengths(s, g, &min, &max);
    content = draft_repeat(d, s->j.exact, min, max);
    for (size_t i = 0; i < g->n; i++)
        content = one_part(s, g->parts[i].schema, content);
    return content;
}

uint32_t string_expr(struct schema *s, const struct goal *g)
{
    uint32_t min, max;
    if (is_exact(g))
        return json_quoted(s->d, string_content(s, g));
    if (!lengths(s, g, &min, &max))
        return s->j.string;
    return json_quoted(s->d, draft_repeat(s->d, s->j.loose, min, max));
}
