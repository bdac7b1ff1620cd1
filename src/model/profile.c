/* profile.c - which products a file has, and what the device has for them. */
#include "model/profile.h"

#include <string.h>

#include "tensor/quant/quant.h"

enum err profile_name_check(const char *name, struct err_note *note)
{
    if (!name || strcmp(name, "exact") == 0 || strcmp(name, "fast") == 0)
        return ERR_OK;
    return err_set(note, ERR_USAGE, "\"%.40s\" is no profile; there are exact and fast", name);
}

struct counts {
    size_t n_quantised, n_halves, n_fast; /* n_fast: of the halves, those with a faster product */
};

static struct counts count(const struct table *t, struct device *d)
{
    struct counts c = {0};
    for (size_t i = 0; i < t->n_tensors; i++) {
        const struct tensor_view *v = &t->tensors[i];
        if (v->dim[1] == 1)
            continue;
        c.n_quantised += quant_format(v->dtype) != NULL;
        if (v->dtype != DTYPE_F16 && v->dtype != DTYPE_BF16)
            continue;
        c.n_halves++;
        c.n_fast += d->ops->fast_kind(d, v->dtype, (uint32_t)v->dim[0]) != ACT_F32;
    }
    return c;
}

static enum err refuse(const struct table *t, struct device *d, const struct counts *c,
                       struct err_note *note)
{
    if (d->ops->host_memory)
        return err_set(note, ERR_UNSUPPORTED,
                       "the profile fast needs a GPU; the CPU computes the profile exact alone");
    if (c->n_halves == 0)
        return err_set(note, ERR_UNSUPPORTED,
                       "%s: the profile fast is for F16 and BF16 matrices, of which it has none",
                       t->path);
    return err_set(note, ERR_UNSUPPORTED,
                   "%s: the profile fast needs tensor cores for its F16 or BF16 matrices, which "
                   "this GPU or this program's kernels for it have not (F16: 7.5 and later, BF16: "
                   "8.0)",
                   t->path);
}

enum err profile_choose(const char *asked, const struct table *t, struct device *d, bool *is_fast,
                        struct err_note *note)
{
    enum err rc = profile_name_check(asked, note);
    struct counts c = count(t, d);
    *is_fast = false;
    if (note && !rc)
        note->text[0] = 0;
    if (rc || (asked && strcmp(asked, "exact") == 0))
        return rc;
    if (asked && c.n_fast == 0)
        return refuse(t, d, &c, note);
    *is_fast = c.n_fast > 0 && (asked || c.n_quantised == 0);
    if (asked || c.n_quantised > 0 || c.n_halves == 0 || d->ops->host_memory)
        return ERR_OK;
    if (*is_fast)
        err_set(note, ERR_OK,
                "F16 and BF16 weights on a GPU: profile fast, on its tensor cores, whose bits are "
                "this card's own; the profile exact has the same bits on every machine");
    else
        err_set(note, ERR_OK,
                "this GPU has no tensor cores for F16 or BF16 weights: profile exact, whose "
                "products with such weights are slow on a GPU");
    return ERR_OK;
}

void profile_begin(struct device *d, bool is_fast, const struct err_note *said,
                   void (*tell)(void *context, const char *text), void *context)
{
    struct err_note more = {""};
    if (is_fast)
        d->ops->fast_begin(d, &more);
    if (tell && said->text[0])
        tell(context, said->text);
    if (tell && more.text[0])
        tell(context, more.text);
}
