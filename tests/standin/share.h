/* share.h - what the stand-in for libcuda gives to stand-ins for libraries on its stream. */
#ifndef STANDIN_SHARE_H
#define STANDIN_SHARE_H

#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

struct CUstream_st;

/* 0, or the code with which STANDIN_FAIL makes this call fail. */
EXPORT int standin_failing(const char *call);
/* Work on the stream, done when somebody waits for it; args are copied. name: static. */
EXPORT void standin_submit(struct CUstream_st *stream, void (*call)(const void *args),
                           const void *args, size_t n_bytes, const char *name);
/* Refuses a range that is not inside one living block of the device's memory; a thread without a
 * context. */
EXPORT void standin_check_device(const void *p, size_t n_bytes, const char *call);
EXPORT void standin_need_context(const char *call);

#endif
