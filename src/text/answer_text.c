/* answer_text.c - tokens to text, text to parts. */
#include "text/answer_text.h"

#include "base/check.h"

enum { TEXT_BYTES_MAX = 1 << 30 };

void answer_text_init(struct answer_text *a, const struct tokenizer *t,
                      const struct str *stop_texts, size_t n_stop_texts)
{
    *a = (struct answer_text){.reads = false};
    stream_init(&a->stream, t, DECODE_CONTINUE);
    stops_init(&a->stops, stop_texts, n_stop_texts);
    buf_init(&a->piece, TEXT_BYTES_MAX);
    buf_init(&a->text, TEXT_BYTES_MAX);
    parts_init(&a->parts);
}

void answer_text_read(struct answer_text *a, const struct answer_options *o, const int32_t *marks,
                      size_t n_marks)
{
    answer_reader_init(&a->reader, o, &a->parts);
    a->reads = true;
    a->marks = marks;
    a->n_marks = n_marks;
}

static bool has(const int32_t *ids, size_t n_ids, int32_t id)
{
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* What is certain to precede every stop text goes on into the parts. */
static void take_piece(struct answer_text *a, bool is_last)
{
    stops_add(&a->stops, (struct str){a->piece.bytes, a->piece.n_bytes}, &a->text);
    buf_clear(&a->piece);
    if (is_last)
        stops_end(&a->stops, &a->text);
    CHECK(!a->text.failed);
    struct str text = {a->text.n_bytes ? a->text.bytes : "", a->text.n_bytes};
    if (a->reads)
        answer_reader_add(&a->reader, text);
    else
        parts_text(&a->parts, PART_TEXT, text);
    if (a->reads && is_last)
        answer_reader_end(&a->reader);
    buf_clear(&a->text);
}

/* Vocabularies are padded: the ids beyond the tokenizer's spell nothing. */
void answer_text_add(struct answer_text *a, int32_t token)
{
    bool is_mark = has(a->marks, a->n_marks, token);
    a->stream.flags = DECODE_CONTINUE | (is_mark ? DECODE_SPECIAL : 0u);
    if ((size_t)token < tokenizer_n_tokens(a->stream.tokenizer))
        stream_add(&a->stream, token, &a->piece);
    take_piece(a, false);
}

void answer_text_end(struct answer_text *a)
{
    stream_end(&a->stream, &a->piece);
    take_piece(a, true);
}

bool answer_text_is_over(const struct answer_text *a)
{
    return a->stops.found || (a->reads && answer_reader_is_over(&a->reader));
}

size_t answer_text_replay(struct answer_text *a, const uint32_t *ids, size_t n_ids,
                          const int32_t *stops, uint32_t n_stops)
{
    size_t n = 0;
    for (; n < n_ids && !answer_text_is_over(a); n++)
        if (!has(stops, n_stops, (int32_t)ids[n]))
            answer_text_add(a, (int32_t)ids[n]);
    answer_text_end(a);
    return n;
}

void answer_text_release(struct answer_text *a)
{
    stops_release(&a->stops);
    buf_release(&a->piece);
    buf_release(&a->text);
    parts_release(&a->parts);
    if (a->reads)
        answer_reader_release(&a->reader);
}
