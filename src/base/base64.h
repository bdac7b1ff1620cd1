/* base64.h - bytes as text in standard base64, and back. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* base64_encode - with padding, appended to out. */
void base64_encode(struct buf *out, const void *bytes, size_t n_bytes);
/* base64_decode - the bytes, appended to out; padding may be absent. ERR_FORMAT names the byte that
 * is no digit; ERR_LIMIT: out is full. */
enum err base64_decode(struct str s, struct buf *out, struct err_note *note);

#endif
