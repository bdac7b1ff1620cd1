/* hf_plan.h - a Hugging Face folder, opened: its metadata and a recipe for each GGUF tensor. */
#ifndef FORMAT_HF_PLAN_H
#define FORMAT_HF_PLAN_H

#include "format/hf_config.h"
#include "format/hf_rows.h"

struct hf_plan {
    struct hf_config config;
    struct metas metas;
    struct safetensors files;
    struct hf_recipe *recipes; /* sorted: embedding, layers, output */
    size_t n_recipes, n_reserved;
    struct table table; /* owns mappings, names, sources; has no tensors until hf_open adds them */
};

/* hf_plan_open - read config.json and the headers of all .safetensors files of a folder. Of the
 * data nothing is read but the scales of bitsandbytes tensors. On error, p is closed. */
enum err hf_plan_open(const char *folder, struct hf_plan *p, struct err_note *note);
void hf_plan_close(struct hf_plan *p);

/* hf_plan_build - the recipes, from config and files (hf_names.c); a step of hf_plan_open. */
enum err hf_plan_build(struct hf_plan *p, struct err_note *note);

/* bnb_source - a source out of a packed weight and its quantisation state (bnb.c). The shape is
 * that of the unpacked weight: dim[0] = k, dim[1] = rows. */
enum err bnb_source(struct hf_plan *p, const struct safetensor *x, struct hf_source *s,
                    struct err_note *note);
/* bnb_is_state - whether a tensor only describes how another one is packed. */
bool bnb_is_state(struct str name);

/* hf_open - the folder as a table: views where bytes are used as they are, copies elsewhere. */
enum err hf_open(const char *folder, struct table *t, struct err_note *note);

#endif
