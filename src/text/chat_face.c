/* chat_face.c - finding a model's chat template, and speaking through it. */
#include "text/chat_face.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/table.h"
#include "text/chat_folder.h"

enum { TEMPLATES_MAX = 32, TEMPLATE_BYTES_MAX = 1 << 20, RENDERED_BYTES_MAX = 256 << 20 };

#define TEMPLATE_KEY "tokenizer.chat_template"

/* tokenizer.chat_template is the default one; tokenizer.chat_template.NAME are others. */
static size_t list_templates(const struct table *t, struct chat_choice choices[TEMPLATES_MAX])
{
    struct str key = STR(TEMPLATE_KEY), more = STR(TEMPLATE_KEY ".");
    size_t n = 0;
    for (size_t i = 0; i < t->n_metas && n < TEMPLATES_MAX; i++) {
        const struct meta_value *m = &t->metas[i];
        if (m->type != META_STRING)
            continue;
        if (str_eq(m->key, key))
            choices[n++] = (struct chat_choice){STR("default"), m->string};
        else if (str_starts(m->key, more))
            choices[n++] = (struct chat_choice){str_sub(m->key, more.len, m->key.len), m->string};
    }
    return n;
}

static enum err open_choice(struct chat_face *f, const struct chat_choice *choices, size_t n,
                            struct err_note *note)
{
    size_t i, i_tools;
    if (n == 0)
        return ERR_OK;
    snprintf(f->origin, sizeof f->origin, "the model's own chat template");
    enum err rc = chat_choose(choices, n, NULL, false, &i, note);
    if (!rc)
        rc = chat_template_new(&f->template, choices[i].source, note);
    if (!rc && !chat_choose(choices, n, NULL, true, &i_tools, note) && i_tools != i)
        rc = chat_template_new(&f->of_tools, choices[i_tools].source, note);
    return rc;
}

static enum err open_own(struct chat_face *f, const struct table *table, struct err_note *note)
{
    struct chat_choice choices[TEMPLATES_MAX];
    struct chat_folder folder;
    enum err rc;
    if (!file_is_dir(table->path)) {
        rc = open_choice(f, choices, list_templates(table, choices), note);
        return rc ? err_wrap(note, rc, "%s: chat template", table->path) : ERR_OK;
    }
    rc = chat_folder_read(&folder, table->path, note);
    if (rc)
        return rc;
    rc = open_choice(f, folder.choices, folder.n_choices, note);
    chat_folder_release(&folder);
    return rc ? err_wrap(note, rc, "%s: chat template", table->path) : ERR_OK;
}

static enum err open_file(struct chat_face *f, const char *path, struct err_note *note)
{
    char *source;
    size_t n_bytes;
    enum err rc = file_read(path, TEMPLATE_BYTES_MAX, &source, &n_bytes, note);
    if (rc)
        return rc;
    rc = chat_template_new(&f->template, (struct str){source, n_bytes}, note);
    mem_free(source);
    snprintf(f->origin, sizeof f->origin, "the chat template in %.50s", path);
    return rc ? err_wrap(note, rc, "%s", path) : ERR_OK;
}

enum err chat_face_open(struct chat_face *f, const struct table *table, const char *wanted,
                        struct err_note *note)
{
    *f = (struct chat_face){0};
    if (!wanted)
        return open_own(f, table, note);
    if (file_exists(wanted))
        return open_file(f, wanted, note);
    snprintf(f->origin, sizeof f->origin, "the built-in chat template %.50s", wanted);
    return chat_template_builtin(&f->template, wanted, note);
}

void chat_face_close(struct chat_face *f)
{
    chat_template_free(f->template);
    chat_template_free(f->of_tools);
    f->template = f->of_tools = NULL;
}

const struct chat_template *chat_face_template(const struct chat_face *f, bool has_tools)
{
    return has_tools && f->of_tools ? f->of_tools : f->template;
}

static struct str special(const struct tokenizer *t, int32_t id)
{
    return id == TOKEN_NONE ? (struct str){0} : tokenizer_token_text(t, id);
}

int64_t chat_face_clock(void)
{
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    return (int64_t)now + local.tm_gmtoff;
}

enum err chat_face_render(const struct chat_face *f, const struct tokenizer *t,
                          struct chat_request request, struct buf *out, struct err_note *note)
{
    request.bos_token = special(t, tokenizer_bos(t));
    request.eos_token = special(t, tokenizer_eos(t));
    request.unk_token = special(t, tokenizer_unk(t));
    request.pad_token = special(t, tokenizer_pad(t));
    if (request.now_s == 0)
        request.now_s = chat_face_clock();
    return chat_render(chat_face_template(f, request.tools != NULL), &request, out, note);
}

enum err chat_face_tokens(const struct chat_face *f, const struct tokenizer *t,
                          struct chat_request request, struct token_list *out,
                          struct err_note *note)
{
    struct buf text;
    buf_init(&text, RENDERED_BYTES_MAX);
    enum err rc = chat_face_render(f, t, request, &text, note);
    if (!rc)
        rc = tokenizer_encode(t, (struct str){text.bytes, text.n_bytes}, ENCODE_PARSE_SPECIAL, out,
                              note);
    buf_release(&text);
    return rc;
}
