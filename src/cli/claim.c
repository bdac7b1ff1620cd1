/* claim.c - OpenAI's answers, read for what they say of their tokens. */
#include "cli/claim.h"

#include <math.h>

enum { MEMORY_BYTES_MAX = 1 << 30, NAME_BYTES_MAX = 4096 };
#define LOGPROB_MAX 1e9 /* either way: measures stay finite, in float too */

struct reader {
    const struct token_names *names;
    const json_t *ids; /* the choice's own list, which knows better than names; NULL: none */
    bool by_ids;
    struct claim *claim;
    struct err_note *note;
};

static struct str text_of(const json_t *value)
{
    return (struct str){json_string_value(value), json_string_length(value)};
}

static bool id_of_json(const json_t *value, int32_t *id)
{
    json_int_t n = json_integer_value(value);
    bool ok = json_is_integer(value) && n >= 0 && n <= INT32_MAX;
    if (ok)
        *id = (int32_t)n;
    return ok;
}

/* Of a name that is a number; "token_id:" may stand before it. */
static bool id_of_name(struct str name, int32_t *id)
{
    const struct str prefix = STR("token_id:");
    uint64_t n;
    if (str_starts(name, prefix))
        name = str_sub(name, prefix.len, name.len);
    bool ok = str_to_u64(name, &n) && n <= INT32_MAX;
    if (ok)
        *id = (int32_t)n;
    return ok;
}

/* The bytes that a token spells, where they are told. */
static bool bytes_of(const json_t *list, char bytes[NAME_BYTES_MAX], struct str *out)
{
    size_t n = json_array_size(list);
    if (n == 0 || n > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *byte = json_array_get(list, i);
        if (!json_is_integer(byte) || json_integer_value(byte) < 0 ||
            json_integer_value(byte) > 255)
            return false;
        bytes[i] = (char)json_integer_value(byte);
    }
    *out = (struct str){bytes, n};
    return true;
}

/* object: what has "id" and "bytes" beside the name; NULL: nothing. */
static enum err read_id(const struct reader *r, size_t at, struct str name, const json_t *object,
                        int32_t *id)
{
    char bytes[NAME_BYTES_MAX];
    if (id_of_json(json_object_get(object, "id"), id))
        return ERR_OK;
    if ((r->by_ids || str_starts(name, STR("token_id:"))) && id_of_name(name, id))
        return ERR_OK;
    if (r->by_ids)
        return err_set(r->note, ERR_FORMAT, "position %zu: \"%.*s\" is no token id", at,
                       name.len < 40 ? (int)name.len : 40, name.ptr);
    bytes_of(json_object_get(object, "bytes"), bytes, &name);
    *id = token_names_find(r->names, name);
    return *id != TOKEN_NONE ? ERR_OK
                             : err_set(r->note, ERR_NOT_FOUND,
                                       "position %zu: no token of this model spells \"%.*s\"", at,
                                       name.len < 40 ? (int)name.len : 40, name.ptr);
}

static enum err read_logprob(const struct reader *r, size_t at, const json_t *value, double *out)
{
    *out = json_number_value(value);
    return json_is_number(value) && fabs(*out) <= LOGPROB_MAX
               ? ERR_OK
               : err_set(r->note, ERR_FORMAT, "position %zu: a logprob is no number up to 1e9", at);
}

static struct stat_choice *new_top(const struct reader *r, size_t at, size_t n, enum err *rc)
{
    struct stat_choice *top = NULL;
    if (n > CLAIM_TOP_MAX)
        *rc = err_set(r->note, ERR_LIMIT, "position %zu has %zu alternatives; at most %d", at, n,
                      CLAIM_TOP_MAX);
    else if (!(top = arena_alloc(&r->claim->memory, (n + 1) * sizeof top[0])))
        *rc = err_set(r->note, ERR_MEMORY, "out of memory for an answer's alternatives");
    return top;
}

/* The answer's own token. */
static enum err read_token(const struct reader *r, size_t at, const json_t *name,
                           const json_t *object, int32_t *id)
{
    if (!json_is_string(name))
        return err_set(r->note, ERR_FORMAT, "position %zu has no token", at);
    if (!r->ids)
        return read_id(r, at, text_of(name), object, id);
    return id_of_json(json_array_get(r->ids, at), id)
               ? ERR_OK
               : err_set(r->note, ERR_FORMAT, "token_ids[%zu] is no token id", at);
}

/* An item of choices[].logprobs.content. */
static enum err read_content(const struct reader *r, size_t at, const json_t *item,
                             struct stat_position *p)
{
    const json_t *list = json_object_get(item, "top_logprobs");
    size_t n = json_array_size(list);
    enum err rc = ERR_OK;
    struct stat_choice *top = new_top(r, at, n, &rc);
    if (!rc)
        rc = read_token(r, at, json_object_get(item, "token"), item, &p->token);
    if (!rc)
        rc = read_logprob(r, at, json_object_get(item, "logprob"), &p->logprob);
    for (size_t k = 0; !rc && k < n; k++) {
        const json_t *other = json_array_get(list, k);
        const json_t *name = json_object_get(other, "token");
        rc = json_is_string(name) ? read_id(r, at, text_of(name), other, &top[k].token)
                                  : err_set(r->note, ERR_FORMAT,
                                            "position %zu: alternative %zu has no token", at, k);
        if (!rc)
            rc = read_logprob(r, at, json_object_get(other, "logprob"), &top[k].logprob);
    }
    p->top = top;
    p->n_top = n;
    return rc;
}

/* The same of choices[].logprobs.{tokens, token_logprobs, top_logprobs}. */
static enum err read_text(const struct reader *r, size_t at, const json_t *logprobs,
                          struct stat_position *p)
{
    const json_t *own = json_array_get(json_object_get(logprobs, "token_logprobs"), at);
    json_t *map = json_array_get(json_object_get(logprobs, "top_logprobs"), at);
    enum err rc = ERR_OK;
    size_t k = 0;
    struct stat_choice *top = new_top(r, at, json_object_size(map), &rc);
    if (!rc)
        rc = read_token(r, at, json_array_get(json_object_get(logprobs, "tokens"), at), NULL,
                        &p->token);
    if (!rc)
        rc = read_logprob(r, at, own, &p->logprob);
    for (void *i = json_object_iter(map); !rc && i; i = json_object_iter_next(map, i), k++) {
        struct str key = {json_object_iter_key(i), json_object_iter_key_len(i)};
        rc = read_id(r, at, key, NULL, &top[k].token);
        if (!rc)
            rc = read_logprob(r, at, json_object_iter_value(i), &top[k].logprob);
    }
    p->top = top;
    p->n_top = json_object_size(map);
    return rc;
}

/* Whether all names are numbers, the alternatives' too. */
static bool all_are_ids(const json_t *logprobs)
{
    const json_t *content = json_object_get(logprobs, "content");
    const json_t *tokens = json_object_get(logprobs, "tokens");
    int32_t id;
    for (size_t i = 0; i < json_array_size(content); i++) {
        const json_t *item = json_array_get(content, i);
        const json_t *top = json_object_get(item, "top_logprobs");
        if (!id_of_name(text_of(json_object_get(item, "token")), &id))
            return false;
        for (size_t k = 0; k < json_array_size(top); k++)
            if (!id_of_name(text_of(json_object_get(json_array_get(top, k), "token")), &id))
                return false;
    }
    for (size_t i = 0; i < json_array_size(tokens); i++) {
        json_t *map = json_array_get(json_object_get(logprobs, "top_logprobs"), i);
        if (!id_of_name(text_of(json_array_get(tokens, i)), &id))
            return false;
        for (void *k = json_object_iter(map); k; k = json_object_iter_next(map, k)) {
            struct str key = {json_object_iter_key(k), json_object_iter_key_len(k)};
            if (!id_of_name(key, &id))
                return false;
        }
    }
    return true;
}

static enum err read_positions(const struct reader *r, const json_t *logprobs)
{
    const json_t *content = json_object_get(logprobs, "content");
    const json_t *tokens = json_object_get(logprobs, "tokens");
    size_t n = json_is_array(content) ? json_array_size(content) : json_array_size(tokens);
    if (!json_is_array(content) && !json_is_array(tokens))
        return err_set(r->note, ERR_FORMAT,
                       "the answer has no logprobs; ask with logprobs and top_logprobs");
    if (n > CLAIM_POSITIONS_MAX)
        return err_set(r->note, ERR_LIMIT, "the answer has %zu positions; at most %d", n,
                       CLAIM_POSITIONS_MAX);
    if (r->ids && json_array_size(r->ids) != n)
        return err_set(r->note, ERR_FORMAT, "token_ids has %zu tokens, logprobs %zu",
                       json_array_size(r->ids), n);
    struct stat_position *at = arena_alloc(&r->claim->memory, (n + 1) * sizeof at[0]);
    if (!at)
        return err_set(r->note, ERR_MEMORY, "out of memory for an answer of %zu positions", n);
    enum err rc = ERR_OK;
    for (size_t i = 0; !rc && i < n; i++)
        rc = json_is_array(content) ? read_content(r, i, json_array_get(content, i), &at[i])
                                    : read_text(r, i, logprobs, &at[i]);
    r->claim->answer = (struct stat_answer){at, n};
    r->claim->n_top = n > 0 ? at[0].n_top : 0;
    return rc;
}

enum err claim_read(struct claim *c, const json_t *answer, size_t i,
                    const struct token_names *names, enum claim_names how, struct err_note *note)
{
    const json_t *choice = json_array_get(json_object_get(answer, "choices"), i);
    const json_t *logprobs = json_object_get(choice, "logprobs");
    const json_t *ids = json_object_get(choice, "token_ids");
    int32_t index = (int32_t)i;
    *c = (struct claim){0};
    arena_init(&c->memory, MEMORY_BYTES_MAX);
    if (!json_is_object(choice))
        return err_set(note, ERR_FORMAT, "the answer has no choices[%zu]", i);
    id_of_json(json_object_get(choice, "index"), &index);
    c->index = (uint32_t)index;
    const struct reader r = {
        .names = names,
        .ids = json_is_array(ids) ? ids : NULL,
        .by_ids = how == CLAIM_NAMES_IDS || (how == CLAIM_NAMES_GUESS && all_are_ids(logprobs)),
        .claim = c,
        .note = note};
    return read_positions(&r, logprobs);
}

void claim_release(struct claim *c)
{
    arena_release(&c->memory);
    *c = (struct claim){0};
}
