/* text_calls.c - a worker's calls about text alone: /tokenize, /detokenize, /apply-template,
 * /props. */
#include "api/anthropic.h"
#include "api/responses.h"
#include "api/tokens.h"
#include "base/check.h"
#include "server/prompt.h"
#include "server/worker_int.h"

enum { TEXT_BYTES_MAX = 1 << 30, PIECE_BYTES_MAX = 1 << 20 };

static struct str text_of(const struct buf *b)
{
    return (struct str){b->n_bytes ? b->bytes : "", b->n_bytes};
}

/* Answers with out, or with e if not ok; releases out. */
static void answer(struct worker *w, uint64_t id, struct str path, bool ok, struct buf *out,
                   const struct buf *unknown, const struct api_error *e)
{
    if (!ok) {
        worker_fail(w, id, path, e);
    } else {
        CHECK(!out->failed);
        worker_reply(w, id, 200, text_of(unknown), text_of(out));
    }
    buf_release(out);
}

/* What one token spells. An id beyond the vocabulary, which is padded, spells nothing. */
static struct str spell(const struct speech *s, int32_t id, struct buf *spelled)
{
    struct err_note note;
    buf_clear(spelled);
    if ((size_t)id < tokenizer_n_tokens(s->tokenizer))
        tokenizer_decode(s->tokenizer, &id, 1, DECODE_SPECIAL | DECODE_CONTINUE, spelled, &note);
    return text_of(spelled);
}

/* llama-server's: a text, or the bytes of what is none. */
static void write_piece(struct writer *w, int32_t id, struct str piece)
{
    write_open(w, '{');
    write_key_int(w, "id", id);
    write_key(w, "piece");
    if (utf8_valid(piece.ptr, piece.len)) {
        write_text(w, piece);
    } else {
        write_open(w, '[');
        for (size_t i = 0; i < piece.len; i++)
            write_int(w, (unsigned char)piece.ptr[i]);
        write_close(w, ']');
    }
    write_close(w, '}');
}

static void write_tokens(struct writer *w, const struct worker *worker,
                         const struct api_tokenize *r, const struct token_list *list)
{
    struct buf spelled;
    buf_init(&spelled, PIECE_BYTES_MAX);
    write_open(w, '{');
    write_key(w, "tokens");
    write_open(w, '[');
    for (size_t i = 0; i < list->n_ids; i++) {
        if (r->pieces)
            write_piece(w, list->ids[i], spell(&worker->speech, list->ids[i], &spelled));
        else
            write_int(w, list->ids[i]);
    }
    write_close(w, ']');
    write_key_int(w, "count", (int64_t)list->n_ids);
    write_key_int(w, "max_model_len", worker->info.n_ctx);
    if (r->texts) {
        write_key(w, "token_strs");
        write_open(w, '[');
        for (size_t i = 0; i < list->n_ids; i++)
            write_bytes(w, spell(&worker->speech, list->ids[i], &spelled));
        write_close(w, ']');
    }
    write_close(w, '}');
    buf_release(&spelled);
}

void call_tokenize(struct worker *w, uint64_t id, struct str path, struct str body)
{
    struct api_tokenize r;
    struct api_error e = {0};
    struct token_list list = {0};
    struct buf out;
    struct writer j;
    bool ok = api_tokenize_parse(body, &r, &e);
    unsigned flags = (r.add_special ? ENCODE_ADD_SPECIAL : 0u) |
                     (r.parse_special ? ENCODE_PARSE_SPECIAL : 0u);
    buf_init(&out, TEXT_BYTES_MAX);
    if (ok)
        ok = r.content ? prompt_value(&w->speech, r.content, flags, r.field, &list, &e)
                       : prompt_of(&w->speech, &r.chat, 0, &list, NULL, &e);
    if (ok) {
        write_begin(&j, &out);
        write_tokens(&j, w, &r, &list);
    }
    answer(w, id, path, ok, &out, &r.chat.unknown, &e);
    token_list_release(&list);
    api_generate_release(&r.chat);
}

void call_count_tokens(struct worker *w, uint64_t id, struct str path, struct str body)
{
    struct api_generate r;
    struct api_error e = {0};
    struct token_list list = {0};
    struct buf out;
    struct writer j;
    buf_init(&out, TEXT_BYTES_MAX);
    bool is_responses = str_is(path, "/v1/responses/input_tokens");
    bool ok = is_responses ? responses_parse(body, &r, &e) : anthropic_count_parse(body, &r, &e);
    ok = ok && api_tools_read(&r, &e) && prompt_of(&w->speech, &r, 0, &list, NULL, &e);
    if (ok) {
        write_begin(&j, &out);
        write_open(&j, '{');
        if (is_responses)
            write_key_text(&j, "object", STR("response.input_tokens"));
        write_key_int(&j, "input_tokens", (int64_t)list.n_ids);
        write_close(&j, '}');
    }
    answer(w, id, path, ok, &out, &r.unknown, &e);
    token_list_release(&list);
    api_generate_release(&r);
}

void call_detokenize(struct worker *w, uint64_t id, struct str path, struct str body)
{
    struct api_generate r;
    struct api_error e = {0};
    struct err_note note;
    struct token_list list = {0};
    struct buf out, text;
    struct writer j;
    buf_init(&out, TEXT_BYTES_MAX);
    buf_init(&text, TEXT_BYTES_MAX);
    bool ok = api_detokenize_parse(body, &r, &e) &&
              prompt_value(&w->speech, r.prompt_ids, 0, "tokens", &list, &e);
    if (ok && tokenizer_decode(w->speech.tokenizer, list.ids, list.n_ids, DECODE_SPECIAL, &text,
                               &note))
        ok = api_fail(&e, 400, "tokens", "%s", note.text);
    if (ok) {
        write_begin(&j, &out);
        write_open(&j, '{');
        write_key(&j, "content");
        write_bytes(&j, text_of(&text));
        write_key(&j, "prompt"); /* the same by vLLM's name */
        write_bytes(&j, text_of(&text));
        write_close(&j, '}');
    }
    answer(w, id, path, ok, &out, &r.unknown, &e);
    buf_release(&text);
    token_list_release(&list);
    api_generate_release(&r);
}

void call_apply_template(struct worker *w, uint64_t id, struct str path, struct str body)
{
    struct api_generate r;
    struct api_error e = {0};
    struct buf out, text;
    struct writer j;
    buf_init(&out, TEXT_BYTES_MAX);
    buf_init(&text, TEXT_BYTES_MAX);
    bool ok = api_chat_parse(body, &r, &e) && prompt_render(&w->speech, &r, &text, &e);
    if (ok) {
        write_begin(&j, &out);
        write_open(&j, '{');
        write_key(&j, "prompt");
        write_bytes(&j, text_of(&text));
        write_close(&j, '}');
    }
    answer(w, id, path, ok, &out, &r.unknown, &e);
    buf_release(&text);
    api_generate_release(&r);
}

/* ---- what the model is -------------------------------------------------------------------- */

static void write_special(struct writer *j, const char *key, const struct tokenizer *t, int32_t id)
{
    write_key(j, key);
    write_bytes(j, id == TOKEN_NONE ? STR("") : tokenizer_token_text(t, id));
}

/* What a request without fields gets. */
static void write_defaults(struct writer *j, const struct worker *w)
{
    struct api_generate r;
    api_generate_begin(&r);
    write_open(j, '{');
    write_key_int(j, "n_ctx", w->info.n_ctx);
    write_key(j, "params");
    write_open(j, '{');
    write_key(j, "temperature");
    write_float(j, r.sampling.temperature);
    write_key_int(j, "top_k", r.sampling.top_k);
    write_key(j, "top_p");
    write_float(j, r.sampling.top_p);
    write_key(j, "min_p");
    write_float(j, r.sampling.min_p);
    write_key(j, "repeat_penalty");
    write_float(j, r.sampling.repeat_penalty);
    write_key_int(j, "n_predict", -1);
    write_close(j, '}');
    write_close(j, '}');
    api_generate_release(&r);
}

void call_props(struct worker *w, uint64_t id, struct str path, struct str body)
{
    const struct tokenizer *t = w->speech.tokenizer;
    struct buf out;
    struct writer j;
    (void)path, (void)body;
    buf_init(&out, TEXT_BYTES_MAX);
    write_begin(&j, &out);
    write_open(&j, '{');
    write_key(&j, "default_generation_settings");
    write_defaults(&j, w);
    write_key_int(&j, "total_slots", w->n_running);
    write_key_text(&j, "model_alias", str_from(w->options.name));
    write_key(&j, "model_path");
    write_bytes(&j, str_from(w->options.path));
    write_key(&j, "chat_template");
    write_bytes(&j, w->speech.face.template ? chat_template_source(w->speech.face.template)
                                            : STR(""));
    write_special(&j, "bos_token", t, tokenizer_bos(t));
    write_special(&j, "eos_token", t, tokenizer_eos(t));
    write_key_word(&j, "modalities", "{\"vision\":false,\"audio\":false}");
    write_key_text(&j, "build_info", STR("isobit " ISOBIT_VERSION));
    write_key_text(&j, "system_fingerprint", str_from(w->fingerprint));
    write_close(&j, '}');
    CHECK(!out.failed);
    worker_reply(w, id, 200, STR(""), text_of(&out));
    buf_release(&out);
}
