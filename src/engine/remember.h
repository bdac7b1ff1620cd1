/* remember.h - between the pages of sessions and the tree of remembered pages, for engine/ alone.
 *
 * A page joins the tree when it is full, and a timeline's last, unfinished page when the session
 * gives it up. From then on the tree's page is the session's too. What a later request finds has
 * the bits that it would have computed: pages depend on nothing but the tokens before them. */
#ifndef ENGINE_REMEMBER_H
#define ENGINE_REMEMBER_H

#include "engine/engine_int.h"

/* engine_take_page - a free page, or that of the remembered one used least recently. KV_PAGE_NONE:
 * sessions hold them all. */
uint32_t engine_take_page(struct iso_engine *e);
/* engine_own_page - kv_pages_own, with room made for the copy. */
uint32_t engine_own_page(struct iso_engine *e, uint32_t page);

/* session_enter - a request begins: whose pages these are, and whether they may be remembered. */
void session_enter(struct iso_session *s);
/* session_recall - takes over remembered pages that reach further than the session's own, from the
 * tree, then from the disk. The last token's position is never among them: it is computed for its
 * logits. False: there is more on the disk than others should wait for; call again after them. */
bool session_recall(struct iso_session *s);
/* session_remember - the session's full pages join the tree. After each pass. */
void session_remember(struct iso_session *s);
/* session_drop_pages - keeps the first n pages; the others stay in the tree. */
void session_drop_pages(struct iso_session *s, uint32_t n_pages);
/* session_park - gives up all pages of a timeline that goes on later: they are recalled then, or
 * computed again. */
void session_park(struct iso_session *s);

#endif
