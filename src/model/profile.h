/* profile.h - the profile that a model is computed in (docs/arithmetic.md, "Profiles"): `exact`,
 * or where F16 and BF16 matrices meet a card that has tensor cores for them, `fast`. One model has
 * one. */
#ifndef MODEL_PROFILE_H
#define MODEL_PROFILE_H

#include "device/device.h"
#include "format/table.h"

/* profile_name_check - ERR_USAGE for what is no profile's name. NULL: the default. */
enum err profile_name_check(const char *name, struct err_note *note);

/* profile_choose - asked: "exact", "fast", or NULL: `fast` if all matrices that are not F32 are F16
 * or BF16 and the device has something faster for them. Asked for and not to be had is an error:
 * ERR_UNSUPPORTED. With ERR_OK note is what a person should know of a default, or "". */
enum err profile_choose(const char *asked, const struct table *t, struct device *d, bool *is_fast,
                        struct err_note *note);

/* profile_begin - before a model of that profile is opened; tells what a person should know: of the
 * choice (said), and of the device. */
void profile_begin(struct device *d, bool is_fast, const struct err_note *said,
                   void (*tell)(void *context, const char *text), void *context);

#endif
