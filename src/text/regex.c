/* regex.c - compiled patterns. */
#include "text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"
#include "text/unicode.h"

struct regex {
    pcre2_code *code;
    bool jit;
};

struct regex_scratch {
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    pcre2_match_data *data;
};

/* A pattern may step this often per match before it counts as running away. */
enum { REGEX_STEPS_MAX = 50 * 1000 * 1000, REGEX_STACK_MAX = 32 << 20 };

static enum err does_not_compile(struct str pattern, int code, size_t at, struct err_note *note)
{
    PCRE2_UCHAR why[120];
    pcre2_get_error_message(code, why, sizeof why);
    return err_set(note, ERR_FORMAT, "regular expression \"%.*s\" does not compile at byte %zu: %s",
                   STR_ARG(pattern), at, (const char *)why);
}

enum err regex_new(struct str pattern, struct regex **out, struct err_note *note)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    *out = NULL;
    enum err rc = regex_translate(pattern, &b, note);
    struct regex *r = rc == ERR_OK ? mem_zalloc(sizeof *r) : NULL;
    pcre2_compile_context *context = r ? pcre2_compile_context_create(NULL) : NULL;
    if (context) {
        int code = 0;
        PCRE2_SIZE at = 0;
        pcre2_set_newline(context, PCRE2_NEWLINE_LF);
        pcre2_set_parens_nest_limit(context, 100);
        r->code = pcre2_compile((PCRE2_SPTR)b.bytes, b.n_bytes,
                                PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &code, &at, context);
        if (!r->code)
            rc = does_not_compile(pattern, code, at, note);
        else
            r->jit = pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE) == 0;
    } else if (rc == ERR_OK) {
        rc = err_set(note, ERR_MEMORY, "no memory for a regular expression");
    }
    pcre2_compile_context_free(context);
    buf_release(&b);
    if (rc != ERR_OK)
        regex_free(r);
    else
        *out = r;
    return rc;
}

void regex_free(struct regex *r)
{
    if (r)
        pcre2_code_free(r->code);
    mem_free(r);
}

struct regex_scratch *regex_scratch_new(void)
{
    struct regex_scratch *s = mem_zalloc(sizeof *s);
    if (!s)
        return NULL;
    s->context = pcre2_match_context_create(NULL);
    s->data = pcre2_match_data_create(1, NULL);
    s->stack = pcre2_jit_stack_create(32 << 10, REGEX_STACK_MAX, NULL); /* NULL: no JIT here */
    if (!s->context || !s->data) {
        regex_scratch_free(s);
        return NULL;
    }
    pcre2_set_match_limit(s->context, REGEX_STEPS_MAX);
    if (s->stack)
        pcre2_jit_stack_assign(s->context, NULL, s->stack);
    return s;
}

void regex_scratch_free(struct regex_scratch *s)
{
    if (!s)
        return;
    pcre2_match_data_free(s->data);
    pcre2_jit_stack_free(s->stack);
    pcre2_match_context_free(s->context);
    mem_free(s);
}

enum err regex_find(const struct regex *r, struct regex_scratch *scratch, struct str s, size_t from,
                    size_t *start, size_t *end, struct err_note *note)
{
    PCRE2_SPTR text = (PCRE2_SPTR)(s.ptr ? s.ptr : "");
    int rc = r->jit ? pcre2_jit_match(r->code, text, s.len, from, PCRE2_NO_UTF_CHECK, scratch->data,
                                      scratch->context)
                    : PCRE2_ERROR_JIT_STACKLIMIT;
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) /* the interpreter's memory is the heap */
        rc = pcre2_match(r->code, text, s.len, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                         scratch->data, scratch->context);
    if (rc == PCRE2_ERROR_NOMATCH)
        return ERR_NOT_FOUND;
    if (rc < 0) {
        PCRE2_UCHAR why[120];
        pcre2_get_error_message(rc, why, sizeof why);
        return err_set(note, ERR_LIMIT, "a tokenizer's regular expression gave up at byte %zu: %s",
                       from, (const char *)why);
    }
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(scratch->data);
    *start = ends[0];
    *end = ends[1];
    return ERR_OK;
}

struct str regex_stand_in(struct str s, struct buf *b)
{
    size_t copied = 0;
    buf_clear(b);
    for (size_t i = 0; i < s.len;) {
        uint32_t c;
        if ((unsigned char)s.ptr[i] < 0xe0) { /* nothing new below U+0800 */
            i++;
            continue;
        }
        int n = utf8_decode(s.ptr + i, s.len - i, &c);
        uint32_t other = n ? unicode_stand_in(c) : c;
        if (other != c) {
            char bytes[4];
            buf_add(b, s.ptr + copied, i - copied);
            buf_add(b, bytes, (size_t)utf8_encode(other, bytes));
            copied = i + (size_t)n;
        }
        i += n ? (size_t)n : 1;
    }
    if (copied == 0)
        return s;
    buf_add(b, s.ptr + copied, s.len - copied);
    return b->failed ? s : (struct str){b->bytes, b->n_bytes};
}
