/* stops.c - stop strings. */
#include "text/stops.h"

#include "base/check.h"

enum { WAITING_MAX = 1 << 24 };

void stops_init(struct stops *s, const struct str *items, size_t n_items)
{
    *s = (struct stops){.items = items, .n_items = n_items};
    buf_init(&s->waiting, WAITING_MAX);
    for (size_t i = 0; i < n_items; i++)
        CHECK(items[i].len > 0);
}

/* Whether text, as far as it goes, begins with stop. */
static bool may_begin(struct str text, struct str stop)
{
    size_t n = text.len < stop.len ? text.len : stop.len;
    return memcmp(text.ptr, stop.ptr, n) == 0;
}

/* Of two that begin at one place the shorter is the one: it is there first. */
static void find(struct stops *s, size_t i)
{
    if (!s->found || s->items[i].len < s->items[s->i_found].len)
        s->i_found = i;
    s->found = true;
}

/* Length of the part of text before the first place where a stop string is, or (unless the text is
 * over) may be. */
static size_t certain(struct stops *s, struct str text, bool is_over)
{
    for (size_t from = 0; from < text.len; from++) {
        struct str rest = str_sub(text, from, text.len);
        bool waits = false;
        for (size_t i = 0; i < s->n_items; i++) {
            bool begins = may_begin(rest, s->items[i]);
            if (begins && rest.len >= s->items[i].len)
                find(s, i);
            waits |= begins && !is_over;
        }
        if (s->found || waits)
            return from;
    }
    return text.len;
}

static void let_out(struct stops *s, bool is_over, struct buf *out)
{
    struct str text = {s->waiting.bytes, s->waiting.n_bytes};
    size_t n = text.len ? certain(s, text, is_over) : 0;
    if (n == 0)
        return;
    buf_add(out, text.ptr, n);
    memmove(s->waiting.bytes, text.ptr + n, text.len - n + 1);
    s->waiting.n_bytes -= n;
}

void stops_add(struct stops *s, struct str piece, struct buf *out)
{
    if (s->found)
        return;
    buf_add(&s->waiting, piece.ptr, piece.len);
    let_out(s, false, out);
}

void stops_end(struct stops *s, struct buf *out)
{
    if (!s->found)
        let_out(s, true, out);
}

void stops_release(struct stops *s)
{
    buf_release(&s->waiting);
}
