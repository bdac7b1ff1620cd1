/* utf8.h - what text does with bytes that are not UTF-8. */
#ifndef TEXT_UTF8_H
#define TEXT_UTF8_H

#include "base/buf.h"
#include "base/str.h"

/* utf8_repair - append s to out, each maximal ill-formed part replaced by one U+FFFD, as Python's
 * bytes.decode("utf-8", "replace") does (Unicode 15, table 3-8: maximal subparts). */
void utf8_repair(struct str s, struct buf *out);

#endif
