/* fall_back.h - the engine goes on with the CPU when its device is lost, for engine/ alone.
 *
 * What a device that is lost gave since its status was last asked is worth nothing: no token is
 * chosen from it, no page of it told, remembered or written to disk. Timelines are the engine's:
 * their pages are computed again (or come from the disk), and every token is the one that it would
 * have been. */
#ifndef ENGINE_FALL_BACK_H
#define ENGINE_FALL_BACK_H

#include "engine/engine_int.h"

/* engine_is_lost - whether the device has failed since the engine was opened. */
bool engine_is_lost(const struct iso_engine *e);
/* engine_fall_back - model, draft and pages on the CPU, and a notice of it. Allocates. On error the
 * engine computes nothing any more: e->lost and its note are what every request is to end with. */
enum err engine_fall_back(struct iso_engine *e);

#endif
