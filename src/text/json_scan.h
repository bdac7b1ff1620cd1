/* json_scan.h - reads JSON byte by byte, as a model writes it.
 *
 * A scan holds one value: where it stands, how deep, and what the byte just taken spelled within a
 * string. Strict (RFC 8259) but for one thing: a control character may stand in a string, because
 * models forget to escape line ends. Bytes are taken to be well-formed UTF-8. */
#ifndef TEXT_JSON_SCAN_H
#define TEXT_JSON_SCAN_H

#include <stdbool.h>
#include <stdint.h>

enum { JSON_SCAN_DEPTH_MAX = 64 };

enum scan_place {
    SCAN_VALUE,       /* a value comes */
    SCAN_FIRST_VALUE, /* a value or ] */
    SCAN_FIRST_KEY,   /* a key or } */
    SCAN_KEY,
    SCAN_COLON,
    SCAN_AFTER, /* a value: a comma or the end of what it stands in */
    SCAN_STRING,
    SCAN_ESCAPE,
    SCAN_HEX,
    SCAN_NUMBER,
    SCAN_WORD, /* true, false, null */
    SCAN_DONE, /* nothing but white space may follow */
    SCAN_BAD,
};

struct json_scan {
    uint8_t place;      /* enum scan_place */
    uint8_t depth;      /* open objects and arrays */
    bool is_key;        /* the string is one */
    uint64_t in_object; /* by depth */
    uint8_t number;     /* state of a number */
    const char *word;   /* what is left of it */
    uint8_t n_hex;
    uint32_t code, high; /* of \u; the first half of a pair, or 0 */
    char text[8];        /* what the last byte completed within a string */
    uint8_t n_text;
};

void json_scan_begin(struct json_scan *s);
/* json_scan_byte - takes one byte; the place after it is in s. A number that is the whole value
 * ends by json_scan_end alone. */
void json_scan_byte(struct json_scan *s, unsigned char c);
/* Whether what was taken is a whole value. */
bool json_scan_end(const struct json_scan *s);

#endif
