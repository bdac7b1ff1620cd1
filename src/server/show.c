/* show.c - what a model is, as Ollama's /api/show tells it. */
#include "api/ollama.h"
#include "base/check.h"
#include "format/quant_name.h"
#include "server/prompt.h"
#include "server/worker_int.h"

enum { TEXT_BYTES_MAX = 1 << 28 };

static void write_meta(struct writer *j, const struct meta_value *m)
{
    write_name(j, m->key);
    switch (m->type) {
    case META_UINT:
        write_int(j, (int64_t)m->uint_);
        break;
    case META_INT:
        write_int(j, m->int_);
        break;
    case META_FLOAT:
        write_float(j, (float)m->float_);
        break;
    case META_BOOL:
        write_word(j, m->bool_ ? "true" : "false");
        break;
    case META_STRING:
        write_bytes(j, m->string);
        break;
    case META_ARRAY: /* vocabularies: too long for anybody to read */
        write_word(j, "null");
        break;
    }
}

static void write_model_info(struct writer *j, const struct worker *w)
{
    const struct table *t = &w->speech.table;
    struct str template_key = STR("tokenizer.chat_template");
    write_key(j, "model_info");
    write_open(j, '{');
    write_key_int(j, "general.parameter_count", (int64_t)w->info.n_params);
    for (size_t i = 0; i < t->n_metas; i++)
        if (!str_starts(t->metas[i].key, template_key) && utf8_valid(t->metas[i].key.ptr,
                                                                     t->metas[i].key.len) &&
            !str_is(t->metas[i].key, "general.parameter_count"))
            write_meta(j, &t->metas[i]);
    write_close(j, '}');
}

static bool mentions(struct str text, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= text.len; i++)
        if (memcmp(text.ptr + i, word, n) == 0)
            return true;
    return false;
}

/* Tools and thinking are what the template speaks of. */
static void write_capabilities(struct writer *j, const struct worker *w, struct str template)
{
    write_key(j, "capabilities");
    write_open(j, '[');
    write_text(j, STR("completion"));
    if (mentions(template, "tools"))
        write_text(j, STR("tools"));
    if (mentions(template, "enable_thinking") || mentions(template, "reasoning_effort"))
        write_text(j, STR("thinking"));
    if (prompt_can_fill(&w->speech))
        write_text(j, STR("insert"));
    write_close(j, ']');
}

void call_show(struct worker *w, uint64_t id, struct str path, struct str body)
{
    struct str template = w->speech.face.template
                              ? chat_template_source(w->speech.face.template)
                              : STR("{{ .Prompt }}");
    char quant[QUANT_NAME_BYTES];
    struct buf out;
    struct writer j;
    (void)path, (void)body;
    quant_name(&w->speech.table, quant);
    buf_init(&out, TEXT_BYTES_MAX);
    write_begin(&j, &out);
    write_open(&j, '{');
    write_key_text(&j, "modelfile", STR(""));
    write_key_text(&j, "parameters", STR(""));
    write_key(&j, "template");
    write_bytes(&j, template);
    write_key(&j, "details");
    ollama_write_details(&j, w->info.arch, w->info.n_params, quant);
    write_model_info(&j, w);
    write_capabilities(&j, w, template);
    write_close(&j, '}');
    CHECK(!out.failed);
    worker_reply(w, id, 200, STR(""), (struct str){out.bytes, out.n_bytes});
    buf_release(&out);
}
