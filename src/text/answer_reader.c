/* answer_reader.c - marks in plain text and reasoning. */
#include "text/answer_int.h"

#include "base/check.h"

enum { MARKS_MAX = 12, BUF_BYTES_MAX = 1 << 30 };

/* What a mark does. */
enum mark_kind {
    MARK_SILENT,
    MARK_OPEN,
    MARK_CLOSE,
    MARK_SECTION,
    MARK_SECTION_END,
    MARK_CALL,
    MARK_BARE,
    MARK_HEADER,
    MARK_MESSAGE_END
};

struct mark {
    enum mark_kind kind;
    const char *text;
};

static int ends_with(struct str text, const char *mark)
{
    while (text.len && answer_is_space(text.ptr[text.len - 1]))
        text.len--;
    return str_ends(text, str_from(mark));
}

int answer_prompt_reasoning(struct answer_style style, struct str prompt)
{
    if (!style.reasoning)
        return 0;
    return ends_with(prompt, style.reasoning->open) - ends_with(prompt, style.reasoning->close);
}

void answer_reader_init(struct answer_reader *r, const struct answer_options *o,
                        struct parts *parts)
{
    int reasoning = answer_prompt_reasoning(o->style, o->prompt);
    *r = (struct answer_reader){.style = o->style,
                                .tools = o->tools,
                                .single = o->single,
                                .id_seed = o->id_seed,
                                .parts = parts,
                                .at_start = true};
    buf_init(&r->space, BUF_BYTES_MAX);
    buf_init(&r->held, BUF_BYTES_MAX);
    buf_init(&r->raw, 2 * ANSWER_RAW_BYTES_MAX);
    buf_init(&r->name, 2 * ANSWER_NAME_MAX);
    buf_init(&r->arguments, 2 * ANSWER_RAW_BYTES_MAX);
    buf_init(&r->key, 2 * ANSWER_NAME_MAX);
    buf_init(&r->value, BUF_BYTES_MAX);
    r->reasoned = r->drops_space = reasoning != 0;
    if (reasoning > 0)
        r->place = PLACE_REASONING;
    if (o->style.form->channels)
        answer_header_begin(r, "");
}

void answer_reader_release(struct answer_reader *r)
{
    struct buf *const bufs[] = {&r->space, &r->held,      &r->raw,  &r->name,
                                &r->key,   &r->arguments, &r->value};
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_release(bufs[i]);
}

void answer_again(struct answer_reader *r, struct str bytes)
{
    CHECK(r->n_again + bytes.len <= sizeof r->again);
    memmove(r->again + bytes.len, r->again, r->n_again);
    memcpy(r->again, bytes.ptr, bytes.len);
    r->n_again += bytes.len;
}

void answer_say(struct answer_reader *r, enum part_kind kind, struct str text)
{
    parts_text(r->parts, kind, text);
    r->at_start = false;
    r->drops_space = false;
    r->after_bare = false;
}

void answer_to_text(struct answer_reader *r, bool after_mark)
{
    r->place = PLACE_TEXT;
    r->drops_space = after_mark;
    buf_clear(&r->space);
    buf_clear(&r->held);
}

/* ---- marks -------------------------------------------------------------------------------- */

static size_t marks_of_channels(struct mark *m)
{
    static const struct mark all[] = {{MARK_HEADER, "<|start|>"},
                                      {MARK_HEADER, "<|channel|>"},
                                      {MARK_MESSAGE_END, "<|end|>"},
                                      {MARK_MESSAGE_END, "<|return|>"},
                                      {MARK_MESSAGE_END, "<|call|>"}};
    memcpy(m, all, sizeof all);
    return COUNT_OF(all);
}

static size_t marks_of_reasoning(const struct answer_reader *r, struct mark *m)
{
    size_t n = 0;
    m[n++] = (struct mark){MARK_CLOSE, r->style.reasoning->close};
    if (r->at_start)
        m[n++] = (struct mark){MARK_SILENT, r->style.reasoning->open};
    return n;
}

static size_t marks_of_text(const struct answer_reader *r, struct mark *m)
{
    const struct answer_tags *tags = r->style.reasoning;
    const struct answer_form *f = r->style.form;
    size_t n = 0;
    if (tags && r->at_start && !r->reasoned)
        m[n++] = (struct mark){MARK_OPEN, tags->open};
    for (size_t i = 0; i < ANSWER_SILENT_MAX && r->reasoned && tags->silent[i]; i++)
        m[n++] = (struct mark){MARK_SILENT, tags->silent[i]};
    if (!r->tools)
        return n;
    if (f->section)
        m[n++] = (struct mark){MARK_SECTION, f->section};
    if (f->begin)
        m[n++] = (struct mark){MARK_CALL, f->begin};
    if (r->in_section)
        m[n++] = (struct mark){MARK_SECTION_END, f->section_end};
    if (f->bare && (r->at_start || r->after_bare))
        m[n++] = (struct mark){MARK_BARE, "{"};
    if (r->after_bare)
        m[n++] = (struct mark){MARK_SILENT, ";"};
    return n;
}

static size_t marks_of(const struct answer_reader *r, struct mark *m)
{
    if (r->style.form->channels)
        return marks_of_channels(m);
    return r->place == PLACE_REASONING ? marks_of_reasoning(r, m) : marks_of_text(r, m);
}

static void take_mark(struct answer_reader *r, struct mark m)
{
    bool bare = r->after_bare;
    struct buf space = r->space; /* before a call that turns out to be none, it is text */
    buf_init(&r->space, BUF_BYTES_MAX);
    answer_to_text(r, true);
    switch (m.kind) {
    case MARK_SILENT:
        if (r->style.reasoning && m.text == r->style.reasoning->open)
            r->place = PLACE_REASONING;
        break;
    case MARK_OPEN:
        r->place = PLACE_REASONING;
        r->reasoned = true;
        break;
    case MARK_CLOSE:
        break;
    case MARK_SECTION:
        answer_call_begin(r, &space, m.text, -2);
        break;
    case MARK_SECTION_END:
        r->in_section = false;
        break;
    case MARK_CALL:
        answer_call_begin(r, &space, m.text, 0);
        break;
    case MARK_BARE:
        answer_call_begin(r, &space, "", 0);
        r->bare = true;
        answer_again(r, STR("{"));
        break;
    case MARK_HEADER:
    case MARK_MESSAGE_END:
        answer_header_begin(r, m.kind == MARK_HEADER ? m.text : "");
        break;
    }
    buf_release(&space);
    r->after_bare = bare && m.kind == MARK_SILENT;
    r->at_start = m.kind == MARK_CLOSE || (r->at_start && m.kind == MARK_SILENT);
}

/* ---- text --------------------------------------------------------------------------------- */

/* A byte that is part of no mark. */
static void take_plain(struct answer_reader *r, char c, bool has_marks)
{
    enum part_kind kind = r->place == PLACE_REASONING ? PART_REASONING : PART_TEXT;
    if (answer_is_space(c) && r->drops_space)
        return;
    if (answer_is_space(c) && has_marks) {
        buf_char(&r->space, c);
        return;
    }
    parts_text(r->parts, kind, answer_buf(&r->space));
    buf_clear(&r->space);
    answer_say(r, kind, (struct str){&c, 1});
}

static void take_text(struct answer_reader *r, char c)
{
    struct mark marks[MARKS_MAX];
    bool waits = false;
    buf_char(&r->held, c);
    size_t n = marks_of(r, marks);
    for (size_t i = 0; i < n; i++) {
        int match = answer_match(&r->held, marks[i].text);
        if (match == 2) {
            take_mark(r, marks[i]);
            return;
        }
        waits |= match == 1;
    }
    if (waits)
        return;
    /* What begins no mark goes; the rest may still begin one. */
    char first = r->held.bytes[0];
    struct str rest = str_sub(answer_buf(&r->held), 1, r->held.n_bytes);
    answer_again(r, rest);
    buf_clear(&r->held);
    take_plain(r, first, n > 0);
}

static void take(struct answer_reader *r, char c)
{
    switch (r->place) {
    case PLACE_TEXT:
    case PLACE_REASONING:
        take_text(r, c);
        break;
    case PLACE_CALL:
        answer_call_byte(r, c);
        break;
    case PLACE_HEADER:
        answer_header_byte(r, c);
        break;
    case PLACE_OVER:
        break;
    }
}

static void take_all(struct answer_reader *r)
{
    while (r->n_again) {
        char c = r->again[0];
        memmove(r->again, r->again + 1, --r->n_again);
        take(r, c);
    }
}

void answer_reader_add(struct answer_reader *r, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        answer_again(r, str_sub(text, i, i + 1));
        take_all(r);
    }
    CHECK(!r->space.failed && !r->held.failed);
}

void answer_reader_end(struct answer_reader *r)
{
    if (r->place == PLACE_CALL)
        answer_call_end(r);
    if (r->place == PLACE_HEADER)
        answer_header_end(r);
    enum part_kind kind = r->place == PLACE_REASONING ? PART_REASONING : PART_TEXT;
    if (r->place == PLACE_TEXT || (kind == PART_REASONING && r->held.n_bytes > 0))
        parts_text(r->parts, kind, answer_buf(&r->space));
    if (r->place == PLACE_TEXT || kind == PART_REASONING)
        parts_text(r->parts, kind, answer_buf(&r->held));
    buf_clear(&r->space);
    buf_clear(&r->held);
}

bool answer_reader_is_over(const struct answer_reader *r)
{
    return r->place == PLACE_OVER;
}

bool answer_reader_reasons(const struct answer_reader *r)
{
    return r->place == PLACE_REASONING;
}
