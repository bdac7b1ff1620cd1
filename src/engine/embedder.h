/* embedder.h - what the program's own tools may ask of an embedder beyond include/isobit.h. */
#ifndef ENGINE_EMBEDDER_H
#define ENGINE_EMBEDDER_H

#include "base/err.h"
#include "isobit.h"

struct table;

/* embedder_open - iso_embedder_open for a table that is open already and outlives the embedder. */
enum err embedder_open(const struct table *table, const struct iso_embedder_options *options,
                       struct iso_embedder **embedder, struct err_note *note);

/* embedder_open_on - the same on this device, which is closed with the embedder, and on error. */
struct device;
enum err embedder_open_on(const struct table *table, const struct iso_embedder_options *options,
                          struct device *device, struct iso_embedder **embedder,
                          struct err_note *note);

/* embedder_suits - whether the model is made for vectors: it is an encoder, or its file says how
 * its rows are pooled. */
enum err embedder_suits(const struct table *table, bool *suits, struct err_note *note);

/* embedder_needs - the machine's memory that embedder_open takes with these options, before it
 * takes any. */
enum err embedder_needs(const struct table *table, const struct iso_embedder_options *options,
                        uint64_t *n_bytes, struct err_note *note);

/* embedder_own - the table is closed with the embedder. */
void embedder_own(struct iso_embedder *embedder, struct table *table,
                  void (*table_free)(struct table *table));

#endif
