/* pow_result.c - artifacts, or a verdict over those that were claimed. */
#include <inttypes.h>

#include "server/pow_int.h"

static void write_key_double(struct writer *w, const char *key, double value)
{
    char digits[40];
    snprintf(digits, sizeof digits, "%.17g", value);
    write_key_word(w, key, digits);
}

void pow_write_artifact(struct writer *w, uint64_t nonce, const char *text)
{
    write_open(w, '{');
    write_key_int(w, "nonce", (int64_t)nonce);
    write_key_text(w, "vector_b64", str_from(text));
    write_close(w, '}');
}

void pow_write_encoding(struct writer *w, uint32_t k_dim)
{
    write_key(w, "encoding");
    write_open(w, '{');
    write_key_text(w, "dtype", STR("f16"));
    write_key_int(w, "k_dim", k_dim);
    write_key_text(w, "endian", STR("le"));
    write_close(w, '}');
}

static void write_artifacts(struct writer *w, const struct pow_job *j)
{
    write_key(w, "artifacts");
    write_open(w, '[');
    for (size_t i = 0; i < j->r.n; i++)
        if (j->texts[i * j->text_bytes])
            pow_write_artifact(w, j->r.nonces[i], j->texts + i * j->text_bytes);
    write_close(w, ']');
    pow_write_encoding(w, j->r.k_dim);
}

/* A nonce that has no artifact here refutes nobody. */
static bool is_refuted(const struct pow_job *j, size_t i)
{
    uint16_t halves[ARTIFACT_DIMS_MAX];
    const char *text = j->texts + i * j->text_bytes;
    return text[0] && artifact_read(str_from(text), j->r.k_dim, halves) &&
           !(artifact_distance(halves, j->r.k_dim, str_from(j->r.claims[i])) <=
             j->r.dist_threshold);
}

static void write_verdict(struct writer *w, const struct pow_job *j)
{
    uint64_t n_refuted = 0;
    write_key_int(w, "n_total", (int64_t)j->r.n);
    write_key(w, "mismatch_nonces");
    write_open(w, '[');
    for (size_t i = 0; i < j->r.n; i++) {
        if (!is_refuted(j, i))
            continue;
        n_refuted++;
        write_int(w, (int64_t)j->r.nonces[i]);
    }
    write_close(w, ']');
    double p = binomial_at_least(j->r.n, n_refuted, j->r.p_mismatch);
    write_key_int(w, "n_mismatch", (int64_t)n_refuted);
    write_key_double(w, "p_value", p);
    write_key_word(w, "fraud_detected", p < j->r.p_threshold ? "true" : "false");
}

void pow_write_findings(struct writer *w, const struct pow_job *j)
{
    if (j->r.validates)
        write_verdict(w, j);
    else
        write_artifacts(w, j);
}

void pow_write_result(struct buf *out, const struct pow_job *j)
{
    struct writer w;
    write_begin(&w, out);
    write_open(&w, '{');
    write_key_text(&w, "status", STR("completed"));
    write_key_text(&w, "request_id", str_from(j->id));
    pow_write_findings(&w, j);
    write_close(&w, '}');
}
