/* memory.h - the stand-in's memory: blocks with guards, and the only times that they are open. */
#ifndef STANDIN_MEMORY_H
#define STANDIN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* refuse - a call that a real driver might let pass and that would be wrong: says so and ends the
 * process, so that the test fails. */
__attribute__((noreturn, format(printf, 1, 2))) void refuse(const char *format, ...);

enum place { PLACE_DEVICE, PLACE_PINNED };

/* memory_take - NULL: the card is full. Device memory is closed to everybody but for memory_open;
 * it holds rubbish at first, as a card's does. memory_give ends it: its addresses are never used
 * again, and whoever does is stopped by the processor or by memory_check. */
void *memory_take(enum place place, size_t n_bytes);
void memory_give(enum place place, void *p, const char *call);
/* memory_check - refuses a range that is not inside one living block. */
void memory_check(enum place place, const void *p, size_t n_bytes, const char *call);
void memory_open(void);
/* memory_close - refuses if bytes beyond a block were written meanwhile. who: did it, for that. */
void memory_close(const char *who);
/* memory_left - what the card has still, of `n_bytes` in all. */
size_t memory_left(size_t n_bytes);
/* memory_count - living blocks. */
size_t memory_count(enum place place);

#endif
