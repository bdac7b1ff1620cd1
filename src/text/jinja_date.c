/* jinja_date.c - strftime in the C locale, from a count of seconds: the same on every machine. */
#include "text/jinja_run.h"

#include <inttypes.h>
#include <stdio.h>

struct date {
    int64_t year, s;
    int month, day, hour, minute, second; /* month from 0, day from 1 */
    int weekday, yearday;                 /* from Sunday 0; from 0 */
};

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Proleptic Gregorian; years are counted from March, so that the leap day is the last. */
static struct date date_of(int64_t s)
{
    static const int before_month[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t days = s / 86400 - (s % 86400 < 0), left = s - days * 86400;
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), march = (5 * doy + 2) / 153;
    struct date d = {.year = yoe + era * 400 + (march >= 10), .s = s};
    d.month = (int)(march < 10 ? march + 2 : march - 10);
    d.day = (int)(doy - (153 * march + 2) / 5 + 1);
    d.hour = (int)(left / 3600);
    d.minute = (int)(left / 60 % 60);
    d.second = (int)(left % 60);
    d.weekday = (int)(((days + 4) % 7 + 7) % 7);
    d.yearday = before_month[d.month] + d.day - 1 + (d.month > 1 && is_leap(d.year));
    return d;
}

/* The ISO 8601 week and the year it belongs to. */
static int iso_week(const struct date *d, int64_t *year)
{
    int monday = (d->weekday + 6) % 7, week = (d->yearday - monday + 10) / 7;
    int first = ((d->weekday - d->yearday) % 7 + 7 * 53) % 7; /* the weekday of January 1 */
    bool is_long = first == 4 || (first == 3 && is_leap(d->year));
    *year = d->year;
    if (week < 1) {
        struct date last = date_of(d->s - (int64_t)(d->yearday + 1) * 86400);
        return iso_week(&last, year);
    }
    if (week == 53 && !is_long) {
        ++*year;
        return 1;
    }
    return week;
}

static int hour_of_12(const struct date *d)
{
    return d->hour % 12 ? d->hour % 12 : 12;
}

/* The number that a directive shows, with its width and padding; false: it is no number. */
static bool number_of(const struct date *d, char c, int64_t *value, int *width, char *pad)
{
    int64_t year;
    *width = 2;
    *pad = '0';
    switch (c) {
    case 'd': *value = d->day; break;
    case 'e': *value = d->day; *pad = ' '; break;
    case 'H': *value = d->hour; break;
    case 'k': *value = d->hour; *pad = ' '; break;
    case 'I': *value = hour_of_12(d); break;
    case 'l': *value = hour_of_12(d); *pad = ' '; break;
    case 'm': *value = d->month + 1; break;
    case 'M': *value = d->minute; break;
    case 'S': *value = d->second; break;
    case 'j': *value = d->yearday + 1; *width = 3; break;
    case 'y': *value = (d->year % 100 + 100) % 100; break;
    case 'C': *value = d->year / 100; break;
    case 'Y': *value = d->year; *width = 1; break;
    case 'u': *value = d->weekday ? d->weekday : 7; *width = 1; break;
    case 'w': *value = d->weekday; *width = 1; break;
    case 'U': *value = (d->yearday + 7 - d->weekday) / 7; break;
    case 'W': *value = (d->yearday + 7 - (d->weekday + 6) % 7) / 7; break;
    case 'V': *value = iso_week(d, &year); break;
    case 'G': iso_week(d, value); *width = 1; break;
    case 'g': iso_week(d, &year); *value = year % 100; break;
    case 'f': *value = 0; *width = 6; break;
    default: return false;
    }
    return true;
}

static const char *text_of(const struct date *d, char c)
{
    static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
    static const char *const months[] = {"January", "February", "March",     "April",
                                         "May",     "June",     "July",      "August",
                                         "September", "October", "November", "December"};
    switch (c) {
    case 'a': case 'A': return days[d->weekday];
    case 'b': case 'h': case 'B': return months[d->month];
    case 'p': return d->hour < 12 ? "AM" : "PM";
    case 'P': return d->hour < 12 ? "am" : "pm";
    case '%': return "%";
    case 'n': return "\n";
    case 't': return "\t";
    case 'z': case 'Z': return "";
    default: return NULL;
    }
}

static const char *parts_of(char c)
{
    switch (c) {
    case 'c': return "%a %b %e %H:%M:%S %Y";
    case 'D': case 'x': return "%m/%d/%y";
    case 'F': return "%Y-%m-%d";
    case 'R': return "%H:%M";
    case 'r': return "%I:%M:%S %p";
    case 'T': case 'X': return "%H:%M:%S";
    default: return NULL;
    }
}

static bool print_number_of(struct jrun *r, int64_t value, int width, char pad)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%" PRId64, value);
    for (; pad && n < width; n++)
        if (!jtext_add(r, (struct str){&pad, 1}))
            return false;
    return jtext_add(r, str_from(text));
}

static bool print_upper(struct jrun *r, const char *text, size_t n, bool upper)
{
    for (size_t i = 0; i < n && text[i]; i++) {
        char c = upper && text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 32) : text[i];
        if (!jtext_add(r, (struct str){&c, 1}))
            return false;
    }
    return true;
}

bool jdate_print(struct jrun *r, int64_t s, struct str format)
{
    if (s < -62135596800 || s > 253402300799)
        return jrun_fail(r, "the clock is outside the years 1 to 9999");
    struct date d = date_of(s);
    for (size_t i = 0; i < format.len; i++) {
        const char *text, *parts;
        int64_t value;
        int width;
        char pad, c = format.ptr[i], flag = 0;
        size_t start = i;
        if (c == '%' && i + 1 < format.len) {
            c = format.ptr[++i];
            if (strchr("-_0^#", c) && i + 1 < format.len) {
                flag = c;
                c = format.ptr[++i];
            }
            if (number_of(&d, c, &value, &width, &pad)) {
                pad = flag == '-' ? 0 : flag == '_' ? ' ' : flag == '0' ? '0' : pad;
                if (!print_number_of(r, value, width, pad))
                    return false;
                continue;
            }
            if ((text = text_of(&d, c))) {
                size_t n = c == 'a' || c == 'b' || c == 'h' ? 3 : SIZE_MAX;
                if (!print_upper(r, text, n, flag == '^' || flag == '#'))
                    return false;
                continue;
            }
            if ((parts = parts_of(c))) {
                if (!jdate_print(r, s, str_from(parts)))
                    return false;
                continue;
            }
        }
        if (!jtext_add(r, str_sub(format, start, i + 1)))
            return false;
    }
    return true;
}
