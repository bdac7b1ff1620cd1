/* pow.c - a block, nonces, perhaps what was claimed of them. */
#include "api/pow.h"

#include <math.h>
#include <stdlib.h>

#include "api/tables.h"
#include "base/check.h"
#include "base/mem.h"

/* Three for each nonce and its claim, and what else a request has. More is not even read. */
enum { COMMAS_MAX = 4 * POW_NONCES_MAX };

enum value { HEIGHT, NODE_ID, NODE_COUNT, GROUP_ID, N_GROUPS, BATCH, PARAMS, NONCES, VALIDATION,
             STAT_TEST, N_VALUES };

#define FIELD(member) offsetof(struct api_pow, member)
#define VALUE(which)  API_VALUE, offsetof(struct api_pow, values) + (which) * sizeof(json_t *), 0, 0
#define OF_BOTH                                                                                    \
    {"block_hash", API_TEXT, FIELD(block_hash), 0, 0, "the block that names the reflections"},     \
        {"block_height", VALUE(HEIGHT), "its height; told back"},                                  \
        {"public_key", API_TEXT, FIELD(public_key), 0, 0, "whose nonces they are"},                \
        {"node_id", VALUE(NODE_ID), "which node this is"},                                         \
        {"node_count", VALUE(NODE_COUNT), "of how many"},                                          \
        {"batch_size", VALUE(BATCH), "without effect: batches fill themselves"},                   \
        {"params", VALUE(PARAMS), "model, seq_len, k_dim"},                                        \
        {"url", API_TEXT, FIELD(url), 0, 0, "results go to URL/generated or URL/validated"},       \
        {"poc_stronger_rng", API_BOOL, FIELD(stronger), 0, 0, "seed inputs with the whole hash"}

static const struct api_field init_fields[] = {
    OF_BOTH,
    {"group_id", VALUE(GROUP_ID), "which group of the node"},
    {"n_groups", VALUE(N_GROUPS), "of how many"},
};
static const struct api_field generate_fields[] = {
    OF_BOTH,
    {"nonces", VALUE(NONCES), "at most 100,000"},
    {"wait", API_BOOL, FIELD(wait), 0, 0, "answer when they are computed"},
    {"validation", VALUE(VALIDATION), "artifacts that were published of these nonces"},
    {"stat_test", VALUE(STAT_TEST), "dist_threshold, p_mismatch, p_value_threshold"},
};
#define REQUIRED "block_hash block_height public_key node_id node_count params"
const struct api_table api_pow_init_table = {"PowInit", init_fields, COUNT_OF(init_fields),
                                             REQUIRED};
const struct api_table api_pow_generate_table = {"PowGenerate", generate_fields,
                                                 COUNT_OF(generate_fields), REQUIRED " nonces"};

/* ---- parts -------------------------------------------------------------------------------- */

static bool read_text(struct str *s, const char *name, size_t n_max, bool may_lack,
                      struct api_error *e)
{
    if (!s->ptr || s->len == 0) {
        *s = STR("");
        return may_lack || api_fail(e, 400, name, "%s is missing", name);
    }
    if (s->len > n_max || strlen(s->ptr) != s->len)
        return api_fail(e, 400, name, "%s has %zu bytes; it has at most %zu, none of them 0", name,
                        s->len, n_max);
    return true;
}

static bool read_int(const json_t *value, const char *name, int64_t low, int64_t high,
                     int64_t *out, struct api_error *e)
{
    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < low ||
        json_integer_value(value) > high)
        return api_fail(e, 400, name, "%s must be a whole number from %lld to %lld", name,
                        (long long)low, (long long)high);
    *out = json_integer_value(value);
    return true;
}

static bool need_int(const json_t *value, const char *name, int64_t low, int64_t high, int64_t *out,
                     struct api_error *e)
{
    return value ? read_int(value, name, low, high, out, e)
                 : api_fail(e, 400, name, "%s is missing", name);
}

/* Fields that nobody knows are an error here, as they are upstream. */
static bool read_params(const json_t *params, struct api_pow *r, struct api_error *e)
{
    const char *name;
    json_t *value;
    int64_t seq_len = 0, k_dim = r->k_dim;
    if (!json_is_object(params))
        return api_fail(e, 400, "params", "params must be an object with model and seq_len");
    json_object_foreach ((json_t *)params, name, value)
        if (strcmp(name, "model") != 0 && strcmp(name, "seq_len") != 0 &&
            strcmp(name, "k_dim") != 0)
            return api_fail(e, 400, "params", "params has a field \"%.60s\"; it has model, seq_len "
                            "and k_dim", name);
    value = json_object_get(params, "model");
    r->model = (struct str){json_string_value(value), json_string_length(value)};
    if (!read_text(&r->model, "params.model", POW_URL_BYTES_MAX, false, e) ||
        !need_int(json_object_get(params, "seq_len"), "params.seq_len", 1, 1 << 20, &seq_len, e) ||
        !read_int(json_object_get(params, "k_dim"), "params.k_dim", 1, 64, &k_dim, e))
        return false;
    r->seq_len = (uint32_t)seq_len;
    r->k_dim = (uint32_t)k_dim;
    return true;
}

static bool read_number(const json_t *object, const char *name, double low, double high,
                        double *out, struct api_error *e)
{
    const json_t *value = json_object_get(object, name);
    if (!value)
        return true;
    double x = json_number_value(value);
    if (!json_is_number(value) || !(x >= low && x <= high))
        return api_fail(e, 400, "stat_test", "stat_test.%s must be a number from %g to %g", name,
                        low, high);
    *out = x;
    return true;
}

/* The chain's clients call the threshold p_value_threshold, vLLM fraud_threshold. */
static bool read_stat_test(const json_t *t, struct api_pow *r, struct api_error *e)
{
    if (!t)
        return true;
    if (!json_is_object(t))
        return api_fail(e, 400, "stat_test", "stat_test must be an object");
    return read_number(t, "dist_threshold", 0, 1e9, &r->dist_threshold, e) &&
           read_number(t, "p_mismatch", 1e-12, 1 - 1e-12, &r->p_mismatch, e) &&
           read_number(t, "fraud_threshold", 0, 1, &r->p_threshold, e) &&
           read_number(t, "p_value_threshold", 0, 1, &r->p_threshold, e);
}

/* ---- nonces ------------------------------------------------------------------------------- */

/* A nonce and where it stands; claim NULL: none. */
struct entry {
    uint64_t nonce;
    size_t i;
    const char *claim;
};

static int compare(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->nonce != y->nonce)
        return x->nonce > y->nonce ? 1 : -1;
    return (x->i > y->i) - (x->i < y->i);
}

static bool read_nonce(const json_t *value, uint64_t *nonce, struct api_error *e)
{
    int64_t n = -1;
    if (!value || !read_int(value, "nonces", 0, INT64_MAX, &n, e) || n < 0)
        return api_fail(e, 400, "nonces", "a nonce must be a whole number, 0 or more");
    *nonce = (uint64_t)n;
    return true;
}

static struct entry *entries_of(const json_t *array, bool are_claims, struct api_error *e)
{
    size_t n = json_array_size(array);
    struct entry *all = mem_array(n + 1, sizeof *all);
    if (!all) {
        api_fail(e, 503, NULL, "out of memory for %zu nonces", n);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(array, i);
        const json_t *nonce = are_claims ? json_object_get(item, "nonce") : item;
        all[i] = (struct entry){.i = i};
        if (are_claims)
            all[i].claim = json_string_value(json_object_get(item, "vector_b64"));
        if (!read_nonce(nonce, &all[i].nonce, e) ||
            (are_claims && !all[i].claim &&
             !api_fail(e, 400, "validation", "validation.artifacts[%zu] has no vector_b64", i))) {
            mem_free(all);
            return NULL;
        }
    }
    if (n > 0)
        qsort(all, n, sizeof *all, compare);
    return all;
}

/* Sorted entries to each nonce once; *n: how many. false: one has two claims. */
static bool merge(struct entry *all, size_t *n, struct api_error *e)
{
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        const struct entry *last = kept ? &all[kept - 1] : NULL;
        if (!last || last->nonce != all[i].nonce)
            all[kept++] = all[i];
        else if (all[i].claim && strcmp(all[i].claim, last->claim) != 0)
            return api_fail(e, 400, "validation", "nonce %llu has two artifacts that differ",
                            (unsigned long long)all[i].nonce);
    }
    *n = kept;
    return true;
}

static bool mismatch(struct api_error *e)
{
    return api_fail(e, 400, "validation",
                    "validation.artifacts nonces must match nonces field");
}

static int compare_places(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return (x->i > y->i) - (x->i < y->i);
}

/* The claims of sorted nonces move to them; both have the same nonces or none fit. */
static bool join(struct entry *nonces, size_t n, const struct entry *claims, size_t n_claims,
                 struct api_error *e)
{
    if (n != n_claims)
        return mismatch(e);
    for (size_t i = 0; i < n; i++) {
        if (nonces[i].nonce != claims[i].nonce)
            return mismatch(e);
        nonces[i].claim = claims[i].claim;
    }
    return true;
}

static bool take(struct api_pow *r, struct entry *nonces, struct api_error *e)
{
    r->nonces = mem_array(r->n + 1, sizeof *r->nonces);
    r->claims = r->validates ? mem_array(r->n + 1, sizeof *r->claims) : NULL;
    if (!r->nonces || (r->validates && !r->claims))
        return api_fail(e, 503, NULL, "out of memory for %zu nonces", r->n);
    if (r->n > 0)
        qsort(nonces, r->n, sizeof *nonces, compare_places);
    for (size_t i = 0; i < r->n; i++) {
        r->nonces[i] = nonces[i].nonce;
        if (r->validates)
            r->claims[i] = nonces[i].claim;
    }
    return true;
}

static bool read_nonces(struct api_pow *r, struct api_error *e)
{
    const json_t *array = r->values[NONCES], *v = r->values[VALIDATION];
    const json_t *artifacts = json_object_get(v, "artifacts");
    if (!json_is_array(array))
        return api_fail(e, 400, "nonces", "nonces must be an array");
    if (v && !json_is_array(artifacts))
        return api_fail(e, 400, "validation", "validation must be an object with artifacts");
    r->validates = v != NULL;
    size_t n_claims = json_array_size(artifacts);
    r->n = json_array_size(array);
    struct entry *nonces = entries_of(array, false, e);
    struct entry *claims = nonces && v ? entries_of(artifacts, true, e) : NULL;
    bool ok = nonces && (claims || !v) && merge(nonces, &r->n, e) &&
              (!v || (merge(claims, &n_claims, e) && join(nonces, r->n, claims, n_claims, e)));
    ok = ok && take(r, nonces, e);
    mem_free(nonces);
    mem_free(claims);
    return ok;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static bool is_small(struct str body, struct api_error *e)
{
    size_t n = 0;
    for (size_t i = 0; i < body.len; i++)
        n += body.ptr[i] == ',';
    return n <= COMMAS_MAX || api_fail(e, 429, NULL, "Queue full: a request has at most %d nonces",
                                       POW_NONCES_MAX);
}

static bool read_walk(struct api_pow *r, struct api_error *e)
{
    const int64_t count_max = 1 << 30;
    return need_int(r->values[NODE_ID], "node_id", 0, count_max, &r->node_id, e) &&
           need_int(r->values[NODE_COUNT], "node_count", 1, count_max, &r->node_count, e) &&
           read_int(r->values[GROUP_ID], "group_id", 0, count_max, &r->group_id, e) &&
           read_int(r->values[N_GROUPS], "n_groups", 1, count_max, &r->n_groups, e);
}

bool api_pow_parse(bool has_nonces, struct str body, struct api_pow *r, struct api_error *e)
{
    const struct api_table *t = has_nonces ? &api_pow_generate_table : &api_pow_init_table;
    *r = (struct api_pow){.n_groups = 1, .batch_size = 32, .k_dim = 12, .dist_threshold = 0.02,
                          .p_mismatch = 0.001, .p_threshold = 0.01};
    _Static_assert(N_VALUES <= COUNT_OF(r->values), "values");
    if (!is_small(body, e) || !(r->root = api_parse(body, e)) ||
        !api_read(r->root, "", t->fields, t->n_fields, r, NULL, NULL, e) ||
        !read_text(&r->block_hash, "block_hash", POW_KEY_BYTES_MAX, false, e) ||
        !read_text(&r->public_key, "public_key", POW_KEY_BYTES_MAX, false, e) ||
        !read_text(&r->url, "url", POW_URL_BYTES_MAX, true, e))
        return false;
    if (!need_int(r->values[HEIGHT], "block_height", INT64_MIN, INT64_MAX, &r->block_height, e) ||
        !read_walk(r, e) ||
        !read_int(r->values[BATCH], "batch_size", 1, 1 << 30, &r->batch_size, e) ||
        !read_params(r->values[PARAMS], r, e) || !read_stat_test(r->values[STAT_TEST], r, e))
        return false;
    if (!has_nonces)
        return true;
    if (json_array_size(r->values[NONCES]) > POW_NONCES_MAX)
        return api_fail(e, 429, NULL, "Queue full: a request has at most %d nonces",
                        POW_NONCES_MAX);
    return read_nonces(r, e);
}

void api_pow_release(struct api_pow *r)
{
    mem_free(r->nonces);
    mem_free(r->claims);
    json_decref(r->root);
    *r = (struct api_pow){0};
}

bool pow_is_path(struct str path)
{
    return str_starts(path, STR("/api/v1/pow/")) ||
           str_starts(path, STR("/api/v1/inference/pow/"));
}
