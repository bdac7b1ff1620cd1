/* reading.c - how a choice's text becomes parts: as its model writes calls and reasoning. */
#include "base/entropy.h"
#include "server/worker_int.h"

enum { TAIL_TOKENS = 16, TAIL_BYTES_MAX = 1 << 20 };

void reading_begin(struct choice *k)
{
    const struct call *c = k->call;
    const struct speech *s = &c->worker->speech;
    struct answer_options o = {.style = s->habits.style,
                               .tools = c->api.tools,
                               .single = !c->api.parallel_tool_calls,
                               .id_seed = entropy_u64()};
    struct buf tail; /* of the prompt, which may have begun the reasoning */
    struct err_note note;
    size_t n = k->prompt.n_ids < TAIL_TOKENS ? k->prompt.n_ids : TAIL_TOKENS;
    if (!c->api.messages)
        return;
    if (c->api.reasoning_is_text)
        o.style.reasoning = NULL;
    buf_init(&tail, TAIL_BYTES_MAX);
    tokenizer_decode(s->tokenizer, k->prompt.ids + k->prompt.n_ids - n, n,
                     DECODE_SPECIAL | DECODE_CONTINUE, &tail, &note);
    o.prompt = (struct str){tail.n_bytes ? tail.bytes : "", tail.n_bytes};
    k->reasoning = answer_prompt_reasoning(o.style, o.prompt);
    answer_text_read(&k->says, &o, s->marks, s->n_marks);
    buf_release(&tail);
}
