/* answer_channels.c - gpt-oss: each message has a header that says what it is.
 *
 *     <|channel|>analysis<|message|> reasoning <|end|>
 *     <|start|>assistant<|channel|>commentary to=functions.NAME <|constrain|>json<|message|> {...}
 *     <|start|>assistant<|channel|>final<|message|> text
 */
#include "base/check.h"
#include "text/answer_int.h"

enum { HEADER_BYTES_MAX = 400 };

static const char begin_message[] = "<|message|>";

void answer_header_begin(struct answer_reader *r, const char *mark)
{
    r->place = PLACE_HEADER;
    buf_clear(&r->raw);
    buf_str(&r->raw, mark);
}

/* The word after a mark; empty without. */
static struct str word_after(struct str header, const char *mark)
{
    size_t n = strlen(mark), to;
    for (size_t i = 0; i + n <= header.len; i++) {
        if (memcmp(header.ptr + i, mark, n) != 0)
            continue;
        for (to = i + n;
             to < header.len && !answer_is_space(header.ptr[to]) && header.ptr[to] != '<';)
            to++;
        return str_sub(header, i + n, to);
    }
    return STR("");
}

static void header_over(struct answer_reader *r)
{
    struct str header = answer_buf(&r->raw), prefix = STR("functions.");
    struct str channel = word_after(header, "<|channel|>"), to = word_after(header, "to=");
    if (to.len && r->tools) {
        char name[ANSWER_NAME_MAX];
        struct buf none = {0};
        if (str_starts(to, prefix))
            to = str_sub(to, prefix.len, to.len);
        size_t n = to.len < sizeof name ? to.len : sizeof name;
        memcpy(name, to.ptr, n);
        answer_call_begin(r, &none, "", 0);
        buf_add(&r->name, name, n);
        return;
    }
    answer_to_text(r, true);
    if (str_is(channel, "analysis"))
        r->place = PLACE_REASONING;
}

/* Whether text may begin a header. */
static bool may_be_header(struct str text)
{
    static const char *const begins[] = {"<|channel|>", "<|start|>", "<|message|>", " to=", "to="};
    for (size_t i = 0; i < COUNT_OF(begins); i++) {
        size_t n = strlen(begins[i]);
        if (memcmp(text.ptr, begins[i], text.len < n ? text.len : n) == 0)
            return true;
    }
    return false;
}

void answer_header_byte(struct answer_reader *r, char c)
{
    buf_char(&r->raw, c);
    struct str header = answer_buf(&r->raw);
    if (str_ends(header, str_from(begin_message))) {
        header_over(r);
        return;
    }
    bool may_be = may_be_header(header);
    if (may_be && header.len < HEADER_BYTES_MAX)
        return;
    answer_to_text(r, false); /* a message without one */
    if (may_be)
        answer_say(r, PART_TEXT, header);
    else
        answer_again(r, header);
}

void answer_header_end(struct answer_reader *r)
{
    if (r->raw.n_bytes && r->raw.bytes[0] != '<')
        answer_say(r, PART_TEXT, answer_buf(&r->raw));
}
